/* replay.h: runs a history on an allocator, one operation at a time, in recorded order.
 *
 * A plan is a history compiled for speed: 16 bytes an operation, streamed, with all that the
 * operation needs beside a table of pointers (the sizes before and after, the alignment), so that
 * replaying looks nothing up. A plan is immutable: any number of replays, in any threads, share it.
 *
 *   history ──make──▶ plan ──┬─▶ replay over arena      segments: hy_replay_run(&replay, first, count)
 *                            └─▶ replay over jemalloc   or checked and whole: hy_replay_exact(…)
 *
 * What a replay does with a block: it writes a tag into the first word and one byte into every
 * further page (a program touches what it allocates), and reads the tag back when the block changes
 * its size or ends. The sum of the tags read is the checksum: it depends on the history alone, so
 * that every allocator, in every mode, must give the same one.
 *
 * What was refused when it was recorded is left out. A resize or remap that the recorded allocator
 * granted is done as hy_realloc where the replayed one can't: sizes are the history's always. A reset
 * becomes a free of every live block.
 *
 * Own cost: `scripts/trace replay FILE --own-cost` tells it, with the recorded program's zeroing and its
 * touching of pages.
 * The parallel mode stands in parallel.h.
 */
#ifndef HEAPYARD_REPLAY_H
#define HEAPYARD_REPLAY_H

#include "allocators/history/history.h"
#include <heapyard/error.h>

/* One compiled operation. `meta`: bits 0-31 slot, 32-35 kind, 36-39 flags, 40-47 log2 of the
 * alignment, 48-55 the size's bits 32-39, 56-63 the old size's. `sizes`: bits 0-31 of the size, then
 * of the old size. A block is therefore smaller than 1 TiB. */
typedef struct hy_step {
    uint64_t meta;
    uint64_t sizes;
} hy_step;

_Static_assert(sizeof(hy_step) == 16, "a step is 16 bytes: replay streams millions of them");

typedef struct hy_plan {
    hy_step *steps;
    size_t count;      /* steps: what first and count of hy_replay_run are about */
    size_t operations; /* of these, those that the history itself asks for */
    uint32_t slot_count;
    uint32_t thread_count; /* of the history; a replay of this file runs them all in one thread */
    uint64_t peak_bytes;   /* greatest sum of the sizes of live blocks, by the history */
    uint64_t peak_blocks;
    uint64_t greatest_size;  /* of any block */
    hy_align greatest_align; /* of any block: rows that can't are not applicable */
    hy_allocator gpa;        /* what steps come from */
} hy_plan;

/* Compiles a history. `gpa` (must free) is the yard's own memory, never the allocator under test.
 * Returns HY_OK; HY_INVALID where the history is not legal (see hy_history_check) or *bad is the index
 * of an operation that no replay can do (a block of 1 TiB or more: HY_UNSUPPORTED);
 * HY_OUT_OF_MEMORY. On an error nothing is kept. bad may be NULL. O(count). */
hy_error hy_plan_make(hy_plan *plan, const hy_history *history, hy_allocator gpa, size_t *bad);
void hy_plan_destroy(hy_plan *plan);

/* A plan under way over one allocator. Not thread-safe; the plan must outlive it. */
typedef struct hy_replay {
    const hy_plan *plan;
    hy_allocator subject; /* the allocator under test */
    void **slots;         /* NULL: empty, or refused by the allocator under test */
    uint64_t refused;     /* requests that the allocator under test did not serve */
    hy_allocator gpa;
} hy_replay;

/* False: no memory for the table of slots, nothing kept. */
bool hy_replay_init(hy_replay *replay, const hy_plan *plan, hy_allocator subject, hy_allocator gpa);
/* Frees the table, not the live blocks: call hy_replay_free_all first, or end the allocator. */
void hy_replay_deinit(hy_replay *replay);

/* Runs steps first … first + count - 1 (clipped to the plan's end) and returns the sum of the tags
 * read. Segments must follow each other from 0; after the last one, hy_replay_free_all makes the
 * replay new. A request that is refused counts in replay->refused and leaves its slot empty. */
uint64_t hy_replay_run(hy_replay *replay, size_t first, size_t count);

/* Frees every live block through the allocator under test, given how many steps have been run, and
 * returns the sum of their tags: a whole run plus this is the plan's checksum. Keeps the table. */
uint64_t hy_replay_free_all(hy_replay *replay, size_t steps_run);

/* What a whole replay did. */
typedef struct hy_replay_result {
    uint64_t operations; /* done, of the history's own */
    uint64_t peak_bytes; /* as counted while replaying, from what was really served */
    uint64_t checksum;
    uint64_t refused;    /* requests that the allocator did not serve */
    uint64_t corrupt;    /* blocks whose contents had changed (exact mode with contents) */
    uint64_t elapsed_ns; /* of the operations, without the frees at the end */
} hy_replay_result;

/* The whole plan once, checked: every step counted, the live blocks freed at the end. With `contents`
 * each block is filled and, before it ends or moves, verified to the last byte. False: no memory. */
bool hy_replay_exact(
    const hy_plan *plan, hy_allocator subject, hy_allocator gpa, bool contents, hy_replay_result *result);

/* The whole plan once by hy_replay_run, timed; the live blocks are freed afterwards. peak_bytes is the
 * plan's, nothing is verified but the checksum. False: no memory. */
bool hy_replay_timed(const hy_plan *plan, hy_allocator subject, hy_allocator gpa, hy_replay_result *result);

/* The checksum of the whole plan, computed from the plan alone. O(count). */
uint64_t hy_plan_checksum(const hy_plan *plan);

#endif
