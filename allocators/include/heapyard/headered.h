/* heapyard/headered.h: keeps size and alignment in front of each block, for callers who can't give
 * them back.
 *
 *   hy_headered headered = HY_HEADERED_INIT(arena_allocator);
 *   char *text = hy_headered_malloc(&headered, 100);
 *   text = hy_headered_realloc(&headered, text, 200);
 *   hy_headered_free(&headered, text);
 *
 * The functions of the second kind serve the allocator hooks of C libraries (`malloc_fn`, `free_fn`). A
 * block of one kind may be ended by the other. Overhead: 16 bytes in front of a block, or its alignment
 * where that is more. Any alignment that the child serves. Thread-safe where the child is; owns nothing.
 *
 * A pointer that no headered allocator gave out, or that is freed twice, is misuse, reported at check level 1
 * as far as the 16 bytes in front of it show it; so is a size or alignment that is not the block's, and a
 * call of a headered allocator over another child than the one that the block is from.
 */
#ifndef HEAPYARD_HEADERED_H
#define HEAPYARD_HEADERED_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* A headered allocator: its child. */
typedef struct hy_headered {
    hy_allocator child;
} hy_headered;

/* The same as an initialiser of static storage. */
#define HY_HEADERED_INIT(child_allocator)                                                                    \
    { (child_allocator) }

/* Starts over the child. O(1). */
HY_INLINE void hy_headered_init(hy_headered *headered, hy_allocator child) {
    hy_require_child(child, "hy_headered_init");
    headered->child = child;
}

/* As malloc, calloc, realloc, aligned_alloc and free, with the child's memory. A size of 0 gives the
 * zero-size pointer, which free takes; realloc to 0 frees and gives it too, so NULL always means refused,
 * and then nothing has changed. count * size that overflows is refused. free(NULL) does nothing. O(1) plus
 * the child's cost, calloc plus the size. */
HY_API HY_WARN_UNUSED void *hy_headered_malloc(hy_headered *headered, size_t size);
HY_API HY_WARN_UNUSED void *hy_headered_calloc(hy_headered *headered, size_t count, size_t size);
HY_API HY_WARN_UNUSED void *hy_headered_realloc(hy_headered *headered, void *ptr, size_t size);
HY_API HY_WARN_UNUSED void *hy_headered_aligned_alloc(hy_headered *headered, hy_align align, size_t size);
HY_API void hy_headered_free(hy_headered *headered, void *ptr);

/* The size in bytes that a live block was asked with, 0 for NULL and the zero-size pointer; its alignment.
 * O(1).
 */
HY_API size_t hy_headered_size(const void *ptr);
HY_API hy_align hy_headered_align(const void *ptr);

/* As the vtable's slots; `self` is an hy_headered. */
HY_API void *hy_headered_alloc_sized(void *self, size_t size, hy_align align);
HY_API bool hy_headered_resize_sized(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_headered_remap_sized(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_headered_free_sized(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_headered_vtable = {
    hy_headered_alloc_sized, hy_headered_resize_sized, hy_headered_remap_sized, hy_headered_free_sized};

HY_INLINE hy_allocator hy_headered_allocator(hy_headered *headered) {
    hy_allocator allocator = {headered, &hy_headered_vtable};
    return allocator;
}

HY_END_DECLS

#endif
