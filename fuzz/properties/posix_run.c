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
 *
 * What would take much memory in earnest is passed over, as are calls that no program may make.
 */
#include "fuzz/properties/posix_run.h"

#include "fuzz/finding.h"
#include "fuzz/properties/posix_calls.h"
#include <errno.h>
#include <heapyard/align.h>
#include <stdarg.h>
#include <string.h>

#define CALL_MAX 256
#define SERVED_MAX ((size_t)9 << 17)       /* up to here a request must be served */
#define SERVED_ALIGN_MAX ((size_t)1 << 20) /* likewise */
#define REFUSED_MIN ((size_t)1 << 47)      /* more than a process has addresses: it must be refused */
#define MANY_PAGES ((size_t)64 << 10)      /* of larger blocks, not every page is looked at */
#define EDGE ((size_t)16)                  /* bytes of a page that are */
#define PAGE ((size_t)4096)
#define MIN_ALIGN ((size_t)16)
#define ERRNO_BEFORE 12345

/* Which frees a block may be given to. */
typedef enum origin { FROM_MALLOC, FROM_ALIGNED_ALLOC, FROM_OTHER } origin;

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
    unsigned char mark;
} run;

HY_PRINTF(2, 3) HY_NORETURN static void found(const char *kind, const char *format, ...) {
    char message[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    hy_posix_print(stderr, run.calls, run.call_count, message);
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
        if (bytes[at] != byte_at(it, at))
            found("contents", "byte %zu of %zu has changed %s", at, it->asked, when);
    }
}

static void expect_all_bytes(void) {
    for (size_t i = 0; i < HY_POSIX_SLOTS; i++) {
        const block *it = &run.blocks[i];
        if (it->ptr) expect_bytes(it, it->ptr, it->usable, "meanwhile");
    }
}

static void expect_zeroes(const block *it) {
    for (size_t at = 0; at < it->asked; at = it->usable <= MANY_PAGES ? at + 1 : step_behind(it, at)) {
        if (it->ptr[at]) found("zero", "byte %zu of calloc's %zu is not 0", at, it->asked);
    }
}

/* ---- what must be answered ---- */

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
        break;
    case HY_POSIX_VALLOC:
    case HY_POSIX_PVALLOC:
        out->align = PAGE;
        return;
    default:
        return;
    }
    out->may_refuse = is_strange;
    out->may_serve = !must_refuse;
    if (is_strange) out->error = EINVAL;
    if (hy_is_power_of_two(call->align) && call->align > out->align) out->align = call->align;
}

/* False: the call is passed over. */
static bool expect(const hy_posix_call *call, expected *out) {
    size_t bytes = 0;
    *out = (expected){.may_serve = true};
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
    if (errno != ERRNO_BEFORE) found("errno", "%s changed errno to %d", by, errno);
}

static void *call_posix_memalign(const hy_posix_call *call, int *error) {
    void *const untouched = &run;
    void *out = untouched;
    *error = run.family->posix_memalign(&out, call->align, call->size);
    if (*error && out != untouched) found("out", "posix_memalign refused and wrote to the caller's pointer");
    expect_errno_kept("posix_memalign");
    if (!*error && !out) found("answer", "posix_memalign was served a null pointer");
    return *error ? NULL : out;
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
        break; /* they give no block */
    }
    *error = result ? 0 : errno;
    return result;
}

static bool is_there(hy_posix_function function) {
    const hy_posix_family *f = run.family;
    switch (function) {
    case HY_POSIX_REALLOCARRAY:
        return f->reallocarray != NULL;
    case HY_POSIX_ALIGNED_ALLOC:
        return f->aligned_alloc != NULL;
    case HY_POSIX_MEMALIGN_OUT:
        return f->posix_memalign != NULL;
    case HY_POSIX_MEMALIGN:
        return f->memalign != NULL;
    case HY_POSIX_VALLOC:
        return f->valloc != NULL;
    case HY_POSIX_PVALLOC:
        return f->pvalloc != NULL;
    case HY_POSIX_TRIM:
        return f->trim != NULL;
    default:
        return true;
    }
}

/* ---- blocks ---- */

