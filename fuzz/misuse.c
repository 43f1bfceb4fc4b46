/* misuse.c: the ways of misuse, and what is done with a row that ends its process for it. */
#include "fuzz/misuse.h"

#include "fuzz/liar.h"
#include "fuzz/wait_for.h"
#include <fcntl.h>
#include <heapyard/poison.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if HY_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define OPERATION_MAX 32
#define WORDS_MAX 1024
#define GUARD_BYTES 16     /* at most so far beside a block */
#define FORK_SECONDS 10    /* for what is done in a process of its own */
#define CHURN_COUNT 200    /* blocks that come and go, so that those that were freed serve again */
#define SPOKE 9            /* how it ends then, once it has said what is wrong */
#define FOREIGN_LOG2_MAX 6 /* alignment of what is no block */

/* The tools see nothing of what is written where it must not be: the finding is the row's. */
#if defined(__clang__) || defined(__GNUC__)
#define UNSEEN __attribute__((noinline, no_sanitize("address", "thread", "undefined")))
#endif

/* What is misused, and how. */
typedef struct victim {
    const hy_run *run;
    hy_allocator allocator;
    char *ptr;
    size_t size;
    hy_align align;
    size_t how;
    bool lives;      /* nothing has ended it yet */
    char *neighbour; /* of a fresh one, alike: it keeps what both lie in */
    bool is_poisoned;
    hy_instance other; /* of the same row, where the misuse takes two */
    bool has_other;
    char *theirs; /* a block of it, like the victim */
} victim;

/* Does it, from what prepare has left; false: this victim does not lend itself to it. */
typedef struct way {
    const char *name;
    bool (*prepare)(victim *of); /* NULL: there is nothing to prepare */
    void (*commit)(victim *of);
} way;

static struct {
    hy_misuse_kind misuse; /* of the run that is under way */
    size_t child_misuses;  /* calls of the child that were wrong, since then */
    victim victim;
    sigjmp_buf way_out;
    bool is_elsewhere;    /* in a process of its own */
    int words[2];         /* a pipe that stands in for standard error meanwhile */
    int error_file;       /* which is kept here */
    char said[WORDS_MAX]; /* what came through it */
    hy_row row;           /* the one that was asked for last, with its operations */
    const hy_row *base;
    hy_row_operation operations[OPERATION_MAX];
} state;

UNSEEN static void change_byte(char *at) {
    volatile unsigned char *byte = (volatile unsigned char *)at;
    *byte ^= 0x5A;
}

static void give(const victim *of, char *ptr, size_t size, hy_align align) {
    of->allocator.vtable->free(of->allocator.self, ptr, size, align);
}

static void give_back(victim *of) {
    of->lives = false;
    give(of, of->ptr, of->size, of->align);
}

static void *row_state(const hy_run *run) {
    void *made = run->instance.state;
    return run->row->operated ? run->row->operated(made) : made;
}

/* ---- ways ---- */

static void wrong_size(victim *of) {
    size_t by = 1 + of->how / 2;
    of->lives = false;
    give(of, of->ptr, of->how % 2 && by < of->size ? of->size - by : of->size + by, of->align);
}

static void huge_size(victim *of) {
    of->lives = false;
    give(of, of->ptr, (size_t)PTRDIFF_MAX + 1 + of->how, of->align);
}

/* A lesser alignment: the pointer is right for it. */
static bool has_less_align(victim *of) {
    return of->align.log2 > 0;
}

static void wrong_align(victim *of) {
    uint8_t log2 = of->align.log2;
    of->lives = false;
    give(of, of->ptr, of->size, hy_align_from_log2((uint8_t)(log2 - 1 - of->how % log2)));
}

static void unaligned(victim *of) {
    give(of, of->ptr + 1, of->size, of->align);
}

/* In between, the row may do something of its own that changes nothing, but to what has no live neighbour. */
static void operate(const victim *of) {
    const hy_row *row = state.base;
    bool harmless = row->operation_count && row->operations[0].effect == HY_EFFECT_NONE && of->neighbour;
    if (harmless) (void)row->operations[0].run(row_state(of->run), 0, NULL);
}

static void free_again(victim *of) {
    give_back(of);
    if (of->how % 2) operate(of);
    give(of, of->ptr, of->size, of->align);
}

static bool has_inside(victim *of) {
    return of->size > 8;
}

