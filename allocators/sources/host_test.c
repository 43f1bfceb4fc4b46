/* host_test.c: the foreign heap sees every byte, in both forms, and nothing it did not promise to serve. */
#include "allocators/conformance/dies.h"
#include <heapyard/host.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/wide_align.h>
#include <malloc.h>

/* A heap that a test looks into: malloc, and what was asked of it. */
typedef struct spy {
    size_t asked; /* with the last call */
    size_t calls;
    size_t live_blocks;
    size_t refuse_from; /* sizes from here on */
    size_t shift;       /* added to what malloc gives: a heap that breaks its promise */
} spy;

static void *spy_alloc(void *context, size_t size) {
    spy *s = context;
    s->asked = size;
    s->calls++;
    if (size >= s->refuse_from) return NULL;
    s->live_blocks++;
    return (char *)malloc(size + s->shift) + s->shift;
}

static void *spy_realloc(void *context, void *ptr, size_t size) {
    spy *s = context;
    s->asked = size;
    s->calls++;
    return size >= s->refuse_from ? NULL : realloc(ptr, size);
}

static void spy_free(void *context, void *ptr) {
    spy *s = context;
    s->calls++;
    s->live_blocks--;
    free(ptr);
}

static hy_host host_over(spy *s) {
    hy_host host;
    hy_host_init(&host, s, spy_alloc, spy_realloc, spy_free, HY_ALIGN_16);
    return host;
}

static void the_heap_sees_every_byte(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host = host_over(&s);
    hy_allocator gpa = hy_host_allocator(&host);
    char *text = hy_alloc(gpa, 13, HY_ALIGN_1);
    assert_int_equal(s.asked, 13);
    memcpy(text, "twelve bytes", 13);
    text = hy_realloc(gpa, text, 13, 100001, HY_ALIGN_1);
    assert_int_equal(s.asked, 100001);
    assert_string_equal(text, "twelve bytes");
    assert_int_equal(s.live_blocks, 1);
    assert_false(hy_resize(gpa, text, 100001, 50, HY_ALIGN_1));
    hy_free(gpa, text, 100001, HY_ALIGN_1);
    assert_int_equal(s.live_blocks, 0);
    assert_int_equal(s.calls, 3);
}

static void no_bytes_are_no_call(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host = host_over(&s);
    hy_free(hy_host_allocator(&host), hy_alloc(hy_host_allocator(&host), 0, HY_ALIGN_8), 0, HY_ALIGN_8);
    assert_int_equal(s.calls, 0);
}

static void what_it_never_promised_is_not_asked_for(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host = host_over(&s);
    hy_allocator gpa = hy_host_allocator(&host);
    for (unsigned log2 = 5; log2 <= 63; log2++)
        assert_null(hy_alloc(gpa, 8, hy_align_from_log2(log2)));
    volatile size_t too_much = (size_t)PTRDIFF_MAX + 1;
    assert_null(hy_alloc(gpa, too_much, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, SIZE_MAX, HY_ALIGN_8));
    assert_int_equal(s.calls, 0);
    char *ptr = hy_alloc(gpa, 8, HY_ALIGN_16);
    assert_null(hy_remap(gpa, ptr, 8, SIZE_MAX, HY_ALIGN_16));
    assert_int_equal(s.calls, 1);
    hy_free(gpa, ptr, 8, HY_ALIGN_16);
}

static void a_refusal_leaves_the_block(void **state) {
    (void)state;
    spy s = {.refuse_from = 100};
    hy_host host = host_over(&s);
    hy_allocator gpa = hy_host_allocator(&host);
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    assert_null(hy_alloc(gpa, 100, HY_ALIGN_8));
    assert_null(hy_realloc(gpa, text, 6, 200, HY_ALIGN_1));
    assert_string_equal(text, "hello");
    hy_free_sentinel(gpa, text, 5);
    assert_int_equal(s.live_blocks, 0);
}

static void a_heap_without_realloc_is_copied_around(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host;
    hy_host_init(&host, &s, spy_alloc, NULL, spy_free, HY_ALIGN_16);
    hy_allocator gpa = hy_host_allocator(&host);
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    assert_null(hy_remap(gpa, text, 6, 12, HY_ALIGN_1));
    text = hy_realloc(gpa, text, 6, 12, HY_ALIGN_1);
    assert_string_equal(text, "hello");
    hy_free(gpa, text, 12, HY_ALIGN_1);
    assert_int_equal(s.live_blocks, 0);
    assert_int_equal(s.calls, 4);
}

