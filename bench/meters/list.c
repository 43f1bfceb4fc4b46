/* list.c: the allocators, workloads and cells of this build, for people and, as JSON, for scripts. */
#include "allocators/json.h"
#include "allocators/peers/peers.h"
#include "allocators/peers/preloaded.h"
#include "allocators/plugins.h"
#include "bench/meters.h"
#include "bench/options.h"
#include "bench/sampler.h"
#include "bench/session.h"
#include "bench/thread_team.h"
#include <heapyard/libc.h>
#include <heapyard/os.h>
#include <heapyard/typed.h>
#include <string.h>

#define ROWS_MAX 1024

/* The rows to list: those of this build, then those of every plugin given. */
static struct {
    const hy_row *rows[ROWS_MAX];
    size_t count;
} listed;

static void add_rows(const hy_row *const *rows, size_t count) {
    for (size_t i = 0; i < count && listed.count < ROWS_MAX; i++)
        listed.rows[listed.count++] = rows[i];
}

static bool add_plugin(const char *label_equals_path) {
    if (!hy_options_plugin(label_equals_path)) return false;
    char label[HY_LABEL_SIZE];
    snprintf(label, sizeof label, "%.*s", (int)strcspn(label_equals_path, "="), label_equals_path);
    size_t count;
    const hy_row *const *rows = hy_plugins_rows(label, &count);
    add_rows(rows, count);
    return true;
}

/* A library's own rows, and nothing else: they run what libc runs, as far as they align, and that is listed
 * by a process without the library. */
static bool add_preload(const char *name_equals_path) {
    if (!hy_options_preload(name_equals_path)) return false;
    size_t count;
    const hy_row *const *rows = hy_preloaded_rows(&count);
    listed.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (hy_preloaded_has(rows[i])) add_rows(&rows[i], 1);
    }
    return true;
}

#define TRACE_CELLS_MAX 64

/* The cells of traces that are given by their paths, beside those of the workload itself. */
static struct {
    hy_cell cells[TRACE_CELLS_MAX];
    size_t count;
} given_traces;

static bool add_trace_cell(const char *params, uint32_t threads) {
    if (given_traces.count == TRACE_CELLS_MAX) {
        fprintf(stderr, "heapyard-bench list: --trace: at most %d traces\n", TRACE_CELLS_MAX / 2);
        return false;
    }
    given_traces.cells[given_traces.count++] = (hy_cell){params, threads, HY_TIER_QUICK};
    return true;
}

static void report_refused_trace(const char *path, const char *params) {
    const char *why = hy_trace_workload.refusal(params);
    if (why) {
        fprintf(stderr, "heapyard-bench list: %s\n", why);
    } else {
        fprintf(stderr, "heapyard-bench list: --trace %s: give it as a path with a slash and no ';'\n", path);
    }
}

/* One cell for one thread, and one for as many as were recorded. The parameters live as long as the process,
 * as the path does. */
static bool add_trace(const char *path) {
    size_t size = sizeof "file=" + strlen(path);
    char *params = hy_alloc_n(hy_libc(), char, size);
    if (!params) return false;
    snprintf(params, size, "file=%s", path);
    hy_demand demand;
    if (!hy_trace_workload.demand(params, &demand)) {
        report_refused_trace(path, params);
        hy_free_n(hy_libc(), params, size);
        return false;
    }
    for (uint32_t threads = 1; threads <= HY_THREADS_MAX; threads++) {
        if (hy_trace_workload.threads_fit(params, threads) && !add_trace_cell(params, threads)) return false;
    }
    return true;
}

static void write_traits(hy_json *json, const hy_row *row) {
    hy_json_begin(json, "traits", '[');
    for (unsigned bit = 0; bit < HY_TRAIT_COUNT; bit++) {
        if (row->traits >> bit & 1) hy_json_text(json, NULL, hy_trait_name(bit));
    }
    hy_json_end(json, ']');
}

/* A composition's layers from the top down; a row that is no composition is its only layer. */
static void write_stack(hy_json *json, const hy_row *row) {
    const char *const only[] = {row->name, NULL};
    const char *const *layer = row->stack ? row->stack : only;
    hy_json_begin(json, "stack", '[');
    for (size_t i = 0; layer[i]; i++)
        hy_json_text(json, NULL, layer[i]);
    hy_json_end(json, ']');
}

static void write_library(hy_json *json, const hy_preloaded_library *library) {
    if (library->version) hy_json_text(json, "version", library->version);
    if (library->soname) hy_json_text(json, "soname", library->soname);
    hy_json_text(json, "library", library->path);
}

static void write_row(hy_json *json, const hy_row *row) {
    hy_json_begin(json, NULL, '{');
    hy_json_text(json, "name", row->name);
    hy_json_text(json, "group", hy_group_name(row->group));
    hy_json_text(json, "summary", row->summary);
    if (row->header) hy_json_text(json, "header", row->header);
    if (row->missing) hy_json_text(json, "missing", row->missing);
    const char *version = row->missing ? NULL : hy_peer_version(row);
    if (version) hy_json_text(json, "version", version);
    if (hy_preloaded_has(row)) write_library(json, hy_preloaded());
    hy_json_number(json, "greatest_align_log2", row->greatest_align.log2);
    hy_json_bool(json, "direct", row->direct);
    write_traits(json, row);
    write_stack(json, row);
    hy_json_end(json, '}');
}