/* Whether the row counts what is done with a block of this kind that was freed. */
static bool rests(const victim *of) {
    const hy_row_reports *reports = state.base->reports;
    hy_misuses both = HY_MISUSE_BIT(HY_MISUSE_INTERIOR) | HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE);
    if ((reports->counted & both) != both) return false;
    return !reports->covers ||
           reports->covers(row_state(of->run), HY_MISUSE_DOUBLE_FREE, of->ptr, of->size, of->align);
}

/* Of a live block, or of one that was freed and is known still. */
static void interior(victim *of) {
    size_t inside = 8 * (1 + of->how / 2 % ((of->size - 1) / 8));
    if (of->how % 2 && rests(of)) give_back(of);
    give(of, of->ptr + inside, of->size - inside, HY_ALIGN_1);
}

static bool has_small_align(victim *of) {
    return of->align.log2 <= FOREIGN_LOG2_MAX;
}

static void foreign(victim *of) {
    static _Alignas(1 << FOREIGN_LOG2_MAX) char in_data[4 << FOREIGN_LOG2_MAX];
    _Alignas(1 << FOREIGN_LOG2_MAX) char on_stack[4 << FOREIGN_LOG2_MAX] = {0};
    char *memory = of->how % 2 ? on_stack : in_data;
    give(of, memory + ((size_t)2 << FOREIGN_LOG2_MAX), 8, of->align);
}

static bool make_other(victim *of) {
    of->has_other = hy_instance_make(&of->other, state.base, &of->run->config);
    if (!of->has_other) return false;
    of->theirs = of->other.allocator.vtable->alloc(of->other.allocator.self, of->size, of->align);
    return of->theirs != NULL;
}

static void wrong_instance(victim *of) {
    give(of, of->theirs, of->size, of->align);
}

static void resize_freed(victim *of) {
    give_back(of);
    size_t size = of->how % 2 ? of->size + of->how : of->size / 2 + 1;
    (void)of->allocator.vtable->resize(of->allocator.self, of->ptr, of->size, size, of->align);
}

static bool is_poisoned(const char *at) {
#if HY_ASAN
    return __asan_address_is_poisoned(at);
#else
    (void)at;
    return false;
#endif
}

/* Where it is counted, any byte of a guard is written; what a tool is to see, the nearest one. */
static bool is_counted(void) {
    return state.base->reports->counted & HY_MISUSE_BIT(state.misuse);
}

static void touch(victim *of, char *at) {
    if (is_counted())
        change_byte(at);
    else
        of->is_poisoned = is_poisoned(at);
}

static void overflow(victim *of) {
    touch(of, of->ptr + of->size + (is_counted() ? of->how % GUARD_BYTES : 0));
    if (is_counted() && of->how & GUARD_BYTES) give_back(of);
}

static void underflow(victim *of) {
    touch(of, of->ptr - 1 - (is_counted() ? of->how % GUARD_BYTES : 0));
    if (is_counted() && of->how & GUARD_BYTES) give_back(of);
}

/* Tools know granules of 8 bytes: one must be the block's alone. */
static char *whole_granule(const victim *of) {
    return (char *)hy_align_forward((uintptr_t)of->ptr, HY_ALIGN_8);
}

static bool has_granule(victim *of) {
    return is_counted() || whole_granule(of) + 8 <= of->ptr + of->size;
}

/* So that what was freed serves again. */
static void churn(const victim *of) {
    const hy_vtable *vtable = of->allocator.vtable;
    for (size_t i = 0; i < CHURN_COUNT; i++) {
        char *block = vtable->alloc(of->allocator.self, of->size, of->align);
        if (block) give(of, block, of->size, of->align);
    }
}

static void write_freed(victim *of) {
    char *at = is_counted() ? of->ptr + of->how % of->size : whole_granule(of);
    give_back(of);
    touch(of, at);
    if (is_counted() && of->how % 2) churn(of);
}

static void write_reset(victim *of) {
    of->lives = false;
    of->neighbour = NULL;
    hy_live_clear();
    (void)state.base->reset(row_state(of->run), HY_RESET_RETAIN_CAPACITY, 0);
    touch(of, whole_granule(of));
}

static void leave_live(victim *of) {
    (void)of;
}

static bool is_large(victim *of) {
    return of->size >= 40;
}

static void child_misaligns(victim *of) {
    hy_liar_arm(&(hy_lie){.alloc = HY_LIE_UNALIGNED});
    (void)of->allocator.vtable->alloc(of->allocator.self, of->size, HY_ALIGN_8);
}

