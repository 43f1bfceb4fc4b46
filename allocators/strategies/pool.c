/* pool.c: many objects of one size, made and ended in any order.
 *
 * For: nodes of trees and lists, connections, tokens: one type, many lives. Not for: sizes that vary, and
 * memory that must go back before all of the pool does.
 * Algorithm: a LIFO list through the free blocks; where it is empty, the next block of the arena's chunk.
 *
 *   free_list -> [link|....] -> [link|....] -> NULL
 *   arena's chunk [head|pad|block|block|block|   room   ]     one stride apart, block_align from the first on
 *
 * Chunks before the newest are always used up to the last whole block (preheat puts what is left of one on
 * the free list before it asks for the next), so that what was made can be counted from the chunks alone.
 *
 * Cost: create and destroy four instructions; the arena's growth now and then; reset as the arena's.
 * Overhead: none a block, the arena's 16 bytes a chunk. Thread-safe: no.
 * Source: Zig's MemoryPool. Its pool that can't grow is dead after a reset; this one's capacity is the
 * arena's fixed chunk, which a reset that retains keeps.
 */
#include <heapyard/pool.h>

#define GRANULE ((size_t)8)

_Static_assert(sizeof(hy_pool_link) <= GRANULE, "a block of the smallest stride holds the link");

/* The distance from one block to the next; false: no memory is that large. */
static bool find_stride(size_t block_size, hy_align block_align, size_t *stride) {
    hy_align align = hy_align_max(block_align, HY_ALIGN_8);
    if (!hy_align_forward_checked(block_size, align, stride) || *stride == 0 || *stride > PTRDIFF_MAX)
        return false;
    HY_ASSERT(*stride >= block_size, "a stride is smaller than the block");
    HY_ASSERT(*stride % GRANULE == 0, "a stride is no multiple of 8");
    return true;
}

/* Bytes that hold `count` blocks wherever the first may start. */
static bool find_bytes(const hy_pool *pool, size_t count, size_t *bytes) {
    size_t align = hy_align_bytes(pool->block_align);
    if (HY_MUL_OVERFLOWS(count, pool->stride, bytes)) return false;
    return align <= GRANULE || !HY_ADD_OVERFLOWS(*bytes, align - GRANULE, bytes);
}

/* A pool that holds nothing and refuses everything. */
static void make_empty(hy_pool *pool, hy_allocator child) {
    *pool = (hy_pool){.arena = HY_ARENA_INIT(child), .stride = GRANULE};
    pool->arena.fixed = true;
}

/* Whether the options make sense; prints what does not. */
static bool makes_sense(size_t block_size, const hy_pool_options *wanted) {
    if (block_size == 0) HY_TELL_INVALID("hy_pool_init", block_size, "a block_size of at least 1");
    bool has_no_block = wanted->fixed && wanted->preheat == 0;
    if (has_no_block)
        HY_TELL_INVALID("hy_pool_init", wanted->preheat, "a preheat of at least 1 where the pool is fixed");
    return block_size != 0 && !has_no_block;
}

hy_error hy_pool_init(hy_pool *pool, hy_allocator child, size_t block_size, hy_align block_align,
    const hy_pool_options *options) {
    hy_require_child(child, "hy_pool_init");
    make_empty(pool, child);
    hy_pool_options wanted = options ? *options : (hy_pool_options){0};
    if (!makes_sense(block_size, &wanted)) return HY_INVALID;

    hy_pool made = {.block_size = block_size, .block_align = block_align};
    hy_arena_options arena_options = {.fixed = wanted.fixed};
    if (!find_stride(block_size, block_align, &made.stride)) return HY_OUT_OF_MEMORY;
    if (wanted.preheat && !find_bytes(&made, wanted.preheat, &arena_options.capacity))
        return HY_OUT_OF_MEMORY;
    hy_error error = hy_arena_init(&made.arena, child, &arena_options);
    if (error == HY_OK) *pool = made;
    HY_ASSERT(error != HY_OK || hy_pool_capacity(pool) >= wanted.preheat, "a pool began with too few blocks");
    return error;
}

void hy_pool_deinit(hy_pool *pool) {
    hy_arena_deinit(&pool->arena);
    make_empty(pool, pool->arena.child);
}

HY_SLOT HY_NOINLINE void *hy_pool_carve(hy_pool *pool, size_t size) {
    HY_ASSERT(size <= pool->block_size, "a block is asked for that is larger than the pool's");
    char *block = hy_arena_alloc(&pool->arena, pool->stride, pool->block_align);
    if (block) hy_poison(block + size, pool->stride - size);
    HY_ASSERT(!block || hy_pool_is_block(pool, block), "a new block lies where none can begin");
    return block;
}

/* Where a chunk's first block lies, or would. */
static uintptr_t first_block(const hy_pool *pool, const hy_arena_chunk *chunk) {
    return hy_align_forward((uintptr_t)(chunk + 1), pool->block_align);
}

/* Whole blocks between two addresses. */
static size_t blocks_between(const hy_pool *pool, uintptr_t start, uintptr_t end) {
    return start < end ? (end - start) / pool->stride : 0;
}

