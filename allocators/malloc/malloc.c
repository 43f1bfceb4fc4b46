/* malloc.c: malloc, calloc, realloc, free and their sized forms over the process's smp heap.
 *
 * For: programs that call malloc, and are linked to this library or preloaded with it. Not for: code that
 * knows its blocks' sizes and can call hy_smp_free with them.
 *
 * malloc is smp's own fast path: a class from the size, a pop from the thread's bin. free reads the class
 * from a map with a byte for each page of the heap, then pushes: it touches neither the block nor its slab.
 * There is no header, so every block is aligned to 16, also one of a byte.
 *
 * Semantics where the standards leave room, as glibc's manual has them: malloc(0) is a block of its own;
 * realloc(ptr, 0) frees and returns NULL; sizes above PTRDIFF_MAX are refused with ENOMEM; a failed call
 * changes nothing. free keeps errno. The sized frees look the class up as free does, so that a size that does
 * not agree (a base class without a virtual destructor) does no harm.
 *
 * Cost: malloc some 16 instructions, free some 20; below the thread's cache as smp. Overhead: as smp, and
 * sizes are rounded up to 16 bytes. Thread-safe: yes. Source: smp.c; the map of pages is tcmalloc's idea.
 */
#include "allocators/malloc/family.h"
#include "allocators/malloc/heap.h"
#include "allocators/strategies/smp_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

HY_SLOT HY_MALLOC_API void *malloc(size_t size) {
    return hy_malloc_take(size);
}

HY_SLOT HY_MALLOC_API void free(void *ptr) {
    hy_malloc_give(ptr);
}

HY_COLD static void *refuse_size(void) {
    errno = ENOMEM;
    return NULL;
}

/* Memory that comes from the system is zeroed already, which smp knows of large blocks only. */
HY_COLD static void *zeroed_large(size_t size) {
    int errno_before = errno;
    void *ptr = NULL;
    if (size <= PTRDIFF_MAX) ptr = hy_smp_heap_alloc_zeroed(&hy_smp_process_heap, size, HY_MALLOC_ALIGN);
    errno = ptr ? errno_before : ENOMEM;
    return ptr;
}

HY_MALLOC_API void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (HY_UNLIKELY(HY_MUL_OVERFLOWS(count, size, &bytes))) return refuse_size();
    if (HY_UNLIKELY(bytes > HY_SMP_SMALL_MAX)) return zeroed_large(bytes);
    void *ptr = hy_malloc_take(bytes);
    return HY_LIKELY(ptr != NULL) ? memset(ptr, 0, bytes) : NULL;
}

/* ---- realloc ---- */

/* What a block that grows by moving gets: a quarter more than it had, unless it is small, so that a chain of
 * small steps does not copy it at each. */
#define ROOM_MIN 512

static size_t with_room(size_t old_size, size_t size) {
    size_t room = old_size + old_size / 4;
    return old_size >= ROOM_MIN && size > old_size && room > size ? room : size;
}

/* To another place; the old block is ended only when the new one is there. */
static void *move(void *ptr, size_t old_size, size_t size) {
    int errno_before = errno;
    size_t wanted = with_room(old_size, size);
    void *moved = hy_malloc_take(wanted);
    if (HY_UNLIKELY(!moved && wanted > size)) {
        errno = errno_before;
        moved = hy_malloc_take(size);
    }
    if (HY_UNLIKELY(!moved)) return NULL;
    memcpy(moved, ptr, old_size < size ? old_size : size);
    hy_malloc_give(ptr);
    return moved;
}

/* A block of pages, or one that becomes one: grown or shrunk where it lies, or moved by smp, if it can be.
 * Which alignment it was asked with is not known; none but its address must be kept, and realloc promises
 * HY_MALLOC_ALIGN. */
HY_COLD static void *realloc_large(void *ptr, size_t old_size, size_t size, bool was_large) {
    hy_smp_heap *heap = &hy_smp_process_heap;
    int errno_before = errno;
    void *moved = NULL;
    if (size <= old_size && size > old_size - old_size / 4) return ptr; /* it may be growing into its room */
    /* A large block of few pages has its size from its alignment, and would be taken for a small one. */
    if (size > HY_SMP_SMALL_MAX && was_large == (old_size > HY_SMP_SMALL_MAX)) {
        if (hy_smp_heap_resize(heap, ptr, old_size, size, HY_MALLOC_ALIGN)) return ptr;
        moved = hy_smp_heap_remap(heap, ptr, old_size, with_room(old_size, size), HY_MALLOC_ALIGN);
    }
    errno = errno_before;
    return moved ? moved : move(ptr, old_size, size);
}

/* realloc of a block to a size that is neither 0 nor absurd. A block that shrinks to no less than half stays.
 */
static void *resize(void *ptr, size_t size) {
    size_t old_size = hy_smp_usable_size(&hy_smp_process_heap, ptr);
    if (HY_UNLIKELY(old_size == 0)) hy_corrupted("realloc", "the pointer is no block of malloc's");
    bool was_large = hy_smp_class_of(hy_smp_process_heap.core, ptr) == 0;
    if (was_large || size > HY_SMP_SMALL_MAX) return realloc_large(ptr, old_size, size, was_large);
    return size <= old_size && size >= old_size / 2 ? ptr : move(ptr, old_size, size);
}

HY_MALLOC_API void *realloc(void *ptr, size_t size) {
    if (!ptr) return hy_malloc_take(size);
    if (HY_UNLIKELY(size == 0)) {
        hy_malloc_give(ptr);
        return NULL;
    }
    if (HY_UNLIKELY(size > PTRDIFF_MAX)) return refuse_size();
    return resize(ptr, size);
}

HY_MALLOC_API void *reallocarray(void *ptr, size_t count, size_t size) {
    size_t bytes;
    if (HY_UNLIKELY(HY_MUL_OVERFLOWS(count, size, &bytes))) return refuse_size();
    return realloc(ptr, bytes);
}

/* ---- sized frees ---- */

/* The map of pages tells a block's class as fast as its size would, and a size that is wrong does no harm. */
HY_SLOT HY_MALLOC_API void free_sized(void *ptr, size_t size) {
    (void)size;
    hy_malloc_give(ptr);
}

HY_MALLOC_API void free_aligned_sized(void *ptr, size_t align, size_t size) {
    (void)align, (void)size;
    hy_malloc_give(ptr);
}

/* ---- glibc's other names ---- */

/* Programs linked before glibc 2.26 may call it. */
HY_MALLOC_API void cfree(void *ptr) {
    hy_malloc_give(ptr);
}

HY_MALLOC_API void *__libc_malloc(size_t size) __attribute__((alias("malloc")));
HY_MALLOC_API void *__libc_calloc(size_t count, size_t size) __attribute__((alias("calloc")));
HY_MALLOC_API void *__libc_realloc(void *ptr, size_t size) __attribute__((alias("realloc")));
HY_MALLOC_API void __libc_free(void *ptr) __attribute__((alias("free")));
