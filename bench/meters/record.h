/* record.h: what the records of all meters have in common: one line of JSON each, about one cell. */
#ifndef HEAPYARD_BENCH_RECORD_H
#define HEAPYARD_BENCH_RECORD_H

#include "allocators/json.h"
#include "bench/workloads.h"

/* The members "workload", "params" and "threads". */
void hy_record_cell(hy_json *json, const hy_workload *workload, const hy_cell *cell);

/* Appends one line to the file of that path, or to standard output where path is NULL: an object whose
 * members members(json, context) writes. Returns the exit status; an error is printed as `command`'s. */
int hy_record_append(const char *command, const char *path,
    void (*members)(hy_json *json, const void *context), const void *context);

#endif
