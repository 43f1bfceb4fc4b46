/* smp_row.c: how the yards know smp: the heap of the process, and a heap of its own. */
#include "allocators/strategies/smp_audit.h"
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_decay.h"
#include "allocators/strategies/smp_restart.h"
#include "allocators/strategies/smp_slab.h"

#include <errno.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/smp_stats.h>
#include <heapyard/typed.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *make_process(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = hy_smp();
    return &hy_smp_process_heap;
}

static void destroy_process(const hy_row *row, void *state) {
    (void)row, (void)state;
}

/* A row's heap, and one that nobody uses: what is done to all heaps when a thread ends is done to both. Bit 0
 * of the options asks for that one. */
typedef struct heaps {
    hy_smp_heap heap, unused;
} heaps;

static void *make_heap(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    heaps *made = hy_create(hy_libc(), heaps);
    if (!made) return NULL;
    made->unused = (hy_smp_heap)HY_SMP_HEAP_INIT;
    if (hy_smp_init(&made->heap) != HY_OK) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    if (config->options & 1) (void)hy_smp_init(&made->unused);
    *out = hy_smp_allocator(&made->heap);
    return made;
}

static void destroy_heap(const hy_row *row, void *state) {
    (void)row;
    heaps *made = state;
    hy_smp_deinit(&made->unused);
    hy_smp_deinit(&made->heap);
    hy_destroy(hy_libc(), made);
}

_Static_assert(offsetof(heaps, heap) == 0, "a row's functions take the first heap");

/* In use for ever: where the system refused a move, and then the addresses that it had taken for it. */
static size_t lost_bytes(const hy_smp_core *core) {
    size_t pages = 0;
    for (uint32_t page = 1; page < core->frontier; page++) {
        if (core->pages[page].kind != HY_SMP_PAGE_LOST) continue;
        pages += core->pages[page].value;
        page += core->pages[page].value - 1;
    }
    return pages << HY_SMP_PAGE_SHIFT;
}

/* Whether all that the stats tell of adds up to the pages that are in use or kept, of which there were as
 * many at most as is said. */
static bool figures_hold(hy_smp_heap *heap) {
    const hy_smp_core *core = heap->core;
    hy_smp_stats stats;
    hy_smp_read_stats(heap, &stats);
    size_t free_bytes = stats.cached_bytes + stats.unused_bytes,
           held = core->used_bytes + core->retained_bytes;
    return stats.live_bytes + free_bytes + stats.retained_bytes + lost_bytes(core) == held &&
           stats.peak_bytes >= held;
}

/* Whether the heap owns its first page and no other than those that it has had in use. */
static bool owns_its_own(const hy_smp_heap *heap) {
    const hy_smp_core *core = heap->core;
    bool has_pages = core->frontier > 1;
    return hy_smp_owns(heap, hy_smp_page_address(core, 1)) == has_pages &&
           !hy_smp_owns(heap, hy_smp_page_address(core, 0)) &&
           !hy_smp_owns(heap, hy_smp_page_address(core, core->frontier));
}

/* Whoever asks a row has ended all threads but one. */
static bool check(void *state) {
    const hy_smp_heap *heap = state;
    if (!hy_smp_check(state) || !hy_smp_audit(heap)) return false;
    return !heap->core || !hy_smp_caches_at_rest(heap) || (figures_hold(state) && owns_its_own(heap));
}

/* To count takes a look at each class. */
static void tell(void *state, hy_told *out) {
    hy_smp_stats stats;
    hy_smp_read_stats(state, &stats);
    out->numbers[HY_TOLD_LIVE_BLOCKS] = stats.live_blocks;
    out->takes_long = true;
}

static bool owns(void *state, const void *ptr) {
    return hy_smp_owns(state, ptr);
}

/* ---- operations: false where the heap does not keep what its header promises ---- */

/* Afterwards nothing is kept, and the system got as much as is said. */
static bool trim(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_smp_stats before, after;
    hy_smp_read_stats(state, &before);
    size_t bytes = hy_smp_trim(state);
    hy_smp_read_stats(state, &after);
    return after.returned_bytes - before.returned_bytes == bytes && hy_smp_audit_trimmed(state);
}

/* Sizes of blocks that operations make for themselves, touched and untouched; for others they do nothing. */
#define TOUCHED_MAX ((size_t)256 << 10)
#define UNTOUCHED_MAX ((size_t)4 << 20)

static bool is_zero(const char *ptr, size_t size) {
    return ptr[0] == 0 && memcmp(ptr, ptr + 1, size - 1) == 0;
}

