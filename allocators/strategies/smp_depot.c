/* smp_depot.c: magazines, and the depots through which threads exchange them.
 *
 * A magazine is an array of free blocks of one class. Each thread has two a class: the one that it takes from
 * and gives to, and a spare, so that a thread that goes back and forth at the edge of one does not come here.
 * A trip exchanges a whole magazine, full for empty or empty for full, by a few pointers under a lock,
 * however many blocks that are; this is how what one thread frees comes back to another that allocates.
 *
 * Threads share a depot a class between a few of them (a shard): a thread gets its own blocks back, and waits
 * for nobody; only where its own depot is empty does it look into the others', and then at the slabs.
 *
 * Depots keep what they are given up to 2 MiB, or a sixteenth of the heap: so a program that frees and
 * allocates again seldom touches a slab. Beyond that, blocks are better sorted by the slabs than kept in the
 * order of their frees. Depots are emptied where memory would be lost by them: before the heap grows
 * (hy_smp_should_reclaim), where more is free than live, and as time passes (smp_decay.c).
 *
 * A thread's magazines begin small, and grow with its trips up to 16 KiB of blocks, then with a sixteenth of
 * the class up to HY_SMP_MAGAZINE_BYTES; from a larger one in a depot it gets a part. So a thread that
 * allocates a few blocks of many classes does not hold many of each.
 *
 * Cost: O(1) a trip; where the depots are empty or full, a few instructions a block besides.
 * Source: Bonwick and Adams, "Magazines and Vmem" (USENIX 2001).
 */
#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_slab.h"

#include <string.h>

/* What a class's magazines may hold, however few blocks it has; those of small blocks more, since programs
 * allocate and free them by the dozen. */
#define CAPACITY_BYTES ((size_t)8 << 10)
#define CAPACITY_BYTES_SMALL ((size_t)16 << 10)
#define SMALL_MAX 512
/* What all depots may hold: HY_SMP_DEPOTS_MAX, or a share of what is used. */
#define LIMIT_SHARE 16

static size_t magazine_size(uint32_t capacity) {
    return sizeof(hy_smp_magazine) + capacity * sizeof(void *);
}

static uint32_t capacity_for(size_t bytes, uint32_t block_size) {
    size_t capacity = bytes / block_size;
    if (capacity < HY_SMP_MAGAZINE_LEAST) capacity = HY_SMP_MAGAZINE_LEAST;
    return capacity > HY_SMP_MAGAZINE_MOST ? HY_SMP_MAGAZINE_MOST : (uint32_t)capacity;
}

static void free_magazine(hy_smp_core *core, hy_smp_magazine *magazine) {
    hy_smp_metadata_give(core, magazine, magazine_size(magazine->capacity));
}

/* How many places the class's magazines may have now. */
static uint32_t capacity_allowed(const hy_smp_class_state *state) {
    size_t bytes = state->block_size <= SMALL_MAX ? CAPACITY_BYTES_SMALL : CAPACITY_BYTES;
    uint32_t allowed = capacity_for(bytes, state->block_size);
    uint32_t most = capacity_for(HY_SMP_MAGAZINE_BYTES, state->block_size);
    size_t share = hy_smp_load(&state->taken) / 16;
    if (allowed < share) allowed = share > most ? most : (uint32_t)share;
    return allowed > most ? most : allowed;
}

uint32_t hy_smp_next_capacity(const hy_smp_core *core, uint32_t number, uint32_t capacity) {
    const hy_smp_class_state *state = &core->classes[number];
    uint32_t allowed = capacity_allowed(state), wanted = capacity * 2 + 2;
    if (capacity == 0) {
        wanted = capacity_for(HY_SMP_FIRST_BYTES, state->block_size);
        if (wanted > HY_SMP_FIRST_MOST) wanted = HY_SMP_FIRST_MOST;
    }
    return wanted > allowed ? allowed : wanted;
}

/* Books `count` blocks more in the depot, or less by a number below zero. What all threads look at is written
 * now and then only, so that it stays in their processors' caches. */
static void count_blocks(hy_smp_core *core, uint32_t number, hy_smp_shard *shard, size_t count) {
    hy_smp_depot *depot = &shard->depots[number];
    HY_ASSERT(hy_lock_is_held(&shard->lock), "a depot changes that is not locked");
    __atomic_store_n(&depot->full_blocks, depot->full_blocks + count, __ATOMIC_RELAXED);
    if (depot->full_low > depot->full_blocks) depot->full_low = depot->full_blocks;
    __atomic_store_n(
        &shard->bytes, shard->bytes + count * core->classes[number].block_size, __ATOMIC_RELAXED);
    size_t change = shard->bytes - shard->published;
    if (change + HY_SMP_PUBLISHED_CHANGE < 2 * HY_SMP_PUBLISHED_CHANGE)
        return; /* less than that, either way */
    hy_smp_add(&core->depot_bytes, change);
    shard->published = shard->bytes;
}

