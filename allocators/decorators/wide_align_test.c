/* wide_align_test.c: alignments, overhead, what the child is given back, and what is told. */
#include "allocators/conformance/dies.h"
#include <heapyard/arena.h>
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/raw_libc.h>
#include <heapyard/wide_align.h>

/* A child that aligns to 2^log2 and to nothing more: blocks of a buffer, at odd multiples. */
typedef struct strict {
    hy_fixed_buffer fixed;
    hy_counting counting;
    _Alignas(64) char buffer[65536];
} strict;

static strict child;

static void *strict_alloc(void *self, size_t size, hy_align align) {
    strict *s = self;
    size_t step = hy_align_bytes(align);
    char *ptr = hy_fixed_buffer_alloc(&s->fixed, step, align);
    if (!ptr) return NULL;
    if (hy_align_check_pointer(ptr, hy_align_from_log2(align.log2 + 1u))) {
        char *odd = hy_fixed_buffer_alloc(&s->fixed, size, align);
        return odd;
    }
    return hy_fixed_buffer_resize(&s->fixed, ptr, step, size, align) ? ptr : NULL;
}

static void strict_free(void *self, void *ptr, size_t size, hy_align align) {
    strict *s = self;
    hy_fixed_buffer_free(&s->fixed, ptr, size, align);
}

static hy_allocator strict_child(void) {
    static const hy_vtable vtable = {strict_alloc, hy_refuse_resize, hy_refuse_remap, strict_free};
    hy_fixed_buffer_init(&child.fixed, child.buffer, sizeof child.buffer);
    hy_counting_init(&child.counting, (hy_allocator){&child, &vtable});
    return hy_counting_allocator(&child.counting);
}

static void every_alignment_over_every_smaller_one(void **state) {
    (void)state;
    for (unsigned greatest = 0; greatest <= 6; greatest++) {
        hy_wide_align wide;
        for (unsigned log2 = 0; log2 <= 13; log2++) {
            hy_wide_align_init(&wide, strict_child(), hy_align_from_log2(greatest));
            hy_allocator gpa = hy_wide_align_allocator(&wide);
            hy_align align = hy_align_from_log2(log2);
            char *ptr = hy_alloc(gpa, 100, align);
            assert_true(ptr && hy_align_check_pointer(ptr, align));
            size_t added = child.counting.counts.live_bytes - 100;
            assert_int_equal(added, hy_wide_align_overhead(&wide, align));
            if (log2 <= greatest) assert_int_equal(added, 0);
            assert_true(added <= hy_align_bytes(align) + 2 * sizeof(void *));
            memset(ptr, 7, 100);
            hy_free(gpa, ptr, 100, align);
            assert_int_equal(child.counting.counts.live_bytes, 0);
            hy_fixed_buffer_deinit(&child.fixed);
        }
    }
}

static void sizes_change_and_the_word_is_kept(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_raw_libc());
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_counting_allocator(&counting), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    static const size_t sizes[] = {60000, 3, 100, 1000000, 4096, 1, 5000000};
    for (unsigned log2 = 0; log2 <= 14; log2++) {
        hy_align align = hy_align_from_log2(log2);
        size_t size = 6;
        char *text = hy_alloc(gpa, size, align);
        memcpy(text, "hello", 6);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            text = hy_realloc(gpa, text, size, sizes[i], align);
            assert_true(text && hy_align_check_pointer(text, align));
            assert_int_equal(counting.counts.live_bytes, sizes[i] + hy_wide_align_overhead(&wide, align));
            size_t kept = size < sizes[i] ? size : sizes[i];
            assert_memory_equal(text, "hello", kept < 6 ? kept : 6);
            size = sizes[i];
            memcpy(text, "hello", size < 6 ? size : 6);
        }
        hy_free(gpa, text, size, align);
        assert_int_equal(counting.counts.live_bytes, 0);
    }
}