/* A block that must be zeroed, is filled, and is freed without its size; true where memory is short. */
static bool use_zeroed(hy_smp_heap *heap, size_t size, hy_align align) {
    char *ptr = hy_smp_heap_alloc_zeroed(heap, size, align);
    if (!ptr) return true;
    size_t usable = hy_smp_usable_size(heap, ptr);
    bool holds = is_zero(ptr, size) && usable >= size && (uintptr_t)ptr % hy_align_bytes(align) == 0;
    memset(ptr, 0xA5, size);
    hy_smp_heap_free_unsized(heap, ptr);
    return holds;
}

/* What was used a moment ago is zeroed again, at alignments for slabs and for pages. */
static bool zeroed(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    const hy_align above_a_page = hy_align_from_log2(HY_SMP_SMALL_ALIGN_LOG2_MAX + 1);
    if (number == 0 || number > TOUCHED_MAX) return true;
    return use_zeroed(state, number, HY_ALIGN_8) && use_zeroed(state, number, HY_ALIGN_8) &&
           use_zeroed(state, number, above_a_page) && use_zeroed(state, number, above_a_page);
}

/* What a block leaves when it ends: no more than its own pages are kept, and no more than may be. */
static bool surplus(void *state, size_t number, hy_mark *mark) {
    if (number <= HY_SMP_SMALL_MAX || number > UNTOUCHED_MAX) return true;
    if (!trim(state, 0, mark)) return false;
    hy_smp_heap *heap = state;
    void *ptr = hy_smp_heap_alloc(heap, number, HY_ALIGN_8);
    if (!ptr) return true;
    size_t usable = hy_smp_usable_size(heap, ptr);
    hy_smp_heap_free(heap, ptr, number, HY_ALIGN_8);
    hy_smp_stats stats;
    hy_smp_read_stats(heap, &stats);
    return stats.retained_bytes <= usable && hy_smp_decay_is_bounded(heap->core);
}

/* What takes a thousand times as long as other operations is done for one number only. */
#define SELDOM (SIZE_MAX / 2 + 1)

#define MEMORY_IS_SHORT 1 /* exit status */

/* A slab that gets a block back twice ends the process, whoever looked at the block before. */
HY_NORETURN static void give_twice(hy_smp_core *core) {
    uint32_t number = hy_smp_class(64, HY_ALIGN_8);
    void *block;
    signal(SIGABRT, SIG_DFL);
    fclose(stderr);
    hy_lock_take(&core->classes[number].lock);
    if (hy_smp_slabs_take(core, number, &block, 1, false) != 1) _exit(MEMORY_IS_SHORT);
    hy_smp_slabs_give(core, number, &block, 1);
    hy_smp_slabs_give(core, number, &block, 1);
    _exit(0);
}

static bool twice(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_smp_heap *heap = state;
    if (number != SELDOM || !heap->core) return true;
    pid_t process = fork();
    if (process == 0) give_twice(heap->core);
    int status = 0;
    if (process < 0) return true;
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) return true;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == MEMORY_IS_SHORT) return true;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Two blocks that lie side by side, one of which has gone back to the system, make room for one as large as
 * both, which there is nowhere else. */
static bool whole(void *state, size_t number, hy_mark *mark) {
    if (number != SELDOM) return true;
    hy_smp_heap *heap = state;
    hy_smp_options before = hy_smp_get_options(heap), keeps = before;
    keeps.surplus_min_bytes = SIZE_MAX;
    if (!hy_smp_set_options(heap, &keeps)) return true;
    size_t size = HY_SMP_RESERVE_INSTANCE / 8 * 3;
    char *first = hy_smp_heap_alloc(heap, size, HY_ALIGN_8),
         *second = hy_smp_heap_alloc(heap, size, HY_ALIGN_8);
    bool is_beside = first && second == first + size, holds = true;
    if (first) hy_smp_heap_free(heap, first, size, HY_ALIGN_8);
    if (is_beside) holds = trim(state, 0, mark);
    if (second) hy_smp_heap_free(heap, second, size, HY_ALIGN_8);
    void *both = is_beside ? hy_smp_heap_alloc(heap, 2 * size, HY_ALIGN_8) : NULL;
    if (both) hy_smp_heap_free(heap, both, 2 * size, HY_ALIGN_8);
    return hy_smp_set_options(heap, &before) && holds && (both || !is_beside);
}

/* A block at an alignment above that of the heap's own addresses; for one number in sixteen, since what lies
 * before it is to be walked through from then on. */
