/* heapyard/smp.h: the general-purpose allocator: any size, any alignment, any thread.
 *
 * For production programs with threads. A thread allocates and frees from arrays of free blocks of its
 * own, one for each size class, without a lock or an atomic operation; what it has too much of, or lacks,
 * moves in batches to and from depots that all threads share. A block may be freed by any thread. Sizes
 * up to 32 KiB come from slabs of one class, larger ones as runs of pages.
 *
 *   hy_allocator gpa = hy_smp();                      the heap of the process
 *   char *text = hy_alloc_n(gpa, char, 100);
 *
 *   hy_smp_heap heap = HY_SMP_HEAP_INIT;              a heap of its own, freed as a whole at deinit
 *   if (hy_smp_init(&heap) == HY_OK) gpa = hy_smp_allocator(&heap);
 *
 * Blocks carry no header: the size and the alignment given back at free tell the class, so they must be
 * those of the allocation. A block of up to 128 bytes is rounded up to 8 bytes (or its alignment), above
 * that to less than an eighth of its size.
 *
 * Ownership: a heap reserves addresses from the system and owns all memory in it. Thread-safety: all
 * functions but init and deinit. Errors: NULL or false where the system refuses memory; nothing has changed
 * then. Memory goes back to the system as it is left unused, and at once by hy_smp_trim.
 * Cost: alloc and free ten instructions each where size and alignment are constant, else some twenty; a lock
 * a magazine (6 to 126 blocks, as the thread uses the class) where a thread only allocates or only frees.
 * Overhead: 96 bytes a slab of 4 to 64 KiB, 16 bytes a page. After Bonwick and Adams, "Magazines and Vmem"
 * (2001), and tcmalloc's transfer caches.
 */
#ifndef HEAPYARD_SMP_H
#define HEAPYARD_SMP_H

#include <heapyard/allocator.h>
#include <heapyard/error.h>
#include <heapyard/smp_lookup.h>
#include <heapyard/thread_slot.h>

HY_BEGIN_DECLS

/* Blocks up to this many bytes, at alignments up to a page, come from slabs. */
#define HY_SMP_SMALL_MAX ((size_t)32 << 10)
#define HY_SMP_SMALL_ALIGN_LOG2_MAX 12
/* Greater alignments than this are refused. */
#define HY_SMP_ALIGN_LOG2_MAX 30
/* Up to here there is a class every 8 bytes; then every 16 up to 1 KiB; then eight a doubling. */
#define HY_SMP_FINE_MAX ((size_t)128)
#define HY_SMP_LINEAR_MAX ((size_t)1024)
/* Classes are numbered by size / 8 up to 1 KiB, which leaves some numbers unused. */
#define HY_SMP_CLASS_COUNT (129 + 40)

/* An array of free blocks of one class. */
typedef struct hy_smp_magazine hy_smp_magazine;

/* A thread's free blocks of one class: those of a magazine, and of a spare one. */
typedef struct hy_smp_bin {
    void **top;             /* behind the block to be handed out next */
    void **base;            /* the magazine's first place */
    void **limit;           /* behind its last */
    hy_smp_magazine *spare; /* NULL: none yet */
} hy_smp_bin;

/* All of a thread's bins in one heap. */
typedef struct hy_smp_cache {
    hy_smp_bin bins[HY_SMP_CLASS_COUNT];
    struct hy_smp_cache *next;  /* of all caches of the heap */
    struct hy_smp_cache *spare; /* of those whose threads have ended */
    uint32_t trips;             /* to the depots */
    uint32_t shard;             /* whose depots it uses first */
    uint32_t shed_number;       /* of the heap's, up to which it has given up its magazines */
    bool is_changing;           /* its thread is exchanging magazines */
    bool is_shrinking;          /* surplus was given back, and its thread has only freed since */
    bool is_spare;              /* no thread has it */
} hy_smp_cache;

/* What a heap keeps beside its blocks; in memory of its own. */
typedef struct hy_smp_core hy_smp_core;

/* A heap. */
typedef struct hy_smp_heap {
    hy_smp_core *core;         /* NULL: not begun */
    struct hy_smp_heap *next;  /* of all heaps of the process */
    struct hy_smp_heap **link; /* what points to this one */
    /* By thread slot; slot 0 is for threads that have none, and always empty. */
    hy_smp_cache *caches[HY_THREAD_SLOTS];
} hy_smp_heap;

/* A heap that has not begun. A macro because it must serve as an initialiser. */
#define HY_SMP_HEAP_INIT                                                                                     \
    {                                                                                                        \
        NULL, NULL, NULL, {                                                                                  \
            NULL                                                                                             \
        }                                                                                                    \
    }

/* The calling thread's cache in the heap of the process; never NULL: an empty one until its first call. */
extern HY_API HY_THREAD_LOCAL hy_smp_cache *hy_smp_own_cache __attribute__((tls_model("initial-exec")));

