/* sweep_test.c: each kind of mistake after a refusal is found, and good code passes. */
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/sweep.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Two blocks, freed whatever happens. */
static hy_error good(hy_allocator gpa, void *argument) {
    (void)argument;
    int *first = hy_alloc_n(gpa, int, 10);
    if (!first) return HY_OUT_OF_MEMORY;
    int *second = hy_alloc_n(gpa, int, 20);
    if (!second) {
        hy_free_n(gpa, first, 10);
        return HY_OUT_OF_MEMORY;
    }
    hy_free_n(gpa, second, 20);
    hy_free_n(gpa, first, 10);
    return HY_OK;
}

static hy_error leaks(hy_allocator gpa, void *argument) {
    (void)argument;
    static int *kept;
    kept = hy_alloc_n(gpa, int, 10);
    if (!kept) return HY_OUT_OF_MEMORY;
    int *second = hy_alloc_n(gpa, int, 20);
    if (!second) {
        *(int **)argument = kept;
        return HY_OUT_OF_MEMORY;
    }
    hy_free_n(gpa, second, 20);
    hy_free_n(gpa, kept, 10);
    return HY_OK;
}

static hy_error swallows(hy_allocator gpa, void *argument) {
    (void)argument;
    int *first = hy_alloc_n(gpa, int, 10);
    hy_free_n(gpa, first, 10);
    return HY_OK;
}

static hy_error mistranslates(hy_allocator gpa, void *argument) {
    (void)argument;
    int *first = hy_alloc_n(gpa, int, 10);
    if (!first) return HY_INVALID;
    hy_free_n(gpa, first, 10);
    return HY_OK;
}

static hy_error forgetful(hy_allocator gpa, void *argument) {
    int *runs = argument;
    if ((*runs)++ > 0) return HY_OK;
    return good(gpa, NULL);
}

static hy_error broken(hy_allocator gpa, void *argument) {
    (void)gpa, (void)argument;
    return HY_INVALID;
}

/* A growing list: how often it allocates depends on what grows in place, were that allowed. */
static hy_error grows(hy_allocator gpa, void *argument) {
    (void)argument;
    size_t capacity = 1;
    char *list = hy_alloc_n(gpa, char, capacity);
    if (!list) return HY_OUT_OF_MEMORY;
    while (capacity < 5000) {
        char *grown = hy_realloc_n(gpa, char, list, capacity, capacity * 2);
        if (!grown) {
            hy_free_n(gpa, list, capacity);
            return HY_OUT_OF_MEMORY;
        }
        list = grown;
        capacity *= 2;
    }
    hy_free_n(gpa, list, capacity);
    return HY_OK;
}

static void good_code_passes(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(good, hy_libc(), NULL, &report), HY_SWEEP_OK);
    assert_int_equal(report.alloc_count, 2);
}

/* Asks in both ways for what could be done in place. */
static hy_error resizes(hy_allocator gpa, void *argument) {
    char *block = hy_alloc(gpa, 64, HY_ALIGN_1);
    if (!block) return HY_OUT_OF_MEMORY;
    *(bool *)argument |= hy_resize(gpa, block, 64, 32, HY_ALIGN_1);
    *(bool *)argument |= hy_remap(gpa, block, 64, 32, HY_ALIGN_1) != NULL;
    hy_free(gpa, block, 64, HY_ALIGN_1);
    return HY_OK;
}

static void nothing_is_resized_in_any_run(void **state) {
    (void)state;
    bool resized = false;
    hy_sweep_report report;
    assert_int_equal(hy_check_all_allocation_failures(resizes, hy_libc(), &resized, &report), HY_SWEEP_OK);
    assert_false(resized);
}

static void growing_in_place_changes_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        hy_sweep_report report;
        assert_int_equal(hy_check_all_allocation_failures(grows, hy_libc(), NULL, &report), HY_SWEEP_OK);
        assert_int_equal(report.alloc_count, 14);
    }
}

static void a_leak_is_found(void **state) {
    (void)state;
    hy_sweep_report report;
    int *lost = NULL;
    assert_int_equal(hy_check_all_allocation_failures(leaks, hy_libc(), &lost, &report), HY_SWEEP_LEAK);
    assert_int_equal(report.fail_index, 1);
    assert_int_equal(report.leaked_blocks, 1);
    assert_int_equal(report.leaked_bytes, 40);
    assert_true(report.frame_count > 0);
    hy_free_n(hy_libc(), lost, 10);
}

static void a_swallowed_error_is_found(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(
        hy_check_all_allocation_failures(swallows, hy_libc(), NULL, &report), HY_SWEEP_SWALLOWED);
    assert_int_equal(report.fail_index, 0);
    assert_int_equal(
        hy_check_all_allocation_failures(mistranslates, hy_libc(), NULL, &report), HY_SWEEP_SWALLOWED);
    assert_int_equal(report.returned, HY_INVALID);
}

static void a_function_that_changes_is_found(void **state) {
    (void)state;
    hy_sweep_report report;
    int runs = 0;
    assert_int_equal(
        hy_check_all_allocation_failures(forgetful, hy_libc(), &runs, &report), HY_SWEEP_NOT_DETERMINISTIC);
}

static void a_function_that_always_fails_is_found(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(
        hy_check_all_allocation_failures(broken, hy_libc(), NULL, &report), HY_SWEEP_FAILS_WITHOUT);
    assert_int_equal(report.fail_index, HY_FAILING_NEVER);
    assert_int_equal(
        hy_check_all_allocation_failures(good, hy_null(), NULL, &report), HY_SWEEP_FAILS_WITHOUT);
}

static void the_report_says_it(void **state) {
    (void)state;
    hy_sweep_report report;
    hy_check_all_allocation_failures(swallows, hy_libc(), NULL, &report);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    hy_sweep_print(&report, stream);
    fclose(stream);
    assert_non_null(strstr(text, "out of memory was swallowed"));
    assert_non_null(strstr(text, "allocation 1 of 1 was refused"));
    assert_non_null(strstr(text, "#0"));
    free(text);
}

static void a_report_of_no_refusal_has_no_stack(void **state) {
    (void)state;
    hy_sweep_report report;
    hy_check_all_allocation_failures(broken, hy_libc(), NULL, &report);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    hy_sweep_print(&report, stream);
    fclose(stream);
    assert_non_null(strstr(text, "in the run where nothing was refused\n"));
    assert_null(strstr(text, "#0"));
    free(text);
}

static void a_wrong_result_has_a_word(void **state) {
    (void)state;
    assert_string_equal(hy_sweep_result_string((hy_sweep_result)99), "unknown result");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_of_no_refusal_has_no_stack),
        cmocka_unit_test(a_wrong_result_has_a_word),
        cmocka_unit_test(good_code_passes),
        cmocka_unit_test(nothing_is_resized_in_any_run),
        cmocka_unit_test(growing_in_place_changes_nothing),
        cmocka_unit_test(a_leak_is_found),
        cmocka_unit_test(a_swallowed_error_is_found),
        cmocka_unit_test(a_function_that_changes_is_found),
        cmocka_unit_test(a_function_that_always_fails_is_found),
        cmocka_unit_test(the_report_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
