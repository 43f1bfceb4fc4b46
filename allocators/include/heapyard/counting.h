/* heapyard/counting.h: counts what passes through to a child.
 *
 *   hy_counting counting = HY_COUNTING_INIT(hy_libc());
 *   run(hy_counting_allocator(&counting));
 *   printf("%zu bytes at most\n", counting.counts.peak_bytes);
 *
 * Counted: calls of each kind and their refusals, live, peak and total bytes as their users asked for
 * them, and a histogram of the sizes. Cheap enough to leave on. Two forms:
 *
 *   hy_counting         for one thread at a time: plain counters, exact at every moment
 *   hy_counting_shared  for many: each thread writes counters of its own; sums are exact while no
 *                       thread is inside a call, and the peak to within HY_COUNTING_BATCH bytes a thread
 *
 * Both pass every call on, answer what the child answers, and own nothing: there is nothing to end.
 * Greatest alignment, order of frees, growing in place: the child's. Reset of the child goes past
 * them and is not seen.
 */
#ifndef HEAPYARD_COUNTING_H
#define HEAPYARD_COUNTING_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* Bucket b of the histogram counts blocks of 2^(b-1) < size <= 2^b bytes. */
#define HY_COUNTING_BUCKETS 65

/* What is counted, since init. */
typedef struct hy_counts {
    uint64_t alloc_count; /* calls that were served; likewise below */
    uint64_t resize_count;
    uint64_t remap_count;
    uint64_t free_count;
    uint64_t alloc_refused_count;
    uint64_t resize_refused_count;
    uint64_t remap_refused_count;
    size_t live_bytes;    /* handed out and not freed */
    size_t peak_bytes;    /* the greatest live_bytes so far */
    uint64_t total_bytes; /* of all blocks, and of what blocks grew by */
    uint64_t size_histogram[HY_COUNTING_BUCKETS];
} hy_counts;

/* The bucket of a size > 0. O(1). */
HY_INLINE unsigned hy_counting_bucket(size_t size) {
    return size <= 1 ? 0 : 64u - (unsigned)__builtin_clzll((unsigned long long)(size - 1));
}

/* A counter over a child, for one thread. */
typedef struct hy_counting {
    hy_allocator child;
    hy_counts counts;
} hy_counting;

/* The same as an initialiser of static storage, and as a function. */
#define HY_COUNTING_INIT(child_allocator)                                                                    \
    {                                                                                                        \
        (child_allocator), {                                                                                 \
            0                                                                                                \
        }                                                                                                    \
    }

/* Starts all counts at 0. O(1). */
HY_INLINE void hy_counting_init(hy_counting *counting, hy_allocator child) {
    hy_require_child(child, "hy_counting_init");
    memset(counting, 0, sizeof *counting);
    counting->child = child;
}

/* Counts bytes that became live. */
HY_INLINE void hy_counts_grow(hy_counts *counts, size_t bytes) {
    counts->live_bytes += bytes;
    counts->total_bytes += bytes;
    if (counts->live_bytes > counts->peak_bytes) counts->peak_bytes = counts->live_bytes;
    HY_ASSERT(counts->live_bytes >= bytes, "the live bytes have passed SIZE_MAX");
}

/* A live block changed its size. */
HY_INLINE void hy_counts_change(hy_counts *counts, size_t old_size, size_t new_size) {
    HY_ASSERT(counts->live_bytes >= old_size, "a block to resize is larger than all live ones together");
    if (new_size > old_size)
        hy_counts_grow(counts, new_size - old_size);
    else
        counts->live_bytes -= old_size - new_size;
    HY_ASSERT(counts->live_bytes <= counts->peak_bytes, "more bytes are live than the peak");
}

/* The entry points, as in the vtable; direct use saves the indirect call. `self` is an hy_counting.
 * Each is the child's call plus a few counters. Not thread-safe. */
