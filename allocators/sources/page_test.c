/* page_test.c: whole pages at any alignment, counted to the page. */
#include <heapyard/os.h>
#include <heapyard/page.h>
#include <heapyard/plugin.h>
#include <heapyard/poison.h>
#include <heapyard/typed.h>
#include <pthread.h>

#include "allocators/conformance/dies.h"
#include "allocators/core/os.h"

extern const hy_row hy_page_row;

static hy_page_source source;

static hy_allocator fresh(bool huge) {
    hy_page_source_init(&source, (hy_page_options){.huge = huge});
    return hy_page_allocator(&source);
}

static size_t held(void) {
    return hy_page_source_counts(&source).held_bytes;
}

static void holds_whole_pages(void **state) {
    (void)state;
    hy_allocator allocator = fresh(false);
    size_t page = hy_page_size();
    char *one = hy_alloc(allocator, 1, HY_ALIGN_1), *two = hy_alloc(allocator, page + 1, HY_ALIGN_8);
    assert_true(one && two);
    one[0] = two[page] = 1;
    assert_int_equal(held(), 3 * page);
    hy_free(allocator, one, 1, HY_ALIGN_1);
    hy_free(allocator, two, page + 1, HY_ALIGN_8);
    assert_int_equal(held(), 0);
    hy_page_counts counts = hy_page_source_counts(&source);
    assert_int_equal(counts.high_water_bytes, 3 * page);
    assert_int_equal(counts.calls_count, 4);
}

static void stamp(char *ptr, size_t size) {
    for (size_t at = 0; at < size; at += 512)
        memcpy(ptr + at, &at, sizeof at);
}

static void assert_stamped(const char *ptr, size_t size) {
    for (size_t at = 0; at < size; at += 512)
        assert_memory_equal(ptr + at, &at, sizeof at);
}

/* ThreadSanitizer can't follow a move by page tables, so that builds with it copy instead. */
static char *grow(hy_allocator allocator, char *ptr, size_t old_size, size_t new_size, hy_align align) {
#if HY_TSAN
    return hy_realloc(allocator, ptr, old_size, new_size, align);
#else
    return hy_remap(allocator, ptr, old_size, new_size, align);
#endif
}

static void aligns_above_a_page_also_after_remap(void **state) {
    (void)state;
    hy_allocator allocator = fresh(false);
    for (unsigned log2 = 0; log2 <= 24; log2++) {
        hy_align align = hy_align_from_log2(log2);
        size_t size = 5 * hy_page_size();
        char *ptr = hy_alloc(allocator, size, align);
        assert_true(ptr && hy_align_check_pointer(ptr, align));
        stamp(ptr, size);
        /* Something right behind it, so that it can't grow where it lies every time. */
        char *behind = hy_alloc(allocator, hy_page_size(), HY_ALIGN_1);
        for (int round = 0; round < 6; round++) {
            char *moved = grow(allocator, ptr, size, size * 2, align);
            assert_true(moved && hy_align_check_pointer(moved, align));
            assert_stamped(moved, size);
            size *= 2;
            ptr = moved;
            stamp(ptr, size);
        }
        assert_int_equal(held(), size + hy_page_size());
        hy_free(allocator, ptr, size, align);
        hy_free(allocator, behind, hy_page_size(), HY_ALIGN_1);
        assert_int_equal(held(), 0);
    }
}

/* From between ranges that may not be touched: Valgrind must not take what grew for a part of them. */
static void moves_from_between_reserved_ranges(void **state) {
    (void)state;
    if (HY_TSAN) skip();
    hy_allocator allocator = fresh(false);
    hy_align align = hy_align_from_log2(14);
    size_t page = hy_page_size(), span = hy_align_bytes(align);
    char *reserved = hy_os_reserve(3 * span), *ptr = hy_alloc(allocator, page, align);
    assert_true(reserved && ptr);
    stamp(ptr, page);
    char *between = (char *)(((uintptr_t)reserved + span) & ~(uintptr_t)(span - 1));
    assert_true(hy_os_move_to(ptr, page, page, between));
    char *moved = grow(allocator, between, page, 3 * page, align);
    assert_true(moved && moved != between && hy_align_check_pointer(moved, align));
    assert_stamped(moved, page);
    stamp(moved, 3 * page);
    assert_stamped(moved, 3 * page);
    hy_free(allocator, moved, 3 * page, align);
    assert_true(hy_os_unmap(reserved, 3 * span));
    assert_int_equal(held(), 0);
}

