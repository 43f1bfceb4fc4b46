/* structure.c: the row's own walk through itself finds nothing wrong.
 *
 *   structure   it fails
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (!run->row->check || run->row->check(run->instance.state)) return;
    hy_finding("structure", "the row's own check fails");
}

const hy_oracle hy_structure_oracle = {
    .name = "structure",
    .summary = "the row's own walk through itself finds nothing wrong",
    .on = {[HY_ON_STEP] = step},
};
