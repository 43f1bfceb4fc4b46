/* parallel.c: one list of steps per thread, hand-overs between them, and the threads that run them. */
#include "allocators/history/parallel.h"

#include "allocators/history/step.h"
#include <heapyard/typed.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define NO_LANE UINT32_MAX

/* The steps of one replaying thread: those of a recorded thread, and of later ones that began after it had
 * ended. Reusing lanes keeps the number of threads at what ran concurrently. */
typedef struct lane {
    hy_step *steps;
    size_t count;
    size_t capacity;
    uint32_t slot_count;
    uint32_t *vacant;
    uint32_t vacant_count;
    uint32_t vacant_capacity;
} lane;

struct hy_parallel_plan {
    lane *lanes;
    size_t lane_count;
    size_t lane_capacity; /* one per recorded thread, the most there can be */
    size_t operations;
    size_t handovers; /* the number of cells */
    hy_allocator gpa;
};

/* ---- plans ---- */

/* The hand-overs of an operation, found before steps are built: cells are numbered from 1, 0 is none. */
typedef struct link {
    uint32_t take; /* the cell from which its block comes */
    uint32_t give; /* the cell into which it goes afterwards */
} link;

/* The state of a slot of the history. */
typedef struct slot_state {
    uint64_t size;
    size_t last_op;
    uint32_t lane;
    uint32_t local; /* slot in the lane's own table */
    uint16_t thread;
    uint8_t align_log2;
    bool live;
} slot_state;

typedef struct builder {
    hy_parallel_plan *plan;
    const hy_history *history;
    link *links;
    slot_state *slots;
    uint32_t *lane_of;  /* by thread */
    size_t *last_op_of; /* by thread */
    uint32_t *free_lanes;
    uint32_t free_lane_count;
} builder;

static bool is_replayed(hy_op op) {
    bool of_no_block = op.kind == HY_OP_CHECK || op.kind == HY_OP_THREAD_END || op.kind == HY_OP_SPECIAL;
    return !of_no_block && !(op.flags & HY_OP_REFUSED);
}

/* Finds every pair of consecutive operations on a block by different threads. A reset needs no hand-over:
 * the frees that replace it are done by the threads that hold the blocks. */
static void find_handovers(builder *build) {
    const hy_history *history = build->history;
    for (size_t i = 0; i < history->count; i++) {
        hy_op op = history->ops[i];
        build->last_op_of[op.thread] = i;
        if (!is_replayed(op) || op.kind == HY_OP_RESET) continue;
        slot_state *at = &build->slots[op.slot];
        if (op.kind != HY_OP_ALLOC && at->thread != op.thread) {
            uint32_t cell = (uint32_t)++build->plan->handovers;
            build->links[at->last_op].give = cell;
            build->links[i].take = cell;
        }
        at->thread = op.thread;
        at->last_op = i;
    }
}

static bool add_step(lane *to, hy_step step, hy_allocator gpa) {
    if (to->count == to->capacity) {
        size_t capacity = to->capacity * 2 + 64;
        hy_step *steps = hy_realloc_n(gpa, hy_step, to->steps, to->capacity, capacity);
        if (!steps) return false;
        to->steps = steps;
        to->capacity = capacity;
    }
    to->steps[to->count++] = step;
    return true;
}

static uint32_t take_local(lane *in) {
    return in->vacant_count > 0 ? in->vacant[--in->vacant_count] : in->slot_count++;
}

static bool vacate_local(lane *in, uint32_t local, hy_allocator gpa) {
    if (in->vacant_count == in->vacant_capacity) {
        uint32_t capacity = in->vacant_capacity * 2 + 64;
        uint32_t *vacant = hy_realloc_n(gpa, uint32_t, in->vacant, in->vacant_capacity, capacity);
        if (!vacant) return false;
        in->vacant = vacant;
        in->vacant_capacity = capacity;
    }
    in->vacant[in->vacant_count++] = local;
    return true;
}

/* The thread's lane; a new thread reuses the lane of one that has ended, if there is any. */
static uint32_t enter_lane(builder *build, uint16_t thread) {
    if (build->lane_of[thread] == NO_LANE) {
        build->lane_of[thread] = build->free_lane_count > 0 ? build->free_lanes[--build->free_lane_count]
                                                            : (uint32_t)build->plan->lane_count++;
    }
    return build->lane_of[thread];
}

