/* smp_cache.c: threads' caches: how they begin, exchange magazines with the depots, and end.
 *
 * The heap of the process finds a thread's cache by a thread-local pointer, and a key of pthread's tells of
 * the thread's end; other heaps by thread slot (thread_slot.h), whose end tells it. A thread that can't have
 * a cache (no memory; it is ending and its cache has gone; more threads than slots) takes and gives single
 * blocks under the class's lock.
 *
 * Fork: all locks are taken before it, in order, and given back on both sides. The child takes over what lay
 * in the caches of the parent's other threads in the process's heap, except where one was just exchanging
 * magazines: that is lost, as are their caches in other heaps, two magazines a class at most.
 */
#include "allocators/strategies/smp_cache.h"
#include "allocators/core/thread_slot_end.h"
#include "allocators/strategies/smp_checks.h"
#include "allocators/strategies/smp_clock.h"
#include "allocators/strategies/smp_decay.h"
#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_restart.h"
#include "allocators/strategies/smp_slab.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

hy_smp_cache hy_smp_empty_cache;

HY_THREAD_LOCAL hy_smp_cache *hy_smp_own_cache __attribute__((tls_model("initial-exec"))) =
    &hy_smp_empty_cache;
hy_smp_heap hy_smp_process_heap;

HY_THREAD_LOCAL hy_smp_thread_state hy_smp_own_state __attribute__((tls_model("initial-exec")));

static struct {
    hy_lock lock; /* for all that follows */
    hy_smp_heap *heaps;
    hy_smp_cache *spare; /* of the process's heap, whose threads have ended */
    pthread_key_t end_key;
    bool has_key;
    bool was_forked; /* this process is a child of fork */
} process;

/* ---- magazines ---- */

/* Fetches the places of a magazine that will be read or written next, which may have left the processor's
 * caches: a miss every eight blocks else, each waited for. */
static void fetch(const hy_smp_magazine *magazine, uint32_t capacity) {
    const char *at = (const char *)magazine->blocks;
    size_t size = capacity * sizeof(void *);
    for (size_t offset = 0; offset < size; offset += HY_CACHE_LINE)
        __builtin_prefetch(at + offset, 1);
}

/* The bin's blocks are those of the magazine from now on, of which it uses at most so many places. */
static void load(hy_smp_bin *bin, hy_smp_magazine *magazine, uint32_t capacity) {
    if (capacity > magazine->capacity) capacity = magazine->capacity;
    if (capacity < magazine->count) capacity = magazine->count;
    fetch(magazine, capacity);
    bin->base = magazine->blocks;
    bin->top = magazine->blocks + magazine->count;
    bin->limit = magazine->blocks + capacity;
}

/* The loaded magazine, with its count as it is now; NULL: none. */
static hy_smp_magazine *unload(hy_smp_bin *bin) {
    hy_smp_magazine *magazine = hy_smp_loaded(bin);
    if (magazine) magazine->count = (uint32_t)(bin->top - bin->base);
    return magazine;
}

/* How many blocks another thread's bin holds, about: that one goes on meanwhile, and nobody waits. A
 * magazine's memory stays readable when it is used for something else. */
HY_NO_SANITIZE_THREAD static size_t blocks_in(const hy_smp_bin *bin) {
    void **top = *(void **volatile const *)&bin->top, **base = *(void **volatile const *)&bin->base;
    const hy_smp_magazine *spare = *(hy_smp_magazine *volatile const *)&bin->spare;
    size_t loaded = base && top >= base ? (size_t)(top - base) : 0, spared = spare ? spare->count : 0;
    if (loaded > HY_SMP_MAGAZINE_MOST) loaded = 0;
    return loaded + (spared > HY_SMP_MAGAZINE_MOST ? 0 : spared);
}

static void look_at_time(hy_smp_core *core, hy_smp_cache *cache) {
    if (++cache->trips % HY_SMP_TRIPS_A_LOOK == 0) hy_smp_tick(core);
}

/* Around an exchange of magazines. Signal fences, because a child of fork sees what the thread had stored so
 * far. */
static void begin_change(hy_smp_cache *cache) {
    cache->is_changing = true;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void end_change(hy_smp_cache *cache) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    cache->is_changing = false;
}

/* The places of the bin's magazines as it uses them. */
static uint32_t capacity_of(const hy_smp_bin *bin) {
    return (uint32_t)(bin->limit - bin->base);
}

