/* testing_test.c: a test that leaks fails and says where, in every way that a failure can be chosen; a clean
 * one passes without a word. */
#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/stack_trace.h>
#include <heapyard/sweep.h>
#include <heapyard/testing.h>
#include <heapyard/typed.h>

static char said[1 << 14]; /* by the last child on standard error */

/* Runs the function in a child process; its exit status, or 128 + the signal. */
static int exit_of(void (*function)(void)) {
    FILE *file = tmpfile();
    assert_non_null(file);
    int status = status_of_child(function, fileno(file));
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void assert_said(const char *text) {
    if (!strstr(said, text)) fail_msg("expected \"%s\" in: %s", text, said);
}

/* Traces name functions; file and line where the build has libdw. */
static void assert_said_place(const char *function, int line) {
    char place[256];
    snprintf(place, sizeof place, " in %s", function);
    assert_said(place);
    if (!strstr(hy_stack_names(), "line (libdw)")) return;
    snprintf(place, sizeof place, "testing_test.c:%d", line);
    assert_said(place);
}

static int leak_line;

static HY_NOINLINE void leak_here(hy_allocator gpa) {
    leak_line = __LINE__ + 1;
    int *lost = hy_alloc_n(gpa, int, 10);
    __asm__ volatile("" : : "g"(lost));
}

static void begin(hy_testing *testing, const char *name, hy_testing_failure on_failure) {
    hy_testing_options options = hy_testing_defaults();
    options.name = name;
    options.on_failure = on_failure;
    assert_int_equal(hy_testing_init(testing, &options), HY_OK);
}

static void use_cleanly(hy_allocator gpa) {
    int *numbers = hy_alloc_n(gpa, int, 10);
    assert_non_null(numbers);
    hy_free_n(gpa, numbers, 10);
}

static void clean_program(void) {
    hy_testing testing;
    if (hy_testing_init(&testing, NULL) != HY_OK) _exit(2);
    use_cleanly(hy_testing_allocator(&testing));
    _exit(hy_testing_end(&testing));
}

static void a_clean_test_passes(void **state) {
    (void)state;
    assert_int_equal(exit_of(clean_program), 0);
    assert_string_equal(said, "");
}

static void leaking_program(void) {
    hy_testing testing;
    begin(&testing, "parses", HY_TESTING_RETURN);
    leak_here(hy_testing_allocator(&testing));
    _exit(hy_testing_end(&testing));
}

static void a_leak_fails_with_its_place(void **state) {
    (void)state;
    assert_int_equal(exit_of(leaking_program), 1);
    assert_said("heapyard: leak");
    assert_said_place("leak_here", leak_line);
    assert_said_place("leaking_program", leak_line);
    assert_said("heapyard: test \"parses\" failed: leak 1 (40 bytes)\n");
}

static void program_that_exits(void) {
    hy_testing testing;
    begin(&testing, NULL, HY_TESTING_EXIT);
    leak_here(hy_testing_allocator(&testing));
    (void)hy_testing_end(&testing);
    _exit(7);
}

static void program_that_aborts(void) {
    hy_testing testing;
    begin(&testing, "aborts", HY_TESTING_ABORT);
    leak_here(hy_testing_allocator(&testing));
    (void)hy_testing_end(&testing);
}

static void a_failure_exits_or_aborts_where_chosen(void **state) {
    (void)state;
    assert_int_equal(exit_of(program_that_exits), 1);
    assert_said("heapyard: test failed: leak 1 (40 bytes)\n");
    assert_int_equal(exit_of(program_that_aborts), 128 + SIGABRT);
    assert_said("heapyard: test \"aborts\" failed: leak 1 (40 bytes)\n");
}

static void drop_report(void *context, const hy_debug_report *report) {
    (void)report;
    ++*(int *)context;
}

static jmp_buf way_out;

static void leave(void *context, const char *verdict) {
    snprintf(context, 200, "%s", verdict);
    longjmp(way_out, 1);
}

/* The verdict goes to the call, the reports to the hook, and nothing is kept although the call leaps. */
static void a_failure_calls_where_chosen(void **state) {
    (void)state;
    static char verdict[200];
    static int reports;
    static hy_counting counting;
    static hy_testing testing;
    hy_counting_init(&counting, hy_libc());
    hy_testing_options options = hy_testing_defaults();
    options.name = "leaps";
    options.child = hy_counting_allocator(&counting);
    options.on_failure = HY_TESTING_CALL;
    options.failed = leave;
    options.context = verdict;
    options.debug.hook = drop_report;
    options.debug.hook_context = &reports;
    assert_int_equal(hy_testing_init(&testing, &options), HY_OK);
    leak_here(hy_testing_allocator(&testing));
    leak_here(hy_testing_allocator(&testing));
    if (setjmp(way_out) == 0) {
        (void)hy_testing_end(&testing);
        fail_msg("the call was not made");
    }
    assert_string_equal(verdict, "heapyard: test \"leaps\" failed: leak 2 (80 bytes)");
    assert_int_equal(reports, 2);
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_true(counting.counts.total_bytes > 0);
}

static HY_NOINLINE void free_twice(hy_allocator gpa) {
    char *ptr = hy_alloc(gpa, 24, HY_ALIGN_8);
    hy_free(gpa, ptr, 24, HY_ALIGN_8);
    gpa.vtable->free(gpa.self, ptr, 24, HY_ALIGN_8);
    __asm__ volatile("");
}

static void misusing_program(void) {
    hy_testing testing;
    begin(&testing, "frees", HY_TESTING_RETURN);
    hy_allocator gpa = hy_testing_allocator(&testing);
    free_twice(gpa);
    if (hy_testing_findings(&testing) != 1) _exit(3);
    leak_here(gpa);
    _exit(hy_testing_end(&testing));
}

static void every_finding_fails_the_test(void **state) {
    (void)state;
    assert_int_equal(exit_of(misusing_program), 1);
    assert_said("heapyard: double free");
    assert_said(" in free_twice");
    assert_said("heapyard: test \"frees\" failed: leak 1 (40 bytes), double free 1\n");
}

#if !HY_ASAN
static void overflowing_program(void) {
    hy_testing testing;
    begin(&testing, "writes", HY_TESTING_RETURN);
    hy_allocator gpa = hy_testing_allocator(&testing);
    volatile char *ptr = hy_alloc(gpa, 24, HY_ALIGN_8);
    ptr[24] = 'x';
    hy_free(gpa, (void *)(uintptr_t)ptr, 24, HY_ALIGN_8);
    _exit(hy_testing_end(&testing));
}

/* ASan would tell it first. */
static void a_stray_write_fails_the_test(void **state) {
    (void)state;
    assert_int_equal(exit_of(overflowing_program), 1);
    assert_said("heapyard: overflow");
    assert_said("heapyard: test \"writes\" failed: overflow 1\n");
}
#endif

static void count_report(void *context, const hy_debug_report *report) {
    (void)report;
    *(int *)context += 1;
}

/* Nobody looks at a freed block again but the end. */
static void damage_that_no_call_met_fails_the_test(void **state) {
    (void)state;
    int reports = 0;
    hy_testing testing;
    hy_testing_options options = hy_testing_defaults();
    options.debug.tools = HY_DEBUG_TOOLS_NONE;
    options.debug.hook = count_report;
    options.debug.hook_context = &reports;
    assert_int_equal(hy_testing_init(&testing, &options), HY_OK);
    volatile char *block = hy_debug_alloc(&testing.debug, 64, HY_ALIGN_8);
    hy_debug_free(&testing.debug, (void *)(uintptr_t)block, 64, HY_ALIGN_8);
    uintptr_t freed = (uintptr_t)block;
    __asm__ volatile("" : "+r"(freed));
    *(volatile char *)freed = 1;
    assert_int_equal(reports, 0);
    assert_int_equal(hy_testing_end(&testing), 1);
    assert_int_equal(reports, 1);
}

static void a_fixture_passes_and_fails_its_test(void **state) {
    (void)state;
    void *fixture = NULL;
    assert_int_equal(hy_testing_setup(&fixture), 0);
    use_cleanly(hy_testing_allocator(fixture));
    assert_int_equal(hy_testing_teardown(&fixture), 0);
    assert_int_equal(hy_testing_setup(&fixture), 0);
    ((hy_testing *)fixture)->debug.config.hook = drop_report;
    int reports = 0;
    ((hy_testing *)fixture)->debug.config.hook_context = &reports;
    leak_here(hy_testing_allocator(fixture));
    assert_int_equal(hy_testing_teardown(&fixture), -1);
    fixture = NULL; /* as a setup leaves it that got no memory */
    assert_int_equal(hy_testing_teardown(&fixture), -1);
    assert_int_equal(reports, 1);
}

static void clean_case(void **state) {
    use_cleanly(hy_testing_allocator(*state));
}

static void leaking_case(void **state) {
    leak_here(hy_testing_allocator(*state));
}

static void cmocka_program(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clean_case, hy_testing_setup, hy_testing_teardown),
        cmocka_unit_test_setup_teardown(leaking_case, hy_testing_setup, hy_testing_teardown),
        cmocka_unit_test_setup_teardown(clean_case, hy_testing_setup, hy_testing_teardown),
    };
    dup2(STDERR_FILENO, STDOUT_FILENO);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fflush(NULL);
    _exit(failed);
}

