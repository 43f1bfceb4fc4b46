/* drain.c: what was taken from the child goes back to it.
 *
 *   leak   after the end, or after a reset that frees all, the child has not everything back; or not what was
 *          taken since a mark that was restored, or by another instance
 */
#include "fuzz/finding.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"

static size_t bytes_at_start; /* that the child gave for the instance itself */

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    bytes_at_start = run->child->counts.live_bytes;
}

/* A layer below the top may keep what it gets back until its own reset. */
static void reset(const hy_run *run, const hy_run_call *call) {
    size_t held = run->child->counts.live_bytes;
    if (call->mode != HY_RESET_FREE_ALL || run->row->stack || held <= bytes_at_start) return;
    hy_finding("leak", "%zu bytes of the child are held after a reset that frees all", held);
}

static size_t bytes_before;             /* the step */
static size_t blocks_at[HY_MARK_COUNT]; /* of the child, when the mark was taken */

static void before(const hy_run *run, const hy_run_call *call) {
    (void)call;
    bytes_before = run->child->counts.live_bytes;
}

static void special(const hy_run *run, const hy_run_call *call) {
    size_t blocks = run->child->counts.live_blocks, bytes = run->child->counts.live_bytes;
    if (!call->operation && bytes != bytes_before)
        hy_finding("leak", "another instance came and went: %zu bytes of the child are held, %zu before",
            bytes, bytes_before);
    if (!call->operation || !call->kept) return;
    if (call->operation->effect == HY_EFFECT_MARK) blocks_at[call->mark] = blocks;
    if (call->operation->effect != HY_EFFECT_RESTORE || run->row->stack) return;
    if (blocks > blocks_at[call->mark])
        hy_finding("leak", "%zu blocks of the child are held after a restore, %zu were at the mark", blocks,
            blocks_at[call->mark]);
}

static void end(const hy_run *run, const hy_run_call *call) {
    (void)call;
    const hy_child_block *kept = hy_child_lowest_live(run->child);
    if (!kept) return;
    hy_finding("leak", "%zu bytes at %p were not given back to the child (%zu blocks in all)", kept->size,
        (void *)kept->address, run->child->counts.live_blocks);
}

const hy_oracle hy_drain_oracle = {
    .name = "drain",
    .summary = "what was taken from the child goes back to it",
    .on = {[HY_ON_MADE] = made,
        [HY_ON_BEFORE] = before,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_END] = end},
};
