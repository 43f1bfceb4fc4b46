/* smp_test.c: blocks of every size and alignment: how they begin, change and end, in one thread. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include <errno.h>

#include <heapyard/allocator.h>
#include <heapyard/smp_lookup.h>

/* ---- classes ---- */

static void the_tables_agree_with_the_class_worked_out(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 < 64; log2++) {
        for (size_t size = 1; size <= HY_SMP_SMALL_MAX; size++) {
            uint32_t fast = hy_smp_fast_class(size, align_log2(log2));
            bool is_there = log2 <= (size <= HY_SMP_LINEAR_MAX ? HY_SMP_SMALL_ALIGN_LOG2_MAX
                                                               : HY_SMP_LOOKUP_ALIGN_LOG2_MAX);
            uint32_t expected = is_there ? hy_smp_class(size, align_log2(log2)) : 0;
            if (fast != expected) fail_msg("%zu at 2^%u: %u, not %u", size, log2, fast, expected);
        }
    }
    assert_int_equal(hy_smp_fast_class(HY_SMP_SMALL_MAX + 1, HY_ALIGN_1), 0);
    assert_int_equal(hy_smp_fast_class(SIZE_MAX, HY_ALIGN_1), 0);
}

static void a_class_is_the_smallest_that_serves(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= HY_SMP_SMALL_ALIGN_LOG2_MAX; log2++) {
        uint32_t best = 1;
        for (size_t size = 1; size <= HY_SMP_SMALL_MAX; size++) {
            uint32_t class_size = hy_smp_class_size(hy_smp_class(size, align_log2(log2)));
            size_t align = (size_t)1 << log2;
            /* Class numbers leave gaps where a multiple of 8 is no class. */
            while (hy_smp_class_size(best) < size || hy_smp_class_size(best) % align != 0 ||
                   hy_smp_class(hy_smp_class_size(best), HY_ALIGN_1) != best)
                best++;
            assert_int_equal(class_size, hy_smp_class_size(best));
        }
    }
}

static void small_classes_are_exact_and_others_waste_an_eighth(void **state) {
    (void)state;
    for (size_t size = 1; size <= HY_SMP_SMALL_MAX; size++) {
        size_t class_size = hy_smp_class_size(hy_smp_class(size, HY_ALIGN_1));
        if (size <= HY_SMP_FINE_MAX)
            assert_int_equal(class_size, (size + 7) / 8 * 8);
        else
            assert_true(class_size >= size && (class_size - size) * 8 <= class_size);
    }
}

/* ---- one block ---- */

/* Sizes at which the way of a request changes, and one more and one less. */
static const size_t edges[] = {1, 2, 7, 8, 9, 15, 16, 17, 127, 128, 129, 511, 512, 513, 1023, 1024, 1025,
    1152, 1153, 4095, 4096, 4097, 8191, 8192, 8193, 28672, 28673, 32767, 32768, 32769, 36864, 36865, 65535,
    65536, 65537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1};
#define EDGES (sizeof edges / sizeof edges[0])

