/* debug_lock.h: one thread at a time inside a debug allocator.
 *
 * A word holds the number of the thread inside, + 1. While the process has one thread, taking it is a plain
 * store (the C library says so, and a thread that starts later sees the store); otherwise a compare-and-swap.
 * Giving it back is a plain store always: a waiting thread looks again by itself, first in a loop, then after
 * yielding its processor. Waiters also see which block is worked on: that it is their own is a finding.
 *
 * An instance that is not thread-safe uses the same word to notice that it is used by two threads after all;
 * the thread that notices waits too, so that what is reported does no harm.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_LOCK_H
#define HEAPYARD_STRATEGIES_DEBUG_LOCK_H

#include <heapyard/debug.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define HY_DEBUG_ONE_THREAD (__libc_single_threaded != 0)
#endif
#endif
#ifndef HY_DEBUG_ONE_THREAD
#define HY_DEBUG_ONE_THREAD false
#endif

/* Waits until `me` is inside; true where somebody worked on the block `ptr` meanwhile. Without
 * config.thread_safe it is always true. */
HY_COLD bool hy_debug_wait_to_enter(hy_debug *debug, uint32_t me, const void *ptr);

/* Goes in; thread: the caller's number; ptr: the block that is worked on, or NULL. True: another thread is,
 * or was, at work where it must not be. */
HY_INLINE bool hy_debug_enter(hy_debug *debug, uint32_t thread, const void *ptr) {
    uint32_t me = thread + 1, nobody = 0;
    bool concurrent = false;
    if (!debug->config.thread_safe || HY_DEBUG_ONE_THREAD) {
        if (HY_LIKELY(__atomic_load_n(&debug->owner, __ATOMIC_ACQUIRE) == 0))
            __atomic_store_n(&debug->owner, me, __ATOMIC_RELAXED);
        else
            concurrent = hy_debug_wait_to_enter(debug, me, ptr);
    } else if (HY_UNLIKELY(!__atomic_compare_exchange_n(
                   &debug->owner, &nobody, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
        concurrent = hy_debug_wait_to_enter(debug, me, ptr);
    }
    __atomic_store_n(&debug->operating_on, ptr, __ATOMIC_RELAXED);
    return concurrent;
}

HY_INLINE void hy_debug_leave(hy_debug *debug) {
    HY_ASSERT(__atomic_load_n(&debug->owner, __ATOMIC_RELAXED) != 0, "a thread leaves that did not enter");
    __atomic_store_n(&debug->operating_on, NULL, __ATOMIC_RELAXED);
    __atomic_store_n(&debug->owner, 0, __ATOMIC_RELEASE);
}

/* The small lock around changes of the index, which other instances may look into. Order: this one last. */
void hy_debug_index_lock(hy_debug *debug);
void hy_debug_index_unlock(hy_debug *debug);

/* Counters are read by any thread, and written by the one inside. */
HY_INLINE void hy_debug_add(size_t *counter, size_t amount) {
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

HY_INLINE void hy_debug_add_64(uint64_t *counter, uint64_t amount) {
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

#endif
