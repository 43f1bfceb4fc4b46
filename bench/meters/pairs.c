/* pairs.c: the same rows of two plugins, epoch against epoch, for the gate.
 *
 *   heapyard-bench pairs --plugin base=A.so --plugin head=B.so [--plugin again=C.so] …
 *
 * The first plugin is what the second is compared with; a third is a control that is measured with
 * them where --control says so. Every row that two plugins share is sampled by itself, its candidates
 * interleaved, under every cell that applies to it; a process measures one cell after the other and
 * prints a line for each as it is done. The lines carry their own evidence: which file each number
 * comes from, and in which order the epochs ran.
 *
 * Cells are numbered in the order of --list, and --only names the numbers to run, so that a process
 * can leave out the cell at which another one crashed.
 */
#include "allocators/plugins.h"
#include "bench/meters.h"
#include "bench/meters/record.h"
#include "bench/meters/selection.h"
#include "bench/options.h"
#include "bench/sampler.h"

#include <dlfcn.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDES_MAX 3
#define ROUNDS_MIN 8
#define ROUNDS_MAX 60
/* Two epochs of each candidate in a round, each with its warm-up. */
#define EPOCHS_A_ROUND 2.5

typedef struct pairs {
    const char *only;    /* numbers with commas between; NULL: all */
    const char *control; /* numbers of those that the third plugin runs too */
    hy_tier tier;
    uint64_t seed;
    uint64_t budget_ns; /* what each candidate may take in a cell */
    bool list;
    unsigned number; /* of the next cell */
    int failed_count;
} pairs;

/* Whether the list of numbers has this one. */
static bool has_number(const char *list, unsigned number) {
    while (list && *list) {
        char *end;
        if (strtoul(list, &end, 10) == number && end != list) return true;
        list = *end ? end + 1 : end;
    }
    return false;
}

/* A row's name without its label. */
static size_t bare_length(const char *name) {
    return strcspn(name, "@");
}

/* The row of that bare name in the plugin of that index; NULL where there is none. */
static const hy_row *side_row(size_t side, const char *name) {
    char full[HY_LABEL_SIZE];
    const char *label = hy_plugins_label(side);
    if (!label) return NULL;
    int length = snprintf(full, sizeof full, "%.*s@%s", (int)bare_length(name), name, label);
    return length < (int)sizeof full ? hy_plugins_find(full) : NULL;
}

/* Begins a cell's line: {"kind":"…","number":…,"row":…. */
static hy_json begin_line(const pairs *self, const char *kind, const char *row_name) {
    char bare[HY_LABEL_SIZE];
    snprintf(bare, sizeof bare, "%.*s", (int)bare_length(row_name), row_name);
    hy_json json = {.out = stdout};
    hy_json_begin(&json, NULL, '{');
    hy_json_text(&json, "kind", kind);
    hy_json_number(&json, "number", self->number);
    hy_json_text(&json, "row", bare);
    return json;
}

static void end_line(hy_json *json) {
    hy_json_end(json, '}');
    hy_json_line_end(json);
}

static void print_cell(
    const pairs *self, const hy_row *row, const hy_workload *workload, const hy_cell *cell) {
    hy_json json = begin_line(self, "pair", row->name);
    hy_json_text(&json, "group", hy_group_name(row->group));
    hy_record_cell(&json, workload, cell);
    hy_json_bool(&json, "counted", !workload->uncounted);
    for (size_t side = 0; side < 2; side++) {
        const hy_row *other = side_row(side, row->name);
        hy_json_bool(&json, hy_plugins_label(side), other && hy_workload_applies(workload, cell, other));
    }
    hy_demand demand;
    if (workload->demand(cell->params, &demand)) {
        hy_json_number(&json, "live_bytes", cell->threads * demand.live_bytes);
    }
    end_line(&json);
}

static void write_samples(
    hy_json *json, const hy_candidate *candidate, const hy_samples *samples, uint32_t rounds) {
    Dl_info where;
    void *make;
    memcpy(&make, &candidate->row->make, sizeof make);
    hy_json_begin(json, strchr(candidate->label, '@') + 1, '{');
    hy_json_text(json, "file", dladdr(make, &where) ? where.dli_fname : "");
    hy_json_number(json, "operations", samples->operations);
    hy_json_checksum(json, "checksum", samples->checksum);
    hy_json_begin(json, "ns_per_op", '[');
    for (uint32_t i = 0; i < rounds; i++)
        hy_json_real(json, NULL, samples->ns_per_op[i], 6);
    hy_json_end(json, ']');
    hy_json_end(json, '}');
}

/* One line: the samples, or why there are none. */
static bool print_result(const pairs *self, const hy_sample_plan *plan, const hy_candidate *candidates,
    const hy_samples *samples, size_t count, uint64_t elapsed_ns) {
    const char *error = NULL;
    for (size_t i = 0; i < count; i++)
        error = samples[i].error ? samples[i].error : error;
    hy_json json = begin_line(self, error ? "failed" : "pairs", candidates[0].label);
    hy_record_cell(&json, plan->workload, &plan->cell);
    if (error) {
        hy_json_text(&json, "why", error);
    } else {
        hy_json_number(&json, "elapsed_ns", elapsed_ns);
        hy_json_text(&json, "order", plan->order);
        hy_json_begin(&json, "rows", '{');
        for (size_t i = 0; i < count; i++)
            write_samples(&json, &candidates[i], &samples[i], plan->rounds);
        hy_json_end(&json, '}');
    }
    end_line(&json);
    return !error;
}

