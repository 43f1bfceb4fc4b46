/* memory.c: the memory of one allocator in one cell, measured in a process of its own.
 *
 *   tables touched │ run, a look after each step         │ all freed │ 0.1 s │ 1 s
 *   start_rss      │ peak_rss (VmHWM), series, live_peak │ at once   │ idle  │ idle
 *
 * Resident sizes are the process's, in bytes; the allocator's share is what they exceed start_rss by. The
 * peak is the kernel's own mark, reset at the start. Nothing is trimmed by hand: what an allocator
 * gives back by itself, at once or while the process idles, is what is asked here.
 */
#include "allocators/peers/peers.h"
#include "bench/meters.h"
#include "bench/meters/cell_options.h"
#include "bench/meters/record.h"
#include <errno.h>
#include <fcntl.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *const command = "memory";

#define STEPS 24
#define STEP_OPERATIONS_MIN 1000
#define SERIES_MAX 4096
#define SERIES_PRINTED 160

typedef struct memory_point {
    uint64_t live_bytes;
    uint64_t rss_bytes;
} memory_point;

typedef struct memory_result {
    uint64_t start_rss, peak_rss, live_peak;
    uint64_t rss_after_free, rss_after_100ms, rss_after_1s;
    long minor_faults, major_faults;
    uint64_t refused_count;
    memory_point series[SERIES_MAX];
    size_t point_count;
} memory_result;

/* What is asked for, and what comes of it. */
typedef struct memory_run {
    const hy_workload *workload;
    hy_cell cell;
    uint64_t seed, process;
    hy_candidate *candidate;
    memory_result *result;
} memory_run;

typedef struct memory_options {
    hy_cell_options cell;
    const char *process, *out;
} memory_options;

/* A number in KiB that stands after `key` in a small file of /proc, in bytes; 0 where there is none.
 * Without stdio's buffers: reading must not change what is read. */