static void expect_apart(const block *it) {
    for (size_t i = 0; i < HY_POSIX_SLOTS; i++) {
        const block *other = &run.blocks[i];
        if (!other->ptr || other == it) continue;
        if ((uintptr_t)it->ptr < (uintptr_t)other->ptr + (other->usable ? other->usable : 1) &&
            (uintptr_t)other->ptr < (uintptr_t)it->ptr + (it->usable ? it->usable : 1)) {
            found("overlap", "the block of %zu bytes lies on one of %zu", it->asked, other->asked);
        }
    }
}

static void put(unsigned slot, void *ptr, const hy_posix_call *call, const expected *want) {
    block *it = &run.blocks[slot];
    size_t asked = call->count * call->size;
    *it = (block){.ptr = ptr, .asked = asked, .align = call->align, .usable = run.family->usable_size(ptr)};
    if (call->function == HY_POSIX_ALIGNED_ALLOC)
        it->origin = FROM_ALIGNED_ALLOC;
    else if (call->function > HY_POSIX_ALIGNED_ALLOC)
        it->origin = FROM_OTHER;
    if ((uintptr_t)ptr % want->align)
        found("align", "%zu bytes came at %p, not aligned to %zu", asked, ptr, want->align);
    if (it->usable < want->usable) found("usable", "%zu bytes are usable of %zu", it->usable, want->usable);
    expect_apart(it);
    if (call->function == HY_POSIX_CALLOC) expect_zeroes(it);
    run.sizes.asked[slot] = asked;
    run.sizes.usable[slot] = it->usable;
}

static void forget(unsigned slot) {
    run.blocks[slot] = (block){0};
    run.sizes.asked[slot] = run.sizes.usable[slot] = 0;
}

/* The free that is asked for if the block may have it, else plain free; `call` becomes what is called. */
static void choose_free(hy_posix_call *call, const block *it) {
    bool may = call->function == HY_POSIX_FREE_SIZED
                   ? run.family->free_sized && (!it->ptr || it->origin == FROM_MALLOC)
                   : run.family->free_aligned_sized && (!it->ptr || it->origin == FROM_ALIGNED_ALLOC);
    if (!may) call->function = HY_POSIX_FREE;
    call->size = it->asked;
    call->align = it->ptr ? it->align : MIN_ALIGN;
}

static void log_call(const hy_posix_call *call) {
    if (run.call_count == CALL_MAX) return;
    run.calls[run.call_count++] = *call;
    hy_fuzz_place_now.index = run.call_count;
    hy_fuzz_place_now.operation = hy_posix_name(call->function);
}

static void end_block(hy_posix_call *call) {
    block *it = &run.blocks[call->slot];
    choose_free(call, it);
    log_call(call);
    if (it->ptr) expect_bytes(it, it->ptr, it->usable, "when it was freed");
    errno = ERRNO_BEFORE;
    if (call->function == HY_POSIX_FREE_SIZED)
        run.family->free_sized(it->ptr, it->asked);
    else if (call->function == HY_POSIX_FREE_ALIGNED_SIZED)
        run.family->free_aligned_sized(it->ptr, call->align, it->asked);
    else
        run.family->free(it->ptr);
    expect_errno_kept(hy_posix_name(call->function));
    forget(call->slot);
}

/* A refusal: why, and that it may be. */
static void expect_refusal(const hy_posix_call *call, const expected *want, int error) {
    const char *name = hy_posix_name(call->function);
    if (!want->may_refuse)
        found("answer", "%s refused %zu bytes (error %d)", name, call->count * call->size, error);
    if (error == want->error || (want->other_error && error == want->other_error)) return;
    found("errno", "%s refused with error %d instead of %d", name, error, want->error);
}

static void expect_service(const hy_posix_call *call, const expected *want) {
    if (want->may_serve) return;
    found("answer", "%s served %zu times %zu bytes at %zu, which it must refuse",
        hy_posix_name(call->function), call->count, call->size, call->align);
}

static bool is_realloc(hy_posix_function function) {
    return function == HY_POSIX_REALLOC || function == HY_POSIX_REALLOCARRAY;
}

/* realloc of a block to nothing: glibc frees it and gives NULL. */
static void expect_freed(const hy_posix_call *call, const void *result) {
    if (result) found("answer", "%s of a block to 0 bytes gave a block", hy_posix_name(call->function));
    expect_errno_kept(hy_posix_name(call->function));
    forget(call->slot);
}

