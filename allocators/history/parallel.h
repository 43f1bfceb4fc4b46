/* parallel.h: replays a history with one thread per recorded thread.
 *
 * Each thread runs its own operations in recorded order, as fast as it can; only an operation on a block
 * that another thread used last waits, and only for that block. These hand-overs are found when the plan
 * is made: each has a cell of its own, which the giving thread writes once and the taking thread waits
 * for, so that everything else runs without atomics.
 *
 *   thread 0   alloc a   alloc b   give b ──▶ cell 0          free a
 *   thread 1   alloc c   free c              take b ◀── cell 0   free b
 *
 * No run can deadlock: an operation waits only for one that precedes it in the recorded order, so the
 * first one not yet done never waits.
 */
#ifndef HEAPYARD_PARALLEL_H
#define HEAPYARD_PARALLEL_H

#include "allocators/history/replay.h"

typedef struct hy_parallel_plan hy_parallel_plan;

/* Compiles a history into one list of steps per thread. Errors as in hy_plan_make. */
hy_error hy_parallel_plan_make(
    hy_parallel_plan **plan, const hy_history *history, hy_allocator gpa, size_t *bad);
void hy_parallel_plan_destroy(hy_parallel_plan *plan);

size_t hy_parallel_plan_threads(const hy_parallel_plan *plan);
size_t hy_parallel_plan_operations(const hy_parallel_plan *plan);
/* How often a block passes from one thread to another. */
size_t hy_parallel_plan_handovers(const hy_parallel_plan *plan);

typedef struct hy_parallel hy_parallel;

/* Starts the plan's threads, which then wait. The subject must be thread-safe. NULL: out of memory, or no
 * thread could be started; nothing is kept. */
hy_parallel *hy_parallel_begin(const hy_parallel_plan *plan, hy_allocator subject, hy_allocator gpa);

/* One whole run: all threads start together; elapsed_ns ends when the last one has finished. Live blocks
 * are freed afterwards (not timed), each by the thread that holds it. peak_bytes is not counted (0): it
 * depends on the schedule. May be called again. */
void hy_parallel_run(hy_parallel *parallel, hy_replay_result *result);

/* Ends the threads. */
void hy_parallel_end(hy_parallel *parallel);

#endif
