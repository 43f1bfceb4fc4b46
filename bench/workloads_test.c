/* workloads_test.c: every workload on every row that it applies to, at a size for tests. */
#include "allocators/peers/peers.h"
#include "bench/candidate.h"
#include "bench/session.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

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

/* Stacks of layers that run by themselves too; with sanitizers, which take ten times as long, these have to
 * do. */
static bool is_covered_by_layers(const hy_row *row) {
    return (HY_ASAN || HY_TSAN) && row->group == HY_GROUP_COMPOSITION;
}

/* Returns how many rows ran. */
static size_t run_cell(const hy_workload *workload, const hy_cell *cell) {
    size_t count, ran = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    uint64_t expected = run_once(workload, cell, hy_registry_find("libc"));
    for (size_t i = 0; i < count; i++) {
        if (!hy_workload_applies(workload, cell, rows[i]) || is_covered_by_layers(rows[i])) continue;
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
        /* For ThreadSanitizer one thread alone has nothing to race with. */
        if (!HY_TSAN || workloads[i]->owns_threads) assert_true(run_cell(workloads[i], &cell) >= 3);
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
        {"producer_consumer", "batch=0;depth=4;size=64"},
        {"producer_consumer", "batch=8;depth=0;size=64"},
        {"shared_slots", "slots=0;size=64"},
        {"shared_slots", "largest=64;slots=10;smallest=64"},
        {"vectors", "alive=10;largest=4096"},
        {"vectors", "alive=10;append=32;growth=200;largest=4096"},
        {"vectors", "alive=10;growth=100;largest=4096"},
        {"large", "blocks=4;bound=65536;largest=131072;smallest=65536"},
        {"large", "blocks=4;bound=268435456;largest=134217728;smallest=65536"},
        {"turnover", "at_once=10"},
        {"turnover", "at_once=0;blocks=10"},
        {"burst", "blocks=10;largest=16;smallest=16"},
        {"survivors", "blocks=10;freed=100"},
        {"fleet", "mib=1;profile=2"},
        {"fleet", "mib=0;profile=1"},
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
static char shared_block[(size_t)4 << 20];

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
    static const struct {
        const char *name, *params; /* NULL: those for tests */
    } given[] = {
        {"window", NULL},
        {"mixed", NULL},
        {"request", NULL},
        {"producer_consumer", NULL},
        {"shared_slots", "size=64;slots=50"}, /* where sizes are mixed they are read from the blocks */
        {"vectors", NULL},
        {"large", NULL},
        {"burst", NULL},
        {"survivors", NULL},
        {"fleet", NULL},
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        const hy_workload *workload = hy_workload_find(given[i].name);
        hy_cell cell = {given[i].params ? given[i].params : smoke_params(workload), 1, HY_TIER_SMOKE};
        assert_int_not_equal(
            run_once(workload, &cell, &row), run_once(workload, &cell, hy_registry_find("libc")));
    }
}

/* libc, and what was asked of it at once. Each block has the number of its thread in front. */
#define WATCHED_HEADER 16

static struct watch {
    _Atomic size_t live_bytes, live_blocks, peak_bytes, peak_blocks, greatest_size;
    _Atomic size_t own_frees; /* in the thread that allocated the block */
    _Atomic uint64_t threads; /* that allocated */
    _Atomic bool freed;       /* the last call was a free */
    _Atomic size_t trough;    /* the blocks that were live when, for the first time, a free was followed by an
                                 allocation */
} watch;

static _Thread_local uint64_t thread_number;
/* Each free takes as long, so that whoever allocates is ahead. */
static long pause_of_free_ns;

static void raise_to(_Atomic size_t *greatest, size_t value) {
    size_t old = atomic_load(greatest);
    while (old < value && !atomic_compare_exchange_weak(greatest, &old, value)) {
    }
}

static void watch_growth(size_t blocks, size_t bytes) {
    raise_to(&watch.peak_blocks, atomic_fetch_add(&watch.live_blocks, blocks) + blocks);
    raise_to(&watch.peak_bytes, atomic_fetch_add(&watch.live_bytes, bytes) + bytes);
}

static void *watched_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (atomic_exchange(&watch.freed, false) && watch.trough == SIZE_MAX) watch.trough = watch.live_blocks;
    if (!thread_number) thread_number = ++watch.threads;
    raise_to(&watch.greatest_size, size);
    watch_growth(1, size);
    char *block = hy_alloc(hy_libc(), size + WATCHED_HEADER, align);
    memcpy(block, &thread_number, sizeof thread_number);
    return block + WATCHED_HEADER;
}

