/* arena_row.c: how the yards know arena. */
#include <heapyard/arena.h>
#include <heapyard/direct.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

/* Bit 0 of the row's options makes the arena begin with a chunk of 4 KiB. */
static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_arena *arena = hy_create(hy_libc(), hy_arena);
    if (!arena) return NULL;
    hy_arena_options options = {.capacity = config->options & 1 ? 4096 : 0};
    if (hy_arena_init(arena, config->child, &options) != HY_OK) {
        hy_destroy(hy_libc(), arena);
        return NULL;
    }
    *out = hy_arena_allocator(arena);
    return arena;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_arena *arena = state;
    hy_arena_deinit(arena);
    hy_destroy(hy_libc(), arena);
}

_Static_assert((int)HY_ARENA_FREE_ALL == (int)HY_RESET_FREE_ALL &&
                   (int)HY_ARENA_RETAIN_CAPACITY == (int)HY_RESET_RETAIN_CAPACITY &&
                   (int)HY_ARENA_RETAIN_WITH_LIMIT == (int)HY_RESET_RETAIN_WITH_LIMIT,
    "a row's reset modes are the arena's");

static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    return hy_arena_reset(state, (hy_arena_reset_mode)mode, limit);
}

static bool owns(void *state, const void *ptr) {
    return hy_arena_owns(state, ptr);
}

static bool check(void *state) {
    return hy_arena_check(state);
}

/* The arena notes its greatest use where memory ends; what is read in between counts, too. */
static bool stats(void *state, hy_stats *out) {
    hy_arena *arena = state;
    size_t used = hy_arena_used(arena);
    if (used > arena->high_water_bytes) arena->high_water_bytes = used;
    *out = (hy_stats){.capacity_bytes = hy_arena_capacity(arena),
        .used_bytes = used,
        .high_water_bytes = arena->high_water_bytes,
        .calls_count = arena->calls_count};
    for (const hy_arena_chunk *chunk = arena->state.chunk; chunk; chunk = chunk->older)
        out->overhead_bytes += sizeof *chunk;
    return true;
}

_Static_assert(sizeof(hy_arena_mark) <= sizeof(hy_mark), "a row's mark has room for the arena's");

static bool save(void *state, size_t number, hy_mark *mark) {
    (void)number;
    hy_arena_mark saved = hy_arena_save(state);
    memcpy(mark, &saved, sizeof saved);
    return true;
}

static bool restore(void *state, size_t number, hy_mark *mark) {
    (void)number;
    hy_arena_mark saved;
    memcpy(&saved, mark, sizeof saved);
    hy_arena_restore(state, saved);
    return true;
}

static bool reserve(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    return hy_arena_reserve(state, number ? number : 1, HY_ALIGN_8);
}

/* The state goes from the arena into a new one in the same place. */
static bool hand_over(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_arena *arena = state;
    hy_allocator child = arena->child;
    hy_arena_state taken = hy_arena_demote(arena);
    bool holds_nothing = hy_arena_capacity(arena) == 0 && hy_arena_used(arena) == 0;
    hy_arena promoted = hy_arena_promote(taken, child);
    *arena = promoted;
    return holds_nothing;
}

/* Fills an arena that takes no second chunk, by a block of `first` bytes (0: none) and one of all that is
 * left, and gives the latter back. Then the first one grows to all of it, and no further. */
static bool fill(hy_arena *arena, size_t first) {
    size_t all = hy_arena_capacity(arena);
    char *block = first ? hy_arena_alloc(arena, first, HY_ALIGN_8) : NULL;
    size_t used = hy_arena_used(arena), rest = all - used;
    char *last = rest ? hy_arena_alloc(arena, rest, HY_ALIGN_1) : NULL;
    bool good = (block || !first) && (last || !rest) && hy_arena_used(arena) == all;
    if (last) hy_arena_free(arena, last, rest);
    good = good && hy_arena_used(arena) == (arena->fatal ? all : used);
    if (good && block && !arena->fatal)
        good = hy_arena_resize(arena, block, first, all) && !hy_arena_resize(arena, block, all, all + 1);
    return good && !hy_arena_reserve(arena, all + 1, HY_ALIGN_1) && hy_arena_check(arena);
}

