/* heapyard/pool.h: many objects of one size, made and ended in any order.
 *
 * A freed block is the next one made: it is still in the cache. Blocks come from an arena over the
 * child, so memory goes back to the child at a reset or at the end, never block by block.
 *
 *   hy_typed_pool(struct node) pool;
 *   if (hy_typed_pool_init(&pool, hy_libc(), NULL) != HY_OK) return false;
 *   struct node *node = hy_typed_pool_create(&pool);
 *   hy_typed_pool_destroy(&pool, node);
 *   hy_pool_deinit(&pool.pool);
 *
 * As an hy_allocator (hy_pool_allocator) it serves every request of at most the block's size and
 * alignment, and resizes within a block.
 *
 * Ownership: blocks are the pool's; the child must outlive it. Thread-safety: none; one thread at a time.
 * Errors: NULL or false where the child refuses, or a pool that can't grow has no block left; nothing has
 * changed then. Freeing NULL or the block that was freed last is reported at check levels 1 and 2, a pointer
 * that is no block of the pool at 2. Cost: create and destroy O(1), but for the child's work when the arena
 * grows; reset as the arena's. Overhead: none a block (a block is at least a pointer, and a multiple of its
 * alignment and of 8). After Zig's MemoryPool.
 */
#ifndef HEAPYARD_POOL_H
#define HEAPYARD_POOL_H

#include <heapyard/arena.h>

HY_BEGIN_DECLS

/* A block that is free: the link lies in its first bytes. */
typedef struct hy_pool_link {
    struct hy_pool_link *next;
} hy_pool_link;

/* How a pool is made. */
typedef struct hy_pool_options {
    size_t preheat; /* blocks to take from the child at once */
    bool fixed;     /* never to make more than that */
} hy_pool_options;

/* A pool: fields are for the inline functions below. */
typedef struct hy_pool {
    hy_pool_link *free_list; /* newest first */
    size_t block_size;       /* what a request may have at most */
    hy_align block_align;
    size_t stride; /* from one block to the next */
    hy_arena arena;
} hy_pool;

/* Starts a pool of blocks of block_size bytes at multiples of block_align; options may be NULL.
 * HY_INVALID: block_size is 0, or the pool may not grow and has no block (check levels 1 and 2 print which
 * on standard error). HY_OUT_OF_MEMORY: the child
 * refused what should be there from the start, or a block is larger than any memory. After an error the
 * pool holds nothing and refuses; deinit is allowed. At most one call of the child. */
HY_API hy_error hy_pool_init(hy_pool *pool, hy_allocator child, size_t block_size, hy_align block_align,
    const hy_pool_options *options);

/* Ends every block and gives all memory back. The pool refuses until it is initialised again. O(chunks). */
HY_API void hy_pool_deinit(hy_pool *pool);

/* Makes sure that `count` blocks more can be made without asking the child. False: refused (always,
 * where the pool can't grow and has no such room), nothing lost. O(count + what is left of the newest chunk).
 */
HY_API HY_WARN_UNUSED bool hy_pool_preheat(hy_pool *pool, size_t count);

/* Ends every block. Modes, limit (in bytes) and result as hy_arena_reset. A pool that can't grow makes as
 * many blocks again after a mode that retains them, and refuses after FREE_ALL. Cost as hy_arena_reset. */
HY_API bool hy_pool_reset(hy_pool *pool, hy_arena_reset_mode mode, size_t limit);

/* How many blocks can live at once without asking the child. O(chunks). */
HY_API size_t hy_pool_capacity(const hy_pool *pool);

/* How many blocks live. O(chunks + free blocks). */
HY_API size_t hy_pool_live(const hy_pool *pool);

/* Whether ptr lies in the pool's memory. O(chunks). */
HY_API bool hy_pool_owns(const hy_pool *pool, const void *ptr);

/* Whether ptr is where a block begins that was made since the last reset, whether it lives or not.
 * O(chunks). */
HY_API bool hy_pool_is_block(const hy_pool *pool, const void *ptr);

/* Walks chunks and free list; whether everything holds together. O(chunks * free blocks). */
HY_API bool hy_pool_check(const hy_pool *pool);

