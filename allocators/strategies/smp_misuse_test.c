/* smp_misuse_test.c: each misuse that smp promises to tell, done once in a child, and what it says.
 *
 * The slots' own level is this build's; what a build without checks tells, when blocks come back to the
 * slabs, is asked of the functions that do that.
 */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/strategies/smp_depot.h"
#include <pthread.h>

static hy_smp_heap *heap, *other;

#define NOT_A_BLOCK "must be a block of this heap, of this size and alignment"
#define TWICE "a block was freed twice"
#define LARGE_TWICE "a large block was freed twice, or is of another heap or size"
#define FOREIGN "a block was freed that is of another heap, size or alignment"
#define INSIDE "a pointer into a block was freed"

static void *taken(size_t size) {
    void *block = hy_smp_heap_alloc(heap, size, HY_ALIGN_8);
    if (!block) _exit(2);
    return block;
}

static void given(void *block, size_t size) {
    hy_smp_heap_free(heap, block, size, HY_ALIGN_8);
}

/* ---- told at the call ---- */

static void free_twice(void) {
    void *block = taken(64);
    given(block, 64);
    given(block, 64);
}

static void free_twice_with_others_between(void) {
    void *blocks[20];
    for (int i = 0; i < 20; i++)
        blocks[i] = taken(64);
    for (int i = 0; i < 20; i++)
        given(blocks[i], 64);
    given(blocks[3], 64);
}

/* In the depot meanwhile: far more than the thread's magazines hold. */
static void free_twice_from_the_depot(void) {
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    for (int i = 0; i < COUNT; i++)
        blocks[i] = taken(64);
    for (int i = 0; i < COUNT; i++)
        given(blocks[i], 64);
    given(blocks[3], 64);
}

static void *give_in_thread(void *block) {
    given(block, 64);
    return NULL;
}

static void free_again_what_another_thread_freed(void) {
    void *block = taken(64);
    pthread_t thread;
    if (pthread_create(&thread, NULL, give_in_thread, block) != 0) _exit(2);
    pthread_join(thread, NULL);
    given(block, 64);
}

/* The second time the block is in its slab, whose other block keeps it alive. */
static void free_twice_around_a_trim(void) {
    void *kept = taken(64), *block = taken(64);
    (void)kept;
    given(block, 64);
    (void)hy_smp_trim(heap);
    given(block, 64);
}

static void free_twice_without_size(void) {
    void *block = taken(64);
    hy_smp_heap_free_unsized(heap, block);
    hy_smp_heap_free_unsized(heap, block);
}

static void double_frees_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_twice, TWICE);
    assert_dies_saying(free_twice_with_others_between, TWICE);
    /* Where little is kept, its slab has gone already. */
    assert_dies_saying(free_twice_from_the_depot, IS_SMALL ? "heapyard: hy_smp" : TWICE);
    assert_dies_saying(free_again_what_another_thread_freed, TWICE);
    assert_dies_saying(free_twice_around_a_trim, TWICE);
    assert_dies_saying(free_twice_without_size, TWICE);
}

static void free_with_greater_size(void) {
    given(taken(64), 65);
}

static void free_with_smaller_size(void) {
    given(taken(64), 56);
}

static void free_small_as_large(void) {
    given(taken(64), 100 * KIB);
}

static void free_large_as_small(void) {
    given(taken(100 * KIB), 64);
}

static void free_large_with_smaller_size(void) {
    given(taken(100 * KIB), 50 * KIB);
}

static void free_large_with_greater_size(void) {
    given(taken(100 * KIB), 104 * KIB);
}

static void wrong_sizes_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_with_greater_size, NOT_A_BLOCK);
    assert_dies_saying(free_with_smaller_size, NOT_A_BLOCK);
    assert_dies_saying(free_small_as_large, NOT_A_BLOCK);
    assert_dies_saying(free_large_as_small, NOT_A_BLOCK);
    assert_dies_saying(free_large_with_smaller_size, NOT_A_BLOCK);
    assert_dies_saying(free_large_with_greater_size, NOT_A_BLOCK);
}

static void free_with_greater_alignment(void) {
    hy_smp_heap_free(heap, taken(72), 72, HY_ALIGN_64);
}

static void free_with_smaller_alignment(void) {
    void *block = hy_smp_heap_alloc(heap, 72, HY_ALIGN_64);
    hy_smp_heap_free(heap, block, 72, HY_ALIGN_8);
}

static void wrong_alignments_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_with_greater_alignment, NOT_A_BLOCK);
    assert_dies_saying(free_with_smaller_alignment, NOT_A_BLOCK);
}

static char foreign[64];

static void free_foreign(void) {
    (void)taken(64);
    given(foreign, 64);
}

