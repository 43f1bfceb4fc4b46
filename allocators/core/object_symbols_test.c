/* object_symbols_test.c: finds the object of an address, and the functions that objects export. */
#include "allocators/core/object_symbols.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static HY_NOINLINE int a_static_function(int argument) {
    __asm__ volatile("" : "+r"(argument));
    return argument + 1;
}

static void the_program_is_named_by_its_file(void **state) {
    (void)state;
    hy_object object;
    assert_int_equal(a_static_function(1), 2);
    assert_true(hy_object_of((uintptr_t)a_static_function, &object));
    assert_non_null(strstr(object.name, "/object_symbols_test"));
    assert_true(object.base < (uintptr_t)a_static_function);
}

static void a_library_and_its_function_are_found(void **state) {
    (void)state;
    hy_object object;
    hy_symbol symbol;
    uintptr_t function = (uintptr_t)dlsym(RTLD_DEFAULT, "fclose");
    assert_true(hy_object_of(function + 1, &object));
    assert_non_null(strstr(object.name, ".so"));
    assert_true(hy_object_symbol(function + 1, &symbol));
    assert_non_null(strstr(symbol.name, "fclose"));
    assert_int_equal(symbol.start, function);
}

static void what_is_no_code_lies_in_nothing(void **state) {
    (void)state;
    hy_object object;
    assert_false(hy_object_of(0, &object));
    assert_false(hy_object_of((uintptr_t)&object, &object));
    assert_false(hy_object_of(UINTPTR_MAX, &object));
}

static void what_is_not_exported_is_not_found(void **state) {
    (void)state;
    hy_symbol symbol = {"unchanged", 7};
    assert_false(hy_object_symbol((uintptr_t)a_static_function, &symbol));
    assert_false(hy_object_symbol(0, &symbol));
    assert_false(hy_object_symbol((uintptr_t)&symbol, &symbol));
    assert_string_equal(symbol.name, "unchanged");
    assert_int_equal(symbol.start, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_is_named_by_its_file),
        cmocka_unit_test(a_library_and_its_function_are_found),
        cmocka_unit_test(what_is_no_code_lies_in_nothing),
        cmocka_unit_test(what_is_not_exported_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
