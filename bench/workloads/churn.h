/* churn.h: a window of live blocks, in which each operation allocates one and frees a random old one.
 *
 * Shared by `window` (one size) and `mixed` (log-uniform sizes). The new block takes the slot of the
 * old one, so the window stays full: operations x live blocks is the only state there is. Victims and
 * sizes are tables, several windows long, so that every slot is hit and no pattern repeats soon.
 */
#ifndef HEAPYARD_CHURN_H
#define HEAPYARD_CHURN_H

#include "bench/session.h"

/* Block and size together: one line of the cache an operation. */
typedef struct churn_slot {
    void *block;
    size_t size;
} churn_slot;

typedef struct churn_session {
    hy_session head;
    size_t window;
    size_t size; /* of all blocks, where sizes is NULL */
    churn_slot *slots;
    uint32_t *sizes;   /* mixed sizes: those of the blocks to come */
    uint32_t *victims; /* slots to free */
    size_t table_count;
    uint64_t cursor; /* where the tables stand, modulo table_count */
} churn_session;

#define CHURN_WINDOW_MAX ((uint64_t)1 << 26)
#define CHURN_TABLE_MIN 8192
/* Operations between a slot's fetch and its use. */
#define CHURN_AHEAD 16
/* Operations that turn a freshly filled window into one that looks used. */
#define CHURN_FILL_WINDOWS 2
#define CHURN_OBSERVED 32 /* looks at the memory while the window fills */

HY_INLINE size_t churn_size(const churn_session *session, uint64_t index, bool mixed) {
    return mixed ? session->sizes[index] : session->size;
}

/* The slots of operations to come are known, and fetched in time: what is measured is the cost of
 * reaching the blocks, not this table. */
HY_INLINE uint64_t churn_loop(
    churn_session *session, hy_allocator allocator, uint64_t operations, bool verify, bool mixed) {
    uint64_t checksum = 0;
    uint64_t cursor = session->cursor, mask = session->table_count - 1;
    const uint32_t *victims = session->victims, *sizes = session->sizes;
    churn_slot *slots = session->slots;
    size_t size = session->size;
    for (uint64_t i = 0; i < operations; i++, cursor++) {
        __builtin_prefetch(&slots[victims[(cursor + CHURN_AHEAD) & mask]], 1);
        uint32_t index = victims[cursor & mask];
        churn_slot *slot = &slots[index];
        if (mixed) size = sizes[cursor & mask];
        void *fresh = hy_take_block(&session->head, allocator, size, cursor);
        size_t old_size = mixed ? slot->size : size;
        checksum = hy_give_block(allocator, slot->block, old_size, checksum, verify);
        slot->block = fresh;
        if (mixed) slot->size = size;
    }
    session->cursor = cursor;
    return checksum;
}

HY_INLINE uint64_t churn_epoch(hy_session *head, uint64_t operations, uint64_t *done, bool mixed) {
    churn_session *session = (churn_session *)head;
    *done = operations;
    if (head->empty) return churn_loop(session, hy_empty_allocator(head), operations, false, mixed);
    if (head->verify) return churn_loop(session, head->allocator, operations, true, mixed);
    return churn_loop(session, head->allocator, operations, false, mixed);
}

HY_INLINE uint64_t churn_live_bytes(hy_session *head) {
    churn_session *session = (churn_session *)head;
    uint64_t bytes = 0;
    for (size_t index = 0; index < session->window; index++)
        bytes += session->slots[index].size;
    return bytes;
}

/* Every slot in order, then enough churn to mix them. */
HY_INLINE void churn_fill(hy_session *head, bool mixed) {
    churn_session *session = (churn_session *)head;
    size_t stride = session->window / CHURN_OBSERVED + 1;
    uint64_t bytes = 0, done;
    for (size_t index = 0; index < session->window; index++) {
        size_t size = churn_size(session, index & (session->table_count - 1), mixed);
        session->slots[index] = (churn_slot){hy_take_block(head, head->allocator, size, index), size};
        bytes += size;
        if (index % stride == 0) hy_session_observe(head, bytes);
    }
    head->workload->epoch(head, CHURN_FILL_WINDOWS * session->window, &done);
    hy_session_observe(head, churn_live_bytes(head));
}

HY_INLINE void churn_free_all(hy_session *head) {
    churn_session *session = (churn_session *)head;
    for (size_t index = 0; index < session->window; index++) {
        churn_slot *slot = &session->slots[index];
        hy_free(head->allocator, slot->block, slot->size, HY_BENCH_ALIGN);
        *slot = (churn_slot){0};
    }
}

HY_INLINE void churn_end(hy_session *head) {
    churn_session *session = (churn_session *)head;
    hy_free_n(hy_bench_memory(), session->slots, session->window);
    hy_free_n(hy_bench_memory(), session->sizes, session->table_count);
    hy_free_n(hy_bench_memory(), session->victims, session->table_count);
    hy_destroy(hy_bench_memory(), session);
}

/* A session with its slots and victims; sizes stay the caller's to give. NULL: out of memory. */
HY_INLINE churn_session *churn_begin(
    const hy_workload *workload, uint64_t window, uint64_t seed, hy_instance *instance) {
    churn_session *session = hy_create(hy_bench_memory(), churn_session);
    if (!session) return NULL;
    *session = (churn_session){.window = window};
    hy_session_start(&session->head, workload, instance);
    session->table_count = hy_power_of_two_above(4 * window);
    if (session->table_count < CHURN_TABLE_MIN) session->table_count = CHURN_TABLE_MIN;
    session->slots = hy_alloc_zeroed(hy_bench_memory(), churn_slot, window);
    session->victims = hy_random_table(seed, session->table_count, window);
    if (session->slots && session->victims) return session;
    churn_end(&session->head);
    return NULL;
}

#endif
