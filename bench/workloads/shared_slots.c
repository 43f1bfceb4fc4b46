/* shared_slots.c: blocks that any thread may free.
 *
 * All threads share one table of blocks. An operation allocates a block, swaps it by one atomic exchange for
 * the one in a random slot, and frees that one, whoever allocated it. With mixed sizes, a block's size is
 * read from its own first word, as a program finds it in its objects.
 *
 * Which thread frees which block differs from run to run, so the checksum is a sum over blocks: of those that
 * were freed in the epoch and those that are in the table at its end, which are the same in every run.
 */
#include "bench/session.h"
#include "bench/thread_team.h"
#include <stdatomic.h>

#define SLOTS_MAX ((uint64_t)1 << 20)
#define TABLE_MIN 8192

typedef struct slots_params {
    uint64_t slots, smallest, largest; /* the two are equal: one size */
} slots_params;

typedef struct slots_session {
    hy_session head;
    size_t slots, size;
    uint32_t threads;
    _Atomic(void *) *table; /* that of the first session is the one that all share */
    uint32_t *victims;      /* slots */
    uint32_t *sizes;        /* NULL: all are of `size` */
    size_t table_count;     /* of victims and sizes */
    uint64_t cursor;        /* where they stand, modulo table_count */
} slots_session;

static bool parse(const char *params, slots_params *out) {
    if (!hy_params_number(params, "slots", &out->slots)) return false;
    if (hy_params_number(params, "size", &out->smallest)) {
        out->largest = out->smallest;
    } else if (!hy_params_number(params, "smallest", &out->smallest) ||
               !hy_params_number(params, "largest", &out->largest) || out->smallest == out->largest) {
        return false;
    }
    if (out->smallest < HY_BENCH_SIZE_MIN || out->largest > HY_BENCH_SIZE_MAX) return false;
    return out->smallest <= out->largest && out->slots >= 1 && out->slots <= SLOTS_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    slots_params parsed;
    if (!parse(params, &parsed)) return false;
    bool mixed = parsed.smallest != parsed.largest;
    uint64_t blocks = parsed.slots + 1;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = mixed ? hy_log_uniform_bytes(blocks, parsed.smallest, parsed.largest) + parsed.largest
                            : blocks * parsed.largest,
        .live_blocks = blocks,
        .mixed_sizes = mixed,
    };
    return true;
}

static void end(hy_session *head) {
    slots_session *session = (slots_session *)head;
    hy_free_n(hy_bench_memory(), session->table, session->slots);
    hy_free_n(hy_bench_memory(), session->victims, session->table_count);
    hy_free_n(hy_bench_memory(), session->sizes, session->table_count);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    slots_params parsed;
    slots_session *session = parse(params, &parsed) ? hy_create(hy_bench_memory(), slots_session) : NULL;
    if (!session) return NULL;
    bool mixed = parsed.smallest != parsed.largest;
    *session = (slots_session){.slots = parsed.slots, .size = parsed.largest, .threads = threads};
    hy_session_start(&session->head, workload, instance);
    session->table_count = hy_power_of_two_above(4 * parsed.slots);
    if (session->table_count < TABLE_MIN) session->table_count = TABLE_MIN;
    session->table = hy_alloc_zeroed(hy_bench_memory(), _Atomic(void *), parsed.slots);
    session->victims = hy_random_table(seed, session->table_count, parsed.slots);
    if (mixed)
        session->sizes =
            hy_log_uniform_table(seed + 1, session->table_count, parsed.smallest, parsed.largest);
    if (session->table && session->victims && (session->sizes || !mixed)) return &session->head;
    end(&session->head);
    return NULL;
}

static _Atomic(void *) *shared_table(const slots_session *session) {
    return session->head.group ? ((slots_session *)session->head.group[0])->table : session->table;
}

/* The size of a block, as hy_take_block wrote it; 0: no block. Serials have 32 bits. */
HY_INLINE size_t size_of(const slots_session *session, const void *block) {
    if (!block) return 0;
    return session->sizes ? *(const uint64_t *)block >> 32 : session->size;
}

