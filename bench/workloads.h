/* workloads.h: table 2: what is done to an allocator while it is measured.
 *
 * A workload is a file in workloads/ and a line in workloads.def. Its traits say which allocators it
 * applies to; its cells say with which parameters and on which tier (quick, standard, full) it runs.
 * A session is one allocator under one workload, in one thread: begun once (its own tables), filled
 * (the steady state), run for many epochs, emptied, ended. An epoch that verifies returns a checksum
 * of sizes, indexes and first words as they are read back, which must agree between allocators.
 */
#ifndef HEAPYARD_WORKLOADS_H
#define HEAPYARD_WORKLOADS_H

#include "allocators/registry.h"
#include <heapyard/page.h>

/* Where the bench's own tables come from: pages of their own. What malloc had served and got back would be
 * there for the blocks under test, whose memory would look smaller than it is; and a library that is tried
 * can't damage what it is judged by. */
HY_INLINE hy_allocator hy_bench_memory(void) {
    return hy_page();
}

typedef enum hy_tier { HY_TIER_SMOKE, HY_TIER_QUICK, HY_TIER_STANDARD, HY_TIER_FULL } hy_tier;
#define HY_TIER_COUNT (HY_TIER_FULL + 1)

/* "smoke", "quick", "standard" or "full". */
const char *hy_tier_name(hy_tier tier);

/* One set of parameters: `params` is canonical text, keys in order: "size=64;window=1000". */
typedef struct hy_cell {
    const char *params;
    uint32_t threads;
    hy_tier tier; /* the lowest tier that runs it */
} hy_cell;

/* What a session with these parameters will ask of its allocator. */
typedef struct hy_demand {
    size_t greatest_size;
    hy_align greatest_align;
    size_t live_bytes;  /* at most live at once, as asked for */
    size_t live_blocks; /* likewise; 1 for what keeps nothing */
    bool mixed_sizes;   /* more than one size */
    uint64_t length;    /* operations of the whole, for what ends by itself; else 0 */
} hy_demand;

/* Called in the middle of fills and batches, where the live bytes have just grown or shrunk, so that
 * memory can be seen over time; never during what is timed. */
typedef struct hy_observer {
    void (*observe)(void *context, uint64_t live_bytes);
    void *context;
} hy_observer;

typedef struct hy_workload hy_workload;
typedef struct hy_thread_team hy_thread_team;

typedef struct hy_session hy_session;

/* The head of every session; a workload's own struct begins with it. */
struct hy_session {
    const hy_workload *workload;
    hy_instance *instance;
    hy_allocator allocator;
    const hy_observer *observer; /* NULL: none */
    hy_thread_team *team;        /* of the threads that share the instance; NULL: one thread alone */
    hy_session *const *group;    /* the sessions of those threads, from `fill` on; NULL: one alone */
    uint32_t thread;             /* the place of this one among them */
    bool verify;                 /* work out the checksum from first words read back */
    bool direct;                 /* the row's direct-call loop instead of the vtable */
    bool empty;                  /* no allocator at all: the harness's own cost */
    uint64_t refused_count;      /* allocations that gave NULL */
    uint64_t elapsed_ns;         /* the last epoch's time, by a workload that owns its threads; else 0 */
};

struct hy_workload {
    const char *name;         /* [a-z0-9_]+ */
    const char *summary;      /* what it models, in two sentences: the report prints it */
    const char *operation;    /* what one operation is: "one allocation and its free" */
    hy_traits needs;          /* all of these */
    hy_traits needs_one;      /* at least one of these; 0: no such need */
    hy_traits needs_threaded; /* all of these as well, with two threads and more */
    hy_traits excludes;       /* none of these */
    bool owns_threads;        /* one session runs all threads itself, and times them; else each has its own */
    bool keeps_place;         /* epochs are segments of one sequence: no warm-up in between, and the same
                               * count for all, so that all are timed on the same segments */
    bool uncounted;           /* its counts differ from run to run, or its threads are its own even where the
                               * cell has one: left out by the meters that count */
    bool layers_elsewhere;    /* below the full tier, decorators are not measured in it: what a layer costs
                               * shows in the workloads that are about the path of a single call */
    uint64_t epoch_ns;        /* the shortest epoch; 0: what the sampler thinks right for the live set */
    const hy_cell *cells;
    size_t cell_count;
    const char *smoke_params; /* of a size for tests; NULL: the first cell's are */
    /* The params of the cells in which compositions are measured below the full tier: their layers are
     * measured everywhere, and there are many stacks of them. NULL: in none. */
    const char *composition_params;

    /* Whether a row's direct loops have one that stands for this workload; NULL: none can. */
    bool (*direct_loop)(const hy_direct_bench *direct);
    /* What these parameters ask for; false where they make no sense. */
    bool (*demand)(const char *params, hy_demand *out);
    /* Whether it can be run with so many threads. NULL: with any number. */
    bool (*threads_fit)(const char *params, uint32_t threads);
    /* One line about why `demand` has just refused; NULL: there is no more to say. The member may be
     * NULL. */
    const char *(*refusal)(const char *params);
    /* Allocates and touches the session's own tables, never through the allocator under test. threads:
     * those that share the instance, each with a session of its own unless the workload owns its
     * threads; seed: its own. instance->row is set, but the instance may be made only later: what is
     * there of its allocator is copied to session->allocator, which the caller may set before `fill`.
     * NULL: refused, e.g. parameters that make no sense. */
    hy_session *(*begin)(const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed,
        hy_instance *instance);
    /* Brings the session to its steady state through the allocator under test. */
    void (*fill)(hy_session *session);
    /* At least `operations` operations, or one segment where the workload has its own length; *done
     * gets how many they were. Returns the checksum, where the session is to verify. */
    uint64_t (*epoch)(hy_session *session, uint64_t operations, uint64_t *done);
    /* The bytes live now, as asked for. */
    uint64_t (*live_bytes)(hy_session *session);
    /* Frees what is live through the allocator under test. The session's own tables are kept until
     * `end`, so that memory can be measured in between. */
    void (*free_all)(hy_session *session);
    void (*end)(hy_session *session);
};

const hy_workload *const *hy_workloads(size_t *count);
/* The one whose parameters may name a file of the user's: "file=/path", with a cell for as many threads as
 * threads_fit says. */
extern const hy_workload hy_trace_workload;
const hy_workload *hy_workload_find(const char *name);

/* Whether the workload applies to the row, by traits, alignment and sizes; false too for parameters
 * that make no sense and for a row that is not in this build. */
bool hy_workload_applies(const hy_workload *workload, const hy_cell *cell, const hy_row *row);

/* How an instance must be made so that it can serve `threads` sessions of this demand. */
hy_config hy_workload_config(const hy_demand *demand, uint32_t threads);

/* Begun and filled, with nothing else asked for: for one thread and for meters that need no steps in
 * between. NULL: refused. */
hy_session *hy_session_open(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance);
void hy_session_close(hy_session *session);

/* The number that stands after "key=" in canonical parameters; false where there is none. */
bool hy_params_number(const char *params, const char *key, uint64_t *out);

#endif
