/* main.c: heapyard-bench: finds the command and runs it.
 *
 * Some peers can only be loaded by a process that was started for it, so the process starts itself
 * anew where that is needed (see peers.h).
 */
#include "allocators/peers/peers.h"
#include "bench/commands.h"
#include "bench/options.h"
#include <stdio.h>
#include <string.h>

#define COMMAND_COUNT (sizeof hy_commands / sizeof hy_commands[0])

static int print_help(FILE *out, int status) {
    fprintf(out, "usage: heapyard-bench COMMAND [options]; COMMAND --help tells its options\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-13s %s\n", hy_commands[i].name, hy_commands[i].summary);
    }
    return status;
}

static int unknown_command(const char *typed) {
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = hy_commands[i].name;
    fprintf(stderr, "heapyard-bench: no command '%s'; did you mean '%s'?\n", typed,
        hy_nearest_name(typed, names, COMMAND_COUNT));
    return HY_EXIT_USAGE;
}

int main(int argc, char **argv) {
    if (argc < 2) return print_help(stderr, HY_EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout, HY_EXIT_GOOD);
    hy_peers_reexec(argv);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(hy_commands[i].name, argv[1]) == 0) return hy_commands[i].run(argc - 1, argv + 1);
    }
    return unknown_command(argv[1]);
}
