/* heapyard/null.h: the allocator that refuses everything.
 *
 * For code paths that must not allocate, as the end of a fallback chain, and as the template for a
 * new allocator: the smallest thing that keeps the contract. Thread-safe; owns nothing.
 */
#ifndef HEAPYARD_NULL_H
#define HEAPYARD_NULL_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* Always NULL. Thread-safe, O(1). */
HY_API void *hy_null_alloc(void *self, size_t size, hy_align align);

static const hy_vtable hy_null_vtable = {hy_null_alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

/* The allocator's value; there is nothing to initialise or to end. Zero-size requests are served by
 * the front door, as everywhere. */
HY_INLINE hy_allocator hy_null(void) {
    hy_allocator allocator = {NULL, &hy_null_vtable};
    return allocator;
}

HY_END_DECLS

#endif
