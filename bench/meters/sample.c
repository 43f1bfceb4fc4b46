/* sample.c: the time of one cell's allocators, interleaved in this process, as one line of JSON.
 *
 * --where names a file that holds, at every moment, the name of the allocator that runs: after a crash or a
 * hang it says which one caused it.
 */
#include "bench/meters.h"
#include "bench/meters/cell_options.h"
#include "bench/meters/record.h"
#include <errno.h>
#include <fcntl.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const command = "sample";

typedef struct sample_options {
    hy_cell_options cell;
    const char *rounds, *epoch_ns, *process, *out, *where;
} sample_options;

static bool read_options(int argc, char **argv, sample_options *options) {
    const hy_option table[] = {
        {.name = "rows", .value = &options->cell.rows, .help = "allocators, commas between; all that apply"},
        {.name = "workload", .value = &options->cell.workload, .help = "the workload"},
        {.name = "params", .value = &options->cell.params, .help = "its parameters, as `list` prints them"},
        {.name = "threads", .value = &options->cell.threads, .help = "threads (1)"},
        {.name = "seed", .value = &options->cell.seed, .help = "of sizes, victims and order (1)"},
        {.name = "rounds",
            .value = &options->rounds,
            .help = "rounds; each is two epochs of each allocator (60)"},
        {.name = "epoch-ns", .value = &options->epoch_ns, .help = "an epoch's time in ns (by the cell)"},
        {.name = "process", .value = &options->process, .help = "number of this process, for the record (0)"},
        {.name = "out",
            .value = &options->out,
            .help = "file that the line is appended to (standard output)"},
        {.name = "where",
            .value = &options->where,
            .help = "file that holds the name of the allocator that runs"},
        {.name = "plugin", .add = hy_options_plugin, .help = "label=path: allocators from a shared library"},
        {.name = "preload", .add = hy_options_preload, .help = "name=path: a malloc library to run on"},
    };
    return hy_options_parse(command, argc, argv, table, sizeof table / sizeof table[0]);
}

/* A page of the file, shared, so that what is written survives the process. */
static char *map_where(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return NULL;
    void *page = ftruncate(file, HY_LABEL_SIZE) == 0
                     ? mmap(NULL, HY_LABEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                     : MAP_FAILED;
    close(file);
    return page == MAP_FAILED ? NULL : page;
}

static bool read_plan(const sample_options *options, hy_cell_group *group, uint64_t *process) {
    hy_sample_plan *plan = &group->plan;
    uint64_t rounds = 60;
    *process = 0;
    if (!hy_cell_options_read(command, &options->cell, &plan->workload, &plan->cell, &plan->seed))
        return false;
    if (options->rounds && !hy_options_number(command, "rounds", options->rounds, 1, 1000000, &rounds))
        return false;
    if (options->epoch_ns &&
        !hy_options_number(command, "epoch-ns", options->epoch_ns, 1000, 10000000000u, &plan->epoch_ns))
        return false;
    if (options->process && !hy_options_number(command, "process", options->process, 0, UINT32_MAX, process))
        return false;
    plan->rounds = (uint32_t)rounds;
    return hy_cell_options_candidates(
        command, options->cell.rows, plan->workload, &plan->cell, &group->candidates, &group->count);
}

/* What the line is about. */
typedef struct sample_record {
    const hy_cell_group *group;
    uint64_t process;
} sample_record;

static void write_row(hy_json *json, const hy_cell_group *group, size_t index) {
    const hy_samples *samples = &group->samples[index];
    hy_json_begin(json, group->candidates[index].label, '{');
    if (samples->error) {
        hy_json_text(json, "error", samples->error);
        hy_json_number(json, "refused", samples->refused_count);
    } else {
        hy_json_begin(json, "ns_per_op", '[');
        for (uint32_t round = 0; round < group->plan.rounds; round++)
            hy_json_real(json, NULL, samples->ns_per_op[round], 7);
        hy_json_end(json, ']');
        hy_json_checksum(json, "checksum", samples->checksum);
    }
    hy_json_end(json, '}');
}

static void write_members(hy_json *json, const void *context) {
    const sample_record *record = context;
    const hy_cell_group *group = record->group;
    hy_json_text(json, "kind", "samples");
    hy_json_text(json, "suite", "throughput");
    hy_record_cell(json, group->plan.workload, &group->plan.cell);
    hy_json_number(json, "process", record->process);
    hy_json_number(json, "seed", group->plan.seed);
    hy_json_begin(json, "epoch_operations", '{');
    for (size_t i = 0; i < group->count; i++)
        hy_json_number(json, group->candidates[i].label, group->samples[i].operations);
    hy_json_end(json, '}');
    hy_json_begin(json, "rows", '{');
    for (size_t i = 0; i < group->count; i++)
        write_row(json, group, i);
    hy_json_end(json, '}');
}

static int measure(hy_cell_group *group, const sample_options *options, uint64_t process) {
    if (options->where && !(group->plan.where = map_where(options->where))) {
        fprintf(stderr, "heapyard-bench sample: --where %s: %s\n", options->where, strerror(errno));
        return HY_EXIT_USAGE;
    }
    group->samples = hy_alloc_zeroed(hy_libc(), hy_samples, group->count);
    if (!group->samples) return HY_EXIT_HARNESS;
    hy_group_register(group);
    size_t ran = hy_benchmarks_run(true);
    sample_record record = {group, process};
    int status = group->failed || !group->sampled ? HY_EXIT_HARNESS
                 : ran == 0                       ? HY_EXIT_NOTHING
                            : hy_record_append(command, options->out, write_members, &record);
    hy_samples_free(group->samples, group->count, group->plan.rounds);
    hy_free_n(hy_libc(), group->samples, group->count);
    return status;
}

static int run(int argc, char **argv) {
    sample_options options = {0};
    hy_cell_group group = {0};
    uint64_t process;
    if (!read_options(argc, argv, &options) || !read_plan(&options, &group, &process)) return HY_EXIT_USAGE;
    int status = measure(&group, &options, process);
    hy_cell_candidates_free(group.candidates, options.cell.rows);
    return status;
}

const hy_meter hy_sample_meter = {
    .name = "sample",
    .summary = "the time of one cell's allocators, interleaved: raw samples as one line of JSON",
    .run = run,
};
