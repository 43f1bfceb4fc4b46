/* smp_decay.h: when free memory goes back to the system. */
#ifndef HEAPYARD_STRATEGIES_SMP_DECAY_H
#define HEAPYARD_STRATEGIES_SMP_DECAY_H

#include "allocators/strategies/smp_core.h"

/* After memory was freed: gives surplus back where there is much, what the calling thread's cache holds
 * (NULL: it has none) included, and time has passed since it last went wrong. */
void hy_smp_shed(hy_smp_core *core, hy_smp_cache *cache);
/* Now and then, from slow paths: gives back what was not needed since the last time. */
void hy_smp_tick(hy_smp_core *core);

/* Whether there were no more ticks than time for them, and the hold is within its bounds. */
bool hy_smp_decay_check(const hy_smp_core *core);
/* Right after a large block was freed, by the only thread: whether no more free pages are kept than may be.
 */
bool hy_smp_decay_is_bounded(const hy_smp_core *core);

#endif
