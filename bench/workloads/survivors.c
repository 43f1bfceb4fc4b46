/* survivors.c: a few blocks that pin what was full.
 *
 *   1. small blocks of mixed sizes fill the heap   ████████████████████
 *   2. a random 90 % of them are freed             █·····█·█······█··█·
 *   3. larger ones of another mix are allocated    █ ▓▓▓ █ █ ▓▓▓▓ █▓▓█ ▓▓  …
 *   4. all are freed
 *
 * The third step ends where as much is live as before the second, so the peak of live bytes is reached twice:
 * the first time packed, the second time in what was left between the survivors. Peak memory over live bytes
 * is then the fragmentation. An epoch is whole cycles; each has other survivors.
 * Rows that let freed blocks rest before they serve again are left out: nothing is free there in the third
 * step.
 */
#include "bench/session.h"

#define BLOCKS_MAX ((uint64_t)1 << 24)
/* Sizes of the first and of the third step. */
#define FIRST_SMALLEST 16
#define FIRST_LARGEST 1024
#define SECOND_SMALLEST 256
#define SECOND_LARGEST 8192
/* A cycle or more. */
#define EPOCH_NS 1000000
#define OBSERVED 8 /* looks at the memory in each step */

typedef struct survivors_session {
    hy_session head;
    size_t count, freed_percent;
    void **first, **second;
    uint32_t *first_sizes, *second_sizes;
    uint32_t *fates; /* below freed_percent: freed in the second step; twice as many as blocks */
    size_t second_count;
    uint64_t cycles;
    uint64_t live_bytes;
} survivors_session;

static bool parse(const char *params, uint64_t *blocks, uint64_t *freed_percent) {
    if (!hy_params_number(params, "blocks", blocks)) return false;
    if (!hy_params_number(params, "freed", freed_percent)) return false;
    return *blocks >= 1 && *blocks <= BLOCKS_MAX && *freed_percent >= 1 && *freed_percent <= 99;
}

static bool demand(const char *params, hy_demand *out) {
    uint64_t blocks, freed_percent;
    if (!parse(params, &blocks, &freed_percent)) return false;
    *out = (hy_demand){
        .greatest_size = SECOND_LARGEST,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = hy_log_uniform_bytes(blocks, FIRST_SMALLEST, FIRST_LARGEST),
        .live_blocks = blocks,
        .mixed_sizes = true,
    };
    return true;
}

static void end(hy_session *head) {
    survivors_session *session = (survivors_session *)head;
    hy_free_n(hy_bench_memory(), session->first, session->count);
    hy_free_n(hy_bench_memory(), session->second, session->count);
    hy_free_n(hy_bench_memory(), session->first_sizes, session->count);
    hy_free_n(hy_bench_memory(), session->second_sizes, session->count);
    hy_free_n(hy_bench_memory(), session->fates, 2 * session->count);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    uint64_t blocks, freed_percent;
    bool legal = parse(params, &blocks, &freed_percent);
    survivors_session *session = legal ? hy_create(hy_bench_memory(), survivors_session) : NULL;
    if (!session) return NULL;
    *session = (survivors_session){.count = blocks, .freed_percent = freed_percent};
    hy_session_start(&session->head, workload, instance);
    session->first = hy_alloc_zeroed(hy_bench_memory(), void *, blocks);
    session->second = hy_alloc_zeroed(hy_bench_memory(), void *, blocks);
    session->first_sizes = hy_log_uniform_table(seed, blocks, FIRST_SMALLEST, FIRST_LARGEST);
    session->second_sizes = hy_log_uniform_table(seed + 1, blocks, SECOND_SMALLEST, SECOND_LARGEST);
    session->fates = hy_random_table(seed + 2, 2 * blocks, 100);
    if (session->first && session->second && session->first_sizes && session->second_sizes && session->fates)
        return &session->head;
    end(&session->head);
    return NULL;
}

/* The fates of a cycle begin somewhere in the first half of the table. */
static const uint32_t *fates_of(const survivors_session *session) {
    uint64_t random = session->cycles;
    return session->fates + hy_random_below(&random, session->count);
}

