/* trace_file.c: framing, checksums and error messages of trace files. */
#include "allocators/history/trace_file.h"

#include "allocators/history/trace_codec.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define MAGIC "\x89HYT\r\n\x1a\n"
#define MAGIC_SIZE 8
#define CHUNK_MAGIC 0x4B435948u /* "HYCK" */
#define CHUNK_HEADER_SIZE (4 * (size_t)(4 + HY_TRACE_COLUMNS))
#define METADATA_MAX 16384

/* Long enough for zstd to find repetition, short enough that a truncated file loses little. */
#define CHUNK_OPS 32768u
/* Bounds the memory that a reader allocates for one chunk of a damaged file. */
#define CHUNK_OPS_MAX (1u << 20)
#define COLUMN_BYTES_PER_OP_MAX 13u

/* The strongest level below the "ultra" ones: traces are written once and read often. */
#define ZSTD_LEVEL 19

/* CRC-32 (the polynomial of Ethernet, reflected), by nibbles. */
static uint32_t crc32_of(uint32_t crc, const uint8_t *bytes, size_t count) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
        0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc = (crc >> 4) ^ table[(crc ^ bytes[i]) & 15];
        crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15];
    }
    return ~crc;
}

HY_PRINTF(2, 3) static bool refuse(hy_trace_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

HY_PRINTF(2, 3) static bool refuse_system(hy_trace_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->system = true;
    return false;
}

/* ---- writing ---- */

/* Appends `key=value` as one line; control characters of the value become blanks. */
static void put_text(hy_buffer *out, const char *key, const char *value) {
    hy_buffer_append(out, key, strlen(key));
    hy_buffer_byte(out, '=');
    for (const char *at = value; *at; at++) {
        uint8_t byte = (uint8_t)*at;
        hy_buffer_byte(out, byte < 0x20 || byte == 0x7F ? ' ' : byte);
    }
    hy_buffer_byte(out, '\n');
}

static void put_number(hy_buffer *out, const char *key, uint64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_text(out, key, text);
}

static void put_header(hy_buffer *out, const hy_history *history, const hy_trace_info *info) {
    hy_buffer text;
    hy_buffer_init(&text, out->gpa);
    put_text(&text, "program", info->program);
    put_text(&text, "command", info->command);
    put_text(&text, "recorder", info->recorder);
    put_text(&text, "date", info->date);
    put_text(&text, "end", info->end);
    put_number(&text, "finished", info->finished);
    put_number(&text, "operations", history->count);
    put_number(&text, "threads", history->thread_count);
    put_number(&text, "slots", history->slot_count);
    put_number(&text, "foreign", info->foreign_count);
    hy_buffer_append(out, MAGIC, MAGIC_SIZE);
    hy_buffer_u32(out, HY_TRACE_VERSION);
    hy_buffer_u32(out, (uint32_t)text.count);
    hy_buffer_append(out, text.bytes, text.count);
    out->failed |= text.failed;
    if (!out->failed) hy_buffer_u32(out, crc32_of(0, out->bytes, out->count));
    hy_buffer_deinit(&text);
}

/* Compresses the concatenated columns into one zstd frame and appends the chunk. */
static void put_chunk(hy_buffer *out, hy_buffer columns[HY_TRACE_COLUMNS], size_t ops) {
    hy_buffer raw, frame;
    hy_buffer_init(&raw, out->gpa);
    hy_buffer_init(&frame, out->gpa);
    hy_buffer_u32(&frame, CHUNK_MAGIC);
    hy_buffer_u32(&frame, (uint32_t)ops);
    for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
        hy_buffer_u32(&frame, (uint32_t)columns[i].count);
        hy_buffer_append(&raw, columns[i].bytes, columns[i].count);
    }
    size_t bound = ZSTD_compressBound(raw.count);
    if (!raw.failed && hy_buffer_reserve(&frame, bound + 8)) {
        uint8_t *packed = frame.bytes + CHUNK_HEADER_SIZE;
        size_t size = ZSTD_compress(packed, bound, raw.bytes, raw.count, ZSTD_LEVEL);
        frame.failed = ZSTD_isError(size);
        if (!frame.failed) {
            hy_buffer_u32(&frame, (uint32_t)size);
            hy_buffer_u32(&frame, crc32_of(crc32_of(0, frame.bytes, frame.count), packed, size));
            frame.count += size;
        }
    }
    hy_buffer_append(out, frame.bytes, frame.count);
    out->failed |= raw.failed || frame.failed;
    hy_buffer_deinit(&raw);
    hy_buffer_deinit(&frame);
}

