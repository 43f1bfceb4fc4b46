/* conform.c: any history on any row keeps the contract, as far as the row's traits promise it. */
#include "fuzz/interpreter.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"

const hy_property hy_conform_property = {
    .name = "conform",
    .summary = "any history keeps the contract as far as the row's traits promise it",
    .over_rows = true,
    .applies = hy_interpreter_takes,
    .run = hy_history_run,
    .history_row = hy_history_own_row,
};
