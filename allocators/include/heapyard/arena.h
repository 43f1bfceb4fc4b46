/* heapyard/arena.h: allocate many, free all at once.
 *
 * Blocks follow one another in chunks that come from a child, each half as large again as all chunks
 * before it. The newest block can be freed and resized; every other ends when the arena is reset,
 * restored to a mark, or destroyed. A reset that retains keeps one chunk as large as all were, so that
 * a loop which resets once a round soon takes nothing from its child.
 *
 *   hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
 *   char *text = hy_alloc_n(hy_arena_allocator(&arena), char, 100);
 *   hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
 *   hy_arena_deinit(&arena);
 *
 * Ownership: chunks belong to the arena, which owns nothing else; the child must outlive it. An arena
 * may be another's child. Thread-safety: none; one thread at a time.
 * Errors: NULL or false where the child refuses; nothing has changed then. With options.fatal, exhaustion
 * prints `fatal: arena exhausted` and aborts. A pointer that is no block of this arena is reported at check
 * level 2; so is a state that no arena gave. Cost: alloc, free, resize O(1), but for the child's work on each
 * growth; reset O(1) in the steady state, else O(chunks), which is O(log bytes). Overhead: two words a chunk,
 * and blocks end at multiples of 8. After Zig's ArenaAllocator.
 */
#ifndef HEAPYARD_ARENA_H
#define HEAPYARD_ARENA_H

#include <heapyard/bump.h>
#include <heapyard/error.h>

HY_BEGIN_DECLS

/* The head of a chunk; its blocks follow. */
typedef struct hy_arena_chunk {
    struct hy_arena_chunk *older;
    size_t size; /* in bytes, this head included */
} hy_arena_chunk;

/* All that an arena must remember, in two words: a struct that has a child at hand anyway can store
 * this alone and promote it when it allocates. */
typedef struct hy_arena_state {
    hy_arena_chunk *chunk; /* the newest; NULL: none */
    uintptr_t next;        /* the first byte in it that is not handed out, a multiple of 8; 0: none */
} hy_arena_state;

/* A place to go back to: valid until a restore to an earlier one, a reset, or deinit. Blocks made
 * before it may be freed and resized; it stays valid. */
typedef hy_arena_state hy_arena_mark;

/* How an arena is made. */
typedef struct hy_arena_options {
    size_t capacity; /* bytes for blocks to take from the child at once, in one chunk; rounded up to 8 */
    bool fixed;      /* never to take more than that */
    bool fatal;      /* also: frees are no-ops (`used` stays), and exhaustion ends the program */
} hy_arena_options;

/* An arena: fields are for the inline functions below. */
typedef struct hy_arena {
    hy_arena_state state;
    uintptr_t end; /* behind the newest chunk's last byte */
    hy_allocator child;
    bool fixed;
    bool fatal;
    size_t high_water_bytes; /* of used, as seen at resets, restores and stats */
    size_t calls_count;      /* of the child */
} hy_arena;

/* What a reset keeps. */
typedef enum hy_arena_reset_mode {
    HY_ARENA_FREE_ALL,         /* every chunk goes back to the child */
    HY_ARENA_RETAIN_CAPACITY,  /* all capacity is kept, in one chunk */
    HY_ARENA_RETAIN_WITH_LIMIT /* as much of it as the limit allows, in one chunk */
} hy_arena_reset_mode;

/* An arena that has taken nothing yet. A macro because it must serve as an initialiser. */
#define HY_ARENA_INIT(child_allocator)                                                                       \
    { {NULL, 0}, 0, child_allocator, false, false, 0, 0 }

/* Starts an arena with options, or without where options is NULL (which can't fail).
 * HY_OUT_OF_MEMORY: the child refused options->capacity. HY_INVALID: fixed or fatal, but no capacity
 * (check levels 1 and 2 say so on standard error).
 * After an error the arena holds nothing and deinit is allowed. At most one call of the child. */
