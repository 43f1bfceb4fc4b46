/* operations_test.c: an operation of a row's own that does something else than its row says is found, by the
 * oracle whose affair it is and by no other; and what a history's marks, sizes and twins come to.
 */
#include "fuzz/attempt.h"
#include "fuzz/interpreter.h"
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include "fuzz/properties/history_run.h"
#include "fuzz/seed.h"
#include <heapyard/arena.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/pool.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- faults: each an operation of arena, pool or limited, or their reset, that is not what it says ---- */

static bool does_nothing(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)number, (void)mark;
    return true;
}

static bool refuses(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)number, (void)mark;
    return false;
}

static bool refuses_but_takes(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    (void)!hy_arena_alloc(state, 24, HY_ALIGN_8);
    return false;
}

static bool takes(void *state, size_t number, hy_mark *mark) {
    return !refuses_but_takes(state, number, mark);
}

/* Writes on the first block of the newest chunk. */
static bool scribbles(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    char *base = hy_arena_base(state);
    if (base) base[0] ^= 1;
    return true;
}

static bool goes_too_far_back(void *state, size_t number, hy_mark *mark) {
    (void)number;
    hy_arena_mark saved;
    memcpy(&saved, mark, sizeof saved);
    saved.next -= 8;
    hy_arena_restore(state, saved);
    return true;
}

/* To the mark, although less was used before. */
static bool goes_forward(void *state, size_t number, hy_mark *mark) {
    (void)number;
    hy_arena_mark saved;
    memcpy(&saved, mark, sizeof saved);
    hy_arena_restore(state, saved);
    ((hy_arena *)state)->state = saved;
    return true;
}

static bool reset_frees_all(void *state, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    return hy_arena_reset(state, HY_ARENA_FREE_ALL, 0);
}

static bool reset_keeps_half(void *state, hy_reset_mode mode, size_t limit) {
    return hy_arena_reset(state, (hy_arena_reset_mode)mode, limit / 2);
}

static bool pool_reset_frees_all(void *state, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    return hy_pool_reset(state, HY_ARENA_FREE_ALL, 0);
}

/* Its stats say that more is left than there is. */
static bool stats_of_more(void *state, hy_stats *out) {
    const hy_row *row = hy_registry_find("arena");
    bool good = row->stats(state, out);
    if (out->capacity_bytes) out->used_bytes -= 8;
    return good;
}

/* A second instance leaves a block of the child. */
static void *make_once(const hy_row *row, const hy_config *config, hy_allocator *out) {
    static const hy_child *seen;
    if (seen == config->child.self) (void)!hy_alloc(config->child, 8, HY_ALIGN_8);
    seen = config->child.self;
    return hy_registry_find("arena")->make(row, config, out);
}

#define OPERATIONS_MAX 16

typedef struct plant {
    const char *row;
    const char *operation; /* that is replaced; NULL: reset, stats or make is */
    bool (*run)(void *, size_t, hy_mark *);
    bool (*reset)(void *, hy_reset_mode, size_t);
    bool (*stats)(void *, hy_stats *);
    void *(*make)(const hy_row *, const hy_config *, hy_allocator *);
    const char *oracle;  /* that finds it */
    const char *finding; /* its kind */
    const char *without; /* the list without which nothing is found */
    const char *seed;
} plant;

