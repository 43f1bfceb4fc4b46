/* batch.h: allocate a batch of blocks, then end them all: by a reset where the row has one, else by
 * freeing each, in the order they came.
 *
 * Shared by `request` (mixed small sizes) and `bulk` (one size). An operation is one block, with its
 * share of the end; an epoch is whole batches. Several threads share one instance, whose reset ends the
 * blocks of all of them: they wait at a barrier, one of them resets, and all go on. The wait is timed with
 * the batch.
 */
#ifndef HEAPYARD_BATCH_H
#define HEAPYARD_BATCH_H

#include "bench/session.h"
#include "bench/thread_team.h"

typedef struct batch_session {
    hy_session head;
    size_t count;
    bool resets;
    void **blocks;
    uint32_t *sizes;
} batch_session;

#define BATCH_COUNT_MAX ((uint64_t)1 << 26)
#define BATCH_PIECES 8 /* looks at the memory while a batch grows and shrinks */

HY_INLINE uint64_t batch_free_range(
    batch_session *session, hy_allocator allocator, size_t first, size_t last, bool verify) {
    uint64_t checksum = 0;
    const uint32_t *sizes = session->sizes;
    void **blocks = session->blocks;
    for (size_t i = first; i < last; i++) {
        checksum = hy_give_block(allocator, blocks[i], sizes[i], checksum, verify);
    }
    return checksum;
}

/* The checksum that freeing each block would have given. */
HY_INLINE uint64_t batch_words(const batch_session *session) {
    uint64_t checksum = 0;
    for (size_t i = 0; i < session->count; i++) {
        const uint64_t *block = session->blocks[i];
        if (block) checksum = hy_checksum_add(checksum, *block);
    }
    return checksum;
}

HY_INLINE void batch_take_range(
    batch_session *session, hy_allocator allocator, size_t first, size_t last, bool keeps) {
    const uint32_t *sizes = session->sizes;
    void **blocks = session->blocks;
    for (size_t i = first; i < last; i++) {
        void *ptr = hy_take_block(&session->head, allocator, sizes[i], i);
        if (keeps) blocks[i] = ptr;
    }
}

/* One batch through frees. */
HY_INLINE uint64_t batch_freed(batch_session *session, hy_allocator allocator, bool verify) {
    batch_take_range(session, allocator, 0, session->count, true);
    return batch_free_range(session, allocator, 0, session->count, verify);
}

/* Ends the blocks of all threads that share the instance. */
HY_INLINE void batch_end_all(const hy_session *head) {
    if (head->team && !hy_thread_team_barrier(head->team)) return;
    hy_instance_reset(head->instance, HY_RESET_RETAIN_CAPACITY, 0);
    if (head->team) hy_thread_team_release(head->team);
}

/* One batch through a reset. The addresses are kept for the checksum only. */
HY_INLINE uint64_t batch_reset(batch_session *session, hy_allocator allocator, bool verify) {
    batch_take_range(session, allocator, 0, session->count, verify);
    uint64_t checksum = verify ? batch_words(session) : 0;
    batch_end_all(&session->head);
    return checksum;
}

HY_INLINE uint64_t batch_once(batch_session *session) {
    hy_session *head = &session->head;
    if (head->empty) return batch_freed(session, hy_empty_allocator(head), false);
    if (session->resets) {
        return head->verify ? batch_reset(session, head->allocator, true)
                            : batch_reset(session, head->allocator, false);
    }
    return head->verify ? batch_freed(session, head->allocator, true)
                        : batch_freed(session, head->allocator, false);
}

HY_INLINE uint64_t batch_sum(const batch_session *session, size_t last) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < last; i++)
        bytes += session->sizes[i];
    return bytes;
}

/* A batch in pieces, with a look at the memory after each. */
static inline void batch_observed(batch_session *session) {
    hy_session *head = &session->head;
    uint64_t total = batch_sum(session, session->count);
    for (size_t piece = 0; piece < BATCH_PIECES; piece++) {
        size_t first = session->count * piece / BATCH_PIECES,
               last = session->count * (piece + 1) / BATCH_PIECES;
        batch_take_range(session, head->allocator, first, last, true);
        hy_session_observe(head, batch_sum(session, last));
    }
    if (session->resets) {
        batch_end_all(head);
        hy_session_observe(head, 0);
        return;
    }
    for (size_t piece = 0; piece < BATCH_PIECES; piece++) {
        size_t first = session->count * piece / BATCH_PIECES,
               last = session->count * (piece + 1) / BATCH_PIECES;
        batch_free_range(session, head->allocator, first, last, false);
        hy_session_observe(head, total - batch_sum(session, last));
    }
}

static inline uint64_t batch_epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    batch_session *session = (batch_session *)head;
    uint64_t batches = operations / session->count + (operations % session->count != 0);
    *done = batches * session->count;
    if (head->direct) {
        return head->instance->row->direct->request(
            head->instance->state, session->sizes, session->count, batches);
    }
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < batches; i++) {
        if (head->observer) {
            batch_observed(session);
        } else {
            checksum = hy_checksum_add(checksum, batch_once(session));
        }
    }
    return checksum;
}

static inline uint64_t batch_live_bytes(hy_session *session) {
    (void)session;
    return 0;
}

static inline void batch_nothing(hy_session *session) {
    (void)session;
}

static inline void batch_end(hy_session *head) {
    batch_session *session = (batch_session *)head;
    hy_free_n(hy_bench_memory(), session->blocks, session->count);
    hy_free_n(hy_bench_memory(), session->sizes, session->count);
    hy_destroy(hy_bench_memory(), session);
}

/* A session of `count` blocks of sizes between the two. NULL: out of memory. */
static inline hy_session *batch_begin(const hy_workload *workload, uint64_t count, uint64_t smallest,
    uint64_t largest, uint64_t seed, hy_instance *instance) {
    batch_session *session = hy_create(hy_bench_memory(), batch_session);
    if (!session) return NULL;
    *session = (batch_session){.count = count};
    hy_session_start(&session->head, workload, instance);
    session->resets = instance->row->traits & HY_TRAIT_BULK_RESET;
    session->blocks = hy_alloc_zeroed(hy_bench_memory(), void *, count);
    session->sizes = hy_random_table(seed, count, largest - smallest + 1);
    if (session->blocks && session->sizes) {
        for (size_t i = 0; i < count; i++)
            session->sizes[i] += (uint32_t)smallest;
        return &session->head;
    }
    batch_end(&session->head);
    return NULL;
}

#endif