/* As a NIF would name enif_alloc, enif_realloc and enif_free. */
static void functions_without_a_context_do(void **state) {
    (void)state;
    hy_host_plain host;
    hy_host_plain_init(&host, malloc, realloc, free, HY_ALIGN_8);
    hy_allocator gpa = hy_host_plain_allocator(&host);
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    text = hy_realloc(gpa, text, 6, 70000, HY_ALIGN_1);
    assert_string_equal(text, "hello");
    hy_free(gpa, text, 70000, HY_ALIGN_1);
    assert_null(hy_alloc(gpa, 8, HY_ALIGN_16));
    assert_null(hy_alloc(gpa, SIZE_MAX, HY_ALIGN_1));
    hy_host_plain_init(&host, malloc, NULL, free, HY_ALIGN_8);
    text = hy_dupe_z(gpa, char, "again", 5);
    assert_null(hy_remap(gpa, text, 6, 7, HY_ALIGN_1));
    hy_free_sentinel(gpa, text, 5);
}

/* With bit 0 of its options the row's heap counts as a virtual machine does: by what is requested. */
static void a_million_bytes_move_the_heaps_figure(void **state) {
    (void)state;
    extern const hy_row hy_host_row;
    hy_config config = {.options = 1};
    hy_allocator gpa;
    void *instance = hy_host_row.make(&hy_host_row, &config, &gpa);
    hy_stats before, during, after;
    assert_true(hy_host_row.stats(instance, &before));
    void *ptr = hy_alloc(gpa, 1000000, HY_ALIGN_8);
    assert_true(hy_host_row.stats(instance, &during));
    ptr = hy_realloc(gpa, ptr, 1000000, 10, HY_ALIGN_8);
    hy_free(gpa, ptr, 10, HY_ALIGN_8);
    assert_true(hy_host_row.stats(instance, &after));
    assert_int_equal(during.used_bytes - before.used_bytes, 1000000);
    assert_int_equal(after.used_bytes, 0);
    assert_int_equal(after.calls_count, 3);
    hy_host_row.destroy(&hy_host_row, instance);
}

static void a_page_is_refused_and_wide_align_serves_it(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host = host_over(&s);
    assert_null(hy_alloc(hy_host_allocator(&host), 4096, HY_ALIGN_4096));
    hy_wide_align wide;
    hy_wide_align_init(&wide, hy_host_allocator(&host), host.greatest);
    hy_allocator gpa = hy_wide_align_allocator(&wide);
    char *page = hy_alloc(gpa, 4096, HY_ALIGN_4096);
    assert_true(page && hy_align_check_pointer(page, HY_ALIGN_4096));
    assert_true(s.asked <= 4096 + 4096 + 2 * sizeof(void *));
    hy_free(gpa, page, 4096, HY_ALIGN_4096);
    assert_int_equal(s.live_blocks, 0);
}

static void init_without_alloc(void) {
    hy_host host;
    hy_host_init(&host, NULL, NULL, spy_realloc, spy_free, HY_ALIGN_16);
}

static void init_without_free(void) {
    hy_host host;
    hy_host_init(&host, NULL, spy_alloc, spy_realloc, NULL, HY_ALIGN_16);
}

static void init_plain_without_alloc(void) {
    hy_host_plain host;
    hy_host_plain_init(&host, NULL, realloc, free, HY_ALIGN_16);
}

static void init_plain_without_free(void) {
    hy_host_plain host;
    hy_host_plain_init(&host, malloc, realloc, NULL, HY_ALIGN_16);
}

static void promise_too_much(void) {
    spy s = {.refuse_from = SIZE_MAX, .shift = 8};
    hy_host host = host_over(&s);
    (void)!hy_alloc(hy_host_allocator(&host), 8, HY_ALIGN_8);
}

static void misuse_is_told(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(init_without_alloc, "hy_host_init: got 0");
    assert_dies_saying(init_without_alloc, "must be a heap with an alloc function");
    assert_dies_saying(init_without_free, "must be a heap with a free function");
    assert_dies_saying(init_plain_without_alloc, "must be a heap with an alloc function");
    assert_dies_saying(init_plain_without_free, "must be a heap with a free function");
    assert_dies_saying(promise_too_much, "must be a block that is aligned as the heap promised at init");
}

static void a_growth_beyond_all_objects_is_refused(void **state) {
    (void)state;
    spy s = {.refuse_from = SIZE_MAX};
    hy_host host = host_over(&s);
    hy_allocator gpa = hy_host_allocator(&host);
    char *block = hy_alloc(gpa, 8, HY_ALIGN_8);
    assert_null(hy_remap(gpa, block, 8, (size_t)PTRDIFF_MAX + 1, HY_ALIGN_8));
    assert_int_equal(s.calls, 1);
    hy_free(gpa, block, 8, HY_ALIGN_8);
    assert_int_equal(s.live_blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growth_beyond_all_objects_is_refused),
        cmocka_unit_test(the_heap_sees_every_byte),
        cmocka_unit_test(no_bytes_are_no_call),
        cmocka_unit_test(what_it_never_promised_is_not_asked_for),
        cmocka_unit_test(a_refusal_leaves_the_block),
        cmocka_unit_test(a_heap_without_realloc_is_copied_around),
        cmocka_unit_test(functions_without_a_context_do),
        cmocka_unit_test(a_million_bytes_move_the_heaps_figure),
        cmocka_unit_test(a_page_is_refused_and_wide_align_serves_it),
        cmocka_unit_test(misuse_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
