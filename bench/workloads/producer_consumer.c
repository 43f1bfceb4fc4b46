/* producer_consumer.c: blocks that one thread allocates and another one frees.
 *
 *   producer ── batches ──▶ queue, at most `depth` of them ──▶ consumer
 *
 * Threads come in pairs, and each pair has a queue: the even one allocates blocks, writes them and hands them
 * over by the batch; the odd one reads and frees them. A batch is built in the queue's own place for it, and
 * that place is free again only when all of its blocks are freed: no more than depth x batch blocks of a pair
 * are ever live. Whoever is ahead waits, and that is timed: it is the slower side that counts.
 *
 * One thread is its own consumer, batch after batch: the same work without another thread.
 */
#include "bench/session.h"
#include <sched.h>
#include <stdatomic.h>

#define BATCH_MAX 4096
#define DEPTH_MAX 4096
/* Looks at the other side before the core is given away: it may be needed there. */
#define SPINS_BEFORE_YIELD 1024

typedef struct handover_params {
    uint64_t size, batch, depth;
} handover_params;

typedef struct handover_session {
    hy_session head;
    size_t size, batch, depth;
    uint32_t threads;
    uint64_t serial; /* of the next block */
    void **blocks;   /* the queue's places, depth x batch; those of a consumer are not used */
    _Alignas(HY_CACHE_LINE) _Atomic uint64_t sent; /* batches */
    _Alignas(HY_CACHE_LINE) _Atomic uint64_t taken;
} handover_session;

static bool parse(const char *params, handover_params *out) {
    if (!hy_params_number(params, "size", &out->size)) return false;
    if (!hy_params_number(params, "batch", &out->batch)) return false;
    if (!hy_params_number(params, "depth", &out->depth)) return false;
    if (out->size < HY_BENCH_SIZE_MIN || out->size > HY_BENCH_SIZE_MAX) return false;
    return out->batch >= 1 && out->batch <= BATCH_MAX && out->depth >= 1 && out->depth <= DEPTH_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    handover_params parsed;
    if (!parse(params, &parsed)) return false;
    uint64_t blocks = parsed.batch * parsed.depth;
    *out = (hy_demand){
        .greatest_size = parsed.size,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = blocks * parsed.size,
        .live_blocks = blocks,
    };
    return true;
}

static bool threads_fit(const char *params, uint32_t threads) {
    (void)params;
    return threads == 1 || threads % 2 == 0;
}

static void end(hy_session *head) {
    handover_session *session = (handover_session *)head;
    hy_free_n(hy_bench_memory(), session->blocks, session->batch * session->depth);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)seed;
    handover_params parsed;
    if (!parse(params, &parsed) || !threads_fit(params, threads)) return NULL;
    handover_session *session = hy_create(hy_bench_memory(), handover_session);
    if (!session) return NULL;
    memset(session, 0, sizeof *session);
    hy_session_start(&session->head, workload, instance);
    session->size = parsed.size;
    session->batch = parsed.batch;
    session->depth = parsed.depth;
    session->threads = threads;
    session->blocks = hy_alloc_zeroed(hy_bench_memory(), void *, parsed.batch *parsed.depth);
    if (session->blocks) return &session->head;
    end(&session->head);
    return NULL;
}

static void nothing(hy_session *session) {
    (void)session;
}

/* Between epochs every block has been consumed. */
static uint64_t live_bytes(hy_session *session) {
    (void)session;
    return 0;
}

/* Waits until the counter is at least `wanted`. */
static void wait_for(_Atomic uint64_t *counter, uint64_t wanted) {
    for (uint32_t spins = 0; atomic_load_explicit(counter, memory_order_acquire) < wanted; spins++) {
        if (spins >= SPINS_BEFORE_YIELD) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}

HY_INLINE void **batch_at(const handover_session *queue, uint64_t number) {
    return queue->blocks + number % queue->depth * queue->batch;
}

HY_INLINE void fill_batch(handover_session *session, hy_allocator allocator, void **blocks) {
    for (size_t i = 0; i < session->batch; i++)
        blocks[i] = hy_take_block(&session->head, allocator, session->size, session->serial++);
}

/* reads: not where all blocks are one that the producer writes to meanwhile. */
HY_INLINE uint64_t free_batch(
    const handover_session *session, hy_allocator allocator, void **blocks, uint64_t checksum, bool reads) {
    for (size_t i = 0; i < session->batch; i++)
        checksum = hy_give_block(allocator, blocks[i], session->size, checksum, reads);
    return checksum;
}

HY_INLINE void produce(handover_session *session, hy_allocator allocator, uint64_t batches) {
    uint64_t sent = atomic_load_explicit(&session->sent, memory_order_relaxed);
    for (uint64_t end = sent + batches; sent < end;) {
        if (sent >= session->depth) wait_for(&session->taken, sent - session->depth + 1);
        fill_batch(session, allocator, batch_at(session, sent));
        atomic_store_explicit(&session->sent, ++sent, memory_order_release);
    }
}

HY_INLINE uint64_t consume(handover_session *queue, hy_allocator allocator, uint64_t batches, bool reads) {
    uint64_t checksum = 0;
    uint64_t taken = atomic_load_explicit(&queue->taken, memory_order_relaxed);
    for (uint64_t end = taken + batches; taken < end;) {
        wait_for(&queue->sent, taken + 1);
        checksum = free_batch(queue, allocator, batch_at(queue, taken), checksum, reads);
        atomic_store_explicit(&queue->taken, ++taken, memory_order_release);
    }
    return checksum;
}

HY_INLINE uint64_t alone(handover_session *session, hy_allocator allocator, uint64_t batches, bool reads) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < batches; i++) {
        fill_batch(session, allocator, session->blocks);
        hy_session_observe(&session->head, session->batch * session->size);
        checksum = free_batch(session, allocator, session->blocks, checksum, reads);
    }
    return checksum;
}

HY_INLINE uint64_t run(handover_session *session, hy_allocator allocator, uint64_t batches, bool reads) {
    if (session->threads == 1) return alone(session, allocator, batches, reads);
    if (session->head.thread % 2 == 1) {
        hy_session *producer = session->head.group[session->head.thread - 1];
        return consume((handover_session *)producer, allocator, batches, reads);
    }
    produce(session, allocator, batches);
    return 0;
}

/* Both sides of a pair are asked for as many operations, so the queue is empty at the end. */
static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    handover_session *session = (handover_session *)head;
    uint64_t batches = operations / session->batch + (operations % session->batch != 0);
    *done = batches * session->batch;
    if (head->empty) return run(session, hy_empty_allocator(head), batches, false);
    return run(session, head->allocator, batches, true);
}

static const hy_cell cells[] = {
    {"batch=64;depth=16;size=64", 2, HY_TIER_QUICK},
    {"batch=64;depth=16;size=1024", 2, HY_TIER_STANDARD},
    {"batch=64;depth=16;size=64", 1, HY_TIER_FULL},
};

const hy_workload hy_producer_consumer_workload = {
    .name = "producer_consumer",
    .summary =
        "One thread allocates blocks and writes them, another one reads and frees them; they are handed "
        "over through a queue of at most 16 batches of 64. It models pipelines, loggers and message "
        "passing.",
    .operation = "one block, allocated in one thread and freed in the other",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .layers_elsewhere = true,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "batch=8;depth=4;size=64",
    .demand = demand,
    .threads_fit = threads_fit,
    .begin = begin,
    .fill = nothing,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = nothing,
    .end = end,
};
