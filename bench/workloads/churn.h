/* churn.h: a window of live blocks, in which each operation allocates one and frees a random old one.
 *
 * Shared by `window` (one size) and `mixed` (log-uniform sizes). The new block takes the slot of the
 * old one, so the window stays full: operations x live blocks is the only state there is. Victims and
 * sizes are tables, several windows long, so that every slot is hit and no pattern repeats soon.
 */
#ifndef HEAPYARD_CHURN_H
#define HEAPYARD_CHURN_H

#include "bench/session.h"

typedef struct churn_session {
    hy_session head;
    size_t window;
    size_t size;       /* of all blocks, where sizes is NULL */
    void **blocks;     /* by slot */
    uint32_t *live;    /* mixed sizes: those of the slots */
    uint32_t *sizes;   /* mixed sizes: those of the blocks to come */
    uint32_t *victims; /* slots to free */
    size_t table_count;
    uint64_t cursor; /* where the tables stand, modulo table_count */
} churn_session;

#define CHURN_WINDOW_MAX ((uint64_t)1 << 26)
#define CHURN_TABLE_MIN 8192
/* Operations that turn a freshly filled window into one that looks used. */
#define CHURN_FILL_WINDOWS 2
#define CHURN_OBSERVED 32 /* looks at the memory while the window fills */

HY_INLINE uint32_t churn_size(const churn_session *session, uint64_t index, bool mixed) {
    return mixed ? session->sizes[index] : (uint32_t)session->size;
}

HY_INLINE uint64_t churn_loop(
    churn_session *session, hy_allocator allocator, uint64_t operations, bool verify, bool mixed) {
    uint64_t checksum = 0;
    uint64_t cursor = session->cursor, mask = session->table_count - 1;
    for (uint64_t i = 0; i < operations; i++, cursor++) {
        uint32_t slot = session->victims[cursor & mask];
        uint32_t size = churn_size(session, cursor & mask, mixed);
        void *fresh = hy_take_block(&session->head, allocator, size, slot);
        size_t old_size = mixed ? session->live[slot] : size;
        checksum += hy_give_block(allocator, session->blocks[slot], old_size, slot, verify);
        session->blocks[slot] = fresh;
        if (mixed) session->live[slot] = size;
    }
    session->cursor = cursor;
    return checksum;
}

HY_INLINE uint64_t churn_epoch(hy_session *head, uint64_t operations, uint64_t *done, bool mixed) {
    churn_session *session = (churn_session *)head;
    *done = operations;
    if (head->empty) return churn_loop(session, hy_empty_allocator(head), operations, false, mixed);
    if (head->verify && !head->forgets) return churn_loop(session, head->allocator, operations, true, mixed);
    return churn_loop(session, head->allocator, operations, false, mixed);
}

HY_INLINE uint64_t churn_live_bytes(hy_session *head, bool mixed) {
    churn_session *session = (churn_session *)head;
    uint64_t bytes = session->window * session->size;
    for (size_t slot = 0; mixed && slot < session->window; slot++)
        bytes += session->live[slot];
    return bytes;
}

/* Every slot in order, then enough churn to mix them. */
HY_INLINE void churn_fill(hy_session *head, bool mixed) {
    churn_session *session = (churn_session *)head;
    size_t stride = session->window / CHURN_OBSERVED + 1;
    uint64_t bytes = 0, done;
    for (size_t slot = 0; slot < session->window; slot++) {
        uint32_t size = churn_size(session, slot & (session->table_count - 1), mixed);
        session->blocks[slot] = hy_take_block(head, head->allocator, size, slot);
        if (mixed) session->live[slot] = size;
        bytes += size;
        if (slot % stride == 0) hy_session_observe(head, bytes);
    }
    head->workload->epoch(head, CHURN_FILL_WINDOWS * session->window, &done);
    hy_session_observe(head, churn_live_bytes(head, mixed));
}

HY_INLINE void churn_free_all(hy_session *head, bool mixed) {
    churn_session *session = (churn_session *)head;
    for (size_t slot = 0; slot < session->window; slot++) {
        size_t size = mixed ? session->live[slot] : session->size;
        hy_free(head->allocator, session->blocks[slot], size, HY_BENCH_ALIGN);
        session->blocks[slot] = NULL;
    }
}

HY_INLINE void churn_end(hy_session *head) {
    churn_session *session = (churn_session *)head;
    hy_free_n(hy_libc(), session->blocks, session->window);
    hy_free_n(hy_libc(), session->live, session->window);
    hy_free_n(hy_libc(), session->sizes, session->table_count);
    hy_free_n(hy_libc(), session->victims, session->table_count);
    hy_destroy(hy_libc(), session);
}

/* A session with its slots and victims; sizes stay the caller's to give. NULL: out of memory. */
HY_INLINE churn_session *churn_begin(
    const hy_workload *workload, uint64_t window, uint64_t seed, hy_instance *instance) {
    churn_session *session = hy_create(hy_libc(), churn_session);
    if (!session) return NULL;
    *session = (churn_session){.window = window};
    hy_session_start(&session->head, workload, instance);
    session->table_count = hy_power_of_two_above(4 * window);
    if (session->table_count < CHURN_TABLE_MIN) session->table_count = CHURN_TABLE_MIN;
    session->blocks = hy_alloc_zeroed(hy_libc(), void *, window);
    session->victims = hy_random_table(seed, session->table_count, window);
    if (session->blocks && session->victims) return session;
    churn_end(&session->head);
    return NULL;
}

#endif
