/* debug_walk.h: going over all chunks: to look at them, and to give them back. */
#ifndef HEAPYARD_STRATEGIES_DEBUG_WALK_H
#define HEAPYARD_STRATEGIES_DEBUG_WALK_H

#include "allocators/strategies/debug_report.h"

/* Gives the oldest chunks without a live block back until at most `keep` bytes of them are left. What was
 * written into them is reported first. Inside; it may leave and enter again. */
void hy_debug_trim(const hy_debug_call *call, size_t keep);

#endif
