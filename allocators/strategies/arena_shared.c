/* arena_shared.c: allocate many from many threads, free all at once.
 *
 * For: work that several threads do for one purpose, and whose memory ends with it: a parallel
 * compilation, a request that fans out, a scene. Not for: one thread (a plain arena is as quick and
 * smaller), and blocks that must be freed one by one by the thread that is done with them.
 * Algorithm: an arena for each thread, found by the thread's slot. What an owner does in its newest chunk
 * are plain loads and stores: nobody else looks at its pointer. All that concerns chunks is done by the same
 * owner behind the one lock, so that the lock's holder may walk every lane's chunks.
 *
 *   hy_thread_slot -> lanes[slot] = arena: next, end, chunk -> [head|block|block|  room  ]
 *                     lanes[0]    = empty: who has no slot finds no room there, and asks behind the lock
 *                     common      = arena of all who find no slot free
 *
 * A thread that ends leaves its slot, and with it the lane, to the next one. Slots are given out lowest
 * first, so that a program of ever new threads uses as many lanes as threads lived at once.
 *
 * Why slots, not a thread-local pointer to the lane: a thread that alternates between two arenas
 * would miss such a cache at every step.
 *
 * Cost: as arena, and a load, a shift and an addition. Overhead: a cache line for each slot in the struct,
 * then as arena. Thread-safe: yes.
 * Source: protobuf's arena and RocksDB's ConcurrentArena have a part for each thread or core, too; Zig's
 * newest ArenaAllocator has all threads add to one pointer, which each of them then waits for.
 */
#include <heapyard/arena_shared.h>

#define RESETTING ((uint32_t)1 << 31)

_Static_assert(sizeof(hy_arena_lane) == HY_CACHE_LINE, "a lane is one cache line");
_Static_assert(HY_THREAD_SLOTS <= 64, "one bit of lanes_begun for each slot");

/* Lane `slot`; 0 stands for the common one. */
static hy_arena *lane_of(const hy_arena_shared *shared, uint32_t slot) {
    return (hy_arena *)(slot ? &shared->lanes[slot].arena : &shared->common);
}

/* Takes one lane that has begun out of the set. */
static hy_arena *take_lane(const hy_arena_shared *shared, uint64_t *set) {
    HY_ASSERT(*set != 0, "a lane is taken from an empty set");
    uint32_t slot = (uint32_t)__builtin_ctzll(*set);
    *set &= *set - 1;
    return lane_of(shared, slot);
}

/* A lane that has not begun, as lane 0, holds nothing and has room for nothing. */
static bool is_empty(const hy_arena *lane) {
    return !lane->state.chunk && lane->state.next == 0 && lane->end == 0;
}

/* Behind the lock: the lane of the calling thread, ready to grow. */
static hy_arena *begin_lane(hy_arena_shared *shared) {
    uint32_t slot = hy_thread_slot_take();
    HY_ASSERT(slot < HY_THREAD_SLOTS, "a thread has a slot that does not exist");
    hy_arena *lane = lane_of(shared, slot);
    uint64_t bit = (uint64_t)1 << slot;
    HY_ASSERT(is_empty(&shared->lanes[0].arena), "lane 0, which has no owner, holds something");
    if (!(shared->lanes_begun & bit)) {
        HY_ASSERT(is_empty(lane), "a lane that has not begun holds something");
        *lane = (hy_arena)HY_ARENA_INIT(shared->child);
        shared->lanes_begun |= bit;
    }
    return lane;
}

static void lock(hy_arena_shared *shared) {
    int failed = pthread_mutex_lock(&shared->lock);
    (void)failed;
    HY_ASSERT(failed == 0, "the lock can't be taken: was the arena initialised?");
}

static void unlock(hy_arena_shared *shared) {
    int failed = pthread_mutex_unlock(&shared->lock);
    (void)failed;
    HY_ASSERT(failed == 0, "the lock can't be given back");
}

/* Relaxed: calls are counted, not ordered; ThreadSanitizer must go on seeing what the caller left
 * unordered. */
