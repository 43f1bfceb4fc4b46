/* trace_file_test.c: a written history is read back; a file that is not a complete trace is rejected with
 * the position of the error. */
#include "allocators/history/trace_file.h"

#include "allocators/history/sample_history.h"
#include <fcntl.h>
#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, with a trace in it. */
typedef struct fixture {
    char folder[64];
    char path[96];
    hy_history written;
    uint8_t *bytes;
    size_t size;
} fixture;

static void load(fixture *f) {
    FILE *file = fopen(f->path, "rb");
    assert_non_null(file);
    struct stat status;
    assert_int_equal(stat(f->path, &status), 0);
    f->size = (size_t)status.st_size;
    free(f->bytes);
    f->bytes = malloc(f->size);
    assert_non_null(f->bytes);
    assert_int_equal(fread(f->bytes, 1, f->size, file), f->size);
    (void)fclose(file);
}

static void write_sample(fixture *f, size_t count) {
    hy_history_init(&f->written, hy_libc());
    assert_true(hy_sample_history(&f->written, 7, count, 5));
    hy_trace_info info = {.program = "/bin/made\nup",
        .command = "made up",
        .recorder = "test",
        .end = "exit",
        .finished = true};
    hy_trace_error error;
    assert_true(hy_trace_write(f->path, &f->written, &info, &error));
    load(f);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    strcpy(f->folder, "/tmp/trace_file_test.XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/a.hyt", f->folder);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    (void)unlink(f->path);
    if (rmdir(f->folder) != 0) return -1; /* nothing else was left there */
    if (f->written.allocator.vtable) hy_history_deinit(&f->written);
    free(f->bytes);
    free(f);
    return 0;
}

static void assert_same(const hy_history *left, const hy_history *right, size_t count) {
    assert_true(left->count >= count && right->count >= count);
    assert_memory_equal(left->ops, right->ops, count * sizeof(hy_op));
}

static void reads_back_what_was_written(void **state) {
    fixture *f = *state;
    write_sample(f, 100000);
    hy_history read;
    hy_history_init(&read, hy_libc());
    hy_trace_info info;
    hy_trace_error error;
    assert_true(hy_trace_read(f->path, false, &read, &info, &error));
    assert_int_equal(read.count, f->written.count);
    assert_same(&read, &f->written, read.count);
    assert_int_equal(read.slot_count, f->written.slot_count);
    assert_int_equal(read.thread_count, 5);
    assert_string_equal(info.program, "/bin/made up"); /* the line feed became a blank */
    assert_string_equal(info.end, "exit");
    assert_true(info.finished);
    assert_int_equal(info.file_bytes, f->size);
    assert_string_equal(error.message, "");
    hy_history_deinit(&read);
}

static void same_history_gives_the_same_bytes(void **state) {
    fixture *f = *state;
    write_sample(f, 5000);
    uint8_t *first = f->bytes;
    size_t size = f->size;
    f->bytes = NULL;
    hy_history_deinit(&f->written);
    write_sample(f, 5000);
    assert_int_equal(f->size, size);
    assert_memory_equal(f->bytes, first, size);
    free(first);
}

static void keeps_every_kind_and_flag(void **state) {
    fixture *f = *state;
    static const hy_op ops[] = {
        {.kind = HY_OP_ALLOC, .align_log2 = 63, .size = 1},
        {.kind = HY_OP_ALLOC, .flags = HY_OP_REFUSED, .align_log2 = 4, .slot = 1, .size = UINT64_MAX},
        {.kind = HY_OP_ALLOC, .flags = HY_OP_ZEROED, .align_log2 = 0, .thread = 65535, .slot = 1, .size = 0},
        {.kind = HY_OP_RESIZE, .align_log2 = 63, .thread = 1, .size = UINT64_MAX},
        {.kind = HY_OP_REMAP, .flags = HY_OP_REFUSED, .align_log2 = 63, .size = 3},
        {.kind = HY_OP_REALLOC, .align_log2 = 63, .size = 4},
        {.kind = HY_OP_CHECK},
        {.kind = HY_OP_FREE, .flags = HY_OP_SIZED, .align_log2 = 63, .size = 4},
        {.kind = HY_OP_RESET, .size = 12345},
        {.kind = HY_OP_ALLOC, .align_log2 = 3, .size = 15},
        {.kind = HY_OP_THREAD_END, .thread = 3},
    };
    size_t count = sizeof ops / sizeof ops[0];
    hy_history_init(&f->written, hy_libc());
    for (size_t i = 0; i < count; i++)
        assert_true(hy_history_append(&f->written, ops[i]));
    hy_trace_info info = {.end = "exit", .finished = true};
    hy_trace_error error;
    assert_true(hy_trace_write(f->path, &f->written, &info, &error));
    hy_history read;
    hy_history_init(&read, hy_libc());
    assert_true(hy_trace_read(f->path, false, &read, &info, &error));
    assert_int_equal(read.count, count);
    assert_memory_equal(read.ops, ops, sizeof ops);
    hy_history_deinit(&read);
}

