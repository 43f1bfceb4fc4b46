/* accounting.c: what the row counts about itself agrees with what is live.
 *
 *   account   the figures contradict each other, the blocks that are live, the capacity or the child; or more
 *             is used up than a block takes, or less comes back than it took
 */
#include "fuzz/finding.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"

/* What a limit loses at most where it is no multiple of what the row rounds to. */
#define KEPT_ROUNDING 16

static size_t greatest_capacity;      /* that was given */
static size_t used_at[HY_MARK_COUNT]; /* when the mark was taken */
static bool must_give_up;             /* the block about to change, of what it has behind its new end */
static size_t own_bytes;              /* of the child, that the row does not tell of */
static size_t calls_before[2];        /* of the child, as counted and as made, before the step */

static void note_calls(const hy_run *run) {
    calls_before[0] = run->now.calls_count;
    calls_before[1] = hy_child_calls(run->child) + run->child->counts.free_calls;
}

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    greatest_capacity = run->config.capacity;
    note_calls(run);
    size_t capacity = run->now.capacity_bytes, overhead = run->now.overhead_bytes;
    bool tells = capacity != SIZE_MAX && overhead != SIZE_MAX;
    own_bytes = run->child->counts.live_bytes - (tells ? capacity + overhead : 0);
}

/* After a restore no more is used than when the mark was taken; other operations use nothing up, but that
 * room may be made behind the rest of a chunk. */
static void special(const hy_run *run, const hy_run_call *call) {
    size_t used = run->now.used_bytes, before = run->before.used_bytes;
    if (run->config.capacity > greatest_capacity) greatest_capacity = run->config.capacity;
    if (!call->operation) {
        if (used != before)
            hy_finding("account", "another instance changed the bytes used from %zu to %zu", before, used);
        return;
    }
    if (!call->kept || used == SIZE_MAX) return;
    hy_effect effect = call->operation->effect;
    if (effect == HY_EFFECT_MARK) used_at[call->mark] = used;
    if (effect == HY_EFFECT_RESTORE && used > used_at[call->mark])
        hy_finding(
            "account", "%zu bytes are used after a restore, %zu were at the mark", used, used_at[call->mark]);
    if (effect == HY_EFFECT_RESTORE && used > before)
        hy_finding("account", "%zu bytes are used after a restore, %zu were before it", used, before);
    if (effect != HY_EFFECT_RESTORE && effect != HY_EFFECT_ROOM && used != before)
        hy_finding(
            "account", "%s changed the bytes used from %zu to %zu", call->operation->name, before, used);
}

/* What a row rounds a size up to, where it says that blocks lie one behind the other. */
static size_t unit_of(const hy_run *run, hy_align align) {
    size_t unit = hy_align_bytes(align) <= HY_RUN_GRAIN_MAX ? hy_align_bytes(align) : 1;
    return unit > run->promises.fit_grain ? unit : run->promises.fit_grain;
}

/* A block takes its size, rounded up, and what aligns it; ASan's granules are of addresses. */
static void check_taken(const hy_run *run, const hy_run_call *call) {
    size_t unit = unit_of(run, call->align), taken = run->now.used_bytes - run->before.used_bytes;
    uint64_t start = (uintptr_t)call->ptr, rounded = (call->size + unit - 1) / unit * unit;
    uint64_t end = (start + rounded + HY_RUN_GRANULE - 1) / HY_RUN_GRANULE * HY_RUN_GRANULE;
    uint64_t most = end - start + hy_align_bytes(call->align) - 1;
    if (run->now.used_bytes > run->before.used_bytes && taken > most)
        hy_finding("account", "a block of %ju bytes at 2^%u used up %zu", (uintmax_t)call->size,
            call->align.log2, taken);
}

/* Where the last block's memory comes back, so does what it gives up. */
static void check_shrunk(const hy_run *run, const hy_run_call *call) {
    const hy_live_block *block = &call->before;
    if (!must_give_up || (uintptr_t)call->ptr != block->address || call->size >= block->size) return;
    uint64_t less = block->size - call->size, kept = unit_of(run, call->align) - 1 + HY_RUN_GRANULE - 1;
    uint64_t used = run->now.used_bytes;
    if (used + less > run->before.used_bytes + kept)
        hy_finding("account", "%ju bytes are used after the newest block gave up %ju, %zu were before",
            (uintmax_t)used, (uintmax_t)less, run->before.used_bytes);
}

static void before(const hy_run *run, const hy_run_call *call) {
    must_give_up = hy_run_has(run, HY_TRAIT_FREE_LAST) && hy_run_is_last(run, call);
}

static void served(const hy_run *run, const hy_run_call *call) {
    if (!run->promises.fit_grain || run->now.used_bytes == SIZE_MAX || call->size == 0) return;
    if (run->now.capacity_bytes != run->before.capacity_bytes) return; /* the rest of a chunk may be lost */
    if (call->kind == HY_OP_ALLOC)
        check_taken(run, call);
    else
        check_shrunk(run, call);
}

