/* oracles_test.c: each oracle finds its own planted fault, alone too, and goes without it once it is switched
 * off; and the switches.
 */
#include "fuzz/oracles.h"

#include "fuzz/interpreter.h"
#include "fuzz/minimise.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef enum fault {
    FAULT_NONE,
    FAULT_FREES_WRONG_SIZE,
    FAULT_SERVES_ANY_ALIGNMENT,
    FAULT_OWNS_NOTHING,
    FAULT_OWNS_ALL,
    FAULT_RESIZE_SCRIBBLES,
    FAULT_REFUSES_LARGE,
    FAULT_USED_IS_LOW,
    FAULT_KEEPS_FREED,
    FAULT_CHECK_FAILS,
    FAULT_LOSES_A_BLOCK,
    FAULT_CRIES_WOLF,
    FAULT_REUSES_AT_ONCE,
    FAULT_HOARDS,
    FAULT_RESET_KEEPS_LESS, /* than it says */
} fault;

#define KEPT_MAX 256

/* Hands its child's blocks on, but for its fault. One at a time. */
static struct {
    hy_allocator child;
    fault fault;
    hy_misuse_sink *sink; /* of whoever watches */
    size_t kept_count;
    struct {
        void *ptr;
        size_t size;
        hy_align align;
    } kept[KEPT_MAX]; /* freed blocks that are given back at the end; with resets, those that live */
    bool has_reset;
} planted;

static void keep(void *ptr, size_t size, hy_align align) {
    planted.kept[planted.kept_count].ptr = ptr;
    planted.kept[planted.kept_count].size = size;
    planted.kept[planted.kept_count++].align = align;
}

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (planted.fault == FAULT_REFUSES_LARGE && size > 100) return NULL;
    if (planted.fault != FAULT_SERVES_ANY_ALIGNMENT && align.log2 > 4) return NULL;
    if (planted.fault == FAULT_CRIES_WOLF && planted.sink) planted.sink->count++;
    if (planted.fault == FAULT_REUSES_AT_ONCE && planted.kept_count > 0 &&
        planted.kept[planted.kept_count - 1].size == size)
        return planted.kept[--planted.kept_count].ptr;
    void *ptr = hy_alloc(planted.child, size, align);
    if (ptr && planted.fault == FAULT_RESET_KEEPS_LESS) keep(ptr, size, align);
    return ptr;
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)old_size, (void)new_size, (void)align;
    if (planted.fault == FAULT_RESIZE_SCRIBBLES) memset(ptr, 0xEE, 1);
    return false;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    bool keeps = planted.fault == FAULT_KEEPS_FREED || planted.fault == FAULT_REUSES_AT_ONCE ||
                 planted.fault == FAULT_HOARDS;
    if (keeps && planted.kept_count < KEPT_MAX) {
        keep(ptr, size, align);
        return;
    }
    for (size_t i = 0; i < planted.kept_count; i++) {
        if (planted.kept[i].ptr != ptr) continue;
        planted.kept[i] = planted.kept[--planted.kept_count];
        break;
    }
    size_t less = planted.fault == FAULT_FREES_WRONG_SIZE ? 1 : 0;
    planted.child.vtable->free(planted.child.self, ptr, size - less, align);
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    planted.child = config->child;
    planted.fault = *(const fault *)row->data;
    planted.kept_count = 0;
    planted.sink = NULL;
    planted.has_reset = false;
    if (planted.fault == FAULT_LOSES_A_BLOCK && !hy_alloc(planted.child, 32, HY_ALIGN_8)) return NULL;
    *out = (hy_allocator){&planted, &vtable};
    return &planted;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
    while (planted.kept_count > 0) {
        size_t last = --planted.kept_count;
        hy_free(planted.child, planted.kept[last].ptr, planted.kept[last].size, planted.kept[last].align);
    }
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    destroy(NULL, instance);
    planted.has_reset = true;
    return true;
}

static bool owns(void *instance, const void *ptr) {
    (void)instance;
    if (planted.fault == FAULT_OWNS_ALL) return true;
    return planted.fault != FAULT_OWNS_NOTHING && hy_child_contains(planted.child.self, ptr, 1);
}

static bool check(void *instance) {
    (void)instance;
    return planted.fault != FAULT_CHECK_FAILS;
}

static bool stats(void *instance, hy_stats *out) {
    (void)instance;
    size_t used = planted.fault == FAULT_USED_IS_LOW ? 0 : SIZE_MAX;
    size_t overhead = planted.fault == FAULT_HOARDS ? 0 : SIZE_MAX;
    bool counts = planted.fault == FAULT_RESET_KEEPS_LESS;
    size_t capacity = !counts ? SIZE_MAX : planted.has_reset ? 0 : 16;
    *out = (hy_stats){capacity, used, overhead, SIZE_MAX, SIZE_MAX};
    return true;
}

static void watch(void *instance, hy_misuse_sink *sink) {
    (void)instance;
    planted.sink = sink;
}

