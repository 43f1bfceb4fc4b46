/* heapyard/arena_shared.h: allocate many from many threads, free all at once.
 *
 * Each thread has an arena of its own in it, so that no thread waits for another: a block costs what it
 * costs in a plain arena, and a load from thread-local storage. A lock is taken only where a chunk comes
 * from the child, whose use is thereby serialised: any child will do that nobody else uses at the same time.
 *
 *   hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
 *   hy_allocator arena = hy_arena_shared_allocator(&shared);
 *   ... threads allocate from `arena`; when they are done: ...
 *   hy_arena_shared_reset(&shared, HY_ARENA_RETAIN_CAPACITY, 0);
 *   hy_arena_shared_deinit(&shared);
 *
 * What a thread makes last, it can free and resize; every other block ends at the reset, whichever thread
 * frees it. A block may be used by any thread, as long as these are ordered by other means.
 *
 * Threads: HY_THREAD_SLOTS - 1 have an arena (a lane) of their own at once; where the process has more that
 * allocate from shared arenas, the others use one lane together, behind the lock. A thread's lane goes on,
 * chunk and all, with the next thread that comes when it has ended. Ownership: chunks belong to the arena;
 * the child must outlive it. Thread-safety: the allocator's four functions, capacity and owns. All else only
 * while no thread is inside one of them, and ordered with what they did: check level 2 reports a reset that
 * finds a thread inside. After fork, a process that had several threads must not use it. Errors: NULL or
 * false where the child refuses; nothing has changed then. A pointer that is no block of this arena is
 * reported at check level 2. Cost: alloc, free, resize O(1), but for the child's work on each growth; reset
 * O(threads seen) in the steady state. Overhead: 4.2 KiB the struct, two words a chunk, blocks end at
 * multiples of 8. Each lane grows by half of what it holds, and begins with 512 bytes: what T threads hold is
 * at most three times what they were given (five, where blocks are as large as chunks), and 512 bytes for
 * each, as if each had an arena of its own. After an idea in protobuf's arena and RocksDB's concurrent one;
 * growth and modes are hy_arena's.
 */
#ifndef HEAPYARD_ARENA_SHARED_H
#define HEAPYARD_ARENA_SHARED_H

#include <heapyard/arena.h>
#include <heapyard/thread_slot.h>
#include <pthread.h>

HY_BEGIN_DECLS

/* One thread's arena. Only the slot's owner moves its pointer; only the lock's holder changes its chunks. */
typedef struct hy_arena_lane {
    hy_arena arena;
} HY_CACHE_ALIGNED hy_arena_lane;

/* An arena for many threads: fields are for the inline functions below. */
typedef struct hy_arena_shared {
    hy_allocator child;
    pthread_mutex_t lock;
    uint64_t lanes_begun;    /* bit i: lane i has served its thread since init; bit 0: `common` has */
    uint32_t inside;         /* at check level 2: calls under way, and the top bit while all must stay out */
    size_t high_water_bytes; /* of used, as seen at resets and stats */
    hy_arena common;         /* for threads that have no slot, behind the lock */
    hy_arena_lane lanes[HY_THREAD_SLOTS]; /* by slot; lane 0 is always empty */
} hy_arena_shared;

/* A shared arena that has taken nothing yet. A macro because it must serve as an initialiser. */
#define HY_ARENA_SHARED_INIT(child_allocator)                                                                \
    {                                                                                                        \
        child_allocator, PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, HY_ARENA_INIT(child_allocator), {               \
            { HY_ARENA_INIT(child_allocator) }                                                               \
        }                                                                                                    \
    }

/* The same for a struct that is there already. Before any other thread sees it. O(HY_THREAD_SLOTS). */
HY_API void hy_arena_shared_init(hy_arena_shared *shared, hy_allocator child);

/* Ends every block and gives every chunk back; the struct can be used again. Not while a thread is inside a
 * call. O(chunks). */
HY_API void hy_arena_shared_deinit(hy_arena_shared *shared);

/* Ends every block of every thread. Modes as hy_arena_reset, for each thread's lane: RETAIN_CAPACITY keeps
 * one chunk each, RETAIN_WITH_LIMIT shares the limit out (what one lane does not need goes to the others).
 * True: what the mode says is kept. False: the child refused a part of it; all is usable. */