static hy_error add_reset(builder *build) {
    hy_allocator gpa = build->plan->gpa;
    for (uint32_t slot = 0; slot < build->history->slot_count; slot++) {
        slot_state *at = &build->slots[slot];
        if (!at->live) continue;
        lane *to = &build->plan->lanes[at->lane];
        hy_step step = hy_step_pack(HY_OP_FREE, 0, at->align_log2, at->local, at->size, 0);
        if (!add_step(to, step, gpa) || !vacate_local(to, at->local, gpa)) return HY_OUT_OF_MEMORY;
        at->live = false;
    }
    return HY_OK;
}

static hy_error add_op(builder *build, size_t index) {
    hy_op op = build->history->ops[index];
    hy_allocator gpa = build->plan->gpa;
    if (!is_replayed(op)) return HY_OK;
    build->plan->operations++;
    if (op.kind == HY_OP_RESET) return add_reset(build);
    if (op.size > HY_STEP_SIZE_MAX) return HY_UNSUPPORTED;
    slot_state *at = &build->slots[op.slot];
    uint32_t number = enter_lane(build, op.thread);
    lane *to = &build->plan->lanes[number];
    link links = build->links[index];
    bool good = true;
    if (op.kind == HY_OP_ALLOC || links.take) at->local = take_local(to);
    if (links.take) {
        hy_step take = {
            .meta = hy_step_pack(HY_STEP_TAKE, 0, 0, at->local, 0, 0).meta, .sizes = links.take - 1};
        good = add_step(to, take, gpa);
    }
    uint64_t old = op.kind == HY_OP_ALLOC || op.kind == HY_OP_FREE ? 0 : at->size;
    good = good && add_step(to, hy_step_pack(op.kind, op.flags, op.align_log2, at->local, op.size, old), gpa);
    if (links.give) {
        hy_step give = {
            .meta = hy_step_pack(HY_STEP_GIVE, 0, 0, at->local, 0, 0).meta, .sizes = links.give - 1};
        good = good && add_step(to, give, gpa);
    }
    if (op.kind == HY_OP_FREE || links.give) good = good && vacate_local(to, at->local, gpa);
    at->size = op.size;
    at->align_log2 = op.align_log2;
    at->lane = number;
    at->live = op.kind != HY_OP_FREE;
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

/* After a thread's last operation its lane is free for the next thread that begins. */
static void leave_lane(builder *build, size_t index) {
    uint16_t thread = build->history->ops[index].thread;
    if (build->last_op_of[thread] == index && build->lane_of[thread] != NO_LANE) {
        build->free_lanes[build->free_lane_count++] = build->lane_of[thread];
    }
}

static hy_error make_steps(builder *build, size_t *bad) {
    for (uint32_t i = 0; i < build->history->thread_count; i++)
        build->lane_of[i] = NO_LANE;
    find_handovers(build);
    hy_error error = HY_OK;
    for (size_t i = 0; i < build->history->count && error == HY_OK; i++) {
        error = add_op(build, i);
        leave_lane(build, i);
        *bad = i;
    }
    return error;
}

hy_error hy_parallel_plan_make(
    hy_parallel_plan **plan, const hy_history *history, hy_allocator gpa, size_t *bad) {
    size_t ignored;
    if (!bad) bad = &ignored;
    *plan = NULL;
    if (!hy_history_check(history, bad)) return HY_INVALID;
    hy_parallel_plan *fresh = hy_alloc_zeroed(gpa, hy_parallel_plan, 1);
    if (!fresh) return HY_OUT_OF_MEMORY;
    uint32_t threads = history->thread_count;
    *fresh = (hy_parallel_plan){.gpa = gpa, .lane_capacity = threads};
    builder build = {.plan = fresh,
        .history = history,
        .links = hy_alloc_zeroed(gpa, link, history->count),
        .slots = hy_alloc_zeroed(gpa, slot_state, history->slot_count),
        .lane_of = hy_alloc_zeroed(gpa, uint32_t, threads),
        .last_op_of = hy_alloc_zeroed(gpa, size_t, threads),
        .free_lanes = hy_alloc_zeroed(gpa, uint32_t, threads)};
    fresh->lanes = hy_alloc_zeroed(gpa, lane, threads);
    bool good =
        build.links && build.slots && build.lane_of && build.last_op_of && build.free_lanes && fresh->lanes;
    hy_error error = good ? make_steps(&build, bad) : HY_OUT_OF_MEMORY;
    hy_free_n(gpa, build.links, history->count);
    hy_free_n(gpa, build.slots, history->slot_count);
    hy_free_n(gpa, build.lane_of, threads);
    hy_free_n(gpa, build.last_op_of, threads);
    hy_free_n(gpa, build.free_lanes, threads);
    if (error == HY_OK)
        *plan = fresh;
    else
        hy_parallel_plan_destroy(fresh);
    return error;
}

void hy_parallel_plan_destroy(hy_parallel_plan *plan) {
    if (!plan) return;
    hy_allocator gpa = plan->gpa;
    for (size_t i = 0; i < plan->lane_count; i++) {
        hy_free_n(gpa, plan->lanes[i].steps, plan->lanes[i].capacity);
        hy_free_n(gpa, plan->lanes[i].vacant, plan->lanes[i].vacant_capacity);
    }
    hy_free_n(gpa, plan->lanes, plan->lane_capacity);
    hy_free_n(gpa, plan, 1);
}

size_t hy_parallel_plan_threads(const hy_parallel_plan *plan) {
    return plan->lane_count;
}

size_t hy_parallel_plan_operations(const hy_parallel_plan *plan) {
    return plan->operations;
}

size_t hy_parallel_plan_handovers(const hy_parallel_plan *plan) {
    return plan->handovers;
}

/* ---- runs ---- */

/* Commands to the worker threads. */
typedef enum order { ORDER_RUN, ORDER_FREE, ORDER_END } order;

typedef struct worker {
    hy_parallel *parallel;
    const lane *lane;
    void **slots;
    pthread_t thread;
    uint64_t sum;
    uint64_t refused;
    uint64_t ended_ns;
    /* Each worker is written by its own thread: padding avoids false sharing of a cache line. */
    char padding[HY_CACHE_LINE];
} worker;

struct hy_parallel {
    const hy_parallel_plan *plan;
    hy_allocator subject;
    hy_allocator gpa;
    worker *workers;
    size_t started;
    _Atomic(void *) *cells;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t command; /* number of orders so far: a worker that has seen fewer has one to do */
    order order;
    size_t busy;
};

/* A cell points here where the block's allocation was refused: NULL means not handed over yet. */
static char refused_block;

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Waits for a block from another thread; nearly always it is there already. There may be more threads than
 * processors, so after a short spin the thread yields to let the other one run. */
static void *wait_for(_Atomic(void *) *cell) {
    for (unsigned tries = 0;; tries++) {
        void *block = atomic_load_explicit(cell, memory_order_acquire);
        if (block) return block == &refused_block ? NULL : block;
        if (tries >= 64) (void)sched_yield();
    }
}

static void run_lane(worker *self) {
    hy_allocator subject = self->parallel->subject;
    _Atomic(void *) *cells = self->parallel->cells;
    void **slots = self->slots;
    uint64_t sum = 0, refused = 0;
    for (size_t i = 0; i < self->lane->count; i++) {
        hy_step step = self->lane->steps[i];
        void **slot = &slots[hy_step_slot(step)];
        switch (hy_step_kind(step)) {
        case HY_OP_ALLOC:
            *slot = hy_step_alloc(step, subject, &refused);
            break;
        case HY_OP_FREE:
            sum += hy_step_free(step, subject, *slot);
            *slot = NULL;
            break;
        case HY_STEP_TAKE:
            *slot = wait_for(&cells[step.sizes]);
            break;
        case HY_STEP_GIVE:
            atomic_store_explicit(&cells[step.sizes], *slot ? *slot : &refused_block, memory_order_release);
            *slot = NULL;
            break;
        default:
            *slot = hy_step_change(step, subject, *slot, &sum, &refused);
            break;
        }
    }
    self->sum = sum;
    self->refused = refused;
    self->ended_ns = now_ns();
}

/* Frees the lane's live blocks; backwards, for the reason given in hy_replay_free_all. */
static void free_lane(worker *self) {
    for (size_t i = self->lane->count; i-- > 0;) {
        void **slot = &self->slots[hy_step_slot(self->lane->steps[i])];
        if (!*slot) continue;
        self->sum += hy_step_free(self->lane->steps[i], self->parallel->subject, *slot);
        *slot = NULL;
    }
}

static void *work(void *context) {
    worker *self = context;
    hy_parallel *parallel = self->parallel;
    uint64_t seen = 0;
    for (;;) {
        pthread_mutex_lock(&parallel->mutex);
        while (parallel->command == seen)
            pthread_cond_wait(&parallel->changed, &parallel->mutex);
        seen = parallel->command;
        order todo = parallel->order;
        pthread_mutex_unlock(&parallel->mutex);
        if (todo == ORDER_END) return NULL;
        if (todo == ORDER_RUN)
            run_lane(self);
        else
            free_lane(self);
        pthread_mutex_lock(&parallel->mutex);
        if (--parallel->busy == 0) pthread_cond_broadcast(&parallel->changed);
        pthread_mutex_unlock(&parallel->mutex);
    }
}

/* Gives an order to all threads and waits until they have done it; ORDER_END is not waited for. */
static void command(hy_parallel *parallel, order todo) {
    pthread_mutex_lock(&parallel->mutex);
    parallel->order = todo;
    parallel->command++;
    parallel->busy = todo == ORDER_END ? 0 : parallel->started;
    pthread_cond_broadcast(&parallel->changed);
    while (parallel->busy > 0)
        pthread_cond_wait(&parallel->changed, &parallel->mutex);
    pthread_mutex_unlock(&parallel->mutex);
}

static bool start_worker(hy_parallel *parallel, size_t index) {
    worker *self = &parallel->workers[index];
    self->parallel = parallel;
    self->lane = &parallel->plan->lanes[index];
    self->slots = hy_alloc_zeroed(parallel->gpa, void *, self->lane->slot_count);
    if (!self->slots) return false;
    if (pthread_create(&self->thread, NULL, work, self) == 0) return true;
    hy_free_n(parallel->gpa, self->slots, self->lane->slot_count);
    return false;
}

hy_parallel *hy_parallel_begin(const hy_parallel_plan *plan, hy_allocator subject, hy_allocator gpa) {
    hy_parallel *parallel = hy_alloc_zeroed(gpa, hy_parallel, 1);
    if (!parallel) return NULL;
    *parallel = (hy_parallel){.plan = plan, .subject = subject, .gpa = gpa};
    pthread_mutex_init(&parallel->mutex, NULL);
    pthread_cond_init(&parallel->changed, NULL);
    parallel->workers = hy_alloc_zeroed(gpa, worker, plan->lane_count);
    parallel->cells = hy_alloc_zeroed(gpa, _Atomic(void *), plan->handovers);
    bool good = parallel->workers && parallel->cells;
    while (good && parallel->started < plan->lane_count) {
        good = start_worker(parallel, parallel->started);
        if (good) parallel->started++;
    }
    if (good) return parallel;
    hy_parallel_end(parallel);
    return NULL;
}

void hy_parallel_run(hy_parallel *parallel, hy_replay_result *result) {
    *result = (hy_replay_result){.operations = parallel->plan->operations};
    for (size_t i = 0; i < parallel->plan->handovers; i++) {
        atomic_store_explicit(&parallel->cells[i], NULL, memory_order_relaxed);
    }
    uint64_t start = now_ns(), end = start;
    command(parallel, ORDER_RUN);
    command(parallel, ORDER_FREE);
    for (size_t i = 0; i < parallel->started; i++) {
        const worker *done = &parallel->workers[i];
        result->checksum += done->sum;
        result->refused += done->refused;
        if (done->ended_ns > end) end = done->ended_ns;
    }
    result->elapsed_ns = end - start;
}

void hy_parallel_end(hy_parallel *parallel) {
    command(parallel, ORDER_END);
    for (size_t i = 0; i < parallel->started; i++) {
        (void)pthread_join(parallel->workers[i].thread, NULL);
        hy_free_n(parallel->gpa, parallel->workers[i].slots, parallel->workers[i].lane->slot_count);
    }
    pthread_mutex_destroy(&parallel->mutex);
    pthread_cond_destroy(&parallel->changed);
    hy_free_n(parallel->gpa, parallel->workers, parallel->plan->lane_count);
    hy_free_n(parallel->gpa, parallel->cells, parallel->plan->handovers);
    hy_free_n(parallel->gpa, parallel, 1);
}
