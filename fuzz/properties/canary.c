/* canary.c: proves that the alarm works: a planted wrong allocator (fuzz/canary.c) that every hunt must find.
 *
 * If a hunt over this property ends without a finding, the yard is broken.
 */
#include "fuzz/canary.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"

static const hy_row *history_row(const hy_row *row) {
    (void)row;
    return &hy_canary_row;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    return hy_history_run(&hy_canary_row, bytes, size);
}

const hy_property hy_canary_property = {
    .name = "canary",
    .summary = "a planted wrong allocator, which must be found",
    .over_rows = false,
    .must_fail = true,
    .run = run,
    .history_row = history_row,
    .row_source = "fuzz/canary.c",
};
