/* smp_decay.c: when free memory goes back to the system. No thread of its own: freeing and slow paths do it.
 *
 * Two rules, because a program that frees much may go to sleep at once, and one that runs on shows by its
 * use what it does not need.
 *
 * Surplus: where twice as much is free as live (and more than options.surplus_min_bytes), it goes at once, so
 * that a program that is idle afterwards has given its memory back; but not in the first moments of a small
 * program, which may be all that there is of it. The magazines of the thread that frees go with it, since a
 * block in one keeps its whole slab. Where it turns out that the memory is needed again, no more surplus goes
 * for a while (the hold): longer for more memory, so that its page faults stay a small part of the time, and
 * twice as long each time that this happens soon. So a program that frees and allocates everything in cycles
 * pays for a few of them, and then keeps its memory; but never much more than HY_SMP_HELD_MOST in free pages,
 * since it may go to sleep at any time.
 *
 * Decay: what lay unused in a depot or as dirty pages for a whole tick goes back by halves, pages as long as
 * they are more than an eighth of what is used.
 *
 * Cost: a look at four counters after a trip that frees; the clock where they say that there is surplus.
 */
#include "allocators/strategies/smp_decay.h"
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_clock.h"
#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"

/* Runs shorter than this are left alone by the tick: a system call a page would cost more than it gives. */
#define DECAY_RUN_PAGES 16

/* Pages that were given back and needed again lengthen the hold by a millisecond for so many. A fault takes
 * from a quarter of a microsecond to, in some virtual machines, twenty: so at most a tenth of the time. */
#define PAGES_A_MS 4