static void *refill(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number) {
    hy_smp_bin *bin = &cache->bins[class_number];
    hy_smp_magazine *empty = unload(bin), *spare = bin->spare;
    if (spare && spare->count) {
        bin->spare = empty;
        load(bin, spare, capacity_of(bin));
        return hy_smp_bin_pop(bin);
    }
    look_at_time(core, cache);
    cache->is_shrinking = false;
    uint32_t wanted = hy_smp_next_capacity(core, class_number, capacity_of(bin));
    hy_smp_magazine *magazine = hy_smp_depot_take(core, class_number, cache->shard, empty, wanted);
    if (!magazine) return NULL;
    load(bin, magazine, wanted);
    return hy_smp_bin_pop(bin);
}

void *hy_smp_cache_refill(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number) {
    begin_change(cache);
    void *block = refill(core, cache, class_number);
    end_change(cache);
    return block;
}

/* An empty magazine to put blocks into, for the full one and the spare that are there; NULL: no memory. */
static hy_smp_magazine *make_room(
    hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number, uint32_t wanted) {
    hy_smp_bin *bin = &cache->bins[class_number];
    hy_smp_magazine *full = unload(bin), *spare = bin->spare;
    if (full) bin->spare = full;
    if (!full || !spare) return hy_smp_depot_take_empty(core, class_number, cache->shard, wanted);
    return hy_smp_depot_give(core, class_number, cache->shard, spare, wanted);
}

static void flush(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number, void *block) {
    hy_smp_bin *bin = &cache->bins[class_number];
    hy_smp_magazine *full = unload(bin), *spare = bin->spare;
    if (full && spare && spare->count == 0) {
        bin->spare = full;
        load(bin, spare, capacity_of(bin));
        (void)hy_smp_bin_push(bin, block);
        return;
    }
    look_at_time(core, cache);
    /* While a program ends what it had, its last blocks should not lie in magazines: each would keep a slab.
     */
    bool is_small = cache->is_shrinking && capacity_of(bin) == 0;
    uint32_t wanted = is_small ? 1 : hy_smp_next_capacity(core, class_number, capacity_of(bin));
    hy_smp_magazine *empty = make_room(core, cache, class_number, wanted);
    if (!empty && full) {
        /* No memory for a second magazine: the one that is there makes room. */
        bin->spare = NULL;
        empty = hy_smp_depot_give(core, class_number, cache->shard, full, wanted);
    }
    if (!empty) {
        hy_smp_depot_give_one(core, class_number, block);
        return;
    }
    load(bin, empty, wanted);
    (void)hy_smp_bin_push(bin, block);
}

void hy_smp_cache_flush(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number, void *block) {
    begin_change(cache);
    flush(core, cache, class_number, block);
    end_change(cache);
    hy_smp_shed(core, cache);
}

/* Leaves a bin's magazines in the depot. */
static void empty_bin(hy_smp_core *core, hy_smp_bin *bin, uint32_t class_number, uint32_t shard) {
    hy_smp_magazine *loaded = unload(bin), *spare = bin->spare;
    *bin = (hy_smp_bin){0};
    if (loaded) hy_smp_depot_leave(core, class_number, shard, loaded);
    if (spare) hy_smp_depot_leave(core, class_number, shard, spare);
}

void hy_smp_cache_empty(hy_smp_core *core, hy_smp_cache *cache) {
    begin_change(cache);
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (cache->bins[number].base) empty_bin(core, &cache->bins[number], number, cache->shard);
    }
    end_change(cache);
}

size_t hy_smp_cache_bytes(const hy_smp_cache *cache) {
    size_t bytes = 0;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        const hy_smp_bin *bin = &cache->bins[number];
        if (!bin->base) continue;
        size_t blocks = (size_t)(bin->top - bin->base) + (bin->spare ? bin->spare->count : 0);
        bytes += blocks * hy_smp_class_size(number);
    }
    return bytes;
}

/* ---- the heap of the process ---- */

static void keep_spare(hy_smp_cache *cache) {
    hy_lock_take(&process.lock);
    cache->spare = process.spare;
    cache->is_spare = true;
    process.spare = cache;
    hy_lock_release(&process.lock);
}

/* The key's destructor: the thread ends. */
static void end_thread(void *argument) {
    int errno_before = errno;
    hy_smp_cache *cache = argument;
    hy_smp_own_state = HY_SMP_IS_ENDING;
    hy_smp_own_cache = &hy_smp_empty_cache;
    hy_smp_cache_empty(hy_smp_process_heap.core, cache);
    hy_smp_shed(hy_smp_process_heap.core, NULL);
    keep_spare(cache);
    errno = errno_before;
}

