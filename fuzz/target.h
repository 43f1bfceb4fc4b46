/* target.h: what one process fuzzes: a property and a row, chosen by name, and how much it did. */
#ifndef HEAPYARD_FUZZ_TARGET_H
#define HEAPYARD_FUZZ_TARGET_H

#include "fuzz/properties.h"

/* What was done, in memory that may be a file shared with whoever started the process, so that it is
 * known also of one that ended in a finding. */
typedef struct hy_fuzz_counts {
    uint64_t executions;
    uint64_t operations;
} hy_fuzz_counts;

typedef struct hy_target {
    const hy_property *property;
    const hy_row *row; /* NULL where the property needs none */
    hy_fuzz_counts *counts;
} hy_target;

/* Loads "label=path" (allocators/plugins.h); false: it has printed why. Its rows are then chosen as
 * row@label. */
bool hy_target_load_plugin(const char *label_equals_path);

/* Switches oracles on and off as hy_oracles_choose does. NULL: as HEAPYARD_ORACLES says, where that is set.
 * False: it has printed why. */
bool hy_target_choose_oracles(const char *names);

/* Finds both names. False, with one line in `error`: no such name, a row that is not in this build,
 * or one that the property does not apply to. row may be NULL where the property needs none. */
bool hy_target_choose(
    hy_target *target, const char *property, const char *row, char *error, size_t error_bytes);

/* Counts into a file (made where it is missing) from now on; false: it can't be mapped. */
bool hy_target_count_into(hy_target *target, const char *path);

/* Runs one input. */
void hy_target_run(hy_target *target, const uint8_t *bytes, size_t size);

#endif
