/* smp.c: the general-purpose allocator: threads' caches over depots over slabs over pages.
 *
 * For: production programs, with or without threads. Not for: what ends all at once (arena), blocks of one
 * size in one thread (pool).
 *
 *   thread 0: magazine, spare │ thread 1: magazine, spare │ …        no lock, no atomic operation: smp.h
 *              │ ▲ whole magazines, full for empty                                          smp_cache.c
 *              ▼ │
 *   shard 0: depots, lists of full magazines │ shard 1 │ …             a lock a shard       smp_depot.c
 *              │ ▲ blocks
 *              ▼ │
 *   class 1: slabs, bit maps │ class 2 │ …                             a lock a class       smp_slab.c
 *              │ ▲ runs of pages
 *              ▼ │
 *   heap: dirty before clean before fresh ones                         one lock             smp_pages.c
 *
 * Alloc pops from the magazine of the request's class, free pushes to it: neither touches the block, its slab
 * or anything shared. Nobody owns a slab: a block that another thread frees is as good as any, and a thread's
 * end leaves its magazines in the depots. So what threads hand to each other costs a lock a magazine, and
 * nothing has to be adopted.
 *
 * Why memory can't blow up: a thread has two magazines a class, which grow with its use of the class to 16
 * KiB of blocks, or a sixteenth of the class and 32 KiB (but always two blocks). All depots together keep 2
 * MiB or a sixteenth of the used memory, and what they hold beyond 256 KiB and a 32nd of it goes to the slabs
 * before the heap takes pages that it does not have yet. Slabs are refilled fullest first, empty ones give
 * their pages back, and used pages are taken before fresh ones. So a heap's memory is bounded by its peak of
 * live bytes, a rounding below an eighth, the magazines of its threads, the depots' share, and the
 * fragmentation of its slabs. What is free is given back to the system by two rules (smp_decay.c).
 *
 * Budget, in instructions, return included, with size and alignment unknown to the compiler: alloc 22, free
 * 20, with both constant ten each (held by smp_release_test.py); a trip a few pointers under a lock; a large
 * block a lock and a search of one list. Overhead: 96 bytes a slab, 17 bytes a page.
 *
 * Huge pages: none until a heap has 32 MiB of slabs; then what these grow into is asked for as huge pages,
 * since it will be used. Large blocks get none: they may never be touched but at their beginning.
 *
 * Fork: smp_cache.c. Thread-safe: yes. Source: Bonwick and Adams (magazines), tcmalloc (size classes),
 * hardened_malloc (bit maps apart from blocks).
 */
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_checks.h"
#include "allocators/strategies/smp_decay.h"
#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_slab.h"

#include <errno.h>
#include <string.h>

hy_error hy_smp_init(hy_smp_heap *heap) {
    heap->core = hy_smp_core_make(HY_SMP_RESERVE_INSTANCE);
    if (!heap->core) return HY_OUT_OF_MEMORY;
    for (uint32_t slot = 0; slot < HY_THREAD_SLOTS; slot++)
        heap->caches[slot] = &hy_smp_empty_cache;
    hy_smp_list_heap(heap);
    return HY_OK;
}

void hy_smp_deinit(hy_smp_heap *heap) {
    if (!heap->core) return;
    hy_smp_unlist_heap(heap);
    hy_smp_core_destroy(heap->core);
    *heap = (hy_smp_heap)HY_SMP_HEAP_INIT;
}

hy_smp_options hy_smp_get_options(const hy_smp_heap *heap) {
    return heap->core ? heap->core->options : (hy_smp_options)HY_SMP_OPTIONS_DEFAULT;
}

bool hy_smp_set_options(hy_smp_heap *heap, const hy_smp_options *options) {
    (void)hy_smp_cache_make(heap);
    if (!heap->core) return false;
    heap->core->options = *options;
    heap->core->decay.hold_ms = options->hold_ms;
    return true;
}

/* ---- blocks ---- */

