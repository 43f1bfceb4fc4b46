/* arena_shared_row.c: how the yards know arena_shared. */
#include <heapyard/arena_shared.h>
#include <heapyard/direct.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_arena_shared *shared = hy_create(hy_libc(), hy_arena_shared);
    if (!shared) return NULL;
    hy_arena_shared_init(shared, config->child);
    *out = hy_arena_shared_allocator(shared);
    return shared;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_arena_shared *shared = state;
    hy_arena_shared_deinit(shared);
    hy_destroy(hy_libc(), shared);
}

static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    return hy_arena_shared_reset(state, (hy_arena_reset_mode)mode, limit);
}

static bool owns(void *state, const void *ptr) {
    return hy_arena_shared_owns(state, ptr);
}

static bool check(void *state) {
    return hy_arena_shared_check(state);
}

/* The arena notes its greatest use where memory ends; what is read in between counts, too. */
static bool stats(void *state, hy_stats *out) {
    hy_arena_shared *shared = state;
    size_t used = hy_arena_shared_used(shared);
    if (used > shared->high_water_bytes) shared->high_water_bytes = used;
    *out = (hy_stats){.capacity_bytes = hy_arena_shared_capacity(shared),
        .used_bytes = used,
        .high_water_bytes = shared->high_water_bytes};
    for (uint32_t slot = 0; slot < HY_THREAD_SLOTS; slot++) {
        if (!(shared->lanes_begun >> slot & 1)) continue;
        const hy_arena *lane = slot ? &shared->lanes[slot].arena : &shared->common;
        out->calls_count += lane->calls_count;
        for (const hy_arena_chunk *chunk = lane->state.chunk; chunk; chunk = chunk->older)
            out->overhead_bytes += sizeof *chunk;
    }
    return true;
}

/* Another one over the same child remembers how much it held when a reset ends that. */
static bool note_use(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_arena_shared other;
    hy_arena_shared_init(&other, ((hy_arena_shared *)state)->child);
    (void)!hy_arena_shared_alloc(&other, number % 1024 + 1, HY_ALIGN_8);
    size_t used = hy_arena_shared_used(&other);
    (void)hy_arena_shared_reset(&other, HY_ARENA_FREE_ALL, 0);
    bool good = other.high_water_bytes == used;
    hy_arena_shared_deinit(&other);
    return good;
}

static const hy_row_operation operations[] = {{"note_use", HY_EFFECT_NONE, true, note_use}};

HY_INLINE void *take(void *shared, size_t size, uintptr_t *mark) {
    (void)mark;
    return hy_arena_shared_alloc(shared, size, HY_ALIGN_16);
}

HY_INLINE void give(void *shared, void *ptr, size_t size, uintptr_t mark) {
    (void)mark;
    hy_arena_shared_free(shared, ptr, size);
}

HY_INLINE void end_all(void *shared) {
    hy_arena_shared_reset(shared, HY_ARENA_RETAIN_CAPACITY, 0);
}

static uint64_t direct_pair(void *shared, size_t size, size_t count) {
    return hy_direct_pair(shared, size, count, take, give);
}

static uint64_t direct_request(void *shared, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(shared, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

const hy_row hy_arena_shared_row = {
    .name = "arena_shared",
    .group = HY_GROUP_STRATEGY,
    .summary = "an arena for many threads, without a lock but where a chunk is taken",
    .header = "heapyard/arena_shared.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_LAST | HY_TRAIT_BULK_RESET | HY_TRAIT_GROW_IN_PLACE,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "raw_libc",
    .promises = {.footprint_factor = 5, .shrinks = true}, /* the arena's: each lane is one */
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .owns = owns,
    .check = check,
    .stats = stats,
    .direct = &direct,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .form_of = "arena",
    .alike = HY_LIKE_SERVED,
};
