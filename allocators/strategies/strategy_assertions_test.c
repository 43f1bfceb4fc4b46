/* strategy_assertions_test.c: the strategies' assertions are alive: each case damages one word of a
 * structure, and the next change of state must end the program with the message for that. */
#include <heapyard/arena_shared.h>
#include <heapyard/bump.h>
#include <heapyard/debug.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>

#include "allocators/conformance/dies.h"
#include "allocators/strategies/debug_lock.h"

#if HY_CHECK >= 2
/* Whatever a call returned that was to end the program. */
static void ignore(const void *ptr) {
    (void)ptr;
}

static hy_arena arena_with_block(size_t size) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    ignore(hy_arena_take(&arena, size));
    return arena;
}

static void arena_next_is_odd(void) {
    hy_arena arena = arena_with_block(8);
    arena.state.next += 4;
    ignore(hy_arena_take(&arena, 8));
}

static void arena_head_is_overwritten(void) {
    hy_arena arena = arena_with_block(8);
    arena.state.chunk->size += 1;
    hy_arena_deinit(&arena);
}

static void arena_mark_lies_outside(void) {
    hy_arena arena = arena_with_block(8);
    hy_arena_mark mark = hy_arena_save(&arena);
    mark.next += 4096;
    hy_arena_restore(&arena, mark);
}

static void arena_resizes_to_nothing(void) {
    hy_arena arena = arena_with_block(8);
    void *block = hy_arena_take(&arena, 8);
    (void)!hy_arena_resize(&arena, block, 8, 0);
}

static hy_pool pool_of_32(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) _exit(1);
    return pool;
}

static void pool_link_is_overwritten(void) {
    hy_pool pool = pool_of_32();
    size_t *block = hy_pool_create(&pool);
    hy_pool_destroy(&pool, block);
    hy_unpoison_defined(block, sizeof *block);
    *block = 4096;
    ignore(hy_pool_create(&pool));
}

static void pool_block_is_too_large(void) {
    hy_pool pool = pool_of_32();
    void *block = hy_pool_create(&pool);
    (void)!hy_pool_resize(&pool, block, 33, 32);
}

static void pool_has_more_free_than_all(void) {
    hy_pool pool = pool_of_32();
    void *block = hy_pool_create(&pool);
    hy_pool_destroy(&pool, block);
    pool.stride = 512;
    (void)hy_pool_live(&pool);
}

static hy_fixed_buffer fixed_buffer(void) {
    static _Alignas(64) char memory[4096];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, memory, sizeof memory);
    return fixed;
}

static void fixed_buffer_next_lies_behind(void) {
    hy_fixed_buffer fixed = fixed_buffer();
    fixed.next = fixed.end + 16;
    ignore(hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8));
}

static void fixed_buffer_padding_is_wrong(void) {
    hy_fixed_buffer fixed = fixed_buffer();
    ignore(hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_8));
    fixed.padded = fixed.end;
    ignore(hy_fixed_buffer_alloc(&fixed, 8, HY_ALIGN_64));
}

static void fixed_buffer_ends_before_it_begins(void) {
    hy_fixed_buffer fixed = fixed_buffer();
    fixed.end = fixed.base - 8;
    hy_fixed_buffer_reset(&fixed);
}

static void fixed_buffer_shared_next_lies_before(void) {
    hy_fixed_buffer fixed = fixed_buffer();
    fixed.next = fixed.base - 8;
    ignore(hy_fixed_buffer_shared_alloc(&fixed, 8, HY_ALIGN_8));
}

static void bump_lies_behind(void) {
    static char memory[64];
    hy_bump bump;
    hy_bump_init(&bump, memory, sizeof memory);
    bump.last = bump.end + 8;
    ignore(hy_bump_alloc(&bump, 8, HY_ALIGN_1));
}

static void arena_shared_has_a_lane_0(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    shared.lanes[0].arena.state.next = 8;
    ignore(hy_arena_shared_alloc(&shared, 8, HY_ALIGN_8));
}

static void arena_shared_leaves_twice(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    hy_arena_shared_leave(&shared);
}

static void debug_begin(hy_debug *debug) {
    hy_debug_config config = hy_debug_defaults();
    config.tools = HY_DEBUG_TOOLS_NONE;
    if (hy_debug_init(debug, hy_libc(), &config) != HY_OK) _exit(1);
}

static void debug_queue_is_miscounted(void) {
    static hy_debug debug;
    debug_begin(&debug);
    void *block = hy_debug_alloc(&debug, 64, HY_ALIGN_8);
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++)
        debug.buckets[i].waiting++;
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}

