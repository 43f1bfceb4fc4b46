/* posix_run.c: the calls, and the model of what each must answer.
 *
 *   answer     served or refused as the arguments say; NULL goes with an error
 *   errno      a refusal says why, posix_memalign by its result alone; frees keep what was there
 *   out        posix_memalign leaves the caller's pointer alone where it refuses
 *   align      16 at least, and what was asked for
 *   usable     a block is as large as was asked, and all that it has may be written
 *   overlap    no two live blocks share a byte
 *   zero       calloc's blocks are zeroed
 *   contents   bytes stay, also of a block whose realloc was refused
 *   figures    what the library says of itself adds up
 *   lost       once all blocks are freed, the library has as much in blocks as before
 *
 * What would take much memory in earnest is passed over, as are calls that no program may make. Calls of a
 * library's own owe alignment, size and contents; how they refuse is theirs. What a family promises beyond
 * the manuals (posix_run.h) it is held to.
 *
 * A finding of a kind that is known does not end the run: what was answered is taken as it is, unless blocks
 * overlap.
 */
#include "fuzz/properties/posix_run.h"

#include "fuzz/finding.h"
#include "fuzz/properties/posix_calls.h"
#include "fuzz/properties/posix_program.h"
#include <errno.h>
#include <heapyard/align.h>
#include <stdarg.h>
#include <string.h>

#define CALL_MAX ((size_t)1 << 18)
#define ROUND_MAX 224                      /* calls up to an end; those behind are passed over */
#define PRINTED_MAX 1000                   /* calls of a program */
#define SERVED_MAX ((size_t)9 << 17)       /* up to here a request must be served */
#define SERVED_ALIGN_MAX ((size_t)1 << 20) /* likewise */
#define REFUSED_MIN ((size_t)1 << 47)      /* more than a process has addresses: it must be refused */
#define MANY_PAGES ((size_t)64 << 10)      /* of larger blocks, not every page is looked at */
#define EDGE ((size_t)16)                  /* bytes of a page that are */
#define PAGE ((size_t)4096)
#define MIN_ALIGN ((size_t)16)
#define ERRNO_BEFORE 12345

#define ANY_ERROR (-1)

/* Which frees a block may be given to. */
typedef enum origin { FROM_MALLOC, FROM_ALIGNED_ALLOC, FROM_ALIGNED, FROM_PAGES, FROM_NEW } origin;

typedef struct block {
    unsigned char *ptr; /* NULL: none */
    size_t asked, usable, align;
    origin origin;
    unsigned char mark; /* what its bytes are made from */
} block;

/* What a call must answer. */
typedef struct expected {
    bool may_serve, may_refuse;
    int error, other_error; /* of a refusal; other_error 0: none */
    size_t align;           /* of what is served */
    size_t usable;          /* likewise, at least */
} expected;

static struct {
    const hy_posix_family *family;
    block blocks[HY_POSIX_SLOTS];
    hy_posix_sizes sizes;
    hy_posix_call calls[CALL_MAX];
    size_t call_count;
    size_t round_calls; /* since all blocks were freed */
    bool has_dropped;   /* a block was left alone, and will not be freed */
    unsigned char mark;
} run;

