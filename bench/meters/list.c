/* list.c: the allocators, workloads and cells of this build, for people and, as JSON, for scripts. */
#include "allocators/peers/peers.h"
#include "allocators/plugins.h"
#include "bench/commands.h"
#include "bench/json.h"
#include "bench/options.h"
#include "bench/sampler.h"
#include "bench/session.h"
#include <heapyard/os.h>
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

static const char *tier_name(hy_tier tier) {
    static const char *const names[] = {"smoke", "quick", "standard", "full"};
    return names[tier];
}

static void print_traits(FILE *out, const hy_row *row, const char *separator, const char *quote) {
    bool first = true;
    for (unsigned bit = 0; bit < HY_TRAIT_COUNT; bit++) {
        if (!(row->traits >> bit & 1)) continue;
        fprintf(out, "%s%s%s%s", first ? "" : separator, quote, hy_trait_name(bit), quote);
        first = false;
    }
}

/* A composition's layers from the top down; a row that is no composition is its only layer. */
static void print_stack(FILE *out, const hy_row *row) {
    const char *const only[] = {row->name, NULL};
    const char *const *layer = row->stack ? row->stack : only;
    for (size_t i = 0; layer[i]; i++) {
        if (i) fputc(',', out);
        hy_json_string(out, layer[i]);
    }
}

static void print_row_json(FILE *out, const hy_row *row) {
    fputc('{', out);
    hy_json_text(out, "name", row->name, true);
    hy_json_text(out, "group", hy_group_name(row->group), false);
    hy_json_text(out, "summary", row->summary, false);
    if (row->header) hy_json_text(out, "header", row->header, false);
    if (row->missing) hy_json_text(out, "missing", row->missing, false);
    const char *version = row->missing ? NULL : hy_peer_version(row);
    if (version) hy_json_text(out, "version", version, false);
    fprintf(out, ",\"greatest_align_log2\":%u", row->greatest_align.log2);
    fputs(",\"direct\":", out);
    fputs(row->direct ? "true" : "false", out);
    fputs(",\"traits\":[", out);
    print_traits(out, row, ",", "\"");
    fputs("],\"stack\":[", out);
    print_stack(out, row);
    fputs("]}", out);
}

/* The cell with what a planner needs: who runs it, and how long a candidate's epoch is. */
static void print_cell_json(FILE *out, const hy_workload *workload, const hy_cell *cell) {
    hy_demand demand;
    if (!workload->demand(cell->params, &demand)) demand = (hy_demand){0};
    uint64_t epoch_ns = hy_sample_epoch_ns(workload, cell, &demand);
    fputc('{', out);
    hy_json_text(out, "params", cell->params, true);
    hy_json_number(out, "threads", cell->threads);
    hy_json_text(out, "tier", tier_name(cell->tier), false);
    bool takes_stacks =
        workload->composition_params && strcmp(workload->composition_params, cell->params) == 0;
    fprintf(out, ",\"compositions\":%s", takes_stacks ? "true" : "false");
    hy_json_number(out, "live_bytes", cell->threads * demand.live_bytes);
    hy_json_number(out, "live_blocks", cell->threads * demand.live_blocks);
    hy_json_number(out, "epoch_ns", epoch_ns);
    hy_json_number(out, "warm_ns", hy_sample_warm_ns(workload, &demand, epoch_ns));
    fputs(",\"rows\":[", out);
    bool first = true;
    for (size_t i = 0; i < listed.count; i++) {
        if (!hy_workload_applies(workload, cell, listed.rows[i])) continue;
        if (!first) fputc(',', out);
        hy_json_string(out, listed.rows[i]->name);
        first = false;
    }
    fputs("]}", out);
}

static void print_workload_json(FILE *out, const hy_workload *workload) {
    fputc('{', out);
    hy_json_text(out, "name", workload->name, true);
    hy_json_text(out, "summary", workload->summary, false);
    hy_json_text(out, "operation", workload->operation, false);
    fputs(",\"cells\":[", out);
    for (size_t i = 0; i < workload->cell_count; i++) {
        if (i) fputc(',', out);
        print_cell_json(out, workload, &workload->cells[i]);
    }
    fputs("]}", out);
}

static void print_json(FILE *out) {
    size_t workload_count;
    const hy_workload *const *workloads = hy_workloads(&workload_count);
    fputc('{', out);
    hy_json_text(out, "build", hy_build_info(), true);
    fputs(",\"rows\":[", out);
    for (size_t i = 0; i < listed.count; i++) {
        if (i) fputc(',', out);
        print_row_json(out, listed.rows[i]);
    }
    fputs("],\"workloads\":[", out);
    for (size_t i = 0; i < workload_count; i++) {
        if (i) fputc(',', out);
        print_workload_json(out, workloads[i]);
    }
    fputs("]}\n", out);
}

static void print_row_text(FILE *out, const hy_row *row) {
    fprintf(out, "  %-22s %-12s ", row->name, hy_group_name(row->group));
    if (row->missing) {
        fprintf(out, "not in this build: %s\n", row->missing);
        return;
    }
    fprintf(out, "%s (", row->summary);
    print_traits(out, row, ", ", "");
    fputs(")\n", out);
}

static void print_text(FILE *out) {
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
            fprintf(out, "    %-40s threads %u  %s\n", cell->params, cell->threads, tier_name(cell->tier));
        }
    }
}

int hy_command_list(int argc, char **argv) {
    const char *json = NULL;
    const hy_option table[] = {
        {.name = "json", .value = &json, .is_flag = true, .help = "as JSON"},
        {.name = "plugin", .add = add_plugin, .help = "label=path: allocators from a shared library"},
    };
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    add_rows(rows, count);
    if (!hy_options_parse("list", argc, argv, table, sizeof table / sizeof table[0])) return HY_EXIT_USAGE;
    if (json) {
        print_json(stdout);
    } else {
        print_text(stdout);
    }
    return fflush(stdout) == 0 ? HY_EXIT_GOOD : HY_EXIT_HARNESS;
}
