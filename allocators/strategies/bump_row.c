/* bump_row.c: how the yards know bump. */
#include "allocators/strategies/region_row.h"
#include <heapyard/bump.h>
#include <heapyard/direct.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

/* The row's instance: the pair, its region, and the mark of the region's start. */
typedef struct instance {
    hy_bump bump;
    hy_bump_mark start;
    hy_region region;
} instance;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    if (!hy_region_make(&made->region, config)) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    hy_bump_init(&made->bump, hy_region_base(&made->region), made->region.capacity);
    made->start = hy_bump_save(&made->bump);
    *out = hy_bump_allocator(&made->bump);
    return made;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    instance *made = state;
    hy_bump_deinit(&made->bump, hy_region_base(&made->region));
    hy_region_free(&made->region);
    hy_destroy(hy_libc(), made);
}

/* The region is the caller's: whatever the mode, nothing else can be given back. */
static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    instance *made = state;
    hy_bump_restore(&made->bump, made->start);
    return true;
}

static bool owns(void *state, const void *ptr) {
    instance *made = state;
    return hy_region_owns(&made->region, ptr);
}

static bool check(void *state) {
    instance *made = state;
    return hy_bump_check(&made->bump) && hy_bump_room(&made->bump) <= made->region.capacity &&
           made->bump.end == hy_region_base(&made->region) + made->region.capacity;
}

static bool stats(void *state, hy_stats *out) {
    instance *made = state;
    out->capacity_bytes = made->region.capacity;
    out->used_bytes = made->region.capacity - hy_bump_room(&made->bump);
    out->overhead_bytes = 0;
    out->high_water_bytes = SIZE_MAX;
    out->calls_count = SIZE_MAX;
    return true;
}

static bool save(void *state, size_t number, hy_mark *mark) {
    (void)number;
    instance *made = state;
    mark->words[0] = (uintptr_t)hy_bump_save(&made->bump).last;
    return true;
}

static bool restore(void *state, size_t number, hy_mark *mark) {
    (void)number;
    instance *made = state;
    hy_bump_restore(&made->bump, (hy_bump_mark){(char *)mark->words[0]});
    return true;
}

/* Another one that was ended serves nothing, and its region is its owner's again. */
static bool end_another(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)mark;
    char region[64];
    size_t size = number % sizeof region + 1;
    hy_bump bump;
    hy_bump_init(&bump, region, sizeof region);
    bool served = hy_bump_alloc(&bump, size, HY_ALIGN_1) != NULL;
    hy_bump_deinit(&bump, region);
    memset(region, 0x5A, sizeof region);
    return served && hy_bump_room(&bump) == 0 && !hy_bump_alloc(&bump, size, HY_ALIGN_1);
}

static const hy_row_operation operations[] = {
    {"save", HY_EFFECT_MARK, true, save},
    {"restore", HY_EFFECT_RESTORE, true, restore},
    {"end_another", HY_EFFECT_NONE, true, end_another},
};

HY_INLINE void *take(void *bump, size_t size, uintptr_t *mark) {
    *mark = (uintptr_t)hy_bump_save(bump).last;
    return hy_bump_alloc(bump, size, HY_ALIGN_16);
}

HY_INLINE void give(void *bump, void *ptr, size_t size, uintptr_t mark) {
    (void)ptr, (void)size;
    hy_bump_restore(bump, (hy_bump_mark){(char *)mark});
}

HY_INLINE void end_all(void *bump) {
    hy_bump_restore(bump, ((instance *)bump)->start);
}

static uint64_t direct_pair(void *bump, size_t size, size_t count) {
    return hy_direct_pair(bump, size, count, take, give);
}

static uint64_t direct_request(void *bump, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(bump, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

_Static_assert(offsetof(instance, bump) == 0, "the direct bench takes the instance for its bump");

static const hy_row_reports reports = {
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED) | HY_MISUSE_BIT(HY_MISUSE_WRITE_RESET),
};

const hy_row hy_bump_row = {
    .name = "bump",
    .group = HY_GROUP_STRATEGY,
    .summary = "a pointer that moves through the caller's region; free only by mark and restore",
    .header = "heapyard/bump.h",
    .traits = HY_TRAIT_BULK_RESET | HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_FIXED_CAPACITY,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_capacity = HY_REGION_DEFAULT_CAPACITY,
    .promises = {.fit_grain = 1, .shrinks = true},
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .owns = owns,
    .check = check,
    .stats = stats,
    .direct = &direct,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .reports = &reports,
};
