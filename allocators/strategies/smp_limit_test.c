/* smp_limit_test.c: what a heap does where there is no more memory: refuses, says the truth, and goes on.
 *
 * Some tests forbid the heap to grow (forbid_growth), some set the process's limits, in children.
 */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_pages.h"

#define MOST 200000
static void *blocks[MOST];

/* Until it is refused. */
static size_t alloc_all(hy_smp_heap *heap, size_t size) {
    size_t count = 0;
    while (count < MOST && (blocks[count] = hy_smp_heap_alloc(heap, size, HY_ALIGN_8)))
        touch(blocks[count++], size);
    return count;
}

static void free_all(hy_smp_heap *heap, size_t size, size_t count) {
    for (size_t i = 0; i < count; i++)
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
}

/* A heap that holds `bytes` and can hold no more, all of it free. */
static void fill_and_forbid(hy_smp_heap *heap, size_t bytes) {
    void *all = alloc_touched(heap, bytes, HY_ALIGN_8);
    hy_smp_heap_free(heap, all, bytes, HY_ALIGN_8);
    forbid_growth(heap);
}

static void refused_heaps_serve_again_when_blocks_come_back(void **state) {
    hy_smp_heap *heap = *state;
    fill_and_forbid(heap, 4 * MIB);
    static const size_t sizes[] = {64, 40, 1000, 8, 5000, 32768, 100 * 1024, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i], count = alloc_all(heap, size);
        if (count == MOST) { /* as many as there are places in the table */
            free_all(heap, size, count);
            continue;
        }
        assert_true(
            count * size > (IS_SMALL ? MIB / 4 : 3 * MIB)); /* where slabs leave most of a page unused */
        hy_smp_stats stats = stats_of(heap);
        assert_int_equal(stats.live_blocks, count);
        assert_true(hy_smp_check(heap));
        assert_null(hy_smp_heap_alloc(heap, size, HY_ALIGN_8));
        assert_null(hy_smp_heap_alloc_zeroed(heap, size, HY_ALIGN_8));
        hy_smp_heap_free(heap, blocks[count - 1], size, HY_ALIGN_8);
        blocks[count - 1] = hy_smp_heap_alloc(heap, size, HY_ALIGN_8);
        assert_non_null(blocks[count - 1]);
        free_all(heap, size, count);
        assert_true(hy_smp_check(heap));
    }
}

/* What lies in depots and caches of one size serves others. */
static void free_blocks_of_one_class_serve_another_at_the_limit(void **state) {
    hy_smp_heap *heap = *state;
    fill_and_forbid(heap, 200 * KIB); /* less than what depots are emptied for otherwise */
    size_t count = alloc_all(heap, 64);
    free_all(heap, 64, count);
    assert_non_null(hy_smp_heap_alloc(heap, 100 * KIB, HY_ALIGN_8));
    assert_non_null(hy_smp_heap_alloc(heap, 640, HY_ALIGN_8));
}

/* Free pages that were given back, beside such that were not. */
static void clean_and_dirty_pages_serve_one_block_together(void **state) {
    hy_smp_heap *heap = *state;
    void *first = alloc_touched(heap, MIB, HY_ALIGN_8), *second = alloc_touched(heap, MIB, HY_ALIGN_8);
    void *behind = alloc_touched(heap, MIB, HY_ALIGN_8);
    hy_smp_heap_free(heap, first, MIB, HY_ALIGN_8);
    (void)hy_smp_trim(heap);
    hy_smp_heap_free(heap, second, MIB, HY_ALIGN_8);
    forbid_growth(heap);
    assert_ptr_equal(hy_smp_heap_alloc(heap, 2 * MIB, HY_ALIGN_8), first);
    hy_smp_heap_free(heap, behind, MIB, HY_ALIGN_8);
}