static void assert_is(const unsigned char *bytes, unsigned char value, size_t size) {
    assert_true(size > 0 && bytes[0] == value);
    assert_true(size == 1 || memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void blocks_of_all_edges_and_alignments_are_what_was_asked_for(void **state) {
    hy_smp_heap *heap = *state;
    for (unsigned log2 = 0; log2 <= 21; log2++) {
        for (size_t i = 0; i < EDGES; i++) {
            size_t size = edges[i];
            unsigned char *block = hy_smp_heap_alloc(heap, size, align_log2(log2));
            assert_non_null(block);
            assert_int_equal((uintptr_t)block & (((uintptr_t)1 << log2) - 1), 0);
            memset(block, (int)i, size);
            size_t usable = hy_smp_usable_size(heap, block);
            assert_true(usable >= size);
            assert_true(hy_smp_owns(heap, block) && hy_smp_owns(heap, block + size - 1));
            assert_is(block, (unsigned char)i, size);
            if (i % 2)
                hy_smp_heap_free(heap, block, size, align_log2(log2));
            else
                hy_smp_heap_free_unsized(heap, block);
        }
        assert_true(hy_smp_check(heap));
    }
    assert_int_equal(stats_of(heap).live_blocks, 0);
}

/* Every block of a class lies as the class's size promises, not only the first of a slab. */
static void all_blocks_of_a_class_are_aligned_and_apart(void **state) {
    hy_smp_heap *heap = *state;
    enum { COUNT = 200 };
    unsigned char *blocks[COUNT];
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        size_t size = hy_smp_class_size(number), align = size & (0 - size);
        if (hy_smp_class(size, HY_ALIGN_1) != number) continue;
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = hy_smp_heap_alloc(heap, size, HY_ALIGN_1);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % (align < 4096 ? align : 4096), 0);
            memset(blocks[i], (int)i, size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            assert_is(blocks[i], (unsigned char)i, size);
            hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_1);
        }
    }
}

static void great_alignments_are_served_up_to_the_greatest(void **state) {
    hy_smp_heap *heap = *state;
    unsigned most = IS_SMALL ? 26 : HY_SMP_ALIGN_LOG2_MAX;
    for (unsigned log2 = 13; log2 <= most; log2++) {
        unsigned char *block = hy_smp_heap_alloc(heap, 100, align_log2(log2));
        assert_non_null(block);
        assert_int_equal((uintptr_t)block & (((uintptr_t)1 << log2) - 1), 0);
        memset(block, 7, 100);
        hy_smp_heap_free(heap, block, 100, align_log2(log2));
    }
}

/* Small ones lie on pages of their own then: without its size, a block must not pass for one of a class. */
static void small_blocks_of_great_alignment_end_without_their_size(void **state) {
    hy_smp_heap *heap = *state;
    void *block = hy_smp_heap_alloc(heap, 100, align_log2(13));
    assert_non_null(block);
    assert_int_equal(hy_smp_usable_size(heap, block), 4096);
    hy_smp_heap_free_unsized(heap, block);
    assert_int_equal(stats_of(heap).large_blocks, 0);
    assert_int_equal(hy_smp_trim(heap) > 0, true);
}

static void aligned_pages_are_used_again(void **state) {
    hy_smp_heap *heap = *state;
    hy_align align = align_log2(IS_SMALL ? 24 : HY_SMP_ALIGN_LOG2_MAX);
    void *first = hy_smp_heap_alloc(heap, 100, align);
    assert_non_null(first);
    hy_smp_heap_free(heap, first, 100, align);
    for (int i = 0; i < 100; i++) {
        void *next = hy_smp_heap_alloc(heap, 100, align);
        assert_ptr_equal(next, first);
        hy_smp_heap_free(heap, next, 100, align);
    }
}

/* ---- resize and remap ---- */

static void a_block_grows_and_shrinks_within_its_class(void **state) {
    hy_smp_heap *heap = *state;
    unsigned char *block = hy_smp_heap_alloc(heap, 1025, HY_ALIGN_8);
    memset(block, 3, 1025);
    assert_true(hy_smp_heap_resize(heap, block, 1025, 1152, HY_ALIGN_8));
    memset(block, 3, 1152);
    assert_false(hy_smp_heap_resize(heap, block, 1152, 1153, HY_ALIGN_8));
    assert_false(hy_smp_heap_resize(heap, block, 1152, 1024, HY_ALIGN_8));
    assert_false(hy_smp_heap_resize(heap, block, 1152, 1 << 20, HY_ALIGN_8));
    assert_false(hy_smp_heap_resize(heap, block, 1152, SIZE_MAX, HY_ALIGN_8));
    assert_is(block, 3, 1152);
    assert_int_equal(stats_of(heap).live_blocks, 1);
    hy_smp_heap_free(heap, block, 1152, HY_ALIGN_8);
}