HY_API hy_error hy_arena_init(hy_arena *arena, hy_allocator child, const hy_arena_options *options);

/* Ends every block and gives every chunk back; the struct can be used again, and grows then. Can't fail.
 * O(chunks). */
HY_API void hy_arena_deinit(hy_arena *arena);

/* Ends every block. limit: bytes for blocks, read in the mode that has one. True: what the mode says is
 * kept. False: it could not be (the child refused one chunk of that size); the arena is usable, and keeps
 * what it can, never more than the limit. An arena with options.fixed has no capacity after FREE_ALL, and
 * refuses. O(1) where one chunk of the size is there already, else O(chunks). */
HY_API bool hy_arena_reset(hy_arena *arena, hy_arena_reset_mode mode, size_t limit);

/* Makes sure that one block of `size` bytes at a multiple of align, or as many smaller ones as fit in it, can
 * be made without asking the child. Returns true where there is room, or was made by growing the newest chunk
 * or taking another; false where the child refuses or the arena is fixed: nothing changed, also with
 * options.fatal. Requires: size > 0. O(1) where there is room, else O(chunks) and up to four calls of the
 * child. */
HY_API HY_WARN_UNUSED bool hy_arena_reserve(hy_arena *arena, size_t size, hy_align align);

/* Takes the state out of the arena, which holds nothing afterwards. Its blocks live on; they are the state's
 * owner's to end, by hy_arena_promote and a deinit. O(1). */
HY_API hy_arena_state hy_arena_demote(hy_arena *arena);

/* An arena over `child`, which must be the one that the state's chunks came from; without options.
 * The state must not be used again. At check level 2 a state that no arena gave is misuse. O(1). */
HY_API hy_arena hy_arena_promote(hy_arena_state state, hy_allocator child);

/* Remembers a place. O(1). */
HY_INLINE hy_arena_mark hy_arena_save(const hy_arena *arena) {
    return arena->state;
}

/* Ends every block made since the mark was saved; chunks made since go back to the child. Never goes forward:
 * where blocks older than the mark were freed or shrunk since, and nothing was made in their place, nothing
 * changes. Their bytes below the mark's place can count as used again until the arena goes back behind them,
 * where others were made there or a newer chunk was. A block older than the mark that grew since is cut to
 * its size at that time. Requires: a valid mark of this arena; at check levels 1 and 2 one whose chunk is
 * gone is misuse. O(chunks). */
HY_API void hy_arena_restore(hy_arena *arena, hy_arena_mark mark);

/* Bytes for blocks in all chunks, without the arena's own heads. O(chunks). */
HY_API size_t hy_arena_capacity(const hy_arena *arena);

/* Bytes of that up to the newest block's end; older chunks count whole. O(chunks). */
HY_API size_t hy_arena_used(const hy_arena *arena);

/* The first byte for blocks of the newest chunk, of the only one with options.fixed; NULL: no chunk. */
HY_INLINE void *hy_arena_base(const hy_arena *arena) {
    return arena->state.chunk ? (void *)(arena->state.chunk + 1) : NULL;
}

/* Whether ptr lies in a chunk, handed out or not. O(chunks). */
HY_API bool hy_arena_owns(const hy_arena *arena, const void *ptr);

/* Walks all chunks; whether everything holds together. O(chunks). */
HY_API bool hy_arena_check(const hy_arena *arena);

/* The rest of hy_arena_alloc: makes room for the block and allocates it. NULL: the child refuses, or the
 * arena is fixed. O(chunks) and up to four calls of the child. */
HY_API void *hy_arena_alloc_slow(hy_arena *arena, size_t size, hy_align align);

/* A block of `size` bytes at a multiple of align from the newest chunk; NULL: it has no room, nothing
 * changed. Requires: size > 0. O(1). */