static bool watched_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    char *block = (char *)ptr - WATCHED_HEADER;
    if (!hy_resize(hy_libc(), block, old_size + WATCHED_HEADER, new_size + WATCHED_HEADER, align))
        return false;
    watch_growth(0, new_size - old_size);
    return true;
}

static void *watched_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    char *block = (char *)ptr - WATCHED_HEADER;
    char *moved = hy_remap(hy_libc(), block, old_size + WATCHED_HEADER, new_size + WATCHED_HEADER, align);
    if (!moved) return NULL;
    watch_growth(0, new_size - old_size);
    return moved + WATCHED_HEADER;
}

static void watched_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    char *block = (char *)ptr - WATCHED_HEADER;
    struct timespec pause = {0, pause_of_free_ns};
    if (pause_of_free_ns) nanosleep(&pause, NULL);
    watch.freed = true;
    if (memcmp(block, &thread_number, sizeof thread_number) == 0) watch.own_frees++;
    watch.live_blocks--;
    watch.live_bytes -= size;
    hy_free(hy_libc(), block, size + WATCHED_HEADER, align);
}

static const hy_vtable watched_vtable = {watched_alloc, watched_resize, watched_remap, watched_free};

static void *watched_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    memset(&watch, 0, sizeof watch);
    watch.trough = SIZE_MAX;
    *out = (hy_allocator){&watch, &watched_vtable};
    return &watch;
}

static void watched_destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static const hy_row watched_row = {.name = "watched",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {4},
    .make = watched_make,
    .destroy = watched_destroy};

static void check_demand(const hy_workload *workload, const hy_cell *cell) {
    hy_demand demand;
    assert_true(workload->demand(cell->params, &demand));
    run_once(workload, cell, &watched_row);
    bool kept = watch.peak_bytes <= cell->threads * demand.live_bytes &&
                watch.peak_blocks <= cell->threads * demand.live_blocks &&
                watch.greatest_size <= demand.greatest_size;
    if (!kept || watch.live_blocks != 0 || watch.live_bytes != 0)
        fail_msg("%s %s: %zu blocks, %zu bytes at once, up to %zu; %zu left", workload->name, cell->params,
            watch.peak_blocks, watch.peak_bytes, watch.greatest_size, watch.live_blocks);
}

/* What instances and machines are chosen by. */
static void test_no_workload_asks_for_more_than_its_demand_and_all_is_freed(void **state) {
    (void)state;
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++) {
        hy_cell cell = {smoke_params(workloads[i]), 1, HY_TIER_SMOKE};
        check_demand(workloads[i], &cell);
        cell.threads = 2;
        if (!workloads[i]->owns_threads) check_demand(workloads[i], &cell);
    }
}

static void test_the_queue_is_bounded_and_blocks_are_freed_by_the_other_thread(void **state) {
    (void)state;
    const hy_workload *workload = hy_workload_find("producer_consumer");
    hy_cell pairs_of_two = {"batch=8;depth=4;size=64", 2, HY_TIER_SMOKE};
    pause_of_free_ns = 1000;
    run_once(workload, &pairs_of_two, &watched_row);
    pause_of_free_ns = 0;
    assert_int_equal(watch.peak_blocks, 8 * 4);
    assert_int_equal(watch.own_frees, 0);
    assert_false(workload->threads_fit(pairs_of_two.params, 3));
    hy_cell two_pairs = {pairs_of_two.params, 4, HY_TIER_SMOKE};
    assert_int_equal(run_once(workload, &two_pairs, &watched_row),
        2 * run_once(workload, &pairs_of_two, hy_registry_find("libc")));
}

