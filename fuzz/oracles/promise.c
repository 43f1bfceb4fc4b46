/* promise.c: what a row tells of its calls equals what happened.
 *
 *   promise   a number, a size of a block, a call told one by one, or an answer is another than it must be;
 * or a high water sinks
 *
 * It keeps a tally of the calls that came to the row's four functions (call_tap.h) and compares after each of
 * a history's operations. What a row does not tell is not looked at. How the child was asked is judged where
 * the row stands on it directly.
 */
#include "allocators/core/thread_number.h"
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static const char *const names[HY_TOLD_NUMBER_COUNT] = {
    [HY_TOLD_ALLOCS] = "allocations served",
    [HY_TOLD_RESIZES] = "resizes done",
    [HY_TOLD_REMAPS] = "remaps done",
    [HY_TOLD_FREES] = "frees",
    [HY_TOLD_REFUSED_ALLOCS] = "allocations refused",
    [HY_TOLD_REFUSED_RESIZES] = "resizes refused",
    [HY_TOLD_REFUSED_REMAPS] = "remaps refused",
    [HY_TOLD_ALLOC_CALLS] = "allocations asked for",
    [HY_TOLD_CHANGE_CALLS] = "resizes and remaps asked for",
    [HY_TOLD_LIVE_BLOCKS] = "blocks live",
    [HY_TOLD_LIVE_BYTES] = "bytes live",
    [HY_TOLD_PEAK_BYTES] = "bytes live at most",
    [HY_TOLD_TOTAL_BYTES] = "bytes served in all",
    [HY_TOLD_BACK_BYTES] = "bytes given back in all",
    [HY_TOLD_BUDGET_BYTES] = "bytes of the budget left",
    [HY_TOLD_OWN_REFUSALS] = "calls made to fail",
    [HY_TOLD_FINDINGS] = "findings of misuse",
    [HY_TOLD_CALLS] = "calls told one by one",
};

#define LOOKS_A_TELLING 16

static struct {
    uint64_t numbers[HY_TOLD_NUMBER_COUNT]; /* what must be told */
    uint64_t sizes[HY_TOLD_BUCKETS];
    unsigned looks;          /* since the instance was made */
    uint64_t seen;           /* calls of the tap that are in the tally */
    uint64_t stamp;          /* the last one that was told; UINT64_MAX: none */
    size_t high_water_bytes; /* the greatest that was said, or was used */
    hy_told told;            /* after the last call */
} state;

/* The process' first thread has number 0, as has one that forgets to say who it is: so another number. */
static void number_thread(void) {
    if (hy_thread_number() != 0) return;
    hy_thread_number_plus_one = 0;
    (void)hy_thread_number();
}

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    memset(state.numbers, 0, sizeof state.numbers);
    memset(state.sizes, 0, sizeof state.sizes);
    state.seen = 0;
    state.stamp = UINT64_MAX;
    state.high_water_bytes = 0;
}

static unsigned bucket_of(uint64_t size) {
    unsigned bucket = 0;
    while (((uint64_t)1 << bucket) < size)
        bucket++;
    return bucket;
}

/* A block has more or less bytes than before. */
static void tally_bytes(uint64_t old_size, uint64_t new_size) {
    uint64_t *numbers = state.numbers;
    numbers[HY_TOLD_LIVE_BYTES] += new_size - old_size;
    if (new_size > old_size)
        numbers[HY_TOLD_TOTAL_BYTES] += new_size - old_size;
    else
        numbers[HY_TOLD_BACK_BYTES] += old_size - new_size;
    if (numbers[HY_TOLD_LIVE_BYTES] > numbers[HY_TOLD_PEAK_BYTES])
        numbers[HY_TOLD_PEAK_BYTES] = numbers[HY_TOLD_LIVE_BYTES];
}