static void free_foreign_without_size(void) {
    (void)taken(64);
    hy_smp_heap_free_unsized(heap, foreign);
}

static void free_in_the_other_heap(void) {
    hy_smp_heap_free(other, taken(64), 64, HY_ALIGN_8);
}

static void free_large_in_the_other_heap(void) {
    hy_smp_heap_free(other, taken(100 * KIB), 100 * KIB, HY_ALIGN_8);
}

static void free_in_the_process_heap(void) {
    hy_smp_free(taken(64), 64, HY_ALIGN_8);
}

static void free_what_was_never_used(void) {
    (void)taken(64);
    given(hy_smp_page_address(heap->core, heap->core->page_limit - 1), 100 * KIB);
}

static void free_a_record(void) {
    (void)taken(64);
    given(heap->core->slabs, 64);
}

static void resize_foreign(void) {
    (void)taken(64);
    (void)!hy_smp_heap_resize(heap, foreign, 64, 60, HY_ALIGN_8);
}

static void remap_in_the_other_heap(void) {
    (void)!hy_smp_heap_remap(other, taken(100 * KIB), 100 * KIB, 200 * KIB, HY_ALIGN_8);
}

static void resize_with_wrong_size(void) {
    (void)!hy_smp_heap_resize(heap, taken(100 * KIB), 50 * KIB, 40 * KIB, HY_ALIGN_8);
}

static void foreign_pointers_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_foreign, NOT_A_BLOCK);
    assert_dies_saying(free_foreign_without_size, "a pointer was freed that is no block of the heap");
    assert_dies_saying(free_in_the_other_heap, NOT_A_BLOCK);
    assert_dies_saying(free_large_in_the_other_heap, NOT_A_BLOCK);
    assert_dies_saying(free_in_the_process_heap, NOT_A_BLOCK);
    assert_dies_saying(free_what_was_never_used, NOT_A_BLOCK);
    assert_dies_saying(free_a_record, NOT_A_BLOCK);
    assert_dies_saying(resize_foreign, NOT_A_BLOCK);
    assert_dies_saying(remap_in_the_other_heap, NOT_A_BLOCK);
    assert_dies_saying(resize_with_wrong_size, NOT_A_BLOCK);
}

static void free_inside(void) {
    given((char *)taken(64) + 8, 64);
}

static void free_inside_of_large(void) {
    given((char *)taken(100 * KIB) + 4096, 96 * KIB);
}

static void free_inside_of_large_without_size(void) {
    hy_smp_heap_free_unsized(heap, (char *)taken(100 * KIB) + 8);
}

static void pointers_into_blocks_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_inside, NOT_A_BLOCK);
    assert_dies_saying(free_inside_of_large, NOT_A_BLOCK);
    assert_dies_saying(free_inside_of_large_without_size, "no block of the heap");
}

/* Freed first, second of two, and where both ends have joined other free pages. */
static void free_large_twice(void) {
    void *block = taken(100 * KIB);
    given(block, 100 * KIB);
    given(block, 100 * KIB);
}

static void free_large_twice_behind_a_free_one(void) {
    void *before = taken(100 * KIB), *block = taken(100 * KIB), *kept = taken(100 * KIB);
    (void)kept;
    given(before, 100 * KIB);
    given(block, 100 * KIB);
    given(block, 100 * KIB);
}

static void free_large_twice_around_a_trim(void) {
    void *before = taken(100 * KIB), *block = taken(100 * KIB), *kept = taken(100 * KIB);
    (void)kept;
    given(before, 100 * KIB);
    given(block, 100 * KIB);
    (void)hy_smp_trim(heap);
    given(block, 100 * KIB);
}

static void large_blocks_freed_twice_are_told(void **state) {
    (void)state;
    assert_dies_saying(free_large_twice, NOT_A_BLOCK);
    assert_dies_saying(free_large_twice_behind_a_free_one, NOT_A_BLOCK);
    assert_dies_saying(free_large_twice_around_a_trim, NOT_A_BLOCK);
}

static void write_behind(void) {
    volatile char *block = taken(100);
    block[104] = 1; /* behind its class, where no block was handed out yet */
}

static void write_into_slack(void) {
    volatile char *block = taken(1025);
    block[1040] = 1; /* in the class, not asked for */
}

static void overflows_of_fresh_blocks_are_told_by_asan(void **state) {
    (void)state;
    if (!HY_ASAN) skip(); /* nothing else looks at each write */
    assert_exits_saying(1, write_behind, "use-after-poison");
    assert_exits_saying(1, write_into_slack, "use-after-poison");
}

static void write_after_free(void) {
    char *volatile block = taken(64);
    given(block, 64);
    block[32] = 1;
    (void)taken(64);
}

static void writes_after_free_are_told(void **state) {
    (void)state;
    if (HY_ASAN) skip(); /* which tells them itself, at the write */
    assert_dies_saying(write_after_free, "a block was written to after it was freed");
}

