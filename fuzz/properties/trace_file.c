/* trace_file.c: a trace's reader takes any bytes, and what it accepts is what they say, a legal history, and
 * survives being written again.
 *
 *   byte 0   odd: the next three bytes share the rest out over the codec's four columns, which stand
 *            behind checksums and compression in a file, where a fuzzer hardly comes through
 *            4 in its low four bits: two bytes say a place and one a change; the rest is columns likewise,
 *            whose operations are written as a file, and read with this change, or, where that is 0, as it is
 *            other even ones: the rest is a whole file, read strictly (0) or as far as it is whole (2)
 */
#include "allocators/history/trace_file.h"
#include "allocators/history/trace_codec.h"
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <heapyard/libc.h>
#include <stdlib.h>
#include <string.h>

#define OPERATION_MAX 4096

/* The format as trace_file.h and trace_codec.h describe it. What the reader made of a file is compared with a
 * second reading of it here, which shares no code with the first beyond its numbers. */
#define BEFORE_METADATA 12 /* magic and version */
#define TAG_THREAD 0x40u
#define TAG_ALIGN 0x80u

static void expect_legal(const hy_history *history) {
    size_t bad;
    if (!hy_history_check(history, &bad))
        hy_finding("trace", "operation %zu of an accepted trace is not legal", bad);
}

/* CRC-32, bit by bit. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* Moves the cursor over bytes that an accepted file must have. */
static void skip(hy_cursor *cursor, size_t count) {
    if ((size_t)(cursor->end - cursor->at) < count)
        hy_finding("trace", "a file was accepted that ends within what it promises");
    cursor->at += count;
}

/* One chunk of an accepted file; returns its operations. */
static uint32_t expect_intact_chunk(hy_cursor *cursor) {
    const uint8_t *start = cursor->at;
    (void)hy_cursor_u32(cursor); /* its magic */
    uint32_t operations = hy_cursor_u32(cursor);
    for (int c = 0; c < HY_TRACE_COLUMNS; c++)
        (void)hy_cursor_u32(cursor);
    uint32_t packed = hy_cursor_u32(cursor), sum = crc32_of(0, start, (size_t)(cursor->at - start));
    uint32_t expected = hy_cursor_u32(cursor);
    const uint8_t *contents = cursor->at;
    skip(cursor, packed);
    if (crc32_of(sum, contents, packed) != expected)
        hy_finding("trace", "a chunk was accepted whose checksum is wrong");
    return operations;
}

/* An accepted file's checksums, up to the last operation that was read. */
static void expect_intact(const uint8_t *bytes, size_t size, size_t operations) {
    hy_cursor cursor = {.at = bytes, .end = bytes + size};
    skip(&cursor, BEFORE_METADATA);
    uint32_t length = hy_cursor_u32(&cursor);
    skip(&cursor, length);
    uint32_t sum = crc32_of(0, bytes, (size_t)(cursor.at - bytes));
    if (hy_cursor_u32(&cursor) != sum || cursor.failed)
        hy_finding("trace", "a file was accepted whose first lines have a wrong checksum");
    for (size_t read = 0; read < operations && !cursor.failed;)
        read += expect_intact_chunk(&cursor);
}