static size_t blocks_in(const hy_pool *pool, const hy_arena_chunk *chunk) {
    return blocks_between(pool, first_block(pool, chunk), (uintptr_t)chunk + chunk->size);
}

/* Blocks that the newest chunk still has room for. */
static size_t blocks_left(const hy_pool *pool) {
    const hy_arena *arena = &pool->arena;
    return blocks_between(pool, hy_align_forward(arena->state.next, pool->block_align), arena->end);
}

/* The link of a free block, which the tools know as not addressable. */
static hy_pool_link *next_free(hy_pool_link *block) {
    hy_unpoison_defined(block, sizeof *block);
    hy_pool_link *next = block->next;
    hy_poison(block, sizeof *block);
    return next;
}

/* How many blocks are free, at most `wanted`. */
static size_t count_free_up_to(const hy_pool *pool, size_t wanted) {
    size_t count = 0;
    for (hy_pool_link *block = pool->free_list; block && count < wanted; block = next_free(block))
        count++;
    return count;
}

static size_t count_free(const hy_pool *pool) {
    return count_free_up_to(pool, SIZE_MAX);
}

bool hy_pool_preheat(hy_pool *pool, size_t count) {
    size_t left = blocks_left(pool), ready = left + count_free_up_to(pool, count), bytes;
    if (count <= ready) return true;
    if (pool->arena.fixed || !find_bytes(pool, count - ready, &bytes)) return false;
    for (; left > 0; left--) {
        hy_pool_destroy(pool, hy_pool_carve(pool, pool->block_size));
    }
    HY_ASSERT(blocks_left(pool) == 0, "a chunk still has room that the free list was to have");
    bool reserved = hy_arena_reserve(&pool->arena, bytes, pool->block_align);
    HY_ASSERT(!reserved || blocks_left(pool) + count_free(pool) >= count, "a preheat made too few blocks");
    HY_ASSERT_WALK(hy_pool_check(pool));
    return reserved;
}

bool hy_pool_reset(hy_pool *pool, hy_arena_reset_mode mode, size_t limit) {
    pool->free_list = NULL;
    bool kept = hy_arena_reset(&pool->arena, mode, limit);
    HY_ASSERT(hy_pool_live(pool) == 0, "a block has survived a reset");
    HY_ASSERT_WALK(hy_pool_check(pool));
    return kept;
}

size_t hy_pool_capacity(const hy_pool *pool) {
    size_t count = 0;
    for (const hy_arena_chunk *chunk = pool->arena.state.chunk; chunk; chunk = chunk->older) {
        count += blocks_in(pool, chunk);
    }
    return count;
}

size_t hy_pool_live(const hy_pool *pool) {
    HY_ASSERT(
        blocks_left(pool) + count_free(pool) <= hy_pool_capacity(pool), "more blocks are free than exist");
    return hy_pool_capacity(pool) - blocks_left(pool) - count_free(pool);
}

bool hy_pool_owns(const hy_pool *pool, const void *ptr) {
    return hy_arena_owns(&pool->arena, ptr);
}

bool hy_pool_is_block(const hy_pool *pool, const void *ptr) {
    uintptr_t address = (uintptr_t)ptr;
    const hy_arena_state *state = &pool->arena.state;
    for (const hy_arena_chunk *chunk = state->chunk; chunk; chunk = chunk->older) {
        uintptr_t first = first_block(pool, chunk);
        uintptr_t end = chunk == state->chunk ? state->next : (uintptr_t)chunk + chunk->size;
        if (address >= first && address < end) return (address - first) % pool->stride == 0;
    }
    return false;
}

bool hy_pool_check(const hy_pool *pool) {
    if (!hy_arena_check(&pool->arena) || pool->stride % GRANULE != 0 || pool->block_size > pool->stride)
        return false;
    /* A list longer than all blocks that were made has a cycle. */
    size_t made = hy_pool_capacity(pool) - blocks_left(pool);
    for (hy_pool_link *block = pool->free_list; block; block = next_free(block)) {
        if (made-- == 0 || !hy_pool_is_block(pool, block)) return false;
    }
    return true;
}

bool hy_pool_resize(hy_pool *pool, void *ptr, size_t old_size, size_t new_size) {
#if HY_CHECK >= 2
    HY_REQUIRE(hy_pool_is_block(pool, ptr), "hy_pool_resize", (uintptr_t)ptr, "a block of this pool");
#endif
    HY_ASSERT(old_size <= pool->block_size, "a block lives with more than the pool's block size");
    if (new_size > pool->block_size) return false;
    if (new_size > old_size) {
        hy_unpoison((char *)ptr + old_size, new_size - old_size);
    } else {
        hy_poison((char *)ptr + new_size, old_size - new_size);
    }
    return true;
}

HY_SLOT void *hy_pool_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_pool_alloc(self, size, align);
}

bool hy_pool_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_pool_resize(self, ptr, old_size, new_size);
}

void *hy_pool_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_pool_resize(self, ptr, old_size, new_size) ? ptr : NULL;
}

HY_SLOT void hy_pool_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)size, (void)align;
    hy_pool_destroy(self, ptr);
}