/* What a full heap held, it holds again after all was freed, whichever of it was given back meanwhile. */
static void a_full_heap_is_filled_again_as_far(void **state) {
    hy_smp_heap *heap = *state;
    fill_and_forbid(heap, 96 * MIB); /* more than is kept */
    size_t count = alloc_all(heap, MIB);
    assert_in_range(count, 90, 96);
    for (int round = 0; round < 3; round++) {
        free_all(heap, MIB, count);
        assert_int_equal(alloc_all(heap, MIB), count);
    }
    free_all(heap, MIB, count);
}

static bool is_free_metadata(const hy_smp_core *core, const void *ptr) {
    for (int bin = 0; bin < HY_SMP_METADATA_BINS; bin++) {
        for (void *at = core->metadata_free[bin]; at; memcpy(&at, at, sizeof at)) {
            if (at == ptr) return true;
        }
    }
    return false;
}

/* A thread whose magazine would be exchanged for a greater one keeps it, where there are no blocks for that.
 */
static void a_refusal_leaves_the_threads_magazine_alone(void **state) {
    hy_smp_heap *heap = *state;
    void *block = alloc_touched(heap, 64, HY_ALIGN_8);
    forbid_growth(heap);
    size_t count = alloc_all(heap, 64);
    hy_smp_cache *cache = hy_smp_cache_make(heap);
    assert_false(is_free_metadata(heap->core, hy_smp_loaded(&cache->bins[hy_smp_class(64, HY_ALIGN_8)])));
    free_all(heap, 64, count);
    hy_smp_heap_free(heap, block, 64, HY_ALIGN_8);
    assert_int_equal(alloc_all(heap, 64), count + 1);
}

/* ---- the process's limits: in children, which exit with the number of what failed ---- */

static void require(bool holds, int number) {
    if (!holds) _exit(number);
}

static void limit(int resource, size_t bytes) {
    const struct rlimit to = {bytes, bytes};
    require(setrlimit(resource, &to) == 0, 100);
}

static size_t address_bytes(void) {
    char text[64] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    require(file && fgets(text, sizeof text, file), 101);
    fclose(file);
    return strtoul(text, NULL, 10) * hy_page_size();
}

/* Allocates until refusal, in a heap and in the process's, frees, and allocates again. */
static void go_to_the_limit(hy_smp_heap *heap, size_t least) {
    size_t before = stats_of(heap).live_blocks;
    for (int round = 0; round < 2; round++) {
        size_t count = alloc_all(heap, 5000);
        require(count < MOST && count * 5000 >= least, 1);
        require(hy_smp_heap_alloc(heap, 64 * MIB, HY_ALIGN_8) == NULL, 2);
        require(stats_of(heap).live_blocks == before + count, 3);
        require(hy_smp_check(heap), 4);
        free_all(heap, 5000, count);
        require(stats_of(heap).live_blocks == before, 5);
        (void)hy_smp_trim(heap);
        count = alloc_all(heap, 200 * KIB);
        require(count * 200 * KIB >= least, 6);
        free_all(heap, 200 * KIB, count);
        require(hy_smp_check(heap), 7);
    }
}

static void limit_addresses_first(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    limit(RLIMIT_AS, address_bytes() + 256 * MIB);
    require(hy_smp_init(&heap) == HY_OK, 10);
    /* The rest of the program has its share. */
    void *other = malloc(32 * MIB);
    require(other != NULL, 11);
    free(other);
    go_to_the_limit(&heap, 32 * MIB);
}

static void limit_addresses_of_the_process_heap_first(void) {
    limit(RLIMIT_AS, address_bytes() + 256 * MIB);
    void *first = hy_smp_alloc(100, HY_ALIGN_8);
    require(first != NULL, 12);
    size_t count = 0;
    while (count < MOST && (blocks[count] = hy_smp_alloc(5000, HY_ALIGN_8)))
        count++;
    require(count < MOST && count * 5000 > 32 * MIB, 13);
    require(hy_smp_check(&hy_smp_process_heap), 14);
    hy_smp_free(first, 100, HY_ALIGN_8);
    for (size_t i = 0; i < count; i++)
        hy_smp_free(blocks[i], 5000, HY_ALIGN_8);
    require(stats_of(&hy_smp_process_heap).live_blocks == 0, 15);
}

