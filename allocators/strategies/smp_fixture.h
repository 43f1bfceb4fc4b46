/* smp_fixture.h: what the tests of smp share: a heap for each test, walked when it ends. Include what brings
 * cmocka's assertions before it. */
#ifndef HEAPYARD_STRATEGIES_SMP_FIXTURE_H
#define HEAPYARD_STRATEGIES_SMP_FIXTURE_H

#include "allocators/strategies/smp_core.h"
#include <heapyard/smp_stats.h>

/* Whether this is the scaled-down build, whose thresholds are others. */
#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
#define IS_SMALL true
#else
#define IS_SMALL false
#endif

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

HY_INLINE hy_align align_log2(unsigned log2) {
    hy_align align = {(uint8_t)log2};
    return align;
}

static inline int begin_heap(void **state) {
    static hy_smp_heap heap;
    heap = (hy_smp_heap)HY_SMP_HEAP_INIT;
    *state = &heap;
    return hy_smp_init(&heap) == HY_OK ? 0 : -1;
}

static inline int end_heap(void **state) {
    bool holds = hy_smp_check(*state);
    hy_smp_deinit(*state);
    return holds ? 0 : -1;
}

/* Over every page, and its last byte: what a program that fills the block does, in less time. */
static inline void touch(void *ptr, size_t size) {
    unsigned char *bytes = ptr;
    for (size_t i = 0; i < size; i += HY_SMP_PAGE)
        bytes[i] = 1;
    bytes[size - 1] = 1;
}

static inline void *alloc_touched(hy_smp_heap *heap, size_t size, hy_align align) {
    void *ptr = hy_smp_heap_alloc(heap, size, align);
    assert_non_null(ptr);
    touch(ptr, size);
    return ptr;
}

static inline hy_smp_stats stats_of(hy_smp_heap *heap) {
    hy_smp_stats stats;
    hy_smp_read_stats(heap, &stats);
    return stats;
}

/* The heap can have no more pages than it has: what it does then. */
static inline void forbid_growth(hy_smp_heap *heap) {
    heap->core->page_limit = heap->core->frontier;
}

#define smp_test(function) cmocka_unit_test_setup_teardown(function, begin_heap, end_heap)

#endif