static const hy_row_reports watched = {.watch = watch}, rests = {.rest_count = 64, .rest_bytes = 1 << 20},
                            rests_shortly = {.rest_count = 1, .rest_bytes = 1 << 10};

/* What the row says of its reports: nothing, but where the fault is about them. */
static const hy_row_reports *reports_of(fault which) {
    return which == FAULT_CRIES_WOLF       ? &watched
           : which == FAULT_REUSES_AT_ONCE ? &rests
           : which == FAULT_HOARDS         ? &rests_shortly
                                           : NULL;
}

typedef struct plant {
    const char *oracle;  /* that must find it */
    const char *finding; /* its kind */
    fault fault;
} plant;

static const plant plants[] = {
    {"child", "misuse", FAULT_FREES_WRONG_SIZE},
    {"refusal", "refusal", FAULT_SERVES_ANY_ALIGNMENT},
    {"ownership", "outside", FAULT_OWNS_NOTHING},
    {"ownership", "beyond", FAULT_OWNS_ALL},
    {"model", "content", FAULT_RESIZE_SCRIBBLES},
    {"liveness", "liveness", FAULT_REFUSES_LARGE},
    {"accounting", "account", FAULT_USED_IS_LOW},
    {"footprint", "footprint", FAULT_KEEPS_FREED},
    {"structure", "structure", FAULT_CHECK_FAILS},
    {"drain", "leak", FAULT_LOSES_A_BLOCK},
    {"misuse", "false_alarm", FAULT_CRIES_WOLF},
    {"quarantine", "reused", FAULT_REUSES_AT_ONCE},
    {"quarantine", "hoarded", FAULT_HOARDS},
    {"accounting", "account", FAULT_RESET_KEEPS_LESS},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What is run: a planted row, the oracles that look, and what the row promises. */
typedef struct attempt {
    fault fault;
    const char *oracles;
    hy_promises promises;
} attempt;

/* A block of each kind, one that is too much aligned, and memory that is freed and asked for again. */
static void run_history(const hy_row *row) {
    static const hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER,
                                               .resize_refusal = HY_BYTES_NEVER,
                                               .remap_refusal = HY_BYTES_NEVER}};
    hy_history history;
    hy_history_init(&history, hy_libc());
    const hy_op start[] = {{.kind = HY_OP_ALLOC, .slot = 0, .size = 40, .align_log2 = 3},
        {.kind = HY_OP_ALLOC, .slot = 1, .size = 200, .align_log2 = 4},
        {.kind = HY_OP_ALLOC, .slot = 2, .size = 16, .align_log2 = 6},
        {.kind = HY_OP_RESIZE, .slot = 0, .size = 48}, {.kind = HY_OP_CHECK}};
    bool whole = true;
    for (size_t i = 0; i < COUNT_OF(start); i++)
        whole = whole && hy_history_append(&history, start[i]);
    for (size_t i = 0; i < 40; i++) {
        hy_op again = {.kind = HY_OP_ALLOC, .slot = 3, .size = 2000, .align_log2 = 3}, end = again;
        end.kind = HY_OP_FREE;
        whole = whole && hy_history_append(&history, again) && hy_history_append(&history, end);
    }
    whole =
        whole && hy_history_append(&history, (hy_op){.kind = HY_OP_RESET, .size = HY_RESET_RETAIN_CAPACITY});
    assert_true(whole);
    hy_interpret(row, &header, &history);
    hy_history_deinit(&history);
}

static void run_attempt(const void *argument) {
    const attempt *tried = argument;
    char error[256];
    hy_traits own = tried->fault == FAULT_HOARDS             ? HY_TRAIT_QUARANTINES
                    : tried->fault == FAULT_RESET_KEEPS_LESS ? HY_TRAIT_BULK_RESET
                                                             : 0;
    const hy_row row = {
        .name = "planted",
        .group = HY_GROUP_STRATEGY,
        .summary = "hands its child's blocks on",
        .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | own,
        .greatest_align = {4},
        .default_child = "libc",
        .make = make,
        .destroy = destroy,
        .reset = reset,
        .owns = owns,
        .check = check,
        .stats = stats,
        .data = &tried->fault,
        .promises = tried->promises,
        .reports = reports_of(tried->fault),
    };
    if (!hy_oracles_choose(tried->oracles, error, sizeof error)) abort();
    run_history(&row);
}

/* What is found: its kind, or nothing. */
static void expect_found(const attempt *tried, const char *kind) {
    hy_verdict verdict;
    char wanted[40] = "";
    hy_verdict_of(run_attempt, tried, 20, &verdict);
    if (kind) snprintf(wanted, sizeof wanted, "finding: %s", kind);
    if (strcmp(verdict.key, wanted) != 0)
        fail_msg("fault %d with %s: found \"%s\", wanted \"%s\"", (int)tried->fault, tried->oracles,
            verdict.line, wanted);
}

