/* import.h: reads the text format of Android's memory_replay into a history.
 *
 * One call per line, in the order of the log: `TID: ACTION POINTER ARGUMENTS`, numbers in decimal,
 * pointers in hexadecimal with 0x; the blank after the colon may be missing.
 *
 *   1234: malloc 0x7f00 32              1234: memalign 0x7f40 16 64     (alignment, size)
 *   1234: calloc 0x7f20 2 16            1234: realloc 0x7f80 0x7f00 64  (new, old, size)
 *   1234: free 0x7f20                   1234: thread_done 0x0
 *
 * A free of 0x0 is not an operation. A result of 0x0 is a refused allocation.
 */
#ifndef HEAPYARD_IMPORT_H
#define HEAPYARD_IMPORT_H

#include "allocators/history/trace_file.h"
#include <stdio.h>

typedef struct hy_import_counts {
    uint64_t lines;
    uint64_t null_frees; /* left out */
    uint64_t foreign;    /* frees and size changes of blocks that the log did not allocate: left out */
    uint64_t missed;     /* blocks whose address was allocated again before they were freed */
} hy_import_counts;

/* Reads all of `in` into an empty, initialised history. `name` names the input in messages. False: *error
 * names the line and the expected form; the history is empty. */
bool hy_import_memory_replay(
    FILE *in, const char *name, hy_history *history, hy_import_counts *counts, hy_trace_error *error);

#endif
