/* smp_check_test.c: hy_smp_check sees each record that is damaged, one field at a time. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_slab.h"

/* Of blocks some of which are freed, and of others that all stay. */
#define SIZE 64
#define FULL_SIZE 128

/* A heap in which every kind of record is there: slabs that are full, half full and empty, magazines in a
 * depot, large blocks, dirty and clean runs. */
static int begin_used_heap(void **state) {
    enum { COUNT = 2000 };
    void *blocks[COUNT], *large[8];
    if (begin_heap(state) != 0) return -1;
    hy_smp_heap *heap = *state;
    for (size_t i = 0; i < 8; i++)
        large[i] = alloc_touched(heap, (i + 9) * 4096, HY_ALIGN_8);
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = alloc_touched(heap, SIZE, HY_ALIGN_8);
        (void)alloc_touched(heap, FULL_SIZE, HY_ALIGN_8);
    }
    for (size_t i = 0; i < COUNT / 2; i++)
        hy_smp_heap_free(heap, blocks[2 * i], SIZE, HY_ALIGN_8);
    for (size_t i = 0; i < COUNT / 4; i++)
        hy_smp_depot_give_one(heap->core, hy_smp_class(SIZE, HY_ALIGN_8), blocks[4 * i + 1]);
    hy_smp_heap_free(heap, large[1], 10 * 4096, HY_ALIGN_8);
    hy_smp_heap_free(heap, large[6], 15 * 4096, HY_ALIGN_8);
    (void)hy_smp_pages_purge(heap->core, 1, 0);
    hy_smp_heap_free(heap, large[3], 12 * 4096, HY_ALIGN_8);
    hy_smp_heap_free(heap, large[7], 16 * 4096, HY_ALIGN_8);
    return hy_smp_check(heap) ? 0 : -1;
}

/* The heap must be found damaged with the bytes changed, and whole when they are as before. */
static void assert_seen(hy_smp_heap *heap, void *field, size_t size, const char *name) {
    unsigned char before[8], *bytes = field;
    assert_true(size <= sizeof before);
    memcpy(before, bytes, size);
    bytes[0] = (unsigned char)(bytes[0] ^ 1);
    if (hy_smp_check(heap)) fail_msg("a wrong %s is not seen", name);
    memcpy(bytes, before, size);
    assert_true(hy_smp_check(heap));
}

/* A macro because it names the field. */
#define ASSERT_SEEN(heap, field) assert_seen(heap, &(field), sizeof(field), #field)

/* The first slab record with so many free blocks that `is_wanted` says so; the test fails where none is. */
static hy_smp_slab *slab_where(hy_smp_core *core, bool (*is_wanted)(const hy_smp_slab *slab)) {
    for (uint32_t number = 1; number < core->slab_next; number++) {
        if (core->slabs[number].block_count && is_wanted(&core->slabs[number])) return &core->slabs[number];
    }
    fail_msg("the heap has no such slab");
    return NULL;
}

static bool is_partly_full(const hy_smp_slab *slab) {
    return slab->free_count > 0 && slab->free_count < slab->block_count && slab->page_count > 0;
}

static bool is_full(const hy_smp_slab *slab) {
    return slab->free_count == 0;
}

static void damaged_slabs_are_seen(void **state) {
    hy_smp_heap *heap = *state;
    bool (*const kinds[])(const hy_smp_slab *) = {is_partly_full, is_full};
    for (int i = 0; i < 2; i++) {
        hy_smp_slab *slab = slab_where(heap->core, kinds[i]);
        ASSERT_SEEN(heap, slab->page);
        ASSERT_SEEN(heap, slab->free_count);
        ASSERT_SEEN(heap, slab->block_count);
        ASSERT_SEEN(heap, slab->class_number);
        ASSERT_SEEN(heap, slab->page_count);
        ASSERT_SEEN(heap, slab->list);
        ASSERT_SEEN(heap, slab->free[0]);
        ASSERT_SEEN(heap, heap->core->pages[slab->page].value);
        ASSERT_SEEN(heap, heap->core->pages[slab->page].kind);
        ASSERT_SEEN(heap, heap->core->class_of_page[slab->page]);
        ASSERT_SEEN(heap, heap->core->class_of_page[slab->page + slab->page_count - 1]);
    }
    hy_smp_slab *listed = slab_where(heap->core, is_partly_full);
    ASSERT_SEEN(heap, listed->prev);
    ASSERT_SEEN(heap, listed->next);
}

static void damaged_classes_are_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_class_state *used = &heap->core->classes[hy_smp_class(SIZE, HY_ALIGN_8)];
    ASSERT_SEEN(heap, used->taken);
    ASSERT_SEEN(heap, heap->core->shards[0].bytes);
    ASSERT_SEEN(heap, heap->core->shards[0].published);
    ASSERT_SEEN(heap, heap->core->shards[0].empty_bytes);
    ASSERT_SEEN(heap, used->slab_pages);
    ASSERT_SEEN(heap, used->slab_count);
    ASSERT_SEEN(heap, used->empty_slabs);
    ASSERT_SEEN(heap, used->block_count);
    for (int i = 0; i < HY_SMP_LISTS; i++)
        ASSERT_SEEN(heap, used->lists[i]);
    ASSERT_SEEN(heap, heap->core->classes[3].taken);
}

static hy_smp_depot *depot_with_blocks(hy_smp_core *core) {
    for (uint32_t shard = 0; shard < HY_SMP_SHARDS; shard++) {
        hy_smp_depot *depot = &core->shards[shard].depots[hy_smp_class(SIZE, HY_ALIGN_8)];
        if (depot->full) return depot;
    }
    fail_msg("no depot holds blocks");
    return NULL;
}

