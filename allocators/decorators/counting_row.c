/* counting_row.c: how the yards know counting. */
#include "allocators/core/thread_number.h"
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

static void write_stats(const hy_counts *counts, hy_stats *out) {
    *out = (hy_stats){
        .capacity_bytes = counts->live_bytes,
        .used_bytes = counts->live_bytes,
        .overhead_bytes = 0,
        .high_water_bytes = counts->peak_bytes,
        .calls_count = counts->alloc_count + counts->resize_count + counts->remap_count + counts->free_count +
                       counts->alloc_refused_count + counts->resize_refused_count +
                       counts->remap_refused_count,
    };
}

_Static_assert(HY_COUNTING_BUCKETS == HY_TOLD_BUCKETS, "a row tells of as many sizes as there are");

static void write_told(const hy_counts *counts, hy_told *out) {
    out->numbers[HY_TOLD_ALLOCS] = counts->alloc_count;
    out->numbers[HY_TOLD_RESIZES] = counts->resize_count;
    out->numbers[HY_TOLD_REMAPS] = counts->remap_count;
    out->numbers[HY_TOLD_FREES] = counts->free_count;
    out->numbers[HY_TOLD_REFUSED_ALLOCS] = counts->alloc_refused_count;
    out->numbers[HY_TOLD_REFUSED_RESIZES] = counts->resize_refused_count;
    out->numbers[HY_TOLD_REFUSED_REMAPS] = counts->remap_refused_count;
    out->numbers[HY_TOLD_LIVE_BYTES] = counts->live_bytes;
    out->numbers[HY_TOLD_PEAK_BYTES] = counts->peak_bytes;
    out->numbers[HY_TOLD_TOTAL_BYTES] = counts->total_bytes;
    memcpy(out->sizes, counts->size_histogram, sizeof out->sizes);
    out->passes_on = true;
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_counting *counting = hy_create(hy_libc(), hy_counting);
    if (!counting) return NULL;
    hy_counting_init(counting, config->child);
    *out = hy_counting_allocator(counting);
    return counting;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_counting *)instance);
}

static bool check(void *instance) {
    return hy_counts_check(&((hy_counting *)instance)->counts);
}

static bool stats(void *instance, hy_stats *out) {
    write_stats(&((hy_counting *)instance)->counts, out);
    return true;
}

static void tells(void *instance, hy_told *out) {
    write_told(&((hy_counting *)instance)->counts, out);
}

static void *make_shared(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_counting_shared *counting = hy_create(hy_libc(), hy_counting_shared);
    if (!counting) return NULL;
    hy_counting_shared_init(counting, config->child);
    *out = hy_counting_shared_allocator(counting);
    return counting;
}

static void destroy_shared(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_counting_shared *)instance);
}

static bool stats_shared(void *instance, hy_stats *out) {
    hy_counts counts = hy_counting_shared_counts(instance);
    write_stats(&counts, out);
    return true;
}

static void tells_shared(void *instance, hy_told *out) {
    hy_counts counts = hy_counting_shared_counts(instance);
    write_told(&counts, out);
    out->peak_slack = HY_COUNTING_BATCH;
    out->takes_long = true;
}

/* A thread that is later than those which have counters of their own is counted by another instance. */
static bool count_late(void *instance, size_t number, hy_mark *mark) {
    (void)mark;
    uint32_t own = hy_thread_number_plus_one;
    while (hy_thread_number() < HY_COUNTING_SHARDS)
        hy_thread_number_plus_one = 0; /* the next one that is free */
    size_t size = number % 4096 + 1;
    hy_counting_shared *other = hy_create(hy_libc(), hy_counting_shared);
    bool good = true;
    if (other) {
        hy_counting_shared_init(other, ((hy_counting_shared *)instance)->child);
        void *block = hy_counting_shared_alloc(other, size, HY_ALIGN_1);
        hy_counts counts = hy_counting_shared_counts(other);
        good = counts.alloc_count == (block != NULL) && counts.alloc_refused_count == (block == NULL) &&
               counts.live_bytes == (block ? size : 0);
        if (block) hy_counting_shared_free(other, block, size, HY_ALIGN_1);
        hy_destroy(hy_libc(), other);
    }
    hy_thread_number_plus_one = own;
    return good;
}

static const hy_row_operation shared_operations[] = {{"count_late", HY_EFFECT_NONE, true, count_late}};

const hy_row hy_counting_row = {
    .name = "counting",
    .group = HY_GROUP_DECORATOR,
    .summary = "counts calls, bytes and sizes, for one thread",
    .header = "heapyard/counting.h",
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
};

const hy_row hy_counting_shared_row = {
    .name = "counting_shared",
    .group = HY_GROUP_DECORATOR,
    .summary = "counts calls, bytes and sizes, for many threads",
    .header = "heapyard/counting.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make_shared,
    .destroy = destroy_shared,
    .stats = stats_shared,
    .operations = shared_operations,
    .operation_count = sizeof shared_operations / sizeof shared_operations[0],
    .tells = tells_shared,
    .form_of = "counting",
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES | HY_LIKE_STATS,
};
