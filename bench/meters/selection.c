/* selection.c: arguments to cells. */
#include "bench/meters/selection.h"
#include "allocators/plugins.h"
#include "bench/meters/record.h"
#include "bench/options.h"
#include <stdio.h>
#include <string.h>

typedef struct given {
    const char *tier, *operations, *epochs, *seed, *list;
} given;

bool hy_parse_tier(const char *command, const char *name, hy_tier *out) {
    const char *names[HY_TIER_COUNT];
    for (hy_tier tier = 0; tier < HY_TIER_COUNT; tier++) {
        names[tier] = hy_tier_name(tier);
        if (strcmp(names[tier], name) != 0) continue;
        *out = tier;
        return true;
    }
    fprintf(stderr, "heapyard-bench %s: --tier: no tier '%s': did you mean '%s'?\n", command, name,
        hy_nearest_name(name, names, HY_TIER_COUNT));
    return false;
}

static bool parse_number(const hy_selection *selection, const char *option, const char *text, uint64_t *out) {
    return !text || hy_options_number(selection->command, option, text, 1, UINT32_MAX, out);
}

bool hy_selection_parse(hy_selection *selection, int argc, char **argv) {
    given text = {NULL, NULL, NULL, NULL, NULL};
    const hy_option options[] = {
        {"plugin", NULL, false, hy_options_plugin, "LABEL=PATH: rows of this library, as row@label"},
        {"rows", &selection->rows, false, NULL, "A,B: only these (default: all of the plugins, or ours)"},
        {"workloads", &selection->workloads, false, NULL, "A,B: only these"},
        {"tier", &text.tier, false, NULL, "cells up to smoke, quick (default), standard or full"},
        {"operations", &text.operations, false, NULL, "in an epoch"},
        {"epochs", &text.epochs, false, NULL, "of each cell"},
        {"seed", &text.seed, false, NULL, "of the random sequences"},
        {"list", &text.list, true, NULL, "print the cells instead of running them"},
    };
    if (!hy_options_parse(selection->command, argc, argv, options, sizeof options / sizeof options[0])) {
        return false;
    }
    selection->list = text.list != NULL;
    return (!text.tier || hy_parse_tier(selection->command, text.tier, &selection->tier)) &&
           parse_number(selection, "operations", text.operations, &selection->operations) &&
           parse_number(selection, "epochs", text.epochs, &selection->epochs) &&
           parse_number(selection, "seed", text.seed, &selection->seed);
}

/* The next name of a list with commas, into `name`; NULL where it ends. */
static const char *next_name(const char *list, char *name, size_t name_size) {
    if (!list || !*list) return NULL;
    size_t length = strcspn(list, ",");
    snprintf(name, name_size, "%.*s", (int)length, list);
    return list[length] ? list + length + 1 : list + length;
}

static bool listed(const char *list, const char *name) {
    if (!list) return true;
    char one[128];
    while ((list = next_name(list, one, sizeof one))) {
        if (strcmp(one, name) == 0) return true;
    }
    return false;
}

/* A name that is listed and unknown is a usage error: a filter that fits nothing would make a run that
 * measures nothing and says so nowhere. */
static bool names_known(const hy_selection *selection) {
    char name[128];
    for (const char *list = selection->rows; (list = next_name(list, name, sizeof name));) {
        if (!hy_options_row(selection->command, name)) return false;
    }
    for (const char *list = selection->workloads; (list = next_name(list, name, sizeof name));) {
        if (!hy_options_workload(selection->command, name)) return false;
    }
    return true;
}

typedef struct visit {
    const hy_selection *selection;
    bool (*run)(void *context, const hy_subject *subject);
    void *context;
    bool failed; /* one of the calls */
} visit;

static void print_cell(const hy_subject *subject) {
    hy_json json = hy_subject_begin(subject, "cell");
    hy_json_text(&json, "group", hy_group_name(subject->row->group));
    hy_json_text(&json, "operation", subject->workload->operation);
    hy_subject_end(&json);
}

static void visit_cell(visit *visitor, const hy_subject *subject) {
    if (subject->workload->uncounted || subject->cell->threads != 1) return;
    if (subject->cell->tier > visitor->selection->tier) return;
    if (!hy_workload_applies(subject->workload, subject->cell, subject->row)) return;
    if (visitor->selection->list) {
        print_cell(subject);
    } else if (!visitor->run(visitor->context, subject)) {
        visitor->failed = true;
    }
}

static void visit_row(visit *visitor, const hy_row *row) {
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    if (!listed(visitor->selection->rows, row->name)) return;
    for (size_t i = 0; i < count; i++) {
        if (!listed(visitor->selection->workloads, workloads[i]->name)) continue;
        for (size_t j = 0; j < workloads[i]->cell_count; j++) {
            hy_subject subject = {row, workloads[i], &workloads[i]->cells[j]};
            visit_cell(visitor, &subject);
        }
    }
}

static void visit_rows(visit *visitor, const hy_row *const *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        visit_row(visitor, rows[i]);
}

int hy_selection_each(
    const hy_selection *selection, bool (*run)(void *context, const hy_subject *subject), void *context) {
    if (!names_known(selection)) return HY_EXIT_USAGE;
    visit visitor = {selection, run, context, false};
    size_t count;
    if (!hy_plugins_label(0)) {
        const hy_row *const *rows = hy_registry_rows(&count);
        visit_rows(&visitor, rows, count);
    }
    for (size_t i = 0; hy_plugins_label(i); i++) {
        const hy_row *const *rows = hy_plugins_rows(hy_plugins_label(i), &count);
        visit_rows(&visitor, rows, count);
    }
    return visitor.failed ? HY_EXIT_HARNESS : HY_EXIT_GOOD;
}

bool hy_subject_make(const hy_subject *subject, hy_allocator child, hy_instance *instance) {
    hy_demand demand;
    if (!subject->workload->demand(subject->cell->params, &demand)) return false;
    hy_config config = hy_workload_config(&demand, 1);
    config.child = child;
    return hy_instance_make(instance, subject->row, &config);
}

hy_json hy_subject_begin(const hy_subject *subject, const char *kind) {
    hy_json json = {.out = stdout};
    hy_json_begin(&json, NULL, '{');
    hy_json_text(&json, "kind", kind);
    hy_json_text(&json, "row", subject->row->name);
    hy_record_cell(&json, subject->workload, subject->cell);
    return json;
}

void hy_subject_end(hy_json *json) {
    hy_json_end(json, '}');
    hy_json_line_end(json);
}

void hy_subject_print_failed(const hy_subject *subject, const char *suite) {
    hy_json json = hy_subject_begin(subject, "failed");
    hy_json_text(&json, "suite", suite);
    hy_json_text(&json, "why", "the row or the workload refused to begin");
    hy_subject_end(&json);
}
