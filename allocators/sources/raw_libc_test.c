/* raw_libc_test.c: what malloc does not align is refused, and told once. */
#include <heapyard/arena.h>
#include <heapyard/raw_libc.h>

#include "allocators/conformance/dies.h"

static void ask_for_a_page(void) {
    void *first = hy_alloc(hy_raw_libc(), 8, HY_ALIGN_4096),
         *second = hy_alloc(hy_raw_libc(), 8, HY_ALIGN_32);
    if (first || second) return;
    fputs("both refused\n", stderr);
    abort();
}

static void stronger_alignments_are_refused(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= HY_ALIGN_MAX_SCALAR.log2; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *block = hy_alloc(hy_raw_libc(), 3, align);
        assert_true(block && hy_align_check_pointer(block, HY_ALIGN_MAX_SCALAR));
        hy_free(hy_raw_libc(), block, 3, align);
    }
    assert_dies_saying(ask_for_a_page, "both refused");
}

/* Once: the second refusal follows the first line at once. */
static void checked_builds_tell_it_once(void **state) {
    (void)state;
#if HY_CHECK >= 1
    assert_dies_saying(
        ask_for_a_page, "refused an alignment of 2^12: malloc aligns to 16; use hy_libc()\nboth refused\n");
#endif
}

static void realloc_moves_and_refuses(void **state) {
    (void)state;
    char *block = hy_alloc(hy_raw_libc(), 4, HY_ALIGN_8);
    memcpy(block, "ABCD", 4);
    assert_null(hy_remap(hy_raw_libc(), block, 4, SIZE_MAX - 8, HY_ALIGN_8));
    assert_memory_equal(block, "ABCD", 4);
    assert_false(hy_resize(hy_raw_libc(), block, 4, 8, HY_ALIGN_8));
    block = hy_remap(hy_raw_libc(), block, 4, 100000, HY_ALIGN_8);
    assert_memory_equal(block, "ABCD", 4);
    hy_free(hy_raw_libc(), block, 100000, HY_ALIGN_8);
    volatile size_t huge = SIZE_MAX - 8; /* a size that the compiler knows would be a warning */
    assert_null(hy_alloc(hy_raw_libc(), huge, HY_ALIGN_1));
}

/* An arena over it serves what it does not. */
static void an_arena_over_it_aligns(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    void *block = hy_alloc(hy_arena_allocator(&arena), 100, HY_ALIGN_4096);
    assert_true(block && hy_align_check_pointer(block, HY_ALIGN_4096));
    hy_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stronger_alignments_are_refused),
        cmocka_unit_test(checked_builds_tell_it_once),
        cmocka_unit_test(realloc_moves_and_refuses),
        cmocka_unit_test(an_arena_over_it_aligns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
