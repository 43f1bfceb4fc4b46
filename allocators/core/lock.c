/* lock.c: what a caller does that finds the lock held. */
#include "allocators/core/lock.h"

/* A held section is tens to hundreds of cycles long: longer waits mean that its holder does not run. Builds
 * for schedules, in which it never does meanwhile, set less. */
#ifndef HY_LOCK_SPINS
#define HY_LOCK_SPINS 100
#endif

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void hy_lock_wait(hy_lock *lock) {
    for (int spin = 0; spin < HY_LOCK_SPINS; spin++) {
        uint32_t expected = 0;
        if (__atomic_load_n(&lock->state, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(
                &lock->state, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return;
        }
        relax();
    }
    while (__atomic_exchange_n(&lock->state, 2, __ATOMIC_ACQUIRE) != 0)
        hy_os_wait(&lock->state, 2);
}

HY_NO_SANITIZE_THREAD bool hy_lock_is_held(const hy_lock *lock) {
    return *(const volatile uint32_t *)&lock->state != 0;
}
