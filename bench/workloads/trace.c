/* trace.c: a recorded program's calls, again.
 *
 * With one thread, an epoch is a segment of the trace, replayed in recorded order; at its end what is
 * still live is freed and it begins anew. Each process begins at another place, which the seed chooses.
 * With as many threads as were recorded, every thread runs its own calls and waits only for blocks that
 * another thread hands over; an epoch is then the whole trace, and its time that of the calls alone.
 *
 * Programs allocate small blocks by the hundred thousand: a row that gives each its own pages is left out,
 * as it would take longer than all others together, and a gigabyte.
 *
 * A trace is read once and its plan kept for the whole process. `file` is a name in corpus/traces, or,
 * with a slash in it, a path.
 */
#include "allocators/history/parallel.h"
#include "allocators/history/step.h"
#include "allocators/history/trace_file.h"
#include "bench/session.h"
#include <stdio.h>
#include <string.h>

#define SEGMENT_NS 1000000
#define PATH_SIZE 1024
#define TRACE_MAX 32
#define EXTENSION ".hyt"

/* A trace, read and compiled; `path` empty: this place is free. */
typedef struct loaded_trace {
    char path[PATH_SIZE];
    bool good;
    hy_trace_error error;
    hy_plan plan;
    hy_parallel_plan *parallel; /* NULL: recorded with one thread */
} loaded_trace;

static struct {
    loaded_trace *traces[TRACE_MAX];
    size_t count;
} loaded;

typedef struct trace_session {
    hy_session head;
    const loaded_trace *trace;
    uint32_t threads;
    uint64_t seed;
    hy_replay replay; /* one thread */
    size_t at;        /* steps done */
    uint64_t live_bytes;
    hy_parallel *parallel; /* several; begun by the first epoch */
} trace_session;

/* "file=NAME" as a path; false: there is none, or it is too long. */
static bool trace_path(const char *params, char path[PATH_SIZE]) {
    const char *name = strncmp(params, "file=", 5) == 0 ? params + 5 : NULL;
    if (!name || !*name || strchr(name, ';')) return false;
    const char *folder = strchr(name, '/') ? "" : HY_TRACES "/";
    int size = snprintf(path, PATH_SIZE, "%s%s%s", folder, name, strchr(name, '/') ? "" : EXTENSION);
    return size > 0 && size < PATH_SIZE;
}

/* Compiles what was read. The history itself is not needed any longer. */
static bool compile_trace(loaded_trace *trace, const hy_history *history) {
    size_t bad = 0;
    hy_error error = hy_plan_make(&trace->plan, history, hy_bench_memory(), &bad);
    if (error == HY_OK && history->thread_count > 1) {
        error = hy_parallel_plan_make(&trace->parallel, history, hy_bench_memory(), &bad);
        if (error != HY_OK) hy_plan_destroy(&trace->plan);
    }
    if (error == HY_OK) return true;
    snprintf(trace->error.message, sizeof trace->error.message, "%.500s: operation %zu can't be replayed: %s",
        trace->path, bad, hy_error_string(error));
    return false;
}

static bool read_trace(loaded_trace *trace) {
    hy_history history;
    hy_trace_info info;
    hy_history_init(&history, hy_bench_memory());
    bool good =
        hy_trace_read(trace->path, false, &history, &info, &trace->error) && compile_trace(trace, &history);
    hy_history_deinit(&history);
    return good;
}

static loaded_trace *find_trace(const char *params) {
    char path[PATH_SIZE];
    if (!trace_path(params, path)) return NULL;
    for (size_t i = 0; i < loaded.count; i++) {
        if (strcmp(loaded.traces[i]->path, path) == 0) return loaded.traces[i];
    }
    if (loaded.count == TRACE_MAX) return NULL;
    loaded_trace *trace = hy_create(hy_bench_memory(), loaded_trace);
    if (!trace) return NULL;
    memset(trace, 0, sizeof *trace);
    memcpy(trace->path, path, sizeof path);
    trace->good = read_trace(trace);
    loaded.traces[loaded.count++] = trace;
    return trace;
}

static bool demand(const char *params, hy_demand *out) {
    const loaded_trace *trace = find_trace(params);
    if (!trace || !trace->good) return false;
    *out = (hy_demand){
        .greatest_size = trace->plan.greatest_size,
        .greatest_align = trace->plan.greatest_align,
        .live_bytes = trace->plan.peak_bytes,
        .live_blocks = trace->plan.peak_blocks,
        .mixed_sizes = true,
        .length = trace->plan.operations,
    };
    return true;
}

static const char *refusal(const char *params) {
    const loaded_trace *trace = find_trace(params);
    return trace && !trace->good ? trace->error.message : NULL;
}

