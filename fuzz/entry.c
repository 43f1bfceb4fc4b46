/* entry.c: the one entry of every engine: libFuzzer, AFL++ in its persistent mode, OSS-Fuzz.
 *
 * What is fuzzed is said by --row=NAME --property=NAME, which libFuzzer must not see, or by HEAPYARD_ROW and
 * HEAPYARD_PROPERTY, or by the program's name, PROPERTY or PROPERTY-ROW, for engines that own the command
 * line; a row that comes from elsewhere by
 * --plugin=LABEL=PATH or HEAPYARD_PLUGIN; the malloc library that the process runs on by --preload=NAME=PATH
 * or HEAPYARD_PRELOAD; findings that are known (finding.h) by HEAPYARD_KNOWN, a file; which oracles look
 * (oracles.h), by --oracles=A,B or HEAPYARD_ORACLES. HEAPYARD_COUNTS names a file that executions and
 * operations are counted in. A first word that is one of the replayer's commands makes the fuzzer's binary a
 * replayer, so that a finding is reproduced by the very build that found it.
 */
#include "allocators/peers/preloaded.h"
#include "fuzz/mutate.h"
#include "fuzz/replay.h"
#include "fuzz/target.h"
#include <heapyard/thread_slot.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed);
/* The engine's own; NULL: it has none that can be called, and calls no mutator either. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t capacity);

static hy_target target;

/* Takes --NAME=VALUE out of the arguments; NULL where it isn't there. */
static const char *take_argument(int *argc, char **argv, const char *name) {
    size_t length = strlen(name);
    for (int i = 1; i < *argc; i++) {
        if (strncmp(argv[i], name, length) != 0) continue;
        const char *value = argv[i] + length;
        memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof argv[0]);
        --*argc;
        return value;
    }
    return NULL;
}

/* What the program's name says, where it begins with a property. */
static void read_name(const char *path, const char **property, const char **row) {
    static char name[256];
    const char *slash = strrchr(path, '/');
    (void)snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
    char *dash = strchr(name, '-');
    if (dash) *dash = '\0';
    if (!hy_property_find(name)) return;
    *property = name;
    *row = dash ? dash + 1 : NULL;
}

/* Whether what HEAPYARD_VARIABLE names, if it is set, could be loaded. */
static bool load_by(const char *variable, bool (*load)(const char *)) {
    const char *value = getenv(variable);
    return !value || load(value);
}

/* AFL++ stops a target between two inputs, and may end without having ended it: the system does then. It is
 * in a session of its own, where whoever started AFL++ does not find it. */
static void end_with_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() == 1) _exit(1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    if (getenv("__AFL_SHM_ID") && pthread_atfork(NULL, NULL, end_with_parent) != 0) exit(1);
    (void)hy_preloaded_reexec(*argv);
    (void)hy_preloaded_reexec_with(getenv("HEAPYARD_PRELOAD"), *argv);
    if (*argc > 1 && hy_replay_is_command((*argv)[1])) exit(hy_replay(*argc, *argv));
    if (!load_by("HEAPYARD_KNOWN", hy_target_read_known) ||
        !load_by("HEAPYARD_PLUGIN", hy_target_load_plugin))
        exit(2);
    const char *preload = take_argument(argc, *argv, "--preload=");
    if (preload ? !hy_target_load_preload(preload) : !load_by("HEAPYARD_PRELOAD", hy_target_load_preload))
        exit(2);
    const char *plugin;
    while ((plugin = take_argument(argc, *argv, "--plugin=")) != NULL) {
        if (!hy_target_load_plugin(plugin)) exit(2);
    }
    const char *row = take_argument(argc, *argv, "--row=");
    if (!hy_target_choose_oracles(take_argument(argc, *argv, "--oracles="))) exit(2);
    const char *property = take_argument(argc, *argv, "--property=");
    if (!row) row = getenv("HEAPYARD_ROW");
    if (!property) property = getenv("HEAPYARD_PROPERTY");
    if (!row && !property) read_name((*argv)[0], &property, &row);
    char error[256];
    if (!hy_target_choose(&target, property ? property : "conform", row, error, sizeof error)) {
        fprintf(stderr, "heapyard-fuzz: %s\n", error);
        exit(2);
    }
    const char *counts = getenv("HEAPYARD_COUNTS");
    if (counts && !hy_target_count_into(&target, counts)) {
        fprintf(stderr, "heapyard-fuzz: can't count into %s\n", counts);
        exit(1);
    }
    (void)hy_thread_slot_take(); /* taken once, or to an engine it is the first input's that needs it */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    hy_target_run(&target, bytes, size);
    return 0;
}

/* A quarter of all changes know operations; the others are the engine's, which has its dictionary and what
 * comparisons told it. So most bugs are found with fewer executions than by the engine's alone. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t capacity, unsigned seed) {
    size_t changed = seed & 0x300 ? 0 : hy_mutate(&target, bytes, size, capacity, seed);
    if (changed || !LLVMFuzzerMutate) return changed ? changed : size;
    return LLVMFuzzerMutate(bytes, size, capacity);
}
