/* heapyard/wide_align.h: any alignment over a child that has only a small one.
 *
 *   hy_wide_align wide;
 *   hy_wide_align_init(&wide, hy_raw_libc(), HY_ALIGN_MAX_SCALAR);
 *   float *matrix = hy_alloc(hy_wide_align_allocator(&wide), 1 << 20, HY_ALIGN_4096);
 *
 * A request that the child's own alignment serves is handed on as it is, and costs nothing more. For a
 * stronger one the child is asked for more bytes; the block lies where it is aligned among them, and the
 * child's own pointer in front of it:
 *
 *   overhead of such a block = alignment                                    where the child aligns to 16,
 *                            = alignment + two words - the child's          where it aligns to less
 *
 * so never more than the alignment and two words (hy_wide_align_overhead gives it). The child is always asked
 * for, and given back, blocks at its own greatest alignment then.
 *
 * Resizing in place is the child's. remap is too; where the child moved the block to a place that lies
 * otherwise, its contents are moved into line, at worst a copy more than the child's own.
 *
 * Ownership: owns nothing. Thread-safe where the child is. Errors: NULL or false where the child refuses,
 * or where size and overhead pass SIZE_MAX; nothing has changed then. Misuse, reported at check level 1: a
 * block given back with another size or alignment than it lives with, or twice, as far as the two words in
 * front of it show it. O(1) plus the child's cost.
 * After Zigler's wide alignment allocator.
 */
#ifndef HEAPYARD_WIDE_ALIGN_H
#define HEAPYARD_WIDE_ALIGN_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* Wide alignments over a child. */
typedef struct hy_wide_align {
    hy_allocator child;
    hy_align greatest; /* of the child: served by it alone */
} hy_wide_align;

/* For static storage: greatest_log2 is the base-2 logarithm of the child's greatest alignment, a constant:
 * 4 for raw_libc. A macro because it must be a constant expression. */
#define HY_WIDE_ALIGN_INIT(child_allocator, greatest_log2)                                                   \
    {                                                                                                        \
        (child_allocator), {                                                                                 \
            (greatest_log2)                                                                                  \
        }                                                                                                    \
    }

/* greatest: an alignment that the child serves; the stronger, the less is added. O(1). */
HY_INLINE void hy_wide_align_init(hy_wide_align *wide, hy_allocator child, hy_align greatest) {
    hy_require_child(child, "hy_wide_align_init");
    wide->child = child;
    wide->greatest = greatest;
}

/* The two words in front of a block. */
#define HY_WIDE_ALIGN_HEADER_BYTES (2 * sizeof(uintptr_t))

/* The bytes that the child is asked for beyond a block's own; 0 where its own alignment serves. */
HY_INLINE size_t hy_wide_align_overhead(const hy_wide_align *wide, hy_align align) {
    if (align.log2 <= wide->greatest.log2) return 0;
    size_t least = hy_align_bytes(wide->greatest);
    size_t room = least < HY_WIDE_ALIGN_HEADER_BYTES ? HY_WIDE_ALIGN_HEADER_BYTES - least : 0;
    return hy_align_bytes(align) + room;
}

/* The four functions for alignments that the child does not have. */
HY_API HY_WARN_UNUSED void *hy_wide_align_alloc_wide(hy_wide_align *wide, size_t size, hy_align align);
HY_API HY_WARN_UNUSED bool hy_wide_align_resize_wide(
    hy_wide_align *wide, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API HY_WARN_UNUSED void *hy_wide_align_remap_wide(
    hy_wide_align *wide, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_wide_align_free_wide(hy_wide_align *wide, void *ptr, size_t size, hy_align align);

/* The entry points, as in the vtable: a comparison, then the child's call. `self` is an hy_wide_align. */
HY_INLINE void *hy_wide_align_alloc(void *self, size_t size, hy_align align) {
    hy_wide_align *wide = (hy_wide_align *)self;
    if (HY_UNLIKELY(align.log2 > wide->greatest.log2)) return hy_wide_align_alloc_wide(wide, size, align);
    return wide->child.vtable->alloc(wide->child.self, size, align);
}

HY_INLINE bool hy_wide_align_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_wide_align *wide = (hy_wide_align *)self;
    if (HY_UNLIKELY(align.log2 > wide->greatest.log2))
        return hy_wide_align_resize_wide(wide, ptr, old_size, new_size, align);
    return wide->child.vtable->resize(wide->child.self, ptr, old_size, new_size, align);
}

HY_INLINE void *hy_wide_align_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_wide_align *wide = (hy_wide_align *)self;
    if (HY_UNLIKELY(align.log2 > wide->greatest.log2))
        return hy_wide_align_remap_wide(wide, ptr, old_size, new_size, align);
    return wide->child.vtable->remap(wide->child.self, ptr, old_size, new_size, align);
}

HY_INLINE void hy_wide_align_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_wide_align *wide = (hy_wide_align *)self;
    if (HY_UNLIKELY(align.log2 > wide->greatest.log2)) {
        hy_wide_align_free_wide(wide, ptr, size, align);
        return;
    }
    wide->child.vtable->free(wide->child.self, ptr, size, align);
}

static const hy_vtable hy_wide_align_vtable = {
    hy_wide_align_alloc, hy_wide_align_resize, hy_wide_align_remap, hy_wide_align_free};

/* The allocator's value; the struct must outlive it. */
HY_INLINE hy_allocator hy_wide_align_allocator(hy_wide_align *wide) {
    hy_allocator allocator = {wide, &hy_wide_align_vtable};
    return allocator;
}

HY_END_DECLS

#endif
