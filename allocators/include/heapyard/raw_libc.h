/* heapyard/raw_libc.h: malloc and free as they are.
 *
 * An alignment above that of max_align_t is refused, which checked builds report once on standard
 * error. The right child for an arena, which asks for whole chunks and aligns inside them.
 * Thread-safe. Cost and overhead: malloc's own.
 */
#ifndef HEAPYARD_RAW_LIBC_H
#define HEAPYARD_RAW_LIBC_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* malloc. NULL where malloc refuses, or align is above that of max_align_t. Thread-safe. */
HY_API void *hy_raw_libc_alloc(void *self, size_t size, hy_align align);

/* realloc. NULL: refused, nothing changed. Thread-safe. */
HY_API void *hy_raw_libc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* free. Thread-safe. */
HY_API void hy_raw_libc_free(void *self, void *ptr, size_t size, hy_align align);

/* The same value for every caller. resize is always refused: malloc has no such call. */
static const hy_vtable hy_raw_libc_vtable = {
    hy_raw_libc_alloc, hy_refuse_resize, hy_raw_libc_remap, hy_raw_libc_free};

/* The allocator's value; there is nothing to initialise or to end. */
HY_INLINE hy_allocator hy_raw_libc(void) {
    hy_allocator allocator = {NULL, &hy_raw_libc_vtable};
    return allocator;
}

HY_END_DECLS

#endif