/* A call that gives a block. */
static bool begin_block(hy_posix_call *call) {
    expected want;
    int error = 0;
    block *it = &run.blocks[call->slot];
    if (!expect(call, &want)) return false;
    if (!is_realloc(call->function) && it->ptr)
        end_block(&(hy_posix_call){.function = HY_POSIX_FREE, .slot = call->slot});
    block before = *it;
    log_call(call);
    void *result = perform(call, before.ptr, &error);
    if (before.ptr && want.usable == 0 && want.may_serve) {
        expect_freed(call, result);
        return true;
    }
    if (!result) {
        expect_refusal(call, &want, error);
        if (before.ptr) expect_bytes(&before, before.ptr, before.usable, "by a realloc that was refused");
        return true;
    }
    expect_service(call, &want);
    size_t asked = call->count * call->size;
    *it = (block){0};
    put(call->slot, result, call, &want);
    if (before.ptr) expect_bytes(&before, result, asked < before.asked ? asked : before.asked, "by realloc");
    fill(it);
    return true;
}

static void ask_usable(const hy_posix_call *call) {
    const block *it = &run.blocks[call->slot];
    log_call(call);
    size_t usable = run.family->usable_size(it->ptr);
    if (usable != it->usable) found("usable", "%zu bytes are usable, and were %zu", usable, it->usable);
}

static void trim(const hy_posix_call *call) {
    log_call(call);
    run.family->trim(0);
    expect_all_bytes();
}

/* False: it was passed over. */
static bool make_call(hy_posix_call *call) {
    if (!is_there(call->function)) return false;
    switch (call->function) {
    case HY_POSIX_FREE:
    case HY_POSIX_FREE_SIZED:
    case HY_POSIX_FREE_ALIGNED_SIZED:
        end_block(call);
        return true;
    case HY_POSIX_USABLE_SIZE:
        ask_usable(call);
        return true;
    case HY_POSIX_TRIM:
        trim(call);
        return true;
    default:
        return begin_block(call);
    }
}

size_t hy_posix_run(const hy_posix_family *family, const uint8_t *bytes, size_t size) {
    hy_posix_reader reader = {bytes, bytes + size};
    hy_posix_call call;
    run.family = family;
    run.call_count = 0;
    hy_fuzz_place_now = (hy_fuzz_place){.row = family->name, .operation = "start"};
    size_t made = 0;
    while (made < CALL_MAX - 2 * HY_POSIX_SLOTS && run.call_count < CALL_MAX - 2 * HY_POSIX_SLOTS &&
           hy_posix_read(&reader, &run.sizes, &call)) {
        made += make_call(&call);
        if (made % 16 == 0) expect_all_bytes();
    }
    expect_all_bytes();
    for (unsigned slot = 0; slot < HY_POSIX_SLOTS; slot++) {
        if (run.blocks[slot].ptr) end_block(&(hy_posix_call){.function = HY_POSIX_FREE, .slot = slot});
    }
    return made;
}

/* ---- a family's table ---- */

static const struct {
    const char *name;
    size_t offset;
    bool is_needed;
} names[] = {
    {"malloc", offsetof(hy_posix_family, malloc), true},
    {"calloc", offsetof(hy_posix_family, calloc), true},
    {"realloc", offsetof(hy_posix_family, realloc), true},
    {"free", offsetof(hy_posix_family, free), true},
    {"malloc_usable_size", offsetof(hy_posix_family, usable_size), true},
    {"posix_memalign", offsetof(hy_posix_family, posix_memalign), false},
    {"aligned_alloc", offsetof(hy_posix_family, aligned_alloc), false},
    {"reallocarray", offsetof(hy_posix_family, reallocarray), false},
    {"memalign", offsetof(hy_posix_family, memalign), false},
    {"valloc", offsetof(hy_posix_family, valloc), false},
    {"pvalloc", offsetof(hy_posix_family, pvalloc), false},
    {"free_sized", offsetof(hy_posix_family, free_sized), false},
    {"free_aligned_sized", offsetof(hy_posix_family, free_aligned_sized), false},
    {"malloc_trim", offsetof(hy_posix_family, trim), false},
};

bool hy_posix_family_fill(hy_posix_family *family, const char *name,
    void *(*find)(void *context, const char *name), void *context) {
    *family = (hy_posix_family){.name = name};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *address = find(context, names[i].name);
        if (!address && names[i].is_needed) return false;
        memcpy((char *)family + names[i].offset, &address, sizeof address);
    }
    return true;
}