/* Where the library goes before its threads do (dlclose), their ends must not call what is no longer there.
 */
__attribute__((destructor)) static void forget_key(void) {
    if (process.has_key) pthread_key_delete(process.end_key);
    process.has_key = false;
}

/* Puts a heap at the head of the list of all. The lock is held. */
static void enlist(hy_smp_heap *heap) {
    heap->next = process.heaps;
    heap->link = &process.heaps;
    if (heap->next) heap->next->link = &heap->next;
    process.heaps = heap;
}

/* What the inline paths see is the cache itself, or at check level 2 an empty one before it. */
static hy_smp_cache *real_of(hy_smp_cache *seen) {
    return seen + HY_SMP_CHECKED;
}

static hy_smp_cache *seen_of(hy_smp_cache *real) {
    return real - HY_SMP_CHECKED;
}

/* ---- fork ---- */

void hy_smp_lock_core(hy_smp_core *core, uint32_t shards) {
    for (uint32_t shard = 0; shard < shards; shard++)
        hy_lock_take(&core->shards[shard].lock);
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++)
        hy_lock_take(&core->classes[number].lock);
    hy_lock_take(&core->lock);
}

void hy_smp_unlock_core(hy_smp_core *core, uint32_t shards) {
    hy_lock_release(&core->lock);
    for (uint32_t number = HY_SMP_CLASS_COUNT; number-- > 1;)
        hy_lock_release(&core->classes[number].lock);
    while (shards-- > 0)
        hy_lock_release(&core->shards[shards].lock);
}

/* No shard comes into use meanwhile: that takes the process's lock. */
static void lock_all(void) {
    hy_lock_take(&process.lock);
    for (hy_smp_heap *heap = process.heaps; heap; heap = heap->next)
        hy_smp_lock_core(heap->core, hy_smp_shards_used(heap->core));
}

static void unlock_all(void) {
    for (hy_smp_heap *heap = process.heaps; heap; heap = heap->next)
        hy_smp_unlock_core(heap->core, hy_smp_shards_used(heap->core));
    hy_lock_release(&process.lock);
}

/* The threads of the parent are not in the child: what they had cached is its own thread's. */
static void after_fork_in_child(void) {
    unlock_all();
    process.was_forked = true;
    hy_smp_core *core = hy_smp_process_heap.core;
    hy_smp_cache *own = hy_smp_own_cache == &hy_smp_empty_cache ? NULL : real_of(hy_smp_own_cache);
    for (hy_smp_cache *cache = core ? core->caches : NULL; cache; cache = cache->next) {
        if (cache == own || cache->is_spare || cache->is_changing) continue;
        hy_smp_cache_empty(core, cache);
        keep_spare(cache);
    }
}

/* Bytes of addresses for the heap of the process: four times the machine's memory. */
static size_t process_reservation(void) {
    size_t wanted = 4 * hy_os_memory_size(), size = HY_SMP_RESERVE_INSTANCE;
    while (size < wanted && size < HY_SMP_RESERVE_MOST)
        size *= 2;
    return size;
}

/* Begins the heap of the process where nobody has; false: refused. */
static bool begin_process(void) {
    hy_lock_take(&process.lock);
    hy_smp_core *core = hy_smp_process_heap.core;
    if (!core) {
        core = hy_smp_core_make(process_reservation());
        if (core && !process.has_key) process.has_key = pthread_key_create(&process.end_key, end_thread) == 0;
        __atomic_store_n(&hy_smp_process_heap.core, core, __ATOMIC_RELEASE);
        if (core) enlist(&hy_smp_process_heap);
    }
    hy_lock_release(&process.lock);
    return core != NULL;
}

static hy_smp_cache *take_spare(void) {
    hy_lock_take(&process.lock);
    hy_smp_cache *cache = process.spare;
    if (cache) {
        process.spare = cache->spare;
        cache->is_spare = false;
    }
    hy_lock_release(&process.lock);
    return cache;
}

