/* history_run.h: bytes decoded for a row and run: what properties over histories share. */
#ifndef HEAPYARD_FUZZ_HISTORY_RUN_H
#define HEAPYARD_FUZZ_HISTORY_RUN_H

#include "allocators/history/bytes.h"
#include <heapyard/plugin.h>

/* The history of an input for a row. The result is one per process, overwritten by the next call;
 * its array is taken from libc once. */
const hy_history *hy_history_of(
    const hy_row *row, const uint8_t *bytes, size_t size, hy_bytes_header *header);

/* Decodes and interprets, as hy_interpret does or otherwise. Returns the operations that were run. */
typedef size_t (*hy_history_interpreter)(
    const hy_row *row, const hy_bytes_header *header, const hy_history *history);
size_t hy_history_run(const hy_row *row, const uint8_t *bytes, size_t size);
size_t hy_history_run_by(
    hy_history_interpreter interpret, const hy_row *row, const uint8_t *bytes, size_t size);

/* The row itself: whose history the bytes are, for most properties. */
const hy_row *hy_history_own_row(const hy_row *row);

/* Writes where each operation of the input begins, and behind the last one where it ends; at has room for max
 * + 1. Returns how many there are, max at most. */
size_t hy_history_split(const hy_row *row, const uint8_t *bytes, size_t size, uint16_t *at, size_t max);

#endif
