/* replay_test.c: a history gives the same number of operations, peak and checksum on every allocator that
 * frees in any order, in exact and in parallel mode. */
#include "allocators/history/parallel.h"
#include "allocators/history/replay.h"
#include "allocators/history/sample_history.h"
#include "allocators/history/trace_file.h"
#include "allocators/peers/peers.h"
#include "allocators/registry.h"

#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* With sanitizers, which take ten times as long, a third has to do. */
#define LENGTH_OF(events) (HY_ASAN || HY_TSAN ? (events) / 3 : (events))

/* One history, and the checksum that every replay of it must give. */
typedef struct fixture {
    hy_history history;
    hy_plan plan;
    uint64_t checksum;
} fixture;

static int make_plan(fixture *f) {
    if (hy_plan_make(&f->plan, &f->history, hy_libc(), NULL) != HY_OK) return -1;
    f->checksum = hy_plan_checksum(&f->plan);
    return 0;
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    *state = f;
    hy_history_init(&f->history, hy_libc());
    return hy_sample_history(&f->history, 11, LENGTH_OF(20000), 6) ? make_plan(f) : -1;
}

/* A recorded program whose threads hand blocks over; truncated, so that it is quick. */
static int set_up_trace(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    *state = f;
    hy_history_init(&f->history, hy_libc());
    hy_trace_info info;
    hy_trace_error error;
    if (!hy_trace_read(HY_TEST_TRACE, false, &f->history, &info, &error)) {
        (void)fprintf(stderr, "%s\n", error.message);
        return -1;
    }
    if (f->history.count > LENGTH_OF(60000)) f->history.count = LENGTH_OF(60000);
    return make_plan(f);
}

static int tear_down(void **state) {
    fixture *f = *state;
    hy_plan_destroy(&f->plan);
    hy_history_deinit(&f->history);
    free(f);
    return 0;
}

/* Whether the row can replay the plan: not floors, which hand out one block twice; not rows that serve one
 * size only, or may hold less than the history needs. */
static bool can_replay(const hy_row *row, const hy_plan *plan, hy_traits also) {
    if (row->missing || hy_peer_missing(row)) return false;
    if (!(row->traits & HY_TRAIT_FREE_ANY) || (row->traits & also) != also) return false;
    if (row->traits & (HY_TRAIT_FLOOR | HY_TRAIT_FIXED_BLOCK | HY_TRAIT_FIXED_CAPACITY)) return false;
    return hy_align_compare(plan->greatest_align, row->greatest_align) <= 0;
}

static void assert_result(
    const fixture *f, const hy_row *row, const hy_replay_result *result, bool has_peak) {
    if (result->operations == f->plan.operations && result->checksum == f->checksum && result->refused == 0 &&
        result->corrupt == 0 && (!has_peak || result->peak_bytes == f->plan.peak_bytes)) {
        return;
    }
    fail_msg(
        "%s: %llu operations, peak %llu, checksum %llx, %llu refused, %llu corrupt; expected %zu, %llu, %llx",
        row->name, (unsigned long long)result->operations, (unsigned long long)result->peak_bytes,
        (unsigned long long)result->checksum, (unsigned long long)result->refused,
        (unsigned long long)result->corrupt, f->plan.operations, (unsigned long long)f->plan.peak_bytes,
        (unsigned long long)f->checksum);
}

static void exact_is_the_same_on_every_row(void **state) {
    fixture *f = *state;
    size_t count, replayed = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    hy_traits also = HY_TSAN ? HY_TRAIT_THREAD_SAFE : 0; /* it sees nothing in what one thread does */
    for (size_t i = 0; i < count; i++) {
        if (!can_replay(rows[i], &f->plan, also)) continue;
        hy_instance instance;
        assert_true(hy_instance_make(&instance, rows[i], NULL));
        hy_replay_result result;
        /* Twice: a run that leaked or damaged the instance would change the second one. */
        for (int again = 0; again < 2; again++) {
            assert_true(hy_replay_exact(&f->plan, instance.allocator, hy_libc(), again == 0, &result));
            assert_result(f, rows[i], &result, true);
        }
        assert_true(hy_replay_timed(&f->plan, instance.allocator, hy_libc(), &result));
        assert_result(f, rows[i], &result, true);
        hy_instance_destroy(&instance);
        replayed++;
    }
    print_message("exact on %zu rows: %zu operations, peak %llu bytes, checksum %016llx\n", replayed,
        f->plan.operations, (unsigned long long)f->plan.peak_bytes, (unsigned long long)f->checksum);
    assert_true(replayed >= 2);
}