/* A new block lies on one that lives; or a block grows, by a byte too much, onto the one behind it. */
static void child_overlaps(victim *of) {
    static char unused;
    if (of->how % 2 && of->neighbour && of->neighbour < of->ptr) {
        size_t size = (size_t)(of->ptr - of->neighbour) + 1;
        hy_liar_arm(&(hy_lie){.at = &unused});
        (void)of->allocator.vtable->resize(of->allocator.self, of->neighbour, of->size, size, of->align);
        return;
    }
    hy_liar_arm(&(hy_lie){.alloc = HY_LIE_OVERLAPS, .at = of->ptr + of->how % of->size});
    (void)of->allocator.vtable->alloc(of->allocator.self, of->size, HY_ALIGN_1);
}

/* The first byte, the last one that is kept, or, with a refusal, the very last. */
static void child_changes(victim *of) {
    size_t size = of->size / 2, places[] = {0, size - 1, of->size - 1};
    hy_liar_arm(&(hy_lie){.at = of->ptr + places[of->how % 3], .refuses = of->how % 3 == 2});
    const hy_vtable *vtable = of->allocator.vtable;
    if (of->how / 3 % 2)
        (void)vtable->remap(of->allocator.self, of->ptr, of->size, size, of->align);
    else
        (void)vtable->resize(of->allocator.self, of->ptr, of->size, size, of->align);
}

static const way ways[HY_MISUSE_COUNT] = {
    [HY_MISUSE_WRONG_SIZE] = {"wrong_size", NULL, wrong_size},
    [HY_MISUSE_HUGE_SIZE] = {"huge_size", NULL, huge_size},
    [HY_MISUSE_WRONG_ALIGN] = {"wrong_align", has_less_align, wrong_align},
    [HY_MISUSE_UNALIGNED] = {"unaligned", has_less_align, unaligned},
    [HY_MISUSE_DOUBLE_FREE] = {"free_again", NULL, free_again},
    [HY_MISUSE_INTERIOR] = {"interior", has_inside, interior},
    [HY_MISUSE_FOREIGN] = {"foreign", has_small_align, foreign},
    [HY_MISUSE_WRONG_INSTANCE] = {"wrong_instance", make_other, wrong_instance},
    [HY_MISUSE_RESIZE_FREED] = {"resize_freed", NULL, resize_freed},
    [HY_MISUSE_WRITE_PAST] = {"overflow", NULL, overflow},
    [HY_MISUSE_WRITE_BEFORE] = {"underflow", NULL, underflow},
    [HY_MISUSE_WRITE_FREED] = {"write_freed", has_granule, write_freed},
    [HY_MISUSE_WRITE_RESET] = {"write_reset", has_granule, write_reset},
    [HY_MISUSE_LEAK] = {"leave_live", NULL, leave_live},
    [HY_MISUSE_CHILD_UNALIGNED] = {"child_misaligns", NULL, child_misaligns},
    [HY_MISUSE_CHILD_OVERLAP] = {"child_overlaps", NULL, child_overlaps},
    [HY_MISUSE_CHILD_CONTENTS] = {"child_changes", is_large, child_changes},
};

const char *hy_misuse_name(hy_misuse_kind misuse) {
    return ways[misuse].name;
}

hy_misuse_kind hy_misuse_of(const hy_row_operation *operation) {
    unsigned i = 0;
    while (i < HY_MISUSE_COUNT && ways[i].name != operation->name)
        i++;
    return (hy_misuse_kind)i;
}

/* ---- the row ---- */

static hy_misuses promised(const hy_row_reports *reports) {
    hy_misuses all = reports->counted | (HY_ASAN ? reports->poisoned : 0);
    for (unsigned i = 0; i < HY_MISUSE_COUNT; i++)
        if (reports->says[i]) all |= HY_MISUSE_BIT(i);
    return all;
}

bool hy_misuse_takes(const hy_row *row) {
    return row->reports && !row->stack && promised(row->reports) != 0;
}

#define CHILD_LIES                                                                                           \
    (HY_MISUSE_BIT(HY_MISUSE_CHILD_UNALIGNED) | HY_MISUSE_BIT(HY_MISUSE_CHILD_OVERLAP) |                     \
        HY_MISUSE_BIT(HY_MISUSE_CHILD_CONTENTS))

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    hy_config plain = *config;
    (void)row;
    plain.options &= state.base->reports->options;
    if (plain.child.vtable && state.base->reports->counted & CHILD_LIES)
        plain.child = hy_liar_over(plain.child);
    return state.base->make(state.base, &plain, out);
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    state.base->destroy(state.base, instance);
}

