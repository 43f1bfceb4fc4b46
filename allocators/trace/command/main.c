/* main.c: heapyard-trace: records programs, prints statistics of traces, and replays them.
 *
 * scripts/trace builds it and then runs it. Each subcommand has a file of its own.
 */
#include "allocators/trace/command/commands.h"

#include "allocators/peers/peers.h"
#include <heapyard/libc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const trace_command *const commands[] = {
    &record_command, &finish_command, &stats_command, &info_command, &import_command, &replay_command};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

int usage_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("heapyard-trace: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    return STATUS_USAGE;
}

bool is_flag(char **argv, int at, const char *name) {
    return strcmp(argv[at], name) == 0;
}

bool take_value(int argc, char **argv, int *at, const char *name, const char **value) {
    size_t length = strlen(name);
    const char *word = argv[*at];
    if (strncmp(word, name, length) != 0) return false;
    if (word[length] == '=') {
        *value = word + length + 1;
        return true;
    }
    if (word[length] != 0) return false;
    *value = *at + 1 < argc ? argv[++*at] : NULL;
    return true;
}

bool open_trace(const char *path, bool partial, hy_history *history, hy_trace_info *info, int *status) {
    hy_trace_error error;
    hy_history_init(history, hy_libc());
    bool good = hy_trace_read(path, partial, history, info, &error);
    if (good && error.message[0]) (void)fprintf(stderr, "heapyard-trace: %s\n", error.message);
    if (good) return true;
    *status = usage_error("%s", error.message);
    if (error.system) *status = STATUS_HARNESS;
    hy_history_deinit(history);
    return false;
}

static void print_usage(FILE *out) {
    (void)fprintf(out, "usage: heapyard-trace COMMAND …\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        (void)fprintf(out, "  %s %s\n", commands[i]->name, commands[i]->usage);
    }
    (void)fprintf(out,
        "\nheapyard-trace COMMAND --help tells more. Exit status: 0 good, 1 the system or the harness\n"
        "failed, 2 usage or a file that is no whole trace, 3 a replay went wrong, 5 nothing recorded.\n");
}

static int run_command(const trace_command *command, int argc, char **argv) {
    bool help = argc > 1 && (is_flag(argv, 1, "--help") || is_flag(argv, 1, "-h"));
    if (!help) return command->run(argc, argv);
    (void)printf("usage: heapyard-trace %s %s\n\n%s", command->name, command->usage, command->help);
    return STATUS_GOOD;
}

int main(int argc, char **argv) {
    /* Some peers need an environment variable that reserves thread-local storage; only for replay, because a
     * recorded program must not inherit it. */
    if (argc > 1 && is_flag(argv, 1, "replay")) (void)hy_peers_reexec(argv);
    if (argc < 2) {
        print_usage(stderr);
        return STATUS_USAGE;
    }
    if (is_flag(argv, 1, "--help") || is_flag(argv, 1, "-h")) {
        print_usage(stdout);
        return STATUS_GOOD;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (is_flag(argv, 1, commands[i]->name)) return run_command(commands[i], argc - 1, argv + 1);
    }
    return usage_error("%s: no such command; record, finish, stats, info, import and replay are", argv[1]);
}