static void each_oracle_finds_its_plant_and_misses_it_when_off(void **state) {
    (void)state;
    expect_found(&(attempt){.fault = FAULT_NONE, .oracles = ""}, NULL);
    for (size_t i = 0; i < COUNT_OF(plants); i++) {
        char off[32];
        snprintf(off, sizeof off, "-%s", plants[i].oracle);
        attempt tried = {.fault = plants[i].fault, .oracles = ""};
        expect_found(&tried, plants[i].finding);
        tried.oracles = plants[i].oracle;
        expect_found(&tried, plants[i].finding);
        tried.oracles = off;
        expect_found(&tried, NULL);
    }
}

/* The front door keeps the rules of zero for every row, so that no row can break them: here are what a broken
 * one would show. */
static void run_zero(const void *argument) {
    static _Alignas(16) unsigned char memory[16] = {7};
    const char *const *tried = argument;
    char error[256];
    const hy_row row = {.name = "front door"};
    static hy_child child;
    hy_run run = {.row = &row, .child = &child, .greatest = HY_ALIGN_16};
    hy_run_call call = {.kind = HY_OP_ALLOC, .zeroed = true, .size = 16, .align = HY_ALIGN_8, .ptr = memory};
    hy_event event = HY_ON_SERVED;
    if (strcmp(tried[1], "no zeros") != 0) call.zeroed = false;
    if (strcmp(tried[1], "not empty") == 0) call.size = 0;
    if (strcmp(tried[1], "not ended") == 0) {
        call = (hy_run_call){.kind = HY_OP_RESIZE, .before = {.size = 16, .live = true}};
        event = HY_ON_ENDED;
    }
    if (!hy_oracles_choose(tried[0], error, sizeof error)) abort();
    hy_live_begin();
    if (event == HY_ON_SERVED) hy_live_add(0, memory, call.size, call.align, SIZE_MAX);
    hy_oracles_see(HY_ON_BEGIN, &run, NULL);
    hy_oracles_see(event, &run, &call);
}

static void zero_finds_what_a_broken_front_door_shows(void **state) {
    (void)state;
    static const char *const plants_of_zero[] = {"no zeros", "not empty", "not ended"};
    for (size_t i = 0; i < COUNT_OF(plants_of_zero); i++) {
        hy_verdict verdict;
        const char *on[] = {"zero", plants_of_zero[i]}, *off[] = {"-zero", plants_of_zero[i]};
        hy_verdict_of(run_zero, on, 20, &verdict);
        assert_string_equal(verdict.key, "finding: zero");
        hy_verdict_of(run_zero, off, 20, &verdict);
        assert_string_equal(verdict.key, "");
    }
}

/* Those of the last two are in promises_test.c. */
static void every_oracle_has_a_plant(void **state) {
    (void)state;
    static const char *const elsewhere[] = {"zero", "promise", "differential", "race"};
    size_t count;
    const hy_oracle *const *oracles = hy_oracles(&count);
    for (size_t i = 0; i < count; i++) {
        bool has_plant = false;
        for (size_t e = 0; e < COUNT_OF(elsewhere); e++)
            has_plant = has_plant || strcmp(elsewhere[e], oracles[i]->name) == 0;
        for (size_t p = 0; p < COUNT_OF(plants); p++)
            has_plant = has_plant || strcmp(plants[p].oracle, oracles[i]->name) == 0;
        if (!has_plant) fail_msg("nothing is planted for %s", oracles[i]->name);
    }
}

/* What a row says it promises is what it is held to. */
static void promises_are_the_bounds(void **state) {
    (void)state;
    attempt kept = {.fault = FAULT_KEEPS_FREED, .oracles = "", .promises = {.footprint_factor = 40}};
    expect_found(&kept, NULL);
    kept.promises.footprint_factor = 10;
    expect_found(&kept, "footprint");
    attempt refuses = {.fault = FAULT_REFUSES_LARGE, .oracles = "", .promises = {.served_bytes = 100}};
    expect_found(&refuses, NULL);
    refuses.promises.served_bytes = 200;
    expect_found(&refuses, "liveness");
    refuses.promises.served_align = HY_ALIGN_2;
    expect_found(&refuses, NULL);
}

static void names_are_chosen_or_told(void **state) {
    (void)state;
    char error[256];
    assert_true(hy_oracles_choose(NULL, error, sizeof error));
    assert_true(hy_oracles_choose("model,liveness", error, sizeof error));
    assert_true(hy_oracles_choose("-model,-liveness", error, sizeof error));
    assert_false(hy_oracles_choose("model,livenes", error, sizeof error));
    assert_memory_equal(error, "no oracle livenes; there are child refusal ", 43);
    assert_non_null(strstr(error, " drain"));
    assert_false(hy_oracles_choose("-", error, sizeof error));
    assert_false(hy_oracles_choose("model,,child", error, sizeof error));
    char small[16];
    assert_false(hy_oracles_choose("nothing", small, sizeof small));
    assert_string_equal(small, "no oracle nothi");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_oracle_finds_its_plant_and_misses_it_when_off),
        cmocka_unit_test(zero_finds_what_a_broken_front_door_shows),
        cmocka_unit_test(every_oracle_has_a_plant),
        cmocka_unit_test(promises_are_the_bounds),
        cmocka_unit_test(names_are_chosen_or_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
