/* debug_walk_test.c: the walker sees each thing that can be wrong in the structure, and nothing else. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/debug_chunk.h"
#include "allocators/strategies/debug_watch.h"

/* Adds to a word of the structure, sees the walker notice, and takes it back. */
static void assert_watched(hy_debug *debug, void *word, size_t more) {
    assert_true(hy_debug_check(debug));
    size_t value;
    memcpy(&value, word, sizeof value);
    value += more;
    memcpy(word, &value, sizeof value);
    assert_false(hy_debug_check(debug));
    value -= more;
    memcpy(word, &value, sizeof value);
    assert_true(hy_debug_check(debug));
}

static hy_debug_bucket *bucket_in_use(hy_debug *debug) {
    for (unsigned i = 0; i < HY_DEBUG_LARGE; i++) {
        if (debug->buckets[i].chunks) return &debug->buckets[i];
    }
    return NULL;
}

static void the_walker_sees_every_count(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    hy_debug *debug = &w.debug;
    void *kept = hy_debug_alloc(debug, 64, HY_ALIGN_8), *freed[3];
    for (size_t i = 0; i < 3; i++)
        freed[i] = hy_debug_alloc(debug, 64, HY_ALIGN_8);
    for (size_t i = 0; i < 3; i++)
        hy_debug_free(debug, freed[i], 64, HY_ALIGN_8);
    hy_debug_bucket *bucket = bucket_in_use(debug);
    hy_debug_chunk *chunk = bucket->chunks;
    assert_watched(debug, &debug->counts.live_blocks, 1);
    assert_watched(debug, &debug->counts.live_bytes, 1);
    assert_watched(debug, &debug->counts.child_bytes, 1);
    assert_watched(debug, &debug->empty_bytes, 1);
    assert_watched(debug, &bucket->waiting, 1);
    assert_watched(debug, &bucket->waiting, (size_t)-1);
    assert_watched(debug, &bucket->newest, 8);
    assert_watched(debug, &chunk->seal, 1);
    assert_watched(debug, &chunk->live, 1);
    assert_watched(debug, &chunk->fresh, chunk->count);
    assert_watched(debug, &chunk->base, 16);
    assert_watched(debug, &chunk->end, (size_t)1 << 30);
    assert_watched(debug, &bucket->oldest->next->previous, 8);
    assert_watched(debug, &bucket->oldest->next->size, 8);
    assert_watched(debug, &bucket->oldest->next->slot, 16);
    assert_watched(debug, &bucket->oldest->next->chunk, 0x1000);
    assert_watched(debug, &debug->config.memory_limit, 10);
    chunk->empty = true;
    assert_false(hy_debug_check(debug));
    chunk->empty = false;
    chunk->bucket++;
    assert_false(hy_debug_check(debug));
    chunk->bucket--;
    hy_debug_free(debug, kept, 64, HY_ALIGN_8);
    watch_end(&w);
}

/* Reads every byte around and of a block in turn. */
static void the_walker_sees_every_byte(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    uint8_t *block = hidden(hy_debug_alloc(&w.debug, 40, HY_ALIGN_8));
    for (ptrdiff_t at = -16; at < 56; at++) {
        bool is_users = at >= 0 && at < 40;
        poke(block + at, (uint8_t)(block[at] ^ 0x10));
        assert_int_equal(hy_debug_check(&w.debug), is_users);
        poke(block + at, (uint8_t)(block[at] ^ 0x10));
    }
    hy_debug_free(&w.debug, block, 40, HY_ALIGN_8);
    for (ptrdiff_t at = -16; at < 56; at++) {
        poke(block + at, (uint8_t)(block[at] ^ 0x10));
        assert_false(hy_debug_check(&w.debug));
        poke(block + at, (uint8_t)(block[at] ^ 0x10));
    }
    watch_end(&w);
}

/* Counts and queues are made anew from what can still be believed. */
static void a_lost_record_costs_no_other(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    void *blocks[40];
    for (size_t i = 0; i < 40; i++)
        blocks[i] = hy_debug_alloc(&w.debug, 64, HY_ALIGN_8);
    for (size_t i = 0; i < 40; i += 2)
        hy_debug_free(&w.debug, blocks[i], 64, HY_ALIGN_8);
    hy_debug_bucket *bucket = bucket_in_use(&w.debug);
    size_t waiting = bucket->waiting;
    bucket->oldest->next->free_frames ^= 1;
    assert_int_equal(hy_debug_scan(&w.debug), 1);
    watch_told(&w, 1, HY_DEBUG_CORRUPTED_METADATA);
    assert_int_equal(bucket->waiting, waiting - 1);
    assert_int_equal(hy_debug_leaks(&w.debug), 20);
    for (size_t i = 1; i < 40; i += 2)
        hy_debug_free(&w.debug, blocks[i], 64, HY_ALIGN_8);
    assert_int_equal(hy_debug_leaks(&w.debug), 0);
    watch_end(&w);
}

/* The newest of three is ended last, the one between first. */
static void instances_may_end_in_any_order(void **state) {
    (void)state;
    static hy_debug three[3];
    size_t frees = hy_debug_process_double_frees();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(hy_debug_init(&three[i], hy_libc(), NULL), HY_OK);
    static const size_t order[] = {1, 0, 2};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(hy_debug_deinit(&three[order[i]], NULL), HY_OK);
    assert_int_equal(hy_debug_process_double_frees(), frees);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walker_sees_every_count),
        cmocka_unit_test(the_walker_sees_every_byte),
        cmocka_unit_test(a_lost_record_costs_no_other),
        cmocka_unit_test(instances_may_end_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