static void cmocka_counts_the_leaking_test(void **state) {
    (void)state;
    assert_int_equal(exit_of(cmocka_program), 1);
    assert_said_place("leak_here", leak_line);
    assert_said("leaking_case");
    assert_said("2 test(s)");
}

/* Forgets its first block where the second is refused. */
static hy_error forgets(hy_allocator gpa, void *argument) {
    (void)argument;
    int *first = hy_alloc_n(gpa, int, 10);
    if (!first) return HY_OUT_OF_MEMORY;
    int *second = hy_alloc_n(gpa, int, 20);
    if (!second) return HY_OUT_OF_MEMORY;
    hy_free_n(gpa, second, 20);
    hy_free_n(gpa, first, 10);
    return HY_OK;
}

static void sweeping_program(void) {
    hy_testing testing;
    begin(&testing, "sweeps", HY_TESTING_RETURN);
    hy_sweep_report report;
    hy_allocator gpa = hy_testing_allocator(&testing);
    if (hy_check_all_allocation_failures(forgets, gpa, NULL, &report) != HY_SWEEP_LEAK) _exit(3);
    if (report.leaked_blocks != 1 || report.leaked_bytes != 40) _exit(4);
    hy_sweep_print(&report, stderr);
    _exit(hy_testing_end(&testing));
}

