/* finding.h: how a bug that the yard found is told.
 *
 * One line on standard error that names the oracle, the row and the operation, then abort: every
 * engine keeps the input of a process that aborts, and the minimiser compares the line's first part to
 * see whether a smaller history still shows the same bug.
 *
 *   finding: overlap: block 3 [0x…, 0x…) lies on block 1 (row arena, operation 17 resize)
 */
#ifndef HEAPYARD_FUZZ_FINDING_H
#define HEAPYARD_FUZZ_FINDING_H

#include <heapyard/config.h>

/* Where the run is; whoever runs sets it, whoever finds prints it. */
typedef struct hy_fuzz_place {
    const char *row;
    const char *operation; /* name of what is being done */
    size_t index;          /* of the operation in the history */
} hy_fuzz_place;

extern hy_fuzz_place hy_fuzz_place_now;

/* Whether a property says what it does before it does it, on standard error: for the one run that is kept
 * with a finding. Lines begin with two slashes, so that they are comments of a C file. */
extern bool hy_fuzz_is_told;

/* Prints the finding and aborts. oracle: one word. Allocates nothing. */
HY_NORETURN HY_COLD void hy_finding(const char *oracle, const char *format, ...) HY_PRINTF(2, 3);

#endif
