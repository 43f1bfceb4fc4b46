/* debug_in_a_test.c: unit tests that each run on a testing allocator of their own, which is a debug
 * allocator.
 *
 * A test gets its allocator from the runner, and fails where that found anything: a leak, a double free, a
 * write past the end. The reports, with stack traces, are on standard error, below the runner's output. Two
 * of the tests here have bugs, which are found. At the end each allocation of the code under test is refused
 * once, to check that it leaks nothing on its error paths either.
 *
 *   $ debug_in_a_test
 *   joins two words: passed
 *   heapyard: test "forgets a block" failed: leak 1 (10 bytes)
 *   heapyard: test "writes past the end" failed: overflow 1
 *   joins with each allocation refused: passed
 *   heapyard: leak: a block of 10 bytes …
 *   ...
 *   heapyard: overflow: …
 *   ...
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

/* The code under test: joins two words with a blank, by way of a copy. The result is freed by
 * hy_free_sentinel with its length. */
static char *join(hy_allocator gpa, const char *left, const char *right) {
    size_t left_length = strlen(left), length = left_length + 1 + strlen(right);
    char *copy = hy_dupe(gpa, char, left, left_length);
    if (!copy) return NULL;
    char *joined = hy_alloc_sentinel(gpa, char, length, '\0');
    if (joined) {
        memcpy(joined, copy, left_length);
        joined[left_length] = ' ';
        memcpy(joined + left_length + 1, right, length - left_length - 1);
    }
    hy_free_n(gpa, copy, left_length);
    return joined;
}

static bool joins_two_words(hy_allocator gpa) {
    char *joined = join(gpa, "two", "words");
    bool right = joined && strcmp(joined, "two words") == 0;
    if (joined) hy_free_sentinel(gpa, joined, strlen(joined));
    return right;
}

static bool forgets_a_block(hy_allocator gpa) {
    return join(gpa, "who", "frees") != NULL;
}

/* Writes one byte too many on purpose: volatile hides it from the compiler, the attribute from
 * AddressSanitizer. */
__attribute__((no_sanitize("address"))) static bool writes_past_the_end(hy_allocator gpa) {
    volatile char *four = hy_alloc_n(gpa, char, 4);
    if (!four) return false;
    four[4] = 'x';
    hy_free_n(gpa, (char *)four, 4);
    return true;
}

static void print(void *context, const char *verdict) {
    (void)context;
    puts(verdict);
}

/* Runs one test on an allocator of its own; a finding of the allocator makes it fail. */
static void run(const char *name, bool (*test)(hy_allocator)) {
    hy_testing testing;
    hy_testing_options options = hy_testing_defaults();
    options.name = name;
    options.on_failure = HY_TESTING_CALL;
    options.failed = print;
    if (hy_testing_init(&testing, &options) != HY_OK) return;
    bool right = test(hy_testing_allocator(&testing));
    if (hy_testing_end(&testing) == 0) printf("%s: %s\n", name, right ? "passed" : "failed");
}

static hy_error join_once(hy_allocator gpa, void *argument) {
    (void)argument;
    char *joined = join(gpa, "two", "words");
    if (!joined) return HY_OUT_OF_MEMORY;
    hy_free_sentinel(gpa, joined, strlen(joined));
    return HY_OK;
}

int main(void) {
    run("joins two words", joins_two_words);
    run("forgets a block", forgets_a_block);
    run("writes past the end", writes_past_the_end);

    hy_sweep_report report;
    hy_sweep_result result = hy_check_all_allocation_failures(join_once, hy_libc(), NULL, &report);
    printf("joins with each allocation refused: %s\n", result == HY_SWEEP_OK ? "passed" : "FAILED");
    hy_sweep_print(&report, stderr);
    return 0;
}
