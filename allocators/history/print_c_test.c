/* print_c_test.c: printed programs compile, pass for a correct history, and fail for a wrong claim. The
 * compiler is the one that built this test; CMake names it and the libraries. */
#include "allocators/history/print_c.h"

#include "allocators/registry.h"
#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const hy_op ops[] = {
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 40, .align_log2 = 3},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 100, .align_log2 = 6, .flags = HY_OP_ZEROED},
    {.kind = HY_OP_ALLOC, .slot = 2, .size = 0, .align_log2 = 0},
    {.kind = HY_OP_RESIZE, .slot = 1, .size = 120, .align_log2 = 6},
    {.kind = HY_OP_REALLOC, .slot = 0, .size = 300, .align_log2 = 3},
    {.kind = HY_OP_REMAP, .slot = 0, .size = 200, .align_log2 = 3},
    {.kind = HY_OP_CHECK},
    {.kind = HY_OP_FREE, .slot = 1, .size = 120, .align_log2 = 6},
    {.kind = HY_OP_RESET, .size = HY_RESET_RETAIN_CAPACITY},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 1, .align_log2 = 0},
    {.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN, .size = 30},
    {.kind = HY_OP_ALLOC, .slot = 3, .size = (uint64_t)-64, .align_log2 = 0, .flags = HY_OP_OF_ROOM},
};

/* What rows offer beyond the vtable, by the index of the operation: of arena, of bump, of pool. */
static const hy_op arena_ops[] = {
    {.kind = HY_OP_SPECIAL, .slot = 2, .size = 700}, /* reserve */
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 700, .align_log2 = 3},
    {.kind = HY_OP_SPECIAL, .slot = 0, .size = 5}, /* save */
    {.kind = HY_OP_RESIZE, .slot = 0, .size = 800, .align_log2 = 3},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 9000, .align_log2 = 3},
    {.kind = HY_OP_SPECIAL, .slot = 3},            /* hand_over */
    {.kind = HY_OP_SPECIAL, .slot = 1, .size = 2}, /* restore a mark that nothing took */
    {.kind = HY_OP_SPECIAL, .slot = 1, .size = 1}, /* restore */
    {.kind = HY_OP_ALLOC, .slot = 2, .size = 0, .align_log2 = 3, .flags = HY_OP_OF_ROOM},
    {.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN, .size = 100},
};
static const hy_op bump_ops[] = {
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 100, .align_log2 = 0},
    {.kind = HY_OP_SPECIAL, .slot = 0},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 0, .align_log2 = 0, .flags = HY_OP_OF_ROOM},
    {.kind = HY_OP_SPECIAL, .slot = 1},
    {.kind = HY_OP_ALLOC, .slot = 2, .size = 64, .align_log2 = 0},
};
static const hy_op pool_ops[] = {
    {.kind = HY_OP_SPECIAL, .slot = 0, .size = 3},
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 512, .align_log2 = 3},
    {.kind = HY_OP_RESET, .size = HY_RESET_RETAIN_CAPACITY},
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 512, .align_log2 = 6},
};
static const hy_op limited_ops[] = {
    {.kind = HY_OP_ALLOC, .slot = 0, .size = 512, .align_log2 = 3},
    {.kind = HY_OP_SPECIAL, .slot = 0, .size = 100},
    {.kind = HY_OP_RESIZE, .slot = 0, .size = 300, .align_log2 = 3},
    {.kind = HY_OP_SPECIAL, .slot = 0, .size = 10000},
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 9000, .align_log2 = 3},
};

typedef struct sequence {
    const hy_op *ops;
    size_t count;
} sequence;

#define SEQUENCE(array) ((sequence){array, sizeof(array) / sizeof((array)[0])})

static char folder[] = "/tmp/heapyard-print-c-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* Prints, compiles and runs a program; returns the exit code (134: aborted), and its standard error in
 * `output`. */
static int run_printed_of(
    sequence from, const char *row, hy_print_claim claim, size_t step, char *output, size_t size) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    for (size_t i = 0; i < from.count; i++)
        assert_true(hy_history_append(&history, from.ops[i]));
    hy_print_job job = {
        .row = hy_registry_find(row),
        .config = {.child = hy_libc(), .capacity = 4096, .block_size = 512, .block_align = {6}},
        .faults = {true, false, false, HY_BYTES_NEVER, HY_BYTES_NEVER, HY_BYTES_NEVER},
        .history = &history,
        .finding = "what was found",
        .claim = claim,
        .step = step,
        .bytes = 1,
    };
    assert_non_null(job.row);
    char path[64], command[2048];
    (void)snprintf(path, sizeof path, "%s/printed.c", folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(hy_print_c(out, &job));
    assert_int_equal(fclose(out), 0);
    hy_history_deinit(&history);
    (void)snprintf(
        command, sizeof command, "%s -o %s/printed %s %s", HY_TEST_COMPILE, folder, path, HY_TEST_LINK);
    if (system(command) != 0) fail_msg("does not compile for %s: %s", row, command);
    (void)snprintf(command, sizeof command, "ulimit -c 0; %s/printed 2> %s/stderr", folder, folder);
    int status = system(command);
    (void)snprintf(path, sizeof path, "%s/stderr", folder);
    FILE *errors = fopen(path, "r");
    assert_non_null(errors);
    output[fread(output, 1, size - 1, errors)] = '\0';
    fclose(errors);
    return WEXITSTATUS(status);
}

static int run_printed(const char *row, hy_print_claim claim, size_t step, char *output, size_t size) {
    return run_printed_of(SEQUENCE(ops), row, claim, step, output, size);
}

