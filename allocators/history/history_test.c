/* history_test.c: which operations are legal after which, and how a history grows. */
#include "allocators/history/history.h"

#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const hy_op first_alloc = {.kind = HY_OP_ALLOC, .align_log2 = 4, .slot = 0, .size = 40};

/* Index of the first illegal operation of `first_alloc` and `op`; 2 where both are legal. */
static size_t bad_after(hy_op op) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_history_append(&history, first_alloc));
    assert_true(hy_history_append(&history, op));
    size_t bad;
    bool good = hy_history_check(&history, &bad);
    assert_true(good == (bad == 2));
    hy_history_deinit(&history);
    return bad;
}

static void every_rule_is_checked(void **state) {
    (void)state;
    static const hy_op legal[] = {
        {.kind = HY_OP_FREE, .align_log2 = 4, .size = 40},
        {.kind = HY_OP_RESIZE, .align_log2 = 4, .size = 41},
        {.kind = HY_OP_REMAP, .align_log2 = 4, .size = 41, .flags = HY_OP_REFUSED},
        {.kind = HY_OP_ALLOC, .slot = 1, .align_log2 = HY_ALIGN_LOG2_MAX},
        {.kind = HY_OP_RESET},
        {.kind = HY_OP_CHECK},
        {.kind = HY_OP_THREAD_END},
        {.kind = HY_OP_SPECIAL, .slot = 40, .size = 3},
        {.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN},
    };
    static const hy_op illegal[] = {
        {.kind = HY_OP_ALLOC, .align_log2 = 4, .size = 40},                    /* the slot is live */
        {.kind = HY_OP_ALLOC, .slot = 1, .align_log2 = HY_ALIGN_LOG2_MAX + 1}, /* too great an alignment */
        {.kind = HY_OP_FREE, .align_log2 = 4, .size = 41},                     /* another size */
        {.kind = HY_OP_FREE, .align_log2 = 3, .size = 40},                     /* another alignment */
        {.kind = HY_OP_FREE, .slot = 1, .align_log2 = 4, .size = 40},          /* the slot is empty */
        {.kind = HY_OP_REALLOC, .slot = 1, .align_log2 = 4, .size = 40},       /* the slot is empty */
        {.kind = HY_OP_REALLOC, .align_log2 = 5, .size = 40},                  /* another alignment */
        {.kind = HY_OP_KIND_COUNT, .align_log2 = 4, .size = 40},               /* not an operation */
    };
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++)
        assert_int_equal(bad_after(legal[i]), 2);
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
        assert_int_equal(bad_after(illegal[i]), 1);
}

static void a_slot_beyond_the_count_is_not_legal(void **state) {
    (void)state;
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_history_append(&history, first_alloc));
    history.ops[0].slot = 7;
    size_t bad;
    assert_false(hy_history_check(&history, &bad));
    assert_int_equal(bad, 0);
    hy_history_deinit(&history);
}

static void reserved_room_is_kept(void **state) {
    (void)state;
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_history_reserve(&history, 10));
    hy_op *ops = history.ops;
    assert_true(hy_history_reserve(&history, 5));
    assert_int_equal(history.capacity, 10);
    for (int i = 0; i < 10; i++)
        assert_true(hy_history_append(&history, (hy_op){.kind = HY_OP_CHECK}));
    assert_ptr_equal(history.ops, ops);
    hy_history_deinit(&history);
}

static hy_error grow_and_check(hy_allocator gpa, void *argument) {
    (void)argument;
    hy_history history;
    hy_history_init(&history, gpa);
    bool good = true;
    for (uint32_t i = 0; i < 2000 && good; i++) {
        size_t before = history.count;
        good = hy_history_append(&history, (hy_op){.kind = HY_OP_ALLOC, .slot = i, .size = i});
        if (!good) assert_int_equal(history.count, before);
    }
    size_t bad;
    good = good && hy_history_check(&history, &bad);
    hy_history_deinit(&history);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void a_refusal_changes_nothing(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(grow_and_check, hy_libc(), NULL, &report), HY_SWEEP_OK);
    assert_true(report.alloc_count > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_checked),
        cmocka_unit_test(a_slot_beyond_the_count_is_not_legal),
        cmocka_unit_test(reserved_room_is_kept),
        cmocka_unit_test(a_refusal_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
