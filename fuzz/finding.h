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

/* How often a property that can do so runs its input in a row, for what fails seldom: a reproducer has a loop
 * then. */
extern unsigned hy_fuzz_rounds;
extern bool hy_fuzz_keeps_blocks; /* of a round, when the next one begins */

/* Whether two findings' lines are of one kind: whether they differ in numbers alone. */
bool hy_finding_is_same_kind(const char *line, const char *other);

/* Reads kinds of findings that are known from a file, a finding's line each: numbers in it and what stands
 * before and behind its message tell nothing. False: it can't be read. */
bool hy_finding_read_known(const char *path);

/* Whether a finding is of a kind that is known. A property that can go on behind it asks before it tells.
 * Allocates nothing. */
bool hy_finding_is_known(const char *oracle, const char *message);

/* Prints the finding and aborts. oracle: one word. Allocates nothing. */
HY_NORETURN HY_COLD void hy_finding(const char *oracle, const char *format, ...) HY_PRINTF(2, 3);

#endif
