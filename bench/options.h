/* options.h: command lines of the bench: `--name value` or `--name=value`, and errors that help. */
#ifndef HEAPYARD_BENCH_OPTIONS_H
#define HEAPYARD_BENCH_OPTIONS_H

#include "bench/workloads.h"

#define HY_EXIT_GOOD 0
#define HY_EXIT_HARNESS 1
#define HY_EXIT_USAGE 2
#define HY_EXIT_NOTHING 5

/* One option of a command. Given: *value is set to what follows it. A flag (`is_flag`) takes nothing
 * and is set to its own name. Options that may come several times have `add` instead of `value`. */
typedef struct hy_option {
    const char *name; /* without the dashes */
    const char **value;
    bool is_flag;
    bool (*add)(const char *value); /* false: it has printed why, and the command line is wrong */
    const char *help;
} hy_option;

/* Reads argv[1 …] of `command`. False: a usage error, which was printed as one line that names what
 * is wrong and what would be right. */
bool hy_options_parse(const char *command, int argc, char **argv, const hy_option *options, size_t count);

/* A whole number between the two. False: printed, as above. */
bool hy_options_number(const char *command, const char *option, const char *text, uint64_t least,
    uint64_t greatest, uint64_t *out);

/* The name nearest to what was typed. */
const char *hy_nearest_name(const char *typed, const char *const *names, size_t count);

/* A row of this build (or of a plugin, or "empty"), or NULL, printed as above: unknown, or not in
 * this build and what to install. */
const hy_row *hy_options_row(const char *command, const char *name);
const hy_workload *hy_options_workload(const char *command, const char *name);

/* For hy_option.add: loads a plugin, "label=path". */
bool hy_options_plugin(const char *label_equals_path);
/* For hy_option.add: makes rows of the malloc library that the process was started with, "name=path". */
bool hy_options_preload(const char *name_equals_path);

#endif
