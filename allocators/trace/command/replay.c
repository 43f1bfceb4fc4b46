/* replay.c: replays a trace on an allocator of the registry. */
#include "allocators/history/replay.h"
#include "allocators/history/parallel.h"
#include "allocators/json.h"
#include "allocators/peers/peers.h"
#include "allocators/registry.h"
#include "allocators/trace/command/commands.h"

#include <heapyard/libc.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options of a replay, and its results. */
typedef struct replay_job {
    const char *path;
    const char *allocator;
    bool parallel;
    bool partial;
    bool json;
    bool own_cost;
    unsigned repeat;
    size_t threads;
    uint64_t peak_bytes;
    uint64_t expected_checksum;
    hy_replay_result result;
} replay_job;

static int parse_value(const char *name, const char *value, replay_job *out) {
    if (!value) return usage_error("replay: %s needs a value", name);
    if (strcmp(name, "--allocator") == 0) {
        out->allocator = value;
    } else if (strcmp(name, "--mode") == 0) {
        out->parallel = strcmp(value, "parallel") == 0;
        if (!out->parallel && strcmp(value, "exact") != 0) {
            return usage_error("replay: --mode %s: exact or parallel", value);
        }
    } else {
        char *end;
        unsigned long number = strtoul(value, &end, 10);
        if (*end || number == 0 || number > 1000000)
            return usage_error("replay: --repeat %s: 1 to 1000000", value);
        out->repeat = (unsigned)number;
    }
    return STATUS_GOOD;
}

static int parse(int argc, char **argv, replay_job *out) {
    static const char *const valued[] = {"--allocator", "--mode", "--repeat"};
    *out = (replay_job){.repeat = 1};
    for (int i = 1; i < argc; i++) {
        const char *value;
        const char *name = NULL;
        for (size_t option = 0; option < 3 && !name; option++) {
            if (take_value(argc, argv, &i, valued[option], &value)) name = valued[option];
        }
        if (name) {
            int status = parse_value(name, value, out);
            if (status != STATUS_GOOD) return status;
        } else if (is_flag(argv, i, "--partial")) {
            out->partial = true;
        } else if (is_flag(argv, i, "--json")) {
            out->json = true;
        } else if (is_flag(argv, i, "--own-cost")) {
            out->own_cost = true;
        } else if (argv[i][0] == '-') {
            return usage_error("replay: %s: no such option; see heapyard-trace replay --help", argv[i]);
        } else if (out->path) {
            return usage_error("replay: %s: one trace at a time", argv[i]);
        } else {
            out->path = argv[i];
        }
    }
    if (!out->path) return usage_error("replay: which trace? Give its file");
    return out->allocator || out->own_cost
               ? STATUS_GOOD
               : usage_error("replay: on which allocator? --allocator libc, for one");
}

/* Finds the row, and checks that this build has it and that it supports the mode. */
static int find_row(const replay_job *job, const hy_row **row) {
    *row = hy_registry_find(job->allocator);
    if (!*row) {
        return usage_error(
            "replay: no allocator %s; did you mean %s?", job->allocator, hy_registry_suggest(job->allocator));
    }
    const char *missing = (*row)->missing ? (*row)->missing : hy_peer_missing(*row);
    if (missing) return usage_error("replay: %s is not in this build: %s", job->allocator, missing);
    if (job->parallel && !((*row)->traits & HY_TRAIT_THREAD_SAFE)) {
        return usage_error("replay: %s is not thread-safe; use --mode exact", job->allocator);
    }
    return STATUS_GOOD;
}

static int out_of_memory(const replay_job *job) {
    (void)usage_error("%s: out of memory", job->path);
    return STATUS_HARNESS;
}

/* One checked run, then `repeat` timed ones, of which the best time is kept. */
static int replay_exact(replay_job *job, const hy_plan *plan, hy_allocator subject) {
    if (!hy_replay_exact(plan, subject, hy_libc(), true, &job->result)) return out_of_memory(job);
    job->threads = 1;
    job->peak_bytes = job->result.peak_bytes;
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < job->repeat; i++) {
        hy_replay_result timed;
        if (!hy_replay_timed(plan, subject, hy_libc(), &timed)) return out_of_memory(job);
        if (timed.elapsed_ns < best) best = timed.elapsed_ns;
        if (timed.checksum != job->result.checksum) job->result.corrupt++;
    }
    job->result.elapsed_ns = best;
    return STATUS_GOOD;
}

