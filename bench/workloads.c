/* workloads.c: the workloads, from the list in workloads.def, and what is derived from their rows. */
#include "bench/workloads.h"
#include "bench/session.h"
#include "bench/thread_team.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HY_WORKLOAD(name) extern const hy_workload hy_##name##_workload;
#include "bench/workloads.def"
#undef HY_WORKLOAD

static const hy_workload *const workloads[] = {
#define HY_WORKLOAD(name) &hy_##name##_workload,
#include "bench/workloads.def"
#undef HY_WORKLOAD
};

const hy_workload *const *hy_workloads(size_t *count) {
    *count = sizeof workloads / sizeof workloads[0];
    return workloads;
}

const hy_workload *hy_workload_find(const char *name) {
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        if (strcmp(workloads[i]->name, name) == 0) return workloads[i];
    }
    return NULL;
}

const char *hy_tier_name(hy_tier tier) {
    static const char *const names[HY_TIER_COUNT] = {"smoke", "quick", "standard", "full"};
    return names[tier];
}

static bool traits_fit(const hy_workload *workload, uint32_t threads, hy_traits traits) {
    hy_traits needs = workload->needs;
    if (threads > 1) needs |= workload->needs_threaded | HY_TRAIT_THREAD_SAFE;
    if ((traits & needs) != needs) return false;
    if (workload->needs_one && !(traits & workload->needs_one)) return false;
    return !(traits & workload->excludes);
}

/* A row that gives each block pages of its own, by system calls, is measured with this many live at most, of
 * all threads: beyond, its epochs would take longer than everybody else's together, and its memory gigabytes.
 */
#define WHOLE_PAGES_BLOCKS_MAX 1000

static bool pages_fit(const hy_demand *demand, uint32_t threads, const hy_row *row) {
    return !(row->traits & HY_TRAIT_WHOLE_PAGES) || threads * demand->live_blocks <= WHOLE_PAGES_BLOCKS_MAX;
}

/* Blocks of one size are for one size; a floor has them large enough for all. */
static bool sizes_fit(const hy_demand *demand, const hy_row *row) {
    if (row == &hy_empty_row) return demand->greatest_size <= HY_EMPTY_BYTES;
    if (!(row->traits & HY_TRAIT_FIXED_BLOCK)) return true;
    if (row->traits & HY_TRAIT_FLOOR) {
        return !(demand->mixed_sizes && (row->traits & HY_TRAIT_FREE_ANY));
    }
    return !demand->mixed_sizes;
}

bool hy_workload_applies(const hy_workload *workload, const hy_cell *cell, const hy_row *row) {
    hy_demand demand;
    if (row->missing || !traits_fit(workload, cell->threads, row->traits)) return false;
    if (!workload->demand(cell->params, &demand)) return false;
    if (workload->threads_fit && !workload->threads_fit(cell->params, cell->threads)) return false;
    return hy_align_compare(demand.greatest_align, row->greatest_align) <= 0 && sizes_fit(&demand, row) &&
           pages_fit(&demand, cell->threads, row);
}

/* A block in a region of fixed capacity may cost padding and a header; 64 bytes are more than any row
 * here takes. */
#define BLOCK_OVERHEAD 64
#define REGION_OVERHEAD ((size_t)1 << 16)

hy_config hy_workload_config(const hy_demand *demand, uint32_t threads) {
    hy_config config = {0};
    size_t bytes = demand->live_bytes + demand->live_blocks * BLOCK_OVERHEAD;
    config.capacity = threads * bytes + REGION_OVERHEAD + demand->greatest_size;
    config.block_size = demand->greatest_size;
    config.block_align = demand->greatest_align;
    return config;
}

hy_session *hy_session_open(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    hy_session *session = workload->begin(workload, params, threads, seed, instance);
    if (session) workload->fill(session);
    return session;
}

void hy_session_close(hy_session *session) {
    const hy_workload *workload = session->workload;
    workload->free_all(session);
    workload->end(session);
}

bool hy_params_number(const char *params, const char *key, uint64_t *out) {
    size_t length = strlen(key);
    for (const char *at = params; at; at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL) {
        if (strncmp(at, key, length) != 0 || at[length] != '=') continue;
        const char *digits = at + length + 1;
        char *end;
        uint64_t value = strtoull(digits, &end, 10);
        if (end == digits || *digits == '-' || (*end != ';' && *end != '\0')) return false;
        *out = value;
        return true;
    }
    return false;
}

uint32_t *hy_random_table(uint64_t seed, size_t count, uint64_t bound) {
    uint32_t *table = hy_alloc_n(hy_bench_memory(), uint32_t, count);
    if (!table) return NULL;
    for (size_t i = 0; i < count; i++)
        table[i] = hy_random_below(&seed, bound);
    return table;
}

uint32_t hy_log_uniform(uint64_t *state, uint64_t smallest, uint64_t largest) {
    double low = log((double)smallest), high = log((double)largest);
    double fraction = (double)(hy_random_next(state) >> 11) * 0x1p-53;
    return (uint32_t)exp(low + (high - low) * fraction);
}

uint32_t *hy_log_uniform_table(uint64_t seed, size_t count, uint64_t smallest, uint64_t largest) {
    uint32_t *table = hy_alloc_n(hy_bench_memory(), uint32_t, count);
    if (!table) return NULL;
    for (size_t i = 0; i < count; i++)
        table[i] = hy_log_uniform(&seed, smallest, largest);
    return table;
}

uint64_t hy_log_uniform_bytes(uint64_t count, uint64_t smallest, uint64_t largest) {
    double low = (double)smallest, high = (double)largest, many = (double)count;
    double mean = (high - low) / log(high / low);
    double variance = (high * high - low * low) / (2 * log(high / low)) - mean * mean;
    return (uint64_t)(1.25 * many * mean + 4 * sqrt(many * variance));
}

/* The bench's own row: an instance that is only a block for the empty loops to hand out. */
#define EMPTY_STRIDE 4096
static char scratch[HY_EMPTY_BYTES + HY_THREADS_MAX * EMPTY_STRIDE] __attribute__((aligned(64)));

void *hy_empty_block(uint32_t thread) {
    return scratch + (size_t)thread * EMPTY_STRIDE;
}

static void *empty_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = (hy_allocator){scratch, &hy_empty_vtable};
    return scratch;
}

static void empty_destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

const hy_row hy_empty_row = {
    .name = "empty",
    .group = HY_GROUP_FLOOR,
    .summary = "no allocator at all: what the harness itself costs per operation",
    .traits =
        HY_TRAIT_FLOOR | HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_FREE_LAST | HY_TRAIT_REAL_FREE,
    .greatest_align = {6},
    .make = empty_make,
    .destroy = empty_destroy,
};
