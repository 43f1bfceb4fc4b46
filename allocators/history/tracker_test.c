/* tracker_test.c: reused addresses become reused slots, and calls on unknown blocks are left out and
 * counted. */
#include "allocators/history/tracker.h"

#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct fixture {
    hy_history history;
    hy_tracker tracker;
} fixture;

static int begin(void **state) {
    fixture *f = malloc(sizeof *f);
    if (!f) return -1;
    hy_history_init(&f->history, hy_libc());
    hy_tracker_init(&f->tracker, &f->history, hy_libc());
    *state = f;
    return 0;
}

static int end(void **state) {
    fixture *f = *state;
    hy_tracker_deinit(&f->tracker);
    hy_history_deinit(&f->history);
    free(f);
    return 0;
}

static void assert_legal(const fixture *f, size_t count) {
    size_t bad;
    assert_true(hy_history_check(&f->history, &bad));
    assert_int_equal(f->history.count, count);
}

static void slots_are_used_again_last_freed_first(void **state) {
    fixture *f = *state;
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(hy_tracker_alloc(&f->tracker, 0, i << 12, 10 * i, 4, 0));
    assert_true(hy_tracker_free(&f->tracker, 1, 1 << 12, 0));
    assert_true(hy_tracker_free(&f->tracker, 0, 3 << 12, HY_OP_SIZED));
    assert_true(hy_tracker_alloc(&f->tracker, 0, 7 << 12, 5, 4, HY_OP_ZEROED));
    assert_true(hy_tracker_alloc(&f->tracker, 0, 1 << 12, 6, 4, 0));
    assert_legal(f, 7);
    const hy_op *ops = f->history.ops;
    assert_int_equal(ops[3].kind, HY_OP_FREE);
    assert_int_equal(ops[3].size, 10);
    assert_int_equal(ops[3].thread, 1);
    assert_int_equal(ops[4].flags, HY_OP_SIZED);
    assert_int_equal(ops[5].slot, ops[4].slot);
    assert_int_equal(ops[5].flags, HY_OP_ZEROED);
    assert_int_equal(ops[6].slot, ops[3].slot);
    assert_int_equal(f->history.slot_count, 3);
    assert_int_equal(f->tracker.live_count, 3);
}

static void unknown_blocks_are_left_out_and_counted(void **state) {
    fixture *f = *state;
    assert_true(hy_tracker_free(&f->tracker, 0, 0x5000, 0));
    assert_true(hy_tracker_change_begin(&f->tracker, 0, 0x6000));
    assert_int_equal(f->tracker.foreign_count + f->history.count, 2);
    assert_true(hy_tracker_alloc(&f->tracker, 0, 0x7000, 8, 3, 0));
    assert_true(hy_tracker_alloc(&f->tracker, 0, 0x7000, 9, 3, 0));
    assert_int_equal(f->tracker.missed_count, 1);
    assert_int_equal(f->tracker.live_count, 1);
    size_t bad;
    assert_true(hy_history_check(&f->history, &bad));
}

static void a_change_keeps_its_slot(void **state) {
    fixture *f = *state;
    assert_true(hy_tracker_alloc(&f->tracker, 0, 0x1000, 8, 3, 0));
    assert_true(hy_tracker_change_begin(&f->tracker, 0, 0x1000));
    assert_true(hy_tracker_alloc(&f->tracker, 1, 0x1000, 24, 4, 0)); /* another thread gets the old address */
    assert_true(hy_tracker_change_end(&f->tracker, 0, HY_OP_REALLOC, 0x2000, 80));
    assert_true(hy_tracker_change_begin(&f->tracker, 1, 0x1000));
    assert_true(hy_tracker_change_end(&f->tracker, 1, HY_OP_REALLOC, 0, 4096)); /* refused: it stays live */
    assert_true(hy_tracker_free(&f->tracker, 0, 0x1000, 0));
    assert_true(hy_tracker_free(&f->tracker, 0, 0x2000, 0));
    assert_legal(f, 6);
    const hy_op *ops = f->history.ops;
    assert_int_equal(ops[2].kind, HY_OP_REALLOC);
    assert_int_equal(ops[2].slot, ops[0].slot);
    assert_int_equal(ops[2].size, 80);
    assert_int_equal(ops[3].flags, HY_OP_REFUSED);
    assert_int_equal(ops[4].size, 24);
    assert_int_equal(ops[5].size, 80);
    assert_int_equal(f->tracker.missed_count, 0);
    assert_int_equal(f->tracker.live_count, 0);
}

