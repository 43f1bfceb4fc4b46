/* mutate_test.c: changes stay within their bounds, are repeatable, and fall on the borders of operations. */
#include "fuzz/mutate.h"

#include "allocators/history/bytes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 16000
#define CAPACITY 64

static hy_target posix_target(void) {
    return (hy_target){.property = hy_property_find("posix")};
}

/* An input in the language of calls, changed; behind `capacity` stands what must not be written. */
static size_t changed(
    const hy_target *target, const char *text, size_t capacity, unsigned seed, char out[CAPACITY + 8]) {
    memset(out, 0x5A, CAPACITY + 8);
    memcpy(out, text, strlen(text));
    size_t size = hy_mutate(target, (uint8_t *)out, strlen(text), capacity, seed);
    for (size_t at = capacity; at < CAPACITY + 8; at++)
        assert_int_equal(out[at], 0x5A);
    assert_true(size <= capacity);
    return size;
}

static void test_changes_stay_in_bounds_and_can_be_repeated(void **state) {
    (void)state;
    hy_target target = posix_target();
    static const size_t capacities[] = {15, 16, 20, CAPACITY};
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        char once[CAPACITY + 8], again[CAPACITY + 8];
        size_t capacity = capacities[seed % 4];
        size_t size = changed(&target, "m0x. c1x.8. f0", capacity, seed, once);
        assert_int_equal(changed(&target, "m0x. c1x.8. f0", capacity, seed, again), size);
        assert_memory_equal(once, again, size);
    }
}

/* Whether some seed makes `to` of `from`. */
static bool becomes(const char *from, const char *to) {
    hy_target target = posix_target();
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        char out[CAPACITY + 8];
        if (changed(&target, from, CAPACITY, seed, out) == strlen(to) && memcmp(out, to, strlen(to)) == 0)
            return true;
    }
    return false;
}

static void test_whole_operations_change(void **state) {
    (void)state;
    assert_true(becomes("m0x.c1x.8.f0", "m0x.f0"));           /* one is left out */
    assert_true(becomes("m0x.c1x.8.f0", "c1x.8.m0x.f0"));     /* moved */
    assert_true(becomes("m0x.c1x.8.f0", "m0x.c1x.8.m0x.f0")); /* copied */
    assert_true(becomes("m0x.f0", "m0x.m0x.m0x.m0x.f0"));     /* repeated */
    assert_true(becomes("m0x.c1x.8.f0", "m0x.c1x.8.f1"));     /* an operand is another one */
    assert_true(becomes("m0x.f0", "m0x+f0"));                 /* of those that mean something */
    assert_false(becomes("m0x.c1x.8.f0", "m0x.8.f0"));        /* no part of one is left out */
}

static void test_histories_are_split_at_their_operations(void **state) {
    (void)state;
    hy_target target = {.property = hy_property_find("conform"), .row = hy_target_row("libc")};
    static const uint8_t input[] = {
        0x00, 0x00, 0x00, 0x10, 0x00, 0x20, 0x04}; /* header, two allocations, a free */
    bool dropped = false;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        uint8_t out[CAPACITY] = {0};
        memcpy(out, input, sizeof input);
        size_t size = hy_mutate(&target, out, sizeof input, CAPACITY, seed);
        assert_true(size >= 2 && size <= CAPACITY);
        assert_memory_equal(out, input, 1); /* what the row is made with stays */
        dropped |= size == 5 && memcmp(out + 2, input + 4, 3) == 0;
    }
    assert_true(dropped);
}

/* Also those that have no code of a byte: none is out of reach. */
static void test_each_operation_of_a_row_is_inserted(void **state) {
    (void)state;
    hy_target target = {.property = hy_property_find("conform"), .row = hy_target_row("debug")};
    static const uint8_t input[] = {0x00, 0x00, 0x00, 0x10};
    assert_true(target.row->operation_count > 0);
    for (size_t i = 0; i < target.row->operation_count; i++) {
        uint8_t named[] = {0xFC, hy_bytes_name_code(target.row->operations[i].name)};
        bool inserted = false;
        for (unsigned seed = 0; seed < SEEDS && !inserted; seed++) {
            uint8_t out[CAPACITY] = {0};
            memcpy(out, input, sizeof input);
            size_t size = hy_mutate(&target, out, sizeof input, CAPACITY, seed);
            inserted = memmem(out, size, named, sizeof named) != NULL;
        }
        assert_true(inserted);
    }
}

/* By which some rows do what they do seldom. */
static void test_the_number_of_what_is_seldom_is_inserted(void **state) {
    (void)state;
    hy_target target = {.property = hy_property_find("conform"), .row = hy_target_row("smp_heap")};
    static const uint8_t input[] = {0x00, 0x00, 0x00, 0x10};
    uint8_t named[16];
    hy_bytes_writer writer = {.bytes = named, .capacity = sizeof named};
    hy_op op = {.kind = HY_OP_SPECIAL, .size = SIZE_MAX / 2 + 1};
    assert_true(hy_bytes_write_named(&writer, "whole", op, HY_BYTES_ABSOLUTE));
    bool inserted = false;
    for (unsigned seed = 0; seed < SEEDS && !inserted; seed++) {
        uint8_t out[CAPACITY] = {0};
        memcpy(out, input, sizeof input);
        inserted = memmem(out, hy_mutate(&target, out, sizeof input, CAPACITY, seed), named, writer.size);
    }
    assert_true(inserted);
}

static void test_what_has_no_operations_is_left_to_the_engine(void **state) {
    (void)state;
    hy_target target = {.property = hy_property_find("trace_file")};
    uint8_t bytes[8] = {1, 2, 3};
    assert_int_equal(hy_mutate(&target, bytes, 3, sizeof bytes, 1), 0);
    target = posix_target();
    assert_int_equal(hy_mutate(&target, bytes, 0, sizeof bytes, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_stay_in_bounds_and_can_be_repeated),
        cmocka_unit_test(test_whole_operations_change),
        cmocka_unit_test(test_histories_are_split_at_their_operations),
        cmocka_unit_test(test_each_operation_of_a_row_is_inserted),
        cmocka_unit_test(test_the_number_of_what_is_seldom_is_inserted),
        cmocka_unit_test(test_what_has_no_operations_is_left_to_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
