/* wasm_blocks.h: blocks of any size in pieces of memory, joined with their neighbours when they are freed.
 *
 * A block has a word in front of it: its size, and two bits: whether it is free, and whether the block before
 * is. Only then does the word before that one, the last of the free block, say where that begins:
 *
 *        free                               live                        free
 *     | size,1 | next | previous | … | begin | size,2 | the user's … | size,1 | …
 *              ^ payload                     ^ hy_wasm_block          ^ aligned to two words
 *
 * Free blocks stand in lists by size, after two-level segregated fit: a row for each power of two, of eight
 * columns; bit masks say which lists have a block. A request is rounded up to the next list, so that the
 * first block found fits; before memory is grown the list below is searched too, so that none is asked for
 * that is there. All O(1) but that search.
 *
 * Each piece begins with a struct hy_wasm_region and ends with a block of no bytes, which is never free.
 */
#ifndef HEAPYARD_WASM_BLOCKS_H
#define HEAPYARD_WASM_BLOCKS_H

#include <heapyard/wasm.h>

#define HY_WASM_WORD sizeof(size_t)
#define HY_WASM_GRANULE (2 * HY_WASM_WORD)
#define HY_WASM_PAYLOAD_MIN (3 * HY_WASM_WORD)

/* Where a block's header is told from; its first word is the last one of the block before. */
typedef struct hy_wasm_block {
    struct hy_wasm_block *before;          /* only while that is free */
    size_t head;                           /* the payload's bytes, and the two bits */
    struct hy_wasm_block *next, *previous; /* only while this is free */
} hy_wasm_block;

typedef struct hy_wasm_region {
    struct hy_wasm_region *next;
    hy_wasm_block *end; /* the block of no bytes */
} hy_wasm_region;

/* Bytes of a new piece of memory that serve no block. */
#define HY_WASM_REGION_BYTES (sizeof(hy_wasm_region) + 2 * HY_WASM_GRANULE)

/* A live block; NULL: there is none. size > 0. */
void *hy_wasm_blocks_take(hy_wasm_blocks *blocks, size_t size, hy_align align);

/* The bytes that a live block has: as many as were asked for, or some more. */
size_t hy_wasm_blocks_size(const void *ptr);

/* Ends a live block. */
void hy_wasm_blocks_give(hy_wasm_blocks *blocks, void *ptr);

/* In place; false: the block behind is not free, or too small. */
bool hy_wasm_blocks_resize(hy_wasm_blocks *blocks, void *ptr, size_t new_size);

/* Adds a piece of memory, at a multiple of the granule: to the newest one where it lies right behind it. */
bool hy_wasm_blocks_add(hy_wasm_blocks *blocks, void *piece, size_t bytes);

/* The bytes of memory that are missing for such a block, where they come right behind the newest piece, or
 * elsewhere; SIZE_MAX: no block is as large. */
size_t hy_wasm_blocks_missing(const hy_wasm_blocks *blocks, size_t size, hy_align align, bool is_behind);

/* Calls visit for each block of each piece. */
void hy_wasm_blocks_walk(const hy_wasm_blocks *blocks,
    void (*visit)(void *context, void *ptr, size_t size, bool is_free), void *context);

bool hy_wasm_blocks_check(const hy_wasm_blocks *blocks);

#endif
