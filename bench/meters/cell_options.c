/* cell_options.c: the options by which every command names a cell and the allocators in it. */
#include "bench/meters/cell_options.h"
#include "allocators/peers/preloaded.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <string.h>

static const char *default_params(const hy_workload *workload) {
    return workload->cell_count ? workload->cells[0].params : "";
}

bool hy_cell_options_read(const char *command, const hy_cell_options *options, const hy_workload **workload,
    hy_cell *cell, uint64_t *seed) {
    *workload = hy_options_workload(command, options->workload);
    if (!*workload) return false;
    uint64_t threads = 1;
    *seed = 1;
    if (options->threads &&
        !hy_options_number(command, "threads", options->threads, 1, HY_THREADS_MAX, &threads))
        return false;
    if (options->seed && !hy_options_number(command, "seed", options->seed, 0, UINT64_MAX - 1, seed))
        return false;
    *cell = (hy_cell){.params = options->params ? options->params : default_params(*workload),
        .threads = (uint32_t)threads};
    hy_demand demand;
    if ((*workload)->demand(cell->params, &demand)) return true;
    const char *refusal = (*workload)->refusal ? (*workload)->refusal(cell->params) : NULL;
    if (refusal) {
        fprintf(stderr, "heapyard-bench %s: %s\n", command, refusal);
    } else {
        fprintf(stderr, "heapyard-bench %s: --params '%s' makes no sense to %s; for example '%s'\n", command,
            cell->params, (*workload)->name, default_params(*workload));
    }
    return false;
}

static bool add_named(const char *command, const char *label, const hy_workload *workload,
    const hy_cell *cell, hy_candidate *candidate) {
    if (!hy_candidate_name(candidate, command, label)) return false;
    if (hy_candidate_applies(candidate, workload, cell)) return true;
    fprintf(stderr, "heapyard-bench %s: %s does not apply to %s %s with %u thread(s) (heapyard-bench list)\n",
        command, label, workload->name, cell->params, cell->threads);
    return false;
}

static bool named_rows(const char *command, const char *rows, const hy_workload *workload,
    const hy_cell *cell, hy_candidate *candidates, size_t *count) {
    for (const char *at = rows; *at;) {
        size_t length = strcspn(at, ",");
        char label[2 * HY_LABEL_SIZE];
        snprintf(label, sizeof label, "%.*s", (int)length, at);
        if (!add_named(command, label, workload, cell, &candidates[*count])) return false;
        ++*count;
        at += length + (at[length] == ',');
    }
    return true;
}

/* The rows to take where none is named. */
static const hy_row *const *default_rows(size_t *count) {
    return hy_preloaded() ? hy_preloaded_rows(count) : hy_registry_rows(count);
}

static bool all_rows(
    const hy_workload *workload, const hy_cell *cell, hy_candidate *candidates, size_t *count) {
    size_t row_count;
    const hy_row *const *rows = default_rows(&row_count);
    for (size_t i = 0; i < row_count; i++) {
        hy_candidate candidate = {.row = rows[i]};
        if (!hy_candidate_applies(&candidate, workload, cell)) continue;
        snprintf(candidate.label, sizeof candidate.label, "%s", rows[i]->name);
        candidates[(*count)++] = candidate;
    }
    return true;
}

static size_t greatest_count(const char *rows) {
    size_t count = 1;
    if (!rows) default_rows(&count);
    for (const char *at = rows; at && *at; at++)
        count += *at == ',';
    return count;
}

void hy_cell_candidates_free(hy_candidate *candidates, const char *rows) {
    hy_free_n(hy_libc(), candidates, greatest_count(rows));
}

bool hy_cell_options_candidates(const char *command, const char *rows, const hy_workload *workload,
    const hy_cell *cell, hy_candidate **candidates, size_t *count) {
    *count = 0;
    *candidates = hy_alloc_zeroed(hy_libc(), hy_candidate, greatest_count(rows));
    if (!*candidates) return false;
    bool good = rows ? named_rows(command, rows, workload, cell, *candidates, count)
                     : all_rows(workload, cell, *candidates, count);
    if (good && *count == 0) {
        fprintf(stderr, "heapyard-bench %s: no allocator is named, or none applies (heapyard-bench list)\n",
            command);
    }
    if (good && *count > 0) return true;
    hy_cell_candidates_free(*candidates, rows);
    return false;
}
