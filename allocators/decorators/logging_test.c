/* logging_test.c: the exact lines, one call of the sink for each, also from many threads. */
#include "allocators/conformance/dies.h"
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/logging.h>
#include <heapyard/null.h>
#include <heapyard/page.h>
#include <pthread.h>

static struct {
    char text[8192];
    size_t size;
    size_t line_count;
} said;

static void keep_line(void *context, const char *line, size_t size) {
    (void)context;
    assert_true(said.size + size < sizeof said.text);
    assert_int_equal(strlen(line), size);
    assert_int_equal(line[size - 1], '\n');
    memcpy(said.text + said.size, line, size + 1);
    said.size += size;
    said.line_count++;
}

static int forget(void **state) {
    (void)state;
    memset(&said, 0, sizeof said);
    return 0;
}

HY_PRINTF(1, 2) static void assert_said(const char *format, ...) {
    char expected[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    assert_string_equal(said.text, expected);
}

static void each_call_is_a_line(void **state) {
    (void)state;
    static _Alignas(64) char bytes[256];
    void *buffer = bytes;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, bytes, sizeof bytes);
    hy_logging logging = HY_LOGGING_INIT(hy_fixed_buffer_allocator(&fixed), keep_line, NULL, "parser");
    hy_allocator gpa = hy_logging_allocator(&logging);
    char *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    assert_ptr_equal(ptr, buffer);
    assert_null(hy_alloc(gpa, 1000, HY_ALIGN_16));
    assert_true(hy_resize(gpa, ptr, 100, 200, HY_ALIGN_8));
    assert_false(hy_resize(gpa, ptr, 200, 2000, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 200, SIZE_MAX, HY_ALIGN_8));
    hy_free(gpa, ptr, 200, HY_ALIGN_8);
    assert_said("parser: alloc 100 align 8 -> %p\n"
                "parser: alloc 1000 align 16 -> refused\n"
                "parser: resize %p 100 to 200 align 8 -> done\n"
                "parser: resize %p 200 to 2000 align 8 -> refused\n"
                "parser: remap %p 200 to 18446744073709551615 align 8 -> refused\n"
                "parser: free %p 200 align 8\n",
        buffer, buffer, buffer, buffer, buffer);
    assert_int_equal(said.line_count, 6);
    hy_fixed_buffer_deinit(&fixed);
}

static void a_remap_tells_both_addresses(void **state) {
    (void)state;
    hy_logging logging = HY_LOGGING_INIT(hy_page(), keep_line, NULL, NULL);
    hy_allocator gpa = hy_logging_allocator(&logging);
    void *ptr = hy_alloc(gpa, 10000, HY_ALIGN_1);
    uintptr_t old = (uintptr_t)ptr;
    void *moved = hy_remap(gpa, ptr, 10000, 10001, HY_ALIGN_1);
    assert_non_null(moved);
    hy_free(gpa, moved, 10001, HY_ALIGN_1);
    assert_said("alloc 10000 align 1 -> 0x%zx\nremap 0x%zx 10000 to 10001 align 1 -> %p\n"
                "free %p 10001 align 1\n",
        (size_t)old, (size_t)old, moved, moved);
}

static void what_reaches_no_allocator_is_not_told(void **state) {
    (void)state;
    hy_logging logging;
    hy_logging_init(&logging, hy_libc(), keep_line, NULL, "empty");
    hy_allocator gpa = hy_logging_allocator(&logging);
    hy_free(gpa, hy_alloc(gpa, 0, HY_ALIGN_8), 0, HY_ALIGN_8);
    hy_free(gpa, NULL, 8, HY_ALIGN_8);
    assert_int_equal(said.line_count, 0);
}

static void refusals_alone(void **state) {
    (void)state;
    hy_logging served, refused;
    hy_logging_init(&served, hy_libc(), keep_line, NULL, "served");
    hy_logging_init(&refused, hy_null(), keep_line, NULL, "refused");
    served.refusals_only = refused.refusals_only = true;
    void *ptr = hy_alloc(hy_logging_allocator(&served), 8, HY_ALIGN_8);
    hy_free(hy_logging_allocator(&served), ptr, 8, HY_ALIGN_8);
    assert_null(hy_alloc(hy_logging_allocator(&refused), 7, HY_ALIGN_1));
    assert_said("refused: alloc 7 align 1 -> refused\n");
}

