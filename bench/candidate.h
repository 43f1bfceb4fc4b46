/* candidate.h: one allocator under one workload: an instance, and a session for each thread.
 *
 * The meters of time and of memory run their allocators through this. A candidate's label is its row's name,
 * as hy_plugins_find takes it ("arena", "arena@head", and "empty" for no allocator at all); with ":direct"
 * behind it, the row's own inline loop runs instead of the virtual one.
 */
#ifndef HEAPYARD_CANDIDATE_H
#define HEAPYARD_CANDIDATE_H

#include "bench/thread_team.h"
#include "bench/workloads.h"

HY_BEGIN_DECLS

#define HY_LABEL_SIZE 64

typedef struct hy_candidate {
    char label[HY_LABEL_SIZE];
    const hy_row *row;
    bool direct;
    const hy_workload *workload;
    hy_cell cell;
    hy_thread_team *team;
    hy_instance instance;
    hy_session *sessions[HY_THREADS_MAX];
    uint32_t session_count;
    const char *error; /* why it can't be measured; NULL */
} hy_candidate;

/* Resolves a label; the row is looked up as options do. False: printed as a usage error. */
bool hy_candidate_name(hy_candidate *candidate, const char *command, const char *label);

/* Whether the cell applies to it. */
bool hy_candidate_applies(const hy_candidate *candidate, const hy_workload *workload, const hy_cell *cell);

/* Begins the sessions, each in its thread: the workload's own tables, allocated and touched. The
 * allocator under test does not exist yet, so that memory can be looked at in between. `observer` may
 * be NULL. False: with candidate->error set and nothing kept. */
bool hy_candidate_begin(hy_candidate *candidate, const hy_workload *workload, const hy_cell *cell,
    uint64_t seed, hy_thread_team *team, const hy_observer *observer);
/* Makes the instance and fills every session in its thread. False: as above; all is ended. */
bool hy_candidate_fill(hy_candidate *candidate);

/* Empties the sessions and fills them again: all candidates then stand at the same place. */
void hy_candidate_restart(hy_candidate *candidate);

typedef struct hy_epoch {
    uint64_t operations; /* of one thread */
    uint64_t elapsed_ns;
    uint64_t checksum;
} hy_epoch;

/* Runs about `operations` in each thread. */
hy_epoch hy_candidate_epoch(hy_candidate *candidate, uint64_t operations);

/* The checksum of a fixed number of operations, with the first words read back: the same for every
 * allocator that keeps what is written. To be called once, right after the fill. */
uint64_t hy_candidate_checksum(hy_candidate *candidate);

uint64_t hy_candidate_refused(const hy_candidate *candidate);
uint64_t hy_candidate_live_bytes(hy_candidate *candidate);
/* Frees what is live, and where the row has a reset, gives back what it kept. */
void hy_candidate_free_all(hy_candidate *candidate);
/* Ends the sessions and the instance. */
void hy_candidate_end(hy_candidate *candidate);

HY_END_DECLS

#endif
