/* print_run.h: prints a property's run of a history as a C program, which the yard's own files judge.
 *
 * For histories that print_c.h can't print, as what is done with them is more than to call the allocator, or
 * only oracles see what comes of it. gcc alone builds it from the project's sources; its first comment has
 * the call.
 */
#ifndef HEAPYARD_FUZZ_PRINT_RUN_H
#define HEAPYARD_FUZZ_PRINT_RUN_H

#include "fuzz/minimise.h"
#include "fuzz/properties.h"
#include "fuzz/target.h"
#include <stdio.h>

typedef struct hy_run_program {
    const hy_property *property; /* one with history_row */
    const hy_row *row;           /* the registry's, that the property is asked about */
    const hy_bytes_header *header;
    const hy_history *history;
    const char *finding; /* one line */
} hy_run_program;

/* Whether a property's histories are printed so. */
bool hy_run_program_is_for(const hy_property *property, const hy_row *row);

/* Whether a finding of a row's own history is one that only the yard's files see, and no program that calls
 * the row alone (print_c.h). */
bool hy_run_program_is_needed(const hy_verdict *verdict);

/* False: writing to the stream failed. O(operations). */
bool hy_run_program_print(FILE *out, const hy_run_program *program);

/* Likewise a property's run of bytes that are no history; it needs zstd beside gcc. finding: one line. False:
 * writing to the stream failed. O(size). */
bool hy_bytes_program_print(
    FILE *out, const hy_target *target, const uint8_t *bytes, size_t size, const char *finding);

#endif
