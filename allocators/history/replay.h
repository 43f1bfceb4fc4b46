/* replay.h: runs a history on an allocator, one operation at a time, in recorded order.
 *
 * A plan is a history compiled for speed: a stream of 16 bytes per operation that holds everything the
 * operation needs (sizes before and after, alignment), so that a replay looks up nothing but the block's
 * pointer. A plan is immutable: any number of replays, in any threads, may share it.
 *
 *   history ──make──▶ plan ──┬─▶ replay over arena      segments: hy_replay_run(&replay, first, count)
 *                            └─▶ replay over jemalloc   or checked and whole: hy_replay_exact(…)
 *
 * A replay writes a tag into each block's first word and one byte into every further page (as a program
 * touches what it allocates), and reads the tag back when the block changes size or is freed. The sum of
 * the tags read is the checksum: it depends on the history alone, so that every allocator, in every mode,
 * must give the same one.
 *
 * Operations that were refused when recorded are left out. A resize or remap that the recorded allocator
 * served becomes hy_realloc where the replayed one refuses it: sizes are always the history's. A reset
 * becomes a free of every live block.
 *
 * `scripts/trace replay FILE --own-cost` measures the replay's own cost, including the recorded program's
 * zeroing and touching of pages. The parallel mode is in parallel.h.
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
    size_t count;      /* of steps: the unit of first and count in hy_replay_run */
    size_t operations; /* of the history; a reset is one operation, but a step per live block */
    uint32_t slot_count;
    uint32_t thread_count; /* of the history; a replay of this file runs them all in one thread */
    uint64_t peak_bytes;   /* greatest sum of the sizes of live blocks, as the history has it */
    uint64_t peak_blocks;
    uint64_t greatest_size;  /* of any block */
    hy_align greatest_align; /* of any block: rows that do not support it are not applicable */
    hy_allocator gpa;        /* owns steps */
} hy_plan;

/* Compiles a history. `gpa` (must free) is the yard's own memory, never the allocator under test.
 * Returns HY_OK; HY_INVALID where the history is not legal (see hy_history_check); HY_UNSUPPORTED where an
 * operation makes a block of 1 TiB or more, which a step cannot hold; HY_OUT_OF_MEMORY. *bad is then the
 * operation's index; bad may be NULL. On an error nothing is kept. O(count). */
hy_error hy_plan_make(hy_plan *plan, const hy_history *history, hy_allocator gpa, size_t *bad);
void hy_plan_destroy(hy_plan *plan);

/* A replay in progress on one allocator. Not thread-safe; the plan must outlive it. */
typedef struct hy_replay {
    const hy_plan *plan;
    hy_allocator subject; /* the allocator under test */
    void **slots;         /* NULL: empty, or refused by the allocator under test */
    uint64_t refused;     /* requests that the allocator under test did not serve */
    hy_allocator gpa;
} hy_replay;

/* False: out of memory for the table of slots, nothing kept. */
bool hy_replay_init(hy_replay *replay, const hy_plan *plan, hy_allocator subject, hy_allocator gpa);
/* Frees the table, not the live blocks: call hy_replay_free_all first, or destroy the allocator. */
void hy_replay_deinit(hy_replay *replay);

/* Runs steps first … first + count - 1 (clipped to the plan's end) and returns the sum of the tags
 * read. Segments must follow each other from 0; after the last one, hy_replay_free_all resets the
 * replay. A refused request is counted in replay->refused and leaves its slot empty. */
uint64_t hy_replay_run(hy_replay *replay, size_t first, size_t count);

/* Frees every live block through the allocator under test, given how many steps have been run, and
 * returns the sum of their tags: a whole run plus this is the plan's checksum. Keeps the table. */
uint64_t hy_replay_free_all(hy_replay *replay, size_t steps_run);

/* The result of a whole replay. */
typedef struct hy_replay_result {
    uint64_t operations; /* of the history */
    uint64_t peak_bytes; /* counted while replaying, of requests that were served */
    uint64_t checksum;
    uint64_t refused;    /* requests that the allocator did not serve */
    uint64_t corrupt;    /* blocks whose contents had changed (exact mode with contents) */
    uint64_t elapsed_ns; /* of the operations, without the frees at the end */
} hy_replay_result;

/* The whole plan once, with every step checked; the live blocks are freed at the end. With `contents` each
 * block is filled, and verified to the last byte before it is freed or moved. False: out of memory. */
bool hy_replay_exact(
    const hy_plan *plan, hy_allocator subject, hy_allocator gpa, bool contents, hy_replay_result *result);

/* The whole plan once by hy_replay_run, timed; the live blocks are freed afterwards. peak_bytes is the
 * plan's, nothing is verified but the checksum. False: out of memory. */
bool hy_replay_timed(const hy_plan *plan, hy_allocator subject, hy_allocator gpa, hy_replay_result *result);

/* The checksum of the whole plan, computed from the plan alone. O(count). */
uint64_t hy_plan_checksum(const hy_plan *plan);

#endif
