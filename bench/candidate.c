/* candidate.c: one allocator under one workload. */
#include "bench/candidate.h"
#include "bench/options.h"
#include "bench/session.h"
#include <stdio.h>
#include <string.h>

/* Operations of the checksum: a few windows of the small cells, and quick for the slowest rows. */
#define CHECKSUM_OPERATIONS 4096

#define DIRECT_SUFFIX ":direct"

bool hy_candidate_name(hy_candidate *candidate, const char *command, const char *label) {
    *candidate = (hy_candidate){0};
    if (strlen(label) >= HY_LABEL_SIZE) {
        fprintf(stderr, "heapyard-bench %s: no allocator '%s'; names have at most %d characters\n", command,
            label, HY_LABEL_SIZE - 1);
        return false;
    }
    memcpy(candidate->label, label, strlen(label) + 1);
    char name[HY_LABEL_SIZE];
    memcpy(name, candidate->label, sizeof name);
    char *suffix = strstr(name, DIRECT_SUFFIX);
    if (suffix && suffix[sizeof DIRECT_SUFFIX - 1] == '\0') {
        candidate->direct = true;
        *suffix = '\0';
    }
    candidate->row = hy_options_row(command, name);
    return candidate->row != NULL;
}

static bool has_direct_loop(const hy_row *row, const hy_workload *workload) {
    return row->direct && workload->direct_loop && workload->direct_loop(row->direct);
}

bool hy_candidate_applies(const hy_candidate *candidate, const hy_workload *workload, const hy_cell *cell) {
    if (candidate->direct && (cell->threads > 1 || !has_direct_loop(candidate->row, workload))) return false;
    return hy_workload_applies(workload, cell, candidate->row);
}

/* What one piece of the team's work is about. */
typedef struct piece {
    hy_candidate *candidate;
    const hy_observer *observer;
    uint64_t seed;
    uint64_t operations;
    uint64_t done[HY_THREADS_MAX];
    uint64_t checksums[HY_THREADS_MAX];
} piece;

static void begin_session(void *context, uint32_t thread) {
    piece *work = context;
    hy_candidate *candidate = work->candidate;
    if (thread >= candidate->session_count) return;
    const hy_cell *cell = &candidate->cell;
    hy_session *session = candidate->workload->begin(
        candidate->workload, cell->params, cell->threads, work->seed + thread, &candidate->instance);
    candidate->sessions[thread] = session;
    if (!session) return;
    session->direct = candidate->direct;
    session->observer = work->observer;
    if (candidate->session_count == 1) return;
    session->team = candidate->team;
    session->group = candidate->sessions;
    session->thread = thread;
}

static void fill_session(void *context, uint32_t thread) {
    hy_candidate *candidate = context;
    if (thread < candidate->session_count) candidate->workload->fill(candidate->sessions[thread]);
}

static void run_session(void *context, uint32_t thread) {
    piece *work = context;
    hy_candidate *candidate = work->candidate;
    if (thread >= candidate->session_count) return;
    work->checksums[thread] =
        candidate->workload->epoch(candidate->sessions[thread], work->operations, &work->done[thread]);
}

static void empty_session(void *context, uint32_t thread) {
    hy_candidate *candidate = context;
    if (thread < candidate->session_count) candidate->workload->free_all(candidate->sessions[thread]);
}

static void end_session(void *context, uint32_t thread) {
    hy_candidate *candidate = context;
    if (thread < candidate->session_count && candidate->sessions[thread]) {
        candidate->workload->end(candidate->sessions[thread]);
    }
}

bool hy_candidate_begin(hy_candidate *candidate, const hy_workload *workload, const hy_cell *cell,
    uint64_t seed, hy_thread_team *team, const hy_observer *observer) {
    candidate->workload = workload;
    candidate->cell = *cell;
    candidate->team = team;
    candidate->session_count = workload->owns_threads ? 1 : cell->threads;
    candidate->instance = (hy_instance){.row = candidate->row};
    piece work = {.candidate = candidate, .observer = observer, .seed = seed};
    hy_thread_team_run(team, begin_session, &work);
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        if (candidate->sessions[i]) continue;
        candidate->error = "the workload refused to begin: no memory for its own tables";
        hy_thread_team_run(team, end_session, candidate);
        return false;
    }
    return true;
}

static bool make_instance(hy_candidate *candidate) {
    hy_demand demand;
    if (!candidate->workload->demand(candidate->cell.params, &demand)) return false;
    hy_config config = hy_workload_config(&demand, candidate->cell.threads);
    return hy_instance_make(&candidate->instance, candidate->row, &config);
}

bool hy_candidate_fill(hy_candidate *candidate) {
    if (!make_instance(candidate)) {
        candidate->error = "no instance could be made: out of memory, or not in this build";
        hy_thread_team_run(candidate->team, end_session, candidate);
        return false;
    }
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        candidate->sessions[i]->allocator = candidate->instance.allocator;
        if (candidate->sessions[i]->empty) candidate->sessions[i]->allocator.self = hy_empty_block(i);
    }
    hy_thread_team_run(candidate->team, fill_session, candidate);
    return true;
}

void hy_candidate_restart(hy_candidate *candidate) {
    hy_thread_team_run(candidate->team, empty_session, candidate);
    hy_thread_team_run(candidate->team, fill_session, candidate);
}

hy_epoch hy_candidate_epoch(hy_candidate *candidate, uint64_t operations) {
    piece work = {.candidate = candidate, .operations = operations};
    hy_epoch epoch = {.elapsed_ns = hy_thread_team_run(candidate->team, run_session, &work)};
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        epoch.operations += work.done[i];
        epoch.checksum += work.checksums[i];
    }
    epoch.operations /= candidate->session_count;
    if (candidate->workload->owns_threads && candidate->sessions[0]->elapsed_ns) {
        epoch.elapsed_ns = candidate->sessions[0]->elapsed_ns;
    }
    return epoch;
}

uint64_t hy_candidate_checksum(hy_candidate *candidate) {
    bool direct = candidate->direct;
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        candidate->sessions[i]->verify = true;
        candidate->sessions[i]->direct = false;
    }
    uint64_t checksum = hy_candidate_epoch(candidate, CHECKSUM_OPERATIONS).checksum;
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        candidate->sessions[i]->verify = false;
        candidate->sessions[i]->direct = direct;
    }
    return checksum;
}

uint64_t hy_candidate_refused(const hy_candidate *candidate) {
    uint64_t refused = 0;
    for (uint32_t i = 0; i < candidate->session_count; i++)
        refused += candidate->sessions[i]->refused_count;
    return refused;
}

uint64_t hy_candidate_live_bytes(hy_candidate *candidate) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < candidate->session_count; i++) {
        bytes += candidate->workload->live_bytes(candidate->sessions[i]);
    }
    return bytes;
}

void hy_candidate_free_all(hy_candidate *candidate) {
    hy_thread_team_run(candidate->team, empty_session, candidate);
    hy_instance_reset(&candidate->instance, HY_RESET_FREE_ALL, 0);
}

void hy_candidate_end(hy_candidate *candidate) {
    hy_thread_team_run(candidate->team, end_session, candidate);
    hy_instance_destroy(&candidate->instance);
}