void hy_arena_shared_enter(hy_arena_shared *shared, const char *function) {
    uint32_t before = __atomic_fetch_add(&shared->inside, 1, __ATOMIC_RELAXED);
    if (HY_UNLIKELY(before & RESETTING))
        hy_misuse(function, before, "called while no other thread resets it");
}

void hy_arena_shared_leave(hy_arena_shared *shared) {
    uint32_t before = __atomic_fetch_sub(&shared->inside, 1, __ATOMIC_RELAXED);
    (void)before;
    HY_ASSERT((before & ~RESETTING) != 0, "a call ends that did not begin");
}

/* From here on no thread may be inside a call. */
static void begin_exclusive(hy_arena_shared *shared, const char *function) {
    (void)shared, (void)function;
#if HY_CHECK >= 2
    uint32_t before = __atomic_fetch_or(&shared->inside, RESETTING, __ATOMIC_RELAXED);
    HY_REQUIRE(before == 0, function, before, "called while no thread is inside");
#endif
}

static void end_exclusive(hy_arena_shared *shared) {
    (void)shared;
#if HY_CHECK >= 2
    uint32_t before = __atomic_fetch_and(&shared->inside, ~RESETTING, __ATOMIC_RELAXED);
    HY_ASSERT(before & RESETTING, "a reset ends that did not begin");
#endif
}

HY_COLD void *hy_arena_shared_alloc_slow(hy_arena_shared *shared, size_t size, hy_align align) {
    lock(shared);
    void *block = hy_arena_alloc(begin_lane(shared), size, align);
    unlock(shared);
    return block;
}

HY_COLD void hy_arena_shared_free_slow(hy_arena_shared *shared, void *ptr, size_t size) {
    lock(shared);
    if (hy_arena_is_newest(&shared->common, ptr, size)) shared->common.state.next = (uintptr_t)ptr;
    HY_ASSERT_WALK(hy_arena_check(&shared->common));
    unlock(shared);
}

/* Whether the block's new end lies where only a larger chunk reaches. */
static bool outgrows_chunk(const hy_arena *lane, const void *ptr, size_t new_size) {
    uintptr_t last;
    return HY_ADD_OVERFLOWS((uintptr_t)ptr, (new_size - 1) | 7, &last) || last >= lane->end;
}

/* The block may be another lane's: then it can only shrink. */
static bool resize_in(hy_arena *lane, void *ptr, size_t old_size, size_t new_size) {
    if (hy_arena_is_newest(lane, ptr, old_size)) return hy_arena_resize(lane, ptr, old_size, new_size);
    if (new_size > old_size) return false;
    hy_poison((char *)ptr + new_size, old_size - new_size);
    return true;
}

static bool resize(hy_arena_shared *shared, void *ptr, size_t old_size, size_t new_size) {
    hy_arena *lane = lane_of(shared, hy_thread_slot);
    if (lane != &shared->common && (new_size <= old_size || !outgrows_chunk(lane, ptr, new_size)))
        return resize_in(lane, ptr, old_size, new_size);
    lock(shared);
    bool resized = resize_in(lane, ptr, old_size, new_size);
    unlock(shared);
    return resized;
}

bool hy_arena_shared_resize(hy_arena_shared *shared, void *ptr, size_t old_size, size_t new_size) {
#if HY_CHECK >= 2
    hy_arena_shared_enter(shared, "hy_arena_shared_resize");
    HY_REQUIRE(
        hy_arena_shared_owns(shared, ptr), "hy_arena_shared_resize", (uintptr_t)ptr, "a block of this arena");
#endif
    bool resized = resize(shared, ptr, old_size, new_size);
#if HY_CHECK >= 2
    hy_arena_shared_leave(shared);
#endif
    return resized;
}

void hy_arena_shared_init(hy_arena_shared *shared, hy_allocator child) {
    hy_require_child(child, "hy_arena_shared_init");
    *shared = (hy_arena_shared)HY_ARENA_SHARED_INIT(child);
}

void hy_arena_shared_deinit(hy_arena_shared *shared) {
    begin_exclusive(shared, "hy_arena_shared_deinit");
    for (uint64_t set = shared->lanes_begun; set != 0;)
        hy_arena_deinit(take_lane(shared, &set));
    pthread_mutex_destroy(&shared->lock);
    hy_arena_shared_init(shared, shared->child);
}