static void push_full(hy_smp_core *core, uint32_t number, hy_smp_shard *shard, hy_smp_magazine *magazine) {
    hy_smp_depot *depot = &shard->depots[number];
    magazine->next = depot->full;
    __atomic_store_n(&depot->full, magazine, __ATOMIC_RELAXED);
    count_blocks(core, number, shard, magazine->count);
}

/* NULL: there is none. */
static hy_smp_magazine *pop_full(hy_smp_core *core, uint32_t number, hy_smp_shard *shard) {
    hy_smp_depot *depot = &shard->depots[number];
    hy_smp_magazine *magazine = depot->full;
    if (!magazine) return NULL;
    __atomic_store_n(&depot->full, magazine->next, __ATOMIC_RELAXED);
    count_blocks(core, number, shard, 0 - (size_t)magazine->count);
    return magazine;
}

/* Takes an empty one out of a shard's list; NULL: there is none. */
static hy_smp_magazine *unlist_empty(hy_smp_shard *shard, uint32_t number) {
    HY_ASSERT(hy_lock_is_held(&shard->lock), "an empty magazine leaves a depot that is not locked");
    hy_smp_magazine *magazine = shard->depots[number].empty;
    if (!magazine) return NULL;
    shard->depots[number].empty = magazine->next;
    shard->empty_bytes -= magazine_size(magazine->capacity);
    return magazine;
}

static void free_empty(hy_smp_core *core, hy_smp_shard *shard, uint32_t number) {
    for (hy_smp_magazine *magazine; (magazine = unlist_empty(shard, number));)
        free_magazine(core, magazine);
}

/* Keeps an empty one for the next thread that wants it; where the shard has enough, others may have its
 * memory: what some threads free and others allocate would pile up empty ones here else, and want new ones
 * there. */
static void push_empty(hy_smp_core *core, hy_smp_shard *shard, uint32_t number, hy_smp_magazine *magazine) {
    size_t size = magazine_size(magazine->capacity);
    magazine->count = 0;
    if (shard->empty_bytes + size > HY_SMP_EMPTY_BYTES) {
        free_magazine(core, magazine);
        return;
    }
    shard->empty_bytes += size;
    magazine->next = shard->depots[number].empty;
    shard->depots[number].empty = magazine;
}

/* An empty one of at least `capacity` places; NULL: no memory. */
static hy_smp_magazine *pop_empty(
    hy_smp_core *core, hy_smp_shard *shard, uint32_t number, uint32_t capacity) {
    hy_smp_magazine *magazine = unlist_empty(shard, number);
    if (magazine && magazine->capacity >= capacity) return magazine;
    if (magazine) free_magazine(core, magazine);
    magazine = hy_smp_metadata_take(core, magazine_size(capacity));
    if (magazine) magazine->capacity = capacity;
    return magazine;
}

/* The caller's empty one, or one that has as many places as it wants; the caller's, if there is no memory. */
static hy_smp_magazine *exchange_small(
    hy_smp_core *core, hy_smp_shard *shard, uint32_t number, hy_smp_magazine *empty, uint32_t wanted) {
    if (empty && empty->capacity >= wanted) return empty;
    hy_smp_magazine *magazine = pop_empty(core, shard, number, wanted);
    return magazine ? magazine : empty;
}

/* ---- taking ---- */

/* Part of a full magazine that holds more than the caller should have at once, in an empty one. NULL: no
 * memory. */
static hy_smp_magazine *take_part(
    hy_smp_core *core, uint32_t number, hy_smp_shard *shard, hy_smp_magazine *empty, uint32_t wanted) {
    hy_smp_depot *depot = &shard->depots[number];
    hy_smp_magazine *full = depot->full, *part = exchange_small(core, shard, number, empty, wanted);
    if (!part) return NULL;
    uint32_t count = part->capacity < wanted ? part->capacity : wanted;
    full->count -= count;
    memcpy(part->blocks, full->blocks + full->count, count * sizeof(void *));
    part->count = count;
    count_blocks(core, number, shard, 0 - (size_t)count);
    return part;
}

