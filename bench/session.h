/* session.h: what the loops of all workloads share.
 *
 * A loop is written once, as an inline function over an allocator; epoch() instantiates it for the
 * vtable under test, for the same with a checksum of first words read back (verify), and for an allocator
 * that the compiler sees through (empty). The last one's time is the harness's own cost per operation.
 *
 * Random sequences are tables made before the first epoch, so that a loop only streams through them.
 * Their lengths are powers of two.
 */
#ifndef HEAPYARD_SESSION_H
#define HEAPYARD_SESSION_H

#include "allocators/core/random.h"
#include "bench/workloads.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>

/* What blocks are aligned to: what malloc gives, so that every row serves it. */
#define HY_BENCH_ALIGN HY_ALIGN_16
/* No block is smaller: the first word is written. */
#define HY_BENCH_SIZE_MIN 16
#define HY_BENCH_SIZE_MAX ((uint64_t)1 << 20)

/* The first word of the `serial`-th block, of `size` bytes. */
HY_INLINE uint64_t hy_first_word(uint64_t serial, uint64_t size) {
    return serial ^ size << 32;
}

/* Takes a word into a checksum; the order counts. */
HY_INLINE uint64_t hy_checksum_add(uint64_t checksum, uint64_t word) {
    return (checksum ^ word) * 0x9E3779B97F4A7C15u + 1;
}

/* Allocates a block and writes its first word. */
HY_INLINE void *hy_take_block(hy_session *session, hy_allocator allocator, size_t size, uint64_t serial) {
    void *ptr = hy_alloc(allocator, size, HY_BENCH_ALIGN);
    if (HY_UNLIKELY(ptr == NULL)) {
        session->refused_count++;
        return NULL;
    }
    *(uint64_t *)ptr = hy_first_word(serial, size);
    hy_opaque(ptr);
    return ptr;
}

/* Frees a block. To verify, its first word is read back into the checksum; otherwise nothing is read. */
HY_INLINE uint64_t hy_give_block(
    hy_allocator allocator, void *ptr, size_t size, uint64_t checksum, bool verify) {
    if (verify && ptr) checksum = hy_checksum_add(checksum, *(uint64_t *)ptr);
    hy_free(allocator, ptr, size, HY_BENCH_ALIGN);
    return checksum;
}

/* Something to hand out that costs nothing: `self` itself. */
HY_INLINE void *hy_empty_alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    return self;
}

HY_INLINE void hy_empty_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    hy_opaque(ptr);
}

static const hy_vtable hy_empty_vtable = {hy_empty_alloc, hy_refuse_resize, hy_refuse_remap, hy_empty_free};

/* The greatest block that the empty loops may write to. */
#define HY_EMPTY_BYTES ((size_t)1 << 26)

/* The row "empty" of the bench itself; in no registry. */
extern const hy_row hy_empty_row;

HY_INLINE hy_allocator hy_empty_allocator(const hy_session *session) {
    return (hy_allocator){session->allocator.self, &hy_empty_vtable};
}

/* The next number of the sequence below `bound`, which is at most 2^32. */
HY_INLINE uint32_t hy_random_below(uint64_t *state, uint64_t bound) {
    return (uint32_t)(((hy_random_next(state) >> 32) * bound) >> 32);
}

HY_INLINE uint64_t hy_power_of_two_above(uint64_t value) {
    uint64_t power = 1;
    while (power < value)
        power *= 2;
    return power;
}

/* Fills in the head of a fresh session. */
HY_INLINE void hy_session_start(hy_session *session, const hy_workload *workload, hy_instance *instance) {
    *session = (hy_session){.workload = workload, .instance = instance, .allocator = instance->allocator};
    session->empty = instance->row == &hy_empty_row;
}

HY_INLINE void hy_session_observe(const hy_session *session, uint64_t live_bytes) {
    if (session->observer) session->observer->observe(session->observer->context, live_bytes);
}

/* What the empty loops of a thread hand out: HY_EMPTY_BYTES that no other thread writes to at the front. */
void *hy_empty_block(uint32_t thread);

/* A table of `count` numbers below `bound`, or NULL. */
uint32_t *hy_random_table(uint64_t seed, size_t count, uint64_t bound);

/* The next size of a sequence whose logarithms are uniform between the two; and a table of them, or NULL. */
uint32_t hy_log_uniform(uint64_t *state, uint64_t smallest, uint64_t largest);
uint32_t *hy_log_uniform_table(uint64_t seed, size_t count, uint64_t smallest, uint64_t largest);
/* What `count` such sizes sum up to, and a margin. */
uint64_t hy_log_uniform_bytes(uint64_t count, uint64_t smallest, uint64_t largest);

#endif