/* What only a row or an instance can tell the meaning of is not for a file that every allocator replays. */
static void refuses_to_write_what_has_no_encoding(void **state) {
    fixture *f = *state;
    const hy_op without[] = {{.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN},
        {.kind = HY_OP_ALLOC, .slot = 1, .size = 1, .flags = HY_OP_OF_ROOM}};
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++) {
        hy_history history;
        hy_history_init(&history, hy_libc());
        assert_true(hy_history_append(&history, (hy_op){.kind = HY_OP_ALLOC, .size = 3}));
        assert_true(hy_history_append(&history, without[i]));
        hy_trace_info info = {.finished = true};
        hy_trace_error error;
        assert_false(hy_trace_write(f->path, &history, &info, &error));
        assert_int_equal(error.op, 1);
        assert_non_null(strstr(error.message, "operation 1 is an allocator's own"));
        hy_history_deinit(&history);
    }
}

static void refuses_to_write_an_illegal_history(void **state) {
    fixture *f = *state;
    write_sample(f, 10);
    hy_history bad;
    hy_history_init(&bad, hy_libc());
    assert_true(hy_history_append(&bad, (hy_op){.kind = HY_OP_FREE, .size = 3}));
    hy_trace_info info = {.finished = true};
    hy_trace_error error;
    assert_false(hy_trace_write(f->path, &bad, &info, &error));
    assert_non_null(strstr(error.message, "operation 0"));
    uint8_t *before = f->bytes;
    size_t size = f->size;
    f->bytes = NULL;
    load(f);
    assert_int_equal(f->size, size);
    assert_memory_equal(f->bytes, before, size);
    free(before);
    hy_history_deinit(&bad);
}

/* Decodes bytes; returns the result of hy_trace_decode and the number of operations. */
static bool decode(const void *bytes, size_t size, bool partial, size_t *count, hy_trace_error *error) {
    hy_history read;
    hy_history_init(&read, hy_libc());
    hy_trace_info info;
    bool good = hy_trace_decode("x", bytes, size, partial, &read, &info, error);
    *count = read.count;
    if (!good) assert_int_equal(read.count, 0);
    assert_true(good ? strchr(error->message, '\n') == NULL : error->message[0] != 0);
    hy_history_deinit(&read);
    return good;
}

static void distinguishes_other_files_from_other_versions(void **state) {
    fixture *f = *state;
    write_sample(f, 100);
    hy_trace_error error;
    size_t count;
    assert_false(decode("#!/bin/sh\n", 10, true, &count, &error));
    assert_non_null(strstr(error.message, "not a trace"));
    assert_false(decode("", 0, true, &count, &error));
    assert_non_null(strstr(error.message, "empty"));
    f->bytes[8] = 9;
    assert_false(decode(f->bytes, f->size, true, &count, &error));
    assert_non_null(strstr(error.message, "version 9; this build reads version 1"));
}

static void a_truncated_file_is_reported_with_its_position_and_partial_reads_the_rest(void **state) {
    fixture *f = *state;
    write_sample(f, 100000);
    size_t most = 0, kinds = 0;
    for (size_t size = 1; size < f->size; size += size < 600 ? 1 : 997) {
        hy_trace_error error;
        size_t count;
        assert_false(decode(f->bytes, size, false, &count, &error));
        assert_non_null(strstr(error.message, "cut"));
        if (!decode(f->bytes, size, true, &count, &error)) continue;
        assert_true(count >= most);
        assert_int_equal(error.op, count);
        assert_true(error.offset <= size);
        kinds += count > most;
        most = count;
    }
    /* Several numbers of intact chunks have occurred, but never the whole file. */
    assert_true(kinds >= 2 && most < f->written.count);
}

static void a_partial_read_is_the_beginning(void **state) {
    fixture *f = *state;
    write_sample(f, 100000);
    hy_history read;
    hy_history_init(&read, hy_libc());
    hy_trace_info info;
    hy_trace_error error;
    assert_true(hy_trace_decode("x", f->bytes, f->size - 10, true, &read, &info, &error));
    assert_true(read.count > 30000);
    assert_same(&read, &f->written, read.count);
    assert_int_equal(info.op_count, read.count);
    hy_history_deinit(&read);
}

static void an_unfinished_trace_is_refused_unless_partial(void **state) {
    fixture *f = *state;
    write_sample(f, 500);
    hy_trace_info info = {.end = "killed", .finished = false};
    hy_trace_error error;
    assert_true(hy_trace_write(f->path, &f->written, &info, &error));
    load(f);
    size_t count;
    assert_false(decode(f->bytes, f->size, false, &count, &error));
    assert_non_null(strstr(error.message, "killed"));
    assert_int_equal(error.op, f->written.count);
    assert_true(decode(f->bytes, f->size, true, &count, &error));
    assert_int_equal(count, f->written.count);
}