static void tally(const hy_call *call) {
    static const hy_told_number served[] = {HY_TOLD_ALLOCS, HY_TOLD_RESIZES, HY_TOLD_REMAPS, HY_TOLD_FREES};
    static const hy_told_number refused[] = {
        HY_TOLD_REFUSED_ALLOCS, HY_TOLD_REFUSED_RESIZES, HY_TOLD_REFUSED_REMAPS};
    state.numbers[HY_TOLD_ALLOC_CALLS] += call->kind == HY_CALL_ALLOC;
    state.numbers[HY_TOLD_CHANGE_CALLS] += call->kind == HY_CALL_RESIZE || call->kind == HY_CALL_REMAP;
    state.numbers[call->refused ? refused[call->kind] : served[call->kind]]++;
    if (call->refused) return;
    tally_bytes(call->old_size, call->new_size);
    if (call->kind == HY_CALL_ALLOC) state.sizes[bucket_of(call->new_size)]++;
    if (call->kind == HY_CALL_ALLOC) state.numbers[HY_TOLD_LIVE_BLOCKS]++;
    if (call->kind == HY_CALL_FREE) state.numbers[HY_TOLD_LIVE_BLOCKS]--;
}

/* ---- which answer a call must have ---- */

static uint64_t budget_of(const hy_run *run) {
    uint64_t capacity = run->config.capacity, live = state.numbers[HY_TOLD_LIVE_BYTES];
    return capacity > live ? capacity - live : 0;
}

static bool is_over_budget(const hy_run *run, const hy_call *call) {
    if (state.told.numbers[HY_TOLD_BUDGET_BYTES] == HY_TOLD_NOT || call->new_size <= call->old_size)
        return false;
    return call->new_size - call->old_size > budget_of(run);
}

/* Whether the row said at the beginning that a call of this index fails. Before it is in the tally. */
static bool is_made_to_fail(const hy_call *call) {
    const hy_told_failure *failure = &state.told.failure;
    bool allocates = call->kind == HY_CALL_ALLOC;
    uint64_t at = allocates ? failure->alloc_at : failure->change_at;
    uint64_t index = state.numbers[allocates ? HY_TOLD_ALLOC_CALLS : HY_TOLD_CHANGE_CALLS];
    return call->kind != HY_CALL_FREE && (failure->once ? index == at : index >= at);
}

static void expect_refused(const hy_tapped_call *tapped, const char *why) {
    const hy_call *call = &tapped->call;
    if (!call->refused)
        hy_finding("promise", "%zu bytes instead of %zu were served although %s", call->new_size,
            call->old_size, why);
    if (tapped->child_calls != 0) hy_finding("promise", "the child was asked although %s", why);
}

static bool is_asked_alike(const hy_call *call, const hy_call *below) {
    return below->kind == call->kind && below->ptr == call->ptr && below->old_size == call->old_size &&
           below->new_size == call->new_size && below->align.log2 == call->align.log2;
}

/* One call of the child's, as it came, and its answer. */
static void expect_passed_on(const hy_run *run, const hy_tapped_call *tapped) {
    const hy_call *call = &tapped->call;
    if (call->kind == HY_CALL_FREE || run->row->stack || !run->config.child.vtable) return;
    if (call->refused && tapped->child_calls == 0 && state.told.failure.by_chance) {
        state.numbers[HY_TOLD_OWN_REFUSALS]++;
        return;
    }
    if (tapped->child_calls != 1)
        hy_finding(
            "promise", "a call of %zu bytes became %zu of the child", call->new_size, tapped->child_calls);
    if (!is_asked_alike(call, &tapped->child_call))
        hy_finding("promise", "a call of %zu bytes at 2^%u came to the child as another, of %zu at 2^%u",
            call->new_size, call->align.log2, tapped->child_call.new_size, tapped->child_call.align.log2);
    if (call->refused != tapped->child_refused)
        hy_finding("promise", "%zu bytes were %s, and the child %s them", call->new_size,
            call->refused ? "refused" : "served", tapped->child_refused ? "refused" : "served");
}

