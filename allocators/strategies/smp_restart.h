/* smp_restart.h: for runs in one process that must not depend on each other: fuzzers' (hy_row.restart). */
#ifndef HEAPYARD_STRATEGIES_SMP_RESTART_H
#define HEAPYARD_STRATEGIES_SMP_RESTART_H

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
/* The heap of the process begins anew: what lived there ends. From now on a heap's time is counted, not taken
 * (smp_clock.h). Only the calling thread may have used it. */
void hy_smp_restart(void);
#endif

#endif
