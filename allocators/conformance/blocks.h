/* blocks.h: the live blocks of a test, each filled with a pattern of its own.
 *
 * Blocks must keep their contents and must not overlap: that is most of an allocator's contract.
 */
#ifndef HEAPYARD_CONFORMANCE_BLOCKS_H
#define HEAPYARD_CONFORMANCE_BLOCKS_H

#include <heapyard/allocator.h>

#define HY_BLOCKS_MAX 256

typedef struct hy_block {
    char *ptr;
    size_t size;
    hy_align align;
    uint8_t seed; /* byte i of the block is seed + i (mod 251) */
} hy_block;

typedef struct hy_blocks {
    hy_allocator allocator;
    size_t count;
    uint8_t next_seed;
    hy_block live[HY_BLOCKS_MAX];
} hy_blocks;

void hy_blocks_init(hy_blocks *blocks, hy_allocator allocator);

/* Allocates and fills a block, which becomes the last one. False: refused, or the table is full. */
bool hy_blocks_alloc(hy_blocks *blocks, size_t size, hy_align align);

/* Change a block's size by resize, remap or realloc, and fill the new bytes. False: refused. */
bool hy_blocks_resize(hy_blocks *blocks, size_t index, size_t new_size);
bool hy_blocks_remap(hy_blocks *blocks, size_t index, size_t new_size);
bool hy_blocks_realloc(hy_blocks *blocks, size_t index, size_t new_size);

/* Frees one block; the others keep their order. */
void hy_blocks_free(hy_blocks *blocks, size_t index);
/* Frees all blocks, newest first. */
void hy_blocks_free_all(hy_blocks *blocks);
/* Empties the table without freeing, after a reset has freed the blocks. */
void hy_blocks_forget(hy_blocks *blocks);

/* NULL where every block is aligned, has its contents and overlaps no other; else a constant message.
 * O(n² + bytes). */
const char *hy_blocks_check(const hy_blocks *blocks);

#endif
