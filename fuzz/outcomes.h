/* outcomes.h: what one row answered, for the run of another row over the same history.
 *
 * A property that compares two rows says which run it is; the oracle `differential` keeps or compares.
 */
#ifndef HEAPYARD_FUZZ_OUTCOMES_H
#define HEAPYARD_FUZZ_OUTCOMES_H

#include <heapyard/plugin.h>

typedef enum hy_outcomes_use { HY_OUTCOMES_NONE, HY_OUTCOMES_KEEP, HY_OUTCOMES_COMPARE } hy_outcomes_use;

/* Of the run that comes next, and of all others until it is said anew. At the start: none. */
typedef struct hy_outcomes {
    hy_outcomes_use use;
    uint32_t alike;    /* HY_LIKE_…: what must be equal */
    const char *other; /* the row of the run that was kept */
} hy_outcomes;

extern hy_outcomes hy_outcomes_now;

#endif
