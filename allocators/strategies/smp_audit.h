/* smp_audit.h: what must hold of a heap while only one thread is left that uses it. */
#ifndef HEAPYARD_STRATEGIES_SMP_AUDIT_H
#define HEAPYARD_STRATEGIES_SMP_AUDIT_H

#include <heapyard/smp.h>

/* Whether nothing is lost or kept that should not be, beyond what hy_smp_check sees. Requires: no other
 * thread that has used the heap lives, and memory was never short. O(pages + metadata). */
bool hy_smp_audit(const hy_smp_heap *heap);

/* The same right after hy_smp_trim: whether all has gone that it says goes. */
bool hy_smp_audit_trimmed(hy_smp_heap *heap);

#endif