static void parallel_is_the_same_on_every_thread_safe_row(void **state) {
    fixture *f = *state;
    hy_parallel_plan *plan;
    assert_int_equal(hy_parallel_plan_make(&plan, &f->history, hy_libc(), NULL), HY_OK);
    assert_int_equal(hy_parallel_plan_operations(plan), f->plan.operations);
    assert_true(hy_parallel_plan_threads(plan) >= 2);
    assert_true(hy_parallel_plan_handovers(plan) > 0);
    size_t count, replayed = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!can_replay(rows[i], &f->plan, HY_TRAIT_THREAD_SAFE)) continue;
        hy_instance instance;
        assert_true(hy_instance_make(&instance, rows[i], NULL));
        hy_parallel *parallel = hy_parallel_begin(plan, instance.allocator, hy_libc());
        assert_non_null(parallel);
        for (int again = 0; again < 3; again++) {
            hy_replay_result result;
            hy_parallel_run(parallel, &result);
            assert_result(f, rows[i], &result, false);
        }
        hy_parallel_end(parallel);
        hy_instance_destroy(&instance);
        replayed++;
    }
    print_message("parallel on %zu rows: %zu threads, %zu hand-overs\n", replayed,
        hy_parallel_plan_threads(plan), hy_parallel_plan_handovers(plan));
    hy_parallel_plan_destroy(plan);
    assert_true(replayed >= 2);
}

static void segments_add_up_to_the_whole(void **state) {
    fixture *f = *state;
    hy_replay replay;
    assert_true(hy_replay_init(&replay, &f->plan, hy_libc(), hy_libc()));
    for (size_t segment = 1; segment < 5000; segment = segment * 7 + 3) {
        uint64_t sum = 0;
        for (size_t first = 0; first < f->plan.count; first += segment)
            sum += hy_replay_run(&replay, first, segment);
        sum += hy_replay_free_all(&replay, f->plan.count);
        assert_true(sum == f->checksum);
    }
    /* After half of the steps, live blocks are freed too (LeakSanitizer would report them). */
    (void)hy_replay_run(&replay, 0, f->plan.count / 2);
    (void)hy_replay_free_all(&replay, f->plan.count / 2);
    assert_int_equal(hy_replay_run(&replay, f->plan.count, 10), 0);
    assert_int_equal(replay.refused, 0);
    hy_replay_deinit(&replay);
}

/* The allocator refuses from its hundredth allocation on: refusals are counted, contents are intact. */
static void refusals_are_counted(void **state) {
    fixture *f = *state;
    const hy_failing_options options = {.fail_alloc_at = 100, .fail_resize_at = HY_FAILING_NEVER};
    hy_failing failing;
    hy_failing_init(&failing, hy_libc(), &options);
    hy_replay_result result;
    assert_true(hy_replay_exact(&f->plan, hy_failing_allocator(&failing), hy_libc(), true, &result));
    assert_true(result.refused > 100);
    assert_int_equal(result.corrupt, 0);
    assert_true(result.peak_bytes < f->plan.peak_bytes);
    hy_replay replay;
    hy_failing_init(&failing, hy_libc(), &options);
    assert_true(hy_replay_init(&replay, &f->plan, hy_failing_allocator(&failing), hy_libc()));
    (void)hy_replay_run(&replay, 0, SIZE_MAX);
    (void)hy_replay_free_all(&replay, f->plan.count);
    assert_true(replay.refused > 100);
    hy_replay_deinit(&replay);
}

/* A faulty allocator: every request gets the same block. */
static void *twice_alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    return self;
}

static void changed_contents_are_reported(void **state) {
    fixture *f = *state;
    static _Alignas(4096) char block[1 << 16];
    static const hy_vtable twice = {twice_alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};
    hy_replay_result result;
    assert_true(hy_replay_exact(&f->plan, (hy_allocator){block, &twice}, hy_libc(), true, &result));
    assert_true(result.corrupt > 0);
}