static void debug_empty_bytes_are_lost(void) {
    static hy_debug debug;
    debug_begin(&debug);
    hy_debug_free(&debug, hy_debug_alloc(&debug, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
    debug.empty_bytes = 0;
    ignore(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
}

static void debug_index_promises_nothing(void) {
    static hy_debug debug;
    debug_begin(&debug);
    hy_debug_free(&debug, hy_debug_alloc(&debug, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
    debug.index.promised = 0;
    hy_debug_flush_retained(&debug);
}

static void debug_live_bytes_are_lost(void) {
    static hy_debug debug;
    debug_begin(&debug);
    void *block = hy_debug_alloc(&debug, 64, HY_ALIGN_8);
    debug.counts.live_bytes = 0;
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}

static void debug_leaves_twice(void) {
    static hy_debug debug;
    debug_begin(&debug);
    hy_debug_leave(&debug);
}

static void each_assertion_ends_the_program(void **state) {
    (void)state;
    assert_dies_saying(arena_next_is_odd, "the arena's next byte is no multiple of 8");
    assert_dies_saying(arena_head_is_overwritten, "free_chunk: a chunk's head was overwritten");
    assert_dies_saying(arena_mark_lies_outside, "hy_arena_restore: a mark lies behind its chunk");
    assert_dies_saying(arena_resizes_to_nothing, "hy_arena_resize: a block is resized to no bytes");
    assert_dies_saying(pool_link_is_overwritten, "a free block's link was overwritten");
    assert_dies_saying(pool_block_is_too_large, "a block lives with more than the pool's block size");
    assert_dies_saying(pool_has_more_free_than_all, "more blocks are free than exist");
    assert_dies_saying(fixed_buffer_next_lies_behind, "the next byte lies outside the buffer");
    assert_dies_saying(fixed_buffer_padding_is_wrong, "the buffer's words do not agree before an allocation");
    assert_dies_saying(fixed_buffer_ends_before_it_begins, "the buffer ends before it begins");
    assert_dies_saying(fixed_buffer_shared_next_lies_before, "next byte lies before the buffer");
    assert_dies_saying(bump_lies_behind, "the bump lies behind its region");
    assert_dies_saying(arena_shared_has_a_lane_0, "lane 0, which has no owner, holds something");
    assert_dies_saying(arena_shared_leaves_twice, "a call ends that did not begin");
    assert_dies_saying(debug_queue_is_miscounted, "a queue's count differs from its links");
    assert_dies_saying(debug_empty_bytes_are_lost, "the empty chunks' sum is less than one of them");
    assert_dies_saying(debug_index_promises_nothing, "a chunk is removed that was not inserted");
    assert_dies_saying(debug_live_bytes_are_lost, "a block is larger than all live ones together");
    assert_dies_saying(debug_leaves_twice, "a thread leaves that did not enter");
}
#endif

#if HY_WALKS
static void arena_with_a_damaged_chunk_grows(void) {
    hy_arena arena = arena_with_block(8);
    ignore(hy_arena_take(&arena, 4096));
    arena.state.chunk->older->size += 1;
    ignore(hy_arena_take(&arena, 65536));
}

static void pool_with_a_wrong_size_is_preheated(void) {
    hy_pool pool = pool_of_32();
    pool.block_size = pool.stride + 1;
    (void)!hy_pool_preheat(&pool, 8);
}

static void arena_shared_with_a_lane_0_is_reset(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    shared.lanes[0].arena.state.next = 8;
    hy_arena_shared_reset(&shared, HY_ARENA_RETAIN_CAPACITY, 0);
}

static void debug_with_a_wrong_sum_takes_a_chunk(void) {
    static hy_debug debug;
    debug_begin(&debug);
    debug.counts.child_bytes += 8;
    ignore(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
}

static void the_walk_after_a_slow_path_ends_the_program(void **state) {
    (void)state;
    static const char message[] = "the structure does not hold together after a slow path";
    assert_dies_saying(arena_with_a_damaged_chunk_grows, message);
    assert_dies_saying(pool_with_a_wrong_size_is_preheated, message);
    assert_dies_saying(arena_shared_with_a_lane_0_is_reset, message);
    assert_dies_saying(debug_with_a_wrong_sum_takes_a_chunk, message);
}
#endif

int main(void) {
#if HY_CHECK >= 2
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_assertion_ends_the_program),
#if HY_WALKS
        cmocka_unit_test(the_walk_after_a_slow_path_ends_the_program),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0;
#endif
}
