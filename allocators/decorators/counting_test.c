/* counting_test.c: the counters are right, in both forms. */
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Out of the compiler's sight, which would warn of the fill that never happens. */
static volatile size_t huge = SIZE_MAX;

static void calls_and_bytes_are_counted(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_allocator gpa = hy_counting_allocator(&counting);
    void *small = hy_alloc(gpa, 10, HY_ALIGN_8);
    void *large = hy_alloc(gpa, 1000, HY_ALIGN_64);
    hy_free(gpa, small, 10, HY_ALIGN_8);
    assert_int_equal(counting.counts.alloc_count, 2);
    assert_int_equal(counting.counts.free_count, 1);
    assert_int_equal(counting.counts.live_bytes, 1000);
    assert_int_equal(counting.counts.peak_bytes, 1010);
    assert_int_equal(counting.counts.total_bytes, 1010);
    assert_true(hy_counts_check(&counting.counts));
    hy_free(gpa, large, 1000, HY_ALIGN_64);
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_int_equal(counting.counts.peak_bytes, 1010);
}

static void size_changes_move_live_bytes(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_allocator gpa = hy_counting_allocator(&counting);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    assert_true(hy_resize(gpa, ptr, 100, 40, HY_ALIGN_8));
    assert_int_equal(counting.counts.live_bytes, 40);
    assert_int_equal(counting.counts.resize_count, 1);
    assert_false(hy_resize(gpa, ptr, 40, huge, HY_ALIGN_8));
    assert_int_equal(counting.counts.resize_refused_count, 1);
    assert_int_equal(counting.counts.live_bytes, 40);
    ptr = hy_remap(gpa, ptr, 40, 5000, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_int_equal(counting.counts.remap_count, 1);
    assert_int_equal(counting.counts.live_bytes, 5000);
    assert_null(hy_remap(gpa, ptr, 5000, huge, HY_ALIGN_8));
    assert_int_equal(counting.counts.remap_refused_count, 1);
    assert_int_equal(counting.counts.total_bytes, 100 + 4960);
    hy_free(gpa, ptr, 5000, HY_ALIGN_8);
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void refusals_leave_the_rest_alone(void **state) {
    (void)state;
    hy_counting counting;
    hy_counting_init(&counting, hy_null());
    assert_null(hy_alloc(hy_counting_allocator(&counting), 10, HY_ALIGN_8));
    assert_int_equal(counting.counts.alloc_refused_count, 1);
    assert_int_equal(counting.counts.alloc_count, 0);
    assert_int_equal(counting.counts.peak_bytes, 0);
}

static void buckets_are_powers_of_two(void **state) {
    (void)state;
    assert_int_equal(hy_counting_bucket(1), 0);
    assert_int_equal(hy_counting_bucket(2), 1);
    assert_int_equal(hy_counting_bucket(3), 2);
    assert_int_equal(hy_counting_bucket(4), 2);
    assert_int_equal(hy_counting_bucket(5), 3);
    assert_int_equal(hy_counting_bucket(4096), 12);
    assert_int_equal(hy_counting_bucket(4097), 13);
    assert_int_equal(hy_counting_bucket(SIZE_MAX), HY_COUNTING_BUCKETS - 1);
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_allocator gpa = hy_counting_allocator(&counting);
    for (size_t size = 33; size <= 64; size++)
        hy_free(gpa, hy_alloc(gpa, size, HY_ALIGN_8), size, HY_ALIGN_8);
    assert_int_equal(counting.counts.size_histogram[6], 32);
}

static void damaged_counters_are_told(void **state) {
    (void)state;
    hy_counts counts = {.alloc_count = 1, .size_histogram[3] = 1, .peak_bytes = 8, .total_bytes = 8};
    assert_true(hy_counts_check(&counts));
    counts.free_count = 2;
    assert_false(hy_counts_check(&counts));
    counts.free_count = 0;
    counts.live_bytes = 9;
    assert_false(hy_counts_check(&counts));
    counts.live_bytes = 0;
    counts.peak_bytes = 9;
    assert_false(hy_counts_check(&counts));
    counts.peak_bytes = 8;
    counts.alloc_count = 2;
    assert_false(hy_counts_check(&counts));
}

enum { THREADS = 4, ROUNDS = 4000, HELD = 16 };

/* Peak per thread: HELD blocks. */
static void *churn(void *argument) {
    hy_allocator gpa = *(hy_allocator *)argument;
    void *held[HELD] = {NULL};
    for (unsigned i = 0; i < ROUNDS; i++) {
        hy_free(gpa, held[i % HELD], 4096, HY_ALIGN_16);
        held[i % HELD] = hy_alloc(gpa, 4096, HY_ALIGN_16);
    }
    for (unsigned i = 0; i < HELD; i++)
        hy_free(gpa, held[i], 4096, HY_ALIGN_16);
    return NULL;
}

static void run_threads(hy_allocator gpa, unsigned count) {
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &gpa), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void many_threads_are_summed(void **state) {
    (void)state;
    static hy_counting_shared counting;
    hy_counting_shared_init(&counting, hy_libc());
    hy_allocator gpa = hy_counting_shared_allocator(&counting);
    run_threads(gpa, THREADS);
    hy_counts counts = hy_counting_shared_counts(&counting);
    assert_int_equal(counts.alloc_count, THREADS * ROUNDS);
    assert_int_equal(counts.free_count, THREADS * ROUNDS);
    assert_int_equal(counts.live_bytes, 0);
    assert_int_equal(counts.total_bytes, (uint64_t)THREADS * ROUNDS * 4096);
    assert_int_equal(counts.size_histogram[12], THREADS * ROUNDS);
    assert_true(counts.peak_bytes >= HELD * 4096 - HY_COUNTING_BATCH);
    assert_true(counts.peak_bytes <= THREADS * (HELD * 4096 + HY_COUNTING_BATCH));
    assert_true(hy_counts_check(&counts));
}

/* More threads than shards have been seen: the last ones share one, and nothing is lost. */
static void threads_beyond_the_shards_are_counted(void **state) {
    (void)state;
    static hy_counting_shared counting;
    hy_counting_shared_init(&counting, hy_libc());
    hy_allocator gpa = hy_counting_shared_allocator(&counting);
    unsigned runs = HY_COUNTING_SHARDS / THREADS + 2;
    for (unsigned i = 0; i < runs; i++)
        run_threads(gpa, THREADS);
    hy_counts counts = hy_counting_shared_counts(&counting);
    assert_int_equal(counts.alloc_count, runs * THREADS * ROUNDS);
    assert_int_equal(counts.live_bytes, 0);
    assert_true(counting.shards[HY_COUNTING_SHARDS].counts.alloc_count > 0);
}

static void the_shared_form_counts_size_changes(void **state) {
    (void)state;
    static hy_counting_shared counting;
    hy_counting_shared_init(&counting, hy_libc());
    hy_allocator gpa = hy_counting_shared_allocator(&counting);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    ptr = hy_remap(gpa, ptr, 100, 50000, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_true(hy_resize(gpa, ptr, 50000, 10, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, huge, HY_ALIGN_8));
    hy_counts counts = hy_counting_shared_counts(&counting);
    assert_int_equal(counts.live_bytes, 10);
    assert_int_equal(counts.peak_bytes, 50000);
    assert_int_equal(counts.remap_count, 1);
    assert_int_equal(counts.resize_count, 1);
    assert_int_equal(counts.alloc_refused_count, 1);
    hy_free(gpa, ptr, 10, HY_ALIGN_8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_bytes_are_counted),
        cmocka_unit_test(size_changes_move_live_bytes),
        cmocka_unit_test(refusals_leave_the_rest_alone),
        cmocka_unit_test(buckets_are_powers_of_two),
        cmocka_unit_test(damaged_counters_are_told),
        cmocka_unit_test(many_threads_are_summed),
        cmocka_unit_test(threads_beyond_the_shards_are_counted),
        cmocka_unit_test(the_shared_form_counts_size_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