static void judge_answer(const hy_run *run, const hy_tapped_call *tapped) {
    const hy_call *call = &tapped->call;
    uint64_t room = state.told.room_bytes;
    if (is_over_budget(run, call)) {
        expect_refused(tapped, "they are above the budget");
    } else if (is_made_to_fail(call)) {
        expect_refused(tapped, "this call is made to fail");
        state.numbers[HY_TOLD_OWN_REFUSALS]++;
    } else if (state.told.passes_on) {
        expect_passed_on(run, tapped);
    }
    bool fits = call->kind == HY_CALL_ALLOC && call->align.log2 == 0 && call->new_size <= room;
    if (room != HY_TOLD_NOT && fits && (call->refused || tapped->child_calls != 0))
        hy_finding("promise", "%zu bytes were %s although there is room for %ju", call->new_size,
            call->refused ? "refused" : "asked of the child", (uintmax_t)room);
}

/* ---- what is told ---- */

/* By whom, and in which order; where that is told. */
static void compare_order(const hy_call *told) {
    if (told->thread != UINT32_MAX && told->thread != hy_thread_number())
        hy_finding(
            "promise", "a call is told to be of thread %u, and was of %u", told->thread, hy_thread_number());
    if (told->began == UINT64_MAX) return;
    bool follows = state.stamp == UINT64_MAX || told->began > state.stamp;
    bool ends = told->kind == HY_CALL_FREE ? told->ended == told->began : told->ended > told->began;
    if (!follows || !ends)
        hy_finding("promise", "a call is told to have begun at %ju and ended at %ju, the last one at %ju",
            (uintmax_t)told->began, (uintmax_t)told->ended, (uintmax_t)state.stamp);
    state.stamp = told->ended;
}

static bool is_same_call(const hy_call *told, const hy_call *made) {
    return told->kind == made->kind && told->align.log2 == made->align.log2 &&
           told->refused == made->refused && told->ptr == made->ptr && told->result == made->result &&
           told->old_size == made->old_size && told->new_size == made->new_size;
}

static void compare_call(const hy_told *told, const hy_call *made) {
    static const char *const kinds[] = {"alloc", "resize", "remap", "free", "nothing"};
    if (told->refusals_only && !made->refused) return;
    uint64_t index = state.numbers[HY_TOLD_CALLS]++;
    if (index >= told->numbers[HY_TOLD_CALLS])
        hy_finding("promise", "%ju calls are told of, a %s is missing",
            (uintmax_t)told->numbers[HY_TOLD_CALLS], kinds[made->kind]);
    const hy_call *as_told = &told->calls[index % HY_TOLD_LAST];
    if (!is_same_call(as_told, made))
        hy_finding("promise",
            "%s of %zu instead of %zu bytes at 2^%u, %s, is told as %s of %zu instead of %zu at 2^%u, %s",
            kinds[made->kind], made->new_size, made->old_size, made->align.log2,
            made->refused ? "refused" : "served", kinds[as_told->kind], as_told->new_size, as_told->old_size,
            as_told->align.log2, as_told->refused ? "refused" : "served");
    compare_order(as_told);
}

static void compare_numbers(const hy_run *run, const hy_told *told) {
    state.numbers[HY_TOLD_BUDGET_BYTES] = budget_of(run);
    for (size_t i = 0; i < HY_TOLD_NUMBER_COUNT; i++) {
        uint64_t mine = state.numbers[i], its = told->numbers[i];
        if (its == HY_TOLD_NOT || its == mine) continue;
        if (i == HY_TOLD_PEAK_BYTES && its < mine && mine - its < told->peak_slack) continue;
        /* Of what is refused by chance, only a child of one's own shows whose refusal it was. */
        if (i == HY_TOLD_OWN_REFUSALS && told->failure.by_chance && run->row->stack) continue;
        hy_finding("promise", "%s: %ju are told, there were %ju", names[i], (uintmax_t)its, (uintmax_t)mine);
    }
    if (told->sizes[0] == HY_TOLD_NOT || memcmp(told->sizes, state.sizes, sizeof state.sizes) == 0) return;
    for (unsigned i = 0; i < HY_TOLD_BUCKETS; i++) {
        if (told->sizes[i] != state.sizes[i])
            hy_finding("promise", "%ju blocks of up to 2^%u bytes are told, there were %ju",
                (uintmax_t)told->sizes[i], i, (uintmax_t)state.sizes[i]);
    }
}

