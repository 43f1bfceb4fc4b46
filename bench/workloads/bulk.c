/* bulk.c: build something large of small blocks of one size, then drop it. */
#include "bench/workloads/batch.h"

static bool parse(const char *params, uint64_t *blocks, uint64_t *size) {
    if (!hy_params_number(params, "blocks", blocks) || !hy_params_number(params, "size", size)) return false;
    return *size >= HY_BENCH_SIZE_MIN && *size <= HY_BENCH_SIZE_MAX && *blocks >= 1 &&
           *blocks <= BATCH_COUNT_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    uint64_t blocks, size;
    if (!parse(params, &blocks, &size)) return false;
    *out = (hy_demand){
        .greatest_size = size,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = blocks * size,
        .live_blocks = blocks,
    };
    return true;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    uint64_t blocks, size;
    if (!parse(params, &blocks, &size)) return NULL;
    return batch_begin(workload, blocks, size, size, seed, instance);
}

static const hy_cell cells[] = {
    {"blocks=10000;size=64", 1, HY_TIER_STANDARD},
    {"blocks=10000;size=64", 2, HY_TIER_STANDARD},
};

const hy_workload hy_bulk_workload = {
    .name = "bulk",
    .summary = "Allocates ten thousand blocks of one size and ends them together, by a reset where the "
               "allocator has "
               "it. It models a tree or a table that is built, used and dropped as a whole.",
    .operation = "one allocation and its share of the end",
    .needs_one = HY_TRAIT_FREE_ANY | HY_TRAIT_BULK_RESET,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "blocks=100;size=64",
    .demand = demand,
    .begin = begin,
    .fill = batch_nothing,
    .epoch = batch_epoch,
    .live_bytes = batch_live_bytes,
    .free_all = batch_nothing,
    .end = batch_end,
};
