/* race.c: of threads that share an instance, two accesses to the same memory that nothing orders are found
 * (races.h). It sees no run of one thread, so no event either. */
#include "fuzz/oracles.h"

const hy_oracle hy_race_oracle = {
    .name = "race",
    .summary = "what threads access is ordered by locks and atomic accesses",
};
