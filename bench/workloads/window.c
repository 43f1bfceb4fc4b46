/* window.c: same-size churn: a window of live blocks of one size. */
#include "bench/workloads/churn.h"

static bool demand(const char *params, hy_demand *out) {
    uint64_t size, window;
    if (!hy_params_number(params, "size", &size) || !hy_params_number(params, "window", &window))
        return false;
    if (size < HY_BENCH_SIZE_MIN || size > HY_BENCH_SIZE_MAX || window < 1 || window > CHURN_WINDOW_MAX)
        return false;
    *out = (hy_demand){
        .greatest_size = size,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = (window + 1) * size,
        .live_blocks = window + 1,
    };
    return true;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    hy_demand wanted;
    if (!demand(params, &wanted)) return NULL;
    churn_session *session = churn_begin(workload, wanted.live_blocks - 1, seed, instance);
    if (!session) return NULL;
    session->size = wanted.greatest_size;
    return &session->head;
}

static void fill(hy_session *session) {
    churn_fill(session, false);
}

static uint64_t epoch(hy_session *session, uint64_t operations, uint64_t *done) {
    return churn_epoch(session, operations, done, false);
}

static const hy_cell cells[] = {
    {"size=64;window=1000", 1, HY_TIER_QUICK},
    {"size=4096;window=1000", 1, HY_TIER_STANDARD},
    {"size=64;window=100000", 1, HY_TIER_STANDARD},
    {"size=4096;window=100000", 1, HY_TIER_FULL},
    {"size=64;window=1000", 2, HY_TIER_QUICK},
};

const hy_workload hy_window_workload = {
    .name = "window",
    .summary =
        "Keeps a window of blocks of one size live; each operation allocates one and frees a random old "
        "one. It models nodes of lists, trees and caches that come and go.",
    .operation = "one allocation and one free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "size=64;window=50",
    .composition_params = "size=64;window=1000",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = churn_live_bytes,
    .free_all = churn_free_all,
    .end = churn_end,
};
