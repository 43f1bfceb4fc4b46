/* counting.c: counts what passes through to a child.
 *
 * For: finding out what a program asks of its allocator; budgets in tests; an arena's child, to show
 *   what the arena takes. Not for: finding leaks by block (it has no index of blocks).
 * Algorithm: the form for one thread adds to plain fields. The form for many gives each of the first
 *   threads a shard that it alone writes, so that its additions are plain loads and stores; only the
 *   live bytes, whose peak needs all threads, go to a common counter, in batches:
 *
 *     thread 0 -> shard 0 { counts, pending +9 KiB }  \
 *     thread 1 -> shard 1 { counts, pending -3 KiB }   >  live_bytes, peak_bytes   (a batch: 16 KiB)
 *     others   -> last shard (atomic additions)      /
 *
 * Cost: a call through the vtable and a few additions; for many threads also a look at the thread's
 *   number. Overhead per block: none.
 * Thread-safe: hy_counting no, hy_counting_shared where the child is.
 * Source: TigerBeetle's counting allocator for the idea.
 */
#include "allocators/core/thread_number.h"
#include <heapyard/counting.h>

bool hy_counts_check(const hy_counts *counts) {
    uint64_t blocks = 0;
    for (unsigned bucket = 0; bucket < HY_COUNTING_BUCKETS; bucket++)
        blocks += counts->size_histogram[bucket];
    return blocks == counts->alloc_count && counts->free_count <= counts->alloc_count &&
           counts->live_bytes <= counts->peak_bytes && counts->peak_bytes <= counts->total_bytes;
}

void hy_counting_shared_init(hy_counting_shared *counting, hy_allocator child) {
    hy_require_child(child, "hy_counting_shared_init");
    memset(counting, 0, sizeof *counting);
    counting->child = child;
}

/* The shard that the calling thread writes, and whether it is its only writer. */
typedef struct my_shard {
    hy_counting_shard *shard;
    bool alone;
} my_shard;

HY_INLINE my_shard shard_of_thread(hy_counting_shared *counting) {
    uint32_t number = hy_thread_number();
    bool alone = number < HY_COUNTING_SHARDS;
    HY_ASSERT(number < hy_thread_numbers_taken(), "a thread has a number that was not given out");
    return (my_shard){&counting->shards[alone ? number : HY_COUNTING_SHARDS], alone};
}

