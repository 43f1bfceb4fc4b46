/* workloads_test.c: every workload on every row that it applies to, at a size for tests. */
#include "allocators/peers/peers.h"
#include "bench/candidate.h"
#include "bench/session.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SMOKE_OPERATIONS 300

static const char *smoke_params(const hy_workload *workload) {
    return workload->smoke_params ? workload->smoke_params : workload->cells[0].params;
}

/* One candidate from begin to end; its checksum. */
static uint64_t run_once(const hy_workload *workload, const hy_cell *cell, const hy_row *row) {
    hy_candidate candidate = {.row = row};
    hy_thread_team *team = hy_thread_team_start(workload->owns_threads ? 1 : cell->threads);
    assert_non_null(team);
    assert_true(hy_candidate_begin(&candidate, workload, cell, 7, team, NULL));
    assert_true(hy_candidate_fill(&candidate));
    uint64_t checksum = hy_candidate_checksum(&candidate);
    hy_epoch epoch = hy_candidate_epoch(&candidate, SMOKE_OPERATIONS);
    if (epoch.operations < SMOKE_OPERATIONS && cell->threads == 1) fail_msg("%s did too little", row->name);
    if (hy_candidate_refused(&candidate)) fail_msg("%s refused in %s", row->name, workload->name);
    hy_candidate_free_all(&candidate);
    hy_candidate_end(&candidate);
    hy_thread_team_stop(team);
    return checksum;
}

/* Returns how many rows ran. */
static size_t run_cell(const hy_workload *workload, const hy_cell *cell) {
    size_t count, ran = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    uint64_t expected = run_once(workload, cell, hy_registry_find("libc"));
    for (size_t i = 0; i < count; i++) {
        if (!hy_workload_applies(workload, cell, rows[i])) continue;
        uint64_t checksum = run_once(workload, cell, rows[i]);
        if (checksum != expected) {
            fail_msg("%s in %s %s: checksum %llx, libc's is %llx", rows[i]->name, workload->name,
                cell->params, (unsigned long long)checksum, (unsigned long long)expected);
        }
        ran++;
    }
    return ran;
}

static void test_every_row_on_every_workload(void **state) {
    (void)state;
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        hy_cell cell = workloads[i]->cells[0];
        cell.params = smoke_params(workloads[i]);
        size_t ran = run_cell(workloads[i], &cell);
        assert_true(ran >= 3);
        if (workloads[i]->owns_threads) continue;
        cell.threads = 2;
        assert_true(run_cell(workloads[i], &cell) >= 2);
    }
}

/* What the table says must make sense, or a cell would silently be left out. */
static void test_every_cell_is_legal(void **state) {
    (void)state;
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        hy_demand demand;
        assert_true(workloads[i]->demand(smoke_params(workloads[i]), &demand));
        for (size_t c = 0; c < workloads[i]->cell_count; c++) {
            const hy_cell *cell = &workloads[i]->cells[c];
            if (!workloads[i]->demand(cell->params, &demand))
                fail_msg("%s %s", workloads[i]->name, cell->params);
            if (workloads[i]->threads_fit)
                assert_true(workloads[i]->threads_fit(cell->params, cell->threads));
            assert_true(hy_workload_applies(workloads[i], cell, hy_registry_find("libc")));
        }
    }
}

static void test_params_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *workload, *params;
    } wrong[] = {
        {"pair", ""},
        {"pair", "size=15"},
        {"pair", "size=-64"},
        {"pair", "size=64x"},
        {"pair", "size=99999999999999999999"},
        {"window", "size=64"},
        {"window", "size=64;window=0"},
        {"mixed", "largest=16;smallest=8192;window=10"},
        {"request", "blocks=0;largest=512;smallest=16"},
        {"bulk", "blocks=10"},
        {"trace", ""},
        {"trace", "file="},
        {"trace", "file=no-such-trace"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        hy_demand demand;
        if (hy_workload_find(wrong[i].workload)->demand(wrong[i].params, &demand))
            fail_msg("%s", wrong[i].params);
    }
}

static void test_traits_choose(void **state) {
    (void)state;
    hy_row row = {.name = "made_up", .greatest_align = {12}};
    const hy_workload *window = hy_workload_find("window"), *mixed = hy_workload_find("mixed");
    const hy_workload *pair = hy_workload_find("pair");
    hy_cell one = {"size=64;window=10", 1, HY_TIER_SMOKE}, two = {"size=64;window=10", 2, HY_TIER_SMOKE};
    assert_false(hy_workload_applies(window, &one, &row));
    row.traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE;
    assert_true(hy_workload_applies(window, &one, &row));
    assert_false(hy_workload_applies(window, &two, &row));
    row.traits |= HY_TRAIT_THREAD_SAFE;
    assert_true(hy_workload_applies(window, &two, &row));
    row.traits |= HY_TRAIT_FIXED_BLOCK;
    assert_true(hy_workload_applies(window, &one, &row));
    assert_false(hy_workload_applies(mixed, &mixed->cells[0], &row));
    row.traits = HY_TRAIT_BULK_RESET;
    assert_false(hy_workload_applies(window, &one, &row));
    assert_true(hy_workload_applies(pair, &pair->cells[0], &row));
    row.missing = "install it";
    assert_false(hy_workload_applies(pair, &pair->cells[0], &row));
}

/* Blocks that lie over each other change the checksum: that is what it is for. */
static char shared_block[65536];

static void *same_block(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    return shared_block;
}

static const hy_vtable overlapping_vtable = {same_block, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static void *overlapping_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = (hy_allocator){shared_block, &overlapping_vtable};
    return shared_block;
}

static void overlapping_destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static void test_overlapping_blocks_change_the_checksum(void **state) {
    (void)state;
    const hy_row row = {.name = "overlapping",
        .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
        .greatest_align = {4},
        .make = overlapping_make,
        .destroy = overlapping_destroy};
    static const char *const names[] = {"window", "mixed", "request"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const hy_workload *workload = hy_workload_find(names[i]);
        hy_cell cell = {smoke_params(workload), 1, HY_TIER_SMOKE};
        assert_int_not_equal(
            run_once(workload, &cell, &row), run_once(workload, &cell, hy_registry_find("libc")));
    }
}

/* Peers need a process that was started for them. */
int main(int argc, char **argv) {
    (void)argc;
    hy_peers_reexec(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_on_every_workload),
        cmocka_unit_test(test_every_cell_is_legal),
        cmocka_unit_test(test_params_that_make_no_sense_are_refused),
        cmocka_unit_test(test_traits_choose),
        cmocka_unit_test(test_overlapping_blocks_change_the_checksum),
    };
    return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