static hy_smp_cache *new_cache(hy_smp_core *core) {
    hy_smp_cache *cache = hy_smp_metadata_take(core, (1 + HY_SMP_CHECKED) * sizeof *cache);
    if (!cache) return NULL;
    cache = real_of(cache);
    hy_lock_take(&process.lock);
    cache->shard = core->cache_count % HY_SMP_SHARDS;
    cache->next = core->caches;
    core->caches = cache;
    __atomic_store_n(&core->cache_count, core->cache_count + 1, __ATOMIC_RELAXED);
    hy_lock_release(&process.lock);
    return cache;
}

static hy_smp_cache *make_process_cache(void) {
    hy_smp_core *core = hy_smp_process_heap.core;
    hy_smp_cache *cache = take_spare();
    if (!cache) cache = new_cache(core);
    if (!cache) return NULL;
    if (!process.has_key || pthread_setspecific(process.end_key, cache) != 0) {
        keep_spare(cache);
        return NULL;
    }
    return cache;
}

/* What pthread's functions allocate on the way is served without a cache. */
static hy_smp_cache *process_cache(void) {
    if (HY_LIKELY(hy_smp_own_cache != &hy_smp_empty_cache)) return real_of(hy_smp_own_cache);
    if (hy_smp_own_state != HY_SMP_CAN_HAVE_CACHE) return NULL;
    hy_smp_own_state = HY_SMP_IS_STARTING;
    hy_smp_cache *cache = begin_process() ? make_process_cache() : NULL;
    hy_smp_own_state = HY_SMP_CAN_HAVE_CACHE;
    if (cache) hy_smp_own_cache = seen_of(cache);
    return cache;
}

/* ---- other heaps ---- */

static hy_smp_cache *slot_cache(hy_smp_heap *heap) {
    uint32_t slot = hy_thread_slot ? hy_thread_slot : hy_thread_slot_take();
    if (slot == 0) return NULL;
    if (heap->caches[slot] == &hy_smp_empty_cache) {
        hy_smp_cache *cache = new_cache(heap->core);
        if (!cache) return NULL;
        heap->caches[slot] = seen_of(cache);
    }
    return real_of(heap->caches[slot]);
}

hy_smp_cache *hy_smp_cache_make(hy_smp_heap *heap) {
    return heap == &hy_smp_process_heap ? process_cache() : slot_cache(heap);
}

/* The thread that has the slot ends: what it had cached in each heap is left to others. */
static void leave_heaps(uint32_t slot) {
    hy_lock_take(&process.lock);
    for (hy_smp_heap *heap = process.heaps; heap; heap = heap->next) {
        if (heap->caches[slot] == &hy_smp_empty_cache) continue;
        hy_smp_cache_empty(heap->core, real_of(heap->caches[slot]));
        hy_smp_shed(heap->core, NULL);
    }
    hy_lock_release(&process.lock);
}

/* Before any heap begins, and before there are threads: a fork between the first use of a lock and this would
 * leave it held in the child. */
__attribute__((constructor)) static void begin_library(void) {
    (void)pthread_atfork(lock_all, unlock_all, after_fork_in_child);
    hy_thread_slot_at_end(leave_heaps);
    /* The process's heap has no caches by slot: calls that look for one take the slow path to the thread's
     * own. */
    for (uint32_t slot = 0; slot < HY_THREAD_SLOTS; slot++)
        hy_smp_process_heap.caches[slot] = &hy_smp_empty_cache;
}

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
uint64_t hy_smp_counted_ms;

/* Who counts has one thread of the system, whose fibres take turns elsewhere. */
HY_NO_SANITIZE_THREAD uint64_t hy_smp_count_ms(void) {
    return hy_smp_counted_ms ? hy_smp_counted_ms++ : 0;
}

void hy_smp_restart(void) {
    hy_smp_counted_ms = 1;
    process.was_forked = false; /* no heap of a parent is left */
    hy_smp_core *core = hy_smp_process_heap.core;
    if (!core) return;
    if (process.has_key) (void)pthread_setspecific(process.end_key, NULL);
    hy_smp_own_cache = &hy_smp_empty_cache;
    hy_smp_own_state = HY_SMP_CAN_HAVE_CACHE;
    hy_smp_unlist_heap(&hy_smp_process_heap);
    process.spare = NULL;
    hy_smp_process_heap.core = NULL;
    hy_smp_core_destroy(core);
}
#endif

void hy_smp_list_heap(hy_smp_heap *heap) {
    hy_lock_take(&process.lock);
    enlist(heap);
    hy_lock_release(&process.lock);
}

