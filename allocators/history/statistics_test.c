/* statistics_test.c: each statistic of a history that is small enough to count by hand. */
#include "allocators/history/statistics.h"

#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const hy_op ops[] = {
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 100, .align_log2 = 4},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 24, .align_log2 = 6, .flags = HY_OP_ZEROED},
    {.kind = HY_OP_FREE, .slot = 1, .size = 24, .thread = 1, .flags = HY_OP_SIZED},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 24, .align_log2 = 4, .thread = 1},
    {.kind = HY_OP_REALLOC, .slot = 1, .size = 1000, .align_log2 = 4, .thread = 1}, /* the peak: 1100 */
    {.kind = HY_OP_ALLOC, .slot = 2, .size = 1u << 20, .align_log2 = 4, .flags = HY_OP_REFUSED},
    {.kind = HY_OP_FREE, .slot = 0, .size = 100},
    {.kind = HY_OP_CHECK},
    {.kind = HY_OP_THREAD_END, .thread = 1},
};

static void fill(hy_history *history) {
    hy_history_init(history, hy_libc());
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        assert_true(hy_history_append(history, ops[i]));
}

static void calls_are_counted(void **state) {
    (void)state;
    hy_history history;
    hy_statistics it;
    fill(&history);
    assert_true(hy_statistics_make(&it, &history));
    assert_int_equal(it.operations, 8);
    assert_int_equal(it.allocs, 3);
    assert_int_equal(it.zeroed, 1);
    assert_int_equal(it.frees, 2);
    assert_int_equal(it.reallocs, 1);
    assert_int_equal(it.refused, 1);
    assert_int_equal(it.aligned, 1);
    assert_int_equal(it.sized_frees, 1);
    assert_int_equal(it.cross_thread_frees, 1);
    assert_int_equal(it.next_frees, 1);
    assert_int_equal(it.threads, 2);
    assert_int_equal(it.thread_ends, 1);
    hy_history_deinit(&history);
}

static void bytes_and_lifetimes_are_counted(void **state) {
    (void)state;
    hy_history history;
    hy_statistics it;
    fill(&history);
    assert_true(hy_statistics_make(&it, &history));
    assert_int_equal(it.requested_bytes, 148);
    assert_int_equal(it.peak_bytes, 1100);
    assert_int_equal(it.peak_bytes_at, 4);
    assert_int_equal(it.peak_blocks, 2);
    assert_int_equal(it.end_bytes, 1000);
    assert_int_equal(it.end_blocks, 1);
    assert_int_equal(it.size_counts[hy_statistics_class(24)], 2);
    assert_int_equal(it.size_peak_bytes[hy_statistics_class(1000)], 1000);
    assert_int_equal(it.size_peak_bytes[hy_statistics_class(100)], 100);
    assert_int_equal(it.top[0].size, 24);
    assert_int_equal(it.top[0].count, 2);
    assert_int_equal(it.top[1].size, 100);
    assert_int_equal(it.lifetimes[0], 1); /* freed before another allocation */
    assert_int_equal(it.lifetimes[hy_statistics_class(2)], 1);
    hy_history_deinit(&history);
}

static void an_empty_history_gives_zeros(void **state) {
    (void)state;
    hy_history history;
    hy_statistics it;
    hy_history_init(&history, hy_libc());
    assert_true(hy_statistics_make(&it, &history));
    assert_int_equal(it.operations, 0);
    assert_int_equal(it.peak_bytes, 0);
    assert_int_equal(it.top[0].count, 0);
    hy_history_deinit(&history);
}

/* A reset ends every block, and is not counted as frees. */
static void a_reset_ends_every_block(void **state) {
    (void)state;
    hy_history history;
    hy_statistics it;
    fill(&history);
    assert_true(hy_history_append(&history, (hy_op){.kind = HY_OP_RESET}));
    assert_true(hy_history_append(&history, (hy_op){.kind = HY_OP_CHECK}));
    assert_true(hy_statistics_make(&it, &history));
    assert_int_equal(it.end_bytes, 0);
    assert_int_equal(it.end_blocks, 0);
    assert_int_equal(it.frees, 2);
    assert_int_equal(it.peak_bytes, 1100);
    assert_int_equal(it.operations, 10);
    hy_history_deinit(&history);
}

static hy_error make_in(hy_allocator gpa, void *context) {
    hy_history copy = *(const hy_history *)context;
    copy.allocator = gpa;
    hy_statistics it;
    return hy_statistics_make(&it, &copy) ? HY_OK : HY_OUT_OF_MEMORY;
}

static void every_refused_allocation_is_reported(void **state) {
    (void)state;
    hy_history history;
    fill(&history);
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(make_in, hy_libc(), &history, &report), HY_SWEEP_OK);
    assert_int_equal(report.alloc_count, 2);
    hy_history_deinit(&history);
}

static void classes_are_powers_of_two(void **state) {
    (void)state;
    assert_int_equal(hy_statistics_class(0), 0);
    assert_int_equal(hy_statistics_class(1), 1);
    assert_int_equal(hy_statistics_class(255), 8);
    assert_int_equal(hy_statistics_class(256), 9);
    assert_int_equal(hy_statistics_class(UINT64_MAX), HY_STATISTICS_CLASSES - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(bytes_and_lifetimes_are_counted),
        cmocka_unit_test(an_empty_history_gives_zeros),
        cmocka_unit_test(a_reset_ends_every_block),
        cmocka_unit_test(every_refused_allocation_is_reported),
        cmocka_unit_test(classes_are_powers_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