HY_INLINE void *hy_counting_alloc(void *self, size_t size, hy_align align) {
    hy_counting *counting = (hy_counting *)self;
    void *ptr = counting->child.vtable->alloc(counting->child.self, size, align);
    if (HY_UNLIKELY(!ptr)) {
        counting->counts.alloc_refused_count++;
        return NULL;
    }
    counting->counts.alloc_count++;
    counting->counts.size_histogram[hy_counting_bucket(size)]++;
    hy_counts_grow(&counting->counts, size);
    return ptr;
}

HY_INLINE bool hy_counting_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_counting *counting = (hy_counting *)self;
    if (!counting->child.vtable->resize(counting->child.self, ptr, old_size, new_size, align)) {
        counting->counts.resize_refused_count++;
        return false;
    }
    counting->counts.resize_count++;
    hy_counts_change(&counting->counts, old_size, new_size);
    return true;
}

HY_INLINE void *hy_counting_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_counting *counting = (hy_counting *)self;
    void *moved = counting->child.vtable->remap(counting->child.self, ptr, old_size, new_size, align);
    if (!moved) {
        counting->counts.remap_refused_count++;
        return NULL;
    }
    counting->counts.remap_count++;
    hy_counts_change(&counting->counts, old_size, new_size);
    return moved;
}

HY_INLINE void hy_counting_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_counting *counting = (hy_counting *)self;
    counting->counts.free_count++;
    HY_ASSERT(counting->counts.live_bytes >= size, "a block to free is larger than all live ones together");
    counting->counts.live_bytes -= size;
    counting->child.vtable->free(counting->child.self, ptr, size, align);
}

static const hy_vtable hy_counting_vtable = {
    hy_counting_alloc, hy_counting_resize, hy_counting_remap, hy_counting_free};

HY_INLINE hy_allocator hy_counting_allocator(hy_counting *counting) {
    hy_allocator allocator = {counting, &hy_counting_vtable};
    return allocator;
}

/* Whether the counters agree with each other: not while another thread counts. O(buckets). */
HY_API bool hy_counts_check(const hy_counts *counts);

/* Threads with counters of their own; later ones share a set, more slowly. */
#define HY_COUNTING_SHARDS 32
/* A thread adds its live bytes to the common counter when they have changed by this much. */
#define HY_COUNTING_BATCH 16384

/* What one thread counted. */
typedef struct hy_counting_shard {
    hy_counts counts __attribute__((aligned(HY_CACHE_LINE)));
    int64_t pending_bytes; /* live bytes that `live_bytes` of the whole doesn't have yet */
} hy_counting_shard;

/* A counter over a child, for many threads. */
typedef struct hy_counting_shared {
    hy_allocator child;
    int64_t live_bytes __attribute__((aligned(HY_CACHE_LINE)));
    int64_t peak_bytes;
    hy_counting_shard shards[HY_COUNTING_SHARDS + 1]; /* the last one is shared */
} hy_counting_shared;

/* Starts all counts at 0. Before any other thread sees it. O(bytes of the struct), which has a shard for each
 * of HY_COUNTING_SHARDS threads, some 21 KB in all. */
HY_API void hy_counting_shared_init(hy_counting_shared *counting, hy_allocator child);

/* The sum over all threads. May be called while others allocate: then each counter is one that it
 * had, but not all at the same moment. O(threads seen × buckets). Thread-safe. */
HY_API hy_counts hy_counting_shared_counts(const hy_counting_shared *counting);

/* As the vtable's slots; thread-safe where the child is. No lock, no atomic read-modify-write but for
 * threads beyond HY_COUNTING_SHARDS and once a batch. */
HY_API void *hy_counting_shared_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_counting_shared_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_counting_shared_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_counting_shared_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_counting_shared_vtable = {
    hy_counting_shared_alloc, hy_counting_shared_resize, hy_counting_shared_remap, hy_counting_shared_free};

HY_INLINE hy_allocator hy_counting_shared_allocator(hy_counting_shared *counting) {
    hy_allocator allocator = {counting, &hy_counting_shared_vtable};
    return allocator;
}

HY_END_DECLS

#endif