HY_API bool hy_arena_shared_reset(hy_arena_shared *shared, hy_arena_reset_mode mode, size_t limit);

/* Bytes for blocks in all chunks, without the arena's own heads. Thread-safe. O(chunks). */
HY_API size_t hy_arena_shared_capacity(hy_arena_shared *shared);

/* Whether ptr lies in a chunk, handed out or not. Thread-safe. O(chunks). */
HY_API bool hy_arena_shared_owns(hy_arena_shared *shared, const void *ptr);

/* Bytes of the capacity up to each thread's newest block's end; older chunks count whole. O(chunks). */
HY_API size_t hy_arena_shared_used(const hy_arena_shared *shared);

/* Walks every thread's chunks; whether everything holds together. O(chunks). */
HY_API bool hy_arena_shared_check(const hy_arena_shared *shared);

/* What the inline functions do seldom: for a thread that has no slot, or where a chunk is full. */
HY_API void *hy_arena_shared_alloc_slow(hy_arena_shared *shared, size_t size, hy_align align);
HY_API void hy_arena_shared_free_slow(hy_arena_shared *shared, void *ptr, size_t size);

/* At check level 2: a call begins, a call ends; misuse, named by `function`, where the arena is being reset.
 */
HY_API void hy_arena_shared_enter(hy_arena_shared *shared, const char *function);
HY_API void hy_arena_shared_leave(hy_arena_shared *shared);

/* A block of `size` bytes at a multiple of align, or NULL where the child refuses: nothing changed then.
 * Requires: size > 0. Thread-safe. O(1), but for growth. */
HY_INLINE HY_WARN_UNUSED void *hy_arena_shared_alloc(hy_arena_shared *shared, size_t size, hy_align align) {
#if HY_CHECK >= 2
    hy_arena_shared_enter(shared, "hy_arena_shared_alloc");
#endif
    void *block = hy_arena_alloc_here(&shared->lanes[hy_thread_slot].arena, size, align);
    if (HY_UNLIKELY(block == NULL)) block = hy_arena_shared_alloc_slow(shared, size, align);
#if HY_CHECK >= 2
    hy_arena_shared_leave(shared);
#endif
    return block;
}

/* Ends a block: the bytes of the calling thread's newest can be used again. Thread-safe. O(1). */
HY_INLINE void hy_arena_shared_free(hy_arena_shared *shared, void *ptr, size_t size) {
#if HY_CHECK >= 2
    hy_arena_shared_enter(shared, "hy_arena_shared_free");
    HY_REQUIRE(
        hy_arena_shared_owns(shared, ptr), "hy_arena_shared_free", (uintptr_t)ptr, "a block of this arena");
#endif
    hy_arena *lane = &shared->lanes[hy_thread_slot].arena;
    hy_poison(ptr, size);
    if (HY_LIKELY(hy_arena_is_newest(lane, ptr, size))) {
        lane->state.next = (uintptr_t)ptr;
    } else if (HY_UNLIKELY(hy_thread_slot == 0)) {
        hy_arena_shared_free_slow(shared, ptr, size);
    }
#if HY_CHECK >= 2
    hy_arena_shared_leave(shared);
#endif
}

/* Shrinks any block, and grows the calling thread's newest, its chunk with it where the child can.
 * True: the block lives with new_size; false: nothing changed. Requires: both sizes > 0. Thread-safe. O(1),
 * but for the chunk's growth. */
HY_API HY_WARN_UNUSED bool hy_arena_shared_resize(
    hy_arena_shared *shared, void *ptr, size_t old_size, size_t new_size);

/* The vtable's slots over the functions above; self is an hy_arena_shared. */
HY_API void *hy_arena_shared_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_arena_shared_slot_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_arena_shared_slot_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_arena_shared_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_arena_shared_vtable = {hy_arena_shared_slot_alloc, hy_arena_shared_slot_resize,
    hy_arena_shared_slot_remap, hy_arena_shared_slot_free};

/* The allocator's value, for any thread; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_arena_shared_allocator(hy_arena_shared *shared) {
    hy_allocator allocator = {shared, &hy_arena_shared_vtable};
    return allocator;
}

HY_END_DECLS

#endif
