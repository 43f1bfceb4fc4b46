/* sampler.h: the time per operation of several allocators, from epochs interleaved in one process.
 *
 *   round 1   b a c  c a b        each letter: warm up, then one timed epoch
 *   round 2   a c b  b c a        a random permutation, then its reverse (ABBA)
 *   …
 *
 * A disturbance of the machine thus meets all of them alike. A round gives each candidate one
 * number: the time of its two epochs divided by their operations. Statistics over rounds and
 * processes are made elsewhere, from these raw numbers.
 *
 * All candidates run the same number of operations per epoch, chosen so that the median candidate
 * takes the epoch's time; only those that are far slower run fewer, but never one or two. The warm-up before
 * each epoch brings the candidate's working set back into the caches that the others have used since.
 */
#ifndef HEAPYARD_SAMPLER_H
#define HEAPYARD_SAMPLER_H

#include "bench/candidate.h"

HY_BEGIN_DECLS

/* The shortest epoch; larger live sets get longer ones. */
#define HY_EPOCH_NS 100000

typedef struct hy_sample_plan {
    const hy_workload *workload;
    hy_cell cell;
    uint64_t seed;
    uint32_t rounds;
    uint64_t epoch_ns;    /* 0: hy_sample_epoch_ns */
    bool same_operations; /* one count for all, however much slower one is: for two builds of one row */
    char *where;          /* HY_LABEL_SIZE bytes that outlive a crash: the candidate that runs now; or NULL */
    char *order;          /* gets a letter for each epoch as it runs, 'a' the first candidate: 2 x count x
                             rounds of them and a NUL; or NULL */
} hy_sample_plan;

typedef struct hy_samples {
    uint64_t operations; /* of one thread, in an epoch */
    uint64_t checksum;
    uint64_t refused_count;
    const char *error; /* why there are no numbers; NULL */
    double *ns_per_op; /* one a round; hy_bench_memory's */
} hy_samples;

/* How long an epoch of this cell is, and the warm-up before it. */
uint64_t hy_sample_epoch_ns(const hy_workload *workload, const hy_cell *cell, const hy_demand *demand);
uint64_t hy_sample_warm_ns(const hy_workload *workload, const hy_demand *demand, uint64_t epoch_ns);

/* The operations of a candidate's epoch. fitting: as many as take the epoch's time, at least 1; common: those
 * of the median candidate. */
uint64_t hy_sample_operations(const hy_workload *workload, uint64_t fitting, uint64_t common);

/* Measures the candidates (named, applicable). samples: one for each. False: no memory or no threads;
 * what is wrong with one candidate alone stands in its samples->error. */
bool hy_sample(const hy_sample_plan *plan, hy_candidate *candidates, hy_samples *samples, size_t count);
void hy_samples_free(hy_samples *samples, size_t count, uint32_t rounds);

HY_END_DECLS

#endif
