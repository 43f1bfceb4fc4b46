/* layers.h: the rows that a composition stands on, found once: each run asks for them several times. */
#ifndef HEAPYARD_FUZZ_LAYERS_H
#define HEAPYARD_FUZZ_LAYERS_H

#include "allocators/registry.h"

#define HY_LAYERS_MAX 8

/* From the top down; none where the row is no composition. */
typedef struct hy_layers {
    size_t count;
    const hy_row *rows[HY_LAYERS_MAX];
} hy_layers;

/* A composition's layers; the result is valid until the next call. O(1) for the row of the last call. */
const hy_layers *hy_layers_of(const hy_row *row);

/* What the row and its layers keep beside their instances becomes as it is in a new process, as far as they
 * can do that (plugin.h, `restart`). */
void hy_layers_restart(const hy_row *row);

#endif
