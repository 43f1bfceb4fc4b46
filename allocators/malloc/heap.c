/* heap.c: the slow paths of the malloc family: what the calling thread's cache can't serve alone. */
#include "allocators/malloc/heap.h"
#include "allocators/strategies/smp_core.h"

#include <errno.h>

hy_malloc_page_map hy_malloc_pages;

_Static_assert(HY_SMP_PAGE == HY_MALLOC_PAGE, "heap.h divides by it");

/* The heap begins with the process's first allocation, long before a second thread could. */
static void learn_pages(void) {
    const hy_smp_core *core = hy_smp_process_heap.core;
    if (!core) return;
    hy_malloc_pages = (hy_malloc_page_map){
        .base = core->base,
        .size = (size_t)core->page_limit << HY_SMP_PAGE_SHIFT,
        .classes = core->class_of_page,
    };
}

/* Where the library is loaded by dlopen into a process with threads, they must find the heap begun. */
__attribute__((constructor)) static void begin(void) {
    hy_malloc_give(hy_malloc_take(1));
}

HY_COLD void *hy_malloc_aligned_slow(size_t size, hy_align align) {
    int errno_before = errno;
    void *ptr = NULL;
    if (size <= PTRDIFF_MAX) ptr = hy_smp_alloc(size ? size : 1, align);
    if (HY_UNLIKELY(hy_malloc_pages.size == 0)) learn_pages();
    errno = ptr ? errno_before : ENOMEM;
    return ptr;
}

/* Sizes above 1 KiB are served from here as fast as by smp itself. */
HY_NOINLINE void *hy_malloc_slow(size_t size) {
    if (HY_LIKELY(size - 1 < HY_SMP_SMALL_MAX)) {
        void *ptr = hy_smp_bin_pop(&hy_smp_own_cache->bins[hy_smp_fast_class(size, HY_MALLOC_ALIGN)]);
        if (HY_LIKELY(ptr != NULL)) return ptr;
    }
    return hy_malloc_aligned_slow(size, HY_MALLOC_ALIGN);
}

/* Few bytes at a great alignment have whole pages too: that they are no slab's is said by an alignment which
 * no slab serves. */
static void free_pages(void *ptr) {
    size_t size = hy_smp_usable_size(&hy_smp_process_heap, ptr);
    if (size == 0) hy_corrupted("free", "the pointer is no block of malloc's");
    hy_smp_free(ptr, size, hy_align_from_log2(HY_SMP_SMALL_ALIGN_LOG2_MAX + 1));
}

HY_COLD void hy_malloc_free_slow(void *ptr) {
    if (!ptr) return;
    int errno_before = errno;
    const hy_smp_core *core = hy_smp_process_heap.core;
    uint32_t number = core && hy_smp_contains(core, ptr) ? hy_smp_class_of(core, ptr) : 0;
    if (number)
        hy_smp_free(ptr, hy_smp_class_size(number), HY_ALIGN_1);
    else
        free_pages(ptr);
    errno = errno_before;
}
