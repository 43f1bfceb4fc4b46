/* sampler_test.c: the sampler and the team, by what they did and not by how long it took. */
#include "bench/sampler.h"
#include "bench/session.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 5
#define EPOCH_NS 20000

static hy_candidate candidate_of(const char *name) {
    hy_candidate candidate;
    assert_true(hy_candidate_name(&candidate, "test", name));
    return candidate;
}

static hy_sample_plan small_plan(const char *workload, const char *params, uint32_t threads) {
    return (hy_sample_plan){
        .workload = hy_workload_find(workload),
        .cell = {params, threads, HY_TIER_SMOKE},
        .seed = 3,
        .rounds = ROUNDS,
        .epoch_ns = EPOCH_NS,
    };
}

static void check_samples(const hy_samples *samples) {
    assert_null(samples->error);
    assert_true(samples->operations > 0);
    for (uint32_t round = 0; round < ROUNDS; round++)
        assert_true(samples->ns_per_op[round] > 0);
}

static void test_every_round_of_every_candidate_has_a_time(void **state) {
    (void)state;
    hy_candidate candidates[] = {candidate_of("libc"), candidate_of("libc_again"), candidate_of("empty")};
    hy_samples samples[3];
    hy_sample_plan plan = small_plan("window", "size=64;window=20", 1);
    assert_true(hy_sample(&plan, candidates, samples, 3));
    for (size_t i = 0; i < 3; i++)
        check_samples(&samples[i]);
    assert_int_equal(samples[0].checksum, samples[1].checksum);
    assert_int_equal(samples[0].operations, samples[1].operations);
    hy_samples_free(samples, 3, ROUNDS);
}

static void test_threads(void **state) {
    (void)state;
    hy_candidate candidates[] = {candidate_of("libc"), candidate_of("raw_libc")};
    hy_samples samples[2];
    hy_sample_plan plan = small_plan("pair", "size=64", 2);
    assert_true(hy_sample(&plan, candidates, samples, 2));
    for (size_t i = 0; i < 2; i++)
        check_samples(&samples[i]);
    assert_int_equal(samples[0].checksum, samples[1].checksum);
    hy_samples_free(samples, 2, ROUNDS);
}

/* The name that is left behind is that of the candidate that ran last: what a crash is blamed on. */
static void test_where_names_the_candidate(void **state) {
    (void)state;
    hy_candidate candidates[] = {candidate_of("libc")};
    hy_samples samples[1];
    char where[HY_LABEL_SIZE] = "";
    hy_sample_plan plan = small_plan("pair", "size=64", 1);
    plan.where = where;
    assert_true(hy_sample(&plan, candidates, samples, 1));
    assert_string_equal(where, "libc");
    hy_samples_free(samples, 1, ROUNDS);
}

/* A pool of too few blocks: the sampler says so instead of timing refusals. */
static size_t refusing_calls;

static void *refuse(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    refusing_calls++;
    return NULL;
}

static const hy_vtable refusing_vtable = {refuse, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static void *refusing_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = (hy_allocator){&refusing_calls, &refusing_vtable};
    return &refusing_calls;
}

static void *failing_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config, (void)out;
    return NULL;
}

static void refusing_destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static void test_a_refusal_is_reported_and_costs_only_itself(void **state) {
    (void)state;
    const hy_row refusing = {.name = "refusing", .make = refusing_make, .destroy = refusing_destroy};
    const hy_row failing = {.name = "failing_to_begin", .make = failing_make, .destroy = refusing_destroy};
    hy_candidate candidates[] = {candidate_of("libc"), {.label = "refusing", .row = &refusing},
        {.label = "failing_to_begin", .row = &failing}};
    hy_samples samples[3];
    hy_sample_plan plan = small_plan("window", "size=64;window=20", 1);
    assert_true(hy_sample(&plan, candidates, samples, 3));
    check_samples(&samples[0]);
    assert_non_null(samples[1].error);
    assert_true(samples[1].refused_count > 0);
    assert_non_null(samples[2].error);
    hy_samples_free(samples, 3, ROUNDS);
}

