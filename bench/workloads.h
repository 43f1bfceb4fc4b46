/* workloads.h: table 2: what is done to an allocator while it is measured.
 *
 * A workload is a file in workloads/ and a row in workloads.c. Its traits say which allocators it
 * applies to; its cells say with which parameters and on which tier (quick, standard, full) it runs.
 * A session is one allocator under one workload: begun once, run for many epochs, ended. Every epoch
 * returns a checksum of what it did, which must agree between allocators.
 */
#ifndef HEAPYARD_WORKLOADS_H
#define HEAPYARD_WORKLOADS_H

#include "allocators/registry.h"

typedef enum hy_tier { HY_TIER_SMOKE, HY_TIER_QUICK, HY_TIER_STANDARD, HY_TIER_FULL } hy_tier;

/* One set of parameters: `params` is canonical text, "size=64;window=1000". */
typedef struct hy_cell {
    const char *params;
    uint32_t threads;
    hy_tier tier; /* the lowest tier that runs it */
} hy_cell;

typedef struct hy_session hy_session;

typedef struct hy_workload {
    const char *name;      /* [a-z0-9_]+ */
    const char *summary;   /* what it models, in two sentences: the report prints it */
    const char *operation; /* what one operation is: "one allocation and its free" */
    hy_traits needs;       /* all of these */
    hy_traits needs_one;   /* at least one of these; 0: no such need */
    hy_traits excludes;    /* none of these */
    const hy_cell *cells;
    size_t cell_count;

    /* Allocates the session's own tables (never through the allocator under test) and brings it to its
     * steady state. NULL: refused, e.g. parameters that make no sense. */
    hy_session *(*begin)(const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed,
        hy_instance *instance);
    /* About `operations` operations, or one segment where the workload has its own length; *done gets
     * how many they were. Returns the checksum. */
    uint64_t (*epoch)(hy_session *session, uint64_t operations, uint64_t *done);
    /* Frees what is live through the allocator under test. The session's own tables are kept until
     * `end`, so that memory can be measured in between. */
    void (*free_all)(hy_session *session);
    void (*end)(hy_session *session);
} hy_workload;

const hy_workload *const *hy_workloads(size_t *count);
const hy_workload *hy_workload_find(const char *name);
/* Whether the workload applies to the row, by traits, greatest alignment and block size. */
bool hy_workload_applies(const hy_workload *workload, const hy_cell *cell, const hy_row *row);

#endif
