/* options.h: HEAPYARD_MALLOC, the environment variable: what a user may ask of the library. */
#ifndef HEAPYARD_MALLOC_OPTIONS_H
#define HEAPYARD_MALLOC_OPTIONS_H

#include <heapyard/smp.h>
#include <limits.h>

/* What the exit statistics are written as. */
typedef enum hy_malloc_stats_form {
    HY_MALLOC_STATS_NONE,
    HY_MALLOC_STATS_TEXT,
    HY_MALLOC_STATS_JSON
} hy_malloc_stats_form;

typedef struct hy_malloc_options {
    hy_malloc_stats_form stats;
    char stats_file[PATH_MAX]; /* empty: standard error */
    bool check;
    hy_smp_options heap;
} hy_malloc_options;

/* Reads a text as HEAPYARD_MALLOC has it; what makes no sense is told in a line of standard error each, and
 * keeps its default. Allocates nothing. */
void hy_malloc_options_read(const char *text, hy_malloc_options *options);

#endif
