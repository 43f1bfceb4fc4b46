/* child.c: the row keeps the contract as its child's user.
 *
 *   misuse   a call of the child with a pointer, size or alignment that is not a live block's
 *   stray    a write into a redzone or into memory that was given back (builds without ASan, which reports
 *            the write itself, whatever is switched off)
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)call;
    run->child->report = hy_finding;
}

static void end(const hy_run *run, const hy_run_call *call) {
    (void)call;
    hy_child_check_strays(run->child);
}

const hy_oracle hy_child_oracle = {
    .name = "child",
    .summary = "the child is called as the contract says, and nothing is written beside its blocks",
    .on = {[HY_ON_BEGIN] = begin, [HY_ON_END] = end},
};