/* One thread, or exactly those of the recording. */
static bool threads_fit(const char *params, uint32_t threads) {
    const loaded_trace *trace = find_trace(params);
    if (!trace || !trace->good) return false;
    return threads == 1 || (trace->parallel && threads == trace->plan.thread_count);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    const loaded_trace *trace = find_trace(params);
    if (!trace || !trace->good || !threads_fit(params, threads)) return NULL;
    trace_session *session = hy_create(hy_bench_memory(), trace_session);
    if (!session) return NULL;
    memset(session, 0, sizeof *session);
    hy_session_start(&session->head, workload, instance);
    session->trace = trace;
    session->threads = threads;
    session->seed = seed;
    if (threads > 1 ||
        hy_replay_init(&session->replay, &trace->plan, instance->allocator, hy_bench_memory())) {
        return &session->head;
    }
    hy_destroy(hy_bench_memory(), session);
    return NULL;
}

/* Keeps the sum of live bytes, for those who look at the memory. */
static void account(trace_session *session, size_t count) {
    for (size_t i = session->at; i < session->at + count; i++) {
        hy_step step = session->trace->plan.steps[i];
        unsigned kind = hy_step_kind(step);
        uint64_t size = hy_step_size(step);
        session->live_bytes += kind == HY_OP_FREE    ? 0 - size
                               : kind == HY_OP_ALLOC ? size
                                                     : size - hy_step_old_size(step);
    }
}

/* The next steps, up to the end of the trace; there, what is live is freed. */
static uint64_t run_piece(trace_session *session, size_t wanted, uint64_t *done) {
    size_t left = session->trace->plan.count - session->at;
    size_t count = wanted < left ? wanted : left;
    uint64_t checksum = hy_replay_run(&session->replay, session->at, count);
    if (session->head.observer) account(session, count);
    session->at += count;
    *done += count;
    if (session->at == session->trace->plan.count) {
        checksum += hy_replay_free_all(&session->replay, session->at);
        session->at = 0;
        session->live_bytes = 0;
    }
    return checksum;
}

/* Somewhere in the first half, so that what follows is the program and not its end. */
static void start_somewhere(trace_session *session) {
    uint64_t done = 0, seed = session->seed;
    size_t steps = hy_random_below(&seed, session->trace->plan.count / 2 + 1);
    run_piece(session, steps, &done);
}

static void start_threads(trace_session *session) {
    session->parallel =
        hy_parallel_begin(session->trace->parallel, session->head.allocator, hy_bench_memory());
}

static void fill(hy_session *head) {
    trace_session *session = (trace_session *)head;
    if (session->threads > 1) {
        start_threads(session);
    } else {
        session->replay.subject = head->allocator;
        if (!head->observer) start_somewhere(session);
    }
}

static uint64_t run_parallel(trace_session *session, uint64_t *done) {
    hy_replay_result result = {0};
    if (!session->parallel) {
        session->head.refused_count++;
        *done = 1;
        return 0;
    }
    hy_parallel_run(session->parallel, &result);
    session->head.refused_count += result.refused;
    session->head.elapsed_ns = result.elapsed_ns;
    *done = hy_parallel_plan_operations(session->trace->parallel) / session->threads;
    return result.checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    trace_session *session = (trace_session *)head;
    *done = 0;
    if (session->threads > 1) return run_parallel(session, done);
    uint64_t checksum = 0;
    while (*done < operations)
        checksum += run_piece(session, operations - *done, done);
    head->refused_count = session->replay.refused;
    return checksum;
}

static uint64_t live_bytes(hy_session *head) {
    return ((trace_session *)head)->live_bytes;
}

static void free_all(hy_session *head) {
    trace_session *session = (trace_session *)head;
    if (session->threads == 1) hy_replay_free_all(&session->replay, session->at);
    session->at = 0;
    session->live_bytes = 0;
}

static void end(hy_session *head) {
    trace_session *session = (trace_session *)head;
    if (session->threads == 1) hy_replay_deinit(&session->replay);
    if (session->parallel) hy_parallel_end(session->parallel);
    hy_destroy(hy_bench_memory(), session);
}

/* A program that one of its own threads does most of says little with all of them on few cores, and
 * takes long: those are for the full tier. */
static const hy_cell cells[] = {
    {"file=cc1", 1, HY_TIER_QUICK},
    {"file=sqlite", 1, HY_TIER_QUICK},
    {"file=python", 1, HY_TIER_STANDARD},
    {"file=lua", 1, HY_TIER_STANDARD},
    {"file=git-log", 1, HY_TIER_STANDARD},
    {"file=redis", 1, HY_TIER_STANDARD},
    {"file=doxygen", 1, HY_TIER_STANDARD},
    {"file=python-threads", 6, HY_TIER_STANDARD},
    {"file=redis", 4, HY_TIER_FULL},
    {"file=doxygen", 21, HY_TIER_FULL},
    {"file=git-grep", 9, HY_TIER_FULL},
};

const hy_workload hy_trace_workload = {
    .name = "trace",
    .summary =
        "Replays the calls that a real program made, in their order, with its sizes, lifetimes and, where it "
        "had several, its threads. Each block is written to as a program would.",
    .operation = "one call of the program: an allocation, a free or a change of size",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL | HY_TRAIT_WHOLE_PAGES,
    .owns_threads = true,
    .keeps_place = true,
    .epoch_ns = SEGMENT_NS,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .demand = demand,
    .threads_fit = threads_fit,
    .refusal = refusal,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
