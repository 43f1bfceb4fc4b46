/* peers_test.c: malloc libraries come from their own files, and do not replace the C library's malloc. */
#include "allocators/peers/peers.h"
#include "allocators/registry.h"
#include <dlfcn.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_librarys(const hy_row *row) {
    return hy_peer_missing(row) || hy_peer_version(row);
}

static void each_library(void (*check)(const hy_row *row)) {
    size_t count, found = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_librarys(rows[i])) {
            assert_false(rows[i]->traits & HY_TRAIT_PEER);
            continue;
        }
        found++;
        if (rows[i]->missing)
            print_message("%s: not in this build: %s\n", rows[i]->name, rows[i]->missing);
        else
            check(rows[i]);
    }
    assert_int_equal(found, 8);
}

static const char *file_of(void *address) {
    Dl_info info;
    assert_true(dladdr(address, &info));
    return info.dli_fname;
}

static void check_library(const hy_row *row) {
    void *libc_malloc = dlsym(RTLD_DEFAULT, "malloc");
    assert_non_null(hy_peer_version(row));
    assert_true(hy_peer_version(row)[0] >= '0' && hy_peer_version(row)[0] <= '9');
    assert_string_not_equal(hy_peer_library(row), file_of(libc_malloc));
    assert_non_null(strstr(hy_peer_library(row), "malloc"));
    assert_string_equal(hy_peer_library(row), file_of(hy_peer_function(row, "realloc")));
    assert_null(hy_peer_function(row, "printf"));
}

static void symbols_come_from_the_peers_library(void **state) {
    (void)state;
    each_library(check_library);
}

static void malloc_is_still_the_c_librarys(void **state) {
    (void)state;
    void *before = dlsym(RTLD_DEFAULT, "malloc");
    each_library(check_library);
    assert_ptr_equal(dlsym(RTLD_DEFAULT, "malloc"), before);
    void *(*volatile through_the_program)(size_t) = malloc;
    void *address;
    void *(*function)(size_t) = through_the_program;
    memcpy(&address, &function, sizeof address);
    assert_null(strstr(file_of(address), "jemalloc"));
    assert_null(strstr(file_of(address), "mimalloc"));
    assert_null(strstr(file_of(address), "tcmalloc"));
    assert_null(strstr(file_of(address), "heapyard-malloc"));
}

/* One of another build would be measured for this one's. */
static void our_library_is_this_builds(void **state) {
    (void)state;
    static const char *const names[] = {"malloc", "malloc_sized"};
    for (size_t i = 0; i < 2; i++) {
        const hy_row *row = hy_registry_find(names[i]);
        assert_int_equal(row->group, HY_GROUP_STRATEGY);
        if (row->missing) continue;
        char program[PATH_MAX], library[PATH_MAX];
        assert_non_null(realpath("/proc/self/exe", program));
        assert_non_null(realpath(hy_peer_library(row), library));
        *strrchr(program, '/') = *strrchr(library, '/') = '\0';
        assert_string_equal(program, library);
        assert_string_equal(hy_peer_version(row), HY_VERSION);
    }
}

static void check_blocks(const hy_row *row) {
    hy_instance instance;
    assert_true(hy_instance_make(&instance, row, NULL));
    for (uint8_t log2 = 0; log2 <= 16; log2++) {
        for (size_t size = 1; size < 70000; size = size * 3 + 1) {
            hy_align align = {log2};
            char *ptr = hy_alloc(instance.allocator, size, align);
            if (!ptr || !hy_align_check_pointer(ptr, align))
                fail_msg("%s: %zu at 2^%u", row->name, size, log2);
            memset(ptr, 0x5A, size);
            char *moved = hy_realloc(instance.allocator, ptr, size, size * 2, align);
            if (!moved || !hy_align_check_pointer(moved, align) || moved[size - 1] != 0x5A) {
                fail_msg("%s: realloc of %zu at 2^%u", row->name, size, log2);
            }
            hy_free(instance.allocator, moved, size * 2, align);
        }
    }
    hy_instance_destroy(&instance);
}

static void every_alignment_is_served(void **state) {
    (void)state;
    each_library(check_blocks);
}

static void other_rows_are_not_peers(void **state) {
    (void)state;
    const hy_row *libc = hy_registry_find("libc");
    assert_null(hy_peer_missing(libc));
    assert_null(hy_peer_version(libc));
    assert_null(hy_peer_library(libc));
    assert_null(hy_peer_function(libc, "malloc"));
    assert_false(hy_peer_has_library(libc));
    assert_true(hy_peer_has_library(hy_registry_find("jemalloc")));
}

static void a_second_reexec_does_nothing(void **state) {
    (void)state;
    char *no_arguments[] = {NULL};
    assert_true(hy_peers_reexec(no_arguments));
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hy_peers_reexec(argv)) return EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_come_from_the_peers_library),
        cmocka_unit_test(malloc_is_still_the_c_librarys),
        cmocka_unit_test(our_library_is_this_builds),
        cmocka_unit_test(every_alignment_is_served),
        cmocka_unit_test(other_rows_are_not_peers),
        cmocka_unit_test(a_second_reexec_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
