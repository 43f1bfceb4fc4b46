/* live_blocks.h: the record of what an allocator has handed out and not got back.
 *
 * Blocks by slot, and the slots in the order of their blocks' addresses. It believes what the allocator
 * serves and looks into no memory: to find what is wrong with it is an oracle's work. One for the process.
 */
#ifndef HEAPYARD_FUZZ_LIVE_BLOCKS_H
#define HEAPYARD_FUZZ_LIVE_BLOCKS_H

#include "allocators/history/bytes.h"

#define HY_LIVE_NO_SLOT UINT32_MAX

typedef struct hy_live_block {
    uintptr_t address;
    uint64_t size;
    uint64_t most_size; /* since it came to lie where it is */
    uint64_t serial;    /* the order in which blocks came to lie where they are, from 1 */
    size_t used_before; /* what the row counted as used before it came to lie there; SIZE_MAX: nothing */
    uint8_t align_log2;
    bool live;
} hy_live_block;

/* Begins a run with nothing live. O(1) amortised. */
void hy_live_begin(void);

/* A block came to be in an empty slot. O(live). */
void hy_live_add(uint32_t slot, void *ptr, uint64_t size, hy_align align, size_t used_before);

/* The slot's block ended. O(live). */
void hy_live_remove(uint32_t slot);

/* The block lives with new_size, perhaps elsewhere. One that moved is the newest from now on, and its
 * used_before is the one given: whoever moved it allocated its new place. O(live). */
void hy_live_change(uint32_t slot, void *ptr, uint64_t new_size, size_t used_before);

/* All blocks ended. O(live). */
void hy_live_clear(void);

const hy_live_block *hy_live_at(uint32_t slot);
size_t hy_live_count(void);
uint64_t hy_live_bytes(void);

/* The serial of the block that came last to lie where it is or was; 0: none did. */
uint64_t hy_live_serial(void);

/* The slot of the newest live block that has bytes, or HY_LIVE_NO_SLOT. O(live). */
uint32_t hy_live_newest(void);

/* The i-th live slot in the order of addresses, i < live count. */
uint32_t hy_live_by_address(size_t index);

/* How many live blocks begin below an address: the index of the first that does not. O(log live). */
size_t hy_live_count_below(uintptr_t address);

#endif