static void put_ops(hy_buffer *out, const hy_history *history) {
    hy_trace_codec codec;
    hy_trace_codec_init(&codec, out->gpa);
    hy_buffer columns[HY_TRACE_COLUMNS];
    for (int i = 0; i < HY_TRACE_COLUMNS; i++)
        hy_buffer_init(&columns[i], out->gpa);
    for (size_t first = 0; first < history->count && !out->failed; first += CHUNK_OPS) {
        size_t end = history->count - first < CHUNK_OPS ? history->count : first + CHUNK_OPS;
        for (int i = 0; i < HY_TRACE_COLUMNS; i++)
            columns[i].count = 0;
        for (size_t i = first; i < end && !out->failed; i++) {
            out->failed = !hy_trace_encode_op(&codec, history->ops[i], columns);
        }
        if (!out->failed) put_chunk(out, columns, end - first);
    }
    for (int i = 0; i < HY_TRACE_COLUMNS; i++)
        hy_buffer_deinit(&columns[i]);
    hy_trace_codec_deinit(&codec);
}

/* The first operation that a trace has no place for, or the count where there is none. */
static size_t first_without_encoding(const hy_history *history) {
    size_t i = 0;
    while (i < history->count && hy_trace_can_encode(history->ops[i]))
        i++;
    return i;
}