/* A child that always moves, to a place that lies otherwise than the one before. */
static void *move_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    static size_t turn;
    void *skipped[7];
    size_t skips = turn++ % 7;
    for (size_t i = 0; i < skips; i++)
        skipped[i] = hy_libc_alloc(NULL, 48, align);
    void *moved = hy_libc_alloc(NULL, new_size, align);
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    hy_libc_free(NULL, ptr, old_size, align);
    for (size_t i = 0; i < skips; i++)
        hy_libc_free(NULL, skipped[i], 48, align);
    return moved;
}

static void a_child_that_moves_a_block_keeps_its_contents(void **state) {
    (void)state;
    static const hy_vtable vtable = {hy_libc_alloc, hy_refuse_resize, move_remap, hy_libc_free};
    hy_wide_align wide;
    hy_wide_align_init(&wide, (hy_allocator){NULL, &vtable}, HY_ALIGN_16);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    size_t size = 200;
    char *ptr = hy_alloc(gpa, size, HY_ALIGN_4096);
    for (size_t i = 0; i < 200; i++)
        ptr[i] = (char)i;
    for (size_t step = 0; step < 40; step++) {
        size_t new_size = 200 + step * 37 % 300;
        ptr = hy_remap(gpa, ptr, size, new_size, HY_ALIGN_4096);
        assert_true(ptr && hy_align_check_pointer(ptr, HY_ALIGN_4096));
        for (size_t i = 0; i < 200; i++)
            assert_int_equal(ptr[i], (char)i);
        size = new_size;
    }
    hy_free(gpa, ptr, size, HY_ALIGN_4096);
}

static void resize_in_place_is_the_childs(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_wide_align wide;
    hy_wide_align_init(&wide, hy_arena_allocator(&arena), HY_ALIGN_8);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *text = hy_alloc(gpa, 100, HY_ALIGN_64);
    memcpy(text, "hello", 6);
    assert_true(hy_resize(gpa, text, 100, 200, HY_ALIGN_64));
    text[199] = 1;
    assert_string_equal(text, "hello");
    assert_true(hy_resize(gpa, text, 200, 6, HY_ALIGN_64));
    assert_string_equal(text, "hello");
    (void)!hy_alloc(gpa, 8, HY_ALIGN_64);
    assert_false(hy_resize(gpa, text, 6, 60000, HY_ALIGN_64));
    assert_string_equal(text, "hello");
    hy_free(gpa, text, 6, HY_ALIGN_64);
    hy_arena_deinit(&arena);
}

static void sums_near_the_end_are_refused(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_counting_allocator(&counting), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *ptr = hy_alloc(gpa, 10, HY_ALIGN_4096);
    for (size_t below = 0; below < 5000; below += 61) {
        size_t size = SIZE_MAX - below;
        assert_null(hy_alloc(gpa, size, HY_ALIGN_4096));
        assert_false(hy_resize(gpa, ptr, 10, size, HY_ALIGN_4096));
        assert_null(hy_remap(gpa, ptr, 10, size, HY_ALIGN_4096));
    }
    assert_null(hy_alloc(gpa, SIZE_MAX / 2 + 1, hy_align_from_log2(63)));
    assert_int_equal(counting.counts.live_bytes, 10 + 4096);
    hy_free(gpa, ptr, 10, HY_ALIGN_4096);
}

static void a_refusal_leaves_the_block(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 1;
    options.fail_resize_at = 0;
    hy_failing_init(&failing, hy_libc(), &options);
    hy_wide_align wide;
    hy_wide_align_init(&wide, hy_failing_allocator(&failing), HY_ALIGN_1);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *text = hy_alloc(gpa, 6, HY_ALIGN_2);
    memcpy(text, "hello", 6);
    assert_false(hy_resize(gpa, text, 6, 100, HY_ALIGN_2));
    assert_null(hy_remap(gpa, text, 6, 100, HY_ALIGN_2));
    assert_null(hy_realloc(gpa, text, 6, 100, HY_ALIGN_2));
    assert_string_equal(text, "hello");
    hy_free(gpa, text, 6, HY_ALIGN_2);
    assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
}

