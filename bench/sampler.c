/* sampler.c: the time per operation of several allocators, from epochs interleaved in one process. */
#include "bench/sampler.h"
#include "bench/session.h"
#include <string.h>

/* Time to touch a live block once, at about the cost of a cache miss. */
#define NS_PER_LIVE_BLOCK 20
/* An operation's time, where nothing has been measured yet. */
#define NS_PER_OPERATION 50
/* A candidate that needs more than so many epochs' time for the common count has its own. */
#define SLOW_FACTOR 8
/* The same where all must run the same segments: only those that would delay all others too long. */
#define SLOW_FACTOR_SEGMENTS 50
/* A slow candidate's own count is at least this, where that takes at most so many epochs' time. An epoch
 * of one or two operations would time the scheduler: with threads its time is wall time, and one that loses
 * its core in it seems a thousand times slower than it is. */
#define SLOW_OPERATIONS_MIN 64
#define SLOW_EPOCHS_MAX 64
#define CALIBRATION_OPERATIONS 64
#define CALIBRATION_TRIES 3

/* Nothing less than the whole can be run: its threads are the workload's own. */
static bool runs_whole(const hy_workload *workload, const hy_cell *cell) {
    return workload->owns_threads && cell->threads > 1;
}

uint64_t hy_sample_epoch_ns(const hy_workload *workload, const hy_cell *cell, const hy_demand *demand) {
    if (runs_whole(workload, cell)) return demand->length * NS_PER_OPERATION;
    if (workload->epoch_ns) return workload->epoch_ns;
    uint64_t pass = demand->live_blocks * NS_PER_LIVE_BLOCK;
    return pass > HY_EPOCH_NS ? pass : HY_EPOCH_NS;
}

uint64_t hy_sample_warm_ns(const hy_workload *workload, const hy_demand *demand, uint64_t epoch_ns) {
    if (workload->keeps_place) return 0;
    uint64_t pass = demand->live_blocks * NS_PER_LIVE_BLOCK;
    uint64_t least = epoch_ns / 4;
    return pass < least ? least : pass < epoch_ns ? pass : epoch_ns;
}

/* The state of one measurement. */
typedef struct sampling {
    const hy_sample_plan *plan;
    hy_candidate *candidates;
    hy_samples *samples;
    size_t count;
    uint64_t epoch_ns;
    uint64_t warm_ns;
    uint64_t random;
    size_t *order;
    double *round_ns;
    double *round_operations;
    char *next_letter; /* in plan->order; or NULL */
} sampling;

static void say_where(const sampling *run, const char *label) {
    if (run->plan->where) memcpy(run->plan->where, label, strlen(label) + 1);
}

static bool measured(const sampling *run, size_t index) {
    return run->samples[index].error == NULL;
}

static void shuffle(sampling *run) {
    for (size_t i = run->count; i > 1; i--) {
        size_t other = hy_random_below(&run->random, i);
        size_t swapped = run->order[i - 1];
        run->order[i - 1] = run->order[other];
        run->order[other] = swapped;
    }
}

/* Begins and fills one candidate, and takes its checksum. */
static void start_candidate(sampling *run, size_t index, hy_thread_team *team) {
    hy_candidate *candidate = &run->candidates[index];
    hy_samples *samples = &run->samples[index];
    say_where(run, candidate->label);
    if (!hy_candidate_begin(candidate, run->plan->workload, &run->plan->cell, run->plan->seed, team, NULL) ||
        !hy_candidate_fill(candidate)) {
        samples->error = candidate->error;
        return;
    }
    samples->checksum = hy_candidate_checksum(candidate);
}

/* The quickest of a few: a single interrupt would make so short a run look far too slow. */
static double quickest_ns(hy_candidate *candidate, uint64_t operations) {
    double quickest = 1e300;
    for (int i = 0; i < CALIBRATION_TRIES; i++) {
        hy_epoch epoch = hy_candidate_epoch(candidate, operations);
        double elapsed = (double)epoch.elapsed_ns * (double)operations / (double)epoch.operations;
        if (elapsed < quickest) quickest = elapsed;
    }
    return quickest;
}

/* Operations that take about an epoch's time, by doubling until a quarter of it is reached. */
static uint64_t calibrate(sampling *run, size_t index) {
    hy_candidate *candidate = &run->candidates[index];
    double wanted = (double)run->epoch_ns;
    say_where(run, candidate->label);
    for (uint64_t operations = CALIBRATION_OPERATIONS;; operations *= 2) {
        double elapsed = quickest_ns(candidate, operations);
        if (elapsed * 4 < wanted) continue;
        uint64_t fitting = (uint64_t)((double)operations * wanted / elapsed);
        return fitting ? fitting : 1;
    }
}

static uint64_t median_of(uint64_t *values, size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint64_t swapped = values[j];
            values[j] = values[j - 1];
            values[j - 1] = swapped;
        }
    }
    return values[count / 2];
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t hy_sample_operations(const hy_workload *workload, uint64_t fitting, uint64_t common) {
    uint64_t slow_factor = workload->keeps_place ? SLOW_FACTOR_SEGMENTS : SLOW_FACTOR;
    if (fitting * slow_factor >= common) return common;
    uint64_t least = smaller(smaller(common, SLOW_OPERATIONS_MIN), fitting * SLOW_EPOCHS_MAX);
    return fitting > least ? fitting : least;
}