/* Pages of a large block; 0: more than there can be. */
static uint32_t pages_of(size_t size) {
    size_t count = (size >> HY_SMP_PAGE_SHIFT) + ((size & (HY_SMP_PAGE - 1)) != 0);
    return count > UINT32_MAX / 2 ? 0 : (uint32_t)count;
}

/* Whether so many pages are free in all, in however many pieces. */
static bool could_fit(hy_smp_core *core, uint32_t count) {
    hy_lock_take(&core->lock);
    size_t pages = core->clean.pages + core->dirty.pages + core->page_limit - core->frontier;
    hy_lock_release(&core->lock);
    return pages + (hy_smp_depots_bytes(core) >> HY_SMP_PAGE_SHIFT) >= count;
}

static uint32_t take_run(hy_smp_core *core, hy_smp_run_request *request) {
    request->only_dirty = hy_smp_should_reclaim(core);
    uint32_t first = hy_smp_pages_take(core, request);
    if (first) return first;
    if (request->only_dirty) {
        hy_smp_depots_drain(core);
        request->only_dirty = false;
        first = hy_smp_pages_take(core, request);
    }
    if (first || !could_fit(core, request->count)) return first;
    /* Before it is refused: what depots hold joins free pages, and dirty ones join clean ones. */
    hy_smp_depots_drain(core);
    (void)hy_smp_pages_purge(core, 1, 0);
    return hy_smp_pages_take(core, request);
}

static void *alloc_large(hy_smp_core *core, size_t size, hy_align align, bool *zeroed) {
    uint32_t count = pages_of(size);
    unsigned align_log2 = align.log2 > HY_SMP_PAGE_SHIFT ? (unsigned)align.log2 - HY_SMP_PAGE_SHIFT : 0u;
    if (count == 0 || align.log2 > HY_SMP_ALIGN_LOG2_MAX) return NULL;
    hy_smp_run_request request = {.count = count, .align_pages = (uint32_t)1 << align_log2, .is_large = true};
    uint32_t first = take_run(core, &request);
    if (!first) return NULL;
    *zeroed = request.zeroed;
    void *ptr = hy_smp_page_address(core, first);
    hy_unpoison(ptr, size);
    return ptr;
}

static void *alloc_small(hy_smp_heap *heap, hy_smp_cache *cache, size_t size, hy_align align) {
    uint32_t class_number = hy_smp_class(size, align);
    void *ptr = cache ? hy_smp_bin_pop(&cache->bins[class_number]) : NULL;
    if (!ptr) {
        ptr = cache ? hy_smp_cache_refill(heap->core, cache, class_number)
                    : hy_smp_depot_take_one(heap->core, class_number);
    }
#if HY_SMP_CHECKED
    if (ptr) hy_smp_check_alloc(heap->core, class_number, ptr);
#endif
    if (ptr) hy_unpoison(ptr, size);
    return ptr;
}

HY_COLD void *hy_smp_alloc_slow(hy_smp_heap *heap, size_t size, hy_align align) {
    int errno_before = errno;
    hy_smp_cache *cache = hy_smp_cache_make(heap);
    bool zeroed;
    void *ptr = NULL;
    if (__atomic_load_n(&heap->core, __ATOMIC_ACQUIRE)) {
        ptr = hy_smp_is_small(size, align) ? alloc_small(heap, cache, size, align)
                                           : alloc_large(heap->core, size, align, &zeroed);
    }
    errno = errno_before;
    return ptr;
}

/* The pages of the large block that begins at ptr; 0: none does. */
static uint32_t large_pages(const hy_smp_core *core, const void *ptr) {
    if (!hy_smp_contains(core, ptr) || (uintptr_t)ptr % HY_SMP_PAGE != 0) return 0;
    uint32_t first = hy_smp_page_of(core, ptr);
    if (first >= __atomic_load_n(&core->frontier, __ATOMIC_RELAXED)) return 0; /* there are no records */
    const hy_smp_page *page = &core->pages[first];
    return page->kind == HY_SMP_PAGE_LARGE ? page->value : 0;
}

