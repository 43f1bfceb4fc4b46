/* minimise_test.c: what ended a process is told by its kind, so that equal bugs are known as equal. */
#include "fuzz/minimise.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void say_and_fail(const void *argument) {
    fputs(argument, stderr);
    _exit(1);
}

static void say_nothing(const void *argument) {
    (void)argument;
}

static void die(const void *argument) {
    (void)argument;
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
}

static void what_was_said_is_the_kind(void **state) {
    (void)state;
    static const struct {
        const char *said, *key;
    } cases[] = {
        {"finding: overlap: block 1 lies on block 0 (row arena, operation 17 alloc)\n", "finding: overlap"},
        {"==7==ERROR: AddressSanitizer: use-after-poison on address 0x1\n  #0\n",
            "ERROR: AddressSanitizer: use-after-poison"},
        {"AddressSanitizer: CHECK failed: asan_mapping.h:359 \"((AddrIsInMem(p))) != (0)\" (tid=7)\n",
            "AddressSanitizer: CHECK failed: asan_mapping.h:359"},
        {"a.c:3:4: runtime error: signed integer overflow\n", "a.c:3:4: "},
        {"heapyard: hy_free: got 3, must be aligned\n", "heapyard: hy_free"},
        {"fatal: out of memory\n", "fatal: out of memory"},
        {"nothing that is known\n", "exit 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_verdict verdict;
        hy_verdict_of(say_and_fail, cases[i].said, 10, &verdict);
        assert_string_equal(verdict.key, cases[i].key);
    }
}

static void the_operation_is_read_from_the_line(void **state) {
    (void)state;
    hy_verdict verdict;
    hy_verdict_of(
        say_and_fail, "before\nfinding: owns: no (row pool, operation 17 free)\nbehind\n", 10, &verdict);
    assert_int_equal(verdict.step, 17);
    assert_string_equal(verdict.line, "finding: owns: no (row pool, operation 17 free)");
}

static void silence_is_told_by_the_status(void **state) {
    (void)state;
    hy_verdict verdict;
    hy_verdict_of(say_nothing, NULL, 10, &verdict);
    assert_string_equal(verdict.key, "");
    hy_verdict_of(die, NULL, 10, &verdict);
    assert_non_null(strstr(verdict.key, "signal 11"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_is_the_kind),
        cmocka_unit_test(the_operation_is_read_from_the_line),
        cmocka_unit_test(silence_is_told_by_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
