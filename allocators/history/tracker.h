/* tracker.h: calls that name blocks by address become operations that name them by slot.
 *
 * Whatever watches a program (the recorder's spools, the in-process sink, an imported log) sees
 * addresses, and the same address comes back for later blocks. The tracker knows which block lives at
 * an address, numbers it, and appends legal operations to a history; what it can't know (a block from
 * before the watch began) it leaves out and counts. Slots are used again last-freed first, as the trace
 * file does, so that writing and reading changes no number.
 *
 * Not thread-safe. O(1) per call; 24 bytes per block that can live at once, doubled.
 */
#ifndef HEAPYARD_TRACKER_H
#define HEAPYARD_TRACKER_H

#include "allocators/history/history.h"

/* log2 of the alignment that a call of malloc asks for: that of any type that fits. */
static inline uint8_t hy_malloc_align_log2(uint64_t size) {
    return size < 16 ? 3 : 4;
}

typedef struct hy_tracked {
    uint64_t address; /* 0: empty place */
    uint64_t size;
    uint32_t slot;
    uint8_t align_log2;
} hy_tracked;

/* A size change under way in one thread. */
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
    uint64_t foreign_count; /* frees and size changes of blocks that were never seen */
    uint64_t missed_count;  /* blocks whose end was not seen, because their address came back */
    hy_allocator gpa;
} hy_tracker;

/* Appends to `history`, which must be empty and outlive it. */
void hy_tracker_init(hy_tracker *tracker, hy_history *history, hy_allocator gpa);
void hy_tracker_deinit(hy_tracker *tracker);

/* A block was made; flags: HY_OP_ZEROED. All of these: false means out of memory. */
bool hy_tracker_alloc(
    hy_tracker *tracker, uint16_t thread, uint64_t address, uint64_t size, uint8_t align_log2, uint8_t flags);
/* An allocation was refused. */
bool hy_tracker_refused(hy_tracker *tracker, uint16_t thread, uint64_t size, uint8_t align_log2);
/* A block is about to end; flags: HY_OP_SIZED. */
bool hy_tracker_free(hy_tracker *tracker, uint16_t thread, uint64_t address, uint8_t flags);
/* A block is about to change its size, and may leave its address from here on. */
bool hy_tracker_change_begin(hy_tracker *tracker, uint16_t thread, uint64_t address);
/* It has: kind is REALLOC, RESIZE or REMAP; address 0: refused, or, where size is 0, ended. */
bool hy_tracker_change_end(
    hy_tracker *tracker, uint16_t thread, hy_op_kind kind, uint64_t address, uint64_t size);
/* The thread has ended. */
bool hy_tracker_thread_end(hy_tracker *tracker, uint16_t thread);

#endif
