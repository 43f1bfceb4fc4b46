/* benchmarks.h: Google Benchmark as the driver of the sampler.
 *
 * Each row × workload × parameters × threads is one benchmark with manual time, named
 * `pair/size=64/threads:1/arena`. When the first benchmark of a cell starts, the whole cell is
 * sampled, its candidates interleaved; every benchmark of it then reports its own rounds, one
 * iteration a round, whose time is the nanoseconds per operation. So filters, repetitions and output
 * are the library's, and the numbers ours. Its own threads are not used: the sampler brings its team.
 */
#ifndef HEAPYARD_BENCHMARKS_H
#define HEAPYARD_BENCHMARKS_H

#include "bench/sampler.h"

HY_BEGIN_DECLS

/* One cell and those who run it. */
typedef struct hy_cell_group {
    hy_sample_plan plan;
    hy_candidate *candidates;
    hy_samples *samples; /* written when the group is run */
    size_t count;
    bool sampled;
    bool failed; /* to sample: no memory, no threads */
} hy_cell_group;

/* Registers the group's benchmarks; it must live until they have run. */
void hy_group_register(hy_cell_group *group);

/* Gives Google Benchmark its flags out of argv and reports on the console. Returns false for a flag
 * that it doesn't know, which it has named. */
bool hy_benchmarks_initialize(int argc, char **argv);

/* Runs what is registered; quiet: reports nothing. Returns how many benchmarks ran. */
size_t hy_benchmarks_run(bool quiet);

HY_END_DECLS

#endif
