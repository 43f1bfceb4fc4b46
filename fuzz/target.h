/* target.h: what one process fuzzes: a property and a row, chosen by name, and how much it did. */
#ifndef HEAPYARD_FUZZ_TARGET_H
#define HEAPYARD_FUZZ_TARGET_H

#include "fuzz/properties.h"

#define HY_FUZZ_INPUT_MAX 512 /* of a longer one, the first bytes */

#define HY_FUZZ_PAST_BYTES ((size_t)1 << 20)

/* What was done, in memory that may be a file shared with whoever started the process, so that it is
 * known also of one that ended in a finding. */
typedef struct hy_fuzz_counts {
    uint64_t executions;
    uint64_t operations;
    /* The input that is run, or was run last: whatever ends a process, what it died of is known. */
    uint64_t input_size;
    uint8_t input[HY_FUZZ_INPUT_MAX];
    /* Where the property can make one input of many (properties.h): all inputs, one behind the other, each
     * ended by a mark; a ring. For what fails only after what went before. */
    uint64_t past_size; /* all bytes that were ever written */
    uint8_t past[HY_FUZZ_PAST_BYTES];
} hy_fuzz_counts;

typedef struct hy_target {
    const hy_property *property;
    const hy_row *row; /* NULL where the property needs none */
    hy_fuzz_counts *counts;
} hy_target;

/* Loads "label=path" (allocators/plugins.h); false: it has printed why. Its rows are then chosen as
 * row@label. */
bool hy_target_load_plugin(const char *label_equals_path);

/* Loads "name=path", the malloc library that this process was started with (allocators/peers/preloaded.h);
 * false: it has printed why. Its rows are then the only ones. */
bool hy_target_load_preload(const char *name_equals_path);

/* Reads the kinds of findings that are known (finding.h) from a file; false: it has printed why. */
bool hy_target_read_known(const char *path);

/* The row of that name; NULL: there is none. The rows to take where none is named; NULL behind the last. */
const hy_row *hy_target_row(const char *name);
const hy_row *hy_target_chosen(size_t index);

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
