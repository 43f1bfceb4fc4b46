/* smp_clock.h: the time by which a heap gives memory back: the system's; in builds with HY_SMP_SMALL, once
 * somebody wants runs that don't depend on it (hy_smp_restart), one that goes on by a millisecond each time
 * it is looked at.
 */
#ifndef HEAPYARD_STRATEGIES_SMP_CLOCK_H
#define HEAPYARD_STRATEGIES_SMP_CLOCK_H

#include "allocators/strategies/smp_core.h"

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
extern uint64_t hy_smp_counted_ms; /* 0: the system's time counts */

/* The next one; 0 likewise. */
uint64_t hy_smp_count_ms(void);
#endif

HY_INLINE uint64_t hy_smp_now_ms(void) {
#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
    uint64_t counted = hy_smp_count_ms();
    if (counted) return counted;
#endif
    return hy_os_coarse_ms();
}

#endif