static int replay_parallel(replay_job *job, const hy_history *history, hy_allocator subject) {
    hy_parallel_plan *plan;
    if (hy_parallel_plan_make(&plan, history, hy_libc(), NULL) != HY_OK) return out_of_memory(job);
    job->threads = hy_parallel_plan_threads(plan);
    hy_parallel *parallel = hy_parallel_begin(plan, subject, hy_libc());
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; parallel && i < job->repeat; i++) {
        hy_parallel_run(parallel, &job->result);
        if (job->result.elapsed_ns < best) best = job->result.elapsed_ns;
        if (job->result.checksum != job->expected_checksum) break;
    }
    job->result.elapsed_ns = best;
    if (parallel) hy_parallel_end(parallel);
    hy_parallel_plan_destroy(plan);
    if (parallel) return STATUS_GOOD;
    (void)usage_error("replay: %zu threads can't be started", job->threads);
    return STATUS_HARNESS;
}

static void print_json(const replay_job *job, const char *mode, double per_op) {
    const hy_replay_result *result = &job->result;
    hy_json json = {.out = stdout};
    hy_json_begin(&json, NULL, '{');
    hy_json_text(&json, "trace", job->path);
    hy_json_text(&json, "allocator", job->allocator);
    hy_json_text(&json, "mode", mode);
    hy_json_number(&json, "threads", job->threads);
    hy_json_number(&json, "operations", result->operations);
    hy_json_number(&json, "peak_bytes", job->peak_bytes);
    hy_json_checksum(&json, "checksum", result->checksum);
    hy_json_number(&json, "refused", result->refused);
    hy_json_number(&json, "corrupt", result->corrupt);
    hy_json_number(&json, "elapsed_ns", result->elapsed_ns);
    hy_json_real(&json, "ns_per_operation", per_op, 6);
    hy_json_end(&json, '}');
    (void)hy_json_line_end(&json);
}

static void print_result(const replay_job *job) {
    const hy_replay_result *result = &job->result;
    double per_op = (double)result->elapsed_ns / (double)result->operations;
    const char *mode = job->parallel ? "parallel" : "exact";
    if (job->json) {
        print_json(job, mode, per_op);
        return;
    }
    (void)printf("%s on %s, %s, %zu thread%s\n", job->path, job->allocator, mode, job->threads,
        job->threads == 1 ? "" : "s");
    (void)printf("operations   %" PRIu64 "\npeak         %" PRIu64 " live bytes\nchecksum     %016" PRIx64
                 "\ntime         %.3f ms, %.2f ns per operation\n",
        result->operations, job->peak_bytes, result->checksum, (double)result->elapsed_ns / 1e6, per_op);
}

/* The exit status: a replay with refusals or changed contents is a finding, not a measurement. */
static int judge(const replay_job *job, bool is_small) {
    const hy_replay_result *result = &job->result;
    if (result->refused > 0 && is_small) {
        return usage_error("replay: %s holds less than the trace needs: it refused %" PRIu64 " requests",
            job->allocator, result->refused);
    }
    if (result->refused > 0) {
        (void)usage_error("replay: %s refused %" PRIu64 " of the requests", job->allocator, result->refused);
        return STATUS_CONFIRMED;
    }
    if (result->corrupt == 0 && result->checksum == job->expected_checksum) return STATUS_GOOD;
    (void)usage_error("replay: %s: contents changed in %" PRIu64 " blocks; checksum %016" PRIx64
                      ", expected %016" PRIx64,
        job->allocator, result->corrupt, result->checksum, job->expected_checksum);
    return STATUS_CONFIRMED;
}

/* Rejects rows that serve no program (floors) or not the sizes and alignments of this trace. */
static int check_row(const replay_job *job, const hy_row *row, const hy_plan *plan) {
    if (row->traits & (HY_TRAIT_FLOOR | HY_TRAIT_REFUSES_ALL)) {
        return usage_error(
            "replay: %s is there to be measured against and serves no program", job->allocator);
    }
    if ((row->traits & HY_TRAIT_FIXED_BLOCK) && plan->greatest_size > row->default_block_size) {
        return usage_error("replay: %s: the trace asks for %" PRIu64 " bytes at once, %s gives at most %zu",
            job->path, plan->greatest_size, job->allocator, row->default_block_size);
    }
    if (hy_align_compare(plan->greatest_align, row->greatest_align) <= 0) return STATUS_GOOD;
    return usage_error("replay: %s: the trace asks for alignment %zu, %s gives at most %zu", job->path,
        hy_align_bytes(plan->greatest_align), job->allocator, hy_align_bytes(row->greatest_align));
}