static void a_reset_frees_every_live_block(void **state) {
    (void)state;
    static const hy_op ops[] = {
        {.kind = HY_OP_ALLOC, .align_log2 = 4, .slot = 0, .size = 100},
        {.kind = HY_OP_ALLOC, .align_log2 = 4, .slot = 1, .size = 50, .thread = 1},
        {.kind = HY_OP_RESET},
        {.kind = HY_OP_ALLOC, .align_log2 = 4, .slot = 1, .size = 30},
        {.kind = HY_OP_ALLOC, .flags = HY_OP_REFUSED, .align_log2 = 4, .slot = 0, .size = UINT64_MAX},
        {.kind = HY_OP_RESIZE, .align_log2 = 4, .slot = 1, .size = 160},
        {.kind = HY_OP_REMAP, .align_log2 = 4, .slot = 1, .size = 0},
    };
    fixture f = {0};
    hy_history_init(&f.history, hy_libc());
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        assert_true(hy_history_append(&f.history, ops[i]));
    assert_int_equal(make_plan(&f), 0);
    assert_int_equal(f.plan.operations, 6);
    assert_int_equal(f.plan.count, 7);
    assert_int_equal(f.plan.peak_bytes, 160);
    assert_int_equal(f.plan.peak_blocks, 2);
    const hy_row *libc_row = hy_registry_find("libc");
    hy_replay_result result;
    assert_true(hy_replay_exact(&f.plan, hy_libc(), hy_libc(), true, &result));
    assert_result(&f, libc_row, &result, true);
    hy_parallel_plan *plan;
    assert_int_equal(hy_parallel_plan_make(&plan, &f.history, hy_libc(), NULL), HY_OK);
    hy_parallel *parallel = hy_parallel_begin(plan, hy_libc(), hy_libc());
    assert_non_null(parallel);
    hy_parallel_run(parallel, &result);
    assert_result(&f, libc_row, &result, false);
    hy_parallel_end(parallel);
    hy_parallel_plan_destroy(plan);
    hy_plan_destroy(&f.plan);
    hy_history_deinit(&f.history);
}

static void an_operation_that_no_step_can_hold_is_refused(void **state) {
    (void)state;
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_history_append(&history, (hy_op){.kind = HY_OP_ALLOC, .align_log2 = 4, .size = 8}));
    assert_true(
        hy_history_append(&history, (hy_op){.kind = HY_OP_ALLOC, .slot = 1, .size = (uint64_t)1 << 40}));
    hy_plan plan;
    hy_parallel_plan *parallel;
    size_t bad = 99;
    assert_int_equal(hy_plan_make(&plan, &history, hy_libc(), &bad), HY_UNSUPPORTED);
    assert_int_equal(bad, 1);
    assert_int_equal(hy_parallel_plan_make(&parallel, &history, hy_libc(), &bad), HY_UNSUPPORTED);
    history.ops[1] = (hy_op){.kind = HY_OP_FREE, .slot = 0, .size = 7, .align_log2 = 4};
    assert_int_equal(hy_plan_make(&plan, &history, hy_libc(), &bad), HY_INVALID);
    assert_int_equal(bad, 1);
    hy_history_deinit(&history);
}

/* Each thread begins after the one before has ended. */
static void threads_that_do_not_overlap_share_a_lane(void **state) {
    (void)state;
    hy_history history;
    hy_history_init(&history, hy_libc());
    for (uint16_t thread = 0; thread < 1000; thread++) {
        hy_op op = {.kind = HY_OP_ALLOC, .align_log2 = 4, .thread = thread, .size = 8};
        assert_true(hy_history_append(&history, op));
        op.kind = HY_OP_FREE;
        assert_true(hy_history_append(&history, op));
    }
    hy_parallel_plan *plan;
    assert_int_equal(hy_parallel_plan_make(&plan, &history, hy_libc(), NULL), HY_OK);
    assert_int_equal(hy_parallel_plan_threads(plan), 1);
    hy_parallel_plan_destroy(plan);
    hy_history_deinit(&history);
}

/* Makes both kinds of plan; the sweep refuses each of their allocations once. */
static hy_error plan_in(hy_allocator gpa, void *context) {
    fixture *f = context;
    hy_plan plan;
    hy_history copy = f->history;
    copy.allocator = gpa;
    hy_error error = hy_plan_make(&plan, &copy, gpa, NULL);
    if (error == HY_OK) hy_plan_destroy(&plan);
    hy_parallel_plan *parallel;
    hy_error second = error == HY_OK ? hy_parallel_plan_make(&parallel, &copy, gpa, NULL) : error;
    if (second == HY_OK) hy_parallel_plan_destroy(parallel);
    return second == HY_OK ? HY_OK : HY_OUT_OF_MEMORY;
}

