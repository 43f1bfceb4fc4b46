/* large.c: large blocks, of which every page is touched.
 *
 * A few are live, of sizes spread evenly over their logarithm. Before one is allocated, random ones are freed
 * until it fits: at most `blocks` of them, and `bound` bytes. An operation is one page of a block, with its
 * share of the allocation, the first touch and the free, so that a page costs the same wherever blocks are
 * recycled.
 */
#include "bench/session.h"

#define PAGE_BYTES 4096
#define BLOCKS_MAX 64
/* An epoch of several blocks. */
#define EPOCH_NS 2000000

typedef struct large_params {
    uint64_t blocks, bound, smallest, largest;
} large_params;

typedef struct large_block {
    char *ptr;
    size_t size;
} large_block;

typedef struct large_session {
    hy_session head;
    large_params params;
    uint64_t seed, random;
    large_block blocks[BLOCKS_MAX];
    size_t count;
    uint64_t live_bytes;
    uint64_t serial; /* of the next block */
} large_session;

static bool parse(const char *params, large_params *out) {
    if (!hy_params_number(params, "blocks", &out->blocks)) return false;
    if (!hy_params_number(params, "bound", &out->bound)) return false;
    if (!hy_params_number(params, "smallest", &out->smallest)) return false;
    if (!hy_params_number(params, "largest", &out->largest)) return false;
    if (out->blocks < 1 || out->blocks > BLOCKS_MAX || out->bound < out->largest) return false;
    return out->smallest >= PAGE_BYTES && out->smallest < out->largest && out->largest <= HY_EMPTY_BYTES;
}

static bool demand(const char *params, hy_demand *out) {
    large_params parsed;
    if (!parse(params, &parsed)) return false;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = parsed.bound,
        .live_blocks = parsed.blocks,
        .mixed_sizes = true,
    };
    return true;
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    large_params parsed;
    large_session *session = parse(params, &parsed) ? hy_create(hy_bench_memory(), large_session) : NULL;
    if (!session) return NULL;
    *session = (large_session){.params = parsed, .seed = seed};
    hy_session_start(&session->head, workload, instance);
    return &session->head;
}

HY_INLINE void take(large_session *session, hy_allocator allocator, size_t size) {
    char *ptr = hy_alloc(allocator, size, HY_BENCH_ALIGN);
    session->serial++;
    if (!ptr) {
        session->head.refused_count++;
        return;
    }
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += PAGE_BYTES)
        *(uint64_t *)(ptr + at) = hy_first_word(session->serial, at / PAGE_BYTES);
    hy_opaque(ptr);
    session->blocks[session->count++] = (large_block){ptr, size};
    session->live_bytes += size;
}

HY_INLINE uint64_t give(
    large_session *session, hy_allocator allocator, size_t index, uint64_t checksum, bool verify) {
    large_block block = session->blocks[index];
    for (size_t at = 0; verify && at + sizeof(uint64_t) <= block.size; at += PAGE_BYTES)
        checksum = hy_checksum_add(checksum, *(const uint64_t *)(block.ptr + at));
    session->blocks[index] = session->blocks[--session->count];
    session->live_bytes -= block.size;
    hy_free(allocator, block.ptr, block.size, HY_BENCH_ALIGN);
    return checksum;
}

/* One block: room for it is made, then it is taken. */
HY_INLINE uint64_t step(
    large_session *session, hy_allocator allocator, size_t size, uint64_t checksum, bool verify) {
    const large_params *params = &session->params;
    while (session->count == params->blocks || session->live_bytes + size > params->bound) {
        size_t victim = hy_random_below(&session->random, session->count);
        checksum = give(session, allocator, victim, checksum, verify);
    }
    take(session, allocator, size);
    return checksum;
}

HY_INLINE uint64_t loop(
    large_session *session, hy_allocator allocator, uint64_t operations, uint64_t *done, bool verify) {
    uint64_t checksum = 0;
    for (*done = 0; *done < operations;) {
        size_t size = hy_log_uniform(&session->random, session->params.smallest, session->params.largest);
        checksum = step(session, allocator, size, checksum, verify);
        *done += (size + PAGE_BYTES - 1) / PAGE_BYTES;
        hy_session_observe(&session->head, session->live_bytes);
    }
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    large_session *session = (large_session *)head;
    if (head->empty) return loop(session, hy_empty_allocator(head), operations, done, false);
    if (head->verify) return loop(session, head->allocator, operations, done, true);
    return loop(session, head->allocator, operations, done, false);
}

/* The same sequence after each fill. */
static void fill(hy_session *head) {
    large_session *session = (large_session *)head;
    uint64_t done;
    session->random = session->seed;
    session->serial = 0;
    for (size_t i = 0; i < session->params.blocks; i++)
        loop(session, head->allocator, 1, &done, false);
}

static uint64_t live_bytes(hy_session *head) {
    return ((large_session *)head)->live_bytes;
}

static void free_all(hy_session *head) {
    large_session *session = (large_session *)head;
    while (session->count > 0)
        give(session, head->allocator, session->count - 1, 0, false);
}

static void end(hy_session *head) {
    hy_destroy(hy_bench_memory(), (large_session *)head);
}

static const hy_cell cells[] = {
    {"blocks=8;bound=16777216;largest=4194304;smallest=65536", 1, HY_TIER_STANDARD},
    {"blocks=8;bound=134217728;largest=67108864;smallest=65536", 1, HY_TIER_FULL},
};

const hy_workload hy_large_workload = {
    .name = "large",
    .summary = "Keeps a few large blocks live, at most a bound of bytes, and touches every page of each new "
               "one. It models images, columns and network buffers.",
    .operation = "one page of 4 KiB, with its share of the allocation and the free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .keeps_place = true,
    .layers_elsewhere = true,
    .epoch_ns = EPOCH_NS,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "blocks=4;bound=131072;largest=65536;smallest=4096",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