/* Gives all candidates their operations per epoch. */
static bool calibrate_all(sampling *run) {
    uint64_t *fitting = hy_alloc_n(hy_bench_memory(), uint64_t, run->count);
    if (!fitting) return false;
    size_t fitting_count = 0;
    bool whole = runs_whole(run->plan->workload, &run->plan->cell);
    for (size_t i = 0; i < run->count; i++) {
        if (!measured(run, i)) continue;
        run->samples[i].operations = whole ? 1 : calibrate(run, i);
        if (run->plan->workload->keeps_place && !whole) hy_candidate_restart(&run->candidates[i]);
        fitting[fitting_count++] = run->samples[i].operations;
    }
    uint64_t common = fitting_count ? median_of(fitting, fitting_count) : 0;
    for (size_t i = 0; i < run->count; i++) {
        uint64_t own = hy_sample_operations(run->plan->workload, run->samples[i].operations, common);
        run->samples[i].operations = run->plan->same_operations ? common : own;
    }
    hy_free_n(hy_bench_memory(), fitting, run->count);
    return true;
}

static void run_epoch(sampling *run, size_t index) {
    hy_candidate *candidate = &run->candidates[index];
    uint64_t operations = run->samples[index].operations;
    say_where(run, candidate->label);
    uint64_t warm = (uint64_t)((double)operations * (double)run->warm_ns / (double)run->epoch_ns);
    if (warm) hy_candidate_epoch(candidate, warm);
    hy_epoch epoch = hy_candidate_epoch(candidate, operations);
    if (run->next_letter) *run->next_letter++ = (char)('a' + index);
    run->round_ns[index] += (double)epoch.elapsed_ns;
    run->round_operations[index] += (double)epoch.operations;
}

static void run_round(sampling *run, uint32_t round) {
    for (size_t i = 0; i < run->count; i++)
        run->round_ns[i] = run->round_operations[i] = 0;
    shuffle(run);
    for (size_t i = 0; i < run->count; i++) {
        if (measured(run, run->order[i])) run_epoch(run, run->order[i]);
    }
    for (size_t i = run->count; i > 0; i--) {
        if (measured(run, run->order[i - 1])) run_epoch(run, run->order[i - 1]);
    }
    for (size_t i = 0; i < run->count; i++) {
        if (measured(run, i)) run->samples[i].ns_per_op[round] = run->round_ns[i] / run->round_operations[i];
    }
}

static void finish_candidate(sampling *run, size_t index) {
    if (!measured(run, index)) return;
    hy_candidate *candidate = &run->candidates[index];
    say_where(run, candidate->label);
    run->samples[index].refused_count = hy_candidate_refused(candidate);
    if (run->samples[index].refused_count) run->samples[index].error = "it refused to allocate";
    hy_candidate_free_all(candidate);
    hy_candidate_end(candidate);
}

static bool prepare(sampling *run) {
    run->order = hy_alloc_n(hy_bench_memory(), size_t, run->count);
    run->round_ns = hy_alloc_n(hy_bench_memory(), double, run->count);
    run->round_operations = hy_alloc_n(hy_bench_memory(), double, run->count);
    bool complete = run->order && run->round_ns && run->round_operations;
    for (size_t i = 0; i < run->count; i++) {
        run->samples[i] = (hy_samples){0};
        run->samples[i].ns_per_op = hy_alloc_n(hy_bench_memory(), double, run->plan->rounds);
        complete = complete && run->samples[i].ns_per_op;
    }
    for (size_t i = 0; complete && i < run->count; i++)
        run->order[i] = i;
    return complete;
}

static void release(sampling *run) {
    hy_free_n(hy_bench_memory(), run->order, run->count);
    hy_free_n(hy_bench_memory(), run->round_ns, run->count);
    hy_free_n(hy_bench_memory(), run->round_operations, run->count);
}

/* Candidates begin in random order too, so that none always has the fresh heap. */
static bool run_all(sampling *run, hy_thread_team *team) {
    shuffle(run);
    for (size_t i = 0; i < run->count; i++)
        start_candidate(run, run->order[i], team);
    hy_thread_team_pin(team);
    if (!calibrate_all(run)) return false;
    for (uint32_t round = 0; round < run->plan->rounds; round++)
        run_round(run, round);
    if (run->next_letter) *run->next_letter = '\0';
    for (size_t i = 0; i < run->count; i++)
        finish_candidate(run, i);
    return true;
}

bool hy_sample(const hy_sample_plan *plan, hy_candidate *candidates, hy_samples *samples, size_t count) {
    hy_demand demand;
    if (!plan->workload->demand(plan->cell.params, &demand)) return false;
    sampling run = {
        .plan = plan,
        .candidates = candidates,
        .samples = samples,
        .count = count,
        .epoch_ns =
            plan->epoch_ns ? plan->epoch_ns : hy_sample_epoch_ns(plan->workload, &plan->cell, &demand),
        .random = plan->seed,
        .next_letter = plan->order,
    };
    run.warm_ns = hy_sample_warm_ns(plan->workload, &demand, run.epoch_ns);
    hy_thread_team *team = hy_thread_team_start(plan->workload->owns_threads ? 1 : plan->cell.threads);
    bool good = team && prepare(&run) && run_all(&run, team);
    release(&run);
    if (team) hy_thread_team_stop(team);
    return good;
}

void hy_samples_free(hy_samples *samples, size_t count, uint32_t rounds) {
    for (size_t i = 0; i < count; i++)
        hy_free_n(hy_bench_memory(), samples[i].ns_per_op, rounds);
}