static void test_threads_swap_each_other_s_blocks(void **state) {
    (void)state;
    hy_cell cell = {"slots=10;size=64", 2, HY_TIER_SMOKE};
    run_once(hy_workload_find("shared_slots"), &cell, &watched_row);
    assert_in_range(watch.peak_blocks, 10, 12);
}

static void test_objects_outlive_the_threads_that_made_them(void **state) {
    (void)state;
    hy_cell cell = {"at_once=5;blocks=10", 1, HY_TIER_SMOKE};
    run_once(hy_workload_find("turnover"), &cell, &watched_row);
    assert_int_equal(watch.own_frees, 0);
    assert_in_range(watch.peak_blocks, 5 * 10, 2 * 5 * 10);
    assert_true(watch.threads >= SMOKE_OPERATIONS / 10);
    assert_int_equal(watch.threads % 5, 0);
}

static void test_nine_in_ten_are_freed_and_as_many_bytes_allocated_again(void **state) {
    (void)state;
    hy_cell cell = {"blocks=1000;freed=90", 1, HY_TIER_SMOKE};
    const hy_workload *workload = hy_workload_find("survivors");
    run_once(workload, &cell, &watched_row);
    assert_int_equal(watch.peak_blocks, 1000);
    assert_in_range(watch.trough, 70, 130);
}

/* Moves blocks as realloc does, but for the last byte. */
static void *forgetful_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    char *moved = watched_alloc(self, new_size, align);
    memcpy(moved, ptr, old_size - 1);
    moved[old_size - 1] = (char)~((char *)ptr)[old_size - 1];
    watched_free(self, ptr, old_size, align);
    return moved;
}

static const hy_vtable forgetful_vtable = {watched_alloc, watched_resize, forgetful_remap, watched_free};

static void *forgetful_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    void *state = watched_make(row, config, out);
    out->vtable = &forgetful_vtable;
    return state;
}

static void test_a_vector_keeps_every_byte(void **state) {
    (void)state;
    hy_row row = watched_row;
    row.make = forgetful_make;
    static const char *const params[] = {"alive=3;append=20;largest=256", "alive=3;growth=150;largest=4096"};
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        const hy_workload *workload = hy_workload_find("vectors");
        hy_cell cell = {params[i], 1, HY_TIER_SMOKE};
        uint64_t expected = run_once(workload, &cell, hy_registry_find("libc"));
        assert_int_equal(run_once(workload, &cell, &watched_row), expected);
        assert_int_not_equal(run_once(workload, &cell, &row), expected);
    }
}

static void test_a_profile_s_live_set_is_as_large_as_asked(void **state) {
    (void)state;
    static const char *const params[] = {
        "mib=4;profile=1", "mib=4;profile=5", "mib=4;profile=6", "mib=4;profile=7", "mib=4;profile=8"};
    const hy_workload *fleet = hy_workload_find("fleet");
    hy_instance instance;
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++) {
        assert_true(hy_instance_make(&instance, &watched_row, NULL));
        hy_session *session = hy_session_open(fleet, params[i], 1, i, &instance);
        assert_non_null(session);
        assert_in_range(fleet->live_bytes(session), (uint64_t)3 << 20, (uint64_t)5 << 20);
        assert_int_equal(fleet->live_bytes(session), watch.live_bytes);
        hy_session_close(session);
        hy_instance_destroy(&instance);
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
        cmocka_unit_test(test_no_workload_asks_for_more_than_its_demand_and_all_is_freed),
        cmocka_unit_test(test_the_queue_is_bounded_and_blocks_are_freed_by_the_other_thread),
        cmocka_unit_test(test_threads_swap_each_other_s_blocks),
        cmocka_unit_test(test_objects_outlive_the_threads_that_made_them),
        cmocka_unit_test(test_nine_in_ten_are_freed_and_as_many_bytes_allocated_again),
        cmocka_unit_test(test_a_vector_keeps_every_byte),
        cmocka_unit_test(test_a_profile_s_live_set_is_as_large_as_asked),
    };
    return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
