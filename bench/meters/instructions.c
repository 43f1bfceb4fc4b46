/* instructions.c: the region that callgrind counts.
 *
 * Run under `valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no`, each cell warms up,
 * then runs its epochs with collection on and writes a profile named after its number, which is also
 * in the cell's line on standard output. With one thread, a fixed seed and a pinned processor model,
 * two runs of one build count the same. The workload's own loop is in the count; it is the same on
 * both sides of a comparison.
 */
#include "bench/meters.h"
#include "bench/meters/selection.h"
#include "bench/options.h"
#include <stdio.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif

#ifdef RUNNING_ON_VALGRIND

typedef struct meter {
    const hy_selection *selection;
    unsigned number; /* of the next cell */
} meter;

#define PROFILE_SIZE 32

/* The name of the cell's profile, into `name`. */
static const char *profile_name(const meter *self, char name[PROFILE_SIZE]) {
    snprintf(name, PROFILE_SIZE, "cell-%u", self->number);
    return name;
}

/* Collects over the epochs and writes the profile. */
static uint64_t count_region(const meter *self, hy_session *session, uint64_t *operations) {
    uint64_t checksum = 0;
    char profile[PROFILE_SIZE];
    profile_name(self, profile);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
    for (uint64_t i = 0; i < self->selection->epochs; i++) {
        uint64_t done = 0;
        checksum = checksum * 31 + session->workload->epoch(session, self->selection->operations, &done);
        *operations += done;
    }
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(profile);
    CALLGRIND_STOP_INSTRUMENTATION;
    return checksum;
}

static void print_region(
    const meter *self, const hy_subject *subject, uint64_t operations, uint64_t checksum) {
    char profile[PROFILE_SIZE];
    hy_json json = hy_subject_begin(subject, "region");
    hy_json_number(&json, "operations", operations);
    hy_json_checksum(&json, "checksum", checksum);
    hy_json_text(&json, "profile", profile_name(self, profile));
    hy_subject_end(&json);
}

static bool run_cell(void *context, const hy_subject *subject) {
    meter *self = context;
    const hy_cell *cell = subject->cell;
    hy_instance instance;
    hy_session *session = NULL;
    bool made = hy_subject_make(subject, (hy_allocator){NULL, NULL}, &instance);
    if (made) session = hy_session_open(subject->workload, cell->params, 1, self->selection->seed, &instance);
    if (session) {
        uint64_t operations = 0, warm = 0;
        subject->workload->epoch(session, self->selection->operations, &warm);
        uint64_t checksum = count_region(self, session, &operations);
        print_region(self, subject, operations, checksum);
        self->number++;
        hy_session_close(session);
    } else {
        hy_subject_print_failed(subject, "instructions");
    }
    if (made) hy_instance_destroy(&instance);
    return session != NULL;
}

static bool under_callgrind(void) {
    if (RUNNING_ON_VALGRIND) return true;
    fputs("heapyard-bench instructions: run it as scripts/gate does, under valgrind --tool=callgrind\n",
        stderr);
    return false;
}

static int run(int argc, char **argv) {
    hy_selection selection = {
        .command = "instructions", .tier = HY_TIER_QUICK, .operations = 2000, .epochs = 2, .seed = 1};
    if (!hy_selection_parse(&selection, argc, argv)) return HY_EXIT_USAGE;
    if (!selection.list && !under_callgrind()) return HY_EXIT_USAGE;
    meter self = {&selection, 0};
    return hy_selection_each(&selection, run_cell, &self);
}

#else

static int run(int argc, char **argv) {
    (void)argc, (void)argv;
    fputs("heapyard-bench instructions: not in this build: install valgrind\n", stderr);
    return HY_EXIT_USAGE;
}

#endif

const hy_meter hy_instructions_meter = {
    .name = "instructions",
    .summary = "regions for callgrind to count: one line of JSON a cell",
    .run = run,
};
