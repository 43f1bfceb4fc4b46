/* import_test.c: each line of the text format, and what is no line of it. */
#include "allocators/history/import.h"

#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct imported {
    hy_history history;
    hy_import_counts counts;
    hy_trace_error error;
    bool good;
} imported;

static imported import_text(const char *text) {
    imported result;
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(in);
    hy_history_init(&result.history, hy_libc());
    result.good = hy_import_memory_replay(in, "log.txt", &result.history, &result.counts, &result.error);
    fclose(in);
    return result;
}

static void each_action_becomes_an_operation(void **state) {
    (void)state;
    imported it = import_text("10: malloc 0x1000 8\n"
                              "10:calloc 0x2000 3 16\n"
                              "11: memalign 0x3000 64 100\n"
                              "10: realloc 0x4000 0x1000 40\n"
                              "11: realloc 0x5000 0x0 24\n"
                              "10: malloc 0x0 999\n"
                              "11: free 0x4000\n"
                              "11: free 0x0\n"
                              "\n"
                              "11: thread_done 0x0\n");
    assert_true(it.good);
    assert_int_equal(it.history.count, 8);
    assert_int_equal(it.history.thread_count, 2);
    assert_int_equal(it.counts.lines, 10);
    assert_int_equal(it.counts.null_frees, 1);
    size_t bad;
    assert_true(hy_history_check(&it.history, &bad));
    const hy_op *ops = it.history.ops;
    assert_int_equal(ops[0].align_log2, 3);
    assert_int_equal(ops[1].size, 48);
    assert_int_equal(ops[1].flags, HY_OP_ZEROED);
    assert_int_equal(ops[2].align_log2, 6);
    assert_int_equal(ops[3].kind, HY_OP_REALLOC);
    assert_int_equal(ops[3].slot, ops[0].slot);
    assert_int_equal(ops[4].kind, HY_OP_ALLOC);
    assert_int_equal(ops[5].flags, HY_OP_REFUSED);
    assert_int_equal(ops[6].size, 40);
    assert_int_equal(ops[7].kind, HY_OP_THREAD_END);
    hy_history_deinit(&it.history);
}

static void strangers_are_counted(void **state) {
    (void)state;
    imported it = import_text("1: free 0x9000\n1: malloc 0x1000 8\n1: malloc 0x1000 16\n");
    assert_true(it.good);
    assert_int_equal(it.counts.foreign, 1);
    assert_int_equal(it.counts.missed, 1);
    hy_history_deinit(&it.history);
}

static void what_is_no_line_is_named(void **state) {
    (void)state;
    static const char *const lines[] = {"malloc 0x1000 8", "1 malloc 0x1000 8", "1: mallok 0x1000 8",
        "1: malloc 1000 8", "1: malloc 0x1000", "1: malloc 0x1000 8 9", "1: malloc 0x1000 -8",
        "1: memalign 0x1000 48 8", "1: calloc 0x1000 18446744073709551615 2", "1: free", "1: thread_done"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "1: malloc 0x7000 8\n%s\n", lines[i]);
        imported it = import_text(text);
        if (it.good) fail_msg("\"%s\" is taken for a line", lines[i]);
        assert_non_null(strstr(it.error.message, "log.txt:2: "));
        assert_non_null(strstr(it.error.message, lines[i]));
        assert_false(it.error.system);
        assert_int_equal(it.history.count, 0);
        hy_history_deinit(&it.history);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_becomes_an_operation),
        cmocka_unit_test(strangers_are_counted),
        cmocka_unit_test(what_is_no_line_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
