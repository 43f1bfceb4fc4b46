/* debug_lock.c: what a thread does that finds another inside. */
#include "allocators/strategies/debug_lock.h"
#include <sched.h>

#define SPINS_BEFORE_YIELD 64

static void pause_briefly(unsigned spins) {
    if (spins >= SPINS_BEFORE_YIELD) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static bool try_to_enter(hy_debug *debug, uint32_t me) {
    uint32_t nobody = 0;
    return __atomic_load_n(&debug->owner, __ATOMIC_RELAXED) == 0 &&
           __atomic_compare_exchange_n(&debug->owner, &nobody, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool hy_debug_wait_to_enter(hy_debug *debug, uint32_t me, const void *ptr) {
    HY_REQUIRE(__atomic_load_n(&debug->owner, __ATOMIC_RELAXED) != me, "hy_debug", (uintptr_t)ptr,
        "used from outside; its own child called it back");
    bool concurrent = !debug->config.thread_safe;
    concurrent |= ptr && __atomic_load_n(&debug->operating_on, __ATOMIC_RELAXED) == ptr;
    __atomic_fetch_add(&debug->waiters, 1, __ATOMIC_RELEASE);
    for (unsigned spins = 0; !try_to_enter(debug, me); spins++) {
        pause_briefly(spins);
        concurrent |= ptr && __atomic_load_n(&debug->operating_on, __ATOMIC_RELAXED) == ptr;
    }
    uint32_t waiters = __atomic_fetch_sub(&debug->waiters, 1, __ATOMIC_RELAXED);
    (void)waiters;
    HY_ASSERT(waiters != 0, "a thread stops waiting that was not counted");
    return concurrent;
}

void hy_debug_index_lock(hy_debug *debug) {
    for (unsigned spins = 0; __atomic_exchange_n(&debug->index_lock, 1, __ATOMIC_ACQUIRE) != 0; spins++) {
        pause_briefly(spins);
    }
}

void hy_debug_index_unlock(hy_debug *debug) {
    HY_ASSERT(__atomic_load_n(&debug->index_lock, __ATOMIC_RELAXED) != 0, "the index is unlocked twice");
    __atomic_store_n(&debug->index_lock, 0, __ATOMIC_RELEASE);
}
