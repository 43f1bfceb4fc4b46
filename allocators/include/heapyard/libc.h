/* heapyard/libc.h: the C library's malloc as an allocator, for any alignment.
 *
 * The default when nothing else is at hand. Alignments up to that of max_align_t go through malloc,
 * stronger ones through posix_memalign. A block grows in place as far as malloc_usable_size says;
 * remap is realloc, which moves large blocks by page tables. Thread-safe. Overhead: malloc's own
 * (8 bytes a block in glibc, which keeps its own sizes and ignores ours).
 */
#ifndef HEAPYARD_LIBC_H
#define HEAPYARD_LIBC_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* A block of malloc's. Returns NULL, errno unchanged in meaning, where malloc refuses; a size above
 * PTRDIFF_MAX is always refused. `self` is ignored. Thread-safe. */
HY_API void *hy_libc_alloc(void *self, size_t size, hy_align align);

/* True where new_size fits the block as it is (malloc_usable_size); shrinking always does, and gives
 * nothing back until the block is freed. Thread-safe, O(1). */
HY_API bool hy_libc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* realloc where the alignment allows it, else only in place. NULL: refused, nothing changed. Thread-safe. */
HY_API void *hy_libc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* free. size and align are not needed. Thread-safe. */
HY_API void hy_libc_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_libc_vtable = {hy_libc_alloc, hy_libc_resize, hy_libc_remap, hy_libc_free};

/* The allocator's value; there is nothing to initialise or to end. Greatest alignment: 2^63 may be
 * asked; what malloc's heap can't serve is refused. */
HY_INLINE hy_allocator hy_libc(void) {
    hy_allocator allocator = {NULL, &hy_libc_vtable};
    return allocator;
}

HY_END_DECLS

#endif