static size_t read_whole(const uint8_t *bytes, size_t size, bool partial) {
    static hy_trace_info info;
    static hy_trace_error error;
    hy_history history;
    hy_history_init(&history, hy_libc());
    if (hy_trace_decode("input", bytes, size, partial, &history, &info, &error)) {
        expect_legal(&history);
        expect_intact(bytes, size, history.count);
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

/* That each operation is what its bytes say: no number is cut to what its field holds, none is out of range.
 */
static void expect_read(hy_cursor columns[HY_TRACE_COLUMNS], const hy_history *history) {
    uint64_t thread = 0;
    for (size_t i = 0; i < history->count; i++) {
        const hy_op *op = &history->ops[i];
        unsigned tag = hy_cursor_byte(&columns[HY_TRACE_COLUMN_TAGS]);
        uint64_t size = op->size, align_log2 = op->align_log2;
        if (tag & TAG_THREAD) thread = hy_cursor_varint(&columns[HY_TRACE_COLUMN_OTHERS]);
        if (tag & TAG_ALIGN) align_log2 = hy_cursor_byte(&columns[HY_TRACE_COLUMN_OTHERS]);
        if (op->kind <= HY_OP_RESET && op->kind != HY_OP_FREE)
            size = hy_cursor_varint(&columns[HY_TRACE_COLUMN_SIZES]);
        bool is_same = op->kind == (tag & 7) && op->flags == (tag >> 3 & 7) && op->thread == thread &&
                       op->align_log2 == align_log2 && op->size == size;
        if (!is_same) hy_finding("trace", "operation %zu was read as another one than it is", i);
        if (op->align_log2 > HY_ALIGN_LOG2_MAX)
            hy_finding("trace", "operation %zu was accepted with an alignment of 2^%d", i, op->align_log2);
    }
}

static void expect_same(const hy_history *history, const hy_history *again) {
    if (again->count != history->count)
        hy_finding("trace", "%zu operations came back of %zu", again->count, history->count);
    for (size_t i = 0; i < history->count; i++) {
        if (memcmp(&again->ops[i], &history->ops[i], sizeof(hy_op)) != 0)
            hy_finding("trace", "operation %zu came back changed", i);
    }
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
    expect_same(history, &again);
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++)
        hy_buffer_deinit(&columns[c]);
    hy_trace_codec_deinit(&codec);
    hy_history_deinit(&again);
}

/* Shares bytes out over the columns: three lengths, then what they are of. */
static void share_out(const uint8_t *bytes, size_t size, hy_cursor columns[HY_TRACE_COLUMNS]) {
    size_t used = HY_TRACE_COLUMNS - 1 < size ? HY_TRACE_COLUMNS - 1 : size;
    const uint8_t *at = bytes + used;
    for (size_t c = 0; c < HY_TRACE_COLUMNS; c++) {
        size_t left = (size_t)(bytes + size - at), wanted = c < used ? bytes[c] : left;
        if (wanted > left) wanted = left;
        columns[c] = (hy_cursor){.at = at, .end = at + wanted};
        at += wanted;
    }
}

static size_t read_columns(const uint8_t *bytes, size_t size) {
    hy_cursor columns[HY_TRACE_COLUMNS], unread[HY_TRACE_COLUMNS];
    hy_history history;
    hy_history_init(&history, hy_libc());
    share_out(bytes, size, columns);
    memcpy(unread, columns, sizeof unread);
    decode_columns(columns, &history);
    expect_read(unread, &history);
    expect_legal(&history);
    expect_round_trip(&history);
    size_t count = history.count;
    hy_history_deinit(&history);
    return count;
}

/* Reads a file that was written from the history, with one byte of it changed: each is under a checksum, or
 * is one. */
static void expect_verified(const hy_history *history, size_t place, uint8_t change) {
    static const hy_trace_info written = {.program = "/bin/true", .end = "exit", .finished = true};
    static hy_trace_info info;
    static hy_trace_error error;
    hy_buffer file;
    hy_history again;
    hy_history_init(&again, hy_libc());
    hy_buffer_init(&file, hy_libc());
    if (!hy_trace_encode(history, &written, &file)) abort();
    place %= file.count;
    file.bytes[place] ^= change;
    bool accepted = hy_trace_decode("input", file.bytes, file.count, false, &again, &info, &error);
    if (accepted && change) hy_finding("trace", "a file was accepted whose byte %zu is another one", place);
    if (!accepted && !change)
        hy_finding("trace", "a file of %zu operations was written and is refused", history->count);
    if (!change) expect_same(history, &again);
    hy_buffer_deinit(&file);
    hy_history_deinit(&again);
}

static size_t read_written(const uint8_t *bytes, size_t size) {
    enum { BEFORE_COLUMNS = 3 };
    if (size < BEFORE_COLUMNS) return 0;
    hy_cursor columns[HY_TRACE_COLUMNS];
    hy_history history;
    hy_history_init(&history, hy_libc());
    share_out(bytes + BEFORE_COLUMNS, size - BEFORE_COLUMNS, columns);
    decode_columns(columns, &history);
    expect_legal(&history);
    expect_verified(&history, bytes[0] | (size_t)bytes[1] << 8, bytes[2]);
    size_t count = history.count;
    hy_history_deinit(&history);
    return count;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    if (size == 0) return 0;
    if (bytes[0] & 1) return read_columns(bytes + 1, size - 1);
    if ((bytes[0] & 15) == 4) return read_written(bytes + 1, size - 1);
    return read_whole(bytes + 1, size - 1, bytes[0] & 2);
}

const hy_property hy_trace_file_property = {
    .name = "trace_file",
    .summary = "a trace's reader takes any bytes, and what it accepts is legal and survives being written",
    .over_rows = false,
    .run = run,
};