/* From one shard's depot, for an empty one (or NULL) that stays there: where threads give they would have to
 * make new ones otherwise, one for each that is taken from them. NULL: nothing is there, and `empty` is kept.
 */
static hy_smp_magazine *take_from(
    hy_smp_core *core, uint32_t number, hy_smp_shard *shard, hy_smp_magazine *empty, uint32_t wanted) {
    hy_smp_depot *depot = &shard->depots[number];
    hy_smp_magazine *magazine = NULL;
    hy_lock_take(&shard->lock);
    if (depot->full && depot->full->count > 2 * wanted)
        magazine = take_part(core, number, shard, empty, wanted);
    if (!magazine) magazine = pop_full(core, number, shard);
    if (magazine && empty && magazine != empty) push_empty(core, shard, number, empty);
    hy_lock_release(&shard->lock);
    return magazine;
}

/* From another shard's, where any has some. */
static hy_smp_magazine *take_from_others(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *empty, uint32_t wanted) {
    uint32_t used = hy_smp_shards_used(core);
    hy_smp_magazine *magazine = NULL;
    for (uint32_t i = 1; i < used && !magazine; i++) {
        hy_smp_shard *other = &core->shards[(shard + i) % used];
        if (__atomic_load_n(&other->depots[number].full, __ATOMIC_RELAXED))
            magazine = take_from(core, number, other, empty, wanted);
    }
    return magazine;
}

/* An empty one goes back to the shard's depot. */
static void leave_empty(hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *empty) {
    hy_lock_take(&core->shards[shard].lock);
    push_empty(core, &core->shards[shard], number, empty);
    hy_lock_release(&core->shards[shard].lock);
}

size_t hy_smp_depots_bytes(const hy_smp_core *core) {
    uint32_t used = hy_smp_shards_used(core);
    size_t bytes = 0;
    for (uint32_t shard = 0; shard < used; shard++)
        bytes += hy_smp_load(&core->shards[shard].bytes);
    return bytes;
}

/* Fills an empty one from the slabs as far as they have blocks; false: they have none. */
static bool fill(
    hy_smp_core *core, uint32_t number, hy_smp_magazine *magazine, uint32_t wanted, bool only_dirty) {
    hy_smp_class_state *state = &core->classes[number];
    if (wanted > magazine->capacity) wanted = magazine->capacity;
    hy_lock_take(&state->lock);
    magazine->count = hy_smp_slabs_take(core, number, magazine->blocks, wanted, only_dirty);
    hy_lock_release(&state->lock);
    return magazine->count > 0;
}

/* The same, emptying all depots first where the heap would have to grow otherwise, or can't. */
static bool fill_or_reclaim(hy_smp_core *core, uint32_t number, hy_smp_magazine *magazine, uint32_t wanted) {
    bool reclaims = hy_smp_should_reclaim(core);
    if (fill(core, number, magazine, wanted, reclaims)) return true;
    if (!reclaims && hy_smp_depots_bytes(core) == 0) return false;
    hy_smp_depots_drain(core);
    return fill(core, number, magazine, wanted, false);
}

/* From the slabs. */
static hy_smp_magazine *take_new(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *empty, uint32_t wanted) {
    hy_lock_take(&core->shards[shard].lock);
    hy_smp_magazine *magazine = exchange_small(core, &core->shards[shard], number, empty, wanted);
    hy_lock_release(&core->shards[shard].lock);
    if (!magazine) return NULL;
    bool is_filled = fill_or_reclaim(core, number, magazine, wanted);
    hy_smp_magazine *unwanted = is_filled ? empty : magazine;
    if (unwanted && magazine != empty) leave_empty(core, number, shard, unwanted);
    return is_filled ? magazine : NULL;
}

hy_smp_magazine *hy_smp_depot_take(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *empty, uint32_t wanted) {
    hy_smp_magazine *magazine = take_from(core, number, &core->shards[shard], empty, wanted);
    if (!magazine) magazine = take_from_others(core, number, shard, empty, wanted);
    return magazine ? magazine : take_new(core, number, shard, empty, wanted);
}

hy_smp_magazine *hy_smp_depot_take_empty(
    hy_smp_core *core, uint32_t number, uint32_t shard, uint32_t wanted) {
    hy_lock_take(&core->shards[shard].lock);
    hy_smp_magazine *magazine = pop_empty(core, &core->shards[shard], number, wanted);
    hy_lock_release(&core->shards[shard].lock);
    return magazine;
}

