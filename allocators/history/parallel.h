/* parallel.h: runs a history with the threads that it was recorded with.
 *
 * Each thread does its own operations in its own order, as fast as it can; only a free (or a change
 * of size) of a block that another thread handed over waits, and only for that block. The
 * hand-overs are found when the plan is made: each gets a cell of its own, written once by the giver
 * and awaited by the taker, so that everything else runs without atomics.
 *
 *   thread 0   alloc a   alloc b   give b ──▶ cell 0          free a
 *   thread 1   alloc c   free c              take b ◀── cell 0   free b
 *
 * No run can hang: an operation waits only for one that stands before it in the recorded order, so
 * the first one not yet done is always free to go.
 */
#ifndef HEAPYARD_PARALLEL_H
#define HEAPYARD_PARALLEL_H

#include "allocators/history/replay.h"

typedef struct hy_parallel_plan hy_parallel_plan;

/* Compiles a history into one list of steps for each thread that has any. Errors as hy_plan_make. */
hy_error hy_parallel_plan_make(
    hy_parallel_plan **plan, const hy_history *history, hy_allocator gpa, size_t *bad);
void hy_parallel_plan_destroy(hy_parallel_plan *plan);

size_t hy_parallel_plan_threads(const hy_parallel_plan *plan);
size_t hy_parallel_plan_operations(const hy_parallel_plan *plan);
/* Blocks that change hands; of these, the frees by a thread other than the one that allocated. */
size_t hy_parallel_plan_handovers(const hy_parallel_plan *plan);

typedef struct hy_parallel hy_parallel;

/* Starts the plan's threads, which then wait. The subject must be thread-safe. NULL: no memory, or no
 * more threads; nothing is kept. */
hy_parallel *hy_parallel_begin(const hy_parallel_plan *plan, hy_allocator subject, hy_allocator gpa);

/* One whole run: all threads start together; elapsed_ns is from there to the end of the last. Live
 * blocks are freed afterwards (not timed), each by the thread that holds it. peak_bytes is not
 * counted (0): it depends on the schedule. Repeatable. */
void hy_parallel_run(hy_parallel *parallel, hy_replay_result *result);

/* Ends the threads. */
void hy_parallel_end(hy_parallel *parallel);

#endif
