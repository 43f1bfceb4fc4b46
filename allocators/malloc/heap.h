/* heap.h: the fast paths that the functions of the malloc family and the C++ operators share.
 *
 * All of them work on the process's smp heap. What malloc adds to smp's own fast paths is a block's class
 * from its address alone (hy_malloc_pages), since free is given no size. A bin of class 0 never has room or
 * blocks, so that an address in no slab, whose class is 0, takes the slow path without a test of its own.
 */
#ifndef HEAPYARD_MALLOC_HEAP_H
#define HEAPYARD_MALLOC_HEAP_H

#include <heapyard/smp.h>

HY_BEGIN_DECLS

/* On a function of the family: what a program sees of the library. */
#define HY_MALLOC_API __attribute__((visibility("default")))

/* For C++, which could make no tail calls of it otherwise. */
#define HY_MALLOC_NOTHROW __attribute__((nothrow))

/* What every block is aligned to: the ABI's max_align_t, whatever the block's size. */
#define HY_MALLOC_ALIGN HY_ALIGN_16

/* The heap's page, in bytes. */
#define HY_MALLOC_PAGE ((size_t)4096)

/* Where the heap's pages lie, and the class of each. All zero until the heap has begun, which is before
 * the process has a second thread; no address lies in it then. */
typedef struct hy_malloc_page_map {
    uintptr_t base;
    size_t size;            /* bytes */
    const uint8_t *classes; /* by page; 0: no slab's */
} hy_malloc_page_map;

extern hy_malloc_page_map hy_malloc_pages __attribute__((visibility("hidden")));

/* The other ways: a bin is empty or full, the size is large, 0 or absurd, the pointer NULL or foreign. NULL
 * with ENOMEM in errno where there is no memory; else errno stays. */
void *hy_malloc_slow(size_t size) HY_MALLOC_NOTHROW;
void *hy_malloc_aligned_slow(size_t size, hy_align align) HY_MALLOC_NOTHROW;
void hy_malloc_free_slow(void *ptr) HY_MALLOC_NOTHROW;

/* The class of sizes from 1 to HY_SMP_LINEAR_MAX at HY_MALLOC_ALIGN, which are all multiples of 16: what
 * hy_smp_class would say in more instructions. */
HY_INLINE size_t hy_malloc_class(size_t size) {
    return (size + 15) / 16 * 2;
}

/* A block that the thread's cache has at hand; NULL: take the slow path. Sizes of no bytes wrap around, and
 * go there with the large ones. */
HY_INLINE void *hy_malloc_pop(size_t size) {
    if (HY_UNLIKELY(size - 1 >= HY_SMP_LINEAR_MAX)) return NULL;
    return hy_smp_bin_pop(&hy_smp_own_cache->bins[hy_malloc_class(size)]);
}

/* malloc. */
HY_INLINE void *hy_malloc_take(size_t size) {
    void *ptr = hy_malloc_pop(size);
    return HY_LIKELY(ptr != NULL) ? ptr : hy_malloc_slow(size);
}

/* free. */
HY_INLINE void hy_malloc_give(void *ptr) {
    uintptr_t offset = (uintptr_t)ptr - hy_malloc_pages.base;
    if (HY_LIKELY(offset < hy_malloc_pages.size)) {
        size_t number = hy_malloc_pages.classes[offset / HY_MALLOC_PAGE];
        if (HY_LIKELY(hy_smp_bin_push(&hy_smp_own_cache->bins[number], ptr))) return;
    }
    hy_malloc_free_slow(ptr);
}

HY_END_DECLS

#endif
