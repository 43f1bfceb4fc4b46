/* typed_test.c: the typed layer over a child that holds its callers to what a block lives with.
 *
 * The strict child notes size and alignment of each live block and fails the test where another size or
 * alignment comes back, so every function here is followed by the one that its header pairs it with.
 */
#include <heapyard/libc.h>
#include <heapyard/page.h>
#include <heapyard/typed.h>

#include "allocators/conformance/dies.h"

#define BLOCKS 8

/* Over libc; knows what lives. With `in_place` false, every resize and remap is refused. */
typedef struct witness {
    struct {
        void *ptr;
        size_t size;
        hy_align align;
    } live[BLOCKS];
    bool refuses, in_place;
    size_t calls;
    uint8_t freed_byte; /* the first of the block that was freed last, as the child found it */
} witness;

static size_t place_of(const witness *all, const void *ptr) {
    for (size_t i = 0; i < BLOCKS; i++) {
        if (all->live[i].ptr == ptr) return i;
    }
    fail_msg("%p is no live block", ptr);
    return 0;
}

static size_t known(const witness *all, const void *ptr, size_t size, hy_align align) {
    size_t i = place_of(all, ptr);
    assert_int_equal(all->live[i].size, size);
    assert_int_equal(all->live[i].align.log2, align.log2);
    return i;
}

static void *witness_alloc(void *self, size_t size, hy_align align) {
    witness *all = self;
    all->calls++;
    assert_true(size > 0);
    if (all->refuses) return NULL;
    size_t i = place_of(all, NULL);
    all->live[i].ptr = hy_libc_alloc(NULL, size, align);
    all->live[i].size = size;
    all->live[i].align = align;
    return all->live[i].ptr;
}

static bool witness_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    witness *all = self;
    all->calls++;
    size_t i = known(all, ptr, old_size, align);
    if (!all->in_place || new_size > old_size) return false;
    all->live[i].size = new_size;
    return true;
}

static void *witness_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return witness_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void witness_free(void *self, void *ptr, size_t size, hy_align align) {
    witness *all = self;
    all->calls++;
    all->live[known(all, ptr, size, align)].ptr = NULL;
    all->freed_byte = *(uint8_t *)ptr;
    hy_libc_free(NULL, ptr, size, align);
}

static const hy_vtable witness_vtable = {witness_alloc, witness_resize, witness_remap, witness_free};

static hy_allocator over(witness *all) {
    return (hy_allocator){all, &witness_vtable};
}

static void assert_all_freed(const witness *all) {
    for (size_t i = 0; i < BLOCKS; i++)
        assert_null(all->live[i].ptr);
}

static void assert_lives(const witness *all, const void *ptr, size_t size, hy_align align) {
    assert_true(hy_align_check_pointer(ptr, align));
    known(all, ptr, size, align);
}

typedef struct wide {
    _Alignas(32) double lanes[4];
} wide;

static void types_bring_their_alignment(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    wide *one = hy_create(gpa, wide);
    assert_lives(&all, one, sizeof(wide), HY_ALIGN_32);
    hy_destroy(gpa, one);
    wide *three = hy_alloc_n(gpa, wide, 3);
    assert_lives(&all, three, 3 * sizeof(wide), HY_ALIGN_32);
    hy_free_n(gpa, three, 3);
    uint16_t *ended = hy_alloc_sentinel(gpa, uint16_t, 5, 9);
    assert_lives(&all, ended, 12, HY_ALIGN_2);
    assert_int_equal(ended[5], 9);
    hy_free_sentinel(gpa, ended, 5);
    assert_all_freed(&all);
}

