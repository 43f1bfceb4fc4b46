/* burst.c: a burst of allocations, nearly all of which are freed, and then nothing.
 *
 * A burst allocates blocks of mixed sizes, then frees them in order, but for a random one in a hundred; those
 * are freed in the next burst. Its time is that of the calls. Where memory is observed, the process idles
 * after each burst: memory over time shows what an allocator gives back while a few blocks are still there,
 * and the samples at the end what it gives back, and how soon, when all is freed.
 * Rows that let freed blocks rest are left out: they give back little by intention.
 */
#include "bench/session.h"
#include <errno.h>
#include <time.h>

#define BLOCKS_MAX ((uint64_t)1 << 24)
/* One of so many stays. */
#define KEPT_ONE_OF 100
#define OBSERVED 8 /* looks at the memory while a burst grows and shrinks */
#define IDLE_NS 20000000
/* A burst or more. */
#define EPOCH_NS 1000000

typedef struct burst_params {
    uint64_t blocks, smallest, largest;
} burst_params;

typedef struct burst_session {
    hy_session head;
    size_t count, mask; /* mask: of the tables, which are longer than a burst */
    void **blocks;      /* between bursts: those that stay, else NULL */
    uint32_t *sizes;
    uint32_t *fates; /* 0: stays */
    uint64_t bursts;
    uint64_t live_bytes;
} burst_session;

static bool parse(const char *params, burst_params *out) {
    if (!hy_params_number(params, "blocks", &out->blocks)) return false;
    if (!hy_params_number(params, "smallest", &out->smallest)) return false;
    if (!hy_params_number(params, "largest", &out->largest)) return false;
    if (out->smallest < HY_BENCH_SIZE_MIN || out->largest > HY_BENCH_SIZE_MAX) return false;
    return out->smallest < out->largest && out->blocks >= 1 && out->blocks <= BLOCKS_MAX;
}

/* All of a burst, those that stayed among them: a block's place gets a new one before the old one is freed.
 */
static bool demand(const char *params, hy_demand *out) {
    burst_params parsed;
    if (!parse(params, &parsed)) return false;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = hy_log_uniform_bytes(parsed.blocks, parsed.smallest, parsed.largest),
        .live_blocks = parsed.blocks + 1,
        .mixed_sizes = true,
    };
    return true;
}

static void end(hy_session *head) {
    burst_session *session = (burst_session *)head;
    hy_free_n(hy_bench_memory(), session->blocks, session->count);
    hy_free_n(hy_bench_memory(), session->sizes, session->count);
    hy_free_n(hy_bench_memory(), session->fates, session->mask + 1);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    burst_params parsed;
    burst_session *session = parse(params, &parsed) ? hy_create(hy_bench_memory(), burst_session) : NULL;
    if (!session) return NULL;
    *session = (burst_session){.count = parsed.blocks};
    hy_session_start(&session->head, workload, instance);
    session->mask = hy_power_of_two_above(2 * parsed.blocks) - 1;
    session->blocks = hy_alloc_zeroed(hy_bench_memory(), void *, parsed.blocks);
    session->sizes = hy_log_uniform_table(seed, parsed.blocks, parsed.smallest, parsed.largest);
    session->fates = hy_random_table(seed + 1, session->mask + 1, KEPT_ONE_OF);
    if (session->blocks && session->sizes && session->fates) return &session->head;
    end(&session->head);
    return NULL;
}

static bool stays(const burst_session *session, size_t index) {
    return session->fates[(index + session->bursts * session->count) & session->mask] == 0;
}

/* Whether to look at the memory now. */
static bool observed(const burst_session *session, size_t index) {
    return session->head.observer && index % (session->count / OBSERVED + 1) == 0;
}

HY_INLINE uint64_t grow(burst_session *session, hy_allocator allocator, bool verify) {
    uint64_t checksum = 0;
    for (size_t i = 0; i < session->count; i++) {
        void *old = session->blocks[i];
        session->blocks[i] = hy_take_block(&session->head, allocator, session->sizes[i], i + session->bursts);
        if (old) checksum = hy_give_block(allocator, old, session->sizes[i], checksum, verify);
        if (!old) session->live_bytes += session->sizes[i];
        if (observed(session, i)) hy_session_observe(&session->head, session->live_bytes);
    }
    return checksum;
}

HY_INLINE uint64_t shrink(burst_session *session, hy_allocator allocator, uint64_t checksum, bool verify) {
    for (size_t i = 0; i < session->count; i++) {
        if (observed(session, i)) hy_session_observe(&session->head, session->live_bytes);
        if (stays(session, i)) continue;
        checksum = hy_give_block(allocator, session->blocks[i], session->sizes[i], checksum, verify);
        session->blocks[i] = NULL;
        session->live_bytes -= session->sizes[i];
    }
    return checksum;
}

static void idle(const burst_session *session) {
    struct timespec pause = {0, IDLE_NS};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
    hy_session_observe(&session->head, session->live_bytes);
}

HY_INLINE uint64_t burst(burst_session *session, hy_allocator allocator, bool verify) {
    uint64_t checksum = grow(session, allocator, verify);
    checksum = shrink(session, allocator, checksum, verify);
    session->bursts++;
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    burst_session *session = (burst_session *)head;
    uint64_t checksum = 0;
    for (*done = 0; *done < operations; *done += session->count) {
        uint64_t once = head->empty    ? burst(session, hy_empty_allocator(head), false)
                        : head->verify ? burst(session, head->allocator, true)
                                       : burst(session, head->allocator, false);
        checksum = hy_checksum_add(checksum, once);
        if (head->observer) idle(session);
    }
    return checksum;
}

/* The first burst. */
static void fill(hy_session *head) {
    uint64_t done;
    epoch(head, 1, &done);
}

static uint64_t live_bytes(hy_session *head) {
    return ((burst_session *)head)->live_bytes;
}

static void free_all(hy_session *head) {
    burst_session *session = (burst_session *)head;
    for (size_t i = 0; i < session->count; i++) {
        hy_free(head->allocator, session->blocks[i], session->sizes[i], HY_BENCH_ALIGN);
        session->blocks[i] = NULL;
    }
    session->live_bytes = 0;
}

static const hy_cell cells[] = {
    {"blocks=10000;largest=1024;smallest=16", 1, HY_TIER_STANDARD},
    {"blocks=200000;largest=1024;smallest=16", 1, HY_TIER_FULL},
};

const hy_workload hy_burst_workload = {
    .name = "burst",
    .summary =
        "Allocates a burst of small blocks, frees all but one in a hundred, and, where memory is looked "
        "at, idles until the next burst. It models services between peaks of load, and shows what is "
        "given back.",
    .operation = "one allocation and its free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL | HY_TRAIT_QUARANTINES,
    .layers_elsewhere = true,
    .epoch_ns = EPOCH_NS,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "blocks=300;largest=1024;smallest=16",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
