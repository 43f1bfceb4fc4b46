/* turnover.c: threads that come and go, and objects that outlive them.
 *
 *   wave n      thread 0 … thread k-1     each allocates its parcel, and frees, block by block, the parcel
 *                   ↘          ↘          that another thread, now dead, left in wave n-1
 *   wave n+1    thread 0 … thread k-1
 *
 * A wave's threads are `at_once`: none ends before all have begun. Then all end, and the next wave begins.
 * What an allocator keeps for a thread is thus made, left behind and taken over again and again; memory that
 * grows with the number of threads that ever were shows in the memory meter, which runs 50 waves: 10,000
 * threads where 200 are there at once.
 *
 * The session creates the threads and times them itself, so their start and end are in the time of a block,
 * and their stacks in the memory, in every row alike. The floor of both is what the harness's own cost shows.
 */
#include "bench/session.h"
#include "bench/thread_team.h"
#include <pthread.h>

#define AT_ONCE_MAX 1024
#define BLOCKS_MAX 65536
#define SMALLEST 16
#define LARGEST 1024
/* Small stacks are kept by libc for the next threads. */
#define STACK_BYTES ((size_t)128 << 10)
/* Several waves. */
#define EPOCH_NS 3000000

typedef struct turnover_params {
    uint64_t at_once, blocks;
} turnover_params;

typedef struct turnover_session turnover_session;

/* One thread of a wave. */
typedef struct one_life {
    turnover_session *session;
    uint32_t place;
    bool started;
    pthread_t thread;
    uint64_t checksum, refused_count;
} one_life;

struct turnover_session {
    hy_session head;
    turnover_params params;
    uint64_t wave;
    void **parcels[2]; /* of the waves of even and of odd number; at_once x blocks */
    uint32_t *sizes;   /* of the same blocks */
    one_life *lives;
    pthread_attr_t attributes;
    pthread_rwlock_t gate; /* closed for readers until the whole wave has begun */
};

static bool parse(const char *params, turnover_params *out) {
    if (!hy_params_number(params, "at_once", &out->at_once)) return false;
    if (!hy_params_number(params, "blocks", &out->blocks)) return false;
    return out->at_once >= 1 && out->at_once <= AT_ONCE_MAX && out->blocks >= 1 && out->blocks <= BLOCKS_MAX;
}

static bool demand(const char *params, hy_demand *out) {
    turnover_params parsed;
    if (!parse(params, &parsed)) return false;
    uint64_t blocks = 2 * parsed.at_once * parsed.blocks;
    *out = (hy_demand){
        .greatest_size = LARGEST,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = hy_log_uniform_bytes(blocks, SMALLEST, LARGEST),
        .live_blocks = blocks,
        .mixed_sizes = true,
    };
    return true;
}

/* One thread: the waves are its own. */
static bool threads_fit(const char *params, uint32_t threads) {
    (void)params;
    return threads == 1;
}

static void end(hy_session *head) {
    turnover_session *session = (turnover_session *)head;
    size_t count = session->params.at_once * session->params.blocks;
    hy_free_n(hy_bench_memory(), session->parcels[0], count);
    hy_free_n(hy_bench_memory(), session->parcels[1], count);
    hy_free_n(hy_bench_memory(), session->sizes, count);
    hy_free_n(hy_bench_memory(), session->lives, session->params.at_once);
    pthread_attr_destroy(&session->attributes);
    pthread_rwlock_destroy(&session->gate);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    turnover_params parsed;
    bool legal = parse(params, &parsed) && threads_fit(params, threads);
    turnover_session *session = legal ? hy_create(hy_bench_memory(), turnover_session) : NULL;
    if (!session) return NULL;
    *session = (turnover_session){.params = parsed};
    hy_session_start(&session->head, workload, instance);
    size_t count = parsed.at_once * parsed.blocks;
    session->parcels[0] = hy_alloc_zeroed(hy_bench_memory(), void *, count);
    session->parcels[1] = hy_alloc_zeroed(hy_bench_memory(), void *, count);
    session->sizes = hy_log_uniform_table(seed, count, SMALLEST, LARGEST);
    session->lives = hy_alloc_zeroed(hy_bench_memory(), one_life, parsed.at_once);
    pthread_attr_init(&session->attributes);
    pthread_attr_setstacksize(&session->attributes, STACK_BYTES);
    pthread_rwlock_init(&session->gate, NULL);
    if (session->parcels[0] && session->parcels[1] && session->sizes && session->lives) return &session->head;
    end(&session->head);
    return NULL;
}

/* Allocates a parcel and frees its predecessor's, which the next thread of the last wave left. Counts in a
 * head of its own, as all threads of the wave do this at once. */
