/* bump.c: a pointer that moves through the caller's region.
 *
 * For: scratch memory inside one function or one frame of work, ended all at once; the core of the
 * other bump allocators. Not for: blocks that end one by one.
 * Algorithm: round `last` up to the byte below a multiple of the alignment, which is one `or`, add the size,
 * compare with `end`. From the first free byte, rounding would be an addition and an `and`, and each block's
 * address waits for the one before it.
 *
 *   region |block|block|pad|block|                 |
 *                               ^last               ^end
 *
 * Cost: O(1), eight instructions for a block. Overhead: alignment only. Thread-safe: no.
 * Source: Zig's BumpAllocator; older than any of us.
 */
#include <heapyard/bump.h>

HY_SLOT void *hy_bump_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_bump_alloc(self, size, align);
}

bool hy_bump_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_bump_resize(self, ptr, old_size, new_size);
}

void *hy_bump_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_bump_resize(self, ptr, old_size, new_size) ? ptr : NULL;
}

HY_SLOT void hy_bump_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    hy_bump_free(self, ptr, size);
}
