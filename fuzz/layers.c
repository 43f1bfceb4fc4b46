/* layers.c: the layers of the row that was asked for last. */
#include "fuzz/layers.h"

#include <stdlib.h>

static struct {
    const char *const *stack; /* whose layers these are; a row may be a copy */
    const struct hy_plugin *origin;
    hy_layers layers;
} last;

static const hy_layers none;

const hy_layers *hy_layers_of(const hy_row *row) {
    if (!row->stack) return &none;
    if (last.stack == row->stack && last.origin == row->origin) return &last.layers;
    last.stack = row->stack;
    last.origin = row->origin;
    last.layers.count = 0;
    for (size_t i = 0; row->stack[i]; i++) {
        const hy_row *layer = hy_registry_near(row, row->stack[i]);
        if (!layer || last.layers.count == HY_LAYERS_MAX) abort();
        last.layers.rows[last.layers.count++] = layer;
    }
    return &last.layers;
}

void hy_layers_restart(const hy_row *row) {
    if (row->restart) row->restart();
    const hy_layers *layers = hy_layers_of(row);
    for (size_t i = 0; i < layers->count; i++) {
        if (layers->rows[i]->restart) layers->rows[i]->restart();
    }
}
