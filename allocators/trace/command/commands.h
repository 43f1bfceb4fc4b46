/* commands.h: the subcommands of heapyard-trace, and the functions that they share. */
#ifndef HEAPYARD_TRACE_COMMANDS_H
#define HEAPYARD_TRACE_COMMANDS_H

#include "allocators/history/trace_file.h"

/* Exit statuses, the same in all programs of the yard. */
enum { STATUS_GOOD = 0, STATUS_HARNESS = 1, STATUS_USAGE = 2, STATUS_CONFIRMED = 3, STATUS_NOTHING = 5 };

typedef struct trace_command {
    const char *name;
    const char *usage; /* the arguments after "heapyard-trace NAME" */
    const char *help;  /* ends with a line feed */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(int argc, char **argv);
} trace_command;

extern const trace_command record_command;
extern const trace_command finish_command;
extern const trace_command stats_command;
extern const trace_command info_command;
extern const trace_command import_command;
extern const trace_command replay_command;

/* Prints one line on standard error; it should name the object and the remedy. Returns STATUS_USAGE. */
HY_PRINTF(1, 2) int usage_error(const char *format, ...);

/* Options are parsed without getopt, which would also take the recorded program's options.
 * is_flag: whether argv[at] is `name`. take_value: whether argv[*at] is `name`, followed by a value, or
 * `name=value`; then *at is advanced to the value, and *value is NULL where the value is missing. */
bool is_flag(char **argv, int at, const char *name);
bool take_value(int argc, char **argv, int *at, const char *name, const char **value);

/* Reads a trace. False: the error was printed, and *status is the exit status to return. */
bool open_trace(const char *path, bool partial, hy_history *history, hy_trace_info *info, int *status);

#endif
