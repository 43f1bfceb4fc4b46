/* print_c_test.c: what is printed compiles, passes where the history holds, and fails where it claims what
 * doesn't. The compiler is the one that built this test; CMake names it and the libraries. */
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
};

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

/* Prints, compiles and runs; returns the exit code (134: aborted), and what was said in `words`. */
static int run_printed(const char *row, hy_print_claim claim, size_t step, char *words, size_t size) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        assert_true(hy_history_append(&history, ops[i]));
    hy_print_job job = {
        .row = hy_registry_find(row),
        .config = {.child = hy_libc(), .capacity = 4096, .block_size = 512, .block_align = {6}},
        .manners = {true, false, false, HY_BYTES_NEVER, HY_BYTES_NEVER, HY_BYTES_NEVER},
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
    (void)snprintf(command, sizeof command, "ulimit -c 0; %s/printed 2> %s/said", folder, folder);
    int status = system(command);
    (void)snprintf(path, sizeof path, "%s/said", folder);
    FILE *said = fopen(path, "r");
    assert_non_null(said);
    words[fread(words, 1, size - 1, said)] = '\0';
    fclose(said);
    return WEXITSTATUS(status);
}

static void a_history_that_holds_passes(void **state) {
    (void)state;
    static const char *const rows[] = {"arena", "fixed_buffer", "pool", "libc", "arena_over_fixed_buffer"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[2048];
        int code = run_printed(rows[i], HY_PRINT_GENERAL, 0, words, sizeof words);
        if (code != 0) fail_msg("%s: exit %d: %s", rows[i], code, words);
    }
}

static void a_wrong_claim_fails(void **state) {
    (void)state;
    static const struct {
        const char *row;
        hy_print_claim claim;
        size_t step;
        const char *says;
    } claims[] = {
        {"arena", HY_PRINT_MUST_NOT, 1, "step 1: a request that must be refused was served"},
        {"null", HY_PRINT_MUST, 0, "step 0: a request that fits was refused"},
        {"arena", HY_PRINT_FOOTPRINT, 4, "step 4: too much of the child is held"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        char words[2048];
        int code = run_printed(claims[i].row, claims[i].claim, claims[i].step, words, sizeof words);
        assert_int_equal(code, 134);
        assert_non_null(strstr(words, claims[i].says));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_that_holds_passes),
        cmocka_unit_test(a_wrong_claim_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