/* Every byte is covered by a checksum or is part of the magic or version. */
static void every_flipped_bit_is_found(void **state) {
    fixture *f = *state;
    write_sample(f, 300);
    for (size_t i = 0; i < f->size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            f->bytes[i] ^= (uint8_t)(1u << bit);
            hy_trace_error error;
            size_t count;
            assert_false(decode(f->bytes, f->size, false, &count, &error));
            (void)decode(f->bytes, f->size, true, &count, &error);
            f->bytes[i] ^= (uint8_t)(1u << bit);
        }
    }
}

/* CRC-32 bit by bit: an independent implementation, so that the two check each other. */
static uint32_t plain_crc32(uint32_t crc, const uint8_t *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static uint32_t get_u32(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Damage under a matching checksum must be reported or decode to a legal history; it must do no harm. */
static void damage_under_a_right_checksum_is_safe(void **state) {
    fixture *f = *state;
    write_sample(f, 2000);
    size_t chunk = 16 + get_u32(f->bytes + 12) + 4;
    size_t header = 28, body = chunk + header + 4;
    assert_int_equal(get_u32(f->bytes + chunk), 0x4B435948);
    assert_int_equal(get_u32(f->bytes + chunk + 24), f->size - body);
    hy_sample_random random = {.state = 3};
    uint8_t *damaged = malloc(f->size);
    assert_non_null(damaged);
    for (int round = 0; round < 3000; round++) {
        memcpy(damaged, f->bytes, f->size);
        size_t places = 1 + hy_sample_next(&random, 4);
        for (size_t i = 0; i < places; i++) {
            size_t at = chunk + 4 + hy_sample_next(&random, round % 2 ? 20 : f->size - chunk - 4);
            if (at < chunk + 24 || at >= body) damaged[at] = (uint8_t)hy_sample_next(&random, 256);
        }
        uint32_t crc = plain_crc32(plain_crc32(0, damaged + chunk, header), damaged + body, f->size - body);
        for (int i = 0; i < 4; i++)
            damaged[chunk + header + (size_t)i] = (uint8_t)(crc >> (8 * i));
        hy_trace_error error;
        size_t count;
        (void)decode(damaged, f->size, round % 3 == 0, &count, &error);
        assert_null(strstr(error.message, "checksum"));
    }
    free(damaged);
}

static void bytes_after_the_last_chunk_are_damage(void **state) {
    fixture *f = *state;
    write_sample(f, 300);
    uint8_t *longer = malloc(f->size + 1);
    assert_non_null(longer);
    memcpy(longer, f->bytes, f->size);
    longer[f->size] = 0;
    hy_trace_error error;
    size_t count;
    assert_false(decode(longer, f->size + 1, false, &count, &error));
    assert_non_null(strstr(error.message, "damaged"));
    free(longer);
}

static void a_file_that_can_not_be_read_is_named(void **state) {
    fixture *f = *state;
    (void)f;
    hy_history read;
    hy_history_init(&read, hy_libc());
    hy_trace_info info;
    hy_trace_error error;
    assert_false(hy_trace_read("/nonexistent/trace.hyt", false, &read, &info, &error));
    assert_non_null(strstr(error.message, "/nonexistent/trace.hyt"));
    assert_false(hy_trace_read("/tmp", false, &read, &info, &error));
    assert_non_null(strstr(error.message, "not a regular file"));
}

/* The sweep refuses each allocation of the reader once: it must report a system error and leak nothing. */
static hy_error read_in(hy_allocator gpa, void *context) {
    fixture *f = context;
    hy_history read;
    hy_history_init(&read, gpa);
    hy_trace_info info;
    hy_trace_error error;
    bool good = hy_trace_decode("x", f->bytes, f->size, false, &read, &info, &error);
    if (!good) assert_true(error.system);
    hy_history_deinit(&read);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static hy_error write_in(hy_allocator gpa, void *context) {
    fixture *f = context;
    hy_history copy = f->written;
    copy.allocator = gpa;
    hy_trace_info info = {.finished = true};
    hy_trace_error error;
    bool good = hy_trace_write(f->path, &copy, &info, &error);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

static void survives_every_refused_allocation(void **state) {
    fixture *f = *state;
    write_sample(f, 3000);
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(read_in, hy_libc(), f, &report), HY_SWEEP_OK);
    assert_int_equal(hy_check_all_allocation_failures(write_in, hy_libc(), f, &report), HY_SWEEP_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_back_what_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(same_history_gives_the_same_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_every_kind_and_flag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_write_an_illegal_history, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_write_what_has_no_encoding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(distinguishes_other_files_from_other_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_truncated_file_is_reported_with_its_position_and_partial_reads_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_partial_read_is_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_trace_is_refused_unless_partial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_under_a_right_checksum_is_safe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_after_the_last_chunk_are_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_can_not_be_read_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_every_refused_allocation, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
