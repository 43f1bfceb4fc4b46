/* canary.h: a planted wrong allocator. */
#ifndef HEAPYARD_FUZZ_CANARY_H
#define HEAPYARD_FUZZ_CANARY_H

#include <heapyard/plugin.h>

extern const hy_row hy_canary_row;

#endif
