/* smp_memory_test.c: how much memory a heap takes for what lives in it, and when it gives it back. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_fixture.h"

#include <pthread.h>
#include <time.h>

/* What a heap has from the system, beside its records. */
static size_t held(hy_smp_heap *heap) {
    hy_smp_stats stats = stats_of(heap);
    return stats.live_bytes + stats.cached_bytes + stats.unused_bytes + stats.retained_bytes;
}

static void wait_ms(unsigned ms) {
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* `count` blocks that the caller has. */
static void **alloc_many(hy_smp_heap *heap, size_t count, size_t size) {
    void **blocks = calloc(count, sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = hy_smp_heap_alloc(heap, size, HY_ALIGN_8);
        assert_non_null(blocks[i]);
        *(size_t *)blocks[i] = i;
    }
    return blocks;
}

static void free_many(hy_smp_heap *heap, void **blocks, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(*(size_t *)blocks[i], i);
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    }
    free(blocks);
}

/* Blocks of `bytes` together that are live and freed again, a size a phase: the heap holds little more than
 * the greatest of them. */
static void phases_of_different_classes_use_the_same_memory(void **state) {
    hy_smp_heap *heap = *state;
    static const size_t sizes[] = {64, 128, 24, 1000, 8, 5000, 32768, 100 * 1024, 2048, 64};
    size_t bytes = HY_TSAN ? 5 * MIB : 50 * MIB, first = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (IS_SMALL && sizes[i] < 64) continue; /* whose slabs leave most of their page unused there */
        size_t count = bytes / sizes[i];
        free_many(heap, alloc_many(heap, count, sizes[i]), count, sizes[i]);
        if (i == 0) first = stats_of(heap).peak_bytes;
        assert_true(hy_smp_check(heap));
    }
    assert_true(first < bytes + bytes / 16);
    /* Slabs of few blocks and pages waste more. */
    assert_true(stats_of(heap).peak_bytes < (IS_SMALL ? 2 * first : first + first / 4));
}

/* Depots hold less than what would be surplus, and more than what a heap should grow for. */
static void what_depots_hold_is_used_before_the_heap_grows(void **state) {
    hy_smp_heap *heap = *state;
    size_t bytes = 3 * MIB / 2;
    void *live = alloc_touched(heap, 20 * MIB, HY_ALIGN_8);
    free_many(heap, alloc_many(heap, bytes / 64, 64), bytes / 64, 64);
    size_t before = stats_of(heap).peak_bytes;
    void **blocks = alloc_many(heap, bytes / 128, 128);
    assert_true(stats_of(heap).peak_bytes < before + bytes / 3);
    free_many(heap, blocks, bytes / 128, 128);
    hy_smp_heap_free(heap, live, 20 * MIB, HY_ALIGN_8);
}

/* ---- survivors ---- */

static void one_of_ten_that_survives_pins_no_more_than_its_slab(void **state) {
    hy_smp_heap *heap = *state;
    size_t size = 256, count = 80000;
    void **blocks = alloc_many(heap, count, size);
    for (size_t i = 0; i < count; i++) {
        if (i % 1000 >= 100) hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    }
    (void)hy_smp_trim(heap);
    /* Survivors lie a hundred in a row: of the slabs between them nothing stays. */
    size_t live = count / 10 * size;
    assert_int_equal(stats_of(heap).live_blocks, count / 10);
    assert_true(held(heap) < 4 * live);
    /* What the slabs of the survivors have free is used before the heap takes more. */
    size_t before = held(heap), more = stats_of(heap).unused_bytes / size;
    void **others = alloc_many(heap, more, size);
    assert_true(held(heap) <= before + 4 * HY_SMP_PAGE * HY_SMP_SLAB_PAGES);
    free_many(heap, others, more, size);
    for (size_t i = 0; i < count; i++) {
        if (i % 1000 < 100) hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    }
    free(blocks);
}

/* ---- back to the system ---- */

static size_t resident(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t all = 0, pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &all, &pages), 2);
    fclose(file);
    return pages * hy_page_size();
}

static void trim_gives_back_what_is_free(void **state) {
    hy_smp_heap *heap = *state;
    size_t before = resident(), bytes = 32 * MIB, count = bytes / 512;
    void **blocks = alloc_many(heap, count, 512);
    void *large = alloc_touched(heap, bytes, HY_ALIGN_8);
    assert_true(resident() >= before + 2 * bytes - MIB);
    hy_smp_heap_free(heap, large, bytes, HY_ALIGN_8);
    free_many(heap, blocks, count, 512);
    size_t given = stats_of(heap).returned_bytes;
    given += hy_smp_trim(heap);
    hy_smp_stats stats = stats_of(heap);
    assert_int_equal(stats.returned_bytes, given);
    assert_true(given >= 2 * bytes);
    assert_int_equal(stats.live_blocks, 0);
    assert_int_equal(stats.cached_bytes, 0);
    assert_int_equal(stats.unused_bytes, 0);
    assert_int_equal(stats.retained_bytes, 0);
    assert_int_equal(hy_smp_trim(heap), 0);
    /* The sanitizers' own tables grow meanwhile. */
    if (!HY_ASAN && !HY_TSAN) assert_true(resident() < before + 4 * MIB);
}