/* An allocator that does nothing: every request gets the same block. */
static void *same_alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    return self;
}

static bool same_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return true;
}

static void *same_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)old_size, (void)new_size, (void)align, (void)ptr;
    return self;
}

/* Measures the replay without an allocator: its own loop, tags and zeroing, and the empty calls. */
static int run_own_cost(replay_job *job, const hy_plan *plan) {
    static const hy_vtable same = {same_alloc, same_resize, same_remap, hy_ignore_free};
    size_t size = (size_t)hy_align_forward(plan->greatest_size + 1, plan->greatest_align);
    void *block = hy_alloc(hy_libc(), size, plan->greatest_align);
    hy_allocator subject = {block, &same};
    uint64_t best = UINT64_MAX;
    bool good = block != NULL;
    for (unsigned i = 0; i < job->repeat && good; i++) {
        good = hy_replay_timed(plan, subject, hy_libc(), &job->result);
        if (job->result.elapsed_ns < best) best = job->result.elapsed_ns;
    }
    hy_free(hy_libc(), block, size, plan->greatest_align);
    if (!good) return out_of_memory(job);
    (void)printf("own cost     %.2f ns per operation\n", (double)best / (double)plan->operations);
    return STATUS_GOOD;
}

static int run_on_row(replay_job *job, const hy_row *row, const hy_history *history, const hy_plan *plan) {
    int fits = check_row(job, row, plan);
    if (fits != STATUS_GOOD) return fits;
    hy_instance instance;
    if (!hy_instance_make(&instance, row, NULL)) {
        (void)usage_error("replay: %s can't be made here", job->allocator);
        return STATUS_HARNESS;
    }
    job->peak_bytes = plan->peak_bytes;
    job->expected_checksum = hy_plan_checksum(plan);
    int status = job->parallel ? replay_parallel(job, history, instance.allocator)
                               : replay_exact(job, plan, instance.allocator);
    hy_instance_destroy(&instance);
    if (status != STATUS_GOOD) return status;
    print_result(job);
    return judge(job, row->traits & HY_TRAIT_FIXED_CAPACITY);
}

static int run(int argc, char **argv) {
    replay_job job;
    const hy_row *row = NULL;
    hy_history history;
    hy_trace_info info;
    int status = parse(argc, argv, &job);
    if (status == STATUS_GOOD && !job.own_cost) status = find_row(&job, &row);
    if (status != STATUS_GOOD || !open_trace(job.path, job.partial, &history, &info, &status)) return status;
    hy_plan plan;
    size_t bad;
    hy_error error = hy_plan_make(&plan, &history, hy_libc(), &bad);
    if (error != HY_OK) {
        status =
            usage_error("%s: operation %zu can't be replayed: %s", job.path, bad, hy_error_string(error));
    } else if (plan.operations == 0) {
        (void)usage_error("%s: holds no operation to replay", job.path);
        status = STATUS_NOTHING;
    } else if (job.own_cost) {
        status = run_own_cost(&job, &plan);
    } else {
        status = run_on_row(&job, row, &history, &plan);
    }
    if (error == HY_OK) hy_plan_destroy(&plan);
    hy_history_deinit(&history);
    return status;
}

const trace_command replay_command = {.name = "replay",
    .usage = "FILE --allocator ROW|--own-cost [--mode exact|parallel] [--repeat N] [--partial] [--json]",
    .help =
        "Does on an allocator what the recorded program did, and prints operations, peak of live bytes, a\n"
        "checksum of what was read back, and the best time.\n"
        "  --mode exact     in recorded order, one operation at a time; contents are verified first "
        "(default)\n"
        "  --mode parallel  each thread its own operations; a free waits only for its own allocation\n"
        "  --repeat N       timed runs\n"
        "  --own-cost       on no allocator at all: what the replay itself costs\n"
        "  --partial        take what is whole of a trace that was cut or not finished\n",
    .run = run};