static void free_with_another_size(void) {
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_libc(), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    hy_free(gpa, hy_alloc(gpa, 50, HY_ALIGN_64), 49, HY_ALIGN_64);
}

static void free_with_another_alignment(void) {
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_libc(), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    hy_free(gpa, hy_alloc(gpa, 50, HY_ALIGN_64), 50, HY_ALIGN_32);
}

static char zeros[256] __attribute__((aligned(64)));

static void resize_something_else(void) {
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_libc(), 4);
    (void)!hy_resize(hy_wide_align_allocator(&wide), zeros + 64, 50, 60, HY_ALIGN_64);
}

static void free_twice(void) {
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_arena_allocator(&arena), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    void *ptr = hy_alloc(gpa, 50, HY_ALIGN_64);
    wide.child.vtable = &(hy_vtable){hy_libc_alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};
    hy_free(gpa, ptr, 50, HY_ALIGN_64);
    hy_free(gpa, ptr, 50, HY_ALIGN_64);
}

static void init_without_a_child(void) {
    hy_wide_align wide;
    hy_wide_align_init(&wide, (hy_allocator){NULL, NULL}, HY_ALIGN_8);
}

static void misuse_is_told(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(free_with_another_size, "with the size and alignment that it lives with");
    assert_dies_saying(free_with_another_alignment, "with the size and alignment that it lives with");
    assert_dies_saying(resize_something_else, "hy_resize: got ");
    assert_dies_saying(free_twice, "hy_free: got ");
    assert_dies_saying(init_without_a_child, "must be a child with a vtable");
}

#if HY_ASAN
static void touch(ptrdiff_t offset) {
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(hy_libc(), 4);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *volatile ptr = hy_alloc(gpa, 48, HY_ALIGN_64);
    ptr[offset] = 1;
    hy_free(gpa, ptr, 48, HY_ALIGN_64);
}

/* Nothing has changed: what is around the block is still nobody's. */
static void a_refusal_leaves_its_surroundings_poisoned(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_resize_at = 0;
    hy_failing_init(&failing, hy_libc(), &options);
    hy_wide_align wide;
    hy_wide_align_init(&wide, hy_failing_allocator(&failing), HY_ALIGN_16);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *ptr = hy_alloc(gpa, 48, HY_ALIGN_64);
    assert_false(hy_resize(gpa, ptr, 48, 100, HY_ALIGN_64));
    assert_true(__asan_address_is_poisoned(ptr - 1) && __asan_address_is_poisoned(ptr + 48));
    assert_null(hy_remap(gpa, ptr, 48, 100, HY_ALIGN_64));
    assert_true(__asan_address_is_poisoned(ptr - 1) && __asan_address_is_poisoned(ptr + 48));
    hy_free(gpa, ptr, 48, HY_ALIGN_64);
}

static void write_before(void) {
    touch(-1);
}

static void write_behind(void) {
    touch(48);
}

static void touches_outside_are_told(void **state) {
    (void)state;
    assert_int_not_equal(status_of_child(write_before, STDERR_FILENO), 0);
    assert_int_not_equal(status_of_child(write_behind, STDERR_FILENO), 0);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_alignment_over_every_smaller_one),
        cmocka_unit_test(sizes_change_and_the_word_is_kept),
        cmocka_unit_test(a_child_that_moves_a_block_keeps_its_contents),
        cmocka_unit_test(resize_in_place_is_the_childs),
        cmocka_unit_test(sums_near_the_end_are_refused),
        cmocka_unit_test(a_refusal_leaves_the_block),
        cmocka_unit_test(misuse_is_told),
#if HY_ASAN
        cmocka_unit_test(touches_outside_are_told),
        cmocka_unit_test(a_refusal_leaves_its_surroundings_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
