/* selection.h: which cells a counting meter runs, from its command line.
 *
 * The meters that count (exact, instructions) share their arguments: plugins, rows, workloads, a tier,
 * and how much each cell does. They run cells of one thread only, because only those give the same
 * count twice.
 */
#ifndef HEAPYARD_BENCH_SELECTION_H
#define HEAPYARD_BENCH_SELECTION_H

#include "allocators/json.h"
#include "bench/workloads.h"

typedef struct hy_selection {
    const char *command;   /* whose arguments these are, for messages */
    const char *rows;      /* names with commas between; NULL: all */
    const char *workloads; /* likewise */
    hy_tier tier;          /* cells up to this tier */
    bool list;             /* print the cells instead of running them */
    uint64_t operations;   /* in an epoch */
    uint64_t epochs;
    uint64_t seed;
} hy_selection;

/* One cell to run: a row under a workload with parameters. */
typedef struct hy_subject {
    const hy_row *row;
    const hy_workload *workload;
    const hy_cell *cell;
} hy_subject;

/* Reads the arguments over the defaults that are in `selection`, and loads the plugins. False: a usage
 * error, printed as one line. */
bool hy_selection_parse(hy_selection *selection, int argc, char **argv);

/* Calls run(context, subject) for every cell that applies, row by row, or prints them where `list` is
 * set. Returns the exit status: HY_EXIT_HARNESS where one of the calls was false, HY_EXIT_USAGE where a name
 * is unknown, after one line on standard error. */
int hy_selection_each(
    const hy_selection *selection, bool (*run)(void *context, const hy_subject *subject), void *context);

/* The tier of that name. False: printed as a usage error of `command`. */
bool hy_parse_tier(const char *command, const char *name, hy_tier *out);

/* Makes the subject's instance, sized for its workload, over `child`; one with a NULL vtable: over the
 * row's default. False: refused, nothing kept. */
bool hy_subject_make(const hy_subject *subject, hy_allocator child, hy_instance *instance);

/* Begins a subject's line on standard output: {"kind":"…","row":…,"workload":…,"params":…,"threads":1.
 * What else there is to say is added by hy_json_…, and hy_subject_end ends the line. */
hy_json hy_subject_begin(const hy_subject *subject, const char *kind);
void hy_subject_end(hy_json *json);
/* The line of a subject that could not be begun. */
void hy_subject_print_failed(const hy_subject *subject, const char *suite);

#endif