static void a_large_block_takes_pages_behind_it_and_gives_them_back(void **state) {
    hy_smp_heap *heap = *state;
    unsigned char *block = hy_smp_heap_alloc(heap, 40 * KIB, HY_ALIGN_8);
    memset(block, 4, 40 * KIB);
    assert_true(hy_smp_heap_resize(heap, block, 40 * KIB, MIB, HY_ALIGN_8));
    memset(block, 4, MIB);
    assert_int_equal(hy_smp_usable_size(heap, block), MIB);
    void *behind = alloc_touched(heap, 40 * KIB, HY_ALIGN_8);
    assert_false(hy_smp_heap_resize(heap, block, MIB, 2 * MIB, HY_ALIGN_8));
    assert_true(hy_smp_heap_resize(heap, block, MIB, 36 * KIB + 1, HY_ALIGN_8));
    assert_int_equal(hy_smp_usable_size(heap, block), 40 * KIB);
    assert_true(hy_smp_check(heap));
    assert_true(hy_smp_heap_resize(heap, block, 36 * KIB + 1, MIB, HY_ALIGN_8));
    assert_is(block, 4, 36 * KIB + 1);
    assert_false(hy_smp_heap_resize(heap, block, MIB, SIZE_MAX - 4095, HY_ALIGN_8));
    assert_false(hy_smp_heap_resize(heap, block, MIB, (size_t)1 << 50, HY_ALIGN_8));
    assert_false(hy_smp_heap_resize(heap, block, MIB, HY_SMP_SMALL_MAX, HY_ALIGN_8));
    hy_smp_heap_free(heap, block, MIB, HY_ALIGN_8);
    hy_smp_heap_free(heap, behind, 40 * KIB, HY_ALIGN_8);
    assert_int_equal(stats_of(heap).large_bytes, 0);
}

/* One that ends at the frontier grows without a neighbour. */
static void every_size_of_a_realloc_chain_keeps_what_was_written(void **state) {
    hy_allocator allocator = hy_smp_allocator(*state);
    for (unsigned log2 = 0; log2 <= 14; log2 += 7) {
        size_t size = 1, most = IS_SMALL ? 8 * MIB : 64 * MIB;
        unsigned char *block = hy_alloc(allocator, size, align_log2(log2));
        assert_non_null(block);
        block[0] = 9;
        while (size < most) {
            size_t next = size + size / 3 + 1;
            block = hy_realloc(allocator, block, size, next, align_log2(log2));
            assert_non_null(block);
            assert_true(block[0] == 9 && block[size / 2] == 9 && block[size - 1] == 9);
            memset(block + size, 9, next - size);
            size = next;
        }
        while (size > 1) {
            block = hy_realloc(allocator, block, size, size / 2, align_log2(log2));
            assert_non_null(block);
            size /= 2;
            assert_true(block[0] == 9 && block[size / 2] == 9 && block[size - 1] == 9);
        }
        hy_free(allocator, block, size, align_log2(log2));
    }
}

static void great_blocks_move_by_page_tables(void **state) {
    hy_smp_heap *heap = *state;
    size_t size = 8 * MIB;
    unsigned char *block = alloc_touched(heap, size, HY_ALIGN_8);
    void *behind = alloc_touched(heap, 40 * KIB, HY_ALIGN_8);
    memset(block, 5, size);
    unsigned char *moved = hy_smp_heap_remap(heap, block, size, 2 * size, HY_ALIGN_8);
    assert_non_null(moved);
    assert_ptr_not_equal(moved, block);
    assert_is(moved, 5, size);
    touch(moved, 2 * size);
    /* No copy, which would leave pages behind that were written. Nothing moves under TSan: os_linux.c. */
    if (!HY_TSAN) assert_true(stats_of(heap).retained_bytes < size);
    /* What it left is free, and reads as zero. */
    unsigned char *again = hy_smp_heap_alloc_zeroed(heap, size, HY_ALIGN_8);
    assert_ptr_equal(again, block);
    assert_is(again, 0, size);
    hy_smp_heap_free(heap, again, size, HY_ALIGN_8);
    hy_smp_heap_free(heap, moved, 2 * size, HY_ALIGN_8);
    hy_smp_heap_free(heap, behind, 40 * KIB, HY_ALIGN_8);
}

