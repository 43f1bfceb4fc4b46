/* front_door_test.c: what the front door deals with itself, and what it passes on.
 *
 * The allocator behind it here serves from one buffer and notes every call, so that each test can
 * say what the vtable saw.
 */
#include <heapyard/error.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/os.h>
#include <heapyard/typed.h>

#include "allocators/conformance/dies.h"

typedef struct spy_heap {
    _Alignas(64) char buffer[4096];
    size_t allocs, frees, resizes, remaps;
    size_t last_size, last_old_size;
    size_t used;
    bool refuses;
    bool resizes_in_place;
    uint8_t first_freed_byte;
} spy_heap;

/* Behind each block, so that one that grows in place runs into no other. */
#define ROOM_TO_GROW 32

static void *spy_alloc(void *self, size_t size, hy_align align) {
    spy_heap *spy = self;
    spy->allocs++;
    spy->last_size = size;
    size_t at = hy_align_forward(spy->used, align);
    if (spy->refuses || size > sizeof spy->buffer - at) return NULL;
    spy->used = at + size + ROOM_TO_GROW;
    return spy->buffer + at;
}

static bool spy_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)ptr, (void)align;
    spy_heap *spy = self;
    spy->resizes++;
    spy->last_old_size = old_size;
    spy->last_size = new_size;
    return spy->resizes_in_place;
}

static void *spy_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    spy_heap *spy = self;
    spy->remaps++;
    bool done = spy_resize(self, ptr, old_size, new_size, align);
    spy->resizes--;
    return done ? ptr : NULL;
}

static void spy_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    spy_heap *spy = self;
    spy->frees++;
    spy->last_size = size;
    hy_unpoison_defined(ptr, 1);
    spy->first_freed_byte = *(uint8_t *)ptr;
}

static const hy_vtable spy_vtable = {spy_alloc, spy_resize, spy_remap, spy_free};

static hy_allocator spy_allocator(spy_heap *spy) {
    return (hy_allocator){spy, &spy_vtable};
}

static void zero_size_reaches_no_vtable(void **state) {
    (void)state;
    spy_heap spy = {.resizes_in_place = true};
    hy_allocator a = spy_allocator(&spy);
    for (unsigned log2 = 0; log2 < 20; log2++) {
        hy_align align = hy_align_from_log2(log2);
        void *nothing = hy_alloc(a, 0, align);
        assert_non_null(nothing);
        assert_true((uintptr_t)nothing == (SIZE_MAX & ~(hy_align_bytes(align) - 1)));
        assert_false(hy_resize(a, nothing, 0, 8, align));
        assert_null(hy_remap(a, nothing, 0, 8, align));
        assert_true(hy_resize(a, nothing, 0, 0, align));
        hy_free(a, nothing, 0, align);
    }
    hy_free(a, NULL, 17, HY_ALIGN_1);
    assert_int_equal(spy.allocs + spy.frees + spy.resizes + spy.remaps, 0);
}

static void to_zero_frees(void **state) {
    (void)state;
    spy_heap spy = {.resizes_in_place = true};
    hy_allocator a = spy_allocator(&spy);
    void *ptr = hy_alloc(a, 10, HY_ALIGN_8);
    assert_true(hy_resize(a, ptr, 10, 0, HY_ALIGN_8));
    assert_int_equal(spy.frees, 1);
    assert_int_equal(spy.last_size, 10);

    ptr = hy_alloc(a, 11, HY_ALIGN_8);
    assert_true(hy_remap(a, ptr, 11, 0, HY_ALIGN_8) == hy_zero_size_pointer(HY_ALIGN_8));
    assert_int_equal(spy.frees, 2);

    ptr = hy_alloc(a, 12, HY_ALIGN_8);
    assert_true(hy_realloc(a, ptr, 12, 0, HY_ALIGN_8) == hy_zero_size_pointer(HY_ALIGN_8));
    assert_int_equal(spy.frees, 3);
    assert_int_equal(spy.resizes + spy.remaps, 0);
}

