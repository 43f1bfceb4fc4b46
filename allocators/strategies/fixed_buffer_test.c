/* fixed_buffer_test.c: one buffer, two views, a front end that ends the program. */
#include <heapyard/fixed_buffer.h>
#include <heapyard/typed.h>
#include <pthread.h>

#include "allocators/conformance/dies.h"

/* Byte counts are exact in buffers of under 64 bytes under AddressSanitizer too. */
static _Alignas(64) char buffer[48];

static void gives_padding_back_with_the_last_block(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    char *first = hy_fixed_buffer_alloc(&fixed, 1, HY_ALIGN_1);
    for (int round = 0; round < 3; round++) {
        char *second = hy_fixed_buffer_alloc(&fixed, 4, HY_ALIGN_16);
        assert_ptr_equal(second, buffer + 16);
        assert_int_equal(hy_fixed_buffer_used(&fixed), 32);
        hy_fixed_buffer_free(&fixed, second, 4, HY_ALIGN_16);
        assert_int_equal(hy_fixed_buffer_used(&fixed), 1);
    }
    /* With the padding gone, the older block is again the newest. */
    assert_true(hy_fixed_buffer_resize(&fixed, first, 1, 3, HY_ALIGN_1));
    hy_fixed_buffer_free(&fixed, first, 3, HY_ALIGN_1);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 0);
    assert_true(hy_fixed_buffer_check(&fixed));
    hy_fixed_buffer_deinit(&fixed);
}

static void frees_in_stack_order(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    char *first = hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8);
    char *second = hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8);
    char *third = hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8);
    hy_fixed_buffer_free(&fixed, first, 8, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 24);
    hy_fixed_buffer_free(&fixed, third, 8, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    hy_fixed_buffer_free(&fixed, second, 8, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 8);
    assert_ptr_equal(hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8), second);
    hy_fixed_buffer_deinit(&fixed);
}

static void padding_fools_no_test_for_the_last_block(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    char *first = hy_alloc(allocator, 15, HY_ALIGN_1);
    char *second = hy_alloc(allocator, 1, HY_ALIGN_1);
    char *third = hy_alloc(allocator, 16, HY_ALIGN_16);
    memset(third, 3, 16);
    *second = 2;
    /* Its end, rounded up, is where the last block begins: it is still not the last. */
    assert_false(hy_resize(allocator, first, 15, 16, HY_ALIGN_1));
    hy_free(allocator, first, 15, HY_ALIGN_1);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 32);
    hy_free(allocator, third, 16, HY_ALIGN_16);
    assert_int_equal(*second, 2);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    hy_fixed_buffer_deinit(&fixed);
}

static void take_and_leave(hy_fixed_buffer *fixed, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_non_null(hy_fixed_buffer_alloc(fixed, 1, HY_ALIGN_1));
}

/* What aligned one block must not go with another that begins at the same place. */
static void forgets_the_padding_of_freed_blocks(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    take_and_leave(&fixed, 1);
    for (int reset = 0; reset < 2; reset++) {
        char *padded = hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8);
        assert_ptr_equal(padded, buffer + 8);
        if (reset) {
            hy_fixed_buffer_reset(&fixed);
            take_and_leave(&fixed, 1);
        } else {
            hy_fixed_buffer_free(&fixed, padded, 8, HY_ALIGN_8);
            assert_int_equal(hy_fixed_buffer_used(&fixed), 1);
        }
        take_and_leave(&fixed, 7);
        assert_ptr_equal(hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8), padded);
        assert_true(hy_fixed_buffer_check(&fixed));
        hy_fixed_buffer_free(&fixed, padded, 8, HY_ALIGN_8);
        assert_int_equal(hy_fixed_buffer_used(&fixed), 8);
        hy_fixed_buffer_reset(&fixed);
        take_and_leave(&fixed, 1);
    }
    hy_fixed_buffer_deinit(&fixed);
}

