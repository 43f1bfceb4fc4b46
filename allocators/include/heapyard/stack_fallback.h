/* heapyard/stack_fallback.h: a buffer on the stack or in an object first, a child behind it.
 *
 * For what is small nearly always and large sometimes: the small case touches no heap.
 *
 *   HY_STACK_FALLBACK(scratch, 4096, hy_libc());       a buffer in this frame, gone at its end
 *   char *path = hy_alloc_n(hy_stack_fallback_allocator(&scratch), char, length);
 *
 *   struct parser {                                    a buffer inside an object
 *       hy_stack_fallback scratch;
 *       char scratch_bytes[4096];
 *   };
 *   hy_stack_fallback_init(&parser->scratch, parser->scratch_bytes, sizeof parser->scratch_bytes, gpa);
 *
 * A request that the buffer has room for is served there, any other by the child. Whether a block is freed
 * and resized in the buffer or by the child is decided by its address. In the buffer the newest block can be
 * freed and resized, as in a fixed_buffer; when its last live block is freed the whole of it can be used
 * again. A block of the buffer that no longer fits is refused by resize and remap, and moved by hy_realloc.
 *
 * Blocks of the child outlive the struct and are its caller's to free, like those of the buffer, before the
 * frame or the object ends; there is no reset. hy_stack_fallback_allocator changes nothing: it may be taken
 * as often as is convenient.
 *
 * Ownership: the buffer and the child are the caller's. In builds with AddressSanitizer, and under Valgrind,
 * the buffer must not be touched beside its blocks until hy_stack_fallback_deinit. The struct must not be
 * copied or moved while blocks are live.
 * Thread-safety: allocating, and all that is done to blocks of the buffer, for one thread at a time; blocks
 * of the child may be freed, resized and remapped from any thread where the child allows that. Errors: NULL
 * or false where neither has room; nothing has changed then. Misuse, reported at check level 1: a block of
 * the buffer while none lives there, or one that ends behind what is handed out; so the newest freed twice,
 * but not an older one, whose second free may end a block that lives (hy_validating_indexed over this reports
 * it).
 * Greatest alignment: what the buffer happens to have room for, above the child's only there. Cost: O(1)
 * plus, behind the buffer, the child's. Overhead per block: none but alignment. After Zig's stackFallback,
 * whose buffer starts anew each time that its allocator is taken.
 */
#ifndef HEAPYARD_STACK_FALLBACK_H
#define HEAPYARD_STACK_FALLBACK_H

#include <heapyard/fixed_buffer.h>

HY_BEGIN_DECLS

/* A buffer with a child behind it: fields are for the inline functions below. */
typedef struct hy_stack_fallback {
    hy_fixed_buffer fixed;
    hy_allocator child;
    size_t live_count; /* blocks of the buffer that are live */
} hy_stack_fallback;

/* Starts on [buffer, buffer + size), with the child behind it. buffer may be NULL where size is 0: then the
 * child serves everything. O(1). */
HY_API void hy_stack_fallback_init(
    hy_stack_fallback *fallback, void *buffer, size_t size, hy_allocator child);

/* Ends the buffer's blocks, gives it back to its owner's own use, and leaves the child's blocks alone. The
 * struct can be initialised again. O(1). */
HY_API void hy_stack_fallback_deinit(hy_stack_fallback *fallback);

/* Declares an hy_stack_fallback `name` with a buffer of so many bytes in the enclosing block, and ends it
 * where that is left. A macro because a function's own frame is gone when it returns. `bytes` is a
 * constant of at least 1. */
#define HY_STACK_FALLBACK(name, bytes, child_allocator)                                                      \
    char name##_bytes[bytes] __attribute__((aligned(16)));                                                   \
    hy_stack_fallback name __attribute__((cleanup(hy_stack_fallback_deinit)));                               \
    hy_stack_fallback_init(&name, name##_bytes, sizeof name##_bytes, (child_allocator))

/* Whether ptr lies in the buffer, handed out or not. */
HY_INLINE bool hy_stack_fallback_owns(const hy_stack_fallback *fallback, const void *ptr) {
    return hy_fixed_buffer_owns(&fallback->fixed, ptr);
}

/* The buffer's size in bytes; how many of these are handed out, lost to alignment or waiting for the last
 * block to be freed. */
HY_INLINE size_t hy_stack_fallback_capacity(const hy_stack_fallback *fallback) {
    return hy_fixed_buffer_capacity(&fallback->fixed);
}

HY_INLINE size_t hy_stack_fallback_used(const hy_stack_fallback *fallback) {
    return hy_fixed_buffer_used(&fallback->fixed);
}

/* Whether the struct holds together. */
HY_API bool hy_stack_fallback_check(const hy_stack_fallback *fallback);

/* The four functions where the buffer is concerned: a request that it may have room for, and blocks of it. */
HY_API HY_WARN_UNUSED void *hy_stack_fallback_alloc_inside(
    hy_stack_fallback *fallback, size_t size, hy_align align);
HY_API HY_WARN_UNUSED bool hy_stack_fallback_resize_inside(hy_stack_fallback *fallback, void *ptr,
    size_t old_size, size_t new_size, hy_align align, const char *function);
HY_API void hy_stack_fallback_free_inside(
    hy_stack_fallback *fallback, void *ptr, size_t size, hy_align align);

/* The entry points, as in the vtable: a comparison, then the buffer or the child. `self` is an
 * hy_stack_fallback. */
HY_INLINE void *hy_stack_fallback_alloc(void *self, size_t size, hy_align align) {
    hy_stack_fallback *fallback = (hy_stack_fallback *)self;
    if (size > fallback->fixed.end - fallback->fixed.next)
        return fallback->child.vtable->alloc(fallback->child.self, size, align);
    return hy_stack_fallback_alloc_inside(fallback, size, align);
}

HY_INLINE bool hy_stack_fallback_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_stack_fallback *fallback = (hy_stack_fallback *)self;
    if (!hy_stack_fallback_owns(fallback, ptr))
        return fallback->child.vtable->resize(fallback->child.self, ptr, old_size, new_size, align);
    return hy_stack_fallback_resize_inside(fallback, ptr, old_size, new_size, align, "hy_resize");
}

HY_INLINE void *hy_stack_fallback_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_stack_fallback *fallback = (hy_stack_fallback *)self;
    if (!hy_stack_fallback_owns(fallback, ptr))
        return fallback->child.vtable->remap(fallback->child.self, ptr, old_size, new_size, align);
    return hy_stack_fallback_resize_inside(fallback, ptr, old_size, new_size, align, "hy_remap") ? ptr : NULL;
}

HY_INLINE void hy_stack_fallback_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_stack_fallback *fallback = (hy_stack_fallback *)self;
    if (!hy_stack_fallback_owns(fallback, ptr)) {
        fallback->child.vtable->free(fallback->child.self, ptr, size, align);
        return;
    }
    hy_stack_fallback_free_inside(fallback, ptr, size, align);
}

static const hy_vtable hy_stack_fallback_vtable = {
    hy_stack_fallback_alloc, hy_stack_fallback_resize, hy_stack_fallback_remap, hy_stack_fallback_free};

/* The allocator's value, which may be taken any number of times; the struct must outlive it. */
HY_INLINE hy_allocator hy_stack_fallback_allocator(hy_stack_fallback *fallback) {
    hy_allocator allocator = {fallback, &hy_stack_fallback_vtable};
    return allocator;
}

HY_END_DECLS

#endif
