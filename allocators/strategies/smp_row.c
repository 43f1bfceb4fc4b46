/* smp_row.c: how the yards know smp: the heap of the process, and a heap of its own. */
#include "allocators/strategies/smp_restart.h"

#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/smp.h>
#include <heapyard/typed.h>

static void *make_process(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = hy_smp();
    return &hy_smp_process_heap;
}

static void destroy_process(const hy_row *row, void *state) {
    (void)row, (void)state;
}

static void *make_heap(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    hy_smp_heap *heap = hy_create(hy_libc(), hy_smp_heap);
    if (!heap) return NULL;
    if (hy_smp_init(heap) != HY_OK) {
        hy_destroy(hy_libc(), heap);
        return NULL;
    }
    *out = hy_smp_allocator(heap);
    return heap;
}

static void destroy_heap(const hy_row *row, void *state) {
    (void)row;
    hy_smp_deinit(state);
    hy_destroy(hy_libc(), (hy_smp_heap *)state);
}

static bool check(void *state) {
    return hy_smp_check(state);
}

static bool owns(void *state, const void *ptr) {
    return hy_smp_owns(state, ptr);
}

static bool trim(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    (void)hy_smp_trim(state);
    return true;
}

/* Another bound for what is kept; the heap says what it was told. */
static bool keep(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_smp_options options = hy_smp_get_options(state);
    options.surplus_min_bytes = number;
    return hy_smp_set_options(state, &options) && hy_smp_get_options(state).surplus_min_bytes == number;
}

static const hy_row_operation operations[] = {
    {"trim", HY_EFFECT_NONE, true, trim},
    {"keep", HY_EFFECT_NONE, true, keep},
};

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
#define RESTART hy_smp_restart
#else
#define RESTART NULL
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
    .operation_count = 1, /* its options would outlive the history */
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
    .form_of = "smp",
    .alike = HY_LIKE_SERVED,
    .reports = HEAP_REPORTS,
    .promises = {.keeps_memory = true},
    .restart = RESTART,
};
