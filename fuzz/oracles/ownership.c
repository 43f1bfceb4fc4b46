/* ownership.c: a block lies where the row says, and in memory that the row was given.
 *
 *   outside   a block does not lie inside memory that the child gave, or the row does not own it
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static void served(const hy_run *run, const hy_run_call *call) {
    if (call->size == 0) return;
    if (run->on_child && !hy_child_contains(run->child, call->ptr, call->size))
        hy_finding("outside", "block [%p, +%ju) is not inside what the child gave", call->ptr,
            (uintmax_t)call->size);
    if (run->row->owns && !run->row->owns(run->instance.state, call->ptr))
        hy_finding("outside", "the row does not own %p", call->ptr);
}

const hy_oracle hy_ownership_oracle = {
    .name = "ownership",
    .summary = "a block lies in memory that the child gave, and the row owns it",
    .on = {[HY_ON_SERVED] = served},
};