static void realloc_remaps_else_copies(void **state) {
    (void)state;
    spy_heap spy = {.resizes_in_place = true};
    hy_allocator a = spy_allocator(&spy);
    char *ptr = hy_realloc(a, NULL, 99, 4, HY_ALIGN_1);
    assert_non_null(ptr);
    memcpy(ptr, "ABCD", 4);
    assert_ptr_equal(hy_realloc(a, ptr, 4, 8, HY_ALIGN_1), ptr);
    assert_int_equal(spy.remaps, 1);
    assert_memory_equal(ptr, "ABCD", 4);

    spy.resizes_in_place = false;
    char *moved = hy_realloc(a, ptr, 8, 16, HY_ALIGN_1);
    assert_ptr_not_equal(moved, ptr);
    assert_memory_equal(moved, "ABCD", 4);
    assert_int_equal(spy.frees, 1);
    char *shrunk = hy_realloc(a, moved, 16, 3, HY_ALIGN_1);
    assert_memory_equal(shrunk, "ABC", 3);
}

static void refused_realloc_leaves_the_block(void **state) {
    (void)state;
    spy_heap spy = {0};
    hy_allocator a = spy_allocator(&spy);
    char *ptr = hy_alloc(a, 4, HY_ALIGN_1);
    memcpy(ptr, "ABCD", 4);
    spy.refuses = true;
    assert_null(hy_realloc(a, ptr, 4, 8, HY_ALIGN_1));
    assert_memory_equal(ptr, "ABCD", 4);
    assert_int_equal(spy.frees, 0);
}

static void overflow_is_a_refusal(void **state) {
    (void)state;
    spy_heap spy = {0};
    hy_allocator a = spy_allocator(&spy);
    assert_null(hy_alloc_n(a, uint64_t, SIZE_MAX / 8 + 1));
    assert_null(hy_alloc_zeroed(a, uint64_t, SIZE_MAX / 2));
    assert_null(hy_alloc_sentinel(a, char, SIZE_MAX, 0));
    assert_null(hy_alloc_sentinel(a, uint32_t, SIZE_MAX / 4, 0));
    assert_null(hy_dupe_z(a, char, "x", SIZE_MAX));
    uint32_t *block = hy_alloc_n(a, uint32_t, 2);
    assert_null(hy_realloc_n(a, uint32_t, block, 2, SIZE_MAX / 4 + 1));
    assert_null(hy_remap_n(a, uint32_t, block, 2, SIZE_MAX / 4 + 1));
    assert_false(hy_resize_n(a, block, 2, SIZE_MAX / 4 + 1));
    assert_int_equal(spy.allocs, 1);
    assert_int_equal(spy.resizes + spy.remaps, 0);
}

typedef struct point {
    int x, y;
} point;

