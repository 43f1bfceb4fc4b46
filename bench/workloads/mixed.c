/* mixed.c: churn of sizes that are spread evenly over their logarithm. */
#include "bench/workloads/churn.h"

typedef struct mixed_params {
    uint64_t smallest, largest, window;
} mixed_params;

static bool parse(const char *params, mixed_params *out) {
    if (!hy_params_number(params, "smallest", &out->smallest)) return false;
    if (!hy_params_number(params, "largest", &out->largest)) return false;
    if (!hy_params_number(params, "window", &out->window)) return false;
    if (out->smallest < HY_BENCH_SIZE_MIN || out->largest > HY_BENCH_SIZE_MAX) return false;
    return out->smallest < out->largest && out->window >= 1 && out->window <= CHURN_WINDOW_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    mixed_params parsed;
    if (!parse(params, &parsed)) return false;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = hy_log_uniform_bytes(parsed.window + 1, parsed.smallest, parsed.largest),
        .live_blocks = parsed.window + 1,
        .mixed_sizes = true,
    };
    return true;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    mixed_params parsed;
    if (!parse(params, &parsed)) return NULL;
    churn_session *session = churn_begin(workload, parsed.window, seed, instance);
    if (!session) return NULL;
    session->sizes = hy_log_uniform_table(seed + 1, session->table_count, parsed.smallest, parsed.largest);
    if (session->sizes) return &session->head;
    churn_end(&session->head);
    return NULL;
}

static void fill(hy_session *session) {
    churn_fill(session, true);
}

static uint64_t epoch(hy_session *session, uint64_t operations, uint64_t *done) {
    return churn_epoch(session, operations, done, true);
}

static const hy_cell cells[] = {
    {"largest=8192;smallest=16;window=10000", 1, HY_TIER_QUICK},
    {"largest=8192;smallest=16;window=10000", 2, HY_TIER_STANDARD},
};

const hy_workload hy_mixed_workload = {
    .name = "mixed",
    .summary =
        "Keeps a window of blocks of sizes spread evenly over their logarithm; each operation allocates one "
        "and frees a random old one. It models a long-running program with data of all sizes.",
    .operation = "one allocation and one free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "largest=8192;smallest=16;window=50",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = churn_live_bytes,
    .free_all = churn_free_all,
    .end = churn_end,
};
