/* align_test.c: the arithmetic of alignments at its edges. */
#include <heapyard/align.h>

#include "allocators/conformance/dies.h"

static void bytes_and_log2_agree(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        assert_int_equal(align.log2, log2);
        assert_true(hy_align_bytes(align) == (size_t)1 << log2);
        assert_int_equal(hy_align_from_bytes(hy_align_bytes(align)).log2, log2);
    }
    assert_int_equal(hy_align_of(double).log2, 3);
    assert_int_equal(HY_ALIGN_MAX_SCALAR.log2, 4);
}

static void common_alignments_have_names(void **state) {
    (void)state;
    const hy_align named[] = {
        HY_ALIGN_1, HY_ALIGN_2, HY_ALIGN_4, HY_ALIGN_8, HY_ALIGN_16, HY_ALIGN_32, HY_ALIGN_64, HY_ALIGN_128};
    for (unsigned log2 = 0; log2 < sizeof named / sizeof *named; log2++)
        assert_int_equal(named[log2].log2, log2);
    assert_int_equal(hy_align_bytes(HY_ALIGN_4096), 4096);
    assert_int_equal(hy_align_bytes(HY_ALIGN_CACHE_LINE), HY_CACHE_LINE);
    assert_int_equal(hy_align_of(max_align_t).log2, HY_ALIGN_MAX_SCALAR.log2);
    assert_int_equal(hy_align_of(char).log2, 0);
    typedef struct strong {
        _Alignas(256) char bytes[3];
    } strong;
    assert_int_equal(hy_align_of(strong).log2, 8);
}

static void try_tells_what_is_no_power_of_two(void **state) {
    (void)state;
    hy_align align = HY_ALIGN_8;
    assert_false(hy_align_try(0, &align));
    assert_false(hy_align_try(24, &align));
    assert_false(hy_align_try(SIZE_MAX, &align));
    assert_int_equal(align.log2, 3);
    assert_true(hy_align_try(4096, &align));
    assert_int_equal(align.log2, 12);
}

static void rounding_is_exact_and_tells_overflow(void **state) {
    (void)state;
    assert_int_equal(hy_align_forward(0, HY_ALIGN_16), 0);
    assert_int_equal(hy_align_forward(1, HY_ALIGN_16), 16);
    assert_int_equal(hy_align_forward(16, HY_ALIGN_16), 16);
    assert_int_equal(hy_align_backward(17, HY_ALIGN_16), 16);
    assert_int_equal(hy_align_backward(15, HY_ALIGN_16), 0);
    assert_true(hy_align_check(48, HY_ALIGN_16));
    assert_false(hy_align_check(40, HY_ALIGN_16));

    size_t out = 7;
    assert_false(hy_align_forward_checked(SIZE_MAX, HY_ALIGN_2, &out));
    assert_false(hy_align_forward_checked(SIZE_MAX - 14, HY_ALIGN_16, &out));
    assert_int_equal(out, 7);
    assert_true(hy_align_forward_checked(SIZE_MAX - 15, HY_ALIGN_16, &out));
    assert_true(out == SIZE_MAX - 15);
    assert_true(hy_align_forward_checked(1, hy_align_from_log2(HY_ALIGN_LOG2_MAX), &out));
    assert_true(out == (size_t)1 << HY_ALIGN_LOG2_MAX);
}

static void comparing(void **state) {
    (void)state;
    assert_int_equal(hy_align_compare(HY_ALIGN_1, HY_ALIGN_2), -1);
    assert_int_equal(hy_align_compare(HY_ALIGN_2, HY_ALIGN_2), 0);
    assert_int_equal(hy_align_compare(HY_ALIGN_4, HY_ALIGN_2), 1);
    assert_int_equal(hy_align_max(HY_ALIGN_4, HY_ALIGN_64).log2, 6);
}

static void from_24_bytes(void) {
    (void)hy_align_from_bytes(24);
}

static void from_log2_64(void) {
    (void)hy_align_from_log2(64);
}

static void misuse_names_function_value_and_rule(void **state) {
    (void)state;
    assert_dies_saying(from_24_bytes, "hy_align_from_bytes: got 24 (0x18), must be a power of two");
    assert_dies_saying(from_log2_64, "hy_align_from_log2: got 64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_log2_agree),
        cmocka_unit_test(common_alignments_have_names),
        cmocka_unit_test(try_tells_what_is_no_power_of_two),
        cmocka_unit_test(rounding_is_exact_and_tells_overflow),
        cmocka_unit_test(comparing),
        cmocka_unit_test(misuse_names_function_value_and_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