/* An arena that was ended is as one without options: it asks its child. */
static bool grows(hy_arena *arena) {
    bool grown = hy_arena_alloc(arena, 1, HY_ALIGN_8) != NULL || arena->calls_count > 0;
    hy_arena_deinit(arena);
    return grown;
}

/* Another arena over the same child, fixed or fatal, is filled to its last byte, again after a reset. */
static bool fill_fixed(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    size_t capacity = number % 512 + 1, first = number / 1024 % capacity;
    const hy_arena_options options = {.capacity = capacity, .fixed = true, .fatal = number / 512 % 2};
    hy_arena arena;
    if (hy_arena_init(&arena, ((hy_arena *)state)->child, &options) != HY_OK) return true;
    bool good = hy_arena_capacity(&arena) >= capacity && fill(&arena, first);
    good = hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0) && good && fill(&arena, 0);
    good = good && (arena.fatal || !hy_arena_alloc(&arena, hy_arena_capacity(&arena) + 1, HY_ALIGN_1));
    hy_arena_deinit(&arena);
    return good && grows(&arena);
}

#define CHILD_BYTES ((size_t)2048)

/* Another arena, over a child of few bytes, takes all that this has, where half as much again as it holds
 * would be more: by a new block, or by the one that is there. */
static bool fill_child(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)mark;
    _Alignas(16) char bytes[CHILD_BYTES];
    hy_fixed_buffer buffer;
    hy_fixed_buffer_init(&buffer, bytes, sizeof bytes);
    hy_arena arena = HY_ARENA_INIT(hy_fixed_buffer_allocator(&buffer));
    size_t first = CHILD_BYTES / 2 + number % 256, most = CHILD_BYTES - sizeof(hy_arena_chunk);
    char *block = hy_arena_alloc(&arena, first, HY_ALIGN_8);
    bool good = block != NULL;
    if (good && number / 256 % 2)
        good = hy_arena_resize(&arena, block, first, most);
    else if (good)
        good = hy_arena_alloc(&arena, most - hy_arena_used(&arena), HY_ALIGN_8) != NULL;
    good = good && hy_arena_capacity(&arena) == most && hy_arena_used(&arena) == most;
    hy_arena_deinit(&arena);
    hy_fixed_buffer_deinit(&buffer);
    return good;
}

/* Another arena over the same child has room for a block of any alignment where it said so. */
static bool reserve_aligned(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    hy_align align = hy_align_from_log2((uint8_t)(number % 13));
    size_t size = number / 13 % 600 + 1, before = number / 7800 % 64;
    hy_arena arena = HY_ARENA_INIT(((hy_arena *)state)->child);
    if (before) (void)!hy_arena_alloc(&arena, before, HY_ALIGN_8);
    bool reserved = hy_arena_reserve(&arena, size, align);
    size_t calls = arena.calls_count;
    bool good = !reserved || (hy_arena_alloc(&arena, size, align) != NULL && arena.calls_count == calls);
    hy_arena_deinit(&arena);
    return good;
}

/* Another arena over the same child remembers how much it held when a restore or a reset ends that. */
static bool note_use(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    size_t size = number / 2 % 1024 + 1;
    hy_arena arena = HY_ARENA_INIT(((hy_arena *)state)->child);
    void *kept = hy_arena_alloc(&arena, size, HY_ALIGN_8);
    hy_arena_mark saved = hy_arena_save(&arena);
    if (kept) (void)!hy_arena_alloc(&arena, size, HY_ALIGN_8);
    size_t used = hy_arena_used(&arena);
    if (number % 2)
        hy_arena_restore(&arena, saved);
    else
        (void)hy_arena_reset(&arena, HY_ARENA_FREE_ALL, 0);
    bool good = arena.high_water_bytes == used;
    hy_arena_deinit(&arena);
    return good;
}

/* Another arena over the same child, with a capacity that no arena can have. */
static bool make_too_large(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    const hy_arena_options options = {.capacity = SIZE_MAX - number % 64};
    hy_arena other;
    bool refused = hy_arena_init(&other, ((hy_arena *)state)->child, &options) == HY_OUT_OF_MEMORY;
    hy_arena_deinit(&other);
    return refused;
}