static void blocks_aligned_alike_need_no_padding(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, 21);
    char *first = hy_fixed_buffer_alloc(&fixed, 5, HY_ALIGN_8);
    char *second = hy_fixed_buffer_alloc(&fixed, 3, HY_ALIGN_8);
    assert_ptr_equal(second, first + 8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    /* The last one ends with the buffer, and is still the newest. */
    for (int round = 0; round < 2; round++) {
        assert_null(hy_fixed_buffer_alloc(&fixed, 6, HY_ALIGN_8));
        char *last = hy_fixed_buffer_alloc(&fixed, 2, HY_ALIGN_8);
        assert_ptr_equal(last, first + 16);
        assert_int_equal(hy_fixed_buffer_used(&fixed), 21);
        assert_true(hy_fixed_buffer_resize(&fixed, last, 2, 5, HY_ALIGN_8));
        assert_false(hy_fixed_buffer_resize(&fixed, last, 5, 6, HY_ALIGN_8));
        hy_fixed_buffer_free(&fixed, last, 5, HY_ALIGN_8);
        assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    }
    hy_fixed_buffer_free(&fixed, second, 3, HY_ALIGN_8);
    hy_fixed_buffer_free(&fixed, first, 5, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 0);
    hy_fixed_buffer_deinit(&fixed);
}

/* Else a few bytes at the start of a page would take the page. */
static void far_alignments_are_not_rounded_to(void **state) {
    (void)state;
    static _Alignas(128) char large[400];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, large, sizeof large);
    char *first = hy_fixed_buffer_alloc(&fixed, 16, HY_ALIGN_32);
    assert_ptr_equal(first, large);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    char *second = hy_fixed_buffer_alloc(&fixed, 16, HY_ALIGN_16);
    assert_ptr_equal(second, large + 16);
    /* Rounded, the first block would end with the second. */
    hy_fixed_buffer_free(&fixed, first, 16, HY_ALIGN_32);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 32);
    hy_align far = hy_align_from_log2(7);
    char *third = hy_fixed_buffer_alloc(&fixed, 8, far);
    assert_ptr_equal(third, large + 128);
    assert_true(hy_fixed_buffer_resize(&fixed, third, 8, 64, far));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 192);
    hy_fixed_buffer_free(&fixed, third, 64, far);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 32);
    hy_fixed_buffer_free(&fixed, second, 16, HY_ALIGN_16);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    hy_fixed_buffer_deinit(&fixed);
}

static void older_blocks_shrink_and_never_grow(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    char *first = hy_alloc(allocator, 8, HY_ALIGN_8);
    char *second = hy_alloc(allocator, 8, HY_ALIGN_8);
    assert_true(hy_resize(allocator, first, 8, 1, HY_ALIGN_8));
    assert_false(hy_resize(allocator, first, 1, 8, HY_ALIGN_8));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    assert_true(hy_resize(allocator, second, 8, 40, HY_ALIGN_8));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 48);
    assert_false(hy_resize(allocator, second, 40, 41, HY_ALIGN_8));
    assert_false(hy_resize(allocator, second, 40, SIZE_MAX, HY_ALIGN_8));
    assert_true(hy_resize(allocator, second, 40, 3, HY_ALIGN_8));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    assert_ptr_equal(hy_realloc(allocator, second, 3, 5, HY_ALIGN_8), second);
    hy_fixed_buffer_deinit(&fixed);
}

static void tells_what_is_inside(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    char *base = buffer + 8;
    hy_fixed_buffer_init(&fixed, base, 32);
    assert_int_equal(hy_fixed_buffer_capacity(&fixed), 32);
    assert_ptr_equal(hy_fixed_buffer_base(&fixed), base);
    assert_true(hy_fixed_buffer_owns(&fixed, base) && hy_fixed_buffer_owns(&fixed, base + 31));
    assert_false(hy_fixed_buffer_owns(&fixed, base + 32) || hy_fixed_buffer_owns(&fixed, base - 1));
    assert_true(hy_fixed_buffer_owns_range(&fixed, base, 32));
    assert_true(hy_fixed_buffer_owns_range(&fixed, base + 32, 0));
    assert_false(hy_fixed_buffer_owns_range(&fixed, base + 1, 32));
    assert_false(hy_fixed_buffer_owns_range(&fixed, base + 40, 0));
    assert_false(hy_fixed_buffer_owns_range(&fixed, base + 8, SIZE_MAX));
    assert_false(hy_fixed_buffer_owns_range(&fixed, base - 1, 2));
    hy_fixed_buffer_deinit(&fixed);

    hy_fixed_buffer_init(&fixed, NULL, 0);
    assert_null(hy_fixed_buffer_alloc(&fixed, 1, HY_ALIGN_1));
    hy_fixed_buffer_deinit(&fixed);
}

