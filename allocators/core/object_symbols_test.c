/* object_symbols_test.c: finds static functions, and takes any file for what it is. */
#include "allocators/core/object_symbols.h"
#include <dlfcn.h>
#include <link.h>
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

static hy_object own_object(void) {
    hy_object object;
    assert_true(hy_object_of((uintptr_t)a_static_function, &object));
    return object;
}

static void a_static_function_has_its_name(void **state) {
    (void)state;
    hy_object object = own_object();
    hy_symbol symbol;
    uintptr_t inside = (uintptr_t)a_static_function + 1;
    assert_int_equal(a_static_function(1), 2);
    assert_true(hy_object_symbol(&object, inside, &symbol));
    assert_string_equal(symbol.name, "a_static_function");
    assert_int_equal(symbol.start, (uintptr_t)a_static_function);
}

/* Its own file is stripped on most systems: the name is from the table of what it exports. */
static void a_library_is_found(void **state) {
    (void)state;
    hy_object object;
    hy_symbol symbol;
    uintptr_t inside = (uintptr_t)dlsym(RTLD_DEFAULT, "fclose") + 1;
    assert_true(hy_object_of(inside, &object));
    assert_non_null(strstr(object.name, ".so"));
    assert_true(hy_object_symbol(&object, inside, &symbol));
    assert_non_null(strstr(symbol.name, "fclose"));
}

static void what_is_no_code_lies_in_nothing(void **state) {
    (void)state;
    hy_object object;
    assert_false(hy_object_of(0, &object));
    assert_false(hy_object_of((uintptr_t)&object, &object));
    assert_false(hy_object_of(UINTPTR_MAX, &object));
}

static void what_is_no_function_has_none(void **state) {
    (void)state;
    hy_symbol symbol = {"unchanged", 7};
    hy_object object = own_object();
    assert_false(hy_object_symbol(&object, object.base + 1, &symbol));
    object.path = "/no/such/file";
    assert_false(hy_object_symbol(&object, (uintptr_t)a_static_function, &symbol));
    object.path = "/proc/self/status";
    assert_false(hy_object_symbol(&object, (uintptr_t)a_static_function, &symbol));
    assert_string_equal(symbol.name, "unchanged");
    assert_int_equal(symbol.start, 7);
}

/* Every 61st length of this program's own file, and each of its first bytes set to 0xFF. */
static void damaged_files_are_harmless(void **state) {
    (void)state;
    static char bytes[1 << 16];
    FILE *own = fopen("/proc/self/exe", "rb");
    assert_non_null(own);
    size_t size = fread(bytes, 1, sizeof bytes, own);
    fclose(own);
    char path[] = "/tmp/heapyard-object-XXXXXX";
    hy_object object = {.path = path};
    hy_symbol symbol;
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t cut = 0; cut < 4096; cut += 61) {
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(pwrite(file, bytes, cut, 0), (ssize_t)cut);
        assert_false(hy_object_symbol(&object, 4096, &symbol));
    }
    for (size_t at = 4; at < 64; at++) {
        assert_int_equal(pwrite(file, bytes, size, 0), (ssize_t)size);
        assert_int_equal(pwrite(file, "\xFF", 1, (off_t)at), 1);
        (void)hy_object_symbol(&object, 4096, &symbol);
    }
    close(file);
    unlink(path);
}

/* The least file with a function in it. */
typedef struct small_file {
    ElfW(Ehdr) header;
    ElfW(Shdr) sections[3];
    ElfW(Sym) symbols[2];
    char names[16];
} small_file;

enum { FUNCTION = 0x1000 };

static small_file sound_file(void) {
    small_file f = {.names = "\0works\0other"};
    memcpy(f.header.e_ident, ELFMAG, SELFMAG);
    f.header.e_shentsize = sizeof(ElfW(Shdr));
    f.header.e_shnum = 3;
    f.header.e_shoff = offsetof(small_file, sections);
    f.sections[1].sh_type = SHT_SYMTAB;
    f.sections[1].sh_link = 2;
    f.sections[1].sh_offset = offsetof(small_file, symbols);
    f.sections[1].sh_size = sizeof f.symbols;
    f.sections[2].sh_type = SHT_STRTAB;
    f.sections[2].sh_offset = offsetof(small_file, names);
    f.sections[2].sh_size = sizeof f.names;
    f.symbols[1].st_info = STT_FUNC;
    f.symbols[1].st_name = 1;
    f.symbols[1].st_value = FUNCTION;
    f.symbols[1].st_size = 8;
    return f;
}

static bool finds_function(const small_file *content, hy_symbol *symbol) {
    char path[] = "/tmp/heapyard-object-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, sizeof *content), (ssize_t)sizeof *content);
    close(file);
    hy_object object = {.path = path};
    bool found = hy_object_symbol(&object, FUNCTION + 4, symbol);
    unlink(path);
    return found;
}

static void expect_nothing(const small_file *content) {
    hy_symbol symbol;
    assert_false(finds_function(content, &symbol));
}

static void a_sound_file_is_read(void **state) {
    (void)state;
    small_file f = sound_file();
    hy_symbol symbol;
    assert_true(finds_function(&f, &symbol));
    assert_string_equal(symbol.name, "works");
    assert_int_equal(symbol.start, FUNCTION);
    f.sections[1].sh_type = SHT_DYNSYM;
    assert_true(finds_function(&f, &symbol));
    f.sections[2].sh_size = 4; /* names are cut where their table ends */
    assert_true(finds_function(&f, &symbol));
    assert_string_equal(symbol.name, "wor");
}

static void wrong_tables_hold_nothing(void **state) {
    (void)state;
    small_file f = sound_file();
    f.header.e_ident[1] = 'F';
    expect_nothing(&f);
    f = sound_file(), f.header.e_shentsize = 7, expect_nothing(&f);
    f = sound_file(), f.header.e_shoff = sizeof f + 8, expect_nothing(&f);
    f = sound_file(), f.header.e_shoff = sizeof f - 8, expect_nothing(&f);
    f = sound_file(), f.header.e_shoff += 4, expect_nothing(&f);
    f = sound_file(), f.sections[1].sh_link = 3, expect_nothing(&f);
    f = sound_file(), f.sections[1].sh_offset += 1, expect_nothing(&f);
    f = sound_file(), f.sections[1].sh_size = SIZE_MAX, expect_nothing(&f);
    f = sound_file(), f.sections[2].sh_size = sizeof f, expect_nothing(&f);
    f = sound_file(), f.symbols[1].st_name = 16, expect_nothing(&f);
    f = sound_file(), f.symbols[1].st_info = STT_OBJECT, expect_nothing(&f);
    f = sound_file(), f.symbols[1].st_size = 4, expect_nothing(&f);
}

static void a_folder_is_no_object(void **state) {
    (void)state;
    hy_object object = {.path = "/"};
    hy_symbol symbol;
    assert_false(hy_object_symbol(&object, FUNCTION, &symbol));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_static_function_has_its_name),
        cmocka_unit_test(a_library_is_found),
        cmocka_unit_test(what_is_no_code_lies_in_nothing),
        cmocka_unit_test(what_is_no_function_has_none),
        cmocka_unit_test(damaged_files_are_harmless),
        cmocka_unit_test(a_sound_file_is_read),
        cmocka_unit_test(wrong_tables_hold_nothing),
        cmocka_unit_test(a_folder_is_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