static void what_becomes_large_moves_by_a_copy(void **state) {
    hy_smp_heap *heap = *state;
    void *block = alloc_touched(heap, 4 * MIB, HY_ALIGN_8),
         *wide = alloc_touched(heap, 8 * MIB, align_log2(21));
    void *behind = alloc_touched(heap, 3 * MIB, HY_ALIGN_8), *small = alloc_touched(heap, 100, HY_ALIGN_8);
    memset(block, 1, 4 * MIB);
    memset(wide, 2, 8 * MIB);
    memset(small, 3, 100);
    assert_null(hy_smp_heap_remap(heap, wide, 8 * MIB, SIZE_MAX, align_log2(21)));
    assert_null(hy_smp_heap_remap(heap, small, 100, SIZE_MAX, HY_ALIGN_8));
    assert_null(hy_smp_heap_remap(heap, small, 100, 1000, HY_ALIGN_8)); /* the caller's copy is as good */
    block = hy_smp_heap_remap(heap, block, 4 * MIB, 9 * MIB, HY_ALIGN_8);
    wide = hy_smp_heap_remap(heap, wide, 8 * MIB, 12 * MIB, align_log2(21));
    small = hy_smp_heap_remap(heap, small, 100, 40 * KIB, HY_ALIGN_8);
    assert_is(block, 1, 4 * MIB);
    assert_is(wide, 2, 8 * MIB);
    assert_is(small, 3, 100);
    assert_int_equal((uintptr_t)wide % (2 * MIB), 0);
    assert_int_equal(stats_of(heap).live_blocks, 4);
    hy_smp_heap_free(heap, small, 40 * KIB, HY_ALIGN_8);
    hy_smp_heap_free(heap, behind, 3 * MIB, HY_ALIGN_8);
    hy_smp_heap_free(heap, wide, 12 * MIB, align_log2(21));
    hy_smp_heap_free(heap, block, 9 * MIB, HY_ALIGN_8);
}

/* ---- zeroes ---- */

static void zeroed_blocks_are_zero_also_where_others_lay(void **state) {
    hy_smp_heap *heap = *state;
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < EDGES; i++) {
            size_t size = edges[i];
            unsigned char *block = hy_smp_heap_alloc_zeroed(heap, size, HY_ALIGN_16);
            assert_non_null(block);
            assert_is(block, 0, size);
            memset(block, 0xee, size);
            hy_smp_heap_free(heap, block, size, HY_ALIGN_16);
        }
        if (round == 1) (void)hy_smp_trim(heap);
    }
}

/* A new run that takes its first pages from a dirty one and none from a clean one, and the other way round.
 */
static void zeroed_blocks_are_zero_beside_dirty_pages(void **state) {
    hy_smp_heap *heap = *state;
    size_t size = 64 * KIB;
    unsigned char *blocks[8];
    for (int i = 0; i < 8; i++)
        memset(blocks[i] = alloc_touched(heap, size, HY_ALIGN_8), 0xee, size);
    for (int i = 0; i < 8; i += 2)
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    (void)hy_smp_trim(heap);
    for (int i = 1; i < 8; i += 2)
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    for (int i = 0; i < 8; i++) {
        blocks[i] = hy_smp_heap_alloc_zeroed(heap, size, HY_ALIGN_8);
        assert_is(blocks[i], 0, size);
    }
    for (int i = 0; i < 8; i++)
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
}

/* ---- refusals and foreign pointers ---- */

