/* lock.h: a lock of one word for short sections: an atomic exchange to take it, another to give it back.
 *
 *   0  free       1  held       2  held, and perhaps somebody sleeps
 *
 * A caller that finds it held spins for about a microsecond, then sleeps in the system (os.h). No fairness.
 * Statically initialised by zero. After Drepper, "Futexes Are Tricky" (2005), mutex 2.
 */
#ifndef HEAPYARD_CORE_LOCK_H
#define HEAPYARD_CORE_LOCK_H

#include "allocators/core/os.h"

typedef struct hy_lock {
    uint32_t state;
} hy_lock;

/* The slow path: the lock was found held. */
HY_COLD void hy_lock_wait(hy_lock *lock);

HY_INLINE void hy_lock_take(hy_lock *lock) {
    uint32_t expected = 0;
    bool taken =
        __atomic_compare_exchange_n(&lock->state, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    if (HY_UNLIKELY(!taken)) hy_lock_wait(lock);
}

HY_INLINE void hy_lock_release(hy_lock *lock) {
    if (HY_UNLIKELY(__atomic_exchange_n(&lock->state, 0, __ATOMIC_RELEASE) == 2)) hy_os_wake(&lock->state);
}

/* Whether anybody holds it: for assertions of functions that need it held. No point of a schedule. */
bool hy_lock_is_held(const hy_lock *lock);

#endif
