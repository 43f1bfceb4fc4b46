/* conformance_test.c: a subtest for every row and every check that applies to it. After a row's first
 * failure its other checks are skipped, because a broken allocator may make them fail too.
 *
 *   conformance_test [--plugin=LABEL=PATH]… [PREFIX]
 *
 * PREFIX: only rows whose names begin with it. With plugins, only their rows. Under ThreadSanitizer, without
 * PREFIX, only rows that threads may share: it sees nothing in what one thread does.
 */
#include "allocators/conformance/check.h"
#include "allocators/peers/peers.h"
#include "allocators/plugins.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct subtest {
    const hy_row *row;
    const hy_conformance_check *check;
    char name[128];
} subtest;

static const hy_row *failed_row; /* the last row with a failure */

static void run_subtest(void **state) {
    subtest *test = *state;
    char why[HY_CONFORMANCE_WHY] = "";
    if (test->row == failed_row) skip();
    if (hy_conformance_run(test->check, test->row, why)) return;
    failed_row = test->row;
    fail_msg("%s: %s: %s", test->row->name, test->check->name, why);
}

/* Lists the subtests of rows whose name begins with `prefix`; returns their number. */
static size_t list_subtests(subtest *tests, const char *prefix) {
    size_t check_count, count = 0;
    const hy_conformance_check *checks = hy_conformance_checks(&check_count);
    const hy_row *row;
    for (size_t r = 0; (row = hy_plugins_chosen(r)) != NULL; r++) {
        if (strncmp(row->name, prefix, strlen(prefix)) != 0) continue;
        if (HY_TSAN && !*prefix && !(row->traits & HY_TRAIT_THREAD_SAFE)) {
            print_message("%s: left out: no threads may share it\n", row->name);
            continue;
        }
        if (row->missing) print_message("%s: not in this build: %s\n", row->name, row->missing);
        for (size_t i = 0; i < check_count; i++) {
            if (!hy_conformance_applies(&checks[i], row)) continue;
            subtest *test = &tests[count++];
            test->row = row;
            test->check = &checks[i];
            snprintf(test->name, sizeof test->name, "%s/%s", row->name, checks[i].name);
        }
    }
    return count;
}

static int run_all(subtest *tests, struct CMUnitTest *units, const char *prefix) {
    size_t count = list_subtests(tests, prefix);
    if (count == 0) {
        print_error("no row begins with \"%s\"; did you mean %s?\n", prefix, hy_registry_suggest(prefix));
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < count; i++) {
        units[i] = (struct CMUnitTest){tests[i].name, run_subtest, NULL, NULL, &tests[i]};
    }
    return _cmocka_run_group_tests("conformance", units, count, NULL, NULL);
}

/* Loads the plugins and returns the prefix, "" where none is given. NULL: the error was printed. */
static const char *read_arguments(char **argv) {
    static const char option[] = "--plugin=";
    const char *prefix = "";
    for (size_t i = 1; argv[i]; i++) {
        char error[512];
        if (strncmp(argv[i], option, sizeof option - 1) != 0) {
            prefix = argv[i];
        } else if (!hy_plugins_load(argv[i] + sizeof option - 1, error, sizeof error)) {
            print_error("%s: %s\n", argv[i], error);
            return NULL;
        }
    }
    return prefix;
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hy_peers_reexec(argv)) return EXIT_FAILURE;
    const char *prefix = read_arguments(argv);
    if (!prefix) return 2;
    size_t row_count = 0, check_count;
    while (hy_plugins_chosen(row_count))
        row_count++;
    hy_conformance_checks(&check_count);
    size_t most = row_count * check_count;
    subtest *tests = hy_alloc_n(hy_libc(), subtest, most);
    struct CMUnitTest *units = hy_alloc_n(hy_libc(), struct CMUnitTest, most);
    int failed = tests && units ? run_all(tests, units, prefix) : EXIT_FAILURE;
    hy_free_n(hy_libc(), units, most);
    hy_free_n(hy_libc(), tests, most);
    return failed;
}