const hy_row *hy_misuse_row(const hy_row *row) {
    if (state.base == row) return &state.row;
    size_t count = 0;
    hy_misuses wanted = promised(row->reports);
    for (unsigned i = 0; i < HY_MISUSE_COUNT; i++) {
        if (wanted & HY_MISUSE_BIT(i))
            state.operations[count++] = (hy_row_operation){ways[i].name, HY_EFFECT_NONE, false, NULL};
    }
    for (size_t i = 0; i < row->operation_count && count < OPERATION_MAX; i++)
        state.operations[count++] = row->operations[i];
    state.base = row;
    state.row = *row;
    state.row.operations = state.operations;
    state.row.operation_count = count;
    state.row.make = make;
    state.row.destroy = destroy;
    return &state.row;
}

/* ---- the victim ---- */

/* A process of its own costs as much as some hundred runs: one number in eight has it. */
static bool may_fork(uint64_t number) {
    return number / 16 % 8 == 7;
}

/* Whether the process is to end, and not only to say so. */
static bool hears_all(const victim *of) {
    return of->how % 16 == 15;
}

/* A block that is made for it. */
static bool choose_fresh(victim *of, size_t number) {
    const hy_run *run = of->run;
    const hy_vtable *vtable = of->allocator.vtable;
    size_t size = 1 + number % 100;
    of->align = hy_align_from_log2(number / 16 % 8);
    if (hy_run_has(run, HY_TRAIT_FIXED_BLOCK)) {
        if (size > run->config.block_size) size = run->config.block_size;
        of->align = HY_ALIGN_1;
    }
    if (hy_align_compare(of->align, run->greatest) > 0) of->align = run->greatest;
    of->size = size;
    of->neighbour = vtable->alloc(of->allocator.self, size, of->align);
    of->ptr = of->neighbour ? vtable->alloc(of->allocator.self, size, of->align) : NULL;
    if (of->ptr) memset(of->ptr, 0x33, size);
    return of->ptr != NULL;
}

/* A block that lives, or a fresh one. */
static bool choose(victim *of, uint64_t number) {
    size_t index = number % 8, count = hy_live_count();
    of->how = (size_t)(number / 8);
    if (index % 4 == 0 || count == 0) return choose_fresh(of, (size_t)number);
    uint32_t slot = hy_live_by_address((index - 1) * 5 % count);
    const hy_live_block *block = hy_live_at(slot);
    of->ptr = (char *)block->address;
    of->size = block->size;
    of->align = hy_align_from_log2(block->align_log2);
    if (block->size == 0) of->ptr = NULL;
    if (of->ptr) hy_live_remove(slot);
    return of->ptr != NULL;
}

static bool is_covered(const victim *of) {
    const hy_row_reports *reports = state.base->reports;
    return !reports->covers ||
           reports->covers(row_state(of->run), state.misuse, of->ptr, of->size, of->align);
}

/* All blocks but the victim end. */
static void end_others(victim *of) {
    if (of->neighbour) give(of, of->neighbour, of->size, of->align);
    of->neighbour = NULL;
    while (hy_live_count() > 0) {
        uint32_t slot = hy_live_by_address(hy_live_count() - 1);
        const hy_live_block *block = hy_live_at(slot);
        hy_live_remove(slot);
        if (block->size != 0)
            give(of, (char *)block->address, block->size, hy_align_from_log2(block->align_log2));
    }
}

/* What is found at the end only is looked for after that. */
static void act(void) {
    victim *of = &state.victim;
    ways[state.misuse].commit(of);
    end_others(of);
    if (state.base->reports->finish) state.base->reports->finish(row_state(of->run));
}

/* Where nothing was misused, or in another process only, nothing is left behind. */
static void leave_clean(victim *of) {
    end_others(of);
    if (of->ptr) give_back(of);
}

static bool is_of_child(void) {
    return CHILD_LIES & HY_MISUSE_BIT(state.misuse);
}

/* ---- rows that end their process ----
 *
 * Their last words go into a pipe, which tells this thread when there are some: so a run ends at the message,
 * and is spared the stack that follows it, whose names would take most of the time. Some runs hear all of
 * it. */