static const hy_row_operation operations[] = {
    {"save", HY_EFFECT_MARK, true, save},
    {"restore", HY_EFFECT_RESTORE, true, restore},
    {"reserve", HY_EFFECT_ROOM, false, reserve},
    {"hand_over", HY_EFFECT_NONE, true, hand_over},
    {"fill_fixed", HY_EFFECT_NONE, true, fill_fixed},
    {"make_too_large", HY_EFFECT_NONE, true, make_too_large},
    {"fill_child", HY_EFFECT_NONE, true, fill_child},
    {"reserve_aligned", HY_EFFECT_NONE, true, reserve_aligned},
    {"note_use", HY_EFFECT_NONE, true, note_use},
};

HY_INLINE void *take(void *arena, size_t size, uintptr_t *mark) {
    (void)mark;
    return hy_arena_alloc(arena, size, HY_ALIGN_16);
}

HY_INLINE void give(void *arena, void *ptr, size_t size, uintptr_t mark) {
    (void)mark;
    hy_arena_free(arena, ptr, size);
}

HY_INLINE void end_all(void *arena) {
    hy_arena_reset(arena, HY_ARENA_RETAIN_CAPACITY, 0);
}

static uint64_t direct_pair(void *arena, size_t size, size_t count) {
    return hy_direct_pair(arena, size, count, take, give);
}

static uint64_t direct_request(void *arena, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(arena, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

#if HY_CHECK >= 2
#define NO_BLOCK "must be a block of this arena"
static const hy_row_reports reports = {
    .says = {[HY_MISUSE_FOREIGN] = NO_BLOCK, [HY_MISUSE_WRONG_INSTANCE] = NO_BLOCK},
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED) | HY_MISUSE_BIT(HY_MISUSE_WRITE_RESET),
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

/* Options of any kind, or none. Of a fatal one no more is taken than it holds. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    hy_arena_options options = {.capacity = hy_settings_size(from), .fixed = flags & 1, .fatal = flags & 2};
    bool is_senseless = options.capacity == 0 && (options.fixed || options.fatal), has_options = !(flags & 4);
    hy_arena arena;
    if (has_options && is_senseless) from->hush(true);
    hy_error error = hy_arena_init(&arena, child, has_options ? &options : NULL);
    if (has_options && is_senseless) from->hush(false);
    const char *wrong = NULL;
    if ((error == HY_INVALID) != (has_options && is_senseless))
        wrong = "a fixed arena is refused as invalid exactly where it has no capacity";
    else if (!has_options && error != HY_OK)
        wrong = "an arena without options was refused";
    else if (error != HY_OK && hy_arena_capacity(&arena) != 0)
        wrong = "an arena that was refused holds memory";
    else if (error == HY_OK && has_options && hy_arena_capacity(&arena) < options.capacity)
        wrong = "an arena has less than the capacity it was made with";
    else if (error == HY_OK && !(has_options && options.fatal))
        wrong = hy_settings_use(hy_arena_allocator(&arena), from);
    size_t half = hy_arena_capacity(&arena) / 2;
    if (!wrong && half) {
        size_t used = hy_arena_used(&arena);
        void *block = hy_arena_reserve(&arena, half, HY_ALIGN_8) ? hy_arena_take(&arena, half) : NULL;
        if (block && !hy_arena_owns(&arena, hy_arena_base(&arena))) wrong = "an arena's base is not its own";
        if (block) hy_arena_free(&arena, block, half);
        if (block && arena.fatal && hy_arena_used(&arena) == used) wrong = "a fatal arena takes a block back";
        if (!hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0) && !wrong && hy_arena_used(&arena) != 0)
            wrong = "an arena is in use after a reset";
    }
    hy_arena_deinit(&arena);
    return wrong;
}

const hy_row hy_arena_row = {
    .name = "arena",
    .group = HY_GROUP_STRATEGY,
    .summary = "allocate many, free all at once, over any child",
    .header = "heapyard/arena.h",
    .traits = HY_TRAIT_FREE_LAST | HY_TRAIT_BULK_RESET | HY_TRAIT_GROW_IN_PLACE,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "raw_libc",
    /* It grows by half of what it holds, and a reset keeps a chunk: where that is 2/3 of the next request,
     * the request has a chunk of its own, and a byte more takes 1.5 times both: (1 + 1.5) * (1 + 2/3) = 25/6
     * of what was asked for. */
    .promises = {.footprint_factor = 5, .fit_grain = 8, .shrinks = true},
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
