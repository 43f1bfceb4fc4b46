/* cell_options.h: the options by which every command names a cell and the allocators in it. */
#ifndef HEAPYARD_CELL_OPTIONS_H
#define HEAPYARD_CELL_OPTIONS_H

#include "bench/benchmarks.h"
#include "bench/options.h"
#include <stdio.h>

typedef struct hy_cell_options {
    const char *rows; /* labels with commas between */
    const char *workload;
    const char *params; /* NULL: the workload's first cell */
    const char *threads;
    const char *seed;
} hy_cell_options;

/* The cell that the options name. False: printed as a usage error. */
bool hy_cell_options_read(const char *command, const hy_cell_options *options, const hy_workload **workload,
    hy_cell *cell, uint64_t *seed);

/* The candidates named in `rows`, all of which must apply to the cell; where rows is NULL, every row
 * that applies. *candidates goes back by hy_cell_candidates_free, with the same rows. False: printed. */
bool hy_cell_options_candidates(const char *command, const char *rows, const hy_workload *workload,
    const hy_cell *cell, hy_candidate **candidates, size_t *count);
void hy_cell_candidates_free(hy_candidate *candidates, const char *rows);

#endif