static void surplus_goes_back_without_being_asked(void **state) {
    hy_smp_heap *heap = *state;
    wait_ms(HY_SMP_YOUNG_MS + 20);
    size_t bytes = 32 * MIB, count = bytes / 256;
    free_many(heap, alloc_many(heap, count, 256), count, 256);
    hy_smp_stats stats = stats_of(heap);
    assert_true(stats.retained_bytes <= 2 * MIB);
    assert_true(held(heap) <= 4 * MIB);
    void *large = alloc_touched(heap, bytes, HY_ALIGN_8);
    hy_smp_heap_free(heap, large, bytes, HY_ALIGN_8);
    assert_true(stats_of(heap).returned_bytes > 0);
}

/* Blocks of many classes, freed in an order of their own: stride and count have no common factor. */
enum { SPREAD_COUNT = 20000, SPREAD_STRIDE = 7919 };

static size_t spread_size(size_t index) {
    return 16 + index * 613 % 8000;
}

static void **alloc_spread(hy_smp_heap *heap) {
    void **blocks = calloc(SPREAD_COUNT, sizeof *blocks);
    assert_non_null(blocks);
    for (size_t i = 0; i < SPREAD_COUNT; i++)
        blocks[i] = alloc_touched(heap, spread_size(i), HY_ALIGN_8);
    return blocks;
}

static void free_spread(hy_smp_heap *heap, void **blocks) {
    for (size_t i = 0, at = 0; i < SPREAD_COUNT; i++, at = (at + SPREAD_STRIDE) % SPREAD_COUNT)
        hy_smp_heap_free(heap, blocks[at], spread_size(at), HY_ALIGN_8);
    free(blocks);
}

/* The last few of each class lie in magazines and would keep a slab each. */
static void the_last_blocks_of_many_classes_keep_little(void **state) {
    hy_smp_heap *heap = *state;
    wait_ms(HY_SMP_YOUNG_MS + 20);
    free_spread(heap, alloc_spread(heap));
    assert_true(held(heap) <= 2 * MIB);
}

/* What was given back was needed again, and the hold is long. */
static void hold(hy_smp_heap *heap) {
    hy_smp_decay *decay = &heap->core->decay;
    decay->purged_ms = hy_os_coarse_ms() + 100000;
    decay->purged_pages = decay->refilled_pages = 1;
}

/* What magazines hold of a class is given up at the thread's next trip after another thread gave surplus
 * back, also where no more may go yet. */
static void other_threads_give_up_their_magazines_too(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_options options = hy_smp_get_options(heap);
    hy_smp_options patient = options;
    patient.surplus_min_bytes = SIZE_MAX;
    assert_true(hy_smp_set_options(heap, &patient));
    size_t count = 8 * MIB / 1000, threads;
    free_many(heap, alloc_many(heap, count, 1000), count, 1000);
    uint32_t class_number = hy_smp_class(1000, HY_ALIGN_8);
    size_t cached = hy_smp_cached_blocks(heap->core, class_number, &threads);
    assert_true(cached >= 2);

    assert_true(hy_smp_set_options(heap, &options));
    heap->core->decay.shed_number++;
    hold(heap);
    void **blocks = alloc_many(heap, 100, 32); /* a class that has no magazine yet makes a trip */
    free_many(heap, blocks, 100, 32);
    assert_int_equal(hy_smp_cached_blocks(heap->core, class_number, &threads), 0);
}

/* Cycles in which everything is freed: a few pay for it with their memory, then it is kept. */
static void cycles_do_not_give_everything_back_each_time(void **state) {
    hy_smp_heap *heap = *state;
    enum { CYCLES = 40 };
    wait_ms(HY_SMP_YOUNG_MS + 20);
    size_t count = 16 * MIB / 4096, given = 0, times = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        free_many(heap, alloc_many(heap, count, 4096), count, 4096);
        size_t now = stats_of(heap).returned_bytes;
        times += now - given > MIB;
        given = now;
    }
    /* The scaled-down build's hold is shorter than a cycle. */
    if (!IS_SMALL) assert_true(times >= 1 && times <= CYCLES / 4);
}

static void what_is_kept_for_the_next_cycle_is_bounded(void **state) {
    hy_smp_heap *heap = *state;
    enum { BLOCKS = 6 };
    size_t size = HY_SMP_HELD_MOST / 2;
    void *blocks[BLOCKS];
    hold(heap);
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = alloc_touched(heap, size, HY_ALIGN_8);
    for (int i = 0; i < BLOCKS; i++)
        hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    size_t retained = stats_of(heap).retained_bytes;
    assert_true(retained >= HY_SMP_HELD_MOST && retained <= HY_SMP_HELD_MOST + HY_SMP_HELD_MOST / 2);
}

