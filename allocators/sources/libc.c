/* libc.c: malloc with any alignment.
 *
 * For: programs that have a C library and no better idea; the child of first resort.
 * Not for: an arena's child, where raw_libc asks malloc_usable_size less often.
 * Algorithm: the C library's. Cost: one call of malloc or free. Overhead: the C library's.
 * Thread-safe. Source: Zig's std.heap.c_allocator.
 */
#include <heapyard/libc.h>
#include <malloc.h>
#include <stdlib.h>

static const size_t size_max = PTRDIFF_MAX;

static bool malloc_aligns(hy_align align) {
    return hy_align_bytes(align) <= _Alignof(max_align_t);
}

static HY_COLD void *alloc_aligned(size_t size, hy_align align) {
    size_t bytes = hy_align_bytes(align);
    if (bytes > size_max) return NULL;
    void *ptr;
    return posix_memalign(&ptr, bytes, size) == 0 ? ptr : NULL;
}

void *hy_libc_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(malloc_aligns(align))) return malloc(size);
    return alloc_aligned(size, align);
}

bool hy_libc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)align;
    return new_size <= old_size || new_size <= malloc_usable_size(ptr);
}

void *hy_libc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (new_size > size_max) return NULL;
    if (malloc_aligns(align)) return realloc(ptr, new_size);
    return hy_libc_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

void hy_libc_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    free(ptr);
}
