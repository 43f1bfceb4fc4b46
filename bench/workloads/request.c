/* request.c: serve a request: many small blocks, then all of them end. */
#include "bench/workloads/batch.h"

typedef struct request_params {
    uint64_t blocks, smallest, largest;
} request_params;

static bool parse(const char *params, request_params *out) {
    if (!hy_params_number(params, "blocks", &out->blocks)) return false;
    if (!hy_params_number(params, "smallest", &out->smallest)) return false;
    if (!hy_params_number(params, "largest", &out->largest)) return false;
    if (out->smallest < HY_BENCH_SIZE_MIN || out->largest > HY_BENCH_SIZE_MAX) return false;
    return out->smallest < out->largest && out->blocks >= 1 && out->blocks <= BATCH_COUNT_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    request_params parsed;
    if (!parse(params, &parsed)) return false;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = parsed.blocks * parsed.largest,
        .live_blocks = parsed.blocks,
        .mixed_sizes = true,
    };
    return true;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    request_params parsed;
    if (!parse(params, &parsed)) return NULL;
    return batch_begin(workload, parsed.blocks, parsed.smallest, parsed.largest, seed, instance);
}

static bool direct_loop(const hy_direct_bench *direct) {
    return direct->request != NULL;
}

static const hy_cell cells[] = {
    {"blocks=1000;largest=512;smallest=16", 1, HY_TIER_QUICK},
    {"blocks=1000;largest=512;smallest=16", 2, HY_TIER_STANDARD},
};

const hy_workload hy_request_workload = {
    .name = "request",
    .summary =
        "Allocates a thousand blocks of 16 to 512 bytes, then ends them all: by one reset where the "
        "allocator "
        "has it, else by freeing each. It models a server's request, a frame of a game, a compiler's pass.",
    .operation = "one allocation and its share of the end",
    .needs_one = HY_TRAIT_FREE_ANY | HY_TRAIT_BULK_RESET,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "blocks=100;largest=512;smallest=16",
    .composition_params = "blocks=1000;largest=512;smallest=16",
    .direct_loop = direct_loop,
    .demand = demand,
    .begin = begin,
    .fill = batch_nothing,
    .epoch = batch_epoch,
    .live_bytes = batch_live_bytes,
    .free_all = batch_nothing,
    .end = batch_end,
};