static uint64_t read_proc(const char *path, const char *key) {
    char text[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return 0;
    text[size] = '\0';
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

/* Quick, and exact to some pages that the kernel counts per thread. */
static uint64_t rss_quick(void) {
    return read_proc("/proc/self/status", "\nVmRSS:");
}

/* Exact: the page tables are walked. */
static uint64_t rss_exact(void) {
    uint64_t rss = read_proc("/proc/self/smaps_rollup", "\nRss:");
    return rss ? rss : rss_quick();
}

static uint64_t rss_peak(void) {
    return read_proc("/proc/self/status", "\nVmHWM:");
}

static bool reset_peak(void) {
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool good = write(file, "5", 1) == 1;
    close(file);
    return good;
}

static void idle(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
}

static void look(void *context, uint64_t live_bytes) {
    memory_result *result = context;
    uint64_t rss = rss_quick();
    if (live_bytes > result->live_peak) result->live_peak = live_bytes;
    if (rss > result->peak_rss) result->peak_rss = rss;
    if (result->point_count < SERIES_MAX)
        result->series[result->point_count++] = (memory_point){live_bytes, rss};
}

static uint64_t step_operations(hy_candidate *candidate) {
    hy_demand demand;
    candidate->workload->demand(candidate->cell.params, &demand);
    if (demand.length) return demand.length / STEPS + 1;
    return demand.live_blocks > STEP_OPERATIONS_MIN ? demand.live_blocks : STEP_OPERATIONS_MIN;
}

/* What has an end and is known beforehand (a trace) says exactly how much was live at its peak, which lies
 * between two looks; 0 elsewhere. */
static uint64_t known_live_peak(hy_candidate *candidate) {
    hy_demand demand;
    candidate->workload->demand(candidate->cell.params, &demand);
    return demand.length ? demand.live_bytes : 0;
}

/* From the first request to the last, with a look after each step. */
static bool run_steps(hy_candidate *candidate, memory_result *result) {
    if (!hy_candidate_fill(candidate)) return false;
    uint64_t operations = step_operations(candidate);
    look(result, hy_candidate_live_bytes(candidate));
    for (int step = 0; step < STEPS; step++) {
        hy_candidate_epoch(candidate, operations);
        look(result, hy_candidate_live_bytes(candidate));
    }
    uint64_t marked = rss_peak();
    if (marked > result->peak_rss) result->peak_rss = marked;
    uint64_t known = known_live_peak(candidate);
    if (known > result->live_peak) result->live_peak = known;
    result->refused_count = hy_candidate_refused(candidate);
    return true;
}

static void watch_idle(hy_candidate *candidate, memory_result *result) {
    hy_candidate_free_all(candidate);
    result->rss_after_free = rss_exact();
    idle(100);
    result->rss_after_100ms = rss_exact();
    idle(900);
    result->rss_after_1s = rss_exact();
}

/* With one thread the workload itself reports its live bytes within fills and batches; with several, memory
 * is read after whole steps only. */
static bool measure(const memory_run *run, hy_thread_team *team) {
    hy_candidate *candidate = run->candidate;
    memory_result *result = run->result;
    hy_observer observer = {look, result};
    bool observed = run->cell.threads == 1;
    struct rusage before, after;
    hy_peer_version(candidate->row); /* loads a peer's library, which is not what is measured */
    if (!hy_candidate_begin(
            candidate, run->workload, &run->cell, run->seed, team, observed ? &observer : NULL))
        return false;
    result->start_rss = rss_exact();
    if (!reset_peak()) {
        candidate->error = "the kernel's peak of resident memory can't be reset (/proc/self/clear_refs)";
        return false;
    }
    getrusage(RUSAGE_SELF, &before);
    if (!run_steps(candidate, result)) return false;
    getrusage(RUSAGE_SELF, &after);
    result->minor_faults = after.ru_minflt - before.ru_minflt;
    result->major_faults = after.ru_majflt - before.ru_majflt;
    watch_idle(candidate, result);
    hy_candidate_end(candidate);
    if (result->refused_count) candidate->error = "it refused to allocate";
    return !candidate->error;
}

static void write_series(hy_json *json, const memory_result *result) {
    size_t stride = result->point_count / SERIES_PRINTED + 1;
    hy_json_begin(json, "series", '[');
    for (size_t i = 0; i < result->point_count; i += stride) {
        hy_json_begin(json, NULL, '[');
        hy_json_number(json, NULL, result->series[i].live_bytes);
        hy_json_number(json, NULL, result->series[i].rss_bytes);
        hy_json_end(json, ']');
    }
    hy_json_end(json, ']');
}

static void write_members(hy_json *json, const void *context) {
    const memory_run *run = context;
    const memory_result *result = run->result;
    hy_json_text(json, "kind", "memory");
    hy_record_cell(json, run->workload, &run->cell);
    hy_json_number(json, "process", run->process);
    hy_json_number(json, "seed", run->seed);
    hy_json_text(json, "row", run->candidate->label);
    hy_json_number(json, "start_rss", result->start_rss);
    hy_json_number(json, "peak_rss", result->peak_rss);
    hy_json_number(json, "live_peak", result->live_peak);
    hy_json_number(json, "rss_after_free", result->rss_after_free);
    hy_json_number(json, "rss_after_100ms", result->rss_after_100ms);
    hy_json_number(json, "rss_after_1s", result->rss_after_1s);
    hy_json_number(json, "minor_faults", (uint64_t)result->minor_faults);
    hy_json_number(json, "major_faults", (uint64_t)result->major_faults);
    write_series(json, result);
}

static bool read_options(int argc, char **argv, memory_options *options) {
    const hy_option table[] = {
        {.name = "row", .value = &options->cell.rows, .help = "the allocator"},
        {.name = "workload", .value = &options->cell.workload, .help = "the workload"},
        {.name = "params", .value = &options->cell.params, .help = "its parameters, as `list` prints them"},
        {.name = "threads", .value = &options->cell.threads, .help = "threads (1)"},
        {.name = "seed", .value = &options->cell.seed, .help = "of sizes and victims (1)"},
        {.name = "process", .value = &options->process, .help = "number of this process, for the record (0)"},
        {.name = "out",
            .value = &options->out,
            .help = "file that the line is appended to (standard output)"},
        {.name = "plugin", .add = hy_options_plugin, .help = "label=path: allocators from a shared library"},
        {.name = "preload", .add = hy_options_preload, .help = "name=path: a malloc library to run on"},
    };
    if (!hy_options_parse(command, argc, argv, table, sizeof table / sizeof table[0])) return false;
    if (!options->cell.rows) {
        fprintf(stderr, "heapyard-bench memory: --row is missing (heapyard-bench list)\n");
        return false;
    }
    return true;
}

static bool read_run(const memory_options *options, memory_run *run) {
    if (options->process &&
        !hy_options_number(command, "process", options->process, 0, UINT32_MAX, &run->process))
        return false;
    return hy_cell_options_read(command, &options->cell, &run->workload, &run->cell, &run->seed);
}

/* The result is a static table, so that no page of it appears in the middle of the measurement. */
static int measure_cell(memory_run *run, const char *path) {
    static memory_result result;
    memset(&result, 0xff, sizeof result);
    memset(&result, 0, sizeof result);
    run->result = &result;
    hy_thread_team *team = hy_thread_team_start(run->workload->owns_threads ? 1 : run->cell.threads);
    if (!team) return HY_EXIT_HARNESS;
    bool good = measure(run, team);
    hy_thread_team_stop(team);
    if (good) return hy_record_append(command, path, write_members, run);
    fprintf(stderr, "heapyard-bench memory: %s: %s\n", run->candidate->label, run->candidate->error);
    return HY_EXIT_HARNESS;
}

static int run(int argc, char **argv) {
    memory_options options = {0};
    memory_run run = {0};
    size_t count;
    if (!read_options(argc, argv, &options) || !read_run(&options, &run)) return HY_EXIT_USAGE;
    if (!hy_cell_options_candidates(
            command, options.cell.rows, run.workload, &run.cell, &run.candidate, &count))
        return HY_EXIT_USAGE;
    int status = measure_cell(&run, options.out);
    hy_cell_candidates_free(run.candidate, options.cell.rows);
    return status;
}

const hy_meter hy_memory_meter = {
    .name = "memory",
    .summary = "the memory of one allocator in one cell: one line of JSON",
    .run = run,
};