static void *take_one(hy_smp_core *core, uint32_t number) {
    hy_smp_class_state *state = &core->classes[number];
    void *block = NULL;
    hy_lock_take(&state->lock);
    (void)hy_smp_slabs_take(core, number, &block, 1, false);
    hy_lock_release(&state->lock);
    return block;
}

void *hy_smp_depot_take_one(hy_smp_core *core, uint32_t number) {
    void *block = take_one(core, number);
    if (block || hy_smp_depots_bytes(core) == 0) return block;
    hy_smp_depots_drain(core);
    return take_one(core, number);
}

/* ---- giving ---- */

/* Whether the depots may hold more. */
static bool depots_have_room(const hy_smp_core *core) {
    size_t share = hy_smp_load(&core->used_bytes) / LIMIT_SHARE;
    return hy_smp_load(&core->depot_bytes) < (share > HY_SMP_DEPOTS_MAX ? share : HY_SMP_DEPOTS_MAX);
}

static void give_to_slabs(hy_smp_core *core, uint32_t number, void *const *blocks, uint32_t count) {
    hy_smp_class_state *state = &core->classes[number];
    hy_lock_take(&state->lock);
    hy_smp_slabs_give(core, number, blocks, count);
    hy_lock_release(&state->lock);
}

hy_smp_magazine *hy_smp_depot_give(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *full, uint32_t wanted) {
    hy_smp_magazine *empty = NULL;
    if (depots_have_room(core)) {
        hy_lock_take(&core->shards[shard].lock);
        empty = pop_empty(core, &core->shards[shard], number, wanted);
        if (empty) push_full(core, number, &core->shards[shard], full);
        hy_lock_release(&core->shards[shard].lock);
    }
    if (empty) return empty;
    give_to_slabs(core, number, full->blocks, full->count);
    full->count = 0;
    return full;
}

void hy_smp_depot_leave(hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *magazine) {
    if (magazine->count && !depots_have_room(core)) {
        give_to_slabs(core, number, magazine->blocks, magazine->count);
        magazine->count = 0;
    }
    if (magazine->count == 0) {
        leave_empty(core, number, shard, magazine);
        return;
    }
    hy_lock_take(&core->shards[shard].lock);
    push_full(core, number, &core->shards[shard], magazine);
    hy_lock_release(&core->shards[shard].lock);
}

void hy_smp_depot_give_one(hy_smp_core *core, uint32_t number, void *block) {
    give_to_slabs(core, number, &block, 1);
}

/* ---- all depots ---- */

/* The shard's lock is given up after each magazine, for others who wait. */
static bool drain_one(hy_smp_core *core, uint32_t number, uint32_t shard, size_t keep) {
    hy_smp_depot *depot = &core->shards[shard].depots[number];
    hy_lock_take(&core->shards[shard].lock);
    hy_smp_magazine *magazine = NULL;
    if (depot->full_blocks > keep) magazine = pop_full(core, number, &core->shards[shard]);
    hy_lock_release(&core->shards[shard].lock);
    if (!magazine) return false;
    give_to_slabs(core, number, magazine->blocks, magazine->count);
    leave_empty(core, number, shard, magazine);
    return true;
}

void hy_smp_depot_drain(hy_smp_core *core, uint32_t number, uint32_t shard, size_t keep) {
    while (drain_one(core, number, shard, keep)) {
    }
}

static void drain_class(hy_smp_core *core, uint32_t number) {
    uint32_t used = hy_smp_shards_used(core);
    for (uint32_t shard = 0; shard < used; shard++) {
        hy_smp_depot_drain(core, number, shard, 0);
        hy_lock_take(&core->shards[shard].lock);
        free_empty(core, &core->shards[shard], number);
        hy_lock_release(&core->shards[shard].lock);
    }
    hy_smp_class_state *state = &core->classes[number];
    hy_lock_take(&state->lock);
    hy_smp_slabs_drop_empty(core, number);
    hy_lock_release(&state->lock);
}

size_t hy_smp_depot_blocks(const hy_smp_core *core, uint32_t number) {
    uint32_t used = hy_smp_shards_used(core);
    size_t blocks = 0;
    for (uint32_t shard = 0; shard < used; shard++)
        blocks += hy_smp_load(&core->shards[shard].depots[number].full_blocks);
    return blocks;
}

void hy_smp_depots_drain(hy_smp_core *core) {
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        const hy_smp_class_state *state = &core->classes[number];
        /* Blocks without a slab are of another class: the slabs tell that. */
        bool is_used =
            __atomic_load_n(&state->slab_count, __ATOMIC_RELAXED) || hy_smp_depot_blocks(core, number);
        if (is_used) drain_class(core, number);
    }
}