static void plans_survive_every_refused_allocation(void **state) {
    fixture *f = *state;
    f->history.count = 3000;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(plan_in, hy_libc(), f, &report), HY_SWEEP_OK);
}

/* Every kind of operation; the reset finds empty slots, and more live blocks than its lane's tables hold
 * without growing. */
static void fill_with_every_kind(hy_history *history, uint32_t blocks) {
    for (uint32_t i = 0; i < blocks; i++) {
        hy_op op = {
            .kind = HY_OP_ALLOC, .align_log2 = 4, .thread = (uint16_t)(i % 3), .slot = i, .size = i % 5 * 40};
        assert_true(hy_history_append(history, op));
        if (i % 7 == 3) {
            op.kind = HY_OP_FREE;
            assert_true(hy_history_append(history, op));
        }
        if (i % 7 == 4) {
            op.kind = i % 2 ? HY_OP_RESIZE : HY_OP_REMAP;
            op.size = i % 3 * 50;
            assert_true(hy_history_append(history, op));
        }
        op = (hy_op){.kind = HY_OP_ALLOC, .flags = HY_OP_REFUSED, .align_log2 = 4, .slot = blocks, .size = 9};
        assert_true(hy_history_append(history, op));
    }
    assert_true(hy_history_append(history, (hy_op){.kind = HY_OP_CHECK}));
    assert_true(hy_history_append(history, (hy_op){.kind = HY_OP_THREAD_END, .thread = 2}));
    assert_true(hy_history_append(history, (hy_op){.kind = HY_OP_RESET}));
    assert_true(hy_history_append(history, (hy_op){.kind = HY_OP_THREAD_END, .thread = 9}));
}

static void every_kind_of_operation_is_replayed(void **state) {
    (void)state;
    fixture f = {.checksum = 0};
    hy_history_init(&f.history, hy_libc());
    fill_with_every_kind(&f.history, 700);
    assert_int_equal(make_plan(&f), 0);
    hy_replay_result exact, timed, at_once;
    assert_true(hy_replay_exact(&f.plan, hy_libc(), hy_libc(), true, &exact));
    assert_true(hy_replay_timed(&f.plan, hy_libc(), hy_libc(), &timed));
    hy_parallel_plan *plan;
    assert_int_equal(hy_parallel_plan_make(&plan, &f.history, hy_libc(), NULL), HY_OK);
    assert_int_equal(hy_parallel_plan_operations(plan), f.plan.operations);
    hy_parallel *parallel = hy_parallel_begin(plan, hy_libc(), hy_libc());
    assert_non_null(parallel);
    hy_parallel_run(parallel, &at_once);
    hy_parallel_end(parallel);
    hy_parallel_plan_destroy(plan);
    assert_int_equal(exact.corrupt, 0);
    assert_true(
        exact.checksum == f.checksum && timed.checksum == f.checksum && at_once.checksum == f.checksum);
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(plan_in, hy_libc(), &f, &report), HY_SWEEP_OK);
    hy_plan_destroy(&f.plan);
    hy_history_deinit(&f.history);
    hy_parallel_plan_destroy(NULL);
}

int main(int argc, char **argv) {
    (void)argc;
    (void)hy_peers_reexec(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exact_is_the_same_on_every_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parallel_is_the_same_on_every_thread_safe_row, set_up, tear_down),
        {"exact_is_the_same_on_every_row (recorded program)", exact_is_the_same_on_every_row, set_up_trace,
            tear_down, NULL},
        {"parallel_is_the_same_on_every_thread_safe_row (recorded program)",
            parallel_is_the_same_on_every_thread_safe_row, set_up_trace, tear_down, NULL},
        cmocka_unit_test_setup_teardown(segments_add_up_to_the_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_contents_are_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_survive_every_refused_allocation, set_up, tear_down),
        cmocka_unit_test(a_reset_frees_every_live_block),
        cmocka_unit_test(every_kind_of_operation_is_replayed),
        cmocka_unit_test(an_operation_that_no_step_can_hold_is_refused),
        cmocka_unit_test(threads_that_do_not_overlap_share_a_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