static void what_can_not_be_is_refused_and_changes_nothing(void **state) {
    hy_smp_heap *heap = *state;
    void *block = alloc_touched(heap, 100, HY_ALIGN_8);
    hy_smp_stats before = stats_of(heap);
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4095, SIZE_MAX - 4096, SIZE_MAX / 2 + 1,
        SIZE_MAX / 2, (size_t)1 << 62, (size_t)1 << 47, (size_t)1 << 44, (size_t)UINT32_MAX << 12};
    errno = 77;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (unsigned log2 = 0; log2 < 64; log2++)
            assert_null(hy_smp_heap_alloc(heap, sizes[i], align_log2(log2)));
        assert_null(hy_smp_heap_alloc_zeroed(heap, sizes[i], HY_ALIGN_8));
    }
    for (unsigned log2 = HY_SMP_ALIGN_LOG2_MAX + 1; log2 < 64; log2++) {
        for (size_t i = 0; i < EDGES; i++)
            assert_null(hy_smp_heap_alloc(heap, edges[i], align_log2(log2)));
    }
    assert_int_equal(errno, 77);
    hy_smp_stats after = stats_of(heap);
    assert_memory_equal(&before, &after, sizeof before);
    hy_smp_heap_free(heap, block, 100, HY_ALIGN_8);
}

static void what_is_no_block_has_no_size_and_no_owner(void **state) {
    hy_smp_heap *heap = *state;
    static char foreign[64];
    hy_smp_heap none = HY_SMP_HEAP_INIT;
    char *block = alloc_touched(heap, 100 * KIB, HY_ALIGN_8);
    const hy_smp_core *core = heap->core;
    const void *const strangers[] = {NULL, foreign, heap, core, (void *)core->base, core->slabs,
        (char *)core->base - 1, hy_smp_page_address(core, core->page_limit), (void *)UINTPTR_MAX,
        hy_smp_page_address(core, core->page_limit - 1), hy_smp_page_address(core, core->frontier)};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        assert_int_equal(hy_smp_usable_size(heap, strangers[i]), 0);
        assert_false(hy_smp_owns(heap, strangers[i]));
    }
    for (size_t i = 1; i < 100 * KIB; i++)
        assert_int_equal(hy_smp_usable_size(heap, block + i), 0);
    assert_int_equal(hy_smp_usable_size(&none, block), 0);
    assert_false(hy_smp_owns(&none, block));
    hy_smp_heap_free(heap, block, 100 * KIB, HY_ALIGN_8);
    assert_int_equal(hy_smp_usable_size(heap, block), 0);
}

/* Pages that were ends of blocks before are none inside of a greater one. */
static void inside_of_a_block_no_other_begins(void **state) {
    hy_smp_heap *heap = *state;
    char *blocks[10];
    for (int i = 0; i < 10; i++)
        blocks[i] = alloc_touched(heap, (size_t)(i + 9) * 4096, HY_ALIGN_8);
    for (int i = 0; i < 10; i++)
        hy_smp_heap_free(heap, blocks[i], (size_t)(i + 9) * 4096, HY_ALIGN_8);
    size_t size = (size_t)(9 + 18) * 5 * 4096;
    char *all = alloc_touched(heap, size, HY_ALIGN_8);
    if (!IS_SMALL) assert_ptr_equal(all, blocks[0]); /* it gives pages back at once */
    for (size_t i = 4096; i < size; i += 4096)
        assert_int_equal(hy_smp_usable_size(heap, all + i), 0);
    assert_true(hy_smp_heap_resize(heap, all, size, size + MIB, HY_ALIGN_8));
    assert_int_equal(hy_smp_usable_size(heap, all + size - 4096), 0);
    hy_smp_heap_free(heap, all, size + MIB, HY_ALIGN_8);
}

/* ---- heaps ---- */