static void operations_of_rows_pass(void **state) {
    (void)state;
    const struct {
        const char *row;
        sequence from;
    } cases[] = {{"arena", SEQUENCE(arena_ops)}, {"arena_over_limited", SEQUENCE(arena_ops)},
        {"bump", SEQUENCE(bump_ops)}, {"pool", SEQUENCE(pool_ops)}, {"limited", SEQUENCE(limited_ops)}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char output[2048];
        int code = run_printed_of(cases[i].from, cases[i].row, HY_PRINT_GENERAL, 0, output, sizeof output);
        if (code != 0) fail_msg("%s: exit %d: %s", cases[i].row, code, output);
    }
}

static void a_correct_history_passes(void **state) {
    (void)state;
    static const char *const rows[] = {"arena", "fixed_buffer", "pool", "libc", "arena_over_fixed_buffer"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char output[2048];
        int code = run_printed(rows[i], HY_PRINT_GENERAL, 0, output, sizeof output);
        if (code != 0) fail_msg("%s: exit %d: %s", rows[i], code, output);
    }
}

static void a_wrong_claim_fails(void **state) {
    (void)state;
    static const struct {
        const char *row;
        hy_print_claim claim;
        size_t step;
        const char *message;
    } claims[] = {
        {"arena", HY_PRINT_MUST_NOT, 1, "step 1: a request that must be refused was served"},
        {"null", HY_PRINT_MUST, 0, "step 0: a request that fits was refused"},
        {"arena", HY_PRINT_FOOTPRINT, 4, "step 4: too much of the child is held"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        char output[2048];
        int code = run_printed(claims[i].row, claims[i].claim, claims[i].step, output, sizeof output);
        assert_int_equal(code, 134);
        assert_non_null(strstr(output, claims[i].message));
    }
}

/* Whether the program printed for a job contains `text`; it is not compiled. */
static bool prints(const hy_print_job *job, const char *text) {
    size_t size = 0;
    char *program = NULL;
    FILE *out = open_memstream(&program, &size);
    assert_non_null(out);
    assert_true(hy_print_c(out, job));
    assert_int_equal(fclose(out), 0);
    bool found = strstr(program, text) != NULL;
    free(program);
    return found;
}

static void each_kind_of_row_is_made_as_it_needs(void **state) {
    (void)state;
    hy_history none;
    hy_history_init(&none, hy_libc());
    hy_row labelled = *hy_registry_find("arena");
    labelled.name = "arena@head";
    hy_print_job job = {
        .row = &labelled, .history = &none, .finding = "what was found", .claim = HY_PRINT_MUST};
    job.faults = (hy_fault_policy){.alloc_refusal = 3, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = 0};
    assert_true(prints(&job, "if (strcmp(plugin->rows[i]->name, \"arena\") == 0) return plugin->rows[i];"));
    assert_true(prints(&job, "! -name '*_row.c') PLUGIN.so -lpthread"));
    assert_true(prints(&job, "expect(0, \"an instance could not be made\", 0)"));
    assert_true(prints(&job, "(void)child_vtable;"));
    assert_true(prints(&job, "#define CHILD_ALLOC_REFUSAL 3L"));
    assert_true(prints(&job, "#define CHILD_RESIZE_REFUSAL -1L"));
    job.row = hy_registry_find("jemalloc");
    job.claim = HY_PRINT_GENERAL;
    assert_true(prints(&job, "hy_registry_find(\"jemalloc\")"));
    assert_true(prints(&job, "allocators/registry.c allocators/peers -maxdepth 1"));
    assert_true(prints(&job, "expect(child_live_bytes == 0, \"an instance could not be made\", 0)"));
    job.row = hy_registry_find("pool");
    assert_true(prints(&job, "#define FIXED_CAPACITY 0"));
    job.row = hy_registry_find("fixed_buffer");
    assert_true(prints(&job, "#define FIXED_CAPACITY 1"));
    /* Blocks of one size exclude the claim even where the capacity is fixed. */
    labelled.traits |= HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FIXED_BLOCK;
    job.row = &labelled;
    assert_true(prints(&job, "#define FIXED_CAPACITY 0"));
    hy_history_deinit(&none);
}

static void a_claim_applies_to_one_step(void **state) {
    (void)state;
    hy_history history;
    hy_history_init(&history, hy_libc());
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        assert_true(hy_history_append(&history, ops[i]));
    hy_print_job job = {.row = hy_registry_find("arena"), .history = &history, .finding = "it", .step = 7};
    job.claim = HY_PRINT_NEWEST;
    assert_true(prints(&job, "end(7, 1, 1);"));
    job.step = 6;
    assert_true(prints(&job, "end(7, 1, 0);"));
    job.claim = HY_PRINT_GENERAL;
    job.step = 7;
    assert_true(prints(&job, "end(7, 1, 0);"));
    job.claim = HY_PRINT_MUST;
    job.step = 3;
    assert_true(prints(&job, "change(3, 'r', 1, 120u, MUST);"));
    hy_history_deinit(&history);
}

static void a_write_error_is_reported(void **state) {
    (void)state;
    hy_history none;
    hy_history_init(&none, hy_libc());
    hy_print_job job = {.row = hy_registry_find("arena"), .history = &none, .finding = "it"};
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    assert_false(hy_print_c(out, &job));
    (void)fclose(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_correct_history_passes),
        cmocka_unit_test(operations_of_rows_pass),
        cmocka_unit_test(a_wrong_claim_fails),
        cmocka_unit_test(each_kind_of_row_is_made_as_it_needs),
        cmocka_unit_test(a_claim_applies_to_one_step),
        cmocka_unit_test(a_write_error_is_reported),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
