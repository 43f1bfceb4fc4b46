/* debug_index.h: which chunk an address lies in, without touching what lies there.
 *
 * A hash table of granules of 16 KiB, with linear probing: a chunk stands there once for each granule that
 * it reaches into, and a granule once for each chunk. At most half full. Expected cost of a look-up: two
 * loads, whatever the number of chunks; of an insertion: O(chunk / 16 KiB).
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_INDEX_H
#define HEAPYARD_STRATEGIES_DEBUG_INDEX_H

#include "allocators/strategies/debug_chunk.h"

#define HY_DEBUG_GRANULE_LOG2 14

HY_INLINE size_t hy_debug_index_start(const hy_debug_index *index, uintptr_t granule) {
    return (size_t)(((uint64_t)granule * 0x9E3779B97F4A7C15u) >> 32) & (index->capacity - 1);
}

/* NULL: none. */
HY_INLINE hy_debug_chunk *hy_debug_index_find(const hy_debug_index *index, const void *ptr) {
    if (HY_UNLIKELY(index->capacity == 0)) return NULL;
    uintptr_t address = (uintptr_t)ptr, granule = address >> HY_DEBUG_GRANULE_LOG2;
    size_t at = hy_debug_index_start(index, granule), mask = index->capacity - 1;
    for (; index->places[at].chunk; at = (at + 1) & mask) {
        hy_debug_chunk *chunk = index->places[at].chunk;
        if (index->places[at].granule != granule) continue;
        if (address - (uintptr_t)chunk->base < (uintptr_t)chunk->end - (uintptr_t)chunk->base) return chunk;
    }
    return NULL;
}

/* Makes room for a chunk of that many bytes. False: the child refuses, nothing has changed. */
bool hy_debug_index_reserve(hy_debug *debug, size_t bytes);

/* Requires: room was made. */
void hy_debug_index_insert(hy_debug *debug, hy_debug_chunk *chunk);
void hy_debug_index_remove(hy_debug *debug, hy_debug_chunk *chunk);

/* Gives the table back. */
void hy_debug_index_free(hy_debug *debug);

#endif
