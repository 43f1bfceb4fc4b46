/* main.c: heapyard-bench: finds the meter and runs it.
 *
 * Some peers can only be loaded by a process that was started for it, and a malloc library is preloaded only
 * by one that starts, so the process starts itself anew where that is needed (see peers.h, preloaded.h).
 */
#include "allocators/peers/peers.h"
#include "allocators/peers/preloaded.h"
#include "bench/meters.h"
#include "bench/options.h"
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 64

static int print_help(FILE *out, int status) {
    size_t count;
    const hy_meter *const *meters = hy_meters(&count);
    fprintf(out, "usage: heapyard-bench COMMAND [options]; COMMAND --help prints its options\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-13s %s\n", meters[i]->name, meters[i]->summary);
    return status;
}

static int unknown_meter(const char *typed) {
    size_t count;
    const hy_meter *const *meters = hy_meters(&count);
    const char *names[NAMES_MAX];
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        names[i] = meters[i]->name;
    fprintf(stderr, "heapyard-bench: no command '%s'; did you mean '%s'?\n", typed,
        hy_nearest_name(typed, names, count < NAMES_MAX ? count : NAMES_MAX));
    return HY_EXIT_USAGE;
}

int main(int argc, char **argv) {
    if (argc < 2) return print_help(stderr, HY_EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout, HY_EXIT_GOOD);
    hy_preloaded_reexec(argv);
    hy_peers_reexec(argv);
    const hy_meter *meter = hy_meter_find(argv[1]);
    return meter ? meter->run(argc - 1, argv + 1) : unknown_meter(argv[1]);
}
