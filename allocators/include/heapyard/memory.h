/* heapyard/memory.h: raw bytes: set, copy, move, zero, compare, equal; blocks of them, and places in a block.
 *
 * Thin names over the C library's functions, with what those leave undefined closed: a size of zero
 * may come with NULL pointers, and an overlapping copy is caught in checked builds. Thread-safe, but for the
 * blocks, which are as their allocator; O(size) where nothing else is said.
 */
#ifndef HEAPYARD_MEMORY_H
#define HEAPYARD_MEMORY_H

#include <heapyard/allocator.h>
#include <heapyard/check.h>
#include <string.h>

HY_BEGIN_DECLS

/* Writes `value` to each of size bytes. */
HY_INLINE void hy_mem_set(void *ptr, uint8_t value, size_t size) {
    if (size) memset(ptr, value, size);
}

/* Writes 0 to each of size bytes. */
HY_INLINE void hy_mem_zero(void *ptr, size_t size) {
    if (size) memset(ptr, 0, size);
}

/* Whether [left, left + size) and [right, right + size) share a byte. */
HY_INLINE bool hy_mem_overlaps(const void *left, const void *right, size_t size) {
    uintptr_t a = (uintptr_t)left, b = (uintptr_t)right;
    return a < b ? b - a < size : a - b < size;
}

/* Copies size bytes. The ranges must not overlap (checked at level 1): use hy_mem_move. */
HY_INLINE void hy_mem_copy(void *target, const void *source, size_t size) {
    HY_REQUIRE(!hy_mem_overlaps(target, source, size), "hy_mem_copy", (uintptr_t)source,
        "a range that does not overlap its target (use hy_mem_move)");
    if (size) memcpy(target, source, size);
}

/* Copies size bytes between ranges that may overlap. */
HY_INLINE void hy_mem_move(void *target, const void *source, size_t size) {
    if (size) memmove(target, source, size);
}

/* Negative, 0 or positive as left is before, equal to or after right in the order of unsigned bytes;
 * only the sign counts. */
HY_INLINE int hy_mem_compare(const void *left, const void *right, size_t size) {
    return size ? memcmp(left, right, size) : 0;
}

/* Whether size bytes are the same; no bytes always are. */
HY_INLINE bool hy_mem_equal(const void *left, const void *right, size_t size) {
    return size == 0 || memcmp(left, right, size) == 0;
}

/* A block of `size` raw bytes, without alignment and not initialised: as hy_alloc, given back by
 * hy_free_bytes with the same size. NULL: refused. O(1) plus the allocator's cost. */
HY_INLINE HY_WARN_UNUSED uint8_t *hy_alloc_bytes(hy_allocator allocator, size_t size) {
    return (uint8_t *)hy_alloc(allocator, size, HY_ALIGN_1);
}

/* Ends a block of hy_alloc_bytes; NULL is left alone. O(1) plus the allocator's cost. */
HY_INLINE void hy_free_bytes(hy_allocator allocator, void *ptr, size_t size) {
    hy_free(allocator, ptr, size, HY_ALIGN_1);
}

/* The address `offset` bytes behind ptr. Misuse, told at level 1: a NULL that is to be moved, and an end
 * behind the last address. O(1). */
HY_INLINE void *hy_ptr_add(const void *ptr, size_t offset) {
    HY_REQUIRE(ptr != NULL || offset == 0, "hy_ptr_add", offset, "0 for a NULL pointer");
    HY_REQUIRE(offset <= UINTPTR_MAX - (uintptr_t)ptr, "hy_ptr_add", offset,
        "an offset that stays within the address space");
    return (void *)((uintptr_t)ptr + offset);
}

/* The same within a block of `size` bytes that begins at ptr: beyond its end, which itself is allowed, is
 * misuse as well. */
HY_INLINE void *hy_ptr_add_within(const void *ptr, size_t size, size_t offset) {
    HY_REQUIRE(offset <= size, "hy_ptr_add_within", offset, "at most the size of the block");
    return hy_ptr_add(ptr, offset);
}

HY_END_DECLS

#endif
