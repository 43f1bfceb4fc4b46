/* tracker.h: converts calls that name blocks by address into operations that name them by slot.
 *
 * Recordings (the recorder's spools, the in-process sink, an imported log) contain addresses, which are
 * reused for later blocks. The tracker keeps the live block of each address, numbers it, and appends
 * legal operations to a history; calls on unknown blocks (allocated before the recording) are left out and
 * counted. The slot freed last is reused first, as in the trace file, so that writing and reading a trace
 * keeps the numbers.
 *
 * Not thread-safe. O(1) per call; 24 bytes per block that can live at once, doubled.
 */
#ifndef HEAPYARD_TRACKER_H
#define HEAPYARD_TRACKER_H

#include "allocators/history/history.h"

/* log2 of the alignment that malloc guarantees for a size: that of any type that fits. */
static inline uint8_t hy_malloc_align_log2(uint64_t size) {
    return size < 16 ? 3 : 4;
}

typedef struct hy_tracked {
    uint64_t address; /* 0: empty place */
    uint64_t size;
    uint32_t slot;
    uint8_t align_log2;
} hy_tracked;

/* A size change in progress in one thread. */
typedef struct hy_pending {
    hy_tracked block;
    bool active;
} hy_pending;

typedef struct hy_tracker {
    hy_history *history;
    hy_tracked *table; /* open addressing, linear probing */
    size_t capacity;   /* a power of two, or 0 */
    size_t live_count;
    uint32_t *vacant;
    uint32_t vacant_count;
    uint32_t vacant_capacity;
    uint32_t slot_count;
    hy_pending *pending; /* by thread */
    uint32_t pending_count;
    uint64_t foreign_count; /* frees and size changes of unknown blocks */
    uint64_t missed_count;  /* blocks whose free was not seen: their address was allocated again */
    hy_allocator gpa;
} hy_tracker;

/* Appends to `history`, which must be empty and outlive it. */
void hy_tracker_init(hy_tracker *tracker, hy_history *history, hy_allocator gpa);
void hy_tracker_deinit(hy_tracker *tracker);

/* A block was allocated; flags: HY_OP_ZEROED. All of these functions: false means out of memory. */
bool hy_tracker_alloc(
    hy_tracker *tracker, uint16_t thread, uint64_t address, uint64_t size, uint8_t align_log2, uint8_t flags);
/* An allocation was refused. */
bool hy_tracker_refused(hy_tracker *tracker, uint16_t thread, uint64_t size, uint8_t align_log2);
/* A block is about to be freed; flags: HY_OP_SIZED. */
bool hy_tracker_free(hy_tracker *tracker, uint16_t thread, uint64_t address, uint8_t flags);
/* A block is about to change its size; its address may be reused by others from here on. */
bool hy_tracker_change_begin(hy_tracker *tracker, uint16_t thread, uint64_t address);
/* The change has returned: kind is REALLOC, RESIZE or REMAP; address 0: refused, or, for size 0, freed. */
bool hy_tracker_change_end(
    hy_tracker *tracker, uint16_t thread, hy_op_kind kind, uint64_t address, uint64_t size);
/* The thread has ended. */
bool hy_tracker_thread_end(hy_tracker *tracker, uint16_t thread);

#endif