HY_INLINE HY_WARN_UNUSED void *hy_arena_alloc_here(hy_arena *arena, size_t size, hy_align align) {
    HY_ASSERT(size != 0, "a block of no bytes is asked for");
    HY_ASSERT(arena->state.next % 8 == 0, "the arena's next byte is no multiple of 8");
    uintptr_t start = arena->state.next, last;
    /* `next` is a multiple of 8 always: with a small alignment known at compile time nothing is left. */
    bool aligned = __builtin_constant_p(align.log2) && align.log2 <= 3;
    if (!aligned && HY_UNLIKELY(!hy_bump_start(start, align, &start))) return NULL;
    /* The block's last byte, rounded up to the last before a multiple of 8: so the rounding is no step
     * between one block's address and the next one's. */
    if (HY_UNLIKELY(HY_ADD_OVERFLOWS(start, (size - 1) | 7, &last))) return NULL;
    if (HY_UNLIKELY(last >= arena->end)) return NULL;
    arena->state.next = last + 1;
    HY_ASSERT(arena->state.next <= arena->end, "a block ends behind its chunk");
    HY_ASSUME(start != 0);
    hy_unpoison((void *)start, size);
    return (void *)start;
}

/* A block of `size` bytes at a multiple of align, the arena's until it ends; NULL where the child refuses,
 * nothing changed. Requires: size > 0. O(1), but for growth. */
HY_INLINE HY_WARN_UNUSED void *hy_arena_alloc(hy_arena *arena, size_t size, hy_align align) {
    void *block = hy_arena_alloc_here(arena, size, align);
    return HY_LIKELY(block != NULL) ? block : hy_arena_alloc_slow(arena, size, align);
}

/* The same, aligned to 8: for those who use an arena by itself. */
HY_INLINE HY_WARN_UNUSED void *hy_arena_take(hy_arena *arena, size_t size) {
    return hy_arena_alloc(arena, size, HY_ALIGN_8);
}

/* Whether a block that ends here is the newest. A block of another chunk can't be taken for it: its end
 * lies in that chunk, `next` in this one behind the head. */
HY_INLINE bool hy_arena_is_newest(const hy_arena *arena, const void *ptr, size_t size) {
    return (((uintptr_t)ptr + size + 7) & ~(uintptr_t)7) == arena->state.next;
}

/* Ends a block, which has `size` bytes: the newest one's bytes can be used again. O(1). */
HY_INLINE void hy_arena_free(hy_arena *arena, void *ptr, size_t size) {
#if HY_CHECK >= 2
    HY_REQUIRE(hy_arena_owns(arena, ptr), "hy_arena_free", (uintptr_t)ptr, "a block of this arena");
#endif
    hy_poison(ptr, size);
    if (HY_LIKELY(hy_arena_is_newest(arena, ptr, size)) && HY_LIKELY(!arena->fatal)) {
        arena->state.next = (uintptr_t)ptr;
        HY_ASSERT(arena->state.next % 8 == 0, "a block that was freed begins at no multiple of 8");
    }
}

/* Changes a block's size in place, sizes in bytes: shrinks any block, and grows the newest, its chunk with it
 * where the child can. Returns true: the block lives with new_size, its contents up to the smaller size kept;
 * false: it is not the newest and would grow, the child refuses, or the arena is fixed, and nothing changed.
 * Requires: both sizes > 0. O(1), but O(chunks) and up to two calls of the child where the chunk grows. */
HY_API HY_WARN_UNUSED bool hy_arena_resize(hy_arena *arena, void *ptr, size_t old_size, size_t new_size);

/* The vtable's slots over the functions above; self is an hy_arena. */
HY_API void *hy_arena_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_arena_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_arena_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_arena_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_arena_vtable = {
    hy_arena_slot_alloc, hy_arena_slot_resize, hy_arena_slot_remap, hy_arena_slot_free};

/* The allocator's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_arena_allocator(hy_arena *arena) {
    hy_allocator allocator = {arena, &hy_arena_vtable};
    return allocator;
}

HY_END_DECLS

#endif
