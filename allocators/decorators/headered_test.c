/* headered_test.c: sizeless calls, any alignment, and what is told when the rules are broken. */
#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>

static void sizeless_calls_give_everything_back(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_headered headered = HY_HEADERED_INIT(hy_counting_allocator(&counting));
    char *text = hy_headered_malloc(&headered, 6);
    memcpy(text, "hello", 6);
    assert_int_equal(hy_headered_size(text), 6);
    assert_int_equal(counting.counts.live_bytes, 6 + 16);
    text = hy_headered_realloc(&headered, text, 60000);
    assert_string_equal(text, "hello");
    assert_int_equal(hy_headered_size(text), 60000);
    text = hy_headered_realloc(&headered, text, 6);
    assert_string_equal(text, "hello");
    hy_headered_free(&headered, text);
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void calloc_zeroes_and_refuses_overflow(void **state) {
    (void)state;
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    char *bytes = hy_headered_calloc(&headered, 10, 100);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(bytes[i], 0);
    hy_headered_free(&headered, bytes);
    assert_null(hy_headered_calloc(&headered, SIZE_MAX / 2, 3));
    assert_null(hy_headered_malloc(&headered, SIZE_MAX));
    assert_null(hy_headered_malloc(&headered, SIZE_MAX - 15));
}

static void nothing_is_a_block_too(void **state) {
    (void)state;
    hy_headered headered = HY_HEADERED_INIT(hy_null());
    void *none = hy_headered_malloc(&headered, 0);
    assert_non_null(none);
    assert_int_equal(hy_headered_size(none), 0);
    hy_headered_free(&headered, none);
    hy_headered_free(&headered, NULL);
    hy_headered_free(&headered, hy_alloc(hy_headered_allocator(&headered), 0, HY_ALIGN_4096));
    assert_null(hy_headered_realloc(&headered, none, 10));
    hy_headered_init(&headered, hy_libc());
    void *ptr = hy_headered_realloc(&headered, NULL, 10);
    assert_non_null(ptr);
    assert_ptr_equal(hy_headered_realloc(&headered, ptr, 0), none);
}

static void any_alignment_is_kept(void **state) {
    (void)state;
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    for (unsigned log2 = 0; log2 <= 16; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *ptr = hy_headered_aligned_alloc(&headered, align, 100);
        assert_true(hy_align_check_pointer(ptr, align));
        assert_int_equal(hy_headered_align(ptr).log2, log2);
        memset(ptr, 7, 100);
        ptr = hy_headered_realloc(&headered, ptr, 9000);
        assert_true(hy_align_check_pointer(ptr, align));
        assert_int_equal(ptr[99], 7);
        hy_headered_free(&headered, ptr);
    }
}

static void kinds_may_be_mixed(void **state) {
    (void)state;
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    hy_allocator gpa = hy_headered_allocator(&headered);
    void *ptr = hy_alloc(gpa, 50, HY_ALIGN_64);
    hy_headered_free(&headered, ptr);
    ptr = hy_headered_malloc(&headered, 50);
    hy_free(gpa, ptr, 50, HY_ALIGN_MAX_SCALAR);
}

static void a_refusal_leaves_the_block(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 1;
    options.fail_resize_at = 0;
    hy_failing_init(&failing, hy_libc(), &options);
    hy_headered headered = HY_HEADERED_INIT(hy_failing_allocator(&failing));
    char *text = hy_headered_malloc(&headered, 6);
    memcpy(text, "hello", 6);
    assert_null(hy_headered_realloc(&headered, text, 100));
    assert_string_equal(text, "hello");
    assert_int_equal(hy_headered_size(text), 6);
    hy_headered_free(&headered, text);
    assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
}

static _Alignas(16) char buffer[256];

static void free_something_else(void) {
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    hy_headered_free(&headered, buffer + 64);
}

static void free_with_another_size(void) {
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    hy_allocator gpa = hy_headered_allocator(&headered);
    hy_free(gpa, hy_alloc(gpa, 50, HY_ALIGN_8), 49, HY_ALIGN_8);
}

static void free_with_another_alignment(void) {
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    hy_allocator gpa = hy_headered_allocator(&headered);
    hy_free(gpa, hy_alloc(gpa, 50, HY_ALIGN_16), 50, HY_ALIGN_8);
}

static void misuse_is_told(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(free_something_else, "a live block of a headered allocator");
    assert_dies_saying(free_with_another_size, "the size that the block lives with");
    assert_dies_saying(free_with_another_alignment, "the alignment that the block lives with");
}

#if HY_ASAN
static void write_before_the_block(void) {
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    char *volatile ptr = hy_headered_malloc(&headered, 50);
    ptr[-1] = 1;
    hy_headered_free(&headered, ptr);
}

static void a_write_before_the_block_is_told(void **state) {
    (void)state;
    assert_int_not_equal(status_of_child(write_before_the_block, STDERR_FILENO), 0);
}
#else
static void write_before_the_block(void) {
    hy_headered headered = HY_HEADERED_INIT(hy_libc());
    char *volatile ptr = hy_headered_malloc(&headered, 50);
    memset(ptr - 16, 0, 16);
    hy_headered_free(&headered, ptr);
}

static void a_write_before_the_block_is_told(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(write_before_the_block, "a live block of a headered allocator");
}
#endif

static void nothing_has_the_usual_alignment(void **state) {
    (void)state;
    assert_int_equal(hy_headered_align(NULL).log2, HY_ALIGN_MAX_SCALAR.log2);
}

static void calloc_of_nothing_and_without_memory(void **state) {
    (void)state;
    hy_headered headered = HY_HEADERED_INIT(hy_libc()), empty = HY_HEADERED_INIT(hy_null());
    hy_headered_free(&headered, hy_headered_calloc(&headered, 0, 8));
    assert_null(hy_headered_calloc(&empty, 2, 8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_the_usual_alignment),
        cmocka_unit_test(calloc_of_nothing_and_without_memory),
        cmocka_unit_test(sizeless_calls_give_everything_back),
        cmocka_unit_test(calloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(nothing_is_a_block_too),
        cmocka_unit_test(any_alignment_is_kept),
        cmocka_unit_test(kinds_may_be_mixed),
        cmocka_unit_test(a_refusal_leaves_the_block),
        cmocka_unit_test(misuse_is_told),
        cmocka_unit_test(a_write_before_the_block_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