void hy_smp_unlist_heap(hy_smp_heap *heap) {
    hy_lock_take(&process.lock);
    *heap->link = heap->next;
    if (heap->next) heap->next->link = heap->link;
    hy_lock_release(&process.lock);
}

size_t hy_smp_cached_blocks(const hy_smp_core *core, uint32_t class_number, size_t *threads) {
    size_t blocks = 0;
    *threads = 0;
    hy_lock_take(&process.lock);
    for (const hy_smp_cache *cache = core->caches; cache; cache = cache->next) {
        blocks += blocks_in(&cache->bins[class_number]);
        ++*threads;
    }
    hy_lock_release(&process.lock);
    return blocks;
}

/* ---- checks ---- */

/* The calling thread's cache in a heap; NULL: it has none. */
static const hy_smp_cache *own_of(const hy_smp_heap *heap) {
    hy_smp_cache *seen = heap == &hy_smp_process_heap ? hy_smp_own_cache : hy_smp_cache_of(heap);
    return seen == &hy_smp_empty_cache ? NULL : real_of(seen);
}

static bool is_empty(const hy_smp_cache *cache) {
    uintptr_t any = 0;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++)
        any |= (uintptr_t)cache->bins[number].base | (uintptr_t)cache->bins[number].spare;
    return any == 0;
}

/* A bin's magazine holds so many blocks, all of slabs of the class. */
static bool magazine_holds(
    const hy_smp_core *core, uint32_t number, const hy_smp_magazine *magazine, size_t count) {
    if (count > magazine->capacity) return false;
    for (size_t i = 0; i < count; i++) {
        if (!hy_smp_slabs_gave(core, number, magazine->blocks[i])) return false;
    }
    return true;
}

/* Whether a bin's magazines hold together; their own memory is added to *bytes. */
static bool bin_holds(const hy_smp_core *core, uint32_t number, const hy_smp_bin *bin, size_t *bytes) {
    const hy_smp_magazine *loaded = hy_smp_loaded(bin), *spare = bin->spare;
    if (!loaded) return !spare && !bin->top && !bin->limit;
    bool is_in_order =
        bin->top >= bin->base && bin->limit >= bin->top && bin->limit <= loaded->blocks + loaded->capacity;
    if (!is_in_order || !magazine_holds(core, number, loaded, (size_t)(bin->top - bin->base))) return false;
    if (spare && (spare == loaded || !magazine_holds(core, number, spare, spare->count))) return false;
    *bytes += hy_smp_magazine_bytes(loaded) + (spare ? hy_smp_magazine_bytes(spare) : 0);
    return true;
}

/* Likewise of all bins; must_be_empty: they hold nothing. */
static bool cache_holds(
    const hy_smp_core *core, const hy_smp_cache *cache, bool must_be_empty, size_t *bytes) {
    *bytes += hy_smp_metadata_rounded((1 + HY_SMP_CHECKED) * sizeof *cache);
    if (must_be_empty) return is_empty(cache);
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (!bin_holds(core, number, &cache->bins[number], bytes)) return false;
    }
    return true;
}

/* Whether just so many caches are listed as those that no thread has. */
static bool spares_hold(size_t count) {
    for (const hy_smp_cache *cache = process.spare; cache; cache = cache->spare) {
        if (!cache->is_spare || count-- == 0) return false;
    }
    return count == 0;
}

bool hy_smp_caches_at_rest(const hy_smp_heap *heap) {
    const hy_smp_cache *own = own_of(heap);
    for (const hy_smp_cache *cache = heap->core->caches; cache; cache = cache->next) {
        if (cache != own && cache->is_changing) return false;
    }
    return true;
}

bool hy_smp_keeps_lost(const hy_smp_heap *heap) {
    return heap != &hy_smp_process_heap && process.was_forked;
}

bool hy_smp_caches_check(const hy_smp_heap *heap, size_t *bytes) {
    const hy_smp_cache *own = own_of(heap);
    bool is_process = heap == &hy_smp_process_heap, keeps_lost = hy_smp_keeps_lost(heap);
    size_t caches = 0, spares = 0;
    *bytes = 0;
    for (const hy_smp_cache *cache = heap->core->caches; cache; cache = cache->next) {
        bool is_left = cache != own;
        if (cache->is_spare != (is_left && is_process)) return false;
        if (!cache_holds(heap->core, cache, is_left && !keeps_lost, bytes)) return false;
        spares += cache->is_spare;
        caches++;
    }
    return caches == heap->core->cache_count && (!is_process || spares_hold(spares));
}
