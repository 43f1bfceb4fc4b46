/* aligned.c: the functions of the malloc family that take an alignment.
 *
 * For each other, an alignment that makes no sense is another thing: aligned_alloc refuses what is no power
 * of two (C17), posix_memalign also what is less than a pointer (POSIX), memalign rounds it up (glibc).
 * Alignments up to a page are those of a class, where the size is rounded up to the alignment; greater ones
 * are page runs.
 */
#include "allocators/malloc/family.h"
#include "allocators/malloc/heap.h"
#include <heapyard/os.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

static void *refuse(int reason) {
    errno = reason;
    return NULL;
}

/* align: a power of two. NULL with errno: refused. */
static void *take_aligned(size_t align, size_t size) {
    if (align <= hy_align_bytes(HY_MALLOC_ALIGN)) return hy_malloc_take(size);
    hy_align log2 = hy_align_from_bytes(align);
    if (HY_LIKELY(size > 0 && hy_smp_is_small(size, log2))) {
        void *ptr = hy_smp_bin_pop(&hy_smp_own_cache->bins[hy_smp_class(size, log2)]);
        if (HY_LIKELY(ptr != NULL)) return ptr;
    }
    return hy_malloc_aligned_slow(size, log2);
}

HY_MALLOC_API void *aligned_alloc(size_t align, size_t size) {
    return hy_is_power_of_two(align) ? take_aligned(align, size) : refuse(EINVAL);
}

HY_MALLOC_API int posix_memalign(void **out, size_t align, size_t size) {
    if (!hy_is_power_of_two(align) || align < sizeof(void *)) return EINVAL;
    int errno_before = errno;
    void *ptr = take_aligned(align, size);
    errno = errno_before;
    if (!ptr) return ENOMEM;
    *out = ptr;
    return 0;
}

HY_MALLOC_API void *memalign(size_t align, size_t size) {
    if (align <= hy_align_bytes(HY_MALLOC_ALIGN)) return hy_malloc_take(size);
    if (align > SIZE_MAX / 2 + 1) return refuse(EINVAL);
    unsigned log2 = 64u - (unsigned)__builtin_clzll((unsigned long long)align - 1);
    return take_aligned((size_t)1 << log2, size);
}

HY_MALLOC_API void *valloc(size_t size) {
    return take_aligned(hy_page_size(), size);
}

/* Whole pages, and one at least. */
HY_MALLOC_API void *pvalloc(size_t size) {
    size_t page = hy_page_size(), rounded;
    if (!hy_align_forward_checked(size ? size : 1, hy_align_from_bytes(page), &rounded))
        return refuse(ENOMEM);
    return take_aligned(page, rounded);
}

HY_MALLOC_API void *__libc_memalign(size_t align, size_t size) __attribute__((alias("memalign")));
HY_MALLOC_API void *__libc_valloc(size_t size) __attribute__((alias("valloc")));
HY_MALLOC_API void *__libc_pvalloc(size_t size) __attribute__((alias("pvalloc")));
HY_MALLOC_API int __posix_memalign(void **out, size_t align, size_t size)
    __attribute__((alias("posix_memalign")));
