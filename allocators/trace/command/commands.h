/* commands.h: the words that heapyard-trace knows, and what they share. */
#ifndef HEAPYARD_TRACE_COMMANDS_H
#define HEAPYARD_TRACE_COMMANDS_H

#include "allocators/history/trace_file.h"

/* Exit statuses, as all of the yard has them. */
enum { STATUS_GOOD = 0, STATUS_HARNESS = 1, STATUS_USAGE = 2, STATUS_CONFIRMED = 3, STATUS_NOTHING = 5 };

typedef struct trace_command {
    const char *name;
    const char *usage; /* what follows "heapyard-trace NAME" */
    const char *help;  /* paragraphs, each line ended */
    /* argv[0] is the command's name. Returns the exit status. */
    int (*run)(int argc, char **argv);
} trace_command;

extern const trace_command record_command;
extern const trace_command finish_command;
extern const trace_command stats_command;
extern const trace_command info_command;
extern const trace_command import_command;
extern const trace_command replay_command;

/* One line on standard error that names the thing and the mend. Returns STATUS_USAGE. */
HY_PRINTF(1, 2) int usage_error(const char *format, ...);

/* Options by hand, because a recorded program's own options must be left alone.
 * is_flag: argv[*at] is `name`. take_value: argv[*at] is `name` and a value follows, or `name=value`;
 * steps over it. Both false where it is another word; take_value sets *value to NULL where it misses. */
bool is_flag(char **argv, int at, const char *name);
bool take_value(int argc, char **argv, int *at, const char *name, const char **value);

/* Text as JSON writes it, quotes included. */
void print_json_text(const char *text);

/* Reads a trace or says why not; then the status to return is in *status. */
bool open_trace(const char *path, bool partial, hy_history *history, hy_trace_info *info, int *status);

#endif
