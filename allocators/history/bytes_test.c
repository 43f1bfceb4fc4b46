/* bytes_test.c: any bytes decode, what is written reads back, and sizes fall as they should. */
#include "allocators/history/bytes.h"

#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const hy_bytes_bounds bounds = {4096, 64};

static uint64_t step(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void draw(uint8_t *bytes, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)step(&seed);
}

static void decode(const uint8_t *bytes, size_t size, hy_bytes_header *header, hy_history *history) {
    size_t taken = hy_bytes_decode_header(bytes, size, header);
    assert_true(taken <= size);
    assert_true(hy_bytes_decode(bytes + taken, size - taken, header, bounds, history));
}

static void test_any_bytes_are_a_legal_history(void **unused) {
    (void)unused;
    uint8_t bytes[300];
    hy_history history;
    hy_history_init(&history, hy_libc());
    for (uint64_t seed = 0; seed < 2000; seed++) {
        hy_bytes_header header;
        size_t bad, size = seed % sizeof bytes;
        draw(bytes, size, seed);
        decode(bytes, size, &header, &history);
        assert_true(history.slot_count <= HY_BYTES_SLOT_MAX);
        assert_true(history.count < HY_BYTES_OPERATION_MAX + 40);
        if (!hy_history_check(&history, &bad))
            fail_msg("seed %d: operation %zu is not legal", (int)seed, bad);
    }
    hy_history_deinit(&history);
}

static void test_what_is_written_reads_back(void **unused) {
    (void)unused;
    uint8_t bytes[200], written[4000];
    hy_history first, second;
    hy_history_init(&first, hy_libc());
    hy_history_init(&second, hy_libc());
    for (uint64_t seed = 0; seed < 500; seed++) {
        hy_bytes_header header, again;
        draw(bytes, sizeof bytes, seed);
        decode(bytes, sizeof bytes, &header, &first);
        header.mask = 0;
        hy_bytes_writer writer;
        hy_bytes_write_header(&writer, written, sizeof written, &header);
        for (size_t i = 0; i < first.count; i++)
            assert_true(hy_bytes_write(&writer, first.ops[i], HY_BYTES_ABSOLUTE));
        decode(written, writer.size, &again, &second);
        assert_memory_equal(&header.manners, &again.manners, sizeof header.manners);
        assert_int_equal(header.options, again.options);
        assert_int_equal(header.shape, again.shape);
        assert_int_equal(first.count, second.count);
        assert_memory_equal(first.ops, second.ops, first.count * sizeof(hy_op));
    }
    hy_history_deinit(&first);
    hy_history_deinit(&second);
}

static void test_an_exhausted_input_reads_zero(void **unused) {
    (void)unused;
    hy_history history;
    hy_history_init(&history, hy_libc());
    hy_bytes_header header;
    decode(NULL, 0, &header, &history);
    assert_int_equal(history.count, 0);
    const uint8_t cut[] = {0, 0, 0x00}; /* an allocation whose size is missing */
    decode(cut, sizeof cut, &header, &history);
    assert_int_equal(history.count, 1);
    assert_int_equal(history.ops[0].size, 1);
    hy_history_deinit(&history);
}

/* Every first byte of a size once: the shares are those of the codes. */
static void test_sizes_are_mostly_small(void **unused) {
    (void)unused;
    hy_history history;
    hy_history_init(&history, hy_libc());
    size_t linear = 0, huge = 0;
    for (unsigned code = 0; code < 256; code++) {
        uint8_t bytes[] = {0, 0, 0x00, (uint8_t)code, 7, 7, 7, 7, 7, 7, 7, 7};
        hy_bytes_header header;
        decode(bytes, sizeof bytes, &header, &history);
        if (code < 160) linear += history.ops[0].size >= 1 && history.ops[0].size <= 160;
        huge += history.ops[0].size > (uint64_t)1 << 31;
    }
    assert_int_equal(linear, 160);
    assert_in_range(huge, 5, 13);
    hy_history_deinit(&history);
}

static void test_sizes_near_a_bound_follow_it(void **unused) {
    (void)unused;
    uint8_t bytes[16];
    hy_bytes_writer writer;
    hy_bytes_header header = {.manners = {.alloc_refusal = HY_BYTES_NEVER,
                                  .resize_refusal = HY_BYTES_NEVER,
                                  .remap_refusal = HY_BYTES_NEVER}};
    hy_bytes_write_header(&writer, bytes, sizeof bytes, &header);
    assert_true(hy_bytes_write(
        &writer, (hy_op){.kind = HY_OP_ALLOC, .slot = 9, .size = (uint64_t)-3}, HY_BYTES_CAPACITY));
    assert_false(
        hy_bytes_write(&writer, (hy_op){.kind = HY_OP_ALLOC, .slot = 9, .size = 1}, HY_BYTES_ABSOLUTE));
    assert_true(hy_bytes_write(&writer, (hy_op){.kind = HY_OP_ALLOC, .slot = 4, .size = 1}, HY_BYTES_BLOCK));
    hy_history history;
    hy_history_init(&history, hy_libc());
    decode(bytes, writer.size, &header, &history);
    assert_int_equal(history.count, 2);
    assert_int_equal(history.ops[0].size, 4093);
    assert_int_equal(history.ops[1].size, 65);
    hy_history_deinit(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_are_a_legal_history),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_an_exhausted_input_reads_zero),
        cmocka_unit_test(test_sizes_are_mostly_small),
        cmocka_unit_test(test_sizes_near_a_bound_follow_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
