/* model.h: what every live byte should be.
 *
 * An interval map of the blocks that an allocator has handed out, in the order of their addresses,
 * each with its size, its alignment and a key from which its content follows. The model fills a block
 * when it begins or grows, and looks at it before it ends or changes, at its neighbours after every
 * step, and at all of it when asked. What it finds wrong it tells with hy_finding:
 *
 *   overlap     a block lies on another, or wraps around the end of memory
 *   alignment   an address is no multiple of what was asked
 *   content     a byte of a live block is not what was written there
 *   poisoned    a live block is not addressable (ASan builds)
 *
 * Blocks of up to HY_MODEL_WHOLE bytes are filled whole; of greater ones both ends and a window at
 * each power of two, so that a step costs the same whatever the size. One state for the process.
 */
#ifndef HEAPYARD_FUZZ_MODEL_H
#define HEAPYARD_FUZZ_MODEL_H

#include "allocators/history/bytes.h"

#define HY_MODEL_WHOLE 2048
#define HY_MODEL_NO_SLOT UINT32_MAX

typedef struct hy_model_block {
    uintptr_t address;
    uint64_t size;
    uint64_t key;       /* of its content */
    uint64_t serial;    /* the order in which blocks came to lie where they are, from 1 */
    size_t used_before; /* what the row said of itself before this block, for whoever wants it */
    uint8_t align_log2;
    bool live;
} hy_model_block;

/* Begins a run with nothing live. O(1) amortised. */
void hy_model_begin(void);

/* A block came to be in an empty slot: checks it against all others and fills it. O(live). */
void hy_model_add(uint32_t slot, void *ptr, uint64_t size, hy_align align);

/* Looks at one live block's content. O(size), at most HY_MODEL_WHOLE and a few windows. */
void hy_model_verify(uint32_t slot);
/* At all of them. */
void hy_model_verify_all(void);
/* At the blocks before and behind the place of an address, itself included. O(log live). */
void hy_model_verify_near(const void *ptr);

/* The slot's block ended; its content was looked at before. O(live). */
void hy_model_remove(uint32_t slot);

/* The block lives with new_size, perhaps elsewhere: what was kept is looked at, the rest filled. One that
 * moved is the newest from now on: whoever moved it allocated its new place. O(live). */
void hy_model_change(uint32_t slot, void *ptr, uint64_t new_size);

/* All blocks ended. */
void hy_model_clear(void);

const hy_model_block *hy_model_at(uint32_t slot);
size_t hy_model_live_count(void);
uint64_t hy_model_live_bytes(void);
/* The slot of the newest live block, or HY_MODEL_NO_SLOT. O(live). */
uint32_t hy_model_newest(void);
/* The i-th live slot in the order of addresses, i < live count. */
uint32_t hy_model_by_address(size_t index);
/* Notes what the row had used before the slot's block. */
void hy_model_note_used(uint32_t slot, size_t used_before);

#endif
