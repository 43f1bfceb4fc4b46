/* heapyard/block_index.h: live blocks, found by their address and held against their neighbours.
 *
 * What a checking allocator needs to know: which block starts at an address, with which size and alignment,
 * and whether a new one shares a byte with one that lives. Blocks in the index never overlap.
 *
 *   hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
 *   if (!hy_block_index_reserve(&index)) return NULL;      // now the next addition can't fail for memory
 *   hy_indexed_block clash;
 *   if (!hy_block_index_add(&index, (hy_indexed_block){address, size, align}, &clash)) …
 *
 * Cost: every operation is O(log n) in the blocks that live: one node for up to 32 blocks, two levels to
 * some 600, three to some 13,000. Memory: 568 bytes a node, from the allocator given; nodes are at least a
 * quarter full but for the topmost, so 18 to 72 bytes a block, and some ten nodes in reserve.
 * Ownership: the caller's struct; nodes are the index's until hy_block_index_deinit. One thread at a time.
 * Source: a B+-tree (Bayer and McCreight 1972) whose full nodes are split, and sparse ones mended, on the
 * way down (Guibas and Sedgewick 1978).
 */
#ifndef HEAPYARD_BLOCK_INDEX_H
#define HEAPYARD_BLOCK_INDEX_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* A live block as it was asked for. size > 0, and address + size does not wrap. */
typedef struct hy_indexed_block {
    uintptr_t address; /* 0 where a function knows none */
    size_t size;
    hy_align align;
} hy_indexed_block;

/* A node of the tree; its layout is the implementation's. */
typedef struct hy_block_index_node hy_block_index_node;

/* The index: fields are to be read only. */
typedef struct hy_block_index {
    hy_allocator memory; /* for nodes */
    hy_block_index_node *root;
    hy_block_index_node *spares; /* nodes that are ready for the next additions */
    size_t spare_count;
    size_t node_count; /* spares included */
    size_t height;     /* levels above the leaves */
    size_t block_count;
    size_t live_bytes; /* the sum of the blocks' sizes */
} hy_block_index;

/* An empty index. A macro because it must be an initialiser of static storage. */
#define HY_BLOCK_INDEX_INIT(node_allocator)                                                                  \
    { (node_allocator), NULL, NULL, 0, 0, 0, 0, 0 }

/* What hy_block_index_remove found. */
typedef enum hy_block_index_result {
    HY_BLOCK_INDEX_SAME,    /* the block, with that size and alignment */
    HY_BLOCK_INDEX_DIFFERS, /* a block of another size or alignment starts there */
    HY_BLOCK_INDEX_UNKNOWN  /* none starts there */
} hy_block_index_result;

/* Forgets every block and gives all nodes back; the index is empty and can be used again. O(n). */
HY_API void hy_block_index_deinit(hy_block_index *index);

/* Fetches the nodes that one addition may need. False: the allocator refused; what was fetched stays ready.
 * O(height). */
HY_API HY_COLD bool hy_block_index_reserve_more(hy_block_index *index);

/* Makes sure that the next addition needs no memory. False: the allocator refused; no block was added. */
HY_INLINE bool hy_block_index_reserve(hy_block_index *index) {
    return HY_LIKELY(index->spare_count >= index->height + 2) || hy_block_index_reserve_more(index);
}

/* Adds a block, for which room was reserved. False: *clash is a live block that shares a byte with it, and
 * it was not added. */
HY_API bool hy_block_index_add(hy_block_index *index, hy_indexed_block block, hy_indexed_block *clash);

/* Removes the block that is exactly so. Else nothing changes, and *found is the block that starts there
 * (DIFFERS), or the one that the address lies in (UNKNOWN; address 0: in none). */
HY_API hy_block_index_result hy_block_index_remove(
    hy_block_index *index, hy_indexed_block block, hy_indexed_block *found);

/* The same without removing anything. */
HY_API hy_block_index_result hy_block_index_find(
    const hy_block_index *index, hy_indexed_block block, hy_indexed_block *found);

/* Gives the block that starts at `address`, which must be there, another size > 0. False: *clash is a live
 * block that it would reach into, and nothing changed. */
HY_API bool hy_block_index_resize(
    hy_block_index *index, uintptr_t address, size_t size, hy_indexed_block *clash);

/* Calls `visit` for each block, lowest address first. It must not change the index. O(n). */
HY_API void hy_block_index_each(
    const hy_block_index *index, void (*visit)(void *context, hy_indexed_block block), void *context);

/* Walks the whole tree: order, bounds, fill, links, sums, and that no two blocks overlap. O(n). */
HY_API bool hy_block_index_check(const hy_block_index *index);

/* The bytes of all nodes. O(1). */
HY_API size_t hy_block_index_bytes(const hy_block_index *index);

HY_END_DECLS

#endif