static void on_words(int number) {
    (void)number;
    if (state.is_elsewhere) _exit(SPOKE);
    siglongjmp(state.way_out, 1);
}

/* What tools have to say is no word of the row's, and would be lost in the pipe with the process. */
HY_COLD static void open_pipe(void) {
    if (state.words[0] != state.words[1]) return;
    state.error_file = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (state.error_file < 0 || pipe2(state.words, O_CLOEXEC | O_NONBLOCK) != 0) abort();
#if HY_ASAN
    __sanitizer_set_report_fd((void *)(intptr_t)state.error_file);
#endif
}

static void read_words(void) {
    ssize_t size = read(state.words[0], state.said, WORDS_MAX - 1);
    state.said[size > 0 ? size : 0] = '\0';
    char rest[WORDS_MAX];
    while (read(state.words[0], rest, sizeof rest) > 0)
        continue;
}

/* Whether a word is enough, or not before the process really wants to end. */
static void listen_for_words(bool is_enough) {
    struct f_owner_ex me = {F_OWNER_TID, gettid()};
    int flags = O_NONBLOCK | (is_enough ? O_ASYNC : 0);
    if (fcntl(state.words[0], F_SETOWN_EX, &me) != 0 || fcntl(state.words[0], F_SETFL, flags) != 0) abort();
}

/* Whether it wanted to end the process. */
static bool act_here(void) {
    struct sigaction ours = {.sa_handler = on_words}, before_abort, before_io;
    volatile bool has_ended = true;
    state.is_elsewhere = false;
    sigaction(SIGABRT, &ours, &before_abort);
    sigaction(SIGIO, &ours, &before_io);
    if (sigsetjmp(state.way_out, 1) == 0) {
        listen_for_words(!hears_all(&state.victim));
        dup2(state.words[1], STDERR_FILENO);
        act();
        has_ended = false;
    }
    dup2(state.error_file, STDERR_FILENO);
    sigaction(SIGABRT, &before_abort, NULL);
    sigaction(SIGIO, &before_io, NULL);
    return has_ended;
}

HY_NORETURN static void act_and_exit(void) {
    const struct rlimit no_core = {0, 0};
    state.is_elsewhere = true;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    signal(SIGIO, on_words);
    alarm(FORK_SECONDS);
    listen_for_words(!hears_all(&state.victim));
    dup2(state.words[1], STDERR_FILENO);
    act();
    _exit(0);
}

/* Standard error stays as it is here: an engine may have to say that this takes too long. */
static bool act_elsewhere(void) {
    pid_t process = fork();
    if (process < 0) abort();
    if (process == 0) act_and_exit();
    int status = hy_wait_for(process);
    leave_clean(&state.victim);
    return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == SPOKE;
}

/* What the child is told from now on may be wrong: how often it is, counts. */
static void count_misuse(const char *kind, const char *format, ...) {
    (void)format;
    state.child_misuses += strcmp(kind, "misuse") == 0;
}

static void end_other(victim *of) {
    if (of->has_other) hy_instance_destroy(&of->other);
    of->has_other = false;
}

bool hy_misuse_commit(const hy_run *run, const hy_run_call *call, hy_misdeed *out) {
    const hy_row_reports *reports = state.base->reports;
    victim *of = &state.victim;
    *of = (victim){.run = run, .allocator = run->instance.allocator, .lives = true};
    state.misuse = hy_misuse_of(call->operation);
    const way *chosen = &ways[state.misuse];
    run->child->report = count_misuse;
    state.child_misuses = 0;
    if (reports->forks && !may_fork(call->size)) return true;
    bool is_chosen = choose(of, call->size) && is_covered(of);
    if (!is_chosen || (chosen->prepare && !chosen->prepare(of))) {
        leave_clean(of);
        end_other(of);
        return true;
    }
    bool is_fatal = reports->says[state.misuse] != NULL;
    state.said[0] = '\0';
    *out = (hy_misdeed){.is_done = true, .misuse = state.misuse, .words = state.said};
    if (is_fatal) {
        open_pipe();
        out->has_ended = reports->forks ? act_elsewhere() : act_here();
        read_words();
    } else {
        act();
    }
    out->is_poisoned = of->is_poisoned;
    out->was_passed_on = state.child_misuses > 0;
    if (is_of_child()) out->is_done = hy_liar_has_lied();
    end_other(of);
    return true;
}
