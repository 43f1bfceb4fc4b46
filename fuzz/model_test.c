/* model_test.c: the model accepts what is right and tells each kind of wrong. */
#include "fuzz/model.h"

#include "fuzz/minimise.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static _Alignas(64) char memory[65536];

static void test_contents_are_followed(void **unused) {
    (void)unused;
    hy_model_begin();
    hy_model_add(3, memory + 128, 100, HY_ALIGN_8);
    hy_model_add(1, memory, 128, HY_ALIGN_64);
    hy_model_add(2, memory + 4096, 40000, HY_ALIGN_8);
    assert_int_equal(hy_model_live_count(), 3);
    assert_int_equal(hy_model_live_bytes(), 40228);
    assert_int_equal(hy_model_by_address(0), 1);
    assert_int_equal(hy_model_newest(), 2);
    hy_model_verify_all();
    hy_model_change(3, memory + 128, 30);
    memmove(memory + 256, memory + 128, 30);
    hy_model_change(3, memory + 256, 3000);
    hy_model_change(2, memory + 4096, 1500);
    hy_model_verify_all();
    hy_model_remove(1);
    hy_model_verify_near(memory);
    hy_model_clear();
    assert_int_equal(hy_model_live_bytes(), 0);
}

/* Wherever a block is moved to, its new place was allocated after every other block. */
static void test_moved_block_is_newest(void **unused) {
    (void)unused;
    hy_model_begin();
    hy_model_add(0, memory, 1, HY_ALIGN_1);
    hy_model_add(1, memory + 1, 1, HY_ALIGN_1);
    hy_model_change(0, memory, 1);
    assert_int_equal(hy_model_newest(), 1);
    memory[2] = memory[0];
    hy_model_change(0, memory + 2, 8);
    assert_int_equal(hy_model_newest(), 0);
    hy_model_add(2, memory + 10, 1, HY_ALIGN_1);
    assert_int_equal(hy_model_newest(), 2);
    hy_model_clear();
}

/* Each wrong, by number. */
static void wrong(const void *argument) {
    hy_model_begin();
    hy_model_add(0, memory, 100, HY_ALIGN_8);
    hy_model_add(1, memory + 1024, 5000, HY_ALIGN_8);
    switch (*(const int *)argument) {
    case 0:
        hy_model_add(2, memory + 99, 1, HY_ALIGN_1);
        break;
    case 1:
        hy_model_add(2, memory + 900, 125, HY_ALIGN_4);
        break;
    case 2:
        hy_model_add(2, memory + 8 * 1024 + 4, 8, HY_ALIGN_8);
        break;
    case 3:
        hy_model_add(2, memory + 8 * 1024, UINT64_MAX - 100, HY_ALIGN_8);
        break;
    case 4:
        memory[99]++;
        hy_model_verify(0);
        break;
    case 5:
        memory[1024 + 4999]++;
        hy_model_verify_near(memory + 1100);
        break;
    case 6:
        memory[50]++;
        hy_model_change(0, memory, 51);
        break;
    case 7:
        hy_model_change(0, memory, 1025);
        break;
    }
}

static void test_each_wrong_is_told(void **unused) {
    (void)unused;
    static const char *const kinds[] = {
        "overlap", "overlap", "alignment", "overlap", "content", "content", "content", "overlap"};
    for (int i = 0; i < (int)(sizeof kinds / sizeof kinds[0]); i++) {
        hy_verdict verdict;
        char wanted[40];
        hy_verdict_of(wrong, &i, 20, &verdict);
        snprintf(wanted, sizeof wanted, "finding: %s", kinds[i]);
        assert_string_equal(verdict.key, wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_are_followed),
        cmocka_unit_test(test_moved_block_is_newest),
        cmocka_unit_test(test_each_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
