/* posix_program.h: calls of the malloc family as a C program that fails where the library does.
 *
 * It builds with gcc alone, and runs on a library by LD_PRELOAD: functions that the C library lacks are
 * looked up when it starts.
 */
#ifndef HEAPYARD_FUZZ_POSIX_PROGRAM_H
#define HEAPYARD_FUZZ_POSIX_PROGRAM_H

#include "fuzz/properties/posix_calls.h"

typedef struct hy_posix_program {
    const hy_posix_call *calls;
    size_t count;
    unsigned rounds;         /* how often all calls are made */
    bool keeps_blocks;       /* those of a round are not freed before the next one */
    const char *library;     /* the file whose calls they are; NULL: the process's own */
    const char *build;       /* how that is made, as lines of a comment; NULL: it is there */
    bool has_no_usable_size; /* all that is usable is what was asked for */
    bool counts_live;        /* the expression may ask how much is in blocks, by mallinfo2 */
    const char *finding;     /* what is wrong, for the comment and for what it prints */
    /* A C expression that holds behind the last call where that is wrong; NULL: the calls crash or hang. It
     * sees b[], the blocks; q, what a realloc gave; e, an error that was returned; before, what was in the
     * slot; where it counts, live() and live_before, the bytes in blocks now and at the start. */
    const char *wrong;
    bool before_too; /* the expression is looked at before the last call, too */
} hy_posix_program;

void hy_posix_print(FILE *out, const hy_posix_program *program);

#endif
