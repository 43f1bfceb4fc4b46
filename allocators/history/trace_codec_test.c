/* trace_codec_test.c: any bytes in the columns decode to a legal history up to the first corrupt one, and
 * encoded operations decode to themselves. */
#include "allocators/history/trace_codec.h"

#include "allocators/history/sample_history.h"
#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COLUMN_BYTES 400

/* Decodes until the columns end or are corrupt; the decoded history must be legal. Returns the number of
 * operations. */
static size_t decode_all(hy_cursor columns[HY_TRACE_COLUMNS], hy_history *history) {
    hy_trace_codec codec;
    hy_trace_codec_init(&codec, hy_libc());
    hy_op op;
    while (hy_trace_decode_op(&codec, columns, &op) == HY_DECODED)
        assert_true(hy_history_append(history, op));
    hy_trace_codec_deinit(&codec);
    size_t bad;
    assert_true(hy_history_check(history, &bad));
    return history->count;
}

static void any_bytes_decode_to_a_legal_beginning(void **state) {
    (void)state;
    hy_sample_random random = {.state = 5};
    size_t longest = 0;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[HY_TRACE_COLUMNS][COLUMN_BYTES];
        hy_cursor columns[HY_TRACE_COLUMNS];
        for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
            /* Small values, so that ages often name a live block; in every third round also long varints. */
            uint64_t below = 1 + hy_sample_next(&random, round % 3 == 0 ? 256 : 12);
            for (int at = 0; at < COLUMN_BYTES; at++)
                bytes[i][at] = (uint8_t)hy_sample_next(&random, below);
            columns[i] = (hy_cursor){.at = bytes[i], .end = bytes[i] + COLUMN_BYTES};
        }
        hy_history history;
        hy_history_init(&history, hy_libc());
        size_t count = decode_all(columns, &history);
        if (count > longest) longest = count;
        hy_history_deinit(&history);
    }
    assert_true(longest > 50);
}

static void decoding_inverts_encoding(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        hy_history written, read;
        hy_history_init(&written, hy_libc());
        hy_history_init(&read, hy_libc());
        assert_true(hy_sample_history(&written, seed, 2000, 3));
        hy_trace_codec codec;
        hy_trace_codec_init(&codec, hy_libc());
        hy_buffer buffers[HY_TRACE_COLUMNS];
        hy_cursor columns[HY_TRACE_COLUMNS];
        for (int i = 0; i < HY_TRACE_COLUMNS; i++)
            hy_buffer_init(&buffers[i], hy_libc());
        for (size_t i = 0; i < written.count; i++)
            assert_true(hy_trace_encode_op(&codec, written.ops[i], buffers));
        for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
            columns[i] = (hy_cursor){.at = buffers[i].bytes, .end = buffers[i].bytes + buffers[i].count};
        }
        assert_int_equal(decode_all(columns, &read), written.count);
        assert_memory_equal(read.ops, written.ops, read.count * sizeof(hy_op));
        for (int i = 0; i < HY_TRACE_COLUMNS; i++)
            hy_buffer_deinit(&buffers[i]);
        hy_trace_codec_deinit(&codec);
        hy_history_deinit(&written);
        hy_history_deinit(&read);
    }
}

static void a_varint_longer_than_a_word_is_corrupt(void **state) {
    (void)state;
    static const uint8_t tags[] = {HY_OP_ALLOC};
    static const uint8_t sizes[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
    hy_cursor columns[HY_TRACE_COLUMNS] = {
        {.at = tags, .end = tags + sizeof tags}, {.at = sizes, .end = sizes + sizeof sizes}};
    hy_trace_codec codec;
    hy_trace_codec_init(&codec, hy_libc());
    hy_op op;
    assert_int_equal(hy_trace_decode_op(&codec, columns, &op), HY_DECODE_CORRUPT);
    hy_trace_codec_deinit(&codec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_decode_to_a_legal_beginning),
        cmocka_unit_test(decoding_inverts_encoding),
        cmocka_unit_test(a_varint_longer_than_a_word_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
