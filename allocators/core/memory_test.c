/* memory_test.c: raw bytes, with the cases that the C library leaves undefined. */
#include <heapyard/memory.h>

#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>

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

static void a_block_of_raw_bytes_comes_and_goes(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    uint8_t *bytes = hy_alloc_bytes(hy_counting_allocator(&counting), 13);
    assert_non_null(bytes);
    hy_mem_set(bytes, 7, 13);
    assert_int_equal(counting.counts.live_bytes, 13);
    assert_int_equal(*(uint8_t *)hy_ptr_add(bytes, 12), 7);
    assert_ptr_equal(hy_ptr_add_within(bytes, 13, 13), bytes + 13);
    hy_free_bytes(hy_counting_allocator(&counting), bytes, 13);
    hy_free_bytes(hy_counting_allocator(&counting), NULL, 13);
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_null(hy_alloc_bytes(hy_null(), 1));
    assert_null(hy_alloc_bytes(hy_libc(), SIZE_MAX));
    assert_null(hy_ptr_add(NULL, 0));
}

static void null_is_moved(void) {
    volatile size_t offset = 1;
    (void)*(volatile uint8_t *)hy_ptr_add(NULL, offset);
}

static void the_end_is_passed(void) {
    char byte;
    volatile size_t offset = SIZE_MAX;
    (void)*(volatile uint8_t *)hy_ptr_add(&byte, offset);
}

static void a_block_is_left(void) {
    char bytes[8];
    volatile size_t offset = 9;
    (void)*(volatile uint8_t *)hy_ptr_add_within(bytes, sizeof bytes, offset);
}

static void wrong_places_are_caught(void **state) {
    (void)state;
    assert_dies_saying(null_is_moved, "0 for a NULL pointer");
    assert_dies_saying(the_end_is_passed, "within the address space");
    assert_dies_saying(a_block_is_left, "at most the size of the block");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_sizes_take_null),
        cmocka_unit_test(bytes_are_set_copied_and_moved),
        cmocka_unit_test(order_is_of_unsigned_bytes),
        cmocka_unit_test(overlap_is_by_range),
        cmocka_unit_test(overlapping_copy_is_caught),
        cmocka_unit_test(a_block_of_raw_bytes_comes_and_goes),
        cmocka_unit_test(wrong_places_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