/* How a heap deals with the system's pages. */
typedef struct hy_smp_options {
    /* More free memory than this, and than twice what is live, goes back to the system at once (1 MiB). */
    size_t surplus_min_bytes;
    /* But no surplus does so long after it did and was needed again (250); longer where that happens often.
     */
    uint64_t hold_ms;
    /* From so much in use on, what the heap grows into is asked for as huge pages (32 MiB); SIZE_MAX: never.
     */
    size_t huge_min_bytes;
} hy_smp_options;

/* What a heap has now; or will have, where it has not begun yet. */
HY_API hy_smp_options hy_smp_get_options(const hy_smp_heap *heap);
/* Changes that, before other threads use the heap; false: it has not begun and can't, nothing changed. */
HY_API bool hy_smp_set_options(hy_smp_heap *heap, const hy_smp_options *options);

/* Starts a heap. HY_OUT_OF_MEMORY: the system has no addresses left; nothing is kept. */
HY_API hy_error hy_smp_init(hy_smp_heap *heap);

/* Ends every block of the heap and gives all its memory back. No other thread may use it any more. */
HY_API void hy_smp_deinit(hy_smp_heap *heap);

/* Whether slabs serve the request: else it is one for page runs. */
HY_INLINE bool hy_smp_is_small(size_t size, hy_align align) {
    return size <= HY_SMP_SMALL_MAX && align.log2 <= HY_SMP_SMALL_ALIGN_LOG2_MAX;
}

/* The class of a small request, worked out. The size is rounded up to its alignment first: every class has
 * the alignment of the greatest power of two that divides its size. O(1), and folded where both are known. */
HY_INLINE uint32_t hy_smp_class(size_t size, hy_align align) {
    size_t rounded = hy_align_forward(size, align);
    if (HY_LIKELY(rounded <= HY_SMP_LINEAR_MAX)) {
        size_t mask = rounded > HY_SMP_FINE_MAX ? 15 : 7;
        return (uint32_t)(((rounded + mask) & ~mask) >> 3);
    }
    unsigned doubling = 63u - (unsigned)__builtin_clzll((unsigned long long)(rounded - 1)); /* 10 … 14 */
    unsigned eighth = (unsigned)((rounded - 1) >> (doubling - 3)) - 8;
    return 129 + (doubling - 10) * 8 + eighth;
}

/* The class whose bin serves the request on the fast path; 0, whose bin is always empty and full: another
 * path has to. */
HY_INLINE uint32_t hy_smp_fast_class(size_t size, hy_align align) {
    if (__builtin_constant_p(size) && __builtin_constant_p(align.log2))
        return hy_smp_is_small(size, align) ? hy_smp_class(size, align) : 0;
    HY_ASSUME(align.log2 < 64);
    if (HY_LIKELY(size <= HY_SMP_LINEAR_MAX)) return hy_smp_class_lookup[align.log2][(size - 1) >> 3];
    bool is_there = size <= HY_SMP_SMALL_MAX && align.log2 <= HY_SMP_LOOKUP_ALIGN_LOG2_MAX;
    return HY_LIKELY(is_there) ? hy_smp_class_lookup_above[(size - 1) >> 7] : 0;
}

/* The other ways: the bins are empty or full, the request is large, or the thread is new. */
HY_API void *hy_smp_alloc_slow(hy_smp_heap *heap, size_t size, hy_align align);
HY_API void hy_smp_free_slow(hy_smp_heap *heap, void *ptr, size_t size, hy_align align);

/* Ends the program where ptr is no block of the heap of that size and alignment, as far as that can be told
 * in constant time: what frees and resizes do at check level 1. */
HY_API void hy_smp_require_block(const hy_smp_heap *heap, const void *ptr, size_t size, hy_align align);

/* The heap of the process, for hy_smp_trim and its like. */
extern HY_API hy_smp_heap hy_smp_process_heap;

/* The calling thread's cache in a heap, or NULL. */
HY_INLINE hy_smp_cache *hy_smp_cache_of(const hy_smp_heap *heap) {
    return heap->caches[hy_thread_slot];
}

/* Takes the newest block of the bin; NULL: it is empty. */
HY_INLINE void *hy_smp_bin_pop(hy_smp_bin *bin) {
    void **top = bin->top;
    if (HY_UNLIKELY(top == bin->base)) return NULL;
    bin->top = top - 1;
    return top[-1];
}

/* Puts a block into the bin; false: it is full. */
HY_INLINE bool hy_smp_bin_push(hy_smp_bin *bin, void *ptr) {
    void **top = bin->top;
    if (HY_UNLIKELY(top == bin->limit)) return false;
    *top = ptr;
    /* In this order also for a child of fork, which takes over what its parent's other threads had. */
    __atomic_store_n(&bin->top, top + 1, __ATOMIC_RELEASE);
    return true;
}