static void damaged_depots_are_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_depot *depot = depot_with_blocks(heap->core);
    ASSERT_SEEN(heap, depot->full_blocks);
    ASSERT_SEEN(heap, depot->full->count);
    ASSERT_SEEN(heap, depot->full->blocks[0]);
    ASSERT_SEEN(heap, heap->core->depot_bytes);
    /* A block that is in a depot and in its slab as well. */
    void *block = depot->full->blocks[0];
    hy_smp_slab *slab = &heap->core->slabs[heap->core->pages[hy_smp_page_of(heap->core, block)].value];
    size_t index = ((uintptr_t)block - (uintptr_t)hy_smp_page_address(heap->core, slab->page)) / SIZE;
    slab->free[index / 64] ^= (uint64_t)1 << index % 64;
    assert_false(hy_smp_check(heap));
    slab->free[index / 64] ^= (uint64_t)1 << index % 64;
}

/* The first page of the first run of a kind. */
static hy_smp_page *run_of(hy_smp_core *core, hy_smp_runs *runs) {
    for (uint32_t bin = 0; bin < HY_SMP_RUN_BINS; bin++) {
        uint32_t first = runs->heads[bin];
        if (first && core->pages[first].value > 1) return &core->pages[first];
    }
    fail_msg("there is no such run");
    return NULL;
}

static void damaged_runs_are_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_core *core = heap->core;
    hy_smp_runs *const kinds[] = {&core->clean, &core->dirty};
    for (int i = 0; i < 2; i++) {
        hy_smp_page *first = run_of(core, kinds[i]), *last = first + first->value - 1;
        ASSERT_SEEN(heap, first->value);
        ASSERT_SEEN(heap, first->kind);
        ASSERT_SEEN(heap, first->prev);
        ASSERT_SEEN(heap, first->next);
        ASSERT_SEEN(heap, last->value);
        ASSERT_SEEN(heap, last->kind);
        ASSERT_SEEN(heap, kinds[i]->pages);
        ASSERT_SEEN(heap, kinds[i]->nonempty[0]);
        ASSERT_SEEN(heap, kinds[i]->heads[5]);
    }
}

static void damaged_totals_are_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_core *core = heap->core;
    ASSERT_SEEN(heap, core->frontier);
    ASSERT_SEEN(heap, core->used_bytes);
    ASSERT_SEEN(heap, core->taken_bytes);
    ASSERT_SEEN(heap, core->retained_bytes);
    ASSERT_SEEN(heap, core->large_pages);
    ASSERT_SEEN(heap, core->large_blocks);
    ASSERT_SEEN(heap, core->slab_free);
    hy_smp_page *large = &core->pages[1];
    assert_int_equal(large->kind, HY_SMP_PAGE_LARGE);
    ASSERT_SEEN(heap, large->value);
    ASSERT_SEEN(heap, large->kind);
}

/* Figures that agree with all records, but not with each other. */
static void what_goes_beyond_its_bounds_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_decay *decay = &heap->core->decay;
    decay->tick_count += 1000000;
    assert_false(hy_smp_check(heap));
    decay->tick_count -= 1000000;
    uint64_t hold_ms = decay->hold_ms;
    decay->hold_ms = HY_SMP_HOLD_MOST_MS + 1;
    assert_false(hy_smp_check(heap));
    decay->hold_ms = hold_ms;
    assert_true(hy_smp_check(heap));
}

static int end_damaged_heap(void **state) {
    hy_smp_deinit(*state);
    return 0;
}

/* Two dirty runs side by side, the second of which did not see the first. */
static void runs_that_are_not_joined_are_seen(void **state) {
    enum { PAGES = 40 };
    hy_smp_heap *heap = *state;
    char *first = alloc_touched(heap, PAGES * HY_SMP_PAGE, HY_ALIGN_8);
    char *second = alloc_touched(heap, PAGES * HY_SMP_PAGE, HY_ALIGN_8);
    assert_ptr_equal(second, first + PAGES * HY_SMP_PAGE);
    hy_smp_heap_free(heap, first, PAGES * HY_SMP_PAGE, HY_ALIGN_8);
    hy_smp_page *last = &heap->core->pages[hy_smp_page_of(heap->core, second) - 1];
    assert_int_equal(last->kind, HY_SMP_PAGE_DIRTY);
    last->kind = HY_SMP_PAGE_LARGE;
    hy_smp_pages_give(heap->core, hy_smp_page_of(heap->core, second), PAGES, true);
    last->kind = HY_SMP_PAGE_DIRTY;
    assert_false(hy_smp_check(heap));
}

static hy_smp_heap *unlocked; /* the next function's heap */

static void take_without_the_lock(void) {
    void *block;
    (void)hy_smp_slabs_take(unlocked->core, hy_smp_class(SIZE, HY_ALIGN_8), &block, 1, false);
}

static void a_class_that_is_not_locked_is_seen(void **state) {
    unlocked = *state;
    if (HY_CHECK >= 2) assert_dies_saying(take_without_the_lock, "not locked");
}

#define used_heap_test(function) cmocka_unit_test_setup_teardown(function, begin_used_heap, end_heap)

int main(void) {
    const struct CMUnitTest tests[] = {
        used_heap_test(damaged_slabs_are_seen),
        used_heap_test(damaged_classes_are_seen),
        used_heap_test(damaged_depots_are_seen),
        used_heap_test(damaged_runs_are_seen),
        used_heap_test(damaged_totals_are_seen),
        used_heap_test(what_goes_beyond_its_bounds_is_seen),
        used_heap_test(a_class_that_is_not_locked_is_seen),
        cmocka_unit_test_setup_teardown(runs_that_are_not_joined_are_seen, begin_used_heap, end_damaged_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