size_t hy_arena_shared_used(const hy_arena_shared *shared) {
    size_t used = 0;
    for (uint64_t set = shared->lanes_begun; set != 0;)
        used += hy_arena_used(take_lane(shared, &set));
    return used;
}

static void note_high_water(hy_arena_shared *shared) {
    size_t used = hy_arena_shared_used(shared);
    if (used > shared->high_water_bytes) shared->high_water_bytes = used;
}

/* The greatest share that all lanes can have of the limit: what one can't use of an equal share is for the
 * others. */
static size_t fair_share(const hy_arena_shared *shared, size_t limit) {
    uint64_t unsatisfied = shared->lanes_begun, asked;
    size_t share;
    do {
        if (unsatisfied == 0) return SIZE_MAX;
        asked = unsatisfied;
        share = limit / (size_t)__builtin_popcountll(asked);
        for (uint64_t set = asked; set != 0;) {
            uint64_t bit = set & (0 - set);
            size_t capacity = hy_arena_capacity(take_lane(shared, &set));
            if (capacity > share) continue;
            limit -= capacity;
            unsatisfied &= ~bit;
        }
    } while (unsatisfied != asked);
    return share;
}

static size_t sum_capacity(const hy_arena_shared *shared) {
    size_t capacity = 0;
    for (uint64_t set = shared->lanes_begun; set != 0;)
        capacity += hy_arena_capacity(take_lane(shared, &set));
    return capacity;
}

static bool reset_lanes(hy_arena_shared *shared, hy_arena_reset_mode mode, size_t limit) {
    bool kept = true;
    size_t share = mode == HY_ARENA_RETAIN_WITH_LIMIT ? fair_share(shared, limit) : 0;
    for (uint64_t set = shared->lanes_begun; set != 0;)
        kept &= hy_arena_reset(take_lane(shared, &set), mode, share);
    HY_ASSERT(hy_arena_shared_used(shared) == 0, "a block has survived a reset");
    HY_ASSERT(mode != HY_ARENA_RETAIN_WITH_LIMIT || sum_capacity(shared) <= limit,
        "a reset has kept more than its limit");
    HY_ASSERT_WALK(hy_arena_shared_check(shared));
    return kept;
}

bool hy_arena_shared_reset(hy_arena_shared *shared, hy_arena_reset_mode mode, size_t limit) {
    begin_exclusive(shared, "hy_arena_shared_reset");
    note_high_water(shared);
    bool kept = reset_lanes(shared, mode, limit);
    end_exclusive(shared);
    return kept;
}

size_t hy_arena_shared_capacity(hy_arena_shared *shared) {
    lock(shared);
    size_t capacity = sum_capacity(shared);
    unlock(shared);
    return capacity;
}

bool hy_arena_shared_owns(hy_arena_shared *shared, const void *ptr) {
    bool owned = false;
    lock(shared);
    for (uint64_t set = shared->lanes_begun; set != 0 && !owned;)
        owned = hy_arena_owns(take_lane(shared, &set), ptr);
    unlock(shared);
    return owned;
}

bool hy_arena_shared_check(const hy_arena_shared *shared) {
    if (!is_empty(&shared->lanes[0].arena)) return false;
    for (uint32_t slot = 0; slot < HY_THREAD_SLOTS; slot++) {
        const hy_arena *lane = lane_of(shared, slot);
        bool begun = shared->lanes_begun >> slot & 1;
        if (begun ? !hy_arena_check(lane) : !is_empty(lane)) return false;
    }
    return true;
}

HY_SLOT void *hy_arena_shared_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_arena_shared_alloc(self, size, align);
}

bool hy_arena_shared_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_arena_shared_resize(self, ptr, old_size, new_size);
}

void *hy_arena_shared_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_arena_shared_resize(self, ptr, old_size, new_size) ? ptr : NULL;
}

HY_SLOT void hy_arena_shared_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    hy_arena_shared_free(self, ptr, size);
}
