/* run.c: workloads through Google Benchmark, printed by it: for people at a terminal.
 *
 * Every cell of every workload with every row that applies is registered; the library's own flags,
 * which come last, choose among them: --benchmark_filter=window/.*arena
 */
#include "bench/meters.h"
#include "bench/meters/cell_options.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <string.h>

static const char *const command = "run";

#define GROUPS_MAX 256

typedef struct registered {
    hy_cell_group groups[GROUPS_MAX];
    size_t count;
    uint32_t rounds;
} registered;

static bool register_cell(registered *all, const hy_workload *workload, const hy_cell *cell) {
    if (all->count == GROUPS_MAX) return false;
    hy_cell_group *group = &all->groups[all->count];
    group->plan = (hy_sample_plan){.workload = workload, .cell = *cell, .seed = 1, .rounds = all->rounds};
    if (!hy_cell_options_candidates(command, NULL, workload, cell, &group->candidates, &group->count))
        return false;
    group->samples = hy_alloc_zeroed(hy_libc(), hy_samples, group->count);
    if (!group->samples) return false;
    hy_group_register(group);
    all->count++;
    return true;
}

static bool register_all(registered *all) {
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < workloads[i]->cell_count; c++) {
            if (!register_cell(all, workloads[i], &workloads[i]->cells[c])) return false;
        }
    }
    return true;
}

static void release_all(registered *all) {
    for (size_t i = 0; i < all->count; i++) {
        hy_cell_group *group = &all->groups[i];
        if (group->sampled) hy_samples_free(group->samples, group->count, all->rounds);
        hy_free_n(hy_libc(), group->samples, group->count);
        hy_cell_candidates_free(group->candidates, NULL);
    }
}

/* Arguments before the first flag of the library are ours. */
static int own_arguments(int argc, char **argv) {
    int own = 1;
    while (own < argc && strncmp(argv[own], "--benchmark_", 12) != 0)
        own++;
    return own;
}

static int run_all(registered *all, int library_argc, char **library_argv) {
    if (!hy_benchmarks_initialize(library_argc, library_argv)) return HY_EXIT_USAGE;
    if (!register_all(all)) return HY_EXIT_HARNESS;
    return hy_benchmarks_run(false) > 0 ? HY_EXIT_GOOD : HY_EXIT_NOTHING;
}

static int run(int argc, char **argv) {
    const char *rounds_text = NULL;
    const hy_option table[] = {{.name = "rounds",
        .value = &rounds_text,
        .help = "rounds; each is two epochs of each allocator (60)"}};
    int own = own_arguments(argc, argv);
    uint64_t rounds = 60;
    if (!hy_options_parse(command, own, argv, table, 1)) return HY_EXIT_USAGE;
    if (rounds_text && !hy_options_number(command, "rounds", rounds_text, 1, 1000000, &rounds))
        return HY_EXIT_USAGE;
    registered *all = hy_create(hy_libc(), registered);
    if (!all) return HY_EXIT_HARNESS;
    memset(all, 0, sizeof *all);
    all->rounds = (uint32_t)rounds;
    argv[own - 1] = argv[0];
    int status = run_all(all, argc - own + 1, argv + own - 1);
    release_all(all);
    hy_destroy(hy_libc(), all);
    return status;
}

const hy_meter hy_run_meter = {
    .name = "run",
    .summary = "workloads through Google Benchmark, for people: takes its --benchmark_… flags",
    .run = run,
};