HY_INLINE void look(const survivors_session *session, size_t index) {
    if (!session->head.observer) return;
    if (index % (session->count / OBSERVED + 1) == 0) hy_session_observe(&session->head, session->live_bytes);
}

HY_INLINE void fill_up(survivors_session *session, hy_allocator allocator) {
    for (size_t i = 0; i < session->count; i++) {
        session->first[i] = hy_take_block(&session->head, allocator, session->first_sizes[i], i);
        session->live_bytes += session->first_sizes[i];
        look(session, i);
    }
}

HY_INLINE uint64_t give_first(
    survivors_session *session, hy_allocator allocator, size_t i, uint64_t checksum, bool verify) {
    checksum = hy_give_block(allocator, session->first[i], session->first_sizes[i], checksum, verify);
    session->first[i] = NULL;
    session->live_bytes -= session->first_sizes[i];
    return checksum;
}

HY_INLINE uint64_t thin_out(survivors_session *session, hy_allocator allocator, bool verify) {
    uint64_t checksum = 0;
    const uint32_t *fates = fates_of(session);
    for (size_t i = 0; i < session->count; i++) {
        if (fates[i] < session->freed_percent) checksum = give_first(session, allocator, i, checksum, verify);
        look(session, i);
    }
    return checksum;
}

/* Not beyond the bytes that were live at the end of the first step. */
HY_INLINE void refill(survivors_session *session, hy_allocator allocator, uint64_t full_bytes) {
    size_t i = 0;
    for (; i < session->count; i++) {
        size_t size = session->second_sizes[i];
        if (session->live_bytes + size > full_bytes) break;
        session->second[i] = hy_take_block(&session->head, allocator, size, i);
        session->live_bytes += size;
        look(session, i);
    }
    session->second_count = i;
    hy_session_observe(&session->head, session->live_bytes);
}

HY_INLINE uint64_t clear(survivors_session *session, hy_allocator allocator, uint64_t checksum, bool verify) {
    for (size_t i = 0; i < session->second_count; i++) {
        checksum = hy_give_block(allocator, session->second[i], session->second_sizes[i], checksum, verify);
        session->live_bytes -= session->second_sizes[i];
    }
    const uint32_t *fates = fates_of(session);
    for (size_t i = 0; i < session->count; i++) {
        if (fates[i] >= session->freed_percent)
            checksum = give_first(session, allocator, i, checksum, verify);
    }
    return checksum;
}

HY_INLINE uint64_t cycle(survivors_session *session, hy_allocator allocator, bool verify) {
    fill_up(session, allocator);
    uint64_t full_bytes = session->live_bytes;
    uint64_t checksum = thin_out(session, allocator, verify);
    refill(session, allocator, full_bytes);
    checksum = clear(session, allocator, checksum, verify);
    session->cycles++;
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    survivors_session *session = (survivors_session *)head;
    uint64_t checksum = 0;
    for (*done = 0; *done < operations; *done += session->count + session->second_count) {
        uint64_t once = head->empty    ? cycle(session, hy_empty_allocator(head), false)
                        : head->verify ? cycle(session, head->allocator, true)
                                       : cycle(session, head->allocator, false);
        checksum = hy_checksum_add(checksum, once);
    }
    return checksum;
}

static void nothing(hy_session *session) {
    (void)session;
}

static uint64_t live_bytes(hy_session *head) {
    return ((survivors_session *)head)->live_bytes;
}

static const hy_cell cells[] = {
    {"blocks=10000;freed=90", 1, HY_TIER_STANDARD},
    {"blocks=200000;freed=90", 1, HY_TIER_FULL},
};

const hy_workload hy_survivors_workload = {
    .name = "survivors",
    .summary =
        "Fills the heap with small blocks, frees a random 90 % of them, allocates larger ones into what is "
        "left until as much is live as before, and ends all. It models caches after a change of load, and "
        "shows fragmentation: peak memory over live bytes.",
    .operation = "one allocation and its free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL | HY_TRAIT_QUARANTINES,
    .layers_elsewhere = true,
    .epoch_ns = EPOCH_NS,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "blocks=300;freed=90",
    .demand = demand,
    .begin = begin,
    .fill = nothing,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = nothing,
    .end = end,
};
