/* testing.c: a debug allocator whose findings fail a test.
 *
 * For: tests of code that takes an allocator. Not for: programs in use; there debug.h says what it finds, and
 *   nothing fails.
 * Algorithm: the debug allocator does the work. The end asks it for late damage and for leaks, adds up what
 * was found, gives everything back, and only then fails: a way out by longjmp leaves nothing behind. Cost and
 * overhead per block: the debug allocator's. Thread-safe, begin and end excepted. Source: Zig's
 * std.testing.allocator.
 */
#include <heapyard/libc.h>
#include <heapyard/testing.h>
#include <heapyard/typed.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

hy_testing_options hy_testing_defaults(void) {
    return (hy_testing_options){.on_failure = HY_TESTING_RETURN, .debug = hy_debug_defaults()};
}

hy_error hy_testing_init(hy_testing *testing, const hy_testing_options *options) {
    testing->options = options ? *options : hy_testing_defaults();
    hy_testing_options *own = &testing->options;
    HY_REQUIRE((unsigned)own->on_failure < HY_TESTING_FAILURE_COUNT, "hy_testing_init", own->on_failure,
        "an hy_testing_failure");
    HY_REQUIRE(own->on_failure != HY_TESTING_CALL || own->failed, "hy_testing_init", 0,
        "a function for HY_TESTING_CALL");
    if (!own->child.vtable) own->child = hy_libc();
    if (!own->debug.name) own->debug.name = own->name;
    return hy_debug_init(&testing->debug, own->child, &own->debug);
}

static uint64_t sum_of(const hy_debug_counts *counts) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < HY_DEBUG_CLASS_COUNT; i++)
        sum += counts->found[i];
    return sum;
}

uint64_t hy_testing_findings(const hy_testing *testing) {
    hy_debug_counts counts = hy_debug_counted(&testing->debug);
    return sum_of(&counts);
}

/* A line that is written piece by piece; what has no room is cut off. */
typedef struct verdict {
    char text[512];
    size_t size;
} verdict;

HY_PRINTF(2, 3) static void append(verdict *v, const char *format, ...) {
    size_t room = sizeof v->text - v->size;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(v->text + v->size, room, format, arguments);
    va_end(arguments);
    if (wanted > 0) v->size += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void write_verdict(verdict *v, const char *name, const hy_debug_counts *counts) {
    v->size = 0;
    append(v, "heapyard: test ");
    if (name) append(v, "\"%.100s\" ", name);
    append(v, "failed");
    const char *separator = ": ";
    for (unsigned i = 0; i < HY_DEBUG_CLASS_COUNT; i++) {
        if (counts->found[i] == 0) continue;
        append(v, "%s%s %" PRIu64, separator, hy_debug_class_name((hy_debug_class)i), counts->found[i]);
        if (i == HY_DEBUG_LEAK) append(v, " (%zu bytes)", counts->live_bytes);
        separator = ", ";
    }
}

static void fail(const hy_testing_options *options, const char *text) {
    if (options->on_failure == HY_TESTING_CALL) {
        options->failed(options->context, text);
        return;
    }
    fprintf(stderr, "%s\n", text);
    fflush(stderr);
    if (options->on_failure == HY_TESTING_EXIT) exit(1);
    if (options->on_failure == HY_TESTING_ABORT) abort();
}

/* The struct may lie in memory that the failure's way out ends: what it needs is copied. */
int hy_testing_end(hy_testing *testing) {
    hy_testing_options options = testing->options;
    (void)hy_debug_scan(&testing->debug);
    (void)hy_debug_detect_leaks(&testing->debug);
    hy_debug_counts counts = hy_debug_counted(&testing->debug);
    (void)hy_debug_deinit_quietly(&testing->debug, NULL);
    if (sum_of(&counts) == 0) return 0;
    verdict v;
    write_verdict(&v, options.name, &counts);
    fail(&options, v.text);
    return 1;
}

int hy_testing_setup(void **state) {
    hy_testing *testing = hy_create(hy_libc(), hy_testing);
    *state = testing;
    return testing && hy_testing_init(testing, NULL) == HY_OK ? 0 : -1;
}

int hy_testing_teardown(void **state) {
    hy_testing *testing = *state;
    if (!testing) return -1; /* cmocka calls a teardown also where the setup failed */
    int result = hy_testing_end(testing) == 0 ? 0 : -1;
    hy_destroy(hy_libc(), testing);
    return result;
}