static uint64_t load(const uint64_t *field) {
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void store(uint64_t *field, uint64_t value) {
    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* What a heap holds for how much that is live. */
typedef struct balance {
    size_t live, surplus;
} balance;

static balance balance_of(const hy_smp_core *core) {
    size_t taken = hy_smp_load(&core->taken_bytes), depots = hy_smp_load(&core->depot_bytes);
    size_t held = hy_smp_load(&core->used_bytes) + hy_smp_load(&core->retained_bytes);
    size_t live = taken > depots ? taken - depots : 0;
    return (balance){live, held > live ? held - live : 0};
}

static bool has_surplus(const hy_smp_core *core, balance now) {
    return now.surplus > core->options.surplus_min_bytes && now.surplus / 2 > now.live;
}

/* Whether surplus may go now: after the hold, where what went before was needed again; else each time that
 * what is live has halved, since what keeps pages from being free may have gone with it. */
static bool may_shed(const hy_smp_decay *decay, balance now, uint64_t now_ms) {
    bool is_young = now_ms - decay->begun_ms < HY_SMP_YOUNG_MS && load(&decay->purged_ms) == 0;
    if (is_young && now.surplus < HY_SMP_YOUNG_SURPLUS) return false;
    uint64_t purged = load(&decay->purged_pages);
    if (load(&decay->refilled_pages) > purged / 8)
        return now_ms >= load(&decay->purged_ms) + load(&decay->hold_ms) + purged / PAGES_A_MS;
    uint64_t shed_live = load(&decay->shed_live);
    return now.live < shed_live / 2 || now.live > shed_live;
}

/* The hold after surplus that was given back and needed again: longer each time that it was needed soon. */
static uint64_t next_hold(const hy_smp_decay *decay, uint64_t least, uint64_t now_ms) {
    uint64_t hold = load(&decay->hold_ms);
    bool was_soon = now_ms - load(&decay->purged_ms) < 2 * hold;
    hold = was_soon ? hold * 2 : hold / 2;
    if (hold > HY_SMP_HOLD_MOST_MS) hold = HY_SMP_HOLD_MOST_MS;
    return hold < least ? least : hold;
}

/* The caller is the one who gives surplus back now; false: it may not be given. */
static bool begin_shed(hy_smp_core *core, balance now) {
    uint64_t now_ms = hy_smp_now_ms();
    hy_smp_decay *decay = &core->decay;
    /* First without the lock: this is asked on every trip while there is surplus. */
    if (!may_shed(decay, now, now_ms)) return false;
    hy_lock_take(&core->lock);
    bool may = may_shed(decay, now, now_ms);
    if (may && load(&decay->refilled_pages) > load(&decay->purged_pages) / 8) {
        store(&decay->hold_ms, next_hold(decay, core->options.hold_ms, now_ms));
        store(&decay->purged_pages, 0);
        store(&decay->refilled_pages, 0);
    }
    if (may) {
        store(&decay->purged_ms, now_ms);
        store(&decay->shed_live, now.live);
    }
    hy_lock_release(&core->lock);
    return may;
}

/* A block in a magazine keeps its whole slab: so when surplus goes, the thread's own go too. */
static void empty_for(hy_smp_core *core, hy_smp_cache *cache, uint32_t shed_number) {
    hy_smp_cache_empty(core, cache);
    cache->is_shrinking = true;
    cache->shed_number = shed_number;
}

/* The same where another thread gave surplus back since this one looked last. */
static void join_shed(hy_smp_core *core, hy_smp_cache *cache) {
    uint32_t number = __atomic_load_n(&core->decay.shed_number, __ATOMIC_RELAXED);
    if (number != cache->shed_number) empty_for(core, cache, number);
}

/* Trips of a thread between exact looks at what is live, once it is clear that it is not ending all it had.
 */
#define TRIPS_AN_EXACT_LOOK 32

/* What lies in the thread's own magazines looks live to the heap's counters. To count it takes longer than
 * all else here, so it is done where that decides: while the thread frees what it has, and seldom else. */
static bool begin_exact_shed(hy_smp_core *core, const hy_smp_cache *cache, balance now) {
    if (!cache->is_shrinking && cache->trips % TRIPS_AN_EXACT_LOOK != 0) return false;
    size_t own = hy_smp_cache_bytes(cache);
    now.live -= own < now.live ? own : now.live;
    return begin_shed(core, now);
}

/* Free pages that are kept although they are surplus, as far as there are too many. */
static void bound_held(hy_smp_core *core) {
    if (hy_smp_load(&core->retained_bytes) < HY_SMP_HELD_MOST + HY_SMP_HELD_MOST / 2) return;
    (void)hy_smp_pages_purge(core, DECAY_RUN_PAGES, HY_SMP_HELD_MOST >> HY_SMP_PAGE_SHIFT);
}

void hy_smp_shed(hy_smp_core *core, hy_smp_cache *cache) {
    balance now = balance_of(core);
    if (HY_LIKELY(!has_surplus(core, now))) return;
    if (cache) join_shed(core, cache);
    if (!begin_shed(core, now) && !(cache && begin_exact_shed(core, cache, now))) {
        bound_held(core);
        return;
    }
    uint32_t number = __atomic_add_fetch(&core->decay.shed_number, 1, __ATOMIC_RELAXED);
    if (cache) empty_for(core, cache, number);
    hy_smp_depots_drain(core);
    size_t purged = hy_smp_pages_purge(core, 1, core->options.surplus_min_bytes / 4 >> HY_SMP_PAGE_SHIFT);
    __atomic_fetch_add(&core->decay.purged_pages, purged, __ATOMIC_RELAXED);
}

/* Half of what a depot did not need since the last tick goes to the slabs. */
static void decay_depot(hy_smp_core *core, uint32_t number, uint32_t shard) {
    hy_smp_depot *depot = &core->shards[shard].depots[number];
    hy_lock_take(&core->shards[shard].lock);
    size_t unused = depot->full_low, blocks = depot->full_blocks;
    depot->full_low = blocks;
    hy_lock_release(&core->shards[shard].lock);
    if (unused > 1) hy_smp_depot_drain(core, number, shard, blocks - unused / 2);
}

static void decay_depots(hy_smp_core *core) {
    uint32_t used = hy_smp_shards_used(core);
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (hy_smp_depot_blocks(core, number) == 0) continue;
        for (uint32_t shard = 0; shard < used; shard++)
            decay_depot(core, number, shard);
    }
}

/* The pages to be kept: a half of what was not needed since the last tick may go. */
static size_t pages_to_keep(hy_smp_core *core) {
    hy_lock_take(&core->lock);
    size_t dirty = core->dirty.pages, unused = core->decay.dirty_low, keep = dirty;
    if (unused > dirty) unused = dirty;
    if (dirty << HY_SMP_PAGE_SHIFT > core->used_bytes / 8) keep = dirty - unused / 2;
    core->decay.dirty_low = keep;
    hy_lock_release(&core->lock);
    return keep;
}

void hy_smp_tick(hy_smp_core *core) {
    uint64_t now = hy_smp_now_ms();
    uint64_t due = __atomic_load_n(&core->decay.next_tick_ms, __ATOMIC_RELAXED);
    if (now < due) return;
    if (!__atomic_compare_exchange_n(&core->decay.next_tick_ms, &due, now + HY_SMP_TICK_MS, false,
            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    __atomic_fetch_add(&core->decay.tick_count, 1, __ATOMIC_RELEASE);
    decay_depots(core);
    hy_smp_pages_purge(core, DECAY_RUN_PAGES, pages_to_keep(core));
}

bool hy_smp_decay_check(const hy_smp_core *core) {
    const hy_smp_decay *decay = &core->decay;
    uint64_t ticks = __atomic_load_n(&decay->tick_count, __ATOMIC_ACQUIRE), most = core->options.hold_ms;
    if (most < HY_SMP_HOLD_MOST_MS) most = HY_SMP_HOLD_MOST_MS;
    bool is_seldom = ticks == 0 || load(&decay->next_tick_ms) >= decay->begun_ms + ticks * HY_SMP_TICK_MS;
    return is_seldom && load(&decay->hold_ms) <= most;
}

bool hy_smp_decay_is_bounded(const hy_smp_core *core) {
    size_t pages = 0, most = HY_SMP_HELD_MOST + HY_SMP_HELD_MOST / 2, live = 2 * core->taken_bytes + 1;
    if (most < core->options.surplus_min_bytes) most = core->options.surplus_min_bytes;
    if (most < live) most = live;
    for (uint32_t first = 1; first < core->frontier;) {
        const hy_smp_page *page = &core->pages[first];
        bool is_slab = page->kind == HY_SMP_PAGE_SLAB;
        uint32_t count = is_slab ? core->slabs[page->value].page_count : page->value;
        if (page->kind == HY_SMP_PAGE_DIRTY && count >= DECAY_RUN_PAGES) pages += count;
        first += count;
    }
    return pages << HY_SMP_PAGE_SHIFT <= most;
}