/* A lone writer needs no read-modify-write; the store is atomic for those who sum meanwhile. */
HY_INLINE void add(my_shard mine, uint64_t *counter, uint64_t amount) {
    if (HY_LIKELY(mine.alone))
        __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
    else
        __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

static HY_NOINLINE void flush_pending(hy_counting_shared *counting, int64_t bytes) {
    int64_t live = __atomic_add_fetch(&counting->live_bytes, bytes, __ATOMIC_RELAXED);
    int64_t peak = __atomic_load_n(&counting->peak_bytes, __ATOMIC_RELAXED);
    while (live > peak && !__atomic_compare_exchange_n(
                              &counting->peak_bytes, &peak, live, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

HY_INLINE void move_live(hy_counting_shared *counting, my_shard mine, int64_t bytes) {
    if (HY_UNLIKELY(!mine.alone)) {
        flush_pending(counting, bytes);
        return;
    }
    int64_t pending = mine.shard->pending_bytes + bytes;
    if (HY_UNLIKELY(pending >= HY_COUNTING_BATCH || pending <= -HY_COUNTING_BATCH)) {
        flush_pending(counting, pending);
        pending = 0;
    }
    HY_ASSERT(pending < HY_COUNTING_BATCH, "a shard keeps a whole batch of growth to itself");
    HY_ASSERT(pending > -HY_COUNTING_BATCH, "a shard keeps a whole batch of frees to itself");
    __atomic_store_n(&mine.shard->pending_bytes, pending, __ATOMIC_RELAXED);
}

HY_INLINE void change_size(hy_counting_shared *counting, my_shard mine, size_t old_size, size_t new_size) {
    if (new_size > old_size) add(mine, &mine.shard->counts.total_bytes, new_size - old_size);
    move_live(counting, mine, (int64_t)(new_size - old_size));
}

void *hy_counting_shared_alloc(void *self, size_t size, hy_align align) {
    hy_counting_shared *counting = self;
    void *ptr = counting->child.vtable->alloc(counting->child.self, size, align);
    my_shard mine = shard_of_thread(counting);
    hy_counts *counts = &mine.shard->counts;
    if (HY_UNLIKELY(!ptr)) {
        add(mine, &counts->alloc_refused_count, 1);
        return NULL;
    }
    add(mine, &counts->alloc_count, 1);
    add(mine, &counts->size_histogram[hy_counting_bucket(size)], 1);
    add(mine, &counts->total_bytes, size);
    move_live(counting, mine, (int64_t)size);
    return ptr;
}

bool hy_counting_shared_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_counting_shared *counting = self;
    bool done = counting->child.vtable->resize(counting->child.self, ptr, old_size, new_size, align);
    my_shard mine = shard_of_thread(counting);
    add(mine, done ? &mine.shard->counts.resize_count : &mine.shard->counts.resize_refused_count, 1);
    if (done) change_size(counting, mine, old_size, new_size);
    return done;
}

void *hy_counting_shared_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_counting_shared *counting = self;
    void *moved = counting->child.vtable->remap(counting->child.self, ptr, old_size, new_size, align);
    my_shard mine = shard_of_thread(counting);
    add(mine, moved ? &mine.shard->counts.remap_count : &mine.shard->counts.remap_refused_count, 1);
    if (moved) change_size(counting, mine, old_size, new_size);
    return moved;
}

/* Counted before the child may hand the block to another thread. */
void hy_counting_shared_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_counting_shared *counting = self;
    my_shard mine = shard_of_thread(counting);
    add(mine, &mine.shard->counts.free_count, 1);
    move_live(counting, mine, -(int64_t)size);
    counting->child.vtable->free(counting->child.self, ptr, size, align);
}

HY_INLINE uint64_t read_counter(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_shard(hy_counts *sum, const hy_counts *counts) {
    uint64_t alloc_count = read_counter(&counts->alloc_count);
    sum->alloc_count += alloc_count;
    sum->resize_count += read_counter(&counts->resize_count);
    sum->remap_count += read_counter(&counts->remap_count);
    sum->free_count += read_counter(&counts->free_count);
    sum->alloc_refused_count += read_counter(&counts->alloc_refused_count);
    sum->resize_refused_count += read_counter(&counts->resize_refused_count);
    sum->remap_refused_count += read_counter(&counts->remap_refused_count);
    sum->total_bytes += read_counter(&counts->total_bytes);
    for (unsigned bucket = 0; alloc_count && bucket < HY_COUNTING_BUCKETS; bucket++) {
        sum->size_histogram[bucket] += read_counter(&counts->size_histogram[bucket]);
    }
}

hy_counts hy_counting_shared_counts(const hy_counting_shared *counting) {
    hy_counts sum = {0};
    int64_t live = __atomic_load_n(&counting->live_bytes, __ATOMIC_RELAXED);
    uint32_t threads = hy_thread_numbers_taken(); /* the shards of numbers never given out are untouched */
    for (unsigned i = 0; i < threads && i <= HY_COUNTING_SHARDS; i++) {
        add_shard(&sum, &counting->shards[i].counts);
        live += __atomic_load_n(&counting->shards[i].pending_bytes, __ATOMIC_RELAXED);
    }
    int64_t peak = __atomic_load_n(&counting->peak_bytes, __ATOMIC_RELAXED);
    sum.live_bytes = live > 0 ? (size_t)live : 0;
    sum.peak_bytes = peak > live ? (size_t)peak : sum.live_bytes;
    return sum;
}
