/* promises_test.c: a row that tells something else than what happened is found by `promise`, one that answers
 * otherwise than the row it is promised to be like by `differential`, each alone too, and by nothing else.
 */
#include "fuzz/attempt.h"
#include "fuzz/interpreter.h"
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include "fuzz/outcomes.h"
#include "fuzz/properties.h"
#include "fuzz/seed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- rows that tell something else ---- */

/* Which number is told one too high. */
static hy_told_number wrong_number;
static const hy_row *clean_row;

static void tells_one_more(void *state, hy_told *out) {
    clean_row->tells(state, out);
    out->numbers[wrong_number]++;
}

static void tells_other_size(void *state, hy_told *out) {
    clean_row->tells(state, out);
    out->sizes[3]++;
}

static void tells_too_low_a_peak(void *state, hy_told *out) {
    clean_row->tells(state, out);
    uint64_t *peak = &out->numbers[HY_TOLD_PEAK_BYTES];
    *peak = *peak > out->peak_slack ? *peak - out->peak_slack - 1 : 0;
}

static void tells_more_room(void *state, hy_told *out) {
    clean_row->tells(state, out);
    out->room_bytes++;
}

static void tells_of_a_later_failure(void *state, hy_told *out) {
    clean_row->tells(state, out);
    out->failure.alloc_at++;
}

static void tells_of_an_earlier_failure(void *state, hy_told *out) {
    clean_row->tells(state, out);
    out->failure.change_at = 0;
}

/* The last call that was told is told with a change. */
static void (*change_call)(hy_call *call);

static void tells_other_call(void *state, hy_told *out) {
    static hy_call calls[HY_TOLD_LAST];
    clean_row->tells(state, out);
    memcpy(calls, out->calls, sizeof calls);
    if (out->numbers[HY_TOLD_CALLS] > 0)
        change_call(&calls[(out->numbers[HY_TOLD_CALLS] - 1) % HY_TOLD_LAST]);
    out->calls = calls;
}

static void other_size(hy_call *call) {
    call->new_size++;
}

static void other_align(hy_call *call) {
    call->align.log2++;
}

static void other_answer(hy_call *call) {
    call->refused = !call->refused;
}

static void other_kind(hy_call *call) {
    call->kind = HY_TOLD_GARBLED;
}

static void other_thread(hy_call *call) {
    call->thread = 0;
}

static void other_stamp(hy_call *call) {
    call->ended = call->began;
}

static void tells_block_wrong(void *state, const void *block, size_t *size, hy_align *align) {
    clean_row->tells_block(state, block, size, align);
    *size += 1;
}

static bool stats_sink(void *state, hy_stats *out) {
    bool good = clean_row->stats(state, out);
    if (out->used_bytes == 0) out->high_water_bytes = 0;
    return good;
}

static bool stats_rise(void *state, hy_stats *out) {
    bool good = clean_row->stats(state, out);
    if (out->used_bytes > 8) out->high_water_bytes++;
    return good;
}

/* Where the child is asked twice, or not at all. */
static hy_allocator planted_child;

static void *asks_twice(void *self, size_t size, hy_align align) {
    (void)self;
    void *wasted = planted_child.vtable->alloc(planted_child.self, 8, HY_ALIGN_8);
    if (wasted) planted_child.vtable->free(planted_child.self, wasted, 8, HY_ALIGN_8);
    return planted_child.vtable->alloc(planted_child.self, size, align);
}

static bool resizes(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    return planted_child.vtable->resize(planted_child.self, ptr, old_size, new_size, align);
}

static void *remaps(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    return planted_child.vtable->remap(planted_child.self, ptr, old_size, new_size, align);
}