/* The alignment travels with the call, through every form, and comes back with the free. */
static void every_aligned_form(void **state) {
    (void)state;
    witness all = {.in_place = true};
    hy_allocator gpa = over(&all);
    for (unsigned log2 = 2; log2 <= 20; log2++) {
        hy_align align = hy_align_from_log2(log2);
        int *one = hy_create_aligned(gpa, int, align);
        assert_lives(&all, one, sizeof(int), align);
        hy_destroy_aligned(gpa, one, align);

        int *some = hy_alloc_n_aligned(gpa, int, 6, align);
        assert_lives(&all, some, 24, align);
        for (int i = 0; i < 6; i++)
            some[i] = i;
        assert_true(hy_resize_n_aligned(gpa, some, 6, 5, align));
        assert_ptr_equal(hy_remap_n_aligned(gpa, int, some, 5, 4, align), some);
        some = hy_realloc_n_aligned(gpa, int, some, 4, 40, align);
        assert_lives(&all, some, 160, align);
        assert_int_equal(some[3], 3);

        int *copy = hy_dupe_aligned(gpa, int, some, 4, align);
        assert_lives(&all, copy, 16, align);
        assert_memory_equal(copy, some, 16);
        hy_free_n_aligned(gpa, copy, 4, align);
        int *ended = hy_dupe_z_aligned(gpa, int, some, 4, align);
        assert_lives(&all, ended, 20, align);
        assert_int_equal(ended[4], 0);
        hy_free_sentinel_aligned(gpa, ended, 4, align);
        hy_free_n_aligned(gpa, some, 40, align);

        int *zeros = hy_alloc_zeroed_aligned(gpa, int, 4, align);
        assert_lives(&all, zeros, 16, align);
        assert_int_equal(zeros[0] | zeros[1] | zeros[2] | zeros[3], 0);
        hy_free_n_aligned(gpa, zeros, 4, align);
        assert_all_freed(&all);
    }
}

static void alignment_and_sentinel_in_one(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    char *text = hy_alloc_sentinel_aligned(gpa, char, 5, '\0', HY_ALIGN_4096);
    assert_lives(&all, text, 6, HY_ALIGN_4096);
    memcpy(text, "hello", 5);
    assert_string_equal(text, "hello");
    hy_free_sentinel_aligned(gpa, text, 5, HY_ALIGN_4096);
    assert_all_freed(&all);
}

static void none_of_a_type_is_a_block_too(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    int *none = hy_alloc_n(gpa, int, 0);
    assert_ptr_equal(none, hy_zero_size_pointer(HY_ALIGN_4));
    hy_free_n(gpa, none, 0);
    assert_ptr_equal(hy_dupe(gpa, int, NULL, 0), none);
    assert_ptr_equal(hy_alloc_zeroed(gpa, int, 0), none);
    assert_false(hy_resize_n(gpa, none, 0, 1));
    assert_null(hy_remap_n(gpa, int, none, 0, 1));
    assert_int_equal(all.calls, 0);

    int *grown = hy_realloc_n(gpa, int, none, 0, 2);
    assert_lives(&all, grown, 8, HY_ALIGN_4);
    assert_ptr_equal(hy_realloc_n(gpa, int, grown, 2, 0), none);
    int *from_null = hy_realloc_n(gpa, int, NULL, 0, 2);
    assert_lives(&all, from_null, 8, HY_ALIGN_4);
    assert_ptr_equal(hy_remap_n(gpa, int, from_null, 2, 0), none);
    int *last = hy_alloc_n(gpa, int, 2);
    assert_true(hy_resize_n(gpa, last, 2, 0));
    hy_destroy(gpa, (int *)NULL);
    hy_free_sentinel(gpa, (char *)NULL, 7);
    assert_all_freed(&all);

    char *ended = hy_dupe_z(gpa, char, NULL, 0);
    assert_string_equal(ended, "");
    hy_free_sentinel(gpa, ended, 0);
    assert_all_freed(&all);
}