static void three_eights_of_thirty_two_fit(void **state) {
    (void)state;
    static char thirty_two[32];
    static hy_fixed_buffer fixed = HY_FIXED_BUFFER_INIT(thirty_two);
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    for (int i = 0; i < 3; i++)
        assert_non_null(hy_alloc(allocator, 8, HY_ALIGN_1));
    assert_null(hy_alloc(allocator, 16, HY_ALIGN_1));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 24);
    hy_fixed_buffer_reset(&fixed);
    assert_ptr_equal(hy_alloc(allocator, 32, HY_ALIGN_1), thirty_two);
    hy_fixed_buffer_deinit(&fixed);
}

static void nothing_wraps(hy_allocator allocator, hy_fixed_buffer *fixed) {
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        for (size_t below = 0; below < 70; below++) {
            assert_null(hy_alloc(allocator, SIZE_MAX - below, align));
            assert_null(hy_alloc(allocator, SIZE_MAX / 2 + below, align));
        }
        char *ptr = hy_alloc(allocator, 1, align);
        assert_true(!ptr || (hy_align_check_pointer(ptr, align) && hy_fixed_buffer_owns(fixed, ptr)));
        if (ptr) assert_false(hy_resize(allocator, ptr, 1, SIZE_MAX - (size_t)log2, align));
        if (ptr) hy_free(allocator, ptr, 1, align);
    }
}

static void extremes_are_refused(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer + 1, sizeof buffer - 1);
    nothing_wraps(hy_fixed_buffer_allocator(&fixed), &fixed);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 0);
    hy_fixed_buffer_reset(&fixed);
    nothing_wraps(hy_fixed_buffer_shared_allocator(&fixed), &fixed);
    hy_fixed_buffer_deinit(&fixed);
}

static void the_front_end_keeps_what_is_freed(void **state) {
    (void)state;
    _Alignas(32) char sixty_four[64];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init_options(
        &fixed, sixty_four, sizeof sixty_four, (hy_fixed_buffer_options){.fatal = true});
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    char *first = hy_alloc(allocator, 8, HY_ALIGN_8);
    char *second = hy_alloc(allocator, 8, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    hy_free(allocator, second, 8, HY_ALIGN_8);
    hy_free(allocator, first, 8, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 16);
    assert_int_equal(hy_fixed_buffer_capacity(&fixed), 64);
    char *padded = hy_alloc(allocator, 8, HY_ALIGN_32);
    hy_free(allocator, padded, 8, HY_ALIGN_32);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 40);
    assert_true(hy_fixed_buffer_check(&fixed));
    hy_fixed_buffer_deinit(&fixed);
}

static void exhaust(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init_options(&fixed, buffer, 16, (hy_fixed_buffer_options){.fatal = true});
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    while (hy_alloc(allocator, 8, HY_ALIGN_8)) {
    }
}

static void start_beyond_all_memory(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, SIZE_MAX - 7);
}

/* The buffer itself is no address: what is left above it would wrap to more than there is. */
static void start_on_no_address(void) {
    hy_fixed_buffer fixed;
    volatile uintptr_t address = SIZE_MAX - 63;
    hy_fixed_buffer_init(&fixed, (void *)address, 32);
}

static char stranger[16];

static void free_a_stranger(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_free(hy_fixed_buffer_allocator(&fixed), stranger, 16, HY_ALIGN_1);
}

static void free_a_stranger_shared(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_free(hy_fixed_buffer_shared_allocator(&fixed), stranger, 16, HY_ALIGN_1);
}

static void resize_a_stranger(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    if (hy_resize(hy_fixed_buffer_allocator(&fixed), stranger, 16, 8, HY_ALIGN_1)) _exit(1);
}

static void resize_a_stranger_shared(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    if (hy_resize(hy_fixed_buffer_shared_allocator(&fixed), stranger, 16, 8, HY_ALIGN_1)) _exit(1);
}

static void mix_views(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    void *plain = hy_alloc(hy_fixed_buffer_allocator(&fixed), 8, HY_ALIGN_8);
    void *shared = hy_alloc(hy_fixed_buffer_shared_allocator(&fixed), 8, HY_ALIGN_8);
    fprintf(stderr, "%p %p\n", plain, shared);
}

