/* memory.c: the memory of one allocator in one cell, measured in a process of its own.
 *
 *   tables touched │ run, a look after each step         │ all freed │ 0.1 s │ 1 s
 *   start_rss      │ peak_rss (VmHWM), series, live_peak │ at once   │ idle  │ idle
 *
 * Resident sizes are the process's, in bytes: whoever wants the allocator's takes start_rss off. The
 * peak is the kernel's own mark, reset at the start. Nothing is trimmed by hand: what an allocator
 * gives back by itself, at once or while the process idles, is what is asked here.
 */
#include "allocators/peers/peers.h"
#include "bench/commands.h"
#include "bench/json.h"
#include "bench/meters/cell_options.h"
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

typedef struct memory_options {
    hy_cell_options cell;
    const char *process, *out;
    uint64_t process_number;
} memory_options;

/* A number in KiB that stands after `key` in a small file of /proc, in bytes; 0 where there is none.
 * Without stdio's buffers: reading must not move what it tells. */
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

/* Batches are looked at from inside; with several threads only whole steps are. */
static bool measure(hy_candidate *candidate, const hy_workload *workload, const hy_cell *cell, uint64_t seed,
    hy_thread_team *team, memory_result *result) {
    hy_observer observer = {look, result};
    struct rusage before, after;
    hy_peer_version(candidate->row); /* loads a peer's library, which is not what is measured */
    if (!hy_candidate_begin(candidate, workload, cell, seed, team, cell->threads == 1 ? &observer : NULL))
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

static void print_series(FILE *out, const memory_result *result) {
    size_t stride = result->point_count / SERIES_PRINTED + 1;
    fputs(",\"series\":[", out);
    for (size_t i = 0; i < result->point_count; i += stride) {
        const memory_point *point = &result->series[i];
        fprintf(out, "%s[%llu,%llu]", i ? "," : "", (unsigned long long)point->live_bytes,
            (unsigned long long)point->rss_bytes);
    }
    fputs("]}\n", out);
}

static void print_result(
    FILE *out, const hy_candidate *candidate, uint64_t process, uint64_t seed, const memory_result *result) {
    fputc('{', out);
    hy_json_text(out, "kind", "memory", true);
    hy_json_text(out, "workload", candidate->workload->name, false);
    hy_json_text(out, "params", candidate->cell.params, false);
    hy_json_number(out, "threads", candidate->cell.threads);
    hy_json_number(out, "process", process);
    hy_json_number(out, "seed", seed);
    hy_json_text(out, "row", candidate->label, false);
    hy_json_number(out, "start_rss", result->start_rss);
    hy_json_number(out, "peak_rss", result->peak_rss);
    hy_json_number(out, "live_peak", result->live_peak);
    hy_json_number(out, "rss_after_free", result->rss_after_free);
    hy_json_number(out, "rss_after_100ms", result->rss_after_100ms);
    hy_json_number(out, "rss_after_1s", result->rss_after_1s);
    hy_json_number(out, "minor_faults", (uint64_t)result->minor_faults);
    hy_json_number(out, "major_faults", (uint64_t)result->major_faults);
    print_series(out, result);
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
    };
    if (!hy_options_parse(command, argc, argv, table, sizeof table / sizeof table[0])) return false;
    if (!options->cell.rows) {
        fprintf(stderr, "heapyard-bench memory: --row is missing (heapyard-bench list)\n");
        return false;
    }
    return !options->process ||
           hy_options_number(command, "process", options->process, 0, UINT32_MAX, &options->process_number);
}

static int write_result(const memory_options *options, const hy_candidate *candidate, uint64_t seed,
    const memory_result *result) {
    FILE *out = options->out ? fopen(options->out, "ae") : stdout;
    if (!out) {
        fprintf(stderr, "heapyard-bench memory: --out %s: %s\n", options->out, strerror(errno));
        return HY_EXIT_USAGE;
    }
    print_result(out, candidate, options->process_number, seed, result);
    bool written = fflush(out) == 0;
    if (options->out) written = fclose(out) == 0 && written;
    if (!written)
        fprintf(stderr, "heapyard-bench memory: the result could not be written: %s\n", strerror(errno));
    return written ? HY_EXIT_GOOD : HY_EXIT_HARNESS;
}

/* The result is a static table, so that no page of it appears in the middle of the measurement. */
static int measure_cell(const memory_options *options, hy_candidate *candidate, const hy_workload *workload,
    const hy_cell *cell, uint64_t seed) {
    static memory_result result;
    memset(&result, 0xff, sizeof result);
    memset(&result, 0, sizeof result);
    hy_thread_team *team = hy_thread_team_start(workload->owns_threads ? 1 : cell->threads);
    if (!team) return HY_EXIT_HARNESS;
    bool good = measure(candidate, workload, cell, seed, team, &result);
    hy_thread_team_stop(team);
    if (good) return write_result(options, candidate, seed, &result);
    fprintf(stderr, "heapyard-bench memory: %s: %s\n", candidate->label, candidate->error);
    return HY_EXIT_HARNESS;
}

int hy_command_memory(int argc, char **argv) {
    memory_options options = {0};
    const hy_workload *workload;
    hy_cell cell;
    uint64_t seed;
    hy_candidate *candidates;
    size_t count;
    if (!read_options(argc, argv, &options)) return HY_EXIT_USAGE;
    if (!hy_cell_options_read(command, &options.cell, &workload, &cell, &seed)) return HY_EXIT_USAGE;
    if (!hy_cell_options_candidates(command, options.cell.rows, workload, &cell, &candidates, &count))
        return HY_EXIT_USAGE;
    int status = measure_cell(&options, &candidates[0], workload, &cell, seed);
    hy_cell_candidates_free(candidates, options.cell.rows);
    return status;
}
