/* pair.c: allocate a block and free it at once.
 *
 * The shortest life there is: what an allocator's fastest path costs. A row that frees nothing by
 * itself is reset before its blocks leave the first-level cache, so that the loop stays one about the
 * allocator and not about memory.
 */
#include "bench/session.h"

typedef struct pair_session {
    hy_session head;
    size_t size;
    uint64_t reset_interval; /* operations between resets; 0: the row's frees count */
} pair_session;

static bool demand(const char *params, hy_demand *out) {
    uint64_t size;
    if (!hy_params_number(params, "size", &size)) return false;
    if (size < HY_BENCH_SIZE_MIN || size > HY_BENCH_SIZE_MAX) return false;
    *out = (hy_demand){
        .greatest_size = size, .greatest_align = HY_BENCH_ALIGN, .live_bytes = size, .live_blocks = 1};
    return true;
}

#define RESET_BYTES 16384
#define RESET_OPERATIONS_MIN 8

static uint64_t reset_interval(const hy_row *row, size_t size) {
    if (row->traits & (HY_TRAIT_FREE_LAST | HY_TRAIT_REAL_FREE)) return 0;
    uint64_t interval = RESET_BYTES / size;
    return interval < RESET_OPERATIONS_MIN ? RESET_OPERATIONS_MIN : interval;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads, (void)seed;
    hy_demand wanted;
    pair_session *session = demand(params, &wanted) ? hy_create(hy_bench_memory(), pair_session) : NULL;
    if (!session) return NULL;
    hy_session_start(&session->head, workload, instance);
    session->size = wanted.greatest_size;
    session->reset_interval = reset_interval(instance->row, session->size);
    return &session->head;
}

static void fill(hy_session *session) {
    (void)session;
}

HY_INLINE uint64_t loop(pair_session *session, hy_allocator allocator, uint64_t operations, bool verify) {
    uint64_t checksum = 0;
    size_t size = session->size;
    for (uint64_t i = 0; i < operations; i++) {
        void *ptr = hy_take_block(&session->head, allocator, size, i);
        checksum = hy_give_block(allocator, ptr, size, checksum, verify);
    }
    return checksum;
}

static uint64_t run(pair_session *session, uint64_t operations) {
    if (session->head.empty) return loop(session, hy_empty_allocator(&session->head), operations, false);
    if (session->head.verify) return loop(session, session->head.allocator, operations, true);
    return loop(session, session->head.allocator, operations, false);
}

/* The same blocks, with a reset after every interval: same checksum. */
static uint64_t run_with_resets(pair_session *session, uint64_t operations) {
    uint64_t checksum = 0;
    size_t size = session->size;
    bool verify = session->head.verify;
    for (uint64_t i = 0; i < operations;) {
        uint64_t end = i + session->reset_interval < operations ? i + session->reset_interval : operations;
        for (; i < end; i++) {
            void *ptr = hy_take_block(&session->head, session->head.allocator, size, i);
            checksum = hy_give_block(session->head.allocator, ptr, size, checksum, verify);
        }
        hy_instance_reset(session->head.instance, HY_RESET_RETAIN_CAPACITY, 0);
    }
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    pair_session *session = (pair_session *)head;
    *done = operations;
    if (head->direct)
        return head->instance->row->direct->pair(head->instance->state, session->size, operations);
    return session->reset_interval ? run_with_resets(session, operations) : run(session, operations);
}

static uint64_t live_bytes(hy_session *session) {
    (void)session;
    return 0;
}

static bool direct_loop(const hy_direct_bench *direct) {
    return direct->pair != NULL;
}

static void end(hy_session *session) {
    hy_destroy(hy_bench_memory(), (pair_session *)session);
}

static const hy_cell cells[] = {
    {"size=16", 1, HY_TIER_QUICK},
    {"size=64", 1, HY_TIER_QUICK},
    {"size=4096", 1, HY_TIER_QUICK},
    {"size=64", 2, HY_TIER_STANDARD},
};

const hy_workload hy_pair_workload = {
    .name = "pair",
    .summary = "Allocates a block and frees it at once, as code does with a temporary. "
               "It shows what the fastest path costs when nothing else is live.",
    .operation = "one allocation and its free",
    .needs_one = HY_TRAIT_FREE_ANY | HY_TRAIT_FREE_LAST | HY_TRAIT_BULK_RESET,
    .needs_threaded = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .composition_params = "size=64",
    .direct_loop = direct_loop,
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = fill,
    .end = end,
};