/* Takes what passed since the last time into the tally, and compares; where telling takes long, after one
 * operation of so many, and when all is looked at. */
static void look(const hy_run *run, bool at_all) {
    if (!run->tap) return;
    uint64_t first = state.seen;
    for (; state.seen < run->tap->count; state.seen++) {
        judge_answer(run, hy_call_tap_at(run->tap, state.seen));
        tally(&hy_call_tap_at(run->tap, state.seen)->call);
    }
    if (!run->row->tells || (state.told.takes_long && !at_all && state.looks++ % LOOKS_A_TELLING != 0))
        return;
    hy_instance_tell(&run->instance, &state.told);
    for (; state.told.calls && first < state.seen; first++)
        compare_call(&state.told, &hy_call_tap_at(run->tap, first)->call);
    compare_numbers(run, &state.told);
}

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    hy_told_clear(&state.told);
    state.looks = 0;
    if (run->is_made) look(run, true);
    if (state.told.calls) number_thread();
}

/* The greatest use that was ever said stays said; an allocation, which uses most at its end, raises it no
 * further than that. */
static void look_at_high_water(const hy_run *run, bool allocated) {
    size_t used = run->now.used_bytes, high_water = run->now.high_water_bytes;
    if (high_water == SIZE_MAX) return;
    size_t least = state.high_water_bytes;
    if (least > high_water && least - high_water >= state.told.peak_slack)
        hy_finding("promise", "a high water of %zu bytes is said, it was %zu", high_water, least);
    if (allocated && used != SIZE_MAX && high_water > used && high_water > least)
        hy_finding("promise", "a high water of %zu bytes is said, no more than %zu were used", high_water,
            used > least ? used : least);
    state.high_water_bytes = used != SIZE_MAX && used > high_water ? used : high_water;
}

static void look_at_block(const hy_run *run, const hy_live_block *block) {
    size_t size;
    hy_align align;
    if (!block->live || block->size == 0) return;
    if (!hy_instance_tell_block(&run->instance, (const void *)block->address, &size, &align)) return;
    if (size != block->size || align.log2 != block->align_log2)
        hy_finding("promise", "a block of %ju bytes at 2^%u is told to have %zu at 2^%u",
            (uintmax_t)block->size, block->align_log2, size, align.log2);
}

static void before(const hy_run *run, const hy_run_call *call) {
    if (call->kind != HY_OP_CHECK) return;
    look(run, true);
    if (!run->row->tells_block) return;
    for (size_t i = 0; i < hy_live_count(); i++)
        look_at_block(run, hy_live_at(hy_live_by_address(i)));
}

static void called(const hy_run *run, const hy_run_call *call) {
    look(run, false);
    look_at_high_water(run, call->kind == HY_OP_ALLOC);
    if (run->row->tells_block && call->kind != HY_OP_FREE) look_at_block(run, hy_live_at(call->slot));
}

/* All blocks ended at once. */
static void reset(const hy_run *run, const hy_run_call *call) {
    (void)call;
    state.numbers[HY_TOLD_LIVE_BYTES] = state.numbers[HY_TOLD_LIVE_BLOCKS] = 0;
    look(run, false);
    look_at_high_water(run, false);
}

/* An operation may put a new allocator in the place of the old one, which has seen nothing yet. */
static void special(const hy_run *run, const hy_run_call *call) {
    look(run, false);
    if (call->operation && call->operation->effect == HY_EFFECT_NONE) state.high_water_bytes = 0;
    look_at_high_water(run, false);
}

const hy_oracle hy_promise_oracle = {
    .name = "promise",
    .summary = "what a row tells of its calls equals what happened",
    .on = {[HY_ON_BEGIN] = begin,
        [HY_ON_MADE] = made,
        [HY_ON_BEFORE] = before,
        [HY_ON_SERVED] = called,
        [HY_ON_REFUSED] = called,
        [HY_ON_ENDED] = called,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special},
};