/* The table grows while it has collisions, and every block is found and removed again. */
static void many_blocks_are_found(void **state) {
    fixture *f = *state;
    enum { BLOCKS = 5000 };
    for (uint64_t i = 1; i <= BLOCKS; i++)
        assert_true(hy_tracker_alloc(&f->tracker, 0, i * 4096, i, 4, 0));
    for (uint64_t i = 1; i <= BLOCKS; i++) {
        uint64_t which = i * 7 % (BLOCKS + 1); /* 5001 is not a multiple of 7, so each block comes once */
        if (which != 0) assert_true(hy_tracker_free(&f->tracker, 0, which * 4096, 0));
    }
    assert_int_equal(f->tracker.foreign_count, 0);
    assert_int_equal(f->tracker.live_count, 0);
    assert_legal(f, 2 * BLOCKS);
}

static void out_of_memory_is_reported(void **state) {
    (void)state;
    for (uint64_t refusal = 0; refusal < 3; refusal++) {
        hy_failing_options options = HY_FAILING_DEFAULTS;
        options.fail_alloc_at = refusal;
        hy_failing failing;
        hy_failing_init(&failing, hy_libc(), &options);
        hy_history history;
        hy_tracker tracker;
        hy_history_init(&history, hy_failing_allocator(&failing));
        hy_tracker_init(&tracker, &history, hy_failing_allocator(&failing));
        bool good = true;
        for (uint64_t i = 1; i < 100 && good; i++)
            good = hy_tracker_alloc(&tracker, 0, i << 12, 8, 3, 0);
        for (uint64_t i = 1; i < 100 && good; i++)
            good = hy_tracker_free(&tracker, 0, i << 12, 0);
        assert_false(good);
        hy_tracker_deinit(&tracker);
        hy_history_deinit(&history);
        assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
    }
}

/* Allocations, size changes and frees by many threads, for a sweep that refuses each allocation once. */
static hy_error track_in(hy_allocator gpa, void *context) {
    (void)context;
    hy_history history;
    hy_tracker tracker;
    hy_history_init(&history, gpa);
    hy_tracker_init(&tracker, &history, gpa);
    bool good = true;
    for (uint64_t i = 1; i < 1200 && good; i++)
        good = hy_tracker_alloc(&tracker, 0, i << 12, 8, 3, 0);
    for (uint16_t i = 1; i < 300 && good; i++) {
        uint64_t address = (uint64_t)i << 12;
        good = hy_tracker_change_begin(&tracker, i, address) &&
               hy_tracker_change_end(&tracker, i, HY_OP_REALLOC, i % 3 ? address + 1 : 0, i % 2 ? 0 : 16);
    }
    for (uint64_t i = 300; i < 1200 && good; i++)
        good = hy_tracker_free(&tracker, 0, i << 12, 0);
    /* The end of a size change without its begin, by an unknown thread, is a new block. */
    good = good && hy_tracker_change_end(&tracker, 5000, HY_OP_REALLOC, 0x77, 8) &&
           hy_tracker_change_end(&tracker, 5001, HY_OP_REALLOC, 0, 8) &&
           hy_tracker_alloc(&tracker, 1, 0x77, 9, 3, 0) && hy_tracker_refused(&tracker, 1, 99, 4) &&
           hy_tracker_thread_end(&tracker, 1);
    if (good) assert_int_equal(tracker.missed_count, 1);
    hy_tracker_deinit(&tracker);
    hy_history_deinit(&history);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void every_refused_allocation_is_reported(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(track_in, hy_libc(), NULL, &report), HY_SWEEP_OK);
    assert_true(report.alloc_count > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slots_are_used_again_last_freed_first, begin, end),
        cmocka_unit_test_setup_teardown(unknown_blocks_are_left_out_and_counted, begin, end),
        cmocka_unit_test_setup_teardown(a_change_keeps_its_slot, begin, end),
        cmocka_unit_test_setup_teardown(many_blocks_are_found, begin, end),
        cmocka_unit_test(out_of_memory_is_reported),
        cmocka_unit_test(every_refused_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
