/* child.h: the adversarial child: an allocator that does the least that the contract promises.
 *
 * For: standing under the allocator that is fuzzed. It bumps through a region at a fixed address, so
 * that runs are the same on every machine and in every process; memory that was freed stays poisoned
 * for the rest of the run; redzones lie around every block; an address is a multiple of what was
 * asked and of nothing more. Every call is checked: pointer, size and alignment must be those of a
 * live block. It refuses at a given index, sometimes grows in place, sometimes moves, as its fault policy
 * says, and a request that does not fit costs nothing.
 *
 *   +----------+-------+----------+------------+-------+----------+---------------
 *   | redzone  | block | redzone  | … redzone  | freed |          | never used
 *   +----------+-------+----------+------------+-------+----------+---------------
 *
 * One state for the process: fuzzing is one run at a time. Not thread-safe.
 */
#ifndef HEAPYARD_FUZZ_CHILD_H
#define HEAPYARD_FUZZ_CHILD_H

#include "allocators/history/bytes.h"

#define HY_CHILD_REGION_BYTES ((size_t)16 << 20)
#define HY_CHILD_BLOCK_MAX 4096

/* Begins a run: an empty child with this fault policy. Maps the region on the first call. O(bytes used by
 * the run before). */
void hy_child_begin(const hy_fault_policy *faults);
hy_allocator hy_child_allocator(void);

/* Ends a run: what is still live is a finding ("leak"), and so is a write into freed memory or a
 * redzone. O(blocks); without ASan O(bytes used). */
void hy_child_end(void);

/* Whether [ptr, ptr + size) lies inside one live block. O(log blocks). */
bool hy_child_contains(const void *ptr, size_t size);

/* Counters since hy_child_begin. */
typedef struct hy_child_counts {
    size_t alloc_calls, resize_calls, remap_calls;
    size_t refusals; /* of any kind, also for want of room */
    size_t live_blocks;
    size_t live_bytes;
    size_t peak_bytes;
} hy_child_counts;

const hy_child_counts *hy_child_counted(void);

#endif
