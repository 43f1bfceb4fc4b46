/* misuse.c: what is done wrong at the end of any history is reported, as far as the row promises it. */
#include "fuzz/misuse.h"
#include "fuzz/interpreter.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"

static bool applies(const hy_row *row) {
    return hy_interpreter_takes(row) && hy_misuse_takes(row);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run(hy_misuse_row(row), bytes, size);
}

const hy_property hy_misuse_property = {
    .name = "misuse",
    .summary = "a misuse that ends a history is reported as far as the row promises it",
    .over_rows = true,
    .applies = applies,
    .run = run,
    .history_row = hy_misuse_row,
};
