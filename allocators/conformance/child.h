/* child.h: the adversarial child: an allocator that does the least that the contract promises.
 *
 * For: standing under an allocator that is tested or fuzzed. It bumps through a region of its own; memory
 * that was freed stays poisoned for the rest of the run; redzones lie around every block; an address is a
 * multiple of what was asked and of nothing more. Every call is checked: pointer, size and alignment must
 * be those of a live block. It refuses at a given index or above a given size, sometimes grows in place,
 * sometimes moves, as its fault policy says, and a request that does not fit costs nothing.
 *
 *   +----------+-------+----------+------------+-------+----------+---------------
 *   | redzone  | block | redzone  | … redzone  | freed |          | never used
 *   +----------+-------+----------+------------+-------+----------+---------------
 *
 * A test has a static one and begins a run of it:
 *
 *   static hy_child child;
 *   hy_arena_init(&arena, hy_child_plain(&child), NULL);
 *   child.call_refusal = hy_child_calls(&child); // it refuses from now on
 *
 * A run begins in the region of the run before, so that it finds the same addresses. Not thread-safe.
 */
#ifndef HEAPYARD_CHILD_H
#define HEAPYARD_CHILD_H

#include "allocators/history/bytes.h"
#include <heapyard/call.h>

#define HY_CHILD_REGION_BYTES ((size_t)16 << 20)
#define HY_CHILD_BLOCK_MAX 4096 /* blocks of a run, freed ones included; more are refused */

/* Counters since the run began. */
typedef struct hy_child_counts {
    size_t alloc_calls, resize_calls, remap_calls, free_calls;
    size_t refusals; /* of any kind, also for want of room */
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
} hy_child_counts;

/* How a wrong use is reported: its kind, "misuse" or "stray", and what it is. Where it returns, the child
 * goes on: a call with no live block does nothing and is refused. */
typedef void hy_child_report(const char *kind, const char *format, ...) HY_PRINTF(2, 3);

typedef struct hy_child_block {
    uintptr_t address;
    size_t size;
    size_t extent; /* the greatest size it had: its bytes up to there are nobody else's */
    uint8_t align_log2;
    bool live;
} hy_child_block;

typedef struct hy_child {
    /* The owner's, from before the first run; 0 is the default. */
    void *place;             /* where the region is mapped, if that is free; NULL: anywhere */
    size_t region_bytes;     /* 0: HY_CHILD_REGION_BYTES */
    hy_child_report *report; /* NULL: it is printed, and the program ends by abort */

    /* Set at the beginning of a run; the owner may change them at any time. */
    hy_fault_policy faults;
    size_t call_refusal; /* from this call on, of alloc, resize and remap together, all are refused */
    size_t size_max;     /* greater sizes are refused */

    /* For reading. */
    hy_child_counts counts;
    hy_call asked;      /* the last call of alloc, resize or remap, as it was made */
    size_t block_count; /* blocks that were handed out, freed ones included */

    char *region;
    uintptr_t cursor;
    hy_child_block blocks[HY_CHILD_BLOCK_MAX]; /* in the order of their addresses */
} hy_child;

/* Begins a run: an empty child with this fault policy. Maps the region at the first one. What is live of the
 * run before is forgotten. O(bytes used by that run). */
void hy_child_begin(hy_child *child, const hy_fault_policy *faults);

/* The allocator. The child must outlive it. */
hy_allocator hy_child_allocator(hy_child *child);

/* Begins a run of a child that refuses only what does not fit, never grows in place and never moves. */
hy_allocator hy_child_plain(hy_child *child);

/* Calls of alloc, resize and remap in this run: all that may be refused. */
static inline size_t hy_child_calls(const hy_child *child) {
    return child->counts.alloc_calls + child->counts.resize_calls + child->counts.remap_calls;
}

/* Whether [ptr, ptr + size) lies inside one live block. O(log blocks). */
bool hy_child_contains(const hy_child *child, const void *ptr, size_t size);

/* Reports a write into freed memory or a redzone ("stray"); under a tool that sees the write itself, nothing.
 * O(bytes used). */
void hy_child_check_strays(const hy_child *child);

/* The lowest block that is live; NULL: none is. O(blocks). */
const hy_child_block *hy_child_lowest_live(const hy_child *child);

#endif
