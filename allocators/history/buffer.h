/* buffer.h: bytes that grow, for the codecs of the history layer. Not thread-safe. */
#ifndef HEAPYARD_BUFFER_H
#define HEAPYARD_BUFFER_H

#include <heapyard/typed.h>

/* Once an append has failed, `failed` stays set and further appends do nothing, so that a codec checks
 * for out of memory once, after its last append. */
typedef struct hy_buffer {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
    bool failed;
    hy_allocator gpa;
} hy_buffer;

static inline void hy_buffer_init(hy_buffer *buffer, hy_allocator gpa) {
    *buffer = (hy_buffer){.gpa = gpa};
}

static inline void hy_buffer_deinit(hy_buffer *buffer) {
    hy_free_n(buffer->gpa, buffer->bytes, buffer->capacity);
    *buffer = (hy_buffer){.gpa = buffer->gpa};
}

static inline bool hy_buffer_reserve(hy_buffer *buffer, size_t more) {
    if (buffer->failed) return false;
    if (more <= buffer->capacity - buffer->count) return true;
    size_t capacity = (buffer->count + more) * 2;
    uint8_t *bytes = hy_realloc_n(buffer->gpa, uint8_t, buffer->bytes, buffer->capacity, capacity);
    if (!bytes) {
        buffer->failed = true;
        return false;
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

static inline void hy_buffer_append(hy_buffer *buffer, const void *bytes, size_t count) {
    if (count == 0 || !hy_buffer_reserve(buffer, count)) return;
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
}

static inline void hy_buffer_byte(hy_buffer *buffer, uint8_t byte) {
    hy_buffer_append(buffer, &byte, 1);
}

/* Little-endian on every machine. */
static inline void hy_buffer_u32(hy_buffer *buffer, uint32_t value) {
    for (int i = 0; i < 4; i++)
        hy_buffer_byte(buffer, (uint8_t)(value >> (8 * i)));
}

/* Seven bits per byte, low bits first; the top bit is set where more bytes follow: 1 to 10 bytes. */
static inline void hy_buffer_varint(hy_buffer *buffer, uint64_t value) {
    while (value >= 0x80) {
        hy_buffer_byte(buffer, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    hy_buffer_byte(buffer, (uint8_t)value);
}

/* Bytes that are read from the front; `failed` is set by a read past the end. */
typedef struct hy_cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} hy_cursor;

static inline uint8_t hy_cursor_byte(hy_cursor *cursor) {
    if (cursor->at == cursor->end) {
        cursor->failed = true;
        return 0;
    }
    return *cursor->at++;
}

static inline uint32_t hy_cursor_u32(hy_cursor *cursor) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)hy_cursor_byte(cursor) << (8 * i);
    return value;
}

static inline uint64_t hy_cursor_varint(hy_cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = hy_cursor_byte(cursor);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
    cursor->failed = true;
    return 0;
}

#endif