static bool far_aligned(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    if (number % 16 != 15) return true;
    hy_align align = hy_align_from_log2((uint8_t)(22 + number / 16 % 4));
    size_t size = number / 64 % HY_SMP_PAGE + 1;
    void *ptr = hy_smp_heap_alloc(state, size, align);
    if (!ptr) return true;
    bool good = hy_align_check_pointer(ptr, align);
    hy_smp_heap_free(state, ptr, size, align);
    return good;
}

/* Another bound for what is kept; the heap says what it was told. */
static bool keep(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_smp_heap *heap = state;
    hy_smp_options options = hy_smp_get_options(heap);
    options.surplus_min_bytes = number;
    options.hold_ms = number % HY_SMP_HOLD_MOST_MS;
    return hy_smp_set_options(heap, &options) && hy_smp_get_options(heap).surplus_min_bytes == number &&
           heap->core->decay.hold_ms == options.hold_ms;
}

/* Another bound from which on huge pages are asked for; likewise. */
static bool huge(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_smp_options options = hy_smp_get_options(state);
    options.huge_min_bytes = number;
    return hy_smp_set_options(state, &options) && hy_smp_get_options(state).huge_min_bytes == number;
}

static const hy_row_operation operations[] = {
    {"trim", HY_EFFECT_NONE, true, trim},
    {"zeroed", HY_EFFECT_NONE, true, zeroed},
    {"surplus", HY_EFFECT_NONE, true, surplus},
    {"twice", HY_EFFECT_NONE, true, twice},
    {"keep", HY_EFFECT_NONE, true, keep},
    {"whole", HY_EFFECT_NONE, true, whole},
    {"far_aligned", HY_EFFECT_NONE, true, far_aligned},
    {"huge", HY_EFFECT_NONE, true, huge},
};
#define SHARED_OPERATIONS 4 /* options would outlive the history in the heap of the process */

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
#define RESTART hy_smp_restart
#define TELL tell
#else
#define RESTART NULL
#define TELL NULL /* others use the heap of the process, too */
#endif

#define TRAITS (HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE)

#if HY_CHECK >= 2
#define NO_BLOCK "must be a block of this heap, of this size and alignment"
#define TWICE                                                                                                \
    "heapyard: hy_smp" /* that it was freed twice, or is no block, where its slab has gone meanwhile */

/* A large block that was freed is no block any more. */
static bool covers(void *state, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    (void)state, (void)ptr;
    return misuse != HY_MISUSE_DOUBLE_FREE || hy_smp_is_small(size, align);
}

static const hy_row_reports reports = {
    .says =
        {[HY_MISUSE_DOUBLE_FREE] = TWICE, [HY_MISUSE_HUGE_SIZE] = NO_BLOCK, [HY_MISUSE_FOREIGN] = NO_BLOCK},
    .forks = true,
    .covers = covers,
};
static const hy_row_reports heap_reports = {
    .says = {[HY_MISUSE_DOUBLE_FREE] = TWICE,
        [HY_MISUSE_HUGE_SIZE] = NO_BLOCK,
        [HY_MISUSE_FOREIGN] = NO_BLOCK,
        [HY_MISUSE_WRONG_INSTANCE] = NO_BLOCK},
    .forks = true,
    .covers = covers,
};
#define REPORTS &reports
#define HEAP_REPORTS &heap_reports
#else
#define REPORTS NULL
#define HEAP_REPORTS NULL
#endif

const hy_row hy_smp_row = {
    .name = "smp",
    .group = HY_GROUP_STRATEGY,
    .summary = "general purpose, for any threads: the heap of the process",
    .header = "heapyard/smp.h",
    .traits = TRAITS,
    .greatest_align = {HY_SMP_ALIGN_LOG2_MAX},
    .make = make_process,
    .destroy = destroy_process,
    .owns = owns,
    .check = check,
    .operations = operations,
    .operation_count = SHARED_OPERATIONS,
    .tells = TELL,
    .reports = REPORTS,
    .promises = {.keeps_memory = true},
    .restart = RESTART,
};

const hy_row hy_smp_heap_row = {
    .name = "smp_heap",
    .group = HY_GROUP_STRATEGY,
    .summary = "general purpose, for any threads: a heap of its own",
    .header = "heapyard/smp.h",
    .traits = TRAITS,
    .greatest_align = {HY_SMP_ALIGN_LOG2_MAX},
    .make = make_heap,
    .destroy = destroy_heap,
    .owns = owns,
    .check = check,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .tells = tell,
    .form_of = "smp",
    .alike = HY_LIKE_SERVED,
    .reports = HEAP_REPORTS,
    .promises = {.keeps_memory = true},
    .restart = RESTART,
};
