/* libc_test.c: any alignment, and growth within what malloc gave anyway. */
#include <heapyard/libc.h>
#include <malloc.h>

#include "allocators/conformance/dies.h"

static void grows_in_place_up_to_what_malloc_gave(void **state) {
    (void)state;
    hy_allocator gpa = hy_libc();
    const size_t sizes[] = {1, 20, 100, 5000, 200001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = hy_alloc(gpa, sizes[i], HY_ALIGN_8);
        size_t usable = malloc_usable_size(block);
        assert_true(hy_resize(gpa, block, sizes[i], usable, HY_ALIGN_8));
        memset(block, 'x', usable);
        assert_false(hy_resize(gpa, block, usable, usable + 1, HY_ALIGN_8));
        assert_false(hy_resize(gpa, block, usable, SIZE_MAX, HY_ALIGN_8));
        assert_true(hy_resize(gpa, block, usable, 1, HY_ALIGN_8));
        hy_free(gpa, block, 1, HY_ALIGN_8);
    }
}

static void alignments_survive_a_change_of_size(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= 16; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *block = hy_alloc(hy_libc(), 10, align);
        memcpy(block, "ABCDEFGHI", 10);
        block = hy_realloc(hy_libc(), block, 10, 300000, align);
        assert_true(block && hy_align_check_pointer(block, align));
        assert_string_equal(block, "ABCDEFGHI");
        block = hy_realloc(hy_libc(), block, 300000, 10, align);
        assert_true(block && hy_align_check_pointer(block, align));
        assert_string_equal(block, "ABCDEFGHI");
        hy_free(hy_libc(), block, 10, align);
    }
}

static void what_no_memory_holds_is_refused(void **state) {
    (void)state;
    volatile size_t huge = SIZE_MAX; /* a size that the compiler knows would be a warning */
    char *block = hy_alloc(hy_libc(), 4, HY_ALIGN_4);
    memcpy(block, "ABCD", 4);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        assert_null(hy_alloc(hy_libc(), huge, align));
        assert_null(hy_alloc(hy_libc(), huge / 2 + 1, align));
    }
    assert_null(hy_realloc(hy_libc(), block, 4, huge, HY_ALIGN_4));
    assert_memory_equal(block, "ABCD", 4);
    hy_free(hy_libc(), block, 4, HY_ALIGN_4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_in_place_up_to_what_malloc_gave),
        cmocka_unit_test(alignments_survive_a_change_of_size),
        cmocka_unit_test(what_no_memory_holds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
