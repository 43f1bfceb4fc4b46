/* recording_sink_test.c: calls through a recording allocator become a legal history that replays with the
 * same results. */
#include "allocators/history/recording_sink.h"

#include "allocators/history/parallel.h"
#include "allocators/history/statistics.h"
#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS 5000
#define PLACES 32

/* A block in a place shared by all threads: any of them may free it. */
typedef struct held_block {
    void *block;
    size_t size;
} held_block;

typedef struct shared_places {
    hy_allocator allocator;
    pthread_mutex_t mutex;
    held_block places[PLACES];
} shared_places;

static held_block swap(shared_places *in, size_t place, held_block fresh) {
    pthread_mutex_lock(&in->mutex);
    held_block old = in->places[place];
    in->places[place] = fresh;
    pthread_mutex_unlock(&in->mutex);
    return old;
}

static void *work(void *context) {
    shared_places *in = context;
    for (size_t i = 0; i < ROUNDS; i++) {
        held_block fresh = {.size = 1 + i * 37 % 900};
        fresh.block = hy_alloc(in->allocator, fresh.size, HY_ALIGN_16);
        if (i % 3 == 0) {
            size_t size = fresh.size * 2;
            fresh.block = hy_realloc(in->allocator, fresh.block, fresh.size, size, HY_ALIGN_16);
            fresh.size = size;
        }
        held_block old = swap(in, i * 7 % PLACES, fresh);
        hy_free(in->allocator, old.block, old.size, HY_ALIGN_16);
    }
    return NULL;
}

static void record_threads(hy_recording_sink *sink, hy_history *history) {
    static hy_recording recording;
    hy_recording_init(&recording, hy_libc(), hy_recording_sink_call, sink);
    static shared_places in;
    in = (shared_places){.allocator = hy_recording_allocator(&recording)};
    pthread_mutex_init(&in.mutex, NULL);
    pthread_t workers[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, work, &in), 0);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i], NULL);
    for (size_t i = 0; i < PLACES; i++)
        hy_free(in.allocator, in.places[i].block, in.places[i].size, HY_ALIGN_16);
    pthread_mutex_destroy(&in.mutex);
    assert_true(hy_recording_sink_finish(sink, history));
}

static void threads_are_recorded_and_replay_the_same(void **state) {
    (void)state;
    hy_recording_sink sink;
    hy_recording_sink_init(&sink, hy_libc());
    hy_history history;
    hy_history_init(&history, hy_libc());
    record_threads(&sink, &history);
    size_t bad;
    assert_true(hy_history_check(&history, &bad));
    hy_statistics stats;
    assert_true(hy_statistics_make(&stats, &history));
    /* Where remap is refused, hy_realloc calls alloc and free. */
    assert_true(stats.allocs >= THREADS * ROUNDS);
    assert_int_equal(stats.allocs, stats.frees);
    assert_int_equal(stats.sized_frees, stats.frees);
    assert_int_equal(stats.end_blocks, 0);
    assert_true(stats.cross_thread_frees > 0);
    hy_plan plan;
    assert_int_equal(hy_plan_make(&plan, &history, hy_libc(), NULL), HY_OK);
    hy_replay_result result;
    assert_true(hy_replay_exact(&plan, hy_libc(), hy_libc(), true, &result));
    assert_true(result.checksum == hy_plan_checksum(&plan));
    assert_int_equal(result.peak_bytes, stats.peak_bytes);
    assert_int_equal(result.operations + stats.refused, stats.operations);
    hy_plan_destroy(&plan);
    hy_history_deinit(&history);
    hy_recording_sink_deinit(&sink);
}

static void each_result_is_recorded(void **state) {
    (void)state;
    hy_recording_sink sink;
    hy_recording_sink_init(&sink, hy_libc());
    int block, other;
    const hy_call calls[] = {
        {.kind = HY_CALL_ALLOC, .align = {6}, .result = &block, .new_size = 10, .began = 0, .ended = 1},
        {.kind = HY_CALL_RESIZE,
            .align = {6},
            .ptr = &block,
            .result = NULL,
            .refused = true,
            .old_size = 10,
            .new_size = 99,
            .began = 2,
            .ended = 3},
        {.kind = HY_CALL_RESIZE,
            .align = {6},
            .ptr = &block,
            .result = &block,
            .old_size = 10,
            .new_size = 9,
            .began = 4,
            .ended = 5},
        {.kind = HY_CALL_REMAP,
            .align = {6},
            .ptr = &block,
            .result = &other,
            .old_size = 9,
            .new_size = 20,
            .began = 6,
            .ended = 9},
        /* Another thread is given the block's old address before the remap has returned. */
        {.kind = HY_CALL_ALLOC,
            .thread = 1,
            .align = {4},
            .result = &block,
            .new_size = 5,
            .began = 7,
            .ended = 8},
        {.kind = HY_CALL_ALLOC, .refused = true, .align = {4}, .new_size = 1000, .began = 10, .ended = 11},
        {.kind = HY_CALL_FREE, .align = {6}, .ptr = &other, .old_size = 20, .began = 12, .ended = 12},
    };
    /* The sink must sort them: they arrive in reverse order. */
    for (size_t i = sizeof calls / sizeof calls[0]; i-- > 0;)
        hy_recording_sink_call(&sink, &calls[i]);
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_recording_sink_finish(&sink, &history));
    static const hy_op expected[] = {
        {.kind = HY_OP_ALLOC, .align_log2 = 6, .size = 10},
        {.kind = HY_OP_RESIZE, .flags = HY_OP_REFUSED, .align_log2 = 6, .size = 99},
        {.kind = HY_OP_RESIZE, .align_log2 = 6, .size = 9},
        {.kind = HY_OP_ALLOC, .align_log2 = 4, .thread = 1, .slot = 1, .size = 5},
        {.kind = HY_OP_REMAP, .align_log2 = 6, .size = 20},
        {.kind = HY_OP_ALLOC, .flags = HY_OP_REFUSED, .align_log2 = 4, .slot = 2, .size = 1000},
        {.kind = HY_OP_FREE, .flags = HY_OP_SIZED, .align_log2 = 6, .size = 20},
    };
    assert_int_equal(history.count, sizeof expected / sizeof expected[0]);
    assert_memory_equal(history.ops, expected, sizeof expected);
    hy_history_deinit(&history);
    hy_recording_sink_deinit(&sink);
}

static hy_error record_in(hy_allocator gpa, void *context) {
    (void)context;
    hy_recording_sink sink;
    hy_recording_sink_init(&sink, gpa);
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), hy_recording_sink_call, &sink);
    hy_allocator recorded = hy_recording_allocator(&recording);
    for (size_t i = 1; i < 3000; i++) {
        void *block = hy_alloc(recorded, i, HY_ALIGN_8);
        hy_free(recorded, block, i, HY_ALIGN_8);
    }
    hy_history history;
    hy_history_init(&history, gpa);
    bool good = hy_recording_sink_finish(&sink, &history);
    hy_history_deinit(&history);
    hy_recording_sink_deinit(&sink);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void survives_every_refused_allocation(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(record_in, hy_libc(), NULL, &report), HY_SWEEP_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_recorded_and_replay_the_same),
        cmocka_unit_test(each_result_is_recorded),
        cmocka_unit_test(survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
