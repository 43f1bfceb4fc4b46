/* print_c.h: a history as a C program that fails where the history fails.
 *
 * The program stands alone: it needs the library (for a composition the yard's registry too) and
 * nothing of the fuzzer. It carries a small child with the same fault policy, keeps its own record of what
 * is live, and looks at all of it after every step; so it can be pasted into the tests once the bug is
 * fixed.
 */
#ifndef HEAPYARD_PRINT_C_H
#define HEAPYARD_PRINT_C_H

#include "allocators/history/bytes.h"
#include <heapyard/plugin.h>
#include <stdio.h>

typedef enum hy_print_claim {
    HY_PRINT_GENERAL,   /* what holds after every step says it all */
    HY_PRINT_MUST,      /* the step must be served */
    HY_PRINT_MUST_NOT,  /* the step must be refused */
    HY_PRINT_FOOTPRINT, /* after the step, less than `bytes` of the child may be held */
    HY_PRINT_NEWEST     /* the step's free gives back what its block took */
} hy_print_claim;

typedef struct hy_print_job {
    const hy_row *row;
    hy_config config; /* whether it has a child says whether the program gives one */
    hy_fault_policy faults;
    const hy_history *history;
    const char *finding; /* one line: what was found */
    hy_print_claim claim;
    size_t step; /* index of the operation that the claim is of */
    size_t bytes;
} hy_print_job;

/* Writes the program. False: the stream refused. O(operations). */
bool hy_print_c(FILE *out, const hy_print_job *job);

#endif
