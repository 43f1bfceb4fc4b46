/* bytes_test.c: any bytes decode, written operations read back, and sizes are distributed as documented. */
#include "allocators/history/bytes.h"

#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const hy_row_operation operations[] = {{.name = "save"}, {.name = "restore"}, {.name = "reserve"},
    {.name = "hand_over"}, {.name = "trim"}, {.name = "keep"}, {.name = "scan"}, {.name = "flush"},
    {.name = "lock"}};
#define OPERATIONS (sizeof operations / sizeof operations[0])
static const hy_bytes_bounds bounds = {4096, 64, operations, OPERATIONS};

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static void fill_random(uint8_t *bytes, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next_random(&seed);
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
        fill_random(bytes, size, seed);
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
        fill_random(bytes, sizeof bytes, seed);
        decode(bytes, sizeof bytes, &header, &first);
        header.mask = 0;
        hy_bytes_writer writer;
        hy_bytes_write_header(&writer, written, sizeof written, &header);
        for (size_t i = 0; i < first.count; i++)
            assert_true(hy_bytes_write(&writer, first.ops[i], HY_BYTES_ABSOLUTE));
        decode(written, writer.size, &again, &second);
        assert_memory_equal(&header.faults, &again.faults, sizeof header.faults);
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

/* Every first byte of a size once, so that the shares of sizes are those of the codes. */
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
    hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER,
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

static const hy_op every_kind[] = {
    {.kind = HY_OP_ALLOC, .slot = 1, .size = 1, .align_log2 = 3},
    {.kind = HY_OP_ALLOC, .slot = 2, .size = 300, .align_log2 = 20}, /* a byte for the alignment */
    {.kind = HY_OP_ALLOC, .slot = 3, .size = 0, .flags = HY_OP_ZEROED},
    {.kind = HY_OP_ALLOC, .slot = 4, .size = SIZE_MAX - 3},
    {.kind = HY_OP_ALLOC, .slot = 5, .size = 70000},
    {.kind = HY_OP_ALLOC, .slot = 6, .size = (uint64_t)1 << 41 | 5},
    {.kind = HY_OP_REALLOC, .slot = 3, .size = 40000},
    {.kind = HY_OP_RESIZE, .slot = 1, .size = 7},
    {.kind = HY_OP_REMAP, .slot = 6, .size = 7},
    {.kind = HY_OP_CHECK},
    {.kind = HY_OP_SPECIAL, .slot = 3, .size = 70000},
    {.kind = HY_OP_SPECIAL, .slot = OPERATIONS - 1, .size = (uint64_t)-2, .flags = HY_OP_OF_ROOM},
    {.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN, .size = 5},
    {.kind = HY_OP_ALLOC, .slot = 7, .size = 3, .flags = HY_OP_OF_ROOM},
    {.kind = HY_OP_FREE, .slot = 2},
    {.kind = HY_OP_RESET, .size = 2 | 4096 << 2},
    {.kind = HY_OP_RESET, .size = 1},
};

#define KINDS (sizeof every_kind / sizeof every_kind[0])

/* How many operations fit into `capacity` bytes; one that does not fit must write nothing. */
static size_t written_into(size_t capacity, const hy_bytes_header *header) {
    uint8_t bytes[200];
    hy_bytes_writer writer;
    memset(bytes, 0xEE, sizeof bytes);
    hy_bytes_write_header(&writer, bytes, capacity, header);
    size_t count = 0, before = writer.size;
    while (count < KINDS && hy_bytes_write(&writer, every_kind[count], HY_BYTES_ABSOLUTE)) {
        assert_true(writer.size > before);
        before = writer.size;
        count++;
    }
    assert_int_equal(writer.size, before);
    assert_true(writer.size <= capacity);
    for (size_t i = capacity; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 0xEE);
    return count;
}

/* What `size` bytes behind a plain header decode to, on a row with these operations. */
static hy_op only_operation(const uint8_t *bytes, size_t size, const hy_bytes_bounds *of) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    assert_true(hy_bytes_decode(bytes, size, &(hy_bytes_header){0}, *of, &history));
    assert_int_equal(history.count, 1);
    hy_op op = history.ops[0];
    hy_history_deinit(&history);
    return op;
}

