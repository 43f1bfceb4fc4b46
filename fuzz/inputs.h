/* inputs.h: the inputs that a command names: files of bytes, seeds, and folders of them.
 *
 * A seed (.txt) is a history (seed.h) or, for properties that take none, lines of bytes:
 *
 *   # what went wrong
 *   bytes 00112233
 */
#ifndef HEAPYARD_FUZZ_INPUTS_H
#define HEAPYARD_FUZZ_INPUTS_H

#include <heapyard/config.h>

typedef struct hy_input {
    char *path;
    uint8_t *bytes; /* a seed's are assembled */
    size_t size;
} hy_input;

typedef struct hy_inputs {
    hy_input *items;
    size_t count;
    size_t capacity;
} hy_inputs;

/* Adds what a path names; a folder's files in the order of their names, README files left out. False,
 * with one line on standard error: it can't be read, or is a seed that is none. */
bool hy_inputs_add(hy_inputs *inputs, const char *path);

void hy_inputs_free(hy_inputs *inputs);

#endif
