/* pool_row.c: how the yards know pool. */
#include <heapyard/direct.h>
#include <heapyard/libc.h>
#include <heapyard/pool.h>
#include <heapyard/typed.h>

#define DEFAULT_BLOCK_SIZE 64

#define PREHEATED 32

/* Bits of the row's options: it pre-heats PREHEATED blocks; it never makes more than that. */
#define OPTION_PREHEAT 1u
#define OPTION_FIXED 2u

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    hy_pool *pool = hy_create(hy_libc(), hy_pool);
    if (!pool) return NULL;
    hy_pool_options options = {.preheat = config->options & (OPTION_PREHEAT | OPTION_FIXED) ? PREHEATED : 0,
        .fixed = config->options & OPTION_FIXED};
    size_t block_size = config->block_size ? config->block_size : row->default_block_size;
    hy_align align = config->block_align.log2 ? config->block_align : row->greatest_align;
    if (hy_pool_init(pool, config->child, block_size, align, &options) != HY_OK) {
        hy_destroy(hy_libc(), pool);
        return NULL;
    }
    *out = hy_pool_allocator(pool);
    return pool;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_pool *pool = state;
    hy_pool_deinit(pool);
    hy_destroy(hy_libc(), pool);
}

static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    return hy_pool_reset(state, (hy_arena_reset_mode)mode, limit);
}

static bool owns(void *state, const void *ptr) {
    return hy_pool_owns(state, ptr);
}

static bool check(void *state) {
    return hy_pool_check(state);
}

static bool stats(void *state, hy_stats *out) {
    hy_pool *pool = state;
    size_t heads = 0;
    for (const hy_arena_chunk *chunk = pool->arena.state.chunk; chunk; chunk = chunk->older)
        heads += sizeof *chunk;
    out->capacity_bytes = hy_arena_capacity(&pool->arena);
    out->used_bytes = hy_pool_live(pool) * pool->stride;
    out->overhead_bytes = heads;
    out->high_water_bytes = SIZE_MAX;
    out->calls_count = pool->arena.calls_count;
    return true;
}

static bool preheat(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    return hy_pool_preheat(state, number);
}

/* Another one over the same child that may not grow: it makes so many blocks, and no more is asked of the
 * child; only what was made is a block. */
static bool fill_fixed(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_pool other;
    size_t size = number % 64 + 1, count = number / 64 % 8 + 1;
    const hy_pool_options options = {.preheat = count, .fixed = true};
    if (hy_pool_init(&other, ((hy_pool *)state)->arena.child, size, HY_ALIGN_8, &options) != HY_OK)
        return true;
    char *first = hy_pool_create(&other);
    bool good = first && hy_pool_is_block(&other, first) && !hy_pool_is_block(&other, first + other.stride);
    size_t capacity = hy_pool_capacity(&other), calls = other.arena.calls_count;
    good = good && hy_pool_preheat(&other, capacity - 1) && !hy_pool_preheat(&other, capacity);
    for (size_t made = 1; good && made < capacity; made++)
        good = hy_pool_create(&other) != NULL;
    good = good && !hy_pool_create(&other) && other.arena.calls_count == calls &&
           hy_pool_live(&other) == capacity;
    hy_pool_deinit(&other);
    return good;
}

static const hy_row_operation operations[] = {
    {"preheat", HY_EFFECT_BLOCKS, false, preheat}, {"fill_fixed", HY_EFFECT_NONE, true, fill_fixed}};

HY_INLINE void *take(void *pool, size_t size, uintptr_t *mark) {
    (void)mark;
    return hy_pool_alloc(pool, size, HY_ALIGN_16);
}

HY_INLINE void give(void *pool, void *ptr, size_t size, uintptr_t mark) {
    (void)size, (void)mark;
    hy_pool_destroy(pool, ptr);
}

HY_INLINE void end_all(void *pool) {
    hy_pool_reset(pool, HY_ARENA_RETAIN_CAPACITY, 0);
}

static uint64_t direct_pair(void *pool, size_t size, size_t count) {
    return hy_direct_pair(pool, size, count, take, give);
}

static uint64_t direct_request(void *pool, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(pool, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

#if HY_CHECK >= 2
#define NO_BLOCK "must be a block of this pool"

/* What was asked for of a block, and not the rest of it, is open. */
static bool covers(void *state, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    (void)ptr, (void)align;
    return misuse != HY_MISUSE_WRITE_PAST || size < ((const hy_pool *)state)->block_size;
}

static const hy_row_reports reports = {
    .says = {[HY_MISUSE_DOUBLE_FREE] = "must be a block that lives",
        [HY_MISUSE_INTERIOR] = NO_BLOCK,
        [HY_MISUSE_FOREIGN] = NO_BLOCK,
        [HY_MISUSE_WRONG_INSTANCE] = NO_BLOCK},
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_PAST) | HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED) |
                HY_MISUSE_BIT(HY_MISUSE_WRITE_RESET),
    .covers = covers,
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

static const char *use_pool(hy_pool *pool, const hy_pool_options *options, hy_settings *from) {
    size_t count = options->preheat;
    if (options->fixed) {
        while (count > 0 && hy_pool_create(pool))
            count--;
        if (count != 0) return "a fixed pool has fewer blocks than were made ahead";
        if (hy_pool_create(pool)) return "a fixed pool has more blocks than were made ahead";
        if (!hy_pool_reset(pool, HY_ARENA_RETAIN_CAPACITY, 0)) return "a reset lost a fixed pool's blocks";
    }
    void *block = hy_pool_create(pool);
    if (block) hy_pool_destroy(pool, block);
    return hy_settings_use(hy_pool_allocator(pool), from);
}

/* Blocks of any size and alignment, any number of which are made ahead. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    size_t block_size = hy_settings_size(from);
    hy_pool_options options = {.preheat = hy_settings_size(from), .fixed = flags & 1};
    bool has_options = !(flags & 2);
    if (!has_options) options = (hy_pool_options){0};
    bool is_senseless = block_size == 0 || (options.fixed && options.preheat == 0);
    hy_align align = hy_align_from_log2((flags >> 2) % 16);
    hy_pool pool;
    if (is_senseless) from->hush(true);
    hy_error error = hy_pool_init(&pool, child, block_size, align, has_options ? &options : NULL);
    if (is_senseless) from->hush(false);
    if ((error == HY_INVALID) != is_senseless)
        return "a pool is refused as invalid exactly where it can have no block";
    if (error != HY_OK) return NULL;
    const char *wrong = use_pool(&pool, &options, from);
    hy_pool_deinit(&pool);
    return wrong;
}

const hy_row hy_pool_row = {
    .name = "pool",
    .group = HY_GROUP_STRATEGY,
    .summary = "objects of one size, made and ended in any order, over any child",
    .header = "heapyard/pool.h",
    .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_BULK_RESET | HY_TRAIT_FIXED_BLOCK | HY_TRAIT_REAL_FREE,
    .greatest_align = {4},
    .default_child = "raw_libc",
    .promises = {.footprint_factor = 5, .shrinks = true}, /* the arena's that its chunks come from */
    .default_block_size = DEFAULT_BLOCK_SIZE,
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .owns = owns,
    .check = check,
    .stats = stats,
    .direct = &direct,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .reports = REPORTS,
    .settings = settings,
};