static void heaps_are_apart(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_heap other = HY_SMP_HEAP_INIT;
    assert_int_equal(hy_smp_init(&other), HY_OK);
    for (int i = 0; i < 1000; i++) {
        void *here = hy_smp_heap_alloc(heap, 48, HY_ALIGN_8),
             *there = hy_smp_heap_alloc(&other, 48, HY_ALIGN_8);
        void *process = hy_smp_alloc(48, HY_ALIGN_8);
        assert_true(here && there && process);
        assert_true(hy_smp_owns(heap, here) && !hy_smp_owns(&other, here));
        assert_true(hy_smp_owns(&other, there) && !hy_smp_owns(heap, there));
        assert_true(hy_smp_owns(&hy_smp_process_heap, process) && !hy_smp_owns(heap, process));
        if (i % 2) hy_smp_heap_free(heap, here, 48, HY_ALIGN_8);
        hy_smp_free(process, 48, HY_ALIGN_8);
    }
    assert_int_equal(stats_of(heap).live_blocks, 500);
    assert_int_equal(stats_of(&other).live_blocks, 1000);
    assert_true(hy_smp_check(&other));
    hy_smp_deinit(&other);
    assert_true(hy_smp_check(&hy_smp_process_heap));
}

static size_t address_pages(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages;
}

static void a_hundred_heaps_leave_no_addresses_taken(void **state) {
    (void)state;
    enum { COUNT = 100 };
    static hy_smp_heap heaps[COUNT];
    size_t before = address_pages();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            heaps[i] = (hy_smp_heap)HY_SMP_HEAP_INIT;
            assert_int_equal(hy_smp_init(&heaps[i]), HY_OK);
        }
        for (int i = 0; i < COUNT; i++) {
            char *kept = alloc_touched(&heaps[i], 64, HY_ALIGN_8);
            void *given = alloc_touched(&heaps[i], 100 * KIB, HY_ALIGN_8);
            hy_smp_heap_free(&heaps[i], given, 100 * KIB, HY_ALIGN_8);
            assert_int_equal(kept[0], 1);
        }
        for (int i = 0; i < COUNT; i++)
            hy_smp_deinit(&heaps[(i * 37) % COUNT]);
    }
    /* The tools have tables of their own. */
    if (!HY_ASAN && !HY_TSAN) assert_true(address_pages() <= before + 100);
}

/* What was poisoned in a heap that has ended is not, for whoever gets the addresses next. */
static void addresses_of_an_ended_heap_can_be_used(void **state) {
    (void)state;
    hy_smp_heap heap = HY_SMP_HEAP_INIT;
    assert_int_equal(hy_smp_init(&heap), HY_OK);
    char *block = alloc_touched(&heap, MIB, HY_ALIGN_8);
    hy_smp_heap_free(&heap, block, MIB, HY_ALIGN_8);
    hy_smp_deinit(&heap);
    assert_true(hy_os_map_at(block, MIB));
    touch(block, MIB);
    assert_true(hy_os_unmap(block, MIB));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_agree_with_the_class_worked_out),
        cmocka_unit_test(a_class_is_the_smallest_that_serves),
        cmocka_unit_test(small_classes_are_exact_and_others_waste_an_eighth),
        smp_test(blocks_of_all_edges_and_alignments_are_what_was_asked_for),
        smp_test(all_blocks_of_a_class_are_aligned_and_apart),
        smp_test(great_alignments_are_served_up_to_the_greatest),
        smp_test(small_blocks_of_great_alignment_end_without_their_size),
        smp_test(aligned_pages_are_used_again),
        smp_test(a_block_grows_and_shrinks_within_its_class),
        smp_test(a_large_block_takes_pages_behind_it_and_gives_them_back),
        smp_test(every_size_of_a_realloc_chain_keeps_what_was_written),
        smp_test(great_blocks_move_by_page_tables),
        smp_test(what_becomes_large_moves_by_a_copy),
        smp_test(zeroed_blocks_are_zero_also_where_others_lay),
        smp_test(zeroed_blocks_are_zero_beside_dirty_pages),
        smp_test(what_can_not_be_is_refused_and_changes_nothing),
        smp_test(what_is_no_block_has_no_size_and_no_owner),
        smp_test(inside_of_a_block_no_other_begins),
        smp_test(heaps_are_apart),
        cmocka_unit_test(a_hundred_heaps_leave_no_addresses_taken),
        cmocka_unit_test(addresses_of_an_ended_heap_can_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
