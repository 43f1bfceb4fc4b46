/* heapyard/memory.h: raw bytes: set, copy, move, zero, compare, equal.
 *
 * Thin names over the C library's functions, with what those leave undefined closed: a size of zero
 * may come with NULL pointers, and an overlapping copy is caught in checked builds. All thread-safe,
 * O(size).
 */
#ifndef HEAPYARD_MEMORY_H
#define HEAPYARD_MEMORY_H

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

HY_END_DECLS

#endif
