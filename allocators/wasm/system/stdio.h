/* stdio.h: the system's, and what it lacks for want of threads. */
#ifndef HEAPYARD_WASM_STDIO_H
#define HEAPYARD_WASM_STDIO_H

#include_next <stdio.h>

static inline void flockfile(FILE *stream) {
    (void)stream;
}

static inline void funlockfile(FILE *stream) {
    (void)stream;
}

#endif
