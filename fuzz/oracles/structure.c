/* structure.c: the row's own walk through itself finds nothing wrong.
 *
 *   structure   it fails
 *
 * A walk may take a thousand times as long as an operation: so it is made at each look at all blocks, at the
 * end among them, and after one operation of so many in between.
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

#define STEPS_A_WALK 16

static unsigned steps;

static void walk(const hy_run *run) {
    if (run->row->check && !run->row->check(run->instance.state))
        hy_finding("structure", "the row's own check fails");
}

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    steps = 0;
}

static void before(const hy_run *run, const hy_run_call *call) {
    if (call->kind == HY_OP_CHECK) walk(run);
}

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (++steps % STEPS_A_WALK == 0) walk(run);
}

const hy_oracle hy_structure_oracle = {
    .name = "structure",
    .summary = "the row's own walk through itself finds nothing wrong",
    .on = {[HY_ON_BEGIN] = begin, [HY_ON_BEFORE] = before, [HY_ON_STEP] = step},
};