/* Large live sets get longer epochs and a warm-up that touches all of them. */
static void test_epochs_grow_with_the_live_set(void **state) {
    (void)state;
    const hy_workload *window = hy_workload_find("window");
    hy_demand small, large;
    assert_true(window->demand("size=64;window=10", &small));
    assert_true(window->demand("size=64;window=1000000", &large));
    uint64_t few = hy_sample_epoch_ns(window, &window->cells[0], &small);
    uint64_t many = hy_sample_epoch_ns(window, &window->cells[0], &large);
    assert_int_equal(few, HY_EPOCH_NS);
    assert_true(many > few);
    assert_int_equal(hy_sample_warm_ns(window, &small, few), few / 4);
    assert_int_equal(hy_sample_warm_ns(window, &large, many), many);
    const hy_workload *trace = hy_workload_find("trace");
    assert_int_equal(hy_sample_warm_ns(trace, &large, many), 0);
}

/* mmap for each operation, two threads, others on the machine: one operation fitted an epoch, and its
 * time was that of a time slice, hundreds of thousands of times libc's. */
static void test_slow_candidates_get_enough_operations(void **state) {
    (void)state;
    const hy_workload *window = hy_workload_find("window");
    assert_int_equal(hy_sample_operations(window, 8000, 7000), 7000);
    assert_int_equal(hy_sample_operations(window, 1000, 7000), 7000);
    assert_int_equal(hy_sample_operations(window, 1, 7000), 64);
    assert_int_equal(hy_sample_operations(window, 300, 7000), 300);
    assert_int_equal(hy_sample_operations(window, 1, 20), 20);
    assert_int_equal(hy_sample_operations(window, 1, 3), 3);
}

typedef struct team_count {
    uint64_t ran[HY_THREADS_MAX];
} team_count;

static void count_run(void *context, uint32_t thread) {
    ((team_count *)context)->ran[thread]++;
}

static void test_a_thread_team_runs_every_task_once_in_each_thread(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 2, 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        team_count count = {{0}};
        hy_thread_team *team = hy_thread_team_start(sizes[i]);
        assert_non_null(team);
        hy_thread_team_pin(team);
        for (int run = 0; run < 200; run++)
            hy_thread_team_run(team, count_run, &count);
        for (uint32_t thread = 0; thread < sizes[i]; thread++)
            assert_int_equal(count.ran[thread], 200);
        hy_thread_team_stop(team);
    }
}

/* At each barrier all have added to their own counts, which the serial section may read and change. */
typedef struct barrier_run {
    hy_thread_team *team;
    uint64_t own[HY_THREADS_MAX]; /* plain variables: ThreadSanitizer sees that they are ordered */
    uint64_t sum;
} barrier_run;

#define BARRIERS 100

static void pass_barriers(void *context, uint32_t thread) {
    barrier_run *all = context;
    for (int i = 0; i < BARRIERS; i++) {
        all->own[thread]++;
        if (!hy_thread_team_barrier(all->team)) continue;
        for (uint32_t other = 0; other < hy_thread_team_threads(all->team); other++) {
            all->sum += all->own[other];
            all->own[other] = 0;
        }
        hy_thread_team_release(all->team);
    }
}

static void test_a_thread_team_has_a_barrier(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 2, 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        barrier_run all = {.team = hy_thread_team_start(sizes[i])};
        assert_non_null(all.team);
        hy_thread_team_run(all.team, pass_barriers, &all);
        assert_int_equal(all.sum, BARRIERS * sizes[i]);
        hy_thread_team_stop(all.team);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_round_of_every_candidate_has_a_time),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_where_names_the_candidate),
        cmocka_unit_test(test_a_refusal_is_reported_and_costs_only_itself),
        cmocka_unit_test(test_epochs_grow_with_the_live_set),
        cmocka_unit_test(test_slow_candidates_get_enough_operations),
        cmocka_unit_test(test_a_thread_team_runs_every_task_once_in_each_thread),
        cmocka_unit_test(test_a_thread_team_has_a_barrier),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