static void typed_layer_gives_back_what_it_took(void **state) {
    (void)state;
    spy_heap spy = {0};
    hy_allocator a = spy_allocator(&spy);
    point *one = hy_create(a, point);
    *one = (point){7, -3};
    point *copy = hy_dupe(a, point, one, 1);
    assert_int_equal(copy->x, 7);
    assert_int_equal(copy->y, -3);
    hy_destroy(a, one);
    assert_int_equal(spy.last_size, sizeof(point));
    hy_free_n(a, copy, 1);

    char *hello = hy_dupe_z(a, char, "hello there", 5);
    assert_string_equal(hello, "hello");
    hy_free_sentinel(a, hello, 5);
    assert_int_equal(spy.last_size, 6);

    uint16_t *marked = hy_alloc_sentinel_aligned(a, uint16_t, 3, 0xffff, HY_ALIGN_64);
    assert_true(hy_align_check_pointer(marked, HY_ALIGN_64));
    assert_int_equal(marked[3], 0xffff);
    hy_free_sentinel_aligned(a, marked, 3, HY_ALIGN_64);
    assert_int_equal(spy.last_size, 8);

    int *zeros = hy_alloc_zeroed(a, int, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(zeros[i], 0);
    hy_free_n(a, zeros, 5);
    assert_int_equal(spy.frees, spy.allocs);
}

static void level_two_fills(void **state) {
    (void)state;
#if HY_FILLS
    spy_heap spy = {.resizes_in_place = true};
    hy_allocator a = spy_allocator(&spy);
    uint8_t *ptr = hy_alloc(a, 8, HY_ALIGN_1);
    /* Nobody may read fresh memory, and Valgrind is told so; this test looks at what the fill has left. */
    hy_unpoison_defined(ptr, 8);
    assert_int_equal(ptr[0], HY_FILL_BYTE);
    memset(ptr, 1, 16);
    assert_true(hy_resize(a, ptr, 8, 16, HY_ALIGN_1));
    hy_unpoison_defined(ptr, 16);
    assert_int_equal(ptr[7], 1);
    assert_int_equal(ptr[8], HY_FILL_BYTE);
    assert_int_equal(ptr[15], HY_FILL_BYTE);
    hy_free(a, ptr, 16, HY_ALIGN_1);
    assert_int_equal(spy.first_freed_byte, HY_FILL_BYTE);
#else
    assert_true(HY_CHECK < 2);
#endif
}

static void free_of_a_misaligned_pointer(void) {
    static _Alignas(16) char block[32];
    hy_free(hy_null(), block + 1, 8, HY_ALIGN_16);
}

static void misaligned_free_is_caught(void **state) {
    (void)state;
    assert_dies_saying(free_of_a_misaligned_pointer, "hy_free");
}

static void null_refuses_and_libc_aligns(void **state) {
    (void)state;
    assert_null(hy_alloc(hy_null(), 1, HY_ALIGN_1));
    for (unsigned log2 = 0; log2 < 22; log2++) {
        hy_align align = hy_align_from_log2(log2);
        void *ptr = hy_alloc(hy_libc(), 100, align);
        assert_true(ptr && hy_align_check_pointer(ptr, align));
        hy_free(hy_libc(), ptr, 100, align);
    }
    volatile size_t huge = SIZE_MAX - 8; /* a size that the compiler knows would be a warning */
    assert_null(hy_alloc(hy_libc(), huge, HY_ALIGN_1));
    assert_null(hy_alloc(hy_libc(), 16, hy_align_from_log2(63)));
}

static void errors_and_build_have_words(void **state) {
    (void)state;
    for (int error = HY_OK; error < HY_ERROR_COUNT; error++) {
        assert_true(strlen(hy_error_string((hy_error)error)) > 3);
    }
    assert_string_equal(hy_error_string((hy_error)99), "unknown error");
    assert_non_null(strstr(hy_build_info(), "heapyard " HY_VERSION));
    assert_non_null(strstr(hy_build_info_for(2), "includer-check=2"));
    size_t page = hy_page_size();
    assert_true(page >= HY_PAGE_SIZE_MIN && page <= HY_PAGE_SIZE_MAX && (page & (page - 1)) == 0);
}

static void nothing_does_not_grow(void **state) {
    (void)state;
    assert_false(hy_resize(hy_libc(), NULL, 0, 8, HY_ALIGN_8));
    assert_null(hy_remap(hy_libc(), NULL, 0, 8, HY_ALIGN_8));
    void *none = hy_alloc(hy_libc(), 0, HY_ALIGN_8);
    assert_false(hy_resize(hy_libc(), none, 0, 8, HY_ALIGN_8));
    assert_null(hy_remap(hy_libc(), none, 0, 8, HY_ALIGN_8));
}

static void arrays_of_nothing_are_not_zeroed(void **state) {
    (void)state;
    void *none = hy_zero_size_pointer(HY_ALIGN_8);
    assert_ptr_equal(hy_alloc_array_zeroed(hy_libc(), 5, 0, HY_ALIGN_8), none);
    assert_ptr_equal(hy_alloc_array_zeroed(hy_libc(), 0, 5, HY_ALIGN_8), none);
    assert_null(hy_alloc_array_zeroed(hy_null(), 5, 5, HY_ALIGN_8));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_does_not_grow),
        cmocka_unit_test(arrays_of_nothing_are_not_zeroed),
        cmocka_unit_test(zero_size_reaches_no_vtable),
        cmocka_unit_test(to_zero_frees),
        cmocka_unit_test(realloc_remaps_else_copies),
        cmocka_unit_test(refused_realloc_leaves_the_block),
        cmocka_unit_test(overflow_is_a_refusal),
        cmocka_unit_test(typed_layer_gives_back_what_it_took),
        cmocka_unit_test(level_two_fills),
        cmocka_unit_test(misaligned_free_is_caught),
        cmocka_unit_test(null_refuses_and_libc_aligns),
        cmocka_unit_test(errors_and_build_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