/* The rest of hy_pool_take: a block that was not handed out since the last reset, of which `size` bytes are
 * asked for, at most block_size. NULL: refused. O(1), but for the arena's growth. */
HY_API void *hy_pool_carve(hy_pool *pool, size_t size);

/* A block of which `size` bytes are asked for, at most block_size. NULL: refused, nothing changed. O(1), but
 * for the arena's growth. */
HY_INLINE HY_WARN_UNUSED void *hy_pool_take(hy_pool *pool, size_t size) {
    hy_pool_link *block = pool->free_list;
    if (HY_UNLIKELY(block == NULL)) return hy_pool_carve(pool, size);
    hy_unpoison_defined(block, sizeof *block);
    HY_ASSERT(!block->next || hy_pool_is_block(pool, block->next), "a free block's link was overwritten");
    pool->free_list = block->next;
    hy_poison(block, sizeof *block);
    hy_unpoison(block, size);
    return block;
}

/* A block of block_size bytes at a multiple of block_align, the pool's until hy_pool_destroy or a reset;
 * NULL: refused, nothing changed. O(1), but for the arena's growth. */
HY_INLINE HY_WARN_UNUSED void *hy_pool_create(hy_pool *pool) {
    return hy_pool_take(pool, pool->block_size);
}

/* Ends a block; the next one made is this. O(1). */
HY_INLINE void hy_pool_destroy(hy_pool *pool, void *ptr) {
    HY_REQUIRE(
        ptr && ptr != (void *)pool->free_list, "hy_pool_destroy", (uintptr_t)ptr, "a block that lives");
#if HY_CHECK >= 2
    HY_REQUIRE(hy_pool_is_block(pool, ptr), "hy_pool_destroy", (uintptr_t)ptr, "a block of this pool");
#endif
    hy_pool_link *block = (hy_pool_link *)ptr;
    hy_unpoison_defined(block, sizeof *block);
    block->next = pool->free_list;
    pool->free_list = block;
    hy_poison(ptr, pool->stride);
}

/* A block for a request that fits: at most block_size and block_align; NULL: it does not fit, or was refused.
 * Requires: size > 0. Cost as hy_pool_take. */
HY_INLINE HY_WARN_UNUSED void *hy_pool_alloc(hy_pool *pool, size_t size, hy_align align) {
    if (HY_UNLIKELY(size > pool->block_size || align.log2 > pool->block_align.log2)) return NULL;
    return hy_pool_take(pool, size);
}

/* Sizes in bytes. True: new_size fits the block, and it lives with that; false: it is above block_size, and
 * nothing changed. Requires: both sizes > 0. O(1). */
HY_API HY_WARN_UNUSED bool hy_pool_resize(hy_pool *pool, void *ptr, size_t old_size, size_t new_size);

/* The vtable's slots over the functions above; self is an hy_pool. */
HY_API void *hy_pool_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_pool_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_pool_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_pool_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_pool_vtable = {
    hy_pool_slot_alloc, hy_pool_slot_resize, hy_pool_slot_remap, hy_pool_slot_free};

/* The allocator's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_pool_allocator(hy_pool *pool) {
    hy_allocator allocator = {pool, &hy_pool_vtable};
    return allocator;
}

HY_END_DECLS

/* A pool that knows its type: a union of the pool and a pointer that is never read. Macros because they
 * take types; the second argument of destroy must be a pointer to the pool's own type. */
#define hy_typed_pool(T)                                                                                     \
    union {                                                                                                  \
        hy_pool pool;                                                                                        \
        T *type;                                                                                             \
    }
#define hy_typed_pool_init(typed, child, options)                                                            \
    hy_pool_init(                                                                                            \
        &(typed)->pool, (child), sizeof(*(typed)->type), hy_align_of(HY_TYPEOF(*(typed)->type)), (options))
/* An object of the pool's type, or NULL; and its end. Macros because they take and give the type. */
#define hy_typed_pool_create(typed) ((HY_TYPEOF((typed)->type))hy_pool_create(&(typed)->pool))
#define hy_typed_pool_destroy(typed, ptr) hy_pool_destroy(&(typed)->pool, 1 ? (ptr) : (typed)->type)

#endif