/* A C expression for reproducers. */
HY_PRINTF(1, 2) static const char *wrong(const char *format, ...) {
    static char text[120];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

/* Between form feeds, so that the last one is told from those before it. is_wrong: as in hy_posix_program. */
static void print_program(const char *message, const char *is_wrong, bool before_too) {
    if (run.call_count > PRINTED_MAX) return;
    fputc('\f', stderr);
    hy_posix_print(stderr, &(hy_posix_program){
                               .calls = run.calls,
                               .count = run.call_count,
                               .rounds = hy_fuzz_rounds,
                               .keeps_blocks = hy_fuzz_keeps_blocks,
                               .library = run.family->file,
                               .build = run.family->build,
                               .has_no_usable_size = !run.family->usable_size,
                               .finding = message,
                               .wrong = is_wrong,
                               .before_too = before_too,
                               .counts_live = run.family->live_bytes != NULL,
                           });
    fputs("\f\n", stderr);
}

/* Tells a finding, unless its kind is known. */
HY_PRINTF(3, 4) static void found(const char *kind, const char *is_wrong, const char *format, ...) {
    char message[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (hy_finding_is_known(kind, message)) return;
    print_program(message, is_wrong, strcmp(kind, "contents") == 0);
    hy_finding(kind, "%s", message);
}

/* ---- contents ---- */

static unsigned char byte_at(const block *it, size_t at) {
    return (unsigned char)(it->mark + at * 7 + (at >> 8) * 13);
}

/* The next byte behind `at` that is looked at: all of a small block; of others the edges of some pages, of
 * what was asked for, and of the block. Each page that is touched costs more than all else. */
static size_t step_behind(const block *it, size_t at) {
    size_t next = at + 1, asked = it->asked, usable = it->usable;
    size_t stride = usable <= MANY_PAGES ? PAGE : MANY_PAGES;
    bool is_at_end = next >= usable - EDGE || (next < asked && next + EDGE >= asked);
    if (usable <= PAGE || next % stride < EDGE || is_at_end) return next;
    size_t behind = (next / stride + 1) * stride;
    if (asked > next + EDGE && asked - EDGE < behind) behind = asked - EDGE;
    return usable - EDGE < behind ? usable - EDGE : behind;
}

static void fill(block *it) {
    it->mark = run.mark += 29;
    for (size_t at = 0; at < it->usable; at = step_behind(it, at))
        it->ptr[at] = byte_at(it, at);
}

/* The first `size` bytes, wherever they lie now. */
static void expect_bytes(const block *it, const unsigned char *bytes, size_t size, const char *when) {
    for (size_t at = 0; at < size; at = step_behind(it, at)) {
        if (bytes[at] == byte_at(it, at)) continue;
        found("contents", "has_changed()", "byte %zu of %zu has changed %s", at, it->asked, when);
        return;
    }
}

static void expect_all_bytes(void) {
    for (size_t i = 0; i < HY_POSIX_SLOTS; i++) {
        const block *it = &run.blocks[i];
        if (it->ptr) expect_bytes(it, it->ptr, it->usable, "meanwhile");
    }
}

static void expect_zeroes(const hy_posix_call *call, const block *it) {
    for (size_t at = 0; at < it->asked; at = it->usable <= MANY_PAGES ? at + 1 : step_behind(it, at)) {
        if (it->ptr[at] == 0) continue;
        found("zero", wrong("is_dirty(b[%u], %zuu)", call->slot, it->asked), "byte %zu of %s's %zu is not 0",
            at, hy_posix_name(call->function), it->asked);
        return;
    }
}

/* ---- what must be answered ---- */

/* The next power of two above an alignment that is none, MIN_ALIGN at least. */
static size_t rounded_up(size_t align) {
    size_t power = MIN_ALIGN;
    while (power < align)
        power *= 2;
    return power;
}

/* Alignment and its errors, each function's own. */
static void expect_align(const hy_posix_call *call, expected *out) {
    bool is_strange = false, must_refuse = false;
    out->align = MIN_ALIGN;
    switch (call->function) {
    case HY_POSIX_ALIGNED_ALLOC:
        is_strange = must_refuse = !hy_is_power_of_two(call->align);
        break;
    case HY_POSIX_MEMALIGN_OUT:
        is_strange = must_refuse = !hy_is_power_of_two(call->align) || call->align < sizeof(void *);
        break;
    case HY_POSIX_MEMALIGN:
        is_strange = !hy_is_power_of_two(call->align);
        must_refuse = call->align > SIZE_MAX / 2 + 1;
        if (is_strange && !must_refuse && run.family->rounds_align) {
            out->align = rounded_up(call->align);
            return;
        }
        break;
    case HY_POSIX_VALLOC:
    case HY_POSIX_PVALLOC:
        out->align = PAGE;
        return;
    default:
        if (call->function < HY_POSIX_MALLOCX) return;
        out->align = call->align;
        out->error = ANY_ERROR;
        return;
    }
    out->may_refuse = is_strange;
    out->may_serve = !must_refuse;
    if (is_strange) out->error = EINVAL;
    if (hy_is_power_of_two(call->align) && call->align > out->align) out->align = call->align;
}

/* Whether a call of a library's own is one that its manual defines. */
static bool is_defined(const hy_posix_call *call) {
    return call->function < HY_POSIX_MALLOCX ||
           (hy_is_power_of_two(call->align) && call->align <= SERVED_ALIGN_MAX && call->size > 0);
}

/* False: the call is passed over. */
static bool expect(const hy_posix_call *call, expected *out) {
    size_t bytes = 0;
    *out = (expected){.may_serve = true};
    if (!is_defined(call)) return false;
    expect_align(call, out);
    bool overflows = HY_MUL_OVERFLOWS(call->count, call->size, &bytes);
    if (!overflows && bytes > SERVED_MAX && bytes <= REFUSED_MIN && out->may_serve) return false;
    out->usable = bytes;
    if (call->function == HY_POSIX_PVALLOC && bytes <= SERVED_MAX)
        out->usable = hy_align_forward(bytes, HY_ALIGN_4096);
    bool is_absurd = overflows || bytes > REFUSED_MIN || out->align > REFUSED_MIN;
    if (is_absurd || out->align > SERVED_ALIGN_MAX) {
        out->may_refuse = true;
        if (is_absurd) out->may_serve = false;
        *(out->error ? &out->other_error : &out->error) = ENOMEM;
    }
    return true;
}

/* ---- calls ---- */

static void expect_errno_kept(const char *by) {
    int error = errno;
    if (error != ERRNO_BEFORE) found("errno", "errno != 12345", "%s changed errno to %d", by, error);
}

static void *call_posix_memalign(const hy_posix_call *call, int *error) {
    void *const untouched = &run;
    void *out = untouched;
    *error = run.family->posix_memalign(&out, call->align, call->size);
    expect_errno_kept("posix_memalign");
    if (*error && out != untouched)
        found("out", wrong("e && b[%u] != before", call->slot),
            "posix_memalign refused and wrote to the caller's pointer");
    if (!*error && !out) {
        found("answer", wrong("!e && !b[%u]", call->slot),
            "posix_memalign of %s bytes at %s gave no block and no error", call->size ? "some" : "no",
            call->align > SERVED_ALIGN_MAX ? "an absurd alignment" : "an alignment");
        *error = -1;
    }
    return *error ? NULL : out;
}

/* Where each function is in a family. */
static const size_t offsets[HY_POSIX_FUNCTIONS] = {
    [HY_POSIX_MALLOC] = offsetof(hy_posix_family, malloc),
    [HY_POSIX_CALLOC] = offsetof(hy_posix_family, calloc),
    [HY_POSIX_REALLOC] = offsetof(hy_posix_family, realloc),
    [HY_POSIX_REALLOCARRAY] = offsetof(hy_posix_family, reallocarray),
    [HY_POSIX_ALIGNED_ALLOC] = offsetof(hy_posix_family, aligned_alloc),
    [HY_POSIX_MEMALIGN_OUT] = offsetof(hy_posix_family, posix_memalign),
    [HY_POSIX_MEMALIGN] = offsetof(hy_posix_family, memalign),
    [HY_POSIX_VALLOC] = offsetof(hy_posix_family, valloc),
    [HY_POSIX_PVALLOC] = offsetof(hy_posix_family, pvalloc),
    [HY_POSIX_FREE] = offsetof(hy_posix_family, free),
    [HY_POSIX_FREE_SIZED] = offsetof(hy_posix_family, free_sized),
    [HY_POSIX_FREE_ALIGNED_SIZED] = offsetof(hy_posix_family, free_aligned_sized),
    [HY_POSIX_USABLE_SIZE] = offsetof(hy_posix_family, usable_size),
    [HY_POSIX_TRIM] = offsetof(hy_posix_family, trim),
    [HY_POSIX_MALLOCX] = offsetof(hy_posix_family, mallocx),
    [HY_POSIX_MALLOCX_ZERO] = offsetof(hy_posix_family, mallocx),
    [HY_POSIX_RALLOCX] = offsetof(hy_posix_family, rallocx),
    [HY_POSIX_SDALLOCX] = offsetof(hy_posix_family, sdallocx),
    [HY_POSIX_MI_MALLOC_ALIGNED] = offsetof(hy_posix_family, mi_malloc_aligned),
    [HY_POSIX_MI_ZALLOC_ALIGNED] = offsetof(hy_posix_family, mi_zalloc_aligned),
    [HY_POSIX_MI_REALLOC_ALIGNED] = offsetof(hy_posix_family, mi_realloc_aligned),
    [HY_POSIX_MI_FREE_SIZE] = offsetof(hy_posix_family, mi_free_size),
    [HY_POSIX_MI_FREE_SIZE_ALIGNED] = offsetof(hy_posix_family, mi_free_size_aligned),
    [HY_POSIX_TC_FREE_SIZED] = offsetof(hy_posix_family, tc_free_sized),
    [HY_POSIX_NEW_ALIGNED] = offsetof(hy_posix_family, new_aligned),
    [HY_POSIX_DELETE_ALIGNED] = offsetof(hy_posix_family, delete_aligned),
    [HY_POSIX_END] = offsetof(hy_posix_family, free),
};

/* Whether the library has it; frees that it lacks become its plain one. */
static bool is_there(hy_posix_function function) {
    void *address;
    memcpy(&address, (const char *)run.family + offsets[function], sizeof address);
    if (function == HY_POSIX_NEW_ALIGNED && !run.family->delete_aligned) return false;
    return address || hy_posix_is_end(function);
}

/* Those of a library's own. */
static void *perform_own(const hy_posix_call *call, void *ptr) {
    const hy_posix_family *f = run.family;
    switch (call->function) {
    case HY_POSIX_MALLOCX:
        return f->mallocx(call->size, hy_posix_flags(call->align));
    case HY_POSIX_MALLOCX_ZERO:
        return f->mallocx(call->size, hy_posix_flags(call->align) | HY_POSIX_FLAG_ZERO);
    case HY_POSIX_RALLOCX:
        return f->rallocx(ptr, call->size, hy_posix_flags(call->align));
    case HY_POSIX_MI_MALLOC_ALIGNED:
        return f->mi_malloc_aligned(call->size, call->align);
    case HY_POSIX_MI_ZALLOC_ALIGNED:
        return f->mi_zalloc_aligned(call->size, call->align);
    case HY_POSIX_MI_REALLOC_ALIGNED:
        return f->mi_realloc_aligned(ptr, call->size, call->align);
    case HY_POSIX_NEW_ALIGNED:
        return f->new_aligned(call->size, call->align, "");
    default:
        return NULL; /* they give no block */
    }
}

/* Makes the call; its error is 0 where a block came. */
static void *perform(const hy_posix_call *call, void *ptr, int *error) {
    const hy_posix_family *f = run.family;
    void *result = NULL;
    errno = ERRNO_BEFORE;
    switch (call->function) {
    case HY_POSIX_MALLOC:
        result = f->malloc(call->size);
        break;
    case HY_POSIX_CALLOC:
        result = f->calloc(call->count, call->size);
        break;
    case HY_POSIX_REALLOC:
        result = f->realloc(ptr, call->size);
        break;
    case HY_POSIX_REALLOCARRAY:
        result = f->reallocarray(ptr, call->count, call->size);
        break;
    case HY_POSIX_ALIGNED_ALLOC:
        result = f->aligned_alloc(call->align, call->size);
        break;
    case HY_POSIX_MEMALIGN_OUT:
        return call_posix_memalign(call, error);
    case HY_POSIX_MEMALIGN:
        result = f->memalign(call->align, call->size);
        break;
    case HY_POSIX_VALLOC:
        result = f->valloc(call->size);
        break;
    case HY_POSIX_PVALLOC:
        result = f->pvalloc(call->size);
        break;
    default:
        result = perform_own(call, ptr);
    }
    *error = result ? 0 : errno;
    return result;
}

/* ---- blocks ---- */

/* False: they do not lie apart, which is known. */
static bool expect_apart(const block *it) {
    for (size_t i = 0; i < HY_POSIX_SLOTS; i++) {
        const block *other = &run.blocks[i];
        if (!other->ptr || other == it) continue;
        if ((uintptr_t)it->ptr < (uintptr_t)other->ptr + (other->usable ? other->usable : 1) &&
            (uintptr_t)other->ptr < (uintptr_t)it->ptr + (it->usable ? it->usable : 1)) {
            found("overlap", wrong("overlaps(%u, %zuu)", (unsigned)(it - run.blocks), it->asked),
                "the block of %zu bytes lies on one of %zu", it->asked, other->asked);
            return false;
        }
    }
    return true;
}

static origin origin_of(hy_posix_function function) {
    switch (function) {
    case HY_POSIX_ALIGNED_ALLOC:
        return FROM_ALIGNED_ALLOC;
    case HY_POSIX_VALLOC:
    case HY_POSIX_PVALLOC:
        return FROM_PAGES;
    case HY_POSIX_NEW_ALIGNED:
        return FROM_NEW;
    default:
        return function < HY_POSIX_ALIGNED_ALLOC ? FROM_MALLOC : FROM_ALIGNED;
    }
}

static size_t usable_size(void *ptr, size_t asked) {
    return run.family->usable_size ? run.family->usable_size(ptr) : asked;
}

static bool zeroes(hy_posix_function function) {
    return function == HY_POSIX_CALLOC || function == HY_POSIX_MALLOCX_ZERO ||
           function == HY_POSIX_MI_ZALLOC_ALIGNED;
}

static void forget(unsigned slot) {
    run.blocks[slot] = (block){0};
    run.sizes.asked[slot] = run.sizes.usable[slot] = 0;
}

/* Whether a block's alignment does for all that fits into it, though not for malloc's ABI; and no more was
 * asked for. */
static bool is_small(const hy_posix_call *call, size_t asked, const void *ptr) {
    size_t fitting = asked >= 8 ? 8 : asked >= 4 ? 4 : asked >= 2 ? 2 : 1;
    return asked < MIN_ALIGN && call->align < MIN_ALIGN && (uintptr_t)ptr % fitting == 0;
}

/* False: the block can't be used, and is left alone. */
static bool put(unsigned slot, void *ptr, const hy_posix_call *call, const expected *want) {
    block *it = &run.blocks[slot];
    const char *name = hy_posix_name(call->function);
    size_t asked = call->count * call->size;
    *it = (block){.ptr = ptr, .asked = asked, .align = call->align, .origin = origin_of(call->function)};
    it->usable = usable_size(ptr, asked);
    if ((uintptr_t)ptr % want->align) {
        const char *is_wrong = wrong("(uintptr_t)b[%u] %% %zuu", slot, want->align);
        if (asked == 0)
            found("align", is_wrong, "a block of no bytes (%p) is not aligned to %zu", ptr, want->align);
        else if (is_small(call, asked, ptr))
            found(
                "align", is_wrong, "a small block, of %zu bytes, is not aligned to %zu", asked, want->align);
        else
            found("align", is_wrong, "%s gave %zu bytes at %p, not aligned to %zu", name, asked, ptr,
                want->align);
    }
    if (it->usable < want->usable)
        found("usable", wrong("malloc_usable_size(b[%u]) < %zuu", slot, want->usable),
            "%zu bytes are usable of %s's %zu", it->usable, name, want->usable);
    run.sizes.asked[slot] = asked;
    run.sizes.usable[slot] = it->usable;
    if (expect_apart(it)) return true;
    forget(slot);
    run.has_dropped = true;
    return false;
}

/* Whether the block may be given to a free. */
static bool may_end(hy_posix_function function, const block *it) {
    const hy_posix_family *f = run.family;
    bool is_malloced = !it->ptr || it->origin == FROM_MALLOC;
    switch (function) {
    case HY_POSIX_FREE_SIZED:
        return f->free_sized && is_malloced;
    case HY_POSIX_FREE_ALIGNED_SIZED:
        return f->free_aligned_sized && (!it->ptr || it->origin == FROM_ALIGNED_ALLOC);
    case HY_POSIX_SDALLOCX:
        return f->sdallocx && it->ptr && it->asked && it->origin <= FROM_ALIGNED;
    case HY_POSIX_MI_FREE_SIZE:
        return f->mi_free_size && is_malloced;
    case HY_POSIX_MI_FREE_SIZE_ALIGNED:
        return f->mi_free_size_aligned && it->ptr && it->origin > FROM_MALLOC && it->origin <= FROM_ALIGNED;
    case HY_POSIX_TC_FREE_SIZED:
        return f->tc_free_sized && is_malloced;
    default:
        return false;
    }
}

/* The free that is asked for if the block may have it, else plain free; `call` becomes what is called. */
static void choose_free(hy_posix_call *call, const block *it) {
    if (it->ptr && it->origin == FROM_NEW)
        call->function = HY_POSIX_DELETE_ALIGNED;
    else if (!may_end(call->function, it))
        call->function = HY_POSIX_FREE;
    call->size = it->asked;
    call->align = it->ptr && it->origin > FROM_MALLOC ? it->align : MIN_ALIGN;
    if (call->function == HY_POSIX_SDALLOCX && it->origin == FROM_MALLOC) call->align = 1;
}

static void log_call(const hy_posix_call *call) {
    if (run.call_count == CALL_MAX) return;
    run.calls[run.call_count++] = *call;
    run.round_calls++;
    hy_fuzz_place_now.index = run.call_count;
    hy_fuzz_place_now.operation = hy_posix_name(call->function);
    if (hy_fuzz_is_told && hy_fuzz_rounds == 1)
        print_program("the last call does not come back", NULL, false);
}

static void perform_end(const hy_posix_call *call, const block *it) {
    const hy_posix_family *f = run.family;
    switch (call->function) {
    case HY_POSIX_FREE_SIZED:
        f->free_sized(it->ptr, it->asked);
        return;
    case HY_POSIX_FREE_ALIGNED_SIZED:
        f->free_aligned_sized(it->ptr, call->align, it->asked);
        return;
    case HY_POSIX_SDALLOCX:
        f->sdallocx(it->ptr, it->asked, hy_posix_flags(call->align));
        return;
    case HY_POSIX_MI_FREE_SIZE:
        f->mi_free_size(it->ptr, it->asked);
        return;
    case HY_POSIX_MI_FREE_SIZE_ALIGNED:
        f->mi_free_size_aligned(it->ptr, it->asked, call->align);
        return;
    case HY_POSIX_TC_FREE_SIZED:
        f->tc_free_sized(it->ptr, it->asked);
        return;
    case HY_POSIX_DELETE_ALIGNED:
        f->delete_aligned(it->ptr, it->asked, call->align);
        return;
    default:
        f->free(it->ptr);
    }
}

static void end_block(hy_posix_call *call) {
    block *it = &run.blocks[call->slot];
    choose_free(call, it);
    log_call(call);
    if (it->ptr) expect_bytes(it, it->ptr, it->usable, "when it was freed");
    errno = ERRNO_BEFORE;
    perform_end(call, it);
    expect_errno_kept(hy_posix_name(call->function));
    forget(call->slot);
}

/* A C expression for what a call gave. */
static const char *gave(const hy_posix_call *call, bool served) {
    if (call->function == HY_POSIX_MEMALIGN_OUT) return served ? "!e" : "e";
    if (hy_posix_is_move(call->function)) return served ? "q" : "!q";
    return wrong("%sb[%u]", served ? "" : "!", call->slot);
}

/* A refusal: why, and that it may be. */
static void expect_refusal(const hy_posix_call *call, const expected *want, int error) {
    const char *name = hy_posix_name(call->function);
    if (!want->may_refuse && error >= 0) {
        found("answer", gave(call, false), "%s refused %zu bytes (error %d)", name, call->count * call->size,
            error);
        return;
    }
    if (error == want->error || want->error == ANY_ERROR || error < 0) return;
    if (want->other_error && error == want->other_error) return;
    const char *is_wrong = call->function == HY_POSIX_MEMALIGN_OUT ? "e" : "errno";
    int other_error = want->other_error ? want->other_error : want->error;
    found("errno", wrong("%s != %d && %s != %d", is_wrong, want->error, is_wrong, other_error),
        "%s refused with error %d instead of %s", name, error, want->error == EINVAL ? "EINVAL" : "ENOMEM");
}

/* What is said of a call that is served though it must be refused. */
static const char *say_served(const hy_posix_call *call, char text[160]) {
    bool is_strange = call->align && !hy_is_power_of_two(call->align);
    snprintf(text, 160, "%s served %zu times %zu bytes at %s%zu, which it must refuse",
        hy_posix_name(call->function), call->count, call->size, is_strange ? "no power of two, " : "",
        call->align);
    return text;
}

static void expect_service(const hy_posix_call *call, const expected *want) {
    char text[160];
    if (!want->may_serve) found("answer", gave(call, true), "%s", say_served(call, text));
}

/* Whether the library is known to serve the like: it may end badly, so once is enough. */
static bool is_known_to_serve(const hy_posix_call *call) {
    char text[160];
    return hy_finding_is_known("answer", say_served(call, text));
}

/* realloc of a block to nothing: glibc frees it and gives NULL. False: it gave a block. */
static bool expect_freed(const hy_posix_call *call, const void *result) {
    forget(call->slot);
    if (result) {
        found("answer", "q", "%s of a block to 0 bytes gave a block", hy_posix_name(call->function));
        run.has_dropped = true;
    } else
        expect_errno_kept(hy_posix_name(call->function));
    return !result;
}

/* Whether the call may be given the block in its slot, or none. */
static bool can_move(const hy_posix_call *call) {
    const block *it = &run.blocks[call->slot];
    if (it->ptr) return it->origin != FROM_NEW;
    return call->function == HY_POSIX_REALLOC || call->function == HY_POSIX_REALLOCARRAY;
}

/* A block that came where it must not is given back at once. */
static void give_back(void *ptr, const hy_posix_call *call) {
    run.blocks[call->slot] = (block){.ptr = ptr, .origin = origin_of(call->function)};
    log_call(&(hy_posix_call){.function = HY_POSIX_FREE, .slot = call->slot});
    run.family->free(ptr);
    forget(call->slot);
}

/* A call that gives a block. */
static bool begin_block(hy_posix_call *call) {
    expected want;
    int error = 0;
    block *it = &run.blocks[call->slot];
    if (!expect(call, &want) || (!want.may_serve && is_known_to_serve(call))) return false;
    bool moves = hy_posix_is_move(call->function);
    if (moves && !can_move(call)) return false;
    if (!moves && it->ptr) end_block(&(hy_posix_call){.function = HY_POSIX_FREE, .slot = call->slot});
    block before = *it;
    log_call(call);
    void *result = perform(call, before.ptr, &error);
    bool ends = before.ptr && want.usable == 0 && want.may_serve;
    if (ends && expect_freed(call, result)) return true;
    if (!result) {
        expect_refusal(call, &want, error);
        if (before.ptr) expect_bytes(&before, before.ptr, before.usable, "by a realloc that was refused");
        return true;
    }
    if (run.family->keeps_errno) expect_errno_kept(hy_posix_name(call->function));
    expect_service(call, &want);
    if (!want.may_serve) {
        give_back(result, call);
        return true;
    }
    size_t asked = call->count * call->size;
    if (!put(call->slot, result, call, &want)) return true;
    if (before.ptr) expect_bytes(&before, result, asked < before.asked ? asked : before.asked, "by realloc");
    if (zeroes(call->function)) expect_zeroes(call, it);
    fill(it);
    return true;
}

static void ask_usable(const hy_posix_call *call) {
    const block *it = &run.blocks[call->slot];
    log_call(call);
    size_t usable = run.family->usable_size(it->ptr);
    if (usable != it->usable)
        found("usable", wrong("malloc_usable_size(b[%u]) != %zuu", call->slot, it->usable),
            "%zu bytes are usable, and were %zu", usable, it->usable);
}

static void trim(const hy_posix_call *call) {
    log_call(call);
    run.family->trim(0);
    if (run.family->figures_hold && !run.family->figures_hold())
        found("figures", NULL, "what the library says of itself does not add up");
    expect_all_bytes();
}

static void end_all(void) {
    expect_all_bytes();
    for (unsigned slot = 0; slot < HY_POSIX_SLOTS; slot++) {
        run.has_dropped |= hy_fuzz_keeps_blocks;
        if (hy_fuzz_keeps_blocks)
            forget(slot);
        else if (run.blocks[slot].ptr)
            end_block(&(hy_posix_call){.function = HY_POSIX_FREE, .slot = slot});
    }
    run.round_calls = 0;
}

/* False: it was passed over. */
static bool make_call(hy_posix_call *call) {
    if (!is_there(call->function)) return false;
    if (hy_posix_is_end(call->function)) {
        end_block(call);
        return true;
    }
    switch (call->function) {
    case HY_POSIX_USABLE_SIZE:
        ask_usable(call);
        return true;
    case HY_POSIX_TRIM:
        trim(call);
        return true;
    case HY_POSIX_END:
        end_all();
        return false;
    default:
        return begin_block(call);
    }
}

/* Every call but the ends is made while there is room for it and for the frees of all blocks. */
static bool has_room(const hy_posix_call *call) {
    if (call->function == HY_POSIX_END) return run.call_count < CALL_MAX - 2 * HY_POSIX_SLOTS;
    return run.round_calls < ROUND_MAX && run.call_count < CALL_MAX - 2 * HY_POSIX_SLOTS;
}

/* Requires: all blocks are freed. */
static void expect_no_leak(size_t before) {
    size_t live = run.family->live_bytes();
    if (live > before)
        found("lost", "live() > live_before", "%zu bytes are in blocks though all are freed", live - before);
}

static size_t run_round(const uint8_t *bytes, size_t size) {
    hy_posix_reader reader = {bytes, bytes + size, 0};
    hy_posix_call call;
    run.call_count = run.round_calls = 0;
    run.has_dropped = false;
    size_t made = 0, live_before = run.family->live_bytes ? run.family->live_bytes() : 0;
    while (hy_posix_read(&reader, &run.sizes, &call)) {
        made += has_room(&call) && make_call(&call);
        if (made % 16 == 0) expect_all_bytes();
    }
    end_all();
    if (run.family->live_bytes && !run.has_dropped) expect_no_leak(live_before);
    return made;
}

size_t hy_posix_run(const hy_posix_family *family, const uint8_t *bytes, size_t size) {
    size_t made = 0;
    run.family = family;
    hy_fuzz_place_now = (hy_fuzz_place){.row = family->name, .operation = "start"};
    for (unsigned round = 0; round < hy_fuzz_rounds; round++)
        made += run_round(bytes, size);
    return made;
}

bool hy_posix_family_fill(hy_posix_family *family, const char *name,
    void *(*find)(void *context, const char *name), void *context) {
    *family = (hy_posix_family){.name = name};
    for (size_t i = 0; i < HY_POSIX_FUNCTIONS; i++) {
        void *address = find(context, hy_posix_name((hy_posix_function)i));
        memcpy((char *)family + offsets[i], &address, sizeof address);
    }
    return family->malloc && family->free;
}

size_t hy_posix_record(const uint8_t *bytes, size_t size, size_t at) {
    static const hy_posix_sizes none;
    hy_posix_reader reader = {bytes + at, bytes + size, 0};
    hy_posix_call call;
    (void)hy_posix_read(&reader, &none, &call);
    return (size_t)(reader.at - (bytes + at));
}
