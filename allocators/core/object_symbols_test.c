/* object_symbols_test.c: finds static functions, and takes any file for what it is. */
#include "allocators/core/object_symbols.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static HY_NOINLINE int a_static_function(int argument) {
    __asm__ volatile("" : "+r"(argument));
    return argument + 1;
}

static uintptr_t own_base(void) {
    Dl_info info;
    assert_true(dladdr((void *)(uintptr_t)a_static_function, &info));
    return (uintptr_t)info.dli_fbase;
}

static void a_static_function_has_its_name(void **state) {
    (void)state;
    char name[64];
    uintptr_t start = 0;
    uintptr_t inside = (uintptr_t)a_static_function + 1;
    assert_int_equal(a_static_function(1), 2);
    assert_true(hy_object_symbol("/proc/self/exe", own_base(), inside, name, sizeof name, &start));
    assert_string_equal(name, "a_static_function");
    assert_int_equal(start, (uintptr_t)a_static_function);
    assert_true(hy_object_symbol("/proc/self/exe", own_base(), inside, name, 5, &start));
    assert_string_equal(name, "a_st");
}

static void what_is_no_function_has_none(void **state) {
    (void)state;
    char name[64] = "unchanged";
    uintptr_t start = 7;
    assert_false(hy_object_symbol("/proc/self/exe", own_base(), own_base() + 1, name, sizeof name, &start));
    assert_false(hy_object_symbol("/no/such/file", 0, 1, name, sizeof name, &start));
    assert_false(hy_object_symbol("/proc/self/status", 0, 1, name, sizeof name, &start));
    assert_string_equal(name, "unchanged");
    assert_int_equal(start, 7);
}

/* Every 61st length of this program's own file, and each of its first bytes set to 0xFF. */
static void damaged_files_are_harmless(void **state) {
    (void)state;
    static char bytes[1 << 16];
    FILE *own = fopen("/proc/self/exe", "rb");
    assert_non_null(own);
    size_t size = fread(bytes, 1, sizeof bytes, own);
    fclose(own);
    char path[] = "/tmp/heapyard-object-XXXXXX", name[64];
    uintptr_t start;
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t cut = 0; cut < 4096; cut += 61) {
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(pwrite(file, bytes, cut, 0), (ssize_t)cut);
        assert_false(hy_object_symbol(path, 0, 4096, name, sizeof name, &start));
    }
    for (size_t at = 4; at < 64; at++) {
        assert_int_equal(pwrite(file, bytes, size, 0), (ssize_t)size);
        assert_int_equal(pwrite(file, "\xFF", 1, (off_t)at), 1);
        (void)hy_object_symbol(path, 0, 4096, name, sizeof name, &start);
    }
    close(file);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_function_has_its_name),
        cmocka_unit_test(what_is_no_function_has_none),
        cmocka_unit_test(damaged_files_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
