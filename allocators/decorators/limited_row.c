/* limited_row.c: how the yards know limited. */
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

#define DEFAULT_LIMIT ((size_t)1 << 20)

static size_t limit_of(const hy_config *config) {
    return config->capacity ? config->capacity : DEFAULT_LIMIT;
}

static hy_stats stats_of(size_t used, size_t peak) {
    return (hy_stats){
        .capacity_bytes = used,
        .used_bytes = used,
        .overhead_bytes = 0,
        .high_water_bytes = peak,
        .calls_count = SIZE_MAX,
    };
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_limited *limited = hy_create(hy_libc(), hy_limited);
    if (!limited) return NULL;
    hy_limited_init(limited, config->child, limit_of(config));
    *out = hy_limited_allocator(limited);
    return limited;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_limited *)instance);
}

static bool check(void *instance) {
    const hy_limited *limited = instance;
    return hy_limited_check(limited) && limited->peak_bytes <= limited->limit_bytes;
}

static bool stats(void *instance, hy_stats *out) {
    const hy_limited *limited = instance;
    *out = stats_of(limited->used_bytes, limited->peak_bytes);
    return true;
}

static void *make_shared(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_limited_shared *limited = hy_create(hy_libc(), hy_limited_shared);
    if (!limited) return NULL;
    hy_limited_shared_init(limited, config->child, limit_of(config));
    *out = hy_limited_shared_allocator(limited);
    return limited;
}

static void destroy_shared(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_limited_shared *)instance);
}

static bool check_shared(void *instance) {
    const hy_limited_shared *limited = instance;
    return hy_limited_shared_peak(limited) <= hy_limited_shared_limit(limited);
}

static bool stats_shared(void *instance, hy_stats *out) {
    const hy_limited_shared *limited = instance;
    *out = stats_of(hy_limited_shared_used(limited), hy_limited_shared_peak(limited));
    return true;
}

const hy_row hy_limited_row = {
    .name = "limited",
    .group = HY_GROUP_DECORATOR,
    .summary = "a budget of bytes, for one thread",
    .header = "heapyard/limited.h",
    .traits = HY_TRAIT_FIXED_CAPACITY,
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .default_capacity = DEFAULT_LIMIT,
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
};

const hy_row hy_limited_shared_row = {
    .name = "limited_shared",
    .group = HY_GROUP_DECORATOR,
    .summary = "a budget of bytes, for many threads",
    .header = "heapyard/limited.h",
    .traits = HY_TRAIT_FIXED_CAPACITY,
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .default_capacity = DEFAULT_LIMIT,
    .make = make_shared,
    .destroy = destroy_shared,
    .check = check_shared,
    .stats = stats_shared,
};
