/* schedule_child.h: the child of what threads share: another thread may come in at each of its calls, and
 * what calls it is held to when it may.
 *
 *   race     a row that is for threads over any child has two of them call it at once (races.h)
 *   budget   a row with a budget has more of its child than that, in some order that its threads may see
 *   late     a row tells of a free when the block has ended already
 *
 * Below it is the adversarial child (allocators/conformance/child.h).
 */
#ifndef HEAPYARD_FUZZ_SCHEDULE_CHILD_H
#define HEAPYARD_FUZZ_SCHEDULE_CHILD_H

#include "allocators/conformance/child.h"
#include "allocators/registry.h"

/* Begins a run for a row. */
hy_allocator hy_schedule_child_begin(const hy_row *row, const hy_fault_policy *faults);

/* The instance over it was made. */
void hy_schedule_child_watch(const hy_instance *instance);

/* All threads met: what they did is known to all from now on. */
void hy_schedule_child_meet(void);

const hy_child_counts *hy_schedule_child_counts(void);

#endif