static void operations_are_found_by_index_and_by_name(void **unused) {
    (void)unused;
    const hy_bytes_bounds none = {4096, 64, NULL, 0};
    for (unsigned argument = 0; argument < 7; argument++)
        assert_int_equal(
            only_operation((uint8_t[]){(uint8_t)(0x0C | argument << 4)}, 1, &bounds).kind, HY_OP_CHECK);
    const uint8_t first[] = {0x8C, 9}, twelfth[] = {0xFC, 12, 9};
    const uint8_t scan[] = {0xFC, hy_bytes_name_code("scan"), 9},
                  other[] = {0xFC, hy_bytes_name_code("other"), 9};
    hy_op op = only_operation(first, sizeof first, &bounds);
    assert_int_equal(op.kind, HY_OP_SPECIAL);
    assert_int_equal(op.slot, 0);
    assert_int_equal(op.size, 10);
    assert_int_equal(only_operation(twelfth, sizeof twelfth, &bounds).slot, 12 % OPERATIONS);
    op = only_operation(scan, sizeof scan, &bounds);
    assert_int_equal(op.slot, 6);
    assert_int_equal(op.size, 10);
    assert_int_equal(only_operation(other, sizeof other, &bounds).kind, HY_OP_CHECK);
    assert_int_equal(only_operation(scan, sizeof scan, &none).kind, HY_OP_CHECK);
    assert_int_equal(only_operation(first, 1, &none).kind, HY_OP_CHECK);
    op = only_operation((uint8_t[]){0x7C, 9}, 2, &none);
    assert_int_equal(op.slot, HY_OP_TWIN);
}

static void a_full_buffer_is_reported_at_every_byte(void **unused) {
    (void)unused;
    const hy_bytes_header header = {.options = 0x1234,
        .faults = {.alloc_refusal = 3, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = 5}};
    size_t last = 0;
    for (size_t capacity = 0; capacity < 100; capacity++) {
        size_t count = written_into(capacity, &header);
        assert_true(count >= last);
        last = count;
    }
    assert_int_equal(last, KINDS);
}

static void an_operation_without_an_encoding_is_refused(void **unused) {
    (void)unused;
    static uint8_t bytes[4096];
    hy_bytes_writer writer;
    const hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER}};
    hy_bytes_write_header(&writer, bytes, sizeof bytes, &header);
    assert_false(hy_bytes_write(&writer, (hy_op){.kind = HY_OP_FREE, .slot = 0}, HY_BYTES_ABSOLUTE));
    for (uint32_t slot = 0; slot < HY_BYTES_SLOT_MAX; slot++)
        assert_true(hy_bytes_write(
            &writer, (hy_op){.kind = HY_OP_ALLOC, .slot = slot, .size = 1}, HY_BYTES_ABSOLUTE));
    assert_false(
        hy_bytes_write(&writer, (hy_op){.kind = HY_OP_ALLOC, .slot = 999, .size = 1}, HY_BYTES_ABSOLUTE));
    assert_false(hy_bytes_write(&writer, (hy_op){.kind = HY_OP_THREAD_END, .slot = 1}, HY_BYTES_ABSOLUTE));
    assert_false(hy_bytes_write(&writer, (hy_op){.kind = HY_OP_SPECIAL, .slot = 128}, HY_BYTES_ABSOLUTE));
}

static void a_long_input_stops_at_the_greatest_count(void **unused) {
    (void)unused;
    static uint8_t bytes[5000];
    hy_history history;
    hy_bytes_header header;
    hy_history_init(&history, hy_libc());
    decode(bytes, sizeof bytes, &header, &history);
    assert_in_range(history.count, HY_BYTES_OPERATION_MAX, HY_BYTES_OPERATION_MAX + 1);
    hy_history_deinit(&history);
}

static hy_error decode_in(hy_allocator gpa, void *argument) {
    hy_history history;
    hy_bytes_header header;
    hy_history_init(&history, gpa);
    size_t taken = hy_bytes_decode_header(argument, 2000, &header);
    bool good = hy_bytes_decode((uint8_t *)argument + taken, 2000 - taken, &header, bounds, &history);
    hy_history_deinit(&history);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void every_refused_allocation_is_reported(void **unused) {
    (void)unused;
    static uint8_t bytes[2000];
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(decode_in, hy_libc(), bytes, &report), HY_SWEEP_OK);
    assert_true(report.alloc_count >= 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_are_a_legal_history),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_an_exhausted_input_reads_zero),
        cmocka_unit_test(test_sizes_are_mostly_small),
        cmocka_unit_test(test_sizes_near_a_bound_follow_it),
        cmocka_unit_test(operations_are_found_by_index_and_by_name),
        cmocka_unit_test(a_full_buffer_is_reported_at_every_byte),
        cmocka_unit_test(an_operation_without_an_encoding_is_refused),
        cmocka_unit_test(a_long_input_stops_at_the_greatest_count),
        cmocka_unit_test(every_refused_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
