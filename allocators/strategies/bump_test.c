/* bump_test.c: a pointer through a region: exact to the byte, and nothing wraps. */
#include <heapyard/bump.h>
#include <heapyard/typed.h>

#include "allocators/conformance/dies.h"

/* Byte counts are exact in regions of under 64 bytes under AddressSanitizer too. */
static _Alignas(64) char region[48];

static void serves_to_the_last_byte(void **state) {
    (void)state;
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    assert_ptr_equal(hy_bump_alloc(&bump, 1, HY_ALIGN_1), region);
    assert_ptr_equal(hy_bump_alloc(&bump, 8, HY_ALIGN_8), region + 8);
    assert_int_equal(hy_bump_room(&bump), 32);
    assert_null(hy_bump_alloc(&bump, 33, HY_ALIGN_1));
    assert_int_equal(hy_bump_room(&bump), 32);
    assert_ptr_equal(hy_bump_alloc(&bump, 32, HY_ALIGN_16), region + 16);
    assert_null(hy_bump_alloc(&bump, 1, HY_ALIGN_1));
    assert_true(hy_bump_check(&bump));
    hy_bump_deinit(&bump, region);
}

static void extremes_are_refused(void **state) {
    (void)state;
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        for (size_t below = 0; below < 70; below++) {
            assert_null(hy_bump_alloc(&bump, SIZE_MAX - below, align));
            assert_null(hy_bump_alloc(&bump, SIZE_MAX / 2 + below, align));
        }
        hy_bump_mark mark = hy_bump_save(&bump);
        char *ptr = hy_bump_alloc(&bump, 1, align);
        assert_true(!ptr || hy_align_check_pointer(ptr, align));
        assert_true(!ptr || (ptr >= region && ptr < region + sizeof region));
        hy_bump_restore(&bump, mark);
    }
    assert_int_equal(hy_bump_room(&bump), sizeof region);
    hy_bump_deinit(&bump, region);
}

/* The byte below its start is the greatest address: nothing may wrap around to the first one. */
static void no_region_serves_nothing(void **state) {
    (void)state;
    hy_bump bump;
    hy_bump_init(&bump, NULL, 0);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        assert_null(hy_bump_alloc(&bump, 1, hy_align_from_log2(log2)));
        assert_null(hy_bump_alloc(&bump, SIZE_MAX, hy_align_from_log2(log2)));
    }
    hy_bump_restore(&bump, hy_bump_save(&bump));
    assert_int_equal(hy_bump_room(&bump), 0);
    assert_true(hy_bump_check(&bump));
    hy_bump_deinit(&bump, NULL);
}

static void only_restore_gives_back(void **state) {
    (void)state;
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    hy_allocator allocator = hy_bump_allocator(&bump);
    hy_bump_mark start = hy_bump_save(&bump);
    char *first = hy_alloc(allocator, 8, HY_ALIGN_8);
    hy_bump_mark mark = hy_bump_save(&bump);
    char *second = hy_alloc(allocator, 8, HY_ALIGN_8);
    assert_non_null(second);
    hy_free(allocator, second, 8, HY_ALIGN_8);
    assert_int_equal(hy_bump_room(&bump), 32);
    hy_bump_restore(&bump, mark);
    assert_ptr_equal(hy_alloc(allocator, 8, HY_ALIGN_8), second);
    hy_bump_restore(&bump, start);
    assert_ptr_equal(hy_alloc(allocator, 8, HY_ALIGN_8), first);
    hy_bump_deinit(&bump, region);
}

static void only_the_newest_grows(void **state) {
    (void)state;
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    hy_allocator allocator = hy_bump_allocator(&bump);
    char *first = hy_alloc(allocator, 8, HY_ALIGN_8);
    char *second = hy_alloc(allocator, 8, HY_ALIGN_8);
    memset(second, 7, 8);
    assert_false(hy_resize(allocator, first, 8, 9, HY_ALIGN_8));
    assert_true(hy_resize(allocator, first, 8, 4, HY_ALIGN_8));
    assert_true(hy_resize(allocator, second, 8, 40, HY_ALIGN_8));
    assert_int_equal(second[7], 7);
    assert_false(hy_resize(allocator, second, 40, 41, HY_ALIGN_8));
    assert_null(hy_remap(allocator, second, 40, SIZE_MAX, HY_ALIGN_8));
    assert_ptr_equal(hy_remap(allocator, second, 40, 3, HY_ALIGN_8), second);
    hy_bump_deinit(&bump, region);
}

static void start_beyond_all_memory(void) {
    hy_bump bump;
    hy_bump_init(&bump, region, SIZE_MAX);
}

static void restore_forward(void) {
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    hy_bump_mark start = hy_bump_save(&bump);
    if (!hy_bump_alloc(&bump, 8, HY_ALIGN_8)) return;
    hy_bump_mark later = hy_bump_save(&bump);
    hy_bump_restore(&bump, start);
    hy_bump_restore(&bump, later);
}

static void misuse_is_caught(void **state) {
    (void)state;
#if HY_CHECK >= 1
    assert_dies_saying(restore_forward, "hy_bump_restore: got ");
    assert_dies_saying(restore_forward, "must be a mark that no restore went behind");
    assert_dies_saying(start_beyond_all_memory, "hy_bump_init: got 18446744073709551615");
    assert_dies_saying(
        start_beyond_all_memory, "must be the size of a region that lies in the address space");
#else
    (void)restore_forward, (void)start_beyond_all_memory;
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_to_the_last_byte),
        cmocka_unit_test(extremes_are_refused),
        cmocka_unit_test(no_region_serves_nothing),
        cmocka_unit_test(only_restore_gives_back),
        cmocka_unit_test(only_the_newest_grows),
        cmocka_unit_test(misuse_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
