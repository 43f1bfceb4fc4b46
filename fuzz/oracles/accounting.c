/* accounting.c: what the row counts about itself agrees with what is live.
 *
 *   account   the figures contradict each other, the blocks that are live, the capacity or the child
 */
#include "fuzz/finding.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"

static size_t greatest_capacity;      /* that was given */
static size_t used_at[HY_MARK_COUNT]; /* when the mark was taken */

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    greatest_capacity = run->config.capacity;
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
    if (effect != HY_EFFECT_RESTORE && effect != HY_EFFECT_ROOM && used != before)
        hy_finding(
            "account", "%s changed the bytes used from %zu to %zu", call->operation->name, before, used);
}

/* Where the row gives the last block's memory back, it counts no more than before that block. */
static void ended(const hy_run *run, const hy_run_call *call) {
    const hy_live_block *block = &call->before;
    if (call->kind != HY_OP_FREE || block->size == 0 || !call->of_top) return;
    if (!hy_run_has(run, HY_TRAIT_FREE_LAST) || block->serial <= run->newest.changed) return;
    size_t padding = hy_align_bytes(call->align) - 1 + hy_run_slack_behind(call->align);
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

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (run->now.used_bytes != SIZE_MAX) check_used(run, run->now.used_bytes);
    if (run->now.capacity_bytes != SIZE_MAX) check_capacity(run, run->now.capacity_bytes);
}

const hy_oracle hy_accounting_oracle = {
    .name = "accounting",
    .summary = "what the row counts about itself agrees with what is live",
    .on = {[HY_ON_MADE] = made,
        [HY_ON_ENDED] = ended,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_STEP] = step},
};
