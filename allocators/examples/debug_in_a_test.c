/* debug_in_a_test.c: unit tests that each run on a testing allocator of their own, which is a debug
 * allocator.
 *
 * A test gets its memory from the runner, which lets it fail where anything was found: a leak, a double free,
 * a write past the end. The reports, with the stacks of the calls, are on standard error, below what the
 * runner prints. Two of the tests here have bugs, and are found. At the end each allocation of the code under
 * test is refused once, to see that it gives everything back on that way too.
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

/* Under test: two words with a blank between, by way of a copy; freed by hy_free_sentinel with its length. */
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

/* The compiler must not see what AddressSanitizer must not stop: one byte too many, here on purpose. */
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

/* One test on an allocator of its own, which has the last word. */
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