static void misuse_and_exhaustion_end_the_program(void **state) {
    (void)state;
    assert_dies_saying(exhaust, "fatal: fixed buffer exhausted\n");
#if HY_CHECK >= 1
    assert_dies_saying(mix_views, "hy_fixed_buffer_allocator: got ");
    assert_dies_saying(mix_views, "must be used through one of its two views between two resets");
    assert_dies_saying(start_beyond_all_memory, "hy_fixed_buffer_init: got 18446744073709551608");
    assert_dies_saying(start_on_no_address, "hy_fixed_buffer_init: got 32");
    assert_dies_saying(
        start_beyond_all_memory, "must be the size of a buffer that lies in the address space");
    assert_dies_saying(free_a_stranger, "hy_fixed_buffer_free: got ");
    assert_dies_saying(free_a_stranger, "must be a block of this buffer");
    assert_dies_saying(free_a_stranger_shared, "hy_fixed_buffer_shared_free: got ");
    assert_dies_saying(resize_a_stranger, "hy_fixed_buffer_resize: got ");
    assert_dies_saying(resize_a_stranger_shared, "hy_fixed_buffer_shared_resize: got ");
#else
    (void)mix_views, (void)start_beyond_all_memory, (void)start_on_no_address, (void)free_a_stranger,
        (void)free_a_stranger_shared;
    (void)resize_a_stranger, (void)resize_a_stranger_shared;
#endif
}

static void views_change_at_a_reset(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_allocator shared = hy_fixed_buffer_shared_allocator(&fixed);
    assert_non_null(hy_alloc(hy_fixed_buffer_allocator(&fixed), 8, HY_ALIGN_8));
    hy_fixed_buffer_reset(&fixed);
    char *first = hy_alloc(shared, 8, HY_ALIGN_8), *second = hy_alloc(shared, 8, HY_ALIGN_8);
    assert_true(hy_resize(shared, second, 8, 12, HY_ALIGN_8));
    assert_true(hy_resize(shared, second, 12, 4, HY_ALIGN_8));
    assert_int_equal(hy_fixed_buffer_used(&fixed), 12);
    assert_false(hy_resize(shared, first, 8, 9, HY_ALIGN_8));
    assert_true(hy_resize(shared, first, 8, 2, HY_ALIGN_8));
    hy_free(shared, first, 2, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 12);
    hy_free(shared, second, 4, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 8);
    hy_fixed_buffer_deinit(&fixed);
}

/* What aligned a freed block would else keep the one below it from growing. */
static void the_shared_view_gives_padding_back(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_allocator shared = hy_fixed_buffer_shared_allocator(&fixed);
    char *first = hy_alloc(shared, 2, HY_ALIGN_8);
    char *second = hy_alloc(shared, 1, HY_ALIGN_8);
    assert_ptr_equal(second, first + 8);
    assert_true(hy_resize(shared, second, 1, 3, HY_ALIGN_8));
    assert_true(hy_fixed_buffer_check(&fixed));
    hy_free(shared, second, 3, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 2);
    assert_true(hy_resize(shared, first, 2, 40, HY_ALIGN_8));
    hy_free(shared, first, 40, HY_ALIGN_8);
    assert_int_equal(hy_fixed_buffer_used(&fixed), 0);
    hy_fixed_buffer_deinit(&fixed);
}

/* Four threads make blocks, mark them as theirs, free or resize some, and check that nobody else wrote
 * into one that lives. */
#define THREADS 4
#define ROUNDS 2000

typedef struct worker {
    pthread_t thread;
    hy_allocator allocator;
    unsigned char number;
    bool intact;
} worker;

static bool holds_only(const unsigned char *block, size_t size, unsigned char value) {
    for (size_t i = 0; i < size; i++) {
        if (block[i] != value) return false;
    }
    return true;
}

static bool one_round(const worker *self, size_t round) {
    size_t size = 1 + (round * 7 + self->number) % 40;
    unsigned char *block = hy_alloc(self->allocator, size, HY_ALIGN_8);
    if (!block) return true;
    memset(block, self->number, size);
    if (round % 3 == 0 && hy_resize(self->allocator, block, size, size + 5, HY_ALIGN_8)) {
        memset(block + size, self->number, 5);
        size += 5;
    }
    bool intact = holds_only(block, size, self->number);
    if (round % 4 != 3) hy_free(self->allocator, block, size, HY_ALIGN_8);
    return intact;
}