static bool sample_cell(
    const pairs *self, const hy_workload *workload, const hy_cell *cell, const char *name) {
    hy_demand demand;
    if (!workload->demand(cell->params, &demand)) return false;
    size_t count = has_number(self->control, self->number) && hy_plugins_label(2) ? 3 : 2;
    hy_candidate candidates[SIDES_MAX];
    for (size_t side = 0; side < count; side++) {
        const hy_row *row = side_row(side, name);
        if (!row || !hy_candidate_name(&candidates[side], "pairs", row->name)) return false;
    }
    double epoch_ns = (double)hy_sample_epoch_ns(workload, cell, &demand);
    double rounds = (double)self->budget_ns / (EPOCHS_A_ROUND * epoch_ns);
    hy_sample_plan plan = {
        .workload = workload, .cell = *cell, .seed = self->seed + self->number, .same_operations = true};
    plan.rounds = rounds < ROUNDS_MIN ? ROUNDS_MIN : rounds > ROUNDS_MAX ? ROUNDS_MAX : (uint32_t)rounds;
    char order[2 * SIDES_MAX * ROUNDS_MAX + 1];
    plan.order = order;
    hy_samples samples[SIDES_MAX];
    uint64_t started_ns = hy_clock_ns();
    bool good = hy_sample(&plan, candidates, samples, count);
    if (good) {
        good = print_result(self, &plan, candidates, samples, count, hy_clock_ns() - started_ns);
        hy_samples_free(samples, count, plan.rounds);
    }
    return good;
}

static void visit_cell(pairs *self, const hy_row *row, const hy_workload *workload, const hy_cell *cell) {
    bool shared = true;
    for (size_t side = 0; side < 2; side++) {
        const hy_row *other = side_row(side, row->name);
        shared = shared && other && hy_workload_applies(workload, cell, other);
    }
    if (self->list) {
        print_cell(self, row, workload, cell);
    } else if (shared && (!self->only || has_number(self->only, self->number))) {
        if (!sample_cell(self, workload, cell, row->name)) self->failed_count++;
    }
    self->number++;
}

static void visit_row(pairs *self, const hy_row *row) {
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < workloads[i]->cell_count; j++) {
            const hy_cell *cell = &workloads[i]->cells[j];
            if (cell->tier > self->tier) continue;
            const hy_row *base = side_row(0, row->name), *head = side_row(1, row->name);
            bool applies = (base && hy_workload_applies(workloads[i], cell, base)) ||
                           (head && hy_workload_applies(workloads[i], cell, head));
            if (applies) visit_cell(self, row, workloads[i], cell);
        }
    }
}

/* The first plugin's rows, then those that only the second has. */
static void visit_rows(pairs *self) {
    for (size_t side = 0; side < 2; side++) {
        size_t count;
        const hy_row *const *rows = hy_plugins_rows(hy_plugins_label(side), &count);
        for (size_t i = 0; i < count; i++) {
            if (side == 0 || !side_row(0, rows[i]->name)) visit_row(self, rows[i]);
        }
    }
}

static bool parse(pairs *self, int argc, char **argv) {
    const char *tier = NULL, *seed = NULL, *budget = NULL, *list = NULL;
    const hy_option options[] = {
        {"plugin", NULL, false, hy_options_plugin,
            "LABEL=PATH: base, head, and perhaps a control, in this order"},
        {"tier", &tier, false, NULL, "cells up to smoke, quick (default), standard or full"},
        {"only", &self->only, false, NULL, "N,M: only the cells of these numbers"},
        {"control", &self->control, false, NULL, "N,M: the cells that the third plugin runs too"},
        {"microseconds", &budget, false, NULL, "what each candidate may take in a cell (default 10000)"},
        {"seed", &seed, false, NULL, "of the order and the random sequences"},
        {"list", &list, true, NULL, "print the cells and their numbers instead of running them"},
    };
    if (!hy_options_parse("pairs", argc, argv, options, sizeof options / sizeof options[0])) return false;
    if (!hy_plugins_label(1)) {
        fprintf(stderr, "heapyard-bench pairs: give two plugins: --plugin base=PATH --plugin head=PATH\n");
        return false;
    }
    self->list = list != NULL;
    uint64_t microseconds = 10000;
    if (budget && !hy_options_number("pairs", "microseconds", budget, 1, 60000000, &microseconds))
        return false;
    self->budget_ns = microseconds * 1000;
    if (seed && !hy_options_number("pairs", "seed", seed, 0, UINT64_MAX, &self->seed)) return false;
    return !tier || hy_parse_tier("pairs", tier, &self->tier);
}

static int run(int argc, char **argv) {
    pairs self = {.tier = HY_TIER_QUICK, .seed = 1};
    if (!parse(&self, argc, argv)) return HY_EXIT_USAGE;
    visit_rows(&self);
    return self.failed_count ? HY_EXIT_HARNESS : HY_EXIT_GOOD;
}

const hy_meter hy_pairs_meter = {
    .name = "pairs",
    .summary = "the rows of two plugins, epoch against epoch: one line of JSON a cell",
    .run = run,
};
