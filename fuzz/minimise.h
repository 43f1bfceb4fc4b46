/* minimise.h: the smallest history that still shows the same bug.
 *
 * It works on operations, not on bytes: it drops them, a plain fault policy and options are tried, sizes
 * shrink, alignments fall, slots are merged. Each attempt runs in a process of its own, which may
 * crash, hang or exhaust itself.
 */
#ifndef HEAPYARD_FUZZ_MINIMISE_H
#define HEAPYARD_FUZZ_MINIMISE_H

#include "allocators/history/bytes.h"
#include <heapyard/plugin.h>

typedef struct hy_case {
    const hy_row *row;
    /* What runs it; NULL: hy_interpret. */
    size_t (*interpret)(const hy_row *row, const hy_bytes_header *header, const hy_history *history);
    hy_bytes_header header;
    hy_history history; /* owned by whoever made the case */
} hy_case;

/* How a run ended. */
typedef struct hy_verdict {
    char key[160];  /* what kind of bug it is: equal for equal bugs; empty where all is well */
    char line[400]; /* the line that told it */
    size_t step;    /* the operation that a finding names; else the number of operations */
    /* What the process had said before that line, which may be a program; until the next run. */
    const char *before;
    size_t before_size;
} hy_verdict;

/* Runs `body(argument)` in a process of its own, for at most `seconds`, and says how it ended. */
void hy_verdict_of(
    void (*body)(const void *argument), const void *argument, unsigned seconds, hy_verdict *verdict);

/* Runs a case so. */
void hy_case_try(const hy_case *tried, hy_verdict *verdict);

/* Makes the case smaller as long as its verdict's key stays `verdict->key`, which is what it has now;
 * at most `attempts` runs. *verdict is then that of the smaller case. */
void hy_case_minimise(hy_case *failing, hy_verdict *verdict, size_t attempts);

#endif
