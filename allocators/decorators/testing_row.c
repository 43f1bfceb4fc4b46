/* testing_row.c: how the yards know testing. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/testing.h>
#include <heapyard/typed.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_testing *testing = hy_create(hy_libc(), hy_testing);
    if (!testing) return NULL;
    hy_testing_options options = hy_testing_defaults();
    options.child = config->child;
    (void)hy_testing_init(testing, &options);
    *out = hy_testing_allocator(testing);
    return testing;
}

/* Yards end instances with blocks that live; what is written into memory is told all the same. */
static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_testing *testing = instance;
    (void)hy_debug_scan(&testing->debug);
    (void)hy_debug_deinit_quietly(&testing->debug, NULL);
    hy_destroy(hy_libc(), testing);
}

static bool owns(void *instance, const void *ptr) {
    return hy_debug_owns(&((hy_testing *)instance)->debug, ptr);
}

static bool check(void *instance) {
    return hy_debug_check(&((hy_testing *)instance)->debug);
}

static bool stats(void *instance, hy_stats *out) {
    hy_debug_counts counts = hy_debug_counted(&((hy_testing *)instance)->debug);
    *out = (hy_stats){
        .capacity_bytes = counts.child_bytes,
        .used_bytes = counts.live_bytes,
        .overhead_bytes = counts.overhead_bytes,
        .high_water_bytes = counts.peak_bytes,
        .calls_count = (size_t)counts.child_calls,
    };
    return true;
}

static void tells(void *instance, hy_told *out) {
    out->numbers[HY_TOLD_FINDINGS] = hy_testing_findings(instance);
}

/* Whether nothing was found. */
static bool scan(void *instance, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_testing *testing = instance;
    return hy_debug_scan(&testing->debug) == 0 && hy_testing_findings(testing) == 0;
}

static bool flush(void *instance, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_debug_flush_retained(&((hy_testing *)instance)->debug);
    return true;
}

static const hy_row_operation operations[] = {
    {"scan", HY_EFFECT_NONE, true, scan},
    {"flush", HY_EFFECT_NONE, true, flush},
};

const hy_row hy_testing_row = {
    .name = "testing",
    .group = HY_GROUP_DECORATOR,
    .summary = "a debug allocator whose findings fail a test",
    .header = "heapyard/testing.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_QUARANTINES,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
    .tells = tells,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
};
