/* replay.c: a trace on an allocator of the registry. */
#include "allocators/history/replay.h"
#include "allocators/history/parallel.h"
#include "allocators/peers/peers.h"
#include "allocators/registry.h"
#include "allocators/trace/command/commands.h"

#include <heapyard/libc.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was asked for, and what it came to. */
typedef struct replay_request {
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
} replay_request;

static int parse_value(const char *name, const char *value, replay_request *out) {
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

static int parse(int argc, char **argv, replay_request *out) {
    static const char *const valued[] = {"--allocator", "--mode", "--repeat"};
    *out = (replay_request){.repeat = 1};
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

/* The row, if it can replay anything at all. */
static int find_row(const replay_request *asked, const hy_row **row) {
    *row = hy_registry_find(asked->allocator);
    if (!*row) {
        return usage_error("replay: no allocator %s; did you mean %s?", asked->allocator,
            hy_registry_suggest(asked->allocator));
    }
    const char *missing = (*row)->missing ? (*row)->missing : hy_peer_missing(*row);
    if (missing) return usage_error("replay: %s is not in this build: %s", asked->allocator, missing);
    if (asked->parallel && !((*row)->traits & HY_TRAIT_THREAD_SAFE)) {
        return usage_error("replay: %s is not thread-safe; use --mode exact", asked->allocator);
    }
    return STATUS_GOOD;
}

static int out_of_memory(const replay_request *asked) {
    (void)usage_error("%s: out of memory", asked->path);
    return STATUS_HARNESS;
}

/* Once checked, then timed as often as asked; the best time counts. */
static int replay_exact(replay_request *asked, const hy_plan *plan, hy_allocator subject) {
    if (!hy_replay_exact(plan, subject, hy_libc(), true, &asked->result)) return out_of_memory(asked);
    asked->threads = 1;
    asked->peak_bytes = asked->result.peak_bytes;
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < asked->repeat; i++) {
        hy_replay_result timed;
        if (!hy_replay_timed(plan, subject, hy_libc(), &timed)) return out_of_memory(asked);
        if (timed.elapsed_ns < best) best = timed.elapsed_ns;
        if (timed.checksum != asked->result.checksum) asked->result.corrupt++;
    }
    asked->result.elapsed_ns = best;
    return STATUS_GOOD;
}

static int replay_parallel(replay_request *asked, const hy_history *history, hy_allocator subject) {
    hy_parallel_plan *plan;
    if (hy_parallel_plan_make(&plan, history, hy_libc(), NULL) != HY_OK) return out_of_memory(asked);
    asked->threads = hy_parallel_plan_threads(plan);
    hy_parallel *parallel = hy_parallel_begin(plan, subject, hy_libc());
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; parallel && i < asked->repeat; i++) {
        hy_parallel_run(parallel, &asked->result);
        if (asked->result.elapsed_ns < best) best = asked->result.elapsed_ns;
        if (asked->result.checksum != asked->expected_checksum) break;
    }
    asked->result.elapsed_ns = best;
    if (parallel) hy_parallel_end(parallel);
    hy_parallel_plan_destroy(plan);
    if (parallel) return STATUS_GOOD;
    (void)usage_error("replay: %zu threads can't be started", asked->threads);
    return STATUS_HARNESS;
}

static void print_result(const replay_request *asked) {
    const hy_replay_result *result = &asked->result;
    double per_op = (double)result->elapsed_ns / (double)result->operations;
    const char *mode = asked->parallel ? "parallel" : "exact";
    if (asked->json) {
        (void)printf("{\"trace\":");
        print_json_text(asked->path);
        (void)printf(",\"allocator\":\"%s\",\"mode\":\"%s\",\"threads\":%zu,\"operations\":%" PRIu64
                     ",\"peak_bytes\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\",\"refused\":%" PRIu64
                     ",\"corrupt\":%" PRIu64 ",\"elapsed_ns\":%" PRIu64 ",\"ns_per_operation\":%.3f}\n",
            asked->allocator, mode, asked->threads, result->operations, asked->peak_bytes, result->checksum,
            result->refused, result->corrupt, result->elapsed_ns, per_op);
        return;
    }
    (void)printf("%s on %s, %s, %zu thread%s\n", asked->path, asked->allocator, mode, asked->threads,
        asked->threads == 1 ? "" : "s");
    (void)printf("operations   %" PRIu64 "\npeak         %" PRIu64 " live bytes\nchecksum     %016" PRIx64
                 "\ntime         %.3f ms, %.2f ns per operation\n",
        result->operations, asked->peak_bytes, result->checksum, (double)result->elapsed_ns / 1e6, per_op);
}

