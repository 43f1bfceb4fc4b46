/* validating_row.c: how the yards know validating. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/validating.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_validating *validating = hy_create(hy_libc(), hy_validating);
    if (!validating) return NULL;
    hy_validating_init(validating, config->child, NULL);
    *out = hy_validating_allocator(validating);
    return validating;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_validating *)instance);
}

static void tells(void *instance, hy_told *out) {
    (void)instance;
    out->passes_on = true;
}

static void *make_indexed(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_validating_indexed *validating = hy_create(hy_libc(), hy_validating_indexed);
    if (!validating) return NULL;
    hy_validating_indexed_init(validating, config->child, NULL);
    *out = hy_validating_indexed_allocator(validating);
    return validating;
}

static void destroy_indexed(const hy_row *row, void *instance) {
    (void)row;
    hy_validating_indexed_deinit(instance);
    hy_destroy(hy_libc(), (hy_validating_indexed *)instance);
}

static bool check_indexed(void *instance) {
    return hy_validating_check(instance);
}

static bool stats_indexed(void *instance, hy_stats *out) {
    const hy_validating_indexed *validating = instance;
    *out = (hy_stats){
        .capacity_bytes = validating->index.live_bytes,
        .used_bytes = validating->index.live_bytes,
        .overhead_bytes = hy_block_index_bytes(&validating->index),
        .high_water_bytes = SIZE_MAX,
        .calls_count = SIZE_MAX,
    };
    return true;
}

const hy_row hy_validating_row = {
    .name = "validating",
    .group = HY_GROUP_DECORATOR,
    .summary = "holds caller and child to the contract, without an index",
    .header = "heapyard/validating.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
};

const hy_row hy_validating_indexed_row = {
    .name = "validating_indexed",
    .group = HY_GROUP_DECORATOR,
    .summary = "the same, with an index of what lives: known pointers, true sizes, no overlap",
    .header = "heapyard/validating.h",
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .make = make_indexed,
    .destroy = destroy_indexed,
    .check = check_indexed,
    .stats = stats_indexed,
    .form_of = "validating",
    .alike = HY_LIKE_SERVED,
};
