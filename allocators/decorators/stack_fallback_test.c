/* stack_fallback_test.c: who serves a block, who ends it, and when the buffer is used again. */
#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/typed.h>
#include <heapyard/validating.h>
#include <pthread.h>

/* The same function on a small input and on a large one. */
static size_t sum_of_copies(hy_allocator scratch, const uint8_t *bytes, size_t count) {
    size_t sum = 0;
    uint8_t *copy = hy_dupe(scratch, uint8_t, bytes, count);
    if (!copy) return 0;
    for (size_t i = 0; i < count; i++)
        sum += copy[i];
    hy_free_n(scratch, copy, count);
    return sum;
}

static void small_in_the_buffer_large_behind_it(void **state) {
    (void)state;
    static uint8_t bytes[1000];
    memset(bytes, 1, sizeof bytes);
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_STACK_FALLBACK(scratch, 256, hy_counting_allocator(&counting));
    assert_int_equal(sum_of_copies(hy_stack_fallback_allocator(&scratch), bytes, 256), 256);
    assert_int_equal(counting.counts.alloc_count, 0);
    assert_int_equal(sum_of_copies(hy_stack_fallback_allocator(&scratch), bytes, 257), 257);
    assert_int_equal(counting.counts.alloc_count, 1);
    assert_int_equal(sum_of_copies(hy_stack_fallback_allocator(&scratch), bytes, 1000), 1000);
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_int_equal(hy_stack_fallback_used(&scratch), 0);
    assert_int_equal(hy_stack_fallback_capacity(&scratch), 256);
}

static void its_allocator_may_be_taken_twice(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    char *first = hy_dupe_z(hy_stack_fallback_allocator(&scratch), char, "first", 5);
    char *second = hy_dupe_z(hy_stack_fallback_allocator(&scratch), char, "second", 6);
    assert_true(hy_stack_fallback_owns(&scratch, first) && hy_stack_fallback_owns(&scratch, second));
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
    hy_free_sentinel(hy_stack_fallback_allocator(&scratch), second, 6);
    hy_free_sentinel(hy_stack_fallback_allocator(&scratch), first, 5);
}

/* What aligns it takes the room that the block would have had. */
static void the_child_serves_what_aligning_leaves_no_room_for(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 64, hy_libc());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    void *one = hy_alloc(gpa, 1, HY_ALIGN_1), *many = hy_alloc(gpa, 50, HY_ALIGN_16);
    assert_true(many && !hy_stack_fallback_owns(&scratch, many));
    hy_free(gpa, many, 50, HY_ALIGN_16);
    hy_free(gpa, one, 1, HY_ALIGN_1);
    assert_true(hy_stack_fallback_check(&scratch));
}