bool hy_smp_should_reclaim(const hy_smp_core *core) {
    size_t depots = hy_smp_load(&core->depot_bytes), used = hy_smp_load(&core->used_bytes);
    return depots > HY_SMP_RECLAIM_MIN && depots > used / 32;
}

uint32_t hy_smp_shards_used(const hy_smp_core *core) {
    uint32_t count = __atomic_load_n(&core->cache_count, __ATOMIC_RELAXED);
    return count < HY_SMP_SHARDS ? count : HY_SMP_SHARDS;
}

/* Whether all blocks are of slabs of the class, and taken. */
static bool blocks_hold(const hy_smp_core *core, uint32_t number, const hy_smp_magazine *magazine) {
    for (uint32_t i = 0; i < magazine->count; i++) {
        if (!hy_smp_slabs_gave(core, number, magazine->blocks[i])) return false;
    }
    return true;
}

static bool depot_holds(const hy_smp_core *core, uint32_t number, const hy_smp_depot *depot) {
    size_t blocks = 0;
    for (const hy_smp_magazine *magazine = depot->full; magazine; magazine = magazine->next) {
        if (magazine->count == 0 || magazine->count > magazine->capacity) return false;
        if (!blocks_hold(core, number, magazine)) return false;
        blocks += magazine->count;
        if (blocks > depot->full_blocks) return false; /* or it goes round in a circle */
    }
    for (const hy_smp_magazine *magazine = depot->empty; magazine; magazine = magazine->next) {
        if (magazine->count != 0) return false;
    }
    return blocks == depot->full_blocks && depot->full_low <= depot->full_blocks;
}

/* Whether a shard's depots hold together, and as many bytes as it says. */
static bool shard_holds(const hy_smp_core *core, const hy_smp_shard *shard) {
    size_t bytes = 0, empty_bytes = 0;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (!depot_holds(core, number, &shard->depots[number])) return false;
        bytes += shard->depots[number].full_blocks * core->classes[number].block_size;
        for (const hy_smp_magazine *empty = shard->depots[number].empty; empty; empty = empty->next)
            empty_bytes += magazine_size(empty->capacity);
    }
    return bytes == shard->bytes && empty_bytes == shard->empty_bytes;
}

/* Whether the depots hold no more than they may: what they might when most was used, what the shards did not
 * say yet, and a magazine of each thread that found room at the same time. */
static bool is_bounded(const hy_smp_core *core) {
    size_t share = core->peak_bytes / LIMIT_SHARE,
           most = share > HY_SMP_DEPOTS_MAX ? share : HY_SMP_DEPOTS_MAX;
    size_t magazine = HY_SMP_MAGAZINE_LEAST * HY_SMP_SMALL_MAX;
    if (magazine < HY_SMP_MAGAZINE_BYTES) magazine = HY_SMP_MAGAZINE_BYTES;
    size_t unpublished = hy_smp_shards_used(core) * HY_SMP_PUBLISHED_CHANGE;
    return hy_smp_depots_bytes(core) <= most + unpublished + core->cache_count * magazine;
}

size_t hy_smp_magazine_bytes(const hy_smp_magazine *magazine) {
    return hy_smp_metadata_rounded(magazine_size(magazine->capacity));
}

static size_t list_bytes(const hy_smp_magazine *magazine) {
    size_t bytes = 0;
    for (; magazine; magazine = magazine->next)
        bytes += hy_smp_magazine_bytes(magazine);
    return bytes;
}

size_t hy_smp_depots_metadata(const hy_smp_core *core) {
    size_t bytes = 0;
    for (uint32_t shard = 0; shard < hy_smp_shards_used(core); shard++) {
        for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
            const hy_smp_depot *depot = &core->shards[shard].depots[number];
            bytes += list_bytes(depot->full) + list_bytes(depot->empty);
        }
    }
    return bytes;
}

bool hy_smp_depots_check(const hy_smp_core *core) {
    size_t published = 0;
    /* A shard comes into use under its lock, and all are held. */
    uint32_t used = hy_smp_shards_used(core);
    for (uint32_t shard = 0; shard < used; shard++) {
        if (!shard_holds(core, &core->shards[shard])) return false;
        published += core->shards[shard].published;
    }
    return published == hy_smp_load(&core->depot_bytes) && is_bounded(core);
}
