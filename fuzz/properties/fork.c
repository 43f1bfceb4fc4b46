/* fork.c: a process forks between the steps of its threads, and both sides go on. */
#include "fuzz/properties.h"
#include "fuzz/properties/schedule_run.h"

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_schedule_run_input(row, bytes, size, true);
}

const hy_property hy_fork_property = {
    .name = "fork",
    .summary = "the child of a fork has its parent's blocks, and both go on",
    .over_rows = true,
    .applies = hy_schedule_takes,
    .run = run,
    .record_bytes = HY_SCHEDULE_RECORD_BYTES,
};