/* No surplus, but more than the program needs: goes by halves as time passes. */
static void what_is_not_needed_decays(hy_smp_heap *heap, size_t size, size_t count) {
    void **live = alloc_many(heap, count / 2, size), **dead = alloc_many(heap, count / 2, size);
    free_many(heap, dead, count / 2, size);
    hy_smp_stats stats = stats_of(heap);
    /* The scaled-down build's time passes as fast as the blocks are freed. */
    if (!IS_SMALL) assert_true(stats.retained_bytes + stats.cached_bytes > size * count / 4);
    for (int tick = 0; tick < 6; tick++) {
        wait_ms(HY_SMP_TICK_MS + 20);
        /* What the program goes on with looks at the time. */
        for (int i = 0; i < 100; i++)
            free_many(heap, alloc_many(heap, 300000 / size + 1, size), 300000 / size + 1, size);
    }
    stats = stats_of(heap);
    assert_true(stats.retained_bytes + stats.cached_bytes < size * count / 8);
    free_many(heap, live, count / 2, size);
}

static void unneeded_small_blocks_decay(void **state) {
    what_is_not_needed_decays(*state, 1024, 16 * MIB / 1024);
}

static void unneeded_large_blocks_decay(void **state) {
    what_is_not_needed_decays(*state, MIB, 32);
}

/* ---- from thread to thread ---- */

#define HANDED ((size_t)(HY_TSAN ? 100000 : 1000000))
#define BATCH ((size_t)1000)
#define BATCHES 8

/* Batches on their way from one thread to the other. */
static struct {
    hy_smp_heap *heap;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    void *blocks[BATCHES][BATCH];
    size_t put, got;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static void await(size_t *put_or_got, size_t least) {
    pthread_mutex_lock(&queue.lock);
    while (*put_or_got < least)
        pthread_cond_wait(&queue.moved, &queue.lock);
    pthread_mutex_unlock(&queue.lock);
}

static void tell(size_t *put_or_got) {
    pthread_mutex_lock(&queue.lock);
    ++*put_or_got;
    pthread_cond_broadcast(&queue.moved);
    pthread_mutex_unlock(&queue.lock);
}

static void *consume(void *argument) {
    (void)argument;
    for (size_t batch = 0; batch < HANDED / BATCH; batch++) {
        await(&queue.put, batch + 1);
        for (size_t i = 0; i < BATCH; i++)
            hy_smp_heap_free(queue.heap, queue.blocks[batch % BATCHES][i], 100, HY_ALIGN_8);
        tell(&queue.got);
    }
    return NULL;
}

/* What one thread allocates and another frees comes back: the heap stays as small as what is on the way. */
static void a_producer_and_a_consumer_need_no_more_than_is_on_the_way(void **state) {
    hy_smp_heap *heap = queue.heap = *state;
    queue.put = queue.got = 0;
    pthread_t consumer;
    assert_int_equal(pthread_create(&consumer, NULL, consume, NULL), 0);
    for (size_t batch = 0; batch < HANDED / BATCH; batch++) {
        if (batch >= BATCHES) await(&queue.got, batch - BATCHES + 1);
        for (size_t i = 0; i < BATCH; i++) {
            void *block = hy_smp_heap_alloc(heap, 100, HY_ALIGN_8);
            assert_non_null(block);
            *(size_t *)block = i;
            queue.blocks[batch % BATCHES][i] = block;
        }
        tell(&queue.put);
    }
    assert_int_equal(pthread_join(consumer, NULL), 0);
    size_t on_the_way = BATCH * BATCHES * 104;
    hy_smp_stats stats = stats_of(heap);
    assert_int_equal(stats.live_blocks, 0);
    assert_true(stats.peak_bytes < 2 * on_the_way + 256 * KIB);
    assert_true(stats.metadata_bytes < sizeof(hy_smp_core) + 256 * KIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        smp_test(phases_of_different_classes_use_the_same_memory),
        smp_test(what_depots_hold_is_used_before_the_heap_grows),
        smp_test(one_of_ten_that_survives_pins_no_more_than_its_slab),
        smp_test(trim_gives_back_what_is_free),
        smp_test(surplus_goes_back_without_being_asked),
        smp_test(the_last_blocks_of_many_classes_keep_little),
        smp_test(other_threads_give_up_their_magazines_too),
        smp_test(cycles_do_not_give_everything_back_each_time),
        smp_test(what_is_kept_for_the_next_cycle_is_bounded),
        smp_test(unneeded_small_blocks_decay),
        smp_test(unneeded_large_blocks_decay),
        smp_test(a_producer_and_a_consumer_need_no_more_than_is_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