/* What was reserved before gives way: the program's other memory has room, and the heap what it had. */
static void limit_addresses_later(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    require(hy_smp_init(&heap) == HY_OK, 10);
    char *kept = hy_smp_heap_alloc(&heap, MIB, HY_ALIGN_8);
    require(kept != NULL, 11);
    memset(kept, 5, MIB);
    limit(RLIMIT_AS, 512 * MIB);
    go_to_the_limit(&heap, 64 * MIB);
    require(kept[0] == 5 && memcmp(kept, kept + 1, MIB - 1) == 0, 16);
    hy_smp_heap_free(&heap, kept, MIB, HY_ALIGN_8);
    hy_smp_deinit(&heap);
}

static void allow_no_addresses(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    limit(RLIMIT_AS, address_bytes() + MIB);
    require(hy_smp_init(&heap) == HY_OUT_OF_MEMORY, 20);
    require(hy_smp_alloc(100, HY_ALIGN_8) == NULL, 21);
    require(hy_smp_alloc(MIB, HY_ALIGN_8) == NULL, 22);
    require(hy_smp_trim(&hy_smp_process_heap) == 0, 23);
    require(stats_of(&hy_smp_process_heap).reserved_bytes == 0, 24);
    require(hy_smp_check(&hy_smp_process_heap), 25);
}

/* A move of pages that the system refuses, because the process has more addresses than it may now. */
static void refuse_a_move(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    require(hy_smp_init(&heap) == HY_OK, 10);
    size_t size = 8 * MIB;
    char *room = hy_smp_heap_alloc(&heap, 2 * size, HY_ALIGN_8),
         *block = hy_smp_heap_alloc(&heap, size, HY_ALIGN_8);
    void *behind = hy_smp_heap_alloc(&heap, 40 * KIB, HY_ALIGN_8);
    require(room && block && behind, 11);
    touch(room, 2 * size);
    memset(block, 5, size);
    hy_smp_heap_free(&heap, room, 2 * size, HY_ALIGN_8);
    limit(RLIMIT_AS, MIB);
    require(hy_smp_heap_remap(&heap, block, size, 2 * size, HY_ALIGN_8) == NULL, 12);
    require(block[0] == 5 && memcmp(block, block + 1, size - 1) == 0, 13);
    require(hy_smp_check(&heap), 14);
    require(stats_of(&heap).live_blocks == 2, 15);
    for (int i = 0; i < 4; i++) {
        char *next = hy_smp_heap_alloc(&heap, 4 * MIB, HY_ALIGN_8);
        if (next) touch(next, 4 * MIB);
    }
    require(hy_smp_check(&heap), 16);
}

static void limit_data(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    limit(RLIMIT_DATA, 64 * MIB);
    require(hy_smp_init(&heap) == HY_OK, 10);
    go_to_the_limit(&heap, 32 * MIB);
    hy_smp_deinit(&heap);
    require(hy_smp_alloc(100, HY_ALIGN_8) != NULL, 11);
}

static void limits_are_borne(void **state) {
    (void)state;
    if (HY_ASAN || HY_TSAN) skip(); /* whose own tables are larger than any limit */
    assert_exits_saying(0, limit_addresses_first, "");
    assert_exits_saying(0, limit_addresses_of_the_process_heap_first, "");
    assert_exits_saying(0, limit_addresses_later, "");
    assert_exits_saying(0, allow_no_addresses, "");
    assert_exits_saying(0, refuse_a_move, "");
    assert_exits_saying(0, limit_data, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        smp_test(refused_heaps_serve_again_when_blocks_come_back),
        smp_test(free_blocks_of_one_class_serve_another_at_the_limit),
        smp_test(clean_and_dirty_pages_serve_one_block_together),
        smp_test(a_full_heap_is_filled_again_as_far),
        smp_test(a_refusal_leaves_the_threads_magazine_alone),
        cmocka_unit_test(limits_are_borne),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
