/* memory_test.c: raw bytes, with the cases that the C library leaves undefined. */
#include <heapyard/memory.h>

#include "allocators/conformance/dies.h"

static void zero_sizes_take_null(void **state) {
    (void)state;
    hy_mem_set(NULL, 1, 0);
    hy_mem_zero(NULL, 0);
    hy_mem_copy(NULL, NULL, 0);
    hy_mem_move(NULL, NULL, 0);
    assert_int_equal(hy_mem_compare(NULL, NULL, 0), 0);
    assert_true(hy_mem_equal(NULL, NULL, 0));
}

static void bytes_are_set_copied_and_moved(void **state) {
    (void)state;
    char bytes[8] = "abcdefg";
    hy_mem_move(bytes + 1, bytes, 6);
    assert_string_equal(bytes, "aabcdef");
    hy_mem_set(bytes, 'x', 3);
    assert_string_equal(bytes, "xxxcdef");
    char copy[8];
    hy_mem_copy(copy, bytes, sizeof copy);
    assert_true(hy_mem_equal(copy, bytes, sizeof copy));
    hy_mem_zero(copy, sizeof copy);
    assert_int_equal(copy[0], 0);
    assert_false(hy_mem_equal(copy, bytes, sizeof copy));
}

static void order_is_of_unsigned_bytes(void **state) {
    (void)state;
    assert_true(hy_mem_compare("\x80", "\x7f", 1) > 0);
    assert_true(hy_mem_compare("a", "b", 1) < 0);
    assert_int_equal(hy_mem_compare("ab", "ac", 1), 0);
}

static void overlap_is_by_range(void **state) {
    (void)state;
    char bytes[8] = {0};
    assert_true(hy_mem_overlaps(bytes, bytes + 3, 4));
    assert_true(hy_mem_overlaps(bytes + 3, bytes, 4));
    assert_false(hy_mem_overlaps(bytes, bytes + 4, 4));
    assert_false(hy_mem_overlaps(bytes, bytes, 0));
}

static void copy_onto_itself(void) {
    char bytes[8] = {0};
    volatile size_t size = 4; /* the compiler would tell at once */
    hy_mem_copy(bytes + 1, bytes, size);
}

static void overlapping_copy_is_caught(void **state) {
    (void)state;
    assert_dies_saying(copy_onto_itself, "hy_mem_copy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_sizes_take_null),
        cmocka_unit_test(bytes_are_set_copied_and_moved),
        cmocka_unit_test(order_is_of_unsigned_bytes),
        cmocka_unit_test(overlap_is_by_range),
        cmocka_unit_test(overlapping_copy_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
