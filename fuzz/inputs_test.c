/* inputs_test.c: seeds that say their bytes, and what is none is refused. */
#include "fuzz/inputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Reads a seed with this text. */
static bool read_text(const char *text, hy_inputs *inputs) {
    char path[] = "/tmp/heapyard-inputs-XXXXXX.txt";
    int file = mkstemps(path, 4);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    bool read = hy_inputs_add(inputs, path);
    unlink(path);
    return read;
}

static void bytes_are_what_they_say(void **state) {
    (void)state;
    hy_inputs inputs = {0};
    assert_true(read_text("# what went wrong\nbytes 00112233\n\nbytes ff\n", &inputs));
    assert_int_equal(inputs.items[0].size, 5);
    assert_memory_equal(inputs.items[0].bytes, "\x00\x11\x22\x33\xff", 5);
    hy_inputs_free(&inputs);
}

static void what_is_no_byte_is_refused(void **state) {
    (void)state;
    hy_inputs inputs = {0};
    assert_false(read_text("bytes 0\n", &inputs));
    assert_false(read_text("bytes 0g\n", &inputs));
    assert_false(read_text("bytes 00\nalloc 0 8\n", &inputs));
    assert_false(read_text("alloc 0 8\nbytes 00\n", &inputs));
    assert_int_equal(inputs.count, 0);
    hy_inputs_free(&inputs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_what_they_say),
        cmocka_unit_test(what_is_no_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