/* A replay that did something else than the trace says is a finding, not a figure. */
static int judge(const replay_request *asked, bool is_small) {
    const hy_replay_result *result = &asked->result;
    if (result->refused > 0 && is_small) {
        return usage_error("replay: %s holds less than the trace needs: it refused %" PRIu64 " requests",
            asked->allocator, result->refused);
    }
    if (result->refused > 0) {
        (void)usage_error(
            "replay: %s refused %" PRIu64 " of the requests", asked->allocator, result->refused);
        return STATUS_CONFIRMED;
    }
    if (result->corrupt == 0 && result->checksum == asked->expected_checksum) return STATUS_GOOD;
    (void)usage_error("replay: %s: contents changed in %" PRIu64 " blocks; checksum %016" PRIx64
                      ", expected %016" PRIx64,
        asked->allocator, result->corrupt, result->checksum, asked->expected_checksum);
    return STATUS_CONFIRMED;
}

/* Rows that can't hold what the trace holds, or hand out what isn't there. */
static int check_row(const replay_request *asked, const hy_row *row, const hy_plan *plan) {
    if (row->traits & (HY_TRAIT_FLOOR | HY_TRAIT_REFUSES_ALL)) {
        return usage_error(
            "replay: %s is there to be measured against and serves no program", asked->allocator);
    }
    if ((row->traits & HY_TRAIT_FIXED_BLOCK) && plan->greatest_size > row->default_block_size) {
        return usage_error("replay: %s: the trace asks for %" PRIu64 " bytes at once, %s gives at most %zu",
            asked->path, plan->greatest_size, asked->allocator, row->default_block_size);
    }
    if (hy_align_compare(plan->greatest_align, row->greatest_align) <= 0) return STATUS_GOOD;
    return usage_error("replay: %s: the trace asks for alignment %zu, %s gives at most %zu", asked->path,
        hy_align_bytes(plan->greatest_align), asked->allocator, hy_align_bytes(row->greatest_align));
}

/* An allocator that does nothing: every block is one and the same. */
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

/* What the replay costs without an allocator: its own loop, tags and zeroing, and the empty calls. */
static int run_own_cost(replay_request *asked, const hy_plan *plan) {
    static const hy_vtable same = {same_alloc, same_resize, same_remap, hy_ignore_free};
    size_t size = (size_t)hy_align_forward(plan->greatest_size + 1, plan->greatest_align);
    void *block = hy_alloc(hy_libc(), size, plan->greatest_align);
    hy_allocator subject = {block, &same};
    uint64_t best = UINT64_MAX;
    bool good = block != NULL;
    for (unsigned i = 0; i < asked->repeat && good; i++) {
        good = hy_replay_timed(plan, subject, hy_libc(), &asked->result);
        if (asked->result.elapsed_ns < best) best = asked->result.elapsed_ns;
    }
    hy_free(hy_libc(), block, size, plan->greatest_align);
    if (!good) return out_of_memory(asked);
    (void)printf("own cost     %.2f ns per operation\n", (double)best / (double)plan->operations);
    return STATUS_GOOD;
}

static int run_on_row(
    replay_request *asked, const hy_row *row, const hy_history *history, const hy_plan *plan) {
    int fits = check_row(asked, row, plan);
    if (fits != STATUS_GOOD) return fits;
    hy_instance instance;
    if (!hy_instance_make(&instance, row, NULL)) {
        (void)usage_error("replay: %s can't be made here", asked->allocator);
        return STATUS_HARNESS;
    }
    asked->peak_bytes = plan->peak_bytes;
    asked->expected_checksum = hy_plan_checksum(plan);
    int status = asked->parallel ? replay_parallel(asked, history, instance.allocator)
                                 : replay_exact(asked, plan, instance.allocator);
    hy_instance_destroy(&instance);
    if (status != STATUS_GOOD) return status;
    print_result(asked);
    return judge(asked, row->traits & HY_TRAIT_FIXED_CAPACITY);
}

static int run(int argc, char **argv) {
    replay_request asked;
    const hy_row *row = NULL;
    hy_history history;
    hy_trace_info info;
    int status = parse(argc, argv, &asked);
    if (status == STATUS_GOOD && !asked.own_cost) status = find_row(&asked, &row);
    if (status != STATUS_GOOD || !open_trace(asked.path, asked.partial, &history, &info, &status))
        return status;
    hy_plan plan;
    size_t bad;
    hy_error error = hy_plan_make(&plan, &history, hy_libc(), &bad);
    if (error != HY_OK) {
        status =
            usage_error("%s: operation %zu can't be replayed: %s", asked.path, bad, hy_error_string(error));
    } else if (plan.operations == 0) {
        (void)usage_error("%s: holds no operation to replay", asked.path);
        status = STATUS_NOTHING;
    } else if (asked.own_cost) {
        status = run_own_cost(&asked, &plan);
    } else {
        status = run_on_row(&asked, row, &history, &plan);
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