/* Where the child is asked something else. */
static void *remaps_in_place(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return resizes(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void *serves(void *self, size_t size, hy_align align) {
    (void)self;
    return planted_child.vtable->alloc(planted_child.self, size, align);
}

/* Serves as long as it likes. */
static void *refuses_large(void *self, size_t size, hy_align align) {
    return size > 1000 ? NULL : serves(self, size, align);
}

/* One that is aligned by more than it was asked. */
static void *aligns_more(void *self, size_t size, hy_align align) {
    return serves(self, size, align.log2 < 5 ? hy_align_from_log2(6) : align);
}

static void frees(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    planted_child.vtable->free(planted_child.self, ptr, size, align);
}

static const hy_vtable asks_twice_vtable = {asks_twice, resizes, remaps, frees};
static const hy_vtable refuses_remap_vtable = {serves, resizes, hy_refuse_remap, frees};
static const hy_vtable remaps_in_place_vtable = {serves, resizes, remaps_in_place, frees};
static const hy_vtable plain_vtable = {serves, resizes, remaps, frees};
static const hy_vtable refuses_large_vtable = {refuses_large, resizes, remaps, frees};

static void *make_planted(const hy_row *row, const hy_config *config, hy_allocator *out) {
    planted_child = config->child;
    *out = (hy_allocator){&planted_child, row->data};
    return &planted_child;
}

static void destroy_planted(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static void passes_on(void *state, hy_told *out) {
    (void)state;
    out->passes_on = true;
}

/* A budget that is not kept. */
static void has_budget(void *state, hy_told *out) {
    (void)state;
    out->numbers[HY_TOLD_BUDGET_BYTES] = 0;
}

typedef struct plant {
    const char *row;
    void (*tells)(void *, hy_told *);
    hy_told_number number; /* of tells_one_more */
    void (*change)(hy_call *);
    void (*tells_block)(void *, const void *, size_t *, hy_align *);
    bool (*stats)(void *, hy_stats *);
    const hy_vtable *vtable; /* a row of its own that hands calls on so */
    const char *seed;
} plant;

#define SOME "child grows\nalloc 0 8\nalloc 1 30\nresize 1 40\nremap 1 60\nfree 0\ncheck\n"

static const plant plants[] = {
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_ALLOCS, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_RESIZES, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_REMAPS, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_FREES, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_REFUSED_ALLOCS, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_REFUSED_RESIZES, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_REFUSED_REMAPS, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_LIVE_BYTES, .seed = SOME},
    {.row = "counting", .tells = tells_one_more, .number = HY_TOLD_PEAK_BYTES, .seed = SOME},
    {.row = "counting_shared", .tells = tells_one_more, .number = HY_TOLD_TOTAL_BYTES, .seed = SOME},
    {.row = "counting_shared", .tells = tells_too_low_a_peak, .seed = "alloc 0 40000\n"},
    {.row = "counting", .tells = tells_other_size, .seed = SOME},
    {.row = "smp_heap", .tells = tells_one_more, .number = HY_TOLD_LIVE_BLOCKS, .seed = SOME},
    {.row = "failing", .tells = tells_one_more, .number = HY_TOLD_ALLOC_CALLS, .seed = SOME},
    {.row = "failing", .tells = tells_one_more, .number = HY_TOLD_CHANGE_CALLS, .seed = SOME},
    {.row = "failing", .tells = tells_one_more, .number = HY_TOLD_BACK_BYTES, .seed = SOME},
    {.row = "failing", .tells = tells_one_more, .number = HY_TOLD_OWN_REFUSALS, .seed = SOME},
    {.row = "failing", .tells = tells_of_a_later_failure, .seed = "options 1\nalloc 0 8\n"},
    {.row = "failing", .tells = tells_of_an_earlier_failure, .seed = SOME},
    {.row = "limited", .tells = tells_one_more, .number = HY_TOLD_BUDGET_BYTES, .seed = SOME},
    {.row = "limited_shared", .tells = tells_one_more, .number = HY_TOLD_LIVE_BYTES, .seed = SOME},
    {.row = "testing", .tells = tells_one_more, .number = HY_TOLD_FINDINGS, .seed = SOME},
    {.row = "recording", .tells = tells_other_call, .change = other_size, .seed = SOME},
    {.row = "recording", .tells = tells_other_call, .change = other_thread, .seed = SOME},
    {.row = "recording", .tells = tells_other_call, .change = other_stamp, .seed = SOME},
    {.row = "logging", .tells = tells_other_call, .change = other_align, .seed = SOME},
    {.row = "logging", .tells = tells_other_call, .change = other_answer, .seed = SOME},
    {.row = "logging", .tells = tells_other_call, .change = other_kind, .seed = SOME},
    {.row = "logging", .tells = tells_one_more, .number = HY_TOLD_CALLS, .seed = SOME},
    {.row = "stack_fallback", .tells = tells_more_room, .seed = "alloc 0 4097 align 1\n"},
    {.row = "headered", .tells_block = tells_block_wrong, .seed = "alloc 0 8\n"},
    {.row = "limited", .stats = stats_sink, .seed = "alloc 0 8\nfree 0\n"},
    {.row = "limited", .stats = stats_rise, .seed = "alloc 0 8\nalloc 1 8\n"},
    {.row = "thread_safe", .tells = passes_on, .vtable = &asks_twice_vtable, .seed = SOME},
    {.row = "thread_safe", .tells = passes_on, .vtable = &refuses_remap_vtable, .seed = SOME},
    {.row = "thread_safe", .tells = passes_on, .vtable = &remaps_in_place_vtable, .seed = SOME},
    {.row = "thread_safe", .tells = has_budget, .vtable = &plain_vtable, .seed = SOME},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static hy_row planted(const plant *from) {
    hy_row row = *clean_row;
    if (from->tells) row.tells = from->tells;
    if (from->tells_block) row.tells_block = from->tells_block;
    if (from->stats) row.stats = from->stats;
    if (!from->vtable) return row;
    row.data = from->vtable;
    row.make = make_planted;
    row.destroy = destroy_planted;
    row.operation_count = 0;
    return row;
}

static void what_is_told_is_what_happened(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plants); i++) {
        clean_row = hy_registry_find(plants[i].row);
        wrong_number = plants[i].number;
        change_call = plants[i].change;
        hy_row row = planted(&plants[i]);
        expect((attempt){"conform", clean_row, "", plants[i].seed}, "");
        expect((attempt){"conform", &row, "promise", plants[i].seed}, "finding: promise");
        expect((attempt){"conform", &row, "", plants[i].seed}, "finding: promise");
        expect((attempt){"conform", &row, "-promise", plants[i].seed}, "");
    }
}

/* ---- rows that are promised to be like another ---- */

/* A decorator over each strategy, and a form of a plain one. */
static void what_is_alike_answers_alike(void **state) {
    (void)state;
    static const hy_vtable aligns_more_vtable = {aligns_more, resizes, remaps, frees};
    const char *small = "alloc 0 8\nalloc 1 8 align 1\n", *large = "alloc 0 8\nalloc 1 1500\n";
    clean_row = hy_registry_find("thread_safe");
    hy_row row = planted(&(plant){.tells = passes_on, .vtable = &plain_vtable});
    expect((attempt){"differ", &row, "", small}, "");
    expect((attempt){"differ", &row, "", large}, "");
    row.data = &refuses_large_vtable;
    expect((attempt){"differ", &row, "differential", large}, "finding: differs");
    expect((attempt){"differ", &row, "-differential,-liveness", large}, "");
    row.data = &aligns_more_vtable;
    expect((attempt){"differ", &row, "differential", small}, "finding: differs");
    expect((attempt){"differ", &row, "-differential,-accounting", small}, "");
    row.alike = HY_LIKE_CHILD;
    expect((attempt){"differ", &row, "differential", large}, "finding: differs"); /* more is used */
    row.form_of = "counting";
    row.alike = HY_LIKE_SERVED;
    row.data = &refuses_large_vtable;
    expect((attempt){"differ", &row, "differential", large}, "finding: differs");
    row.alike = 0;
    expect((attempt){"differ", &row, "differential", large}, "");
    row.data = &aligns_more_vtable;
    row.alike = HY_LIKE_PLACES;
    expect((attempt){"differ", &row, "differential", small}, "finding: differs");
    expect((attempt){"differ", &row, "differential", "alloc 0 8 align 64\nfree 0\n"}, "");
}

static void runs_that_are_not_compared_find_nothing(void **state) {
    (void)state;
    clean_row = hy_registry_find("thread_safe");
    hy_row row = planted(&(plant){.tells = passes_on, .vtable = &refuses_large_vtable});
    expect((attempt){"conform", &row, "differential", "alloc 0 1500\n"}, "");
}

/* Rows name rows that there are, and nothing else. */
static void forms_are_of_known_rows(void **state) {
    (void)state;
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i]->form_of) assert_non_null(hy_registry_near(rows[i], rows[i]->form_of));
        bool promises = rows[i]->form_of || rows[i]->alike & HY_LIKE_CHILD;
        if (!promises && rows[i]->alike != 0) fail_msg("%s is like nothing", rows[i]->name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_what_happened),
        cmocka_unit_test(what_is_alike_answers_alike),
        cmocka_unit_test(runs_that_are_not_compared_find_nothing),
        cmocka_unit_test(forms_are_of_known_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
