/* schedules.c: threads that share an instance keep the contract in any order of their steps. */
#include "fuzz/properties.h"
#include "fuzz/properties/schedule_run.h"

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_schedule_run_input(row, bytes, size, false);
}

const hy_property hy_schedules_property = {
    .name = "schedules",
    .summary = "threads that share an instance keep the contract in any order of their steps",
    .over_rows = true,
    .applies = hy_schedule_takes,
    .run = run,
    .record_bytes = HY_SCHEDULE_RECORD_BYTES,
};
