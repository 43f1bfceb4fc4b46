/* heapyard/testing.h: an allocator tied to a test: a leak or a wrong call fails the test, with stacks.
 *
 * In a program of its own:
 *
 *   int main(void) {
 *       hy_testing testing;
 *       if (hy_testing_init(&testing, NULL) != HY_OK) return 2;
 *       parse(hy_testing_allocator(&testing), "input");
 *       return hy_testing_end(&testing);                  the reports, and 1, where something is wrong
 *   }
 *
 * As a fixture of cmocka, or of any frame whose fixtures look the same; the test finds it in *state:
 *
 *   static void parses(void **state) { parse(hy_testing_allocator(*state), "input"); }
 *   … cmocka_unit_test_setup_teardown(parses, hy_testing_setup, hy_testing_teardown) …
 *
 * Beneath is a debug allocator (debug.h), which reports double frees, stray writes and the like when they
 * happen, with its own reports, and leaks at the end, each with the stack of its allocation. Any of them
 * fails the test. What a failure does is chosen: a result, an exit, an abort, or a call (for example of a
 * test frame's own way to fail). What a piece of code does when memory ends is tested by sweep.h, best over
 * this allocator: hy_check_all_allocation_failures(function, hy_testing_allocator(&testing), argument,
 * &report) shows which refusal led to a leak, and hy_testing_end where the leaked block came from.
 *
 * Ownership: the struct is the caller's and stays where it is; all memory of the test is given back by
 * hy_testing_end, leaked blocks included. Thread-safe, begin and end excepted, unless options.debug says
 * otherwise. Errors: the child's refusals. Greatest alignment: any. Cost: the debug allocator's.
 * Modelled on Zig's std.testing.allocator.
 */
#ifndef HEAPYARD_TESTING_H
#define HEAPYARD_TESTING_H

#include <heapyard/debug.h>

HY_BEGIN_DECLS

/* What hy_testing_end does where something was found. But for a call, the verdict is printed on standard
 * error first. */
typedef enum hy_testing_failure {
    HY_TESTING_RETURN, /* returns 1 */
    HY_TESTING_EXIT,   /* exit(1) */
    HY_TESTING_ABORT,  /* abort() */
    HY_TESTING_CALL,   /* calls options.failed, then returns 1; it need not return */
    HY_TESTING_FAILURE_COUNT
} hy_testing_failure;

/* verdict: one line without a newline, such as `heapyard: test "parses" failed: leak 2 (140 bytes), double
 * free 1`; it lives until the call returns. */
typedef void (*hy_testing_call)(void *context, const char *verdict);

/* How a testing allocator is made. */
typedef struct hy_testing_options {
    const char *name;              /* of the test, for the verdict; NULL: none. Not copied */
    hy_allocator child;            /* where memory comes from; vtable NULL: hy_libc */
    hy_testing_failure on_failure; /* HY_TESTING_RETURN */
    hy_testing_call failed;        /* for HY_TESTING_CALL, not NULL then */
    void *context;                 /* handed to it */
    hy_debug_config debug;         /* how the allocator works; its hook gets the reports, where it has one */
} hy_testing_options;

/* The values above, and hy_debug_defaults(). */
HY_API hy_testing_options hy_testing_defaults(void);

/* A testing allocator: fields are for its own functions. */
typedef struct hy_testing {
    hy_debug debug;
    hy_testing_options options;
} hy_testing;

/* Begins a test. options: NULL for the defaults. HY_INVALID: options.debug makes no sense (standard error
 * says why); on_failure out of range, or a call that is NULL, is misuse. */
HY_API hy_error hy_testing_init(hy_testing *testing, const hy_testing_options *options);

/* How many things were found so far; leaks are found at the end. */
HY_API uint64_t hy_testing_findings(const hy_testing *testing);

/* Ends a test: reports leaks and late damage, gives everything back, and, where anything was found since
 * init, fails as the options say. Returns 0 where nothing was, else 1: fit for an exit status. O(blocks). */
HY_API int hy_testing_end(hy_testing *testing);

/* Fixtures: a setup makes a testing allocator with the defaults, from malloc, and leaves it in *state; the
 * teardown ends it, where the setup could make it. Both return 0, or -1 where the test is to fail. */
HY_API int hy_testing_setup(void **state);
HY_API int hy_testing_teardown(void **state);

/* The allocator's value; the struct must outlive it. `testing` may come from a void pointer. */
HY_INLINE hy_allocator hy_testing_allocator(hy_testing *testing) {
    return hy_debug_allocator(&testing->debug);
}

HY_END_DECLS

#endif
