/* libc_tap_test.c: what stands in malloc's place for AFL++, under the linker's --wrap. */
#undef HY_LIBC_TAP
#define HY_LIBC_TAP 1
#include "fuzz/libc_tap.c"

#include "allocators/conformance/dies.h"
#include <heapyard/config.h>

static char *volatile block; /* compilers know malloc */

static void each_run_finds_the_same_addresses(void **state) {
    (void)state;
    uintptr_t first = 0;
    for (int run = 0; run < 3; run++) {
        hy_libc_tap_begin();
        block = malloc(10);
        void *aligned = NULL;
        assert_int_equal(posix_memalign(&aligned, 256, 1), 0);
        assert_int_equal((uintptr_t)aligned % 256, 0);
        assert_true(run == 0 || first == (uintptr_t)block);
        first = (uintptr_t)block;
        assert_int_equal(hy_libc_tap_bytes(), 11);
        free(aligned);
        free(block);
        block = malloc(10);
        assert_true((uintptr_t)block > (uintptr_t)aligned); /* nothing serves twice */
        free(block);
        hy_libc_tap_end();
    }
    assert_int_equal(hy_libc_tap_bytes(), 0);
}

static void what_outlives_a_run_stays(void **state) {
    (void)state;
    hy_libc_tap_begin();
    block = malloc(4);
    memcpy(block, "abc", 4);
    hy_libc_tap_end();
    hy_libc_tap_begin();
    char *volatile other = malloc(4);
    assert_true(other > block);
    free(other);
    hy_libc_tap_end();
    char *moved = realloc(block, 100);
    assert_false(is_ours(moved));
    assert_string_equal(moved, "abc");
    free(moved);
    assert_int_equal(hy_libc_tap_bytes(), 0);
}

static void the_library_serves_the_rest(void **state) {
    (void)state;
    block = malloc(10);
    assert_false(is_ours(block));
    hy_libc_tap_begin();
    block = realloc(block, 20);
    assert_false(is_ours(block));
    free(block);
    block = malloc(BLOCK_MAX + 1);
    assert_false(is_ours(block));
    free(block);
    block = malloc(0);
    assert_non_null(block);
    assert_null(realloc(block, 0));
    hy_libc_tap_end();
    assert_int_equal(hy_libc_tap_bytes(), 0);
}

static void free_twice(void) {
    hy_libc_tap_begin();
    block = malloc(10);
    char *volatile again = block;
    free(block);
    free(again);
}

static void free_inside(void) {
    hy_libc_tap_begin();
    block = malloc(100);
    char *volatile inside = block + 16;
    free(inside);
}

static void what_is_no_live_block_is_a_finding(void **state) {
    (void)state;
    assert_dies_saying(free_twice, "which was freed before");
    assert_dies_saying(free_inside, "which is no block of malloc");
}

#if HY_ASAN
static void redzones_and_freed_memory_are_poisoned(void **state) {
    (void)state;
    hy_libc_tap_begin();
    block = malloc(10);
    assert_false(__asan_address_is_poisoned(block + 9));
    assert_true(__asan_address_is_poisoned(block + 10));
    assert_true(__asan_address_is_poisoned(block - 1));
    free(block);
    assert_true(__asan_address_is_poisoned(block));
    hy_libc_tap_end();
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_finds_the_same_addresses),
        cmocka_unit_test(what_outlives_a_run_stays),
        cmocka_unit_test(the_library_serves_the_rest),
        cmocka_unit_test(what_is_no_live_block_is_a_finding),
#if HY_ASAN
        cmocka_unit_test(redzones_and_freed_memory_are_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
