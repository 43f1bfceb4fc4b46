/* debug_instances.h: the debug allocators of the process.
 *
 * So that a block that is freed to the wrong one can be reported with the name of the right one, and counters
 * be summed. Order of locks: this list's, then an instance's, then its index's.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_INSTANCES_H
#define HEAPYARD_STRATEGIES_DEBUG_INSTANCES_H

#include <heapyard/debug.h>

void hy_debug_instances_add(hy_debug *debug);

/* Takes an instance out; what it counted stays in the sums. */
void hy_debug_instances_remove(hy_debug *debug);

/* Looks for report->address in all instances but its own. True: found, and the report says whose it is, and
 * what block. No instance's lock is held. O(instances). */
bool hy_debug_instances_describe(hy_debug_report *report);

#endif