HY_INLINE void *hy_smp_cache_alloc(hy_smp_cache *cache, hy_smp_heap *heap, size_t size, hy_align align) {
    hy_smp_bin *bin = &cache->bins[hy_smp_fast_class(size, align)];
    void **top = bin->top;
    if (HY_UNLIKELY(top == bin->base)) return hy_smp_alloc_slow(heap, size, align);
    bin->top = top - 1;
    hy_unpoison(top[-1], size);
    return top[-1];
}

HY_INLINE void hy_smp_cache_free(
    hy_smp_cache *cache, hy_smp_heap *heap, void *ptr, size_t size, hy_align align) {
    if (HY_CHECK >= 1) hy_smp_require_block(heap, ptr, size, align);
    hy_poison(ptr, size);
    bool is_done = hy_smp_bin_push(&cache->bins[hy_smp_fast_class(size, align)], ptr);
    if (HY_UNLIKELY(!is_done)) hy_smp_free_slow(heap, ptr, size, align);
}

/* A block from the heap of the process; NULL: the system refuses. Requires: size > 0. */
HY_INLINE HY_WARN_UNUSED void *hy_smp_alloc(size_t size, hy_align align) {
    return hy_smp_cache_alloc(hy_smp_own_cache, &hy_smp_process_heap, size, align);
}

/* Ends a block of the heap of the process. size, align: as it lives with. */
HY_INLINE void hy_smp_free(void *ptr, size_t size, hy_align align) {
    hy_smp_cache_free(hy_smp_own_cache, &hy_smp_process_heap, ptr, size, align);
}

/* The same in a heap that was begun. */
HY_INLINE HY_WARN_UNUSED void *hy_smp_heap_alloc(hy_smp_heap *heap, size_t size, hy_align align) {
    return hy_smp_cache_alloc(hy_smp_cache_of(heap), heap, size, align);
}

HY_INLINE void hy_smp_heap_free(hy_smp_heap *heap, void *ptr, size_t size, hy_align align) {
    hy_smp_cache_free(hy_smp_cache_of(heap), heap, ptr, size, align);
}

/* Changes a block's size where it lies: within its class, or a large one by pages behind it. False: it
 * can't be, nothing changed. Requires: both sizes > 0. */
HY_API HY_WARN_UNUSED bool hy_smp_heap_resize(
    hy_smp_heap *heap, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* The same, but a block that becomes a large one may move: by page tables where that costs less than a copy,
 * else by a copy into pages that are made ready for it. NULL: refused, or both sizes are small and the caller
 * should copy; nothing changed. */
HY_API HY_WARN_UNUSED void *hy_smp_heap_remap(
    hy_smp_heap *heap, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* The bytes that a live block may be used up to: its class's size, or its pages'; at least what it was asked
 * with. 0: no block of the heap begins there, as far as that can be told without its size. O(1), no lock. */
HY_API size_t hy_smp_usable_size(const hy_smp_heap *heap, const void *ptr);

/* Whether ptr lies in memory that the heap has had in use: in a block, live or free. O(1), no lock. */
HY_API bool hy_smp_owns(const hy_smp_heap *heap, const void *ptr);

/* A block whose bytes are all zero; memory that comes zeroed from the system is not written again. NULL:
 * refused. Requires: size > 0. */
HY_API HY_WARN_UNUSED void *hy_smp_heap_alloc_zeroed(hy_smp_heap *heap, size_t size, hy_align align);

/* Ends a block without its size: one lookup more than hy_smp_heap_free. A pointer that is no block of the
 * heap ends the program, as far as that shows. */
HY_API void hy_smp_heap_free_unsized(hy_smp_heap *heap, void *ptr);

/* Gives back what is free: the calling thread's cache, the depots, and all pages that hold nothing. Returns
 * the bytes that the system got. O(free blocks + pages). */
HY_API size_t hy_smp_trim(hy_smp_heap *heap);

/* Walks the whole heap; whether all of it holds together. Takes every lock; other threads' caches are not
 * looked into. O(pages). */
HY_API bool hy_smp_check(hy_smp_heap *heap);

/* The vtable's slots; of the process's heap, where self is not read, and of one that was begun. */
HY_API void *hy_smp_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_smp_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_smp_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_smp_slot_free(void *self, void *ptr, size_t size, hy_align align);
HY_API void *hy_smp_heap_slot_alloc(void *self, size_t size, hy_align align);
HY_API void hy_smp_heap_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_smp_vtable = {
    hy_smp_slot_alloc, hy_smp_slot_resize, hy_smp_slot_remap, hy_smp_slot_free};
static const hy_vtable hy_smp_heap_vtable = {
    hy_smp_heap_slot_alloc, hy_smp_slot_resize, hy_smp_slot_remap, hy_smp_heap_slot_free};

/* The heap of the process as a value. */
HY_INLINE hy_allocator hy_smp(void) {
    hy_allocator allocator = {&hy_smp_process_heap, &hy_smp_vtable};
    return allocator;
}

/* A heap's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_smp_allocator(hy_smp_heap *heap) {
    hy_allocator allocator = {heap, &hy_smp_heap_vtable};
    return allocator;
}

HY_END_DECLS

#endif