static void shrink_gives_tail_pages_back(void **state) {
    (void)state;
    hy_allocator allocator = fresh(false);
    size_t page = hy_page_size();
    char *ptr = hy_alloc(allocator, 10 * page, HY_ALIGN_8);
    stamp(ptr, 10 * page);
    assert_true(hy_resize(allocator, ptr, 10 * page, 9 * page + 1, HY_ALIGN_8));
    assert_int_equal(held(), 10 * page);
    assert_true(hy_resize(allocator, ptr, 9 * page + 1, 3 * page, HY_ALIGN_8));
    assert_int_equal(held(), 3 * page);
    assert_stamped(ptr, 3 * page);
    /* What was just given back is free, so it can be had again, and is fresh. */
    assert_true(hy_resize(allocator, ptr, 3 * page, 4 * page, HY_ALIGN_8));
    assert_ptr_equal(hy_remap(allocator, ptr, 4 * page, 1, HY_ALIGN_8), ptr);
    assert_int_equal(held(), page);
    hy_free(allocator, ptr, 1, HY_ALIGN_8);
    assert_int_equal(held(), 0);
}

static void extremes_are_refused(void **state) {
    (void)state;
    hy_allocator allocator = fresh(false);
    char *ptr = hy_alloc(allocator, 100, HY_ALIGN_1);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        assert_null(hy_alloc(allocator, SIZE_MAX - log2, align));
        assert_null(hy_alloc(allocator, SIZE_MAX / 2 + log2, align));
        assert_null(hy_alloc(allocator, PTRDIFF_MAX - hy_page_size(), align));
        if (log2 >= 48) assert_null(hy_alloc(allocator, 1, align));
    }
    for (size_t below = 0; below < 3; below++) {
        assert_false(hy_resize(allocator, ptr, 100, SIZE_MAX - below, HY_ALIGN_1));
        assert_null(hy_remap(allocator, ptr, 100, SIZE_MAX / 2 + below, HY_ALIGN_1));
    }
    memset(ptr, 1, 100);
    hy_free(allocator, ptr, 100, HY_ALIGN_1);
    assert_int_equal(held(), 0);
}

static void huge_pages_begin_at_huge_pages(void **state) {
    (void)state;
    hy_allocator allocator = fresh(true);
    size_t size = (size_t)5 << 20;
    char *ptr = hy_alloc(allocator, size, HY_ALIGN_8);
    assert_true(ptr && hy_align_check_pointer(ptr, hy_align_from_log2(21)));
    stamp(ptr, size);
    char *moved = hy_remap(allocator, ptr, size, 2 * size, HY_ALIGN_8);
    if (moved) assert_stamped(moved, size);
    hy_free(allocator, moved ? moved : ptr, moved ? 2 * size : size, HY_ALIGN_8);
    assert_int_equal(held(), 0);
}

#define THREADS 4
#define ROUNDS 100

static void *work(void *argument) {
    (void)argument;
    hy_allocator allocator = hy_page_allocator(&source);
    for (size_t round = 1; round <= ROUNDS; round++) {
        char *ptr = hy_alloc(allocator, round * 1000, HY_ALIGN_4096);
        if (!ptr) return NULL;
        stamp(ptr, round * 1000 - 512);
        char *moved = hy_remap(allocator, ptr, round * 1000, round * 1500, HY_ALIGN_4096);
        hy_free(allocator, moved ? moved : ptr, moved ? round * 1500 : round * 1000, HY_ALIGN_4096);
    }
    return &source;
}

static void set_limit(__rlimit_resource_t resource, size_t value) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    limit.rlim_cur = value;
    setrlimit(resource, &limit);
}

/* Ends with 0 where a block of this alignment that can't grow stays as it was. */
static int grow_without_data(hy_align align) {
    hy_allocator allocator = fresh(false);
    size_t size = 3 * hy_page_size();
    char *ptr = hy_alloc(allocator, size, align);
    if (!ptr) return 1;
    memset(ptr, 7, size);
    set_limit(RLIMIT_DATA, hy_page_size()); /* Linux does not enforce 0 */
    bool moved = hy_remap(allocator, ptr, size, 64 * size, align) != NULL;
    set_limit(RLIMIT_DATA, RLIM_INFINITY);
    if (moved || held() != size || ptr[0] != 7 || ptr[size - 1] != 7) return 2;
    hy_free(allocator, ptr, size, align);
    return held() == 0 ? 0 : 3;
}