/* Where the row gives the last block's memory back, it counts no more than before that block. */
static void ended(const hy_run *run, const hy_run_call *call) {
    const hy_live_block *block = &call->before;
    if (call->kind != HY_OP_FREE || block->size == 0 || !call->of_top) return;
    if (!hy_run_has(run, HY_TRAIT_FREE_LAST) || block->serial <= run->newest.changed) return;
    bool whole = run->promises.returns_padding && block->serial == run->newest.last;
    size_t padding = whole ? 0 : hy_align_bytes(call->align) - 1 + hy_run_slack_behind(call->align);
    size_t used = run->now.used_bytes;
    if (used != SIZE_MAX && used > block->used_before && used - block->used_before > padding)
        hy_finding("account", "%zu bytes are used after the newest block was freed, %zu were before it", used,
            block->used_before);
}

static void reset(const hy_run *run, const hy_run_call *call) {
    size_t used = run->now.used_bytes, capacity = run->now.capacity_bytes;
    if (used != 0 && used != SIZE_MAX) hy_finding("account", "%zu bytes are used after a reset", used);
    bool limited = call->mode == HY_RESET_RETAIN_WITH_LIMIT && !hy_run_has(run, HY_TRAIT_FIXED_CAPACITY);
    if (limited && capacity != SIZE_MAX && capacity > call->size)
        hy_finding(
            "account", "%zu bytes are kept by a reset to at most %ju", capacity, (uintmax_t)call->size);
    size_t least = run->before.capacity_bytes < call->size ? run->before.capacity_bytes : (size_t)call->size;
    if (limited && call->kept && capacity != SIZE_MAX && capacity + KEPT_ROUNDING <= least)
        hy_finding("account", "a reset says that it kept up to %zu bytes, it has kept %zu", least, capacity);
    bool keeps_all = call->mode == HY_RESET_RETAIN_CAPACITY && call->kept && capacity != SIZE_MAX;
    if (keeps_all && capacity < run->before.capacity_bytes)
        hy_finding("account", "a reset says that it kept all %zu bytes, it has kept %zu",
            run->before.capacity_bytes, capacity);
}

static void check_used(const hy_run *run, size_t used) {
    uint64_t live = hy_live_bytes();
    if (used < live)
        hy_finding("account", "%zu bytes are said to be used, %ju are live", used, (uintmax_t)live);
    if (run->now.capacity_bytes != SIZE_MAX && used > run->now.capacity_bytes)
        hy_finding("account", "%zu bytes are used of a capacity of %zu", used, run->now.capacity_bytes);
    if (run->now.high_water_bytes < used)
        hy_finding("account", "high water %zu is below the %zu used", run->now.high_water_bytes, used);
    if (used && live == 0 && hy_run_has(run, HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE))
        hy_finding("account", "%zu bytes are said to be used, nothing is live", used);
}

static void check_capacity(const hy_run *run, size_t capacity) {
    bool fixed = hy_run_has(run, HY_TRAIT_FIXED_CAPACITY) && !hy_run_has(run, HY_TRAIT_FIXED_BLOCK);
    if (fixed && capacity > greatest_capacity)
        hy_finding("account", "a capacity of %zu is said, %zu was given", capacity, greatest_capacity);
    size_t given = run->child->counts.live_bytes;
    if (run->on_child && capacity > given)
        hy_finding("account", "a capacity of %zu is said, the child gave %zu", capacity, given);
}

/* Whether what the row counts of its source is about the child that was given, and its own. */
static bool counts_child(const hy_run *run) {
    return run->row->default_child && run->config.child.vtable && !run->row->stack;
}

/* Each call of the child is counted, and nothing else is; other instances make calls, too. */
static void check_calls(const hy_run *run) {
    size_t counted = run->now.calls_count - calls_before[0];
    size_t made = hy_child_calls(run->child) + run->child->counts.free_calls - calls_before[1];
    if (run->now.calls_count == SIZE_MAX || run->kind == HY_OP_SPECIAL) return;
    if (counted != made)
        hy_finding("account", "%zu calls of the child were counted, %zu were made", counted, made);
}

/* What is held of the child is capacity or overhead; what hands blocks on may count both otherwise. */
static void check_held(const hy_run *run) {
    size_t capacity = run->now.capacity_bytes, overhead = run->now.overhead_bytes;
    if (capacity == SIZE_MAX || overhead == SIZE_MAX || run->row->keeps & HY_TRAIT_REAL_FREE) return;
    size_t held = run->child->counts.live_bytes;
    if (held > own_bytes && held - own_bytes > capacity + overhead)
        hy_finding("account", "%zu bytes of the child are held, %zu are told of", held - own_bytes,
            capacity + overhead);
}

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (run->now.used_bytes != SIZE_MAX) check_used(run, run->now.used_bytes);
    if (run->now.capacity_bytes != SIZE_MAX) check_capacity(run, run->now.capacity_bytes);
    if (!counts_child(run)) return;
    check_calls(run);
    check_held(run);
    note_calls(run);
}

const hy_oracle hy_accounting_oracle = {
    .name = "accounting",
    .summary = "what the row counts about itself agrees with what is live",
    .on = {[HY_ON_MADE] = made,
        [HY_ON_BEFORE] = before,
        [HY_ON_SERVED] = served,
        [HY_ON_ENDED] = ended,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_STEP] = step},
};