static const plant plants[] = {
    {.row = "arena",
        .operation = "restore",
        .run = does_nothing,
        .oracle = "accounting",
        .finding = "account",
        .without = "-accounting,-drain",
        .seed = "alloc 0 8\nsave 0\nalloc 1 8\nrestore 0\n"},
    {.row = "arena",
        .operation = "restore",
        .run = does_nothing,
        .oracle = "drain",
        .finding = "leak",
        .without = "-accounting,-drain",
        .seed = "alloc 0 8\nsave 0\nalloc 1 9000\nrestore 0\n"},
    {.row = "arena",
        .operation = "restore",
        .run = goes_too_far_back,
        .oracle = "model",
        .finding = HY_ASAN ? "poisoned" : "overlap", /* the first block's bytes were closed */
        .without = "-model,-accounting",
        .seed = "alloc 0 8\nsave 0\nalloc 1 8\nrestore 0\nalloc 2 16\n"},
    {.row = "arena",
        .operation = "restore",
        .run = goes_forward,
        .oracle = "accounting",
        .finding = "account",
        .without = "-accounting",
        .seed = "alloc 0 64\nalloc 1 64\nsave 0\nfree 1\nrestore 0\n"},
    {.row = "arena",
        .operation = "reserve",
        .run = does_nothing,
        .oracle = "liveness",
        .finding = "asked",
        .without = "-liveness",
        .seed = "reserve 100\nalloc 0 100\n"},
    {.row = "arena",
        .operation = "reserve",
        .run = refuses_but_takes,
        .oracle = "refusal",
        .finding = "refusal",
        .without = "-refusal",
        .seed = "alloc 0 8\nreserve 100\n"},
    {.row = "arena",
        .operation = "hand_over",
        .run = takes,
        .oracle = "accounting",
        .finding = "account",
        .without = "-accounting",
        .seed = "alloc 0 8\nhand_over 0\n"},
    {.row = "arena",
        .operation = "hand_over",
        .run = refuses,
        .oracle = "liveness",
        .finding = "liveness",
        .without = "-liveness",
        .seed = "hand_over 0\n"},
    {.row = "arena",
        .operation = "hand_over",
        .run = scribbles,
        .oracle = "model",
        .finding = "content",
        .without = "-model",
        .seed = "alloc 0 8\nhand_over 0\n"},
    {.row = "pool",
        .operation = "preheat",
        .run = does_nothing,
        .oracle = "liveness",
        .finding = "asked",
        .without = "-liveness",
        .seed = "preheat 2\nalloc 0 8\nalloc 1 8\n"},
    {.row = "pool",
        .operation = "preheat",
        .run = refuses,
        .oracle = "liveness",
        .finding = "liveness",
        .without = "-liveness",
        .seed = "alloc 0 8\nreset retain\npreheat 1\n"},
    {.row = "limited",
        .operation = "set_limit",
        .run = does_nothing,
        .oracle = "refusal",
        .finding = "refusal",
        .without = "-refusal,-promise",
        .seed = "set_limit 100\nalloc 0 101\n"},
    {.row = "arena",
        .reset = reset_frees_all,
        .oracle = "liveness",
        .finding = "asked",
        .without = "-liveness,-accounting",
        .seed = "alloc 0 100\nreset retain\nalloc 0 100\n"},
    {.row = "arena",
        .reset = reset_keeps_half,
        .oracle = "liveness",
        .finding = "asked",
        .without = "-liveness,-accounting",
        .seed = "alloc 0 400\nreset limit 256\nalloc 0 256\n"},
    {.row = "arena",
        .reset = reset_keeps_half,
        .oracle = "accounting",
        .finding = "account",
        .without = "-accounting",
        .seed = "alloc 0 400\nreset limit 256\n"},
    {.row = "pool",
        .reset = pool_reset_frees_all,
        .oracle = "liveness",
        .finding = "liveness",
        .without = "-liveness,-accounting",
        .seed = "options 2\nalloc 0 8\nreset retain\nalloc 0 8\n"},
    {.row = "arena",
        .stats = stats_of_more,
        .oracle = "liveness",
        .finding = "asked",
        .without = "-liveness,-accounting,-promise",
        .seed = "alloc 0 100\nalloc 1 room\n"},
    {.row = "arena",
        .make = make_once,
        .oracle = "drain",
        .finding = "leak",
        .without = "-drain,-accounting",
        .seed = "twin 8\n"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The row with the plant in it, its operations in `operations`. */
static hy_row planted(const plant *from, hy_row_operation operations[OPERATIONS_MAX]) {
    hy_row row = *hy_registry_find(from->row);
    memcpy(operations, row.operations, row.operation_count * sizeof *operations);
    for (size_t i = 0; from->run && i < row.operation_count; i++) {
        if (strcmp(operations[i].name, from->operation) == 0) operations[i].run = from->run;
    }
    row.operations = operations;
    if (from->reset) row.reset = from->reset;
    if (from->stats) row.stats = from->stats;
    if (from->make) row.make = from->make;
    return row;
}

static void each_fault_is_found_by_its_oracle(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plants); i++) {
        hy_row_operation operations[OPERATIONS_MAX];
        char wanted[40];
        hy_row row = planted(&plants[i], operations), *clean = &(hy_row){0};
        *clean = *hy_registry_find(plants[i].row);
        snprintf(wanted, sizeof wanted, "finding: %s", plants[i].finding);
        expect((attempt){"conform", clean, "", plants[i].seed}, "");
        expect((attempt){"conform", &row, plants[i].oracle, plants[i].seed}, wanted);
        expect((attempt){"conform", &row, plants[i].without, plants[i].seed}, "");
    }
}

/* The front door alone decides of overflow: here is what a broken one would show. */
static void run_overflow(const void *argument) {
    static hy_child child;
    char error[256];
    const hy_row row = {.name = "front door"};
    hy_run run = {.row = &row, .child = &child, .greatest = HY_ALIGN_16};
    hy_run_call call = {.kind = HY_OP_ALLOC, .size = 16, .zeroed = true, .overflowed = true};
    if (!hy_oracles_choose(argument, error, sizeof error)) abort();
    hy_oracles_see(HY_ON_REFUSED, &run, &call);
}

static void an_array_that_overflows_is_found(void **state) {
    (void)state;
    hy_verdict verdict;
    hy_verdict_of(run_overflow, "refusal", 20, &verdict);
    assert_string_equal(verdict.key, "finding: refusal");
    hy_verdict_of(run_overflow, "-refusal", 20, &verdict);
    assert_string_equal(verdict.key, "");
}

/* An input has room for one name of each code. */
static void names_of_a_row_have_codes_of_their_own(void **state) {
    (void)state;
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t r = 0; r < count; r++) {
        const hy_row_operation *operations = rows[r]->operations;
        for (size_t i = 0; i < rows[r]->operation_count; i++) {
            for (size_t j = 0; j < i; j++)
                assert_int_not_equal(
                    hy_bytes_name_code(operations[i].name), hy_bytes_name_code(operations[j].name));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found_by_its_oracle),
        cmocka_unit_test(an_array_that_overflows_is_found),
        cmocka_unit_test(names_of_a_row_have_codes_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
