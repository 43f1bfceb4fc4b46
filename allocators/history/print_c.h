/* print_c.h: prints a history as a C program that fails where the history fails.
 *
 * The program is self-contained: it needs the library's sources (for a composition the yard's registry too)
 * and nothing of the fuzzer; its first comment has the one call of gcc that builds it. It has a small child
 * allocator with the same fault policy, tracks the live blocks and verifies all of them after every step, so
 * that it can become a test once the bug is fixed.
 */
#ifndef HEAPYARD_PRINT_C_H
#define HEAPYARD_PRINT_C_H

#include "allocators/history/bytes.h"
#include <heapyard/plugin.h>
#include <stdio.h>

typedef enum hy_print_claim {
    HY_PRINT_GENERAL,   /* only what is verified after every step */
    HY_PRINT_MUST,      /* the step must be served */
    HY_PRINT_MUST_NOT,  /* the step must be refused */
    HY_PRINT_FOOTPRINT, /* after the step, less than `bytes` of the child may be held */
    HY_PRINT_NEWEST /* the step frees the newest block: no more may be used than before it was allocated */
} hy_print_claim;

typedef struct hy_print_job {
    const hy_row *row;
    const char *row_source; /* the file that defines the row, where it is none of the registry's; NULL */
    hy_config config;       /* the program passes a child only where this has one */
    hy_fault_policy faults;
    const hy_history *history;
    const char *finding; /* one line that describes the failure */
    hy_print_claim claim;
    size_t step; /* index of the operation that the claim is about */
    size_t bytes;
} hy_print_job;

/* Writes the program. False: writing to the stream failed. O(operations). */
bool hy_print_c(FILE *out, const hy_print_job *job);

#endif