/* The cell with what a planner needs: the rows that run it, and how long a candidate's epoch is. */
static void write_cell(hy_json *json, const hy_workload *workload, const hy_cell *cell, bool takes_stacks) {
    hy_demand demand;
    if (!workload->demand(cell->params, &demand)) demand = (hy_demand){0};
    uint64_t epoch_ns = hy_sample_epoch_ns(workload, cell, &demand);
    hy_json_begin(json, NULL, '{');
    hy_json_text(json, "params", cell->params);
    hy_json_number(json, "threads", cell->threads);
    hy_json_text(json, "tier", hy_tier_name(cell->tier));
    hy_json_bool(json, "compositions", takes_stacks);
    hy_json_number(json, "greatest_align_log2", demand.greatest_align.log2);
    hy_json_bool(json, "decorators", !workload->layers_elsewhere);
    hy_json_number(json, "live_bytes", cell->threads * demand.live_bytes);
    hy_json_number(json, "live_blocks", cell->threads * demand.live_blocks);
    hy_json_number(json, "epoch_ns", epoch_ns);
    hy_json_number(json, "warm_ns", hy_sample_warm_ns(workload, &demand, epoch_ns));
    hy_json_begin(json, "rows", '[');
    for (size_t i = 0; i < listed.count; i++) {
        if (hy_workload_applies(workload, cell, listed.rows[i]))
            hy_json_text(json, NULL, listed.rows[i]->name);
    }
    hy_json_end(json, ']');
    hy_json_end(json, '}');
}

static bool takes_stacks(const hy_workload *workload, const hy_cell *cell) {
    return workload->composition_params && strcmp(workload->composition_params, cell->params) == 0;
}

static void write_workload(hy_json *json, const hy_workload *workload) {
    hy_json_begin(json, NULL, '{');
    hy_json_text(json, "name", workload->name);
    hy_json_text(json, "summary", workload->summary);
    hy_json_text(json, "operation", workload->operation);
    hy_json_bool(json, "counted", !workload->uncounted);
    hy_json_begin(json, "cells", '[');
    for (size_t i = 0; i < workload->cell_count; i++)
        write_cell(json, workload, &workload->cells[i], takes_stacks(workload, &workload->cells[i]));
    for (size_t i = 0; workload == &hy_trace_workload && i < given_traces.count; i++)
        write_cell(json, workload, &given_traces.cells[i], false);
    hy_json_end(json, ']');
    hy_json_end(json, '}');
}

static bool print_json(FILE *out) {
    size_t workload_count;
    const hy_workload *const *workloads = hy_workloads(&workload_count);
    hy_json json = {.out = out};
    hy_json_begin(&json, NULL, '{');
    hy_json_text(&json, "build", hy_build_info());
    hy_json_begin(&json, "rows", '[');
    for (size_t i = 0; i < listed.count; i++)
        write_row(&json, listed.rows[i]);
    hy_json_end(&json, ']');
    hy_json_begin(&json, "workloads", '[');
    for (size_t i = 0; i < workload_count && !hy_preloaded(); i++)
        write_workload(&json, workloads[i]);
    hy_json_end(&json, ']');
    hy_json_end(&json, '}');
    return hy_json_line_end(&json);
}

static void print_traits(FILE *out, const hy_row *row) {
    const char *separator = "";
    for (unsigned bit = 0; bit < HY_TRAIT_COUNT; bit++) {
        if (!(row->traits >> bit & 1)) continue;
        fprintf(out, "%s%s", separator, hy_trait_name(bit));
        separator = ", ";
    }
}

static void print_row_text(FILE *out, const hy_row *row) {
    fprintf(out, "  %-22s %-12s ", row->name, hy_group_name(row->group));
    if (row->missing) {
        fprintf(out, "not in this build: %s\n", row->missing);
        return;
    }
    fprintf(out, "%s (", row->summary);
    print_traits(out, row);
    fputs(")\n", out);
}

static bool print_text(FILE *out) {
    size_t workload_count;
    const hy_workload *const *workloads = hy_workloads(&workload_count);
    fprintf(out, "%s\nallocators:\n", hy_build_info());
    for (size_t i = 0; i < listed.count; i++)
        print_row_text(out, listed.rows[i]);
    fprintf(out, "workloads:\n");
    for (size_t i = 0; i < workload_count; i++) {
        fprintf(out, "  %s: %s\n", workloads[i]->name, workloads[i]->summary);
        for (size_t c = 0; c < workloads[i]->cell_count; c++) {
            const hy_cell *cell = &workloads[i]->cells[c];
            fprintf(out, "    %-40s threads %u  %s\n", cell->params, cell->threads, hy_tier_name(cell->tier));
        }
    }
    return fflush(out) == 0;
}

static int run(int argc, char **argv) {
    const char *json = NULL;
    const hy_option table[] = {
        {.name = "json", .value = &json, .is_flag = true, .help = "as JSON"},
        {.name = "plugin", .add = add_plugin, .help = "label=path: allocators from a shared library"},
        {.name = "preload", .add = add_preload, .help = "name=path: a malloc library's rows alone"},
        {.name = "trace", .add = add_trace, .help = "path: the cells of a recorded program"},
    };
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    add_rows(rows, count);
    if (!hy_options_parse("list", argc, argv, table, sizeof table / sizeof table[0])) return HY_EXIT_USAGE;
    bool written = json ? print_json(stdout) : print_text(stdout);
    return written ? HY_EXIT_GOOD : HY_EXIT_HARNESS;
}

const hy_meter hy_list_meter = {
    .name = "list",
    .summary = "the allocators, workloads and cells of this build",
    .run = run,
};