/* ---- told when blocks come back to the slabs, in any build ---- */

static void give_twice(void) {
    void *kept = taken(64), *block = taken(64);
    (void)kept;
    hy_smp_depot_give_one(heap->core, hy_smp_class(64, HY_ALIGN_8), block);
    hy_smp_depot_give_one(heap->core, hy_smp_class(64, HY_ALIGN_8), block);
}

static void give_to_wrong_class(void) {
    hy_smp_depot_give_one(heap->core, hy_smp_class(72, HY_ALIGN_8), taken(64));
}

static void give_foreign(void) {
    hy_smp_depot_give_one(heap->core, hy_smp_class(64, HY_ALIGN_8), foreign);
}

static void give_large(void) {
    hy_smp_depot_give_one(heap->core, hy_smp_class(64, HY_ALIGN_8), taken(100 * KIB));
}

static void give_inside(void) {
    hy_smp_depot_give_one(heap->core, hy_smp_class(64, HY_ALIGN_8), (char *)taken(64) + 8);
}

/* Where the slab has pages left that are too little for another block, or blocks that it may not have. */
static void give_end_of_slab(void) {
    void *block = taken(72);
    const hy_smp_core *core = heap->core;
    const hy_smp_slab *slab = &core->slabs[core->pages[hy_smp_page_of(core, block)].value];
    char *base = hy_smp_page_address(core, slab->page);
    hy_smp_depot_give_one(heap->core, slab->class_number, base + (size_t)slab->block_count * 72);
}

static void slabs_tell_what_they_did_not_give(void **state) {
    (void)state;
    assert_dies_saying(give_twice, TWICE);
    assert_dies_saying(give_to_wrong_class, FOREIGN);
    assert_dies_saying(give_foreign, FOREIGN);
    assert_dies_saying(give_large, FOREIGN);
    assert_dies_saying(give_inside, INSIDE);
    assert_dies_saying(give_end_of_slab, INSIDE);
}

/* The slow path's own look at a large block, past the checks of the inline one. */
static void free_large_twice_slowly(void) {
    void *before = taken(100 * KIB), *block = taken(100 * KIB), *kept = taken(100 * KIB);
    (void)kept;
    hy_smp_free_slow(heap, before, 100 * KIB, HY_ALIGN_8);
    hy_smp_free_slow(heap, block, 100 * KIB, HY_ALIGN_8);
    hy_smp_free_slow(heap, block, 100 * KIB, HY_ALIGN_8);
}

static void free_large_of_wrong_size_slowly(void) {
    hy_smp_free_slow(heap, taken(100 * KIB), 96 * KIB, HY_ALIGN_8);
}

static void free_foreign_slowly(void) {
    hy_smp_free_slow(heap, foreign, 100 * KIB, HY_ALIGN_8);
}

static void free_fresh_pages_slowly(void) {
    hy_smp_free_slow(heap, hy_smp_page_address(heap->core, heap->core->page_limit - 1), 4096, align_log2(13));
}

static void pages_tell_what_they_did_not_give(void **state) {
    (void)state;
    assert_dies_saying(free_large_twice_slowly, LARGE_TWICE);
    assert_dies_saying(free_large_of_wrong_size_slowly, LARGE_TWICE);
    assert_dies_saying(free_foreign_slowly, LARGE_TWICE);
    assert_dies_saying(free_fresh_pages_slowly, LARGE_TWICE);
}

static int begin_two(void **state) {
    static hy_smp_heap another;
    another = (hy_smp_heap)HY_SMP_HEAP_INIT;
    if (begin_heap(state) != 0 || hy_smp_init(&another) != HY_OK) return -1;
    heap = *state;
    other = &another;
    return 0;
}

static int end_two(void **state) {
    hy_smp_deinit(other);
    return end_heap(state);
}

/* Levels differ in what is told at the call; the tests are built at the highest. */
_Static_assert(HY_CHECK >= 2, "the misuse tests want a build at check level 2");

#define misuse_test(function) cmocka_unit_test_setup_teardown(function, begin_two, end_two)

int main(void) {
    const struct CMUnitTest tests[] = {
        misuse_test(double_frees_are_told),
        misuse_test(wrong_sizes_are_told),
        misuse_test(wrong_alignments_are_told),
        misuse_test(foreign_pointers_are_told),
        misuse_test(pointers_into_blocks_are_told),
        misuse_test(large_blocks_freed_twice_are_told),
        misuse_test(writes_after_free_are_told),
        misuse_test(overflows_of_fresh_blocks_are_told_by_asan),
        misuse_test(slabs_tell_what_they_did_not_give),
        misuse_test(pages_tell_what_they_did_not_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
