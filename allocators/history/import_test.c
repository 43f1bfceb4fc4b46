/* import_test.c: each kind of line of the text format, and malformed ones. */
#include "allocators/history/import.h"

#include <heapyard/libc.h>
#include <heapyard/sweep.h>
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

static void unknown_blocks_are_counted(void **state) {
    (void)state;
    imported it = import_text("1: free 0x9000\n1: malloc 0x1000 8\n1: malloc 0x1000 16\n");
    assert_true(it.good);
    assert_int_equal(it.counts.foreign, 1);
    assert_int_equal(it.counts.missed, 1);
    hy_history_deinit(&it.history);
}

static void a_malformed_line_is_reported_with_its_number(void **state) {
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

static void blanks_and_numbers_are_read_strictly(void **state) {
    (void)state;
    imported it = import_text("7:\tmalloc 0x10 8\n");
    assert_false(it.good);
    hy_history_deinit(&it.history);
    it = import_text("7:  malloc\t0x10\t 8 \t\r\n");
    assert_true(it.good);
    hy_history_deinit(&it.history);
    static const char *const lines[] = {"1: malloc 0y10 8", "1: malloc 0x 8", "1: malloc x10 8",
        "1: malloc 0", "1: calloc zz 1 1", "1: memalign zz 16 8", "1: realloc 0x1 0x2", "1: realloc zz 0x2 8",
        "1: free zz", "1: mallocs 0x10 8", ": malloc 0x10 8"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        it = import_text(lines[i]);
        if (it.good) fail_msg("\"%s\" is taken for a line", lines[i]);
        hy_history_deinit(&it.history);
    }
}

static void a_read_error_is_reported(void **state) {
    (void)state;
    FILE *folder = fopen("/tmp", "r");
    assert_non_null(folder);
    hy_history history;
    hy_import_counts counts;
    hy_trace_error error;
    hy_history_init(&history, hy_libc());
    assert_false(hy_import_memory_replay(folder, "log.txt", &history, &counts, &error));
    assert_string_equal(error.message, "log.txt:0: can't be read further");
    assert_true(error.system);
    fclose(folder);
    hy_history_deinit(&history);
}

/* The text has enough threads, blocks and size changes for every table to grow. */
static hy_error import_in(hy_allocator gpa, void *text) {
    FILE *in = fmemopen(text, strlen(text), "r");
    assert_non_null(in);
    hy_history history;
    hy_import_counts counts;
    hy_trace_error error;
    hy_history_init(&history, gpa);
    bool good = hy_import_memory_replay(in, "log.txt", &history, &counts, &error);
    fclose(in);
    if (!good) assert_true(error.system && history.count == 0);
    hy_history_deinit(&history);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void every_refused_allocation_is_reported(void **state) {
    (void)state;
    size_t size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (unsigned i = 1; i <= 40; i++) {
        (void)fprintf(out, "%u: malloc 0x%u000 8\n%u: realloc 0x%u000 0x%u000 9\n", i, i, i, i, i);
        (void)fprintf(out,
            "%u: calloc 0x%uf0 2 8\n%u: free 0x%uf0\n%u: malloc 0x0 8\n%u: memalign 0x%ua 4 8\n", i, i, i, i,
            i, i, i);
        (void)fprintf(out, "%u: thread_done 0x0\n", i);
    }
    fclose(out);
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(import_in, hy_libc(), text, &report), HY_SWEEP_OK);
    assert_true(report.alloc_count > 5);
    free(text);
}

/* The history must grow at an operation of each kind in turn, and is refused. */
static void a_history_that_can_not_grow_is_reported_at_each_operation(void **state) {
    (void)state;
    static const char *const last[] = {"1: malloc 0x9000 8\n", "1: free 0x1000\n",
        "1: realloc 0x9000 0x1000 8\n", "1: realloc 0x0 0x1000 0\n", "1: realloc 0x0 0x1000 8\n",
        "1: malloc 0x0 8\n", "1: thread_done 0x0\n", "1: malloc 0x1000 8\n"};
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        size_t size = 0;
        char *text = NULL;
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        /* 256 operations fill the first array; one block is left live. */
        for (unsigned round = 0; round < 127; round++)
            (void)fprintf(out, "1: malloc 0x2000 8\n1: free 0x2000\n");
        (void)fprintf(out, "1: malloc 0x0 1\n1: malloc 0x1000 8\n%s", last[i]);
        fclose(out);
        hy_sweep_report report;
        assert_int_equal(hy_check_all_allocation_failures(import_in, hy_libc(), text, &report), HY_SWEEP_OK);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_becomes_an_operation),
        cmocka_unit_test(unknown_blocks_are_counted),
        cmocka_unit_test(a_malformed_line_is_reported_with_its_number),
        cmocka_unit_test(blanks_and_numbers_are_read_strictly),
        cmocka_unit_test(a_read_error_is_reported),
        cmocka_unit_test(every_refused_allocation_is_reported),
        cmocka_unit_test(a_history_that_can_not_grow_is_reported_at_each_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