static bool write_all(int file, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(file, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

/* Writes `bytes` to `temporary`, which is open as `file`, and renames it to `path`: a reader never sees an
 * incomplete file. */
static bool publish(
    int file, const char *temporary, const char *path, const hy_buffer *bytes, hy_trace_error *error) {
    bool good = write_all(file, bytes->bytes, bytes->count) && ftruncate(file, (off_t)bytes->count) == 0 &&
                fsync(file) == 0;
    int why = errno;
    if (close(file) != 0 && good) {
        why = errno;
        good = false;
    }
    if (good && rename(temporary, path) == 0) return true;
    if (good) why = errno;
    error->full = why == ENOSPC || why == EDQUOT;
    return refuse_system(error, "%s: can't be written: %s", path, strerror(why));
}

static bool write_file(const char *victim, const char *path, const hy_buffer *bytes, hy_trace_error *error) {
    char temporary[4096];
    int length = victim ? snprintf(temporary, sizeof temporary, "%s", victim)
                        : snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        return refuse(error, "%.200s…: the path is too long", path);
    }
    int file = open(temporary, O_WRONLY | O_CLOEXEC | (victim ? 0 : O_CREAT | O_EXCL), 0644);
    if (file < 0) {
        error->full = errno == ENOSPC || errno == EDQUOT;
        return refuse_system(error, "%s: can't be written: %s", path, strerror(errno));
    }
    if (victim) (void)fchmod(file, 0644);
    if (publish(file, temporary, path, bytes, error)) return true;
    if (!victim) (void)unlink(temporary);
    return false;
}

bool hy_trace_encode(const hy_history *history, const hy_trace_info *info, hy_buffer *out) {
    put_header(out, history, info);
    put_ops(out, history);
    return !out->failed;
}

bool hy_trace_write_over(const char *victim, const char *path, const hy_history *history,
    const hy_trace_info *info, hy_trace_error *error) {
    *error = (hy_trace_error){0};
    size_t bad;
    if (!hy_history_check(history, &bad)) {
        error->op = bad;
        return refuse(error, "%s: not written: operation %zu of the history is not legal%s", path, bad,
            bad == 0 ? ", or there was no memory to check it" : "");
    }
    bad = first_without_encoding(history);
    if (bad < history->count) {
        error->op = bad;
        return refuse(error,
            "%s: not written: operation %zu is an allocator's own, or of a size that an instance decides: "
            "traces "
            "hold neither",
            path, bad);
    }
    hy_buffer bytes;
    hy_buffer_init(&bytes, history->allocator);
    bool good = hy_trace_encode(history, info, &bytes)
                    ? write_file(victim, path, &bytes, error)
                    : refuse_system(error, "%s: not written: out of memory", path);
    hy_buffer_deinit(&bytes);
    return good;
}

bool hy_trace_write(
    const char *path, const hy_history *history, const hy_trace_info *info, hy_trace_error *error) {
    return hy_trace_write_over(NULL, path, history, info, error);
}

/* ---- reading ---- */

/* A file that is being read. */
typedef struct reader {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    hy_cursor cursor;
    hy_history *history;
    hy_trace_info *info;
    hy_trace_error *error;
} reader;

static uint64_t offset_of(const reader *in) {
    return (uint64_t)(in->cursor.at - in->bytes);
}

/* Reports an error after the metadata, with the position of the current chunk. */
static bool refuse_chunk(reader *in, const char *what) {
    in->error->op = in->history->count;
    in->error->offset = offset_of(in);
    return refuse(in->error, "%s: %s after operation %zu of %" PRIu64 ", at byte %" PRIu64 " of %zu",
        in->name, what, in->history->count, in->info->op_count, in->error->offset, in->size);
}

static void get_text(char *out, size_t capacity, const char *value, size_t length) {
    size_t count = length < capacity - 1 ? length : capacity - 1;
    memcpy(out, value, count);
    out[count] = 0;
}

static uint64_t get_number(const char *value, size_t length) {
    uint64_t number = 0;
    for (size_t i = 0; i < length && value[i] >= '0' && value[i] <= '9'; i++) {
        if (number > (UINT64_MAX - 9) / 10) return UINT64_MAX;
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    return number;
}

static bool key_is(const char *line, size_t key, const char *name) {
    return key == strlen(name) && memcmp(line, name, key) == 0;
}

/* Parses one line of metadata; unknown keys are ignored. */
static void get_line(hy_trace_info *info, const char *line, size_t length) {
    const char *equals = memchr(line, '=', length);
    if (!equals) return;
    size_t key = (size_t)(equals - line);
    const char *value = equals + 1;
    size_t rest = length - key - 1;
    uint64_t number = get_number(value, rest);
    if (key_is(line, key, "program"))
        get_text(info->program, sizeof info->program, value, rest);
    else if (key_is(line, key, "command"))
        get_text(info->command, sizeof info->command, value, rest);
    else if (key_is(line, key, "recorder"))
        get_text(info->recorder, sizeof info->recorder, value, rest);
    else if (key_is(line, key, "date"))
        get_text(info->date, sizeof info->date, value, rest);
    else if (key_is(line, key, "end"))
        get_text(info->end, sizeof info->end, value, rest);
    else if (key_is(line, key, "finished"))
        info->finished = number == 1;
    else if (key_is(line, key, "operations"))
        info->op_count = number;
    else if (key_is(line, key, "foreign"))
        info->foreign_count = number;
}

static bool get_header(reader *in) {
    if (in->size == 0) return refuse(in->error, "%s: is empty, not a trace", in->name);
    size_t magic = in->size < MAGIC_SIZE ? in->size : MAGIC_SIZE;
    if (memcmp(in->bytes, MAGIC, magic) != 0) {
        return refuse(in->error, "%s: not a trace; `scripts/trace record` makes one", in->name);
    }
    in->cursor.at += magic;
    uint32_t version = hy_cursor_u32(&in->cursor);
    if (!in->cursor.failed && version != HY_TRACE_VERSION) {
        return refuse(in->error, "%s: a trace of version %u; this build reads version %u: record it anew",
            in->name, version, HY_TRACE_VERSION);
    }
    uint32_t length = hy_cursor_u32(&in->cursor);
    size_t left = (size_t)(in->cursor.end - in->cursor.at);
    if (in->cursor.failed || (length <= METADATA_MAX && left < length + 4u)) {
        return refuse(in->error, "%s: cut within its first lines, at byte %zu: nothing of it can be read",
            in->name, in->size);
    }
    if (length > METADATA_MAX)
        return refuse(in->error, "%s: damaged in its first lines, at byte 12", in->name);
    const char *text = (const char *)in->cursor.at;
    in->cursor.at += length;
    uint32_t expected = crc32_of(0, in->bytes, offset_of(in));
    if (hy_cursor_u32(&in->cursor) != expected) {
        return refuse(
            in->error, "%s: damaged in its first lines, before byte %" PRIu64, in->name, offset_of(in));
    }
    for (const char *end = text + length; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        get_line(in->info, text, (size_t)(stop - text));
        text = stop + 1;
    }
    return true;
}

/* Appends the operations of one chunk, all or none. */
static bool get_chunk_ops(
    reader *in, hy_trace_codec *codec, hy_cursor columns[HY_TRACE_COLUMNS], uint32_t ops) {
    size_t before = in->history->count;
    for (uint32_t i = 0; i < ops; i++) {
        hy_op op;
        hy_decode_result result = hy_trace_decode_op(codec, columns, &op);
        if (result == HY_DECODED && !hy_history_append(in->history, op)) result = HY_DECODE_NO_MEMORY;
        if (result == HY_DECODED) continue;
        in->history->count = before;
        in->error->system = result == HY_DECODE_NO_MEMORY;
        return refuse_chunk(
            in, in->error->system ? "out of memory" : "damaged (a chunk holds what is no operation)");
    }
    return true;
}

/* The header of a chunk. */
typedef struct chunk {
    uint32_t ops;
    uint32_t lengths[HY_TRACE_COLUMNS];
    uint64_t raw_length;
    uint32_t packed_length;
} chunk;

/* Reads and verifies a chunk's header and checksum. The cursor is left at the packed bytes, or, where the
 * chunk is rejected, at its first byte. */
static bool get_chunk_header(reader *in, chunk *out) {
    hy_cursor at = in->cursor;
    uint32_t magic = hy_cursor_u32(&at);
    *out = (chunk){.ops = hy_cursor_u32(&at)};
    for (int i = 0; i < HY_TRACE_COLUMNS; i++)
        out->raw_length += out->lengths[i] = hy_cursor_u32(&at);
    out->packed_length = hy_cursor_u32(&at);
    uint32_t expected = crc32_of(0, in->cursor.at, (size_t)(at.at - in->cursor.at));
    uint32_t crc = hy_cursor_u32(&at);
    if (at.failed) return refuse_chunk(in, "cut");
    if (magic != CHUNK_MAGIC || out->ops == 0 || out->ops > CHUNK_OPS_MAX ||
        out->raw_length > (uint64_t)out->ops * COLUMN_BYTES_PER_OP_MAX * 2) {
        return refuse_chunk(in, "damaged");
    }
    if ((size_t)(at.end - at.at) < out->packed_length) return refuse_chunk(in, "cut");
    if (crc32_of(expected, at.at, out->packed_length) != crc) return refuse_chunk(in, "damaged (checksum)");
    in->cursor = at;
    return true;
}

static bool get_chunk(reader *in, hy_trace_codec *codec) {
    hy_cursor start = in->cursor;
    chunk header;
    if (!get_chunk_header(in, &header)) return false;
    hy_allocator gpa = in->history->allocator;
    uint8_t *raw = hy_alloc_n(gpa, uint8_t, header.raw_length);
    const uint8_t *packed = in->cursor.at;
    in->cursor = start;
    if (!raw) {
        in->error->system = true;
        return refuse_chunk(in, "out of memory");
    }
    bool good = ZSTD_decompress(raw, header.raw_length, packed, header.packed_length) == header.raw_length;
    if (!good) refuse_chunk(in, "damaged (can't be unpacked)");
    if (good) {
        hy_cursor columns[HY_TRACE_COLUMNS];
        const uint8_t *at = raw;
        for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
            columns[i] = (hy_cursor){.at = at, .end = at + header.lengths[i]};
            at += header.lengths[i];
        }
        good = get_chunk_ops(in, codec, columns, header.ops);
    }
    if (good) in->cursor.at = packed + header.packed_length;
    hy_free_n(gpa, raw, header.raw_length);
    return good;
}

static bool get_chunks(reader *in) {
    hy_trace_codec codec;
    hy_trace_codec_init(&codec, in->history->allocator);
    bool good = true;
    while (good && in->history->count < in->info->op_count)
        good = get_chunk(in, &codec);
    if (good && (in->history->count > in->info->op_count || in->cursor.at != in->cursor.end)) {
        good = refuse_chunk(in, "damaged (more follows than its first lines promise)");
    }
    hy_trace_codec_deinit(&codec);
    if (good && !in->info->finished) {
        in->error->op = in->history->count;
        in->error->offset = in->size;
        good = refuse(in->error, "%s: ends after operation %zu, because its recording did not finish (%s)",
            in->name, in->history->count, in->info->end);
    }
    return good;
}

/* Counts calls, slots and threads again: a partial read has fewer than the metadata says. */
static void recount(hy_history *history, hy_trace_info *info) {
    history->slot_count = 0;
    history->thread_count = 0;
    for (size_t i = 0; i < history->count; i++) {
        info->call_count += history->ops[i].kind != HY_OP_THREAD_END;
        if (history->ops[i].slot >= history->slot_count) history->slot_count = history->ops[i].slot + 1;
        if (history->ops[i].thread >= history->thread_count)
            history->thread_count = history->ops[i].thread + 1u;
    }
}

bool hy_trace_decode(const char *name, const void *bytes, size_t size, bool partial, hy_history *history,
    hy_trace_info *info, hy_trace_error *error) {
    *info = (hy_trace_info){.file_bytes = size};
    *error = (hy_trace_error){0};
    reader in = {.name = name,
        .bytes = bytes,
        .size = size,
        .cursor = {.at = bytes, .end = (const uint8_t *)bytes + size},
        .history = history,
        .info = info,
        .error = error};
    bool good = get_header(&in);
    if (good) {
        good = get_chunks(&in) || (partial && !error->system);
        if (!good && !error->system) {
            size_t length = strlen(error->message);
            (void)snprintf(
                error->message + length, sizeof error->message - length, "; --partial takes what is there");
        }
    }
    if (!good) history->count = 0;
    recount(history, info);
    info->op_count = history->count;
    info->slot_count = history->slot_count;
    info->thread_count = history->thread_count;
    return good;
}

/* The whole file, or NULL with *error set. */
static uint8_t *read_file(const char *path, hy_allocator gpa, size_t *size, hy_trace_error *error) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        const char *why = file < 0 ? strerror(errno) : "not a regular file";
        if (file >= 0) (void)close(file);
        refuse(error, "%s: can't be read: %s", path, why);
        return NULL;
    }
    size_t capacity = (size_t)status.st_size;
    uint8_t *bytes = hy_alloc_n(gpa, uint8_t, capacity);
    size_t count = 0;
    ssize_t got = 1;
    while (bytes && count < capacity && got > 0) {
        got = read(file, bytes + count, capacity - count);
        if (got > 0)
            count += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    int why = errno;
    (void)close(file);
    if (bytes && count == capacity) {
        *size = count;
        return bytes;
    }
    hy_free_n(gpa, bytes, capacity);
    refuse_system(error, "%s: can't be read: %s", path,
        bytes ? got < 0 ? strerror(why) : "it shrank meanwhile" : "out of memory");
    return NULL;
}

bool hy_trace_read(
    const char *path, bool partial, hy_history *history, hy_trace_info *info, hy_trace_error *error) {
    *info = (hy_trace_info){0};
    *error = (hy_trace_error){0};
    size_t size = 0;
    uint8_t *bytes = read_file(path, history->allocator, &size, error);
    if (!bytes) return false;
    bool good = hy_trace_decode(path, bytes, size, partial, history, info, error);
    hy_free_n(history->allocator, bytes, size);
    return good;
}
