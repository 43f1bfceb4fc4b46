/* canary_test.c: the alarm works: the planted bug is found without a corpus, shrinks to a handful of
 * operations, and a property that must fail is marked so.
 */
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"
#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INPUTS 3000
#define INPUT_BYTES 64

typedef struct drawn {
    uint8_t bytes[INPUT_BYTES];
} drawn;

static drawn draw(uint64_t seed) {
    drawn input;
    for (size_t i = 0; i < sizeof input.bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        input.bytes[i] = (uint8_t)(seed >> 56);
    }
    return input;
}

static void run_drawn(const void *argument) {
    const drawn *input = argument;
    hy_property_find("canary")->run(NULL, input->bytes, sizeof input->bytes);
}

static void run_many(const void *argument) {
    (void)argument;
    for (uint64_t seed = 0; seed < INPUTS; seed++) {
        drawn input = draw(seed);
        run_drawn(&input);
    }
}

static void test_the_planted_bug_is_found_and_minimised(void **unused) {
    (void)unused;
    hy_verdict verdict;
    hy_verdict_of(run_many, NULL, 60, &verdict);
    assert_string_equal(verdict.key, "finding: overlap");

    const hy_row *row = hy_property_find("canary")->history_row(NULL);
    hy_case failing = {.row = row};
    for (uint64_t seed = 0;; seed++) {
        drawn input = draw(seed);
        assert_true(seed < INPUTS);
        hy_verdict_of(run_drawn, &input, 60, &verdict);
        if (!verdict.key[0]) continue;
        failing.history = *hy_history_of(row, input.bytes, sizeof input.bytes, &failing.header);
        break;
    }
    hy_case_try(&failing, &verdict);
    hy_case_minimise(&failing, &verdict, 2000);
    assert_string_equal(verdict.key, "finding: overlap");
    assert_in_range(failing.history.count, 3, 4);

    /* It is the model that sees it. */
    char error[256];
    assert_true(hy_oracles_choose("-model", error, sizeof error));
    hy_case_try(&failing, &verdict);
    assert_string_equal(verdict.key, "");
    assert_true(hy_oracles_choose(NULL, error, sizeof error));
}

static void test_only_the_canary_must_fail(void **unused) {
    (void)unused;
    size_t count;
    const hy_property *const *properties = hy_properties(&count);
    assert_true(count >= 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(properties[i]->must_fail, strcmp(properties[i]->name, "canary") == 0);
        assert_ptr_equal(hy_property_find(properties[i]->name), properties[i]);
        assert_true(!properties[i]->over_rows || properties[i]->applies);
    }
    assert_null(hy_property_find("no_such"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_planted_bug_is_found_and_minimised),
        cmocka_unit_test(test_only_the_canary_must_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
