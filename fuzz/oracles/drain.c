/* drain.c: what was taken from the child goes back to it.
 *
 *   leak   after the end, or after a reset that frees all, the child has not everything back
 */
#include "fuzz/finding.h"
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
    .on = {[HY_ON_MADE] = made, [HY_ON_RESET] = reset, [HY_ON_END] = end},
};
