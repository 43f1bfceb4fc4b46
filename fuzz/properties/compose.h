/* compose.h: the stack that a number means. */
#ifndef HEAPYARD_FUZZ_COMPOSE_H
#define HEAPYARD_FUZZ_COMPOSE_H

#include <heapyard/plugin.h>

/* A row with up to three layers below it, which the options choose; NULL: it can't stand on those. The same
 * until another one is asked for. */
const hy_row *hy_compose_row(const hy_row *top, uint16_t options);

#endif