static void grow_blocks_without_data(void) {
    int status = grow_without_data(HY_ALIGN_1);
    _exit(status ? status : grow_without_data(hy_align_from_log2(20)));
}

/* Valgrind asks the system for memory of its own, and keeps its own account of mappings. */
static bool is_under_tool(void) {
#if HY_VALGRIND
    if (hy_on_valgrind) return true;
#endif
    return HY_ASAN || HY_TSAN;
}

static void a_move_that_the_system_refuses_changes_nothing(void **state) {
    (void)state;
    if (is_under_tool()) skip();
    assert_exits_saying(0, grow_blocks_without_data, "");
}

enum { MAPPINGS_MAX = 200000, BLOCKS = 32 };

/* Splits a range into mappings of a page until the process may have no more of them; false: it may have too
 * many for a test. */
static bool use_mappings_up(void) {
    size_t page = hy_page_size();
    char *range = hy_os_reserve(MAPPINGS_MAX * page);
    if (!range) return false;
    for (size_t i = 1; i < MAPPINGS_MAX; i += 2) {
        if (!hy_os_protect(range + i * page, page, true)) return true;
    }
    return false;
}

/* A block in the midst of others can't be unmapped then, since that would make one mapping two. */
static void free_blocks_that_stay_mapped(void) {
    hy_allocator allocator = fresh(false);
    char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = hy_alloc(allocator, hy_page_size(), HY_ALIGN_1);
        blocks[i][0] = 1;
    }
    if (!use_mappings_up()) _exit(0);
    for (size_t i = 0; i < BLOCKS; i++) /* the odd ones first, which lie between others */
        hy_free(allocator, blocks[(2 * i + 1) % (BLOCKS + 1)], hy_page_size(), HY_ALIGN_1);
    _exit(held() == 0 ? 0 : 1);
}

static void pages_that_cannot_be_unmapped_are_given_back_empty(void **state) {
    (void)state;
    if (is_under_tool()) skip();
    assert_exits_saying(0, free_blocks_that_stay_mapped, "");
}

static void counts_stay_exact_with_many_threads(void **state) {
    (void)state;
    fresh(false);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
    }
    assert_int_equal(held(), 0);
}

static void the_rows_check_sees_damage(void **state) {
    (void)state;
    const hy_config config = {.options = 0};
    hy_allocator allocator;
    hy_page_source *made = hy_page_row.make(&hy_page_row, &config, &allocator);
    assert_non_null(made);
    assert_true(hy_page_row.check(made));
    made->held_bytes = 1;
    assert_false(hy_page_row.check(made));
    made->held_bytes = hy_page_size();
    assert_false(hy_page_row.check(made));
    made->held_bytes = 0;
    hy_page_row.destroy(&hy_page_row, made);
}

static void more_than_huge_alignment_is_kept(void **state) {
    (void)state;
    hy_allocator allocator = fresh(true);
    hy_align align = hy_align_from_log2(23);
    char *ptr = hy_alloc(allocator, HY_OS_HUGE_PAGE, align);
    assert_non_null(ptr);
    assert_true(hy_align_check_pointer(ptr, align));
    hy_free(allocator, ptr, HY_OS_HUGE_PAGE, align);
    assert_int_equal(held(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_whole_pages),
        cmocka_unit_test(aligns_above_a_page_also_after_remap),
        cmocka_unit_test(moves_from_between_reserved_ranges),
        cmocka_unit_test(shrink_gives_tail_pages_back),
        cmocka_unit_test(extremes_are_refused),
        cmocka_unit_test(huge_pages_begin_at_huge_pages),
        cmocka_unit_test(the_rows_check_sees_damage),
        cmocka_unit_test(more_than_huge_alignment_is_kept),
        cmocka_unit_test(a_move_that_the_system_refuses_changes_nothing),
        cmocka_unit_test(pages_that_cannot_be_unmapped_are_given_back_empty),
        cmocka_unit_test(counts_stay_exact_with_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
