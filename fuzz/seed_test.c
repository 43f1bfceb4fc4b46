/* seed_test.c: text becomes bytes, bytes text again, and what is no seed is told with its line. */
#include "fuzz/seed.h"

#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t assemble(const char *text, uint8_t *bytes, hy_seed_error *error) {
    return hy_seed_assemble(text, strlen(text), bytes, 4096, error);
}

static const hy_row_operation operations[] = {{.name = "save"}, {.name = "restore"}, {.name = "reserve"}};
static const hy_bytes_bounds bounds = {4096, 64, operations, 3};

/* The text of what some bytes decode to, malloc'ed. */
static char *disassemble(const uint8_t *bytes, size_t size) {
    char *text = NULL;
    size_t length = 0;
    hy_history history;
    hy_bytes_header header;
    hy_history_init(&history, hy_libc());
    size_t taken = hy_bytes_decode_header(bytes, size, &header);
    assert_true(hy_bytes_decode(bytes + taken, size - taken, &header, bounds, &history));
    FILE *out = open_memstream(&text, &length);
    hy_seed_print(out, &header, &bounds, &history);
    fclose(out);
    hy_history_deinit(&history);
    return text;
}

static void test_text_survives_the_bytes(void **unused) {
    (void)unused;
    static const char text[] =
        "shape 1\noptions 0x203\nchild grows\nchild once\nchild refuses alloc 3\n"
        "alloc 0 64 align 16\nalloc 1 max-7\nalloc 2 0 zeroed\nresize 0 80\nremap 1 5000\n"
        "realloc 2 70000\nfree 1\nreset limit 300\nalloc 0 1 align 4096\ncheck\nreset retain\n"
        "save 0\nalloc 0 room\nrealloc 0 room-1\nrestore 3\nreserve room+2\ntwin 100\n";
    uint8_t bytes[4096];
    hy_seed_error error;
    size_t size = assemble(text, bytes, &error);
    if (size == SIZE_MAX) fail_msg("line %u: %s", error.line, error.message);
    char *again = disassemble(bytes, size);
    assert_string_equal(again, text);
    free(again);
}

static void test_sizes_relative_to_a_bound(void **unused) {
    (void)unused;
    uint8_t bytes[4096];
    hy_seed_error error;
    size_t size = assemble("alloc 7 capacity-8\nalloc 8 block+1\nalloc 9 2^40\n", bytes, &error);
    assert_true(size != SIZE_MAX);
    char *text = disassemble(bytes, size);
    assert_string_equal(text, "alloc 0 4088\nalloc 1 65\nalloc 2 1099511627776\n");
    free(text);
}

static void test_errors_name_their_line(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        unsigned line;
    } wrong[] = {
        {"alloc 0 8\nallocate 1 8\n", 2},
        {"alloc 0\n", 1},
        {"alloc 0 eight\n", 1},
        {"alloc 0 8 align 24\n", 1},
        {"alloc 0 8\nalloc 0 8", 2},
        {"free 0\n", 1},
        {"alloc 0 8\n\nshape 1\n", 3},
        {"shape 4\n", 1},
        {"child sleeps\n", 1},
        {"child refuses alloc 128\n", 1},
        {"reset\n", 1},
        {"alloc 0 capacity-200\n", 1},
        {"alloc 0 8 align 16 zeroed now\n", 1},
        {"alloc 0 8\nsaved 0\n", 2},
        {"save\n", 1},
        {"reserve 1 2\n", 1},
        {"restore last\n", 1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t bytes[4096];
        hy_seed_error error;
        assert_true(assemble(wrong[i].text, bytes, &error) == SIZE_MAX);
        assert_int_equal(error.line, wrong[i].line);
        assert_true(error.message[0] != '\0');
    }
}

/* On a row without the operation the input checks, and all that follows is as it was. */
static void test_an_operation_of_no_row_of_that_name(void **unused) {
    (void)unused;
    uint8_t bytes[4096];
    hy_seed_error error;
    size_t size = assemble("alloc 0 8\npreheat 5000\nsave 1\nfree 0\n", bytes, &error);
    assert_true(size != SIZE_MAX);
    char *text = disassemble(bytes, size);
    assert_string_equal(text, "alloc 0 8\ncheck\nsave 1\nfree 0\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_survives_the_bytes),
        cmocka_unit_test(test_sizes_relative_to_a_bound),
        cmocka_unit_test(test_an_operation_of_no_row_of_that_name),
        cmocka_unit_test(test_errors_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