static void *work(void *argument) {
    worker *self = argument;
    for (size_t round = 0; round < ROUNDS; round++)
        self->intact &= one_round(self, round);
    return NULL;
}

static void many_threads_share_one_buffer(void **state) {
    (void)state;
    static char large[1 << 16];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, large, sizeof large);
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.allocator = hy_fixed_buffer_shared_allocator(&fixed),
            .number = (unsigned char)(i + 1),
            .intact = true};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_true(workers[i].intact);
    }
    assert_true(hy_fixed_buffer_check(&fixed));
    hy_fixed_buffer_deinit(&fixed);
}

static void expect_seen(hy_fixed_buffer *fixed, uintptr_t *field, uintptr_t damage) {
    uintptr_t whole = *field;
    *field = damage;
    assert_false(hy_fixed_buffer_check(fixed));
    *field = whole;
    assert_true(hy_fixed_buffer_check(fixed));
}

static void the_walker_sees_damage(void **state) {
    (void)state;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_allocator allocator = hy_fixed_buffer_allocator(&fixed);
    assert_non_null(hy_alloc(allocator, 1, HY_ALIGN_1));
    assert_non_null(hy_alloc(allocator, 8, HY_ALIGN_16)); /* has padding before it */
    expect_seen(&fixed, &fixed.next, fixed.base - 1);
    expect_seen(&fixed, &fixed.next, fixed.end + 1);
    expect_seen(&fixed, &fixed.before, fixed.base - 1);
    expect_seen(&fixed, &fixed.before, fixed.padded);
    expect_seen(&fixed, &fixed.padded, fixed.next);
    uint32_t view = fixed.view;
    fixed.view = HY_FIXED_BUFFER_SHARED + 1;
    assert_false(hy_fixed_buffer_check(&fixed));
    fixed.view = view;
    hy_fixed_buffer_deinit(&fixed);
}

#if HY_CHECK >= 1 && defined(HY_FIXED_BUFFER_ADDRESS_BITS)
/* The shared view keeps the newest block's padding above the address. */
static void the_walker_sees_impossible_padding(void **state) {
    (void)state;
    const uintptr_t one = (uintptr_t)1 << HY_FIXED_BUFFER_ADDRESS_BITS;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    assert_non_null(hy_alloc(hy_fixed_buffer_shared_allocator(&fixed), 2, HY_ALIGN_1));
    expect_seen(&fixed, &fixed.next, fixed.next + 3 * one);
    hy_fixed_buffer_reset(&fixed);
    assert_non_null(hy_alloc(hy_fixed_buffer_allocator(&fixed), 2, HY_ALIGN_1));
    expect_seen(&fixed, &fixed.next, fixed.next + one);
    hy_fixed_buffer_deinit(&fixed);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walker_sees_damage),
#if HY_CHECK >= 1 && defined(HY_FIXED_BUFFER_ADDRESS_BITS)
        cmocka_unit_test(the_walker_sees_impossible_padding),
#endif
        cmocka_unit_test(gives_padding_back_with_the_last_block),
        cmocka_unit_test(frees_in_stack_order),
        cmocka_unit_test(padding_fools_no_test_for_the_last_block),
        cmocka_unit_test(forgets_the_padding_of_freed_blocks),
        cmocka_unit_test(blocks_aligned_alike_need_no_padding),
        cmocka_unit_test(far_alignments_are_not_rounded_to),
        cmocka_unit_test(older_blocks_shrink_and_never_grow),
        cmocka_unit_test(tells_what_is_inside),
        cmocka_unit_test(three_eights_of_thirty_two_fit),
        cmocka_unit_test(extremes_are_refused),
        cmocka_unit_test(the_front_end_keeps_what_is_freed),
        cmocka_unit_test(misuse_and_exhaustion_end_the_program),
        cmocka_unit_test(views_change_at_a_reset),
        cmocka_unit_test(the_shared_view_gives_padding_back),
        cmocka_unit_test(many_threads_share_one_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