/* Greatest counts and greatest alignments: never a small block, and the child is not asked. */
static void overflow_reaches_no_child(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    const uint64_t one = 1;
    const size_t counts[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8 + 1, SIZE_MAX - 7};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t count = counts[i];
        assert_null(hy_alloc_n_aligned(gpa, uint64_t, count, HY_ALIGN_64));
        assert_null(hy_alloc_zeroed_aligned(gpa, uint64_t, count, HY_ALIGN_64));
        assert_null(hy_alloc_sentinel_aligned(gpa, uint64_t, count, 1, HY_ALIGN_64));
        assert_null(hy_dupe_aligned(gpa, uint64_t, &one, count, HY_ALIGN_64));
        assert_null(hy_dupe_z_aligned(gpa, uint64_t, &one, count, HY_ALIGN_64));
    }
    assert_null(hy_alloc_sentinel(gpa, char, SIZE_MAX, 0));
    assert_null(hy_dupe_z(gpa, char, "", SIZE_MAX));
    assert_int_equal(all.calls, 0);

    uint64_t *live = hy_alloc_n(gpa, uint64_t, 1);
    *live = 17;
    size_t calls = all.calls;
    assert_null(hy_realloc_n(gpa, uint64_t, live, 1, SIZE_MAX / 8 + 1));
    assert_null(hy_remap_n(gpa, uint64_t, live, 1, SIZE_MAX / 8 + 1));
    assert_false(hy_resize_n(gpa, live, 1, SIZE_MAX / 8 + 1));
    assert_int_equal(all.calls, calls);
    assert_int_equal(*live, 17);
    hy_free_n(gpa, live, 1);
    assert_all_freed(&all);
}

static void refusals_change_nothing(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    int *live = hy_alloc_n(gpa, int, 2);
    live[0] = 4, live[1] = 5;
    all.refuses = true;
    assert_null(hy_create(gpa, int));
    assert_null(hy_alloc_n(gpa, int, 3));
    assert_null(hy_alloc_zeroed(gpa, int, 3));
    assert_null(hy_alloc_sentinel(gpa, int, 3, 0));
    assert_null(hy_dupe(gpa, int, live, 2));
    assert_null(hy_dupe_z(gpa, int, live, 2));
    assert_null(hy_realloc_n(gpa, int, live, 2, 3));
    assert_null(hy_realloc_n(gpa, int, live, 2, 1));
    assert_false(hy_resize_n(gpa, live, 2, 1));
    assert_lives(&all, live, 8, HY_ALIGN_4);
    assert_int_equal(live[0] * 10 + live[1], 45);
    hy_free_n(gpa, live, 2);
    assert_all_freed(&all);
}

/* Up to 16 MiB as asked; beyond any address space refused. What lies between takes the machine's own time. */
static void any_alignment_is_kept_or_refused(void **state) {
    (void)state;
    const hy_allocator sources[] = {hy_libc(), hy_page()};
    for (size_t i = 0; i < 2; i++) {
        for (unsigned log2 = 0; log2 <= 24; log2++) {
            hy_align align = hy_align_from_log2(log2);
            char *block = hy_alloc_n_aligned(sources[i], char, 3, align);
            assert_true(block && hy_align_check_pointer(block, align));
            hy_free_n_aligned(sources[i], block, 3, align);
        }
        for (unsigned log2 = 48; log2 <= HY_ALIGN_LOG2_MAX; log2++)
            assert_null(hy_alloc_n_aligned(sources[i], char, 3, hy_align_from_log2(log2)));
    }
}

#if HY_FILLS
/* A realloc that must move fills the block it leaves. */
static void a_moving_realloc_fills_the_old_block(void **state) {
    (void)state;
    witness all = {0};
    hy_allocator gpa = over(&all);
    char *old = hy_alloc_n(gpa, char, 8);
    memset(old, 'x', 8);
    char *moved = hy_realloc_n(gpa, char, old, 8, 16);
    assert_int_equal(all.freed_byte, HY_FILL_BYTE);
    assert_memory_equal(moved, "xxxxxxxx", 8);
    for (int i = 8; i < 16; i++)
        assert_int_equal((uint8_t)moved[i], HY_FILL_BYTE);
    hy_free_n(gpa, moved, 16);
    assert_all_freed(&all);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_bring_their_alignment),
        cmocka_unit_test(every_aligned_form),
        cmocka_unit_test(alignment_and_sentinel_in_one),
        cmocka_unit_test(none_of_a_type_is_a_block_too),
        cmocka_unit_test(overflow_reaches_no_child),
        cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(any_alignment_is_kept_or_refused),
#if HY_FILLS
        cmocka_unit_test(a_moving_realloc_fills_the_old_block),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