/* What a block is in the checksum: mixed well, since these are added up. */
static uint64_t word_of(const void *block) {
    uint64_t word = block ? *(const uint64_t *)block : 0;
    return block ? hy_random_next(&word) : 0;
}

HY_INLINE void *next_block(slots_session *session, hy_allocator allocator) {
    uint64_t cursor = session->cursor++;
    size_t size = session->sizes ? session->sizes[cursor & (session->table_count - 1)] : session->size;
    return hy_take_block(&session->head, allocator, size, (uint32_t)cursor);
}

/* reads: not where all blocks are one. */
HY_INLINE uint64_t loop(
    slots_session *session, hy_allocator allocator, uint64_t operations, bool verify, bool reads) {
    uint64_t checksum = 0;
    _Atomic(void *) *table = shared_table(session);
    for (uint64_t i = 0; i < operations; i++) {
        uint32_t slot = session->victims[session->cursor & (session->table_count - 1)];
        void *fresh = next_block(session, allocator);
        void *old = atomic_exchange_explicit(&table[slot], fresh, memory_order_acq_rel);
        if (verify) checksum += word_of(old);
        hy_free(allocator, old, reads ? size_of(session, old) : session->size, HY_BENCH_ALIGN);
    }
    return checksum;
}

/* The last thread adds what is in the table when all are done. */
static uint64_t words_left(const slots_session *session) {
    hy_thread_team *team = session->head.team;
    uint64_t checksum = 0;
    if (team && !hy_thread_team_barrier(team)) return 0;
    _Atomic(void *) *table = shared_table(session);
    for (size_t slot = 0; slot < session->slots; slot++)
        checksum += word_of(atomic_load_explicit(&table[slot], memory_order_acquire));
    if (team) hy_thread_team_release(team);
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    slots_session *session = (slots_session *)head;
    *done = operations;
    if (head->empty) return loop(session, hy_empty_allocator(head), operations, false, false);
    if (!head->verify) return loop(session, head->allocator, operations, false, true);
    uint64_t checksum = loop(session, head->allocator, operations, true, true);
    return checksum + words_left(session);
}

/* Each session fills, counts and frees its own part of the table: every so many slots, from its own on. */
static void fill(hy_session *head) {
    slots_session *session = (slots_session *)head;
    _Atomic(void *) *table = shared_table(session);
    for (size_t slot = head->thread; slot < session->slots; slot += session->threads) {
        void *block = next_block(session, head->allocator);
        atomic_store_explicit(&table[slot], block, memory_order_release);
    }
}

static uint64_t live_bytes(hy_session *head) {
    slots_session *session = (slots_session *)head;
    _Atomic(void *) *table = shared_table(session);
    uint64_t bytes = 0;
    if (head->empty) return 0;
    for (size_t slot = head->thread; slot < session->slots; slot += session->threads)
        bytes += size_of(session, atomic_load_explicit(&table[slot], memory_order_acquire));
    return bytes;
}

static void free_all(hy_session *head) {
    slots_session *session = (slots_session *)head;
    _Atomic(void *) *table = shared_table(session);
    for (size_t slot = head->thread; slot < session->slots; slot += session->threads) {
        void *block = atomic_exchange_explicit(&table[slot], NULL, memory_order_acq_rel);
        size_t size = head->empty ? session->size : size_of(session, block);
        hy_free(head->allocator, block, size, HY_BENCH_ALIGN);
    }
}

static const hy_cell cells[] = {
    {"size=64;slots=1000", 2, HY_TIER_STANDARD},
    {"largest=8192;slots=1000;smallest=16", 2, HY_TIER_STANDARD},
    {"size=64;slots=1000", 1, HY_TIER_FULL},
    {"largest=8192;slots=1000;smallest=16", 1, HY_TIER_FULL},
};

const hy_workload hy_shared_slots_workload = {
    .name = "shared_slots",
    .summary = "Threads swap the blocks of one table: each operation allocates a block, exchanges it for the "
               "one in a random slot and frees that one, whoever allocated it. It models caches, connection "
               "tables and work queues that threads share.",
    .operation = "one allocation, one exchange and one free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .layers_elsewhere = true,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "largest=1024;slots=50;smallest=16",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