static void free_large(hy_smp_core *core, hy_smp_cache *cache, void *ptr, size_t size) {
    uint32_t count = core ? large_pages(core, ptr) : 0;
    if (count == 0 || count != pages_of(size))
        hy_corrupted("hy_smp_free", "a large block was freed twice, or is of another heap or size");
    hy_smp_pages_give(core, hy_smp_page_of(core, ptr), count, true);
    hy_smp_shed(core, cache);
    hy_smp_tick(core);
}

static void free_small(hy_smp_core *core, hy_smp_cache *cache, void *ptr, uint32_t class_number) {
#if HY_SMP_CHECKED
    hy_smp_check_free(core, class_number, ptr);
#endif
    if (!cache)
        hy_smp_depot_give_one(core, class_number, ptr);
    else if (!hy_smp_bin_push(&cache->bins[class_number], ptr))
        hy_smp_cache_flush(core, cache, class_number, ptr);
}

HY_COLD void hy_smp_free_slow(hy_smp_heap *heap, void *ptr, size_t size, hy_align align) {
    int errno_before = errno;
    hy_smp_cache *cache = hy_smp_cache_make(heap);
    hy_smp_core *core = heap->core;
    if (!hy_smp_is_small(size, align))
        free_large(core, cache, ptr, size);
    else
        free_small(core, cache, ptr, hy_smp_class(size, align));
    errno = errno_before;
}

static bool resize_large(hy_smp_core *core, void *ptr, size_t old_size, size_t new_size) {
    uint32_t old_count = pages_of(old_size), count = pages_of(new_size);
    if (count == old_count) return true;
    return count && hy_smp_pages_resize(core, hy_smp_page_of(core, ptr), old_count, count);
}

bool hy_smp_heap_resize(hy_smp_heap *heap, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (HY_CHECK >= 1) hy_smp_require_block(heap, ptr, old_size, align);
    bool was_small = hy_smp_is_small(old_size, align);
    if (was_small != hy_smp_is_small(new_size, align)) return false;
    bool resized = was_small ? hy_smp_class(old_size, align) == hy_smp_class(new_size, align)
                             : resize_large(heap->core, ptr, old_size, new_size);
    if (!resized) return false;
    if (new_size > old_size)
        hy_unpoison((char *)ptr + old_size, new_size - old_size);
    else
        hy_poison((char *)ptr + new_size, old_size - new_size);
    return true;
}

static void *move_by_pages(hy_smp_core *core, void *ptr, size_t old_size, size_t new_size) {
    uint32_t count = pages_of(new_size);
    uint32_t moved =
        count ? hy_smp_pages_move(core, hy_smp_page_of(core, ptr), pages_of(old_size), count) : 0;
    if (!moved) return NULL;
    hy_poison(ptr, old_size);
    void *target = hy_smp_page_address(core, moved);
    hy_unpoison(target, new_size);
    return target;
}

/* To a large block. What the copy will write is made ready at once: a fault a page would cost more than all
 * else. */
static void *move_by_copy(hy_smp_heap *heap, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    bool zeroed = false;
    void *target = alloc_large(heap->core, new_size, align, &zeroed);
    if (!target) return NULL;
    if (zeroed) hy_os_populate(target, (old_size + HY_SMP_PAGE - 1) & ~(HY_SMP_PAGE - 1));
    memcpy(target, ptr, old_size);
    hy_smp_heap_slot_free(heap, ptr, old_size, align);
    return target;
}

void *hy_smp_heap_remap(hy_smp_heap *heap, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (hy_smp_heap_resize(heap, ptr, old_size, new_size, align)) return ptr;
    if (new_size < old_size || hy_smp_is_small(new_size, align)) return NULL;
    int errno_before = errno;
    void *target = NULL;
    if (old_size >= HY_SMP_MOVE_MIN && align.log2 <= HY_SMP_PAGE_SHIFT)
        target = move_by_pages(heap->core, ptr, old_size, new_size);
    if (!target) target = move_by_copy(heap, ptr, old_size, new_size, align);
    errno = errno_before;
    return target;
}

