/* history_run.c: one array of operations for all inputs of a process. */
#include "fuzz/properties/history_run.h"

#include "fuzz/interpreter.h"
#include <heapyard/libc.h>
#include <stdlib.h>

/* The last operation before the limit may be a burst. */
#define OPERATION_MAX (HY_BYTES_OPERATION_MAX + 64)

static hy_history history;

const hy_history *hy_history_of(
    const hy_row *row, const uint8_t *bytes, size_t size, hy_bytes_header *header) {
    if (!history.ops) {
        hy_history_init(&history, hy_libc());
        if (!hy_history_reserve(&history, OPERATION_MAX)) abort();
    }
    size_t taken = hy_bytes_decode_header(bytes, size, header);
    if (!hy_bytes_decode(bytes + taken, size - taken, header, hy_interpreter_bounds(row, header), &history))
        abort();
    return &history;
}

size_t hy_history_run_by(
    hy_history_interpreter interpret, const hy_row *row, const uint8_t *bytes, size_t size) {
    hy_bytes_header header;
    const hy_history *decoded = hy_history_of(row, bytes, size, &header);
    return interpret(row, &header, decoded);
}

size_t hy_history_run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run_by(hy_interpret, row, bytes, size);
}

const hy_row *hy_history_own_row(const hy_row *row) {
    return row;
}

size_t hy_history_split(const hy_row *row, const uint8_t *bytes, size_t size, uint16_t *at, size_t max) {
    hy_bytes_header header;
    (void)hy_history_of(row, bytes, 0, &header); /* room for the operations */
    size_t taken = hy_bytes_decode_header(bytes, size, &header);
    hy_bytes_bounds bounds = hy_interpreter_bounds(row, &header);
    size_t count = hy_bytes_split(bytes + taken, size - taken, &header, bounds, &history, at, max);
    for (size_t i = 0; i <= count; i++)
        at[i] = (uint16_t)(at[i] + taken);
    return count;
}