static void a_sweep_over_it_shows_the_block_too(void **state) {
    (void)state;
    assert_int_equal(exit_of(sweeping_program), 1);
    assert_said("allocation 2 of 2 was refused, at:\n    #0 ");
    assert_said("heapyard: leak");
    assert_said(" in forgets");
    assert_said("heapyard: test \"sweeps\" failed: leak 1 (40 bytes)\n");
}

static void a_config_without_sense_is_refused(void **state) {
    (void)state;
    hy_testing_options options = hy_testing_defaults();
    options.debug.stack_trace_frames = HY_DEBUG_FRAMES_MAX + 1;
    hy_testing testing;
    FILE *nowhere = tmpfile();
    int before = dup(STDERR_FILENO);
    dup2(fileno(nowhere), STDERR_FILENO);
    assert_int_equal(hy_testing_init(&testing, &options), HY_INVALID);
    dup2(before, STDERR_FILENO);
    close(before);
    fclose(nowhere);
    assert_null(hy_alloc(hy_testing_allocator(&testing), 8, HY_ALIGN_8));
    assert_int_equal(hy_testing_end(&testing), 0);
}

static void init_without_a_call(void) {
    hy_testing testing;
    begin(&testing, NULL, HY_TESTING_CALL);
}

static void init_with_a_wrong_failure(void) {
    hy_testing testing;
    begin(&testing, NULL, HY_TESTING_FAILURE_COUNT);
}

static void wrong_options_are_misuse(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(init_without_a_call, "hy_testing_init: got 0 (0x0), must be a function for");
    assert_dies_saying(init_with_a_wrong_failure, "hy_testing_init: got 4 (0x4), must be an hy_testing");
}

static char long_name[2000];

static void program_with_a_long_name(void) {
    hy_testing testing;
    hy_testing_options options = hy_testing_defaults();
    options.name = long_name;
    options.debug.name = "own heap";
    if (hy_testing_init(&testing, &options) != HY_OK) _exit(2);
    leak_here(hy_testing_allocator(&testing));
    _exit(hy_testing_end(&testing));
}

static void a_long_name_is_cut_off(void **state) {
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    assert_int_equal(exit_of(program_with_a_long_name), 1);
    assert_said("nnnn\" failed: leak 1 (40 bytes)\n");
    assert_said("own heap"); /* in the report of the leak */
    assert_null(strstr(said, long_name + sizeof long_name - 1 - 101));
}

int main(void) {
    leak_here(hy_null()); /* so that its line is known here too */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_name_is_cut_off),
        cmocka_unit_test(a_clean_test_passes),
        cmocka_unit_test(a_leak_fails_with_its_place),
        cmocka_unit_test(a_failure_exits_or_aborts_where_chosen),
        cmocka_unit_test(a_failure_calls_where_chosen),
        cmocka_unit_test(every_finding_fails_the_test),
#if !HY_ASAN
        cmocka_unit_test(a_stray_write_fails_the_test),
#endif
        cmocka_unit_test(damage_that_no_call_met_fails_the_test),
        cmocka_unit_test(a_fixture_passes_and_fails_its_test),
        cmocka_unit_test(cmocka_counts_the_leaking_test),
        cmocka_unit_test(a_sweep_over_it_shows_the_block_too),
        cmocka_unit_test(a_config_without_sense_is_refused),
        cmocka_unit_test(wrong_options_are_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