size_t hy_smp_usable_size(const hy_smp_heap *heap, const void *ptr) {
    const hy_smp_core *core = heap->core;
    if (!core || !hy_smp_contains(core, ptr)) return 0;
    uint32_t class_number = hy_smp_class_of(core, ptr);
    if (class_number) return hy_smp_class_size(class_number);
    return (size_t)large_pages(core, ptr) << HY_SMP_PAGE_SHIFT;
}

bool hy_smp_owns(const hy_smp_heap *heap, const void *ptr) {
    const hy_smp_core *core = heap->core;
    if (!core || !hy_smp_contains(core, ptr)) return false;
    uint32_t page = hy_smp_page_of(core, ptr);
    return page > 0 && page < __atomic_load_n(&core->frontier, __ATOMIC_RELAXED);
}

void *hy_smp_heap_alloc_zeroed(hy_smp_heap *heap, size_t size, hy_align align) {
    if (hy_smp_is_small(size, align) || !heap->core) {
        void *ptr = hy_smp_heap_slot_alloc(heap, size, align);
        return ptr ? memset(ptr, 0, size) : NULL;
    }
    int errno_before = errno;
    bool zeroed = false;
    void *ptr = alloc_large(heap->core, size, align, &zeroed);
    if (ptr && !zeroed) memset(ptr, 0, size);
    errno = errno_before;
    return ptr;
}

void hy_smp_heap_free_unsized(hy_smp_heap *heap, void *ptr) {
    size_t size = hy_smp_usable_size(heap, ptr);
    if (size == 0) hy_corrupted("hy_smp_free", "a pointer was freed that is no block of the heap");
    /* A large block may be of few pages, for its alignment: one that no class has says so. */
    bool is_large = hy_smp_class_of(heap->core, ptr) == 0;
    hy_align align = hy_align_from_log2(is_large ? HY_SMP_SMALL_ALIGN_LOG2_MAX + 1 : 0);
    hy_smp_heap_slot_free(heap, ptr, size, align);
}

size_t hy_smp_trim(hy_smp_heap *heap) {
    hy_smp_cache *cache = hy_smp_cache_make(heap);
    if (!heap->core) return 0;
    int errno_before = errno;
    if (cache) hy_smp_cache_empty(heap->core, cache);
    hy_smp_depots_drain(heap->core);
    size_t pages = hy_smp_pages_purge(heap->core, 1, 0);
    errno = errno_before;
    return pages << HY_SMP_PAGE_SHIFT;
}

/* What all blocks amount to that are in no slab. Every lock is held. */
static size_t taken_bytes(const hy_smp_core *core) {
    size_t bytes = core->large_pages << HY_SMP_PAGE_SHIFT;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++)
        bytes += core->classes[number].taken * core->classes[number].block_size;
    return bytes;
}

bool hy_smp_check(hy_smp_heap *heap) {
    hy_smp_core *core = heap->core;
    if (!core) return true;
    hy_smp_lock_core(core, HY_SMP_SHARDS);
    bool holds = hy_smp_depots_check(core) && hy_smp_pages_check(core) && hy_smp_slabs_check(core) &&
                 hy_smp_decay_check(core) && taken_bytes(core) == core->taken_bytes;
    hy_smp_unlock_core(core, HY_SMP_SHARDS);
    return holds;
}

HY_SLOT void *hy_smp_slot_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return hy_smp_alloc(size, align);
}

bool hy_smp_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_smp_heap_resize(self, ptr, old_size, new_size, align);
}

void *hy_smp_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_smp_heap_remap(self, ptr, old_size, new_size, align);
}

HY_SLOT void hy_smp_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    hy_smp_free(ptr, size, align);
}

HY_SLOT void *hy_smp_heap_slot_alloc(void *self, size_t size, hy_align align) {
    if (self == &hy_smp_process_heap) return hy_smp_alloc(size, align);
    return hy_smp_heap_alloc(self, size, align);
}

HY_SLOT void hy_smp_heap_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    if (self == &hy_smp_process_heap) {
        hy_smp_free(ptr, size, align);
        return;
    }
    hy_smp_heap_free(self, ptr, size, align);
}
