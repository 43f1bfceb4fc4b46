/* trace_file.c: a trace's reader takes any bytes, and what it accepts is a legal history that survives
 * being written again.
 *
 *   byte 0   even: the rest is a whole file, read strictly (0) or as far as it is whole (2, …)
 *            odd: the next three bytes share the rest out over the codec's four columns, which stand
 *            behind checksums and compression in a file, where a fuzzer hardly comes through
 */
#include "allocators/history/trace_file.h"
#include "allocators/history/trace_codec.h"
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <heapyard/libc.h>
#include <string.h>

#define OPERATION_MAX 4096

static void expect_legal(const hy_history *history) {
    size_t bad;
    if (!hy_history_check(history, &bad))
        hy_finding("trace", "operation %zu of an accepted trace is not legal", bad);
}

static size_t read_whole(const uint8_t *bytes, size_t size, bool partial) {
    static hy_trace_info info;
    static hy_trace_error error;
    hy_history history;
    hy_history_init(&history, hy_libc());
    if (hy_trace_decode("input", bytes, size, partial, &history, &info, &error)) {
        expect_legal(&history);
        if (info.op_count < history.count)
            hy_finding("trace", "%zu operations were read, more than the file has", history.count);
    } else if (history.count != 0 || error.message[0] == '\0') {
        hy_finding("trace", "a refusal without a reason, or that leaves operations behind");
    }
    size_t count = history.count;
    hy_history_deinit(&history);
    return count;
}

/* The operations that the columns hold. */
static void decode_columns(hy_cursor columns[HY_TRACE_COLUMNS], hy_history *history) {
    hy_trace_codec codec;
    hy_op op;
    hy_trace_codec_init(&codec, hy_libc());
    while (history->count < OPERATION_MAX &&
           columns[HY_TRACE_COLUMN_TAGS].at < columns[HY_TRACE_COLUMN_TAGS].end &&
           hy_trace_decode_op(&codec, columns, &op) == HY_DECODED) {
        if (!hy_history_append(history, op)) break;
    }
    hy_trace_codec_deinit(&codec);
}

/* Writes what was read and reads it again: it must be the same. */
static void expect_round_trip(const hy_history *history) {
    hy_trace_codec codec;
    hy_buffer columns[HY_TRACE_COLUMNS];
    hy_cursor cursors[HY_TRACE_COLUMNS];
    hy_history again;
    hy_history_init(&again, hy_libc());
    hy_trace_codec_init(&codec, hy_libc());
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++)
        hy_buffer_init(&columns[c], hy_libc());
    for (size_t i = 0; i < history->count; i++) {
        if (!hy_trace_encode_op(&codec, history->ops[i], columns))
            hy_finding("trace", "operation %zu can't be written", i);
    }
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++) {
        const uint8_t *start = columns[c].count ? columns[c].bytes : (const uint8_t *)"";
        cursors[c] = (hy_cursor){.at = start, .end = start + columns[c].count};
    }
    decode_columns(cursors, &again);
    if (again.count != history->count)
        hy_finding("trace", "%zu operations came back of %zu", again.count, history->count);
    for (size_t i = 0; i < history->count; i++) {
        if (memcmp(&again.ops[i], &history->ops[i], sizeof(hy_op)) != 0)
            hy_finding("trace", "operation %zu came back changed", i);
    }
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++)
        hy_buffer_deinit(&columns[c]);
    hy_trace_codec_deinit(&codec);
    hy_history_deinit(&again);
}

static size_t read_columns(const uint8_t *bytes, size_t size) {
    hy_cursor columns[HY_TRACE_COLUMNS];
    size_t used = HY_TRACE_COLUMNS - 1 < size ? HY_TRACE_COLUMNS - 1 : size;
    const uint8_t *at = bytes + used;
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++) {
        size_t left = (size_t)(bytes + size - at), wanted = c < used ? bytes[c] : left;
        if (wanted > left) wanted = left;
        columns[c] = (hy_cursor){.at = at, .end = at + wanted};
        at += wanted;
    }
    hy_history history;
    hy_history_init(&history, hy_libc());
    decode_columns(columns, &history);
    expect_legal(&history);
    expect_round_trip(&history);
    size_t count = history.count;
    hy_history_deinit(&history);
    return count;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    if (size == 0) return 0;
    return bytes[0] & 1 ? read_columns(bytes + 1, size - 1) : read_whole(bytes + 1, size - 1, bytes[0] & 2);
}

const hy_property hy_trace_file_property = {
    .name = "trace_file",
    .summary = "a trace's reader takes any bytes, and what it accepts is legal and survives being written",
    .over_rows = false,
    .run = run,
};