static void a_block_is_ended_where_it_lies(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_STACK_FALLBACK(scratch, 100, hy_counting_allocator(&counting));
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    char *inside = hy_alloc(gpa, 60, HY_ALIGN_1), *outside = hy_alloc(gpa, 60, HY_ALIGN_1);
    assert_true(hy_stack_fallback_owns(&scratch, inside));
    assert_false(hy_stack_fallback_owns(&scratch, outside));
    assert_int_equal(counting.counts.live_bytes, 60);
    outside = hy_realloc(gpa, outside, 60, 5000, HY_ALIGN_1);
    assert_int_equal(counting.counts.live_bytes, 5000);
    assert_true(hy_resize(gpa, outside, 5000, 4990, HY_ALIGN_1));
    hy_free(gpa, inside, 60, HY_ALIGN_1);
    assert_int_equal(counting.counts.free_count, 0);
    hy_free(gpa, outside, 4990, HY_ALIGN_1);
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void a_block_that_outgrows_the_buffer_moves(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_STACK_FALLBACK(scratch, 64, hy_counting_allocator(&counting));
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    assert_true(hy_resize(gpa, text, 6, 64, HY_ALIGN_1));
    assert_false(hy_resize(gpa, text, 64, 65, HY_ALIGN_1));
    assert_null(hy_remap(gpa, text, 64, 65, HY_ALIGN_1));
    assert_ptr_equal(hy_remap(gpa, text, 64, 60, HY_ALIGN_1), text);
    assert_string_equal(text, "hello");
    text = hy_realloc(gpa, text, 60, 1000, HY_ALIGN_1);
    assert_false(hy_stack_fallback_owns(&scratch, text));
    assert_string_equal(text, "hello");
    assert_int_equal(hy_stack_fallback_used(&scratch), 0);
    hy_free(gpa, text, 1000, HY_ALIGN_1);
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void a_refused_move_leaves_the_block(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    size_t used = hy_stack_fallback_used(&scratch);
    assert_null(hy_realloc(gpa, text, 6, 1000, HY_ALIGN_1));
    assert_null(hy_alloc(gpa, SIZE_MAX, HY_ALIGN_1));
    assert_null(hy_alloc(gpa, 1, hy_align_from_log2(63)));
    assert_string_equal(text, "hello");
    assert_int_equal(hy_stack_fallback_used(&scratch), used);
    hy_free_sentinel(gpa, text, 5);
    assert_true(hy_stack_fallback_check(&scratch));
}

/* In no order: Zig's loses such a buffer for good. */
static void an_empty_buffer_starts_anew(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 256, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    for (int round = 0; round < 100; round++) {
        void *blocks[4];
        for (int i = 0; i < 4; i++) {
            blocks[i] = hy_alloc(gpa, 40, HY_ALIGN_16);
            assert_non_null(blocks[i]);
        }
        for (int i = 0; i < 4; i++) {
            assert_true(hy_stack_fallback_check(&scratch));
            hy_free(gpa, blocks[i], 40, HY_ALIGN_16);
        }
        assert_int_equal(hy_stack_fallback_used(&scratch), 0);
    }
}

static void without_a_buffer_the_child_serves(void **state) {
    (void)state;
    hy_stack_fallback fallback;
    hy_stack_fallback_init(&fallback, NULL, 0, hy_libc());
    void *ptr = hy_alloc(hy_stack_fallback_allocator(&fallback), 10, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_false(hy_stack_fallback_owns(&fallback, ptr));
    hy_free(hy_stack_fallback_allocator(&fallback), ptr, 10, HY_ALIGN_8);
    assert_true(hy_stack_fallback_check(&fallback));
    hy_stack_fallback_deinit(&fallback);
}

/* After deinit the buffer is its owner's; in a frame that is done at the end of the block. */
static void the_buffer_is_given_back(void **state) {
    (void)state;
    struct {
        hy_stack_fallback scratch;
        char bytes[64];
    } object;
    for (int round = 0; round < 2; round++) {
        hy_stack_fallback_init(&object.scratch, object.bytes, sizeof object.bytes, hy_null());
        assert_non_null(hy_alloc(hy_stack_fallback_allocator(&object.scratch), 64, HY_ALIGN_1));
        hy_stack_fallback_deinit(&object.scratch);
        memset(object.bytes, round, sizeof object.bytes);
    }
    assert_int_equal(object.bytes[63], 1);
}

/* Blocks of the child go to another thread, which changes and ends them while this one uses the buffer. */
typedef struct handed_over {
    hy_allocator gpa;
    char *blocks[100];
} handed_over;

static void *end_blocks(void *argument) {
    handed_over *over = argument;
    for (size_t i = 0; i < 100; i++) {
        char *block = hy_remap(over->gpa, over->blocks[i], 100, 200, HY_ALIGN_8);
        if (!block || block[99] != (char)i) return over;
        hy_free(over->gpa, block, 200, HY_ALIGN_8);
    }
    return NULL;
}

static void other_threads_end_the_childs_blocks(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 64, hy_libc());
    handed_over over = {.gpa = hy_stack_fallback_allocator(&scratch)};
    for (size_t i = 0; i < 100; i++) {
        over.blocks[i] = hy_alloc(over.gpa, 100, HY_ALIGN_8);
        assert_false(hy_stack_fallback_owns(&scratch, over.blocks[i]));
        memset(over.blocks[i], (int)i, 100);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, end_blocks, &over), 0);
    for (size_t i = 0; i < 1000; i++) {
        void *inside = hy_alloc(over.gpa, 64, HY_ALIGN_8);
        assert_true(hy_stack_fallback_owns(&scratch, inside));
        hy_free(over.gpa, inside, 64, HY_ALIGN_8);
    }
    void *failed;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

static void the_walker_sees_damage(void **state) {
    (void)state;
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    void *block = hy_alloc(gpa, 8, HY_ALIGN_8);
    size_t used = hy_stack_fallback_used(&scratch);
    assert_true(hy_stack_fallback_check(&scratch));
    scratch.live_count = 0; /* of a buffer that has handed out bytes */
    assert_false(hy_stack_fallback_check(&scratch));
    scratch.live_count = used + 1; /* blocks of no bytes */
    assert_false(hy_stack_fallback_check(&scratch));
    scratch.live_count = 1;
    hy_free(gpa, block, 8, HY_ALIGN_8);
    scratch.live_count = 1;
    assert_false(hy_stack_fallback_check(&scratch));
}

static void free_twice(void) {
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    void *kept = hy_alloc(gpa, 8, HY_ALIGN_1), *ptr = hy_alloc(gpa, 8, HY_ALIGN_1);
    (void)kept;
    gpa.vtable->free(gpa.self, ptr, 8, HY_ALIGN_1);
    gpa.vtable->free(gpa.self, ptr, 8, HY_ALIGN_1);
}

/* What the buffer cannot tell, a layer over it does. */
static void free_an_older_one_twice(void) {
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_validating_indexed checked;
    hy_validating_indexed_init(&checked, hy_stack_fallback_allocator(&scratch), NULL);
    hy_allocator gpa = hy_validating_indexed_allocator(&checked);
    void *older = hy_alloc(gpa, 8, HY_ALIGN_1);
    if (!hy_alloc(gpa, 8, HY_ALIGN_1)) return;
    gpa.vtable->free(gpa.self, older, 8, HY_ALIGN_1);
    gpa.vtable->free(gpa.self, older, 8, HY_ALIGN_1);
}

static void free_what_was_never_handed_out(void) {
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    gpa.vtable->free(gpa.self, scratch_bytes, 8, HY_ALIGN_1);
}

static void resize_with_another_size(void) {
    HY_STACK_FALLBACK(scratch, 64, hy_null());
    hy_allocator gpa = hy_stack_fallback_allocator(&scratch);
    (void)!hy_resize(gpa, hy_alloc(gpa, 8, HY_ALIGN_1), 20, 10, HY_ALIGN_1);
}

static void init_without_a_child(void) {
    hy_stack_fallback fallback;
    hy_stack_fallback_init(&fallback, NULL, 0, (hy_allocator){NULL, NULL});
}

static void init_without_a_buffer(void) {
    hy_stack_fallback fallback;
    hy_stack_fallback_init(&fallback, NULL, 64, hy_libc());
}

static void init_beyond_the_address_space(void) {
    hy_stack_fallback fallback;
    char buffer[64];
    volatile size_t size = SIZE_MAX;
    hy_stack_fallback_init(&fallback, buffer, size, hy_libc());
}

static void misuse_is_told(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(free_twice, "hy_free: got ");
    assert_dies_saying(free_twice, "a live block of the buffer, with its size (is it freed already?)");
    assert_dies_saying(free_an_older_one_twice, "hy_free: got ");
    assert_dies_saying(free_an_older_one_twice, "the start of a live block (is it freed already");
    assert_dies_saying(free_what_was_never_handed_out, "a live block of the buffer");
    assert_dies_saying(resize_with_another_size, "hy_resize: got ");
    assert_dies_saying(init_without_a_child, "must be a child with a vtable (hy_null() for none)");
    assert_dies_saying(init_without_a_buffer, "hy_stack_fallback_init: got 64");
    assert_dies_saying(init_beyond_the_address_space, "hy_stack_fallback_init: got ");
    assert_dies_saying(
        init_beyond_the_address_space, "must be the size of a buffer that lies in the address space");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_in_the_buffer_large_behind_it),
        cmocka_unit_test(its_allocator_may_be_taken_twice),
        cmocka_unit_test(the_child_serves_what_aligning_leaves_no_room_for),
        cmocka_unit_test(a_block_is_ended_where_it_lies),
        cmocka_unit_test(a_block_that_outgrows_the_buffer_moves),
        cmocka_unit_test(a_refused_move_leaves_the_block),
        cmocka_unit_test(an_empty_buffer_starts_anew),
        cmocka_unit_test(without_a_buffer_the_child_serves),
        cmocka_unit_test(the_buffer_is_given_back),
        cmocka_unit_test(other_threads_end_the_childs_blocks),
        cmocka_unit_test(the_walker_sees_damage),
        cmocka_unit_test(misuse_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
