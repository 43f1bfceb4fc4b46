/* verify.c: whether what an allocator gives can be believed: one cell with every block held against all
 * others.
 *
 *   workload ─▶ mutex ─▶ index of live blocks ─▶ the allocator
 *
 * The workload is filled, runs the operations of its checksum and is emptied, over a layer that knows every
 * live block: one that is not aligned as asked, that shares a byte with another, or whose ends do not survive
 * a change of size ends the process with one line. Nothing is timed. Scripts ask this before they measure a
 * library about which nothing is known.
 */
#include "bench/meters.h"
#include "bench/meters/cell_options.h"
#include "bench/meters/record.h"
#include <heapyard/arena.h>
#include <heapyard/page.h>
#include <heapyard/thread_safe.h>
#include <heapyard/validating.h>
#include <string.h>
#include <unistd.h>

static const char *const command = "verify";

/* An instance of the row that is judged, under the layers that judge it. The index has pages of its own,
 * which no library damages. */
typedef struct judged {
    hy_instance instance;
    hy_arena index_memory;
    hy_validating_indexed validating;
    hy_thread_safe shared;
} judged;

static struct {
    const hy_row *row; /* that is judged */
    judged judged;
} state;

/* "its alloc" for "the child's alloc": the child is the row that is named before it. */
static const char *own_call(const char *function, const char **owner) {
    static const char child[] = "the child's ";
    bool own = strncmp(function, child, sizeof child - 1) == 0;
    *owner = own ? "its " : "";
    return own ? function + sizeof child - 1 : function;
}

/* The first fault ends it: what follows from memory that two blocks share is anybody's guess. */
static void report(void *context, const hy_validating_report *found) {
    (void)context;
    char block[96] = "";
    const char *owner, *function = own_call(found->function, &owner);
    if (found->block.address) {
        snprintf(block, sizeof block, " (live: %zu bytes at %#jx)", found->block.size,
            (uintmax_t)found->block.address);
    }
    fprintf(stderr, "heapyard-bench verify: %s: %s%s gave %#jx, which must be %s%s\n", state.row->name, owner,
        function, found->value, found->rule, block);
    _exit(HY_EXIT_HARNESS);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    judged *j = &state.judged;
    if (!hy_instance_make(&j->instance, state.row, config)) return NULL;
    j->index_memory = (hy_arena)HY_ARENA_INIT(hy_page());
    hy_validating_options options = {.report = report, .index_memory = hy_arena_allocator(&j->index_memory)};
    hy_validating_indexed_init(&j->validating, j->instance.allocator, &options);
    if (hy_thread_safe_init(&j->shared, hy_validating_indexed_allocator(&j->validating)) != HY_OK)
        return NULL;
    *out = hy_thread_safe_allocator(&j->shared);
    return j;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    judged *j = instance;
    hy_thread_safe_deinit(&j->shared);
    hy_validating_indexed_deinit(&j->validating);
    hy_arena_deinit(&j->index_memory);
    hy_instance_destroy(&j->instance);
}

typedef struct verify_run {
    const hy_workload *workload;
    hy_cell cell;
    uint64_t seed;
    hy_candidate *candidate;
    uint64_t checksum;
} verify_run;

static bool read_options(int argc, char **argv, hy_cell_options *options) {
    const hy_option table[] = {
        {.name = "row", .value = &options->rows, .help = "the allocator"},
        {.name = "workload", .value = &options->workload, .help = "the workload"},
        {.name = "params", .value = &options->params, .help = "its parameters, as `list` prints them"},
        {.name = "threads", .value = &options->threads, .help = "threads (1)"},
        {.name = "seed", .value = &options->seed, .help = "of sizes and victims (1)"},
        {.name = "plugin", .add = hy_options_plugin, .help = "label=path: allocators from a shared library"},
        {.name = "preload", .add = hy_options_preload, .help = "name=path: a malloc library to run on"},
    };
    if (!hy_options_parse(command, argc, argv, table, sizeof table / sizeof table[0])) return false;
    if (options->rows) return true;
    fprintf(stderr, "heapyard-bench verify: --row is missing (heapyard-bench list)\n");
    return false;
}

/* The row with its instances made under the judge; what else it offers goes past that. */
static hy_row under_judge(const hy_row *row) {
    hy_row copy = *row;
    copy.make = make;
    copy.destroy = destroy;
    copy.reset = NULL;
    copy.owns = NULL;
    copy.check = NULL;
    copy.stats = NULL;
    copy.default_child = NULL;
    copy.direct = NULL;
    copy.traits &= ~(hy_traits)HY_TRAIT_BULK_RESET;
    return copy;
}

/* Floors hand out one block again and again, and a row that only gives up all at once is not freed here. */
static bool can_be_judged(const hy_row *row) {
    hy_traits needed = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE;
    if ((row->traits & needed) == needed && !(row->traits & HY_TRAIT_FLOOR)) return true;
    fprintf(stderr, "heapyard-bench verify: %s does not free any block, or is a floor: choose another row\n",
        row->name);
    return false;
}

static bool verify_on(verify_run *run, hy_thread_team *team) {
    hy_candidate *candidate = run->candidate;
    if (!hy_candidate_begin(candidate, run->workload, &run->cell, run->seed, team, NULL) ||
        !hy_candidate_fill(candidate))
        return false;
    run->checksum = hy_candidate_checksum(candidate);
    if (hy_candidate_refused(candidate)) candidate->error = "it refused to allocate";
    hy_candidate_free_all(candidate);
    hy_candidate_end(candidate);
    return !candidate->error;
}

static void write_members(hy_json *json, const void *context) {
    const verify_run *run = context;
    hy_json_text(json, "kind", "verified");
    hy_record_cell(json, run->workload, &run->cell);
    hy_json_text(json, "row", run->candidate->label);
    hy_json_checksum(json, "checksum", run->checksum);
}

static int verify(verify_run *run) {
    hy_row row = under_judge(run->candidate->row);
    state.row = run->candidate->row;
    run->candidate->row = &row;
    run->candidate->direct = false;
    hy_thread_team *team = hy_thread_team_start(run->workload->owns_threads ? 1 : run->cell.threads);
    if (!team) return HY_EXIT_HARNESS;
    bool good = verify_on(run, team);
    hy_thread_team_stop(team);
    if (good) return hy_record_append(command, NULL, write_members, run);
    fprintf(stderr, "heapyard-bench verify: %s: %s\n", run->candidate->label, run->candidate->error);
    return HY_EXIT_HARNESS;
}

static int run(int argc, char **argv) {
    hy_cell_options options = {0};
    verify_run run = {0};
    size_t count;
    if (!read_options(argc, argv, &options) ||
        !hy_cell_options_read(command, &options, &run.workload, &run.cell, &run.seed) ||
        !hy_cell_options_candidates(command, options.rows, run.workload, &run.cell, &run.candidate, &count))
        return HY_EXIT_USAGE;
    int status = can_be_judged(run.candidate->row) ? verify(&run) : HY_EXIT_USAGE;
    hy_cell_candidates_free(run.candidate, options.rows);
    return status;
}

const hy_meter hy_verify_meter = {
    .name = "verify",
    .summary = "whether an allocator's blocks overlap or are misaligned in one cell: one line of JSON",
    .run = run,
};