HY_INLINE void live_once(one_life *life, hy_session *head, hy_allocator allocator, bool verify) {
    const turnover_session *session = life->session;
    size_t blocks = session->params.blocks, place = life->place;
    size_t mine = place * blocks, theirs = (place + 1) % session->params.at_once * blocks;
    void **fresh = session->parcels[session->wave % 2] + mine;
    void **old = session->parcels[(session->wave + 1) % 2] + theirs;
    uint64_t serial = session->wave * session->params.at_once * blocks + mine;
    for (size_t i = 0; i < blocks; i++) {
        fresh[i] = hy_take_block(head, allocator, session->sizes[mine + i], serial + i);
        life->checksum = hy_give_block(allocator, old[i], session->sizes[theirs + i], life->checksum, verify);
        old[i] = NULL;
    }
}

static void live(one_life *life) {
    hy_session head = life->session->head;
    head.refused_count = 0;
    life->checksum = 0;
    if (head.empty) {
        head.allocator.self = hy_empty_block(life->place);
        live_once(life, &head, hy_empty_allocator(&head), false);
    } else if (head.verify) {
        live_once(life, &head, head.allocator, true);
    } else {
        live_once(life, &head, head.allocator, false);
    }
    life->refused_count = head.refused_count;
}

static void *live_in_thread(void *argument) {
    one_life *life = argument;
    live(life);
    pthread_rwlock_rdlock(&life->session->gate);
    pthread_rwlock_unlock(&life->session->gate);
    return NULL;
}

/* A thread that can't be had is a refusal; its blocks are freed here. */
static void start_wave(turnover_session *session) {
    pthread_rwlock_wrlock(&session->gate);
    for (uint32_t place = 0; place < session->params.at_once; place++) {
        one_life *life = &session->lives[place];
        life->session = session;
        life->place = place;
        life->started = pthread_create(&life->thread, &session->attributes, live_in_thread, life) == 0;
        if (life->started) continue;
        live(life);
        session->head.refused_count++;
    }
    pthread_rwlock_unlock(&session->gate);
}

static uint64_t end_wave(turnover_session *session) {
    uint64_t checksum = 0;
    for (uint32_t place = 0; place < session->params.at_once; place++) {
        one_life *life = &session->lives[place];
        if (life->started) pthread_join(life->thread, NULL);
        checksum = hy_checksum_add(checksum, life->checksum);
        session->head.refused_count += life->refused_count;
    }
    session->wave++;
    return checksum;
}

static uint64_t live_bytes(hy_session *head) {
    const turnover_session *session = (turnover_session *)head;
    uint64_t bytes = 0;
    for (size_t parity = 0; parity < 2; parity++) {
        for (size_t i = 0; i < session->params.at_once * session->params.blocks; i++)
            bytes += session->parcels[parity][i] ? session->sizes[i] : 0;
    }
    return bytes;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    turnover_session *session = (turnover_session *)head;
    uint64_t checksum = 0, start_ns = hy_clock_ns();
    for (*done = 0; *done < operations; *done += session->params.at_once * session->params.blocks) {
        start_wave(session);
        checksum = hy_checksum_add(checksum, end_wave(session));
        if (head->observer) hy_session_observe(head, live_bytes(head));
    }
    head->elapsed_ns = hy_clock_ns() - start_ns;
    return checksum;
}

/* Two waves: from the second on there is a parcel to free. */
static void fill(hy_session *head) {
    uint64_t done;
    epoch(head, 1, &done);
    epoch(head, 1, &done);
}

static void free_all(hy_session *head) {
    turnover_session *session = (turnover_session *)head;
    for (size_t parity = 0; parity < 2; parity++) {
        void **blocks = session->parcels[parity];
        for (size_t i = 0; i < session->params.at_once * session->params.blocks; i++) {
            hy_free(head->allocator, blocks[i], session->sizes[i], HY_BENCH_ALIGN);
            blocks[i] = NULL;
        }
    }
}

static const hy_cell cells[] = {
    {"at_once=32;blocks=250", 1, HY_TIER_STANDARD},
    {"at_once=200;blocks=250", 1, HY_TIER_FULL},
};

const hy_workload hy_turnover_workload = {
    .name = "turnover",
    .summary =
        "Threads are made and end in waves; each allocates blocks and frees those that a thread of the "
        "last wave left. It models servers that have a thread a connection, and thread pools that shrink.",
    .operation = "one block, allocated in one thread and freed in a later one, with its share of a thread",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_THREAD_SAFE,
    .excludes = HY_TRAIT_REFUSES_ALL,
    .owns_threads = true,
    .uncounted = true,
    .layers_elsewhere = true,
    .epoch_ns = EPOCH_NS,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "at_once=4;blocks=10",
    .demand = demand,
    .threads_fit = threads_fit,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