static void a_long_scope_is_cut_off(void **state) {
    (void)state;
    char scope[200];
    memset(scope, 'x', sizeof scope - 1);
    scope[sizeof scope - 1] = '\0';
    hy_logging logging;
    hy_logging_init(&logging, hy_null(), keep_line, NULL, scope);
    assert_null(hy_alloc(hy_logging_allocator(&logging), SIZE_MAX, (hy_align){63}));
    assert_said("%.*s: alloc 18446744073709551615 align 9223372036854775808 -> refused\n",
        HY_LOGGING_SCOPE_MAX, scope);
}

/* The child sees the sink's line before the block ends. */
static void free_that_looks(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)ptr, (void)size, (void)align;
    assert_int_equal(said.line_count, 1);
}

static void a_free_is_told_first(void **state) {
    (void)state;
    hy_vtable looks = hy_null().vtable[0];
    looks.free = free_that_looks;
    hy_logging logging;
    hy_logging_init(&logging, (hy_allocator){NULL, &looks}, keep_line, NULL, NULL);
    char block[8];
    hy_free(hy_logging_allocator(&logging), block, sizeof block, HY_ALIGN_1);
    assert_int_equal(said.line_count, 1);
}

enum { THREADS = 4, CALLS = 500 };

static void *allocate_often(void *argument) {
    hy_logging *logging = argument;
    for (int i = 0; i < CALLS; i++) {
        void *ptr = hy_alloc(hy_logging_allocator(logging), 77, HY_ALIGN_8);
        hy_free(hy_logging_allocator(logging), ptr, 77, HY_ALIGN_8);
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state) {
    (void)state;
    FILE *file = tmpfile();
    hy_logging logging = HY_LOGGING_INIT(hy_libc(), hy_line_to_file, file, "many");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_often, &logging), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    rewind(file);
    char line[256];
    size_t allocs = 0, frees = 0;
    while (fgets(line, sizeof line, file)) {
        void *ptr = NULL;
        int end = 0;
        bool is_alloc = sscanf(line, "many: alloc 77 align 8 -> %p\n%n", &ptr, &end) == 1 && end > 0;
        bool is_free = sscanf(line, "many: free %p 77 align 8\n%n", &ptr, &end) == 1 && end > 0;
        assert_true(is_alloc != is_free);
        allocs += is_alloc;
        frees += is_free;
    }
    fclose(file);
    assert_int_equal(allocs, THREADS * CALLS);
    assert_int_equal(frees, THREADS * CALLS);
}

static void a_descriptor_serves_too(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    hy_logging logging = HY_LOGGING_INIT(hy_null(), hy_line_to_descriptor, &ends[1], "pipe");
    assert_null(hy_alloc(hy_logging_allocator(&logging), 5, HY_ALIGN_4));
    close(ends[1]);
    char text[128] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "pipe: alloc 5 align 4 -> refused\n");
    close(ends[0]);
}

static void init_without_a_sink(void) {
    hy_logging logging;
    hy_logging_init(&logging, hy_libc(), NULL, NULL, NULL);
}

static void a_sink_is_needed(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(init_without_a_sink, "hy_logging_init: got 0 (0x0), must be a sink");
}

static void size_changes_that_are_served_are_no_refusals(void **state) {
    (void)state;
    char bytes[64];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, bytes, sizeof bytes);
    hy_logging logging;
    hy_logging_init(&logging, hy_fixed_buffer_allocator(&fixed), keep_line, NULL, "served");
    logging.refusals_only = true;
    hy_allocator gpa = hy_logging_allocator(&logging);
    char *ptr = hy_alloc(gpa, 8, HY_ALIGN_8);
    assert_true(hy_resize(gpa, ptr, 8, 16, HY_ALIGN_8));
    assert_ptr_equal(hy_remap(gpa, ptr, 16, 24, HY_ALIGN_8), ptr);
    assert_int_equal(said.line_count, 0);
    assert_false(hy_resize(gpa, ptr, 24, 100, HY_ALIGN_8));
    assert_int_equal(said.line_count, 1);
    hy_free(gpa, ptr, 24, HY_ALIGN_8);
    hy_fixed_buffer_deinit(&fixed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_call_is_a_line, forget),
        cmocka_unit_test_setup(a_remap_tells_both_addresses, forget),
        cmocka_unit_test_setup(what_reaches_no_allocator_is_not_told, forget),
        cmocka_unit_test_setup(refusals_alone, forget),
        cmocka_unit_test_setup(size_changes_that_are_served_are_no_refusals, forget),
        cmocka_unit_test_setup(a_long_scope_is_cut_off, forget),
        cmocka_unit_test_setup(a_free_is_told_first, forget),
        cmocka_unit_test_setup(lines_of_threads_do_not_mix, forget),
        cmocka_unit_test_setup(a_descriptor_serves_too, forget),
        cmocka_unit_test(a_sink_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
