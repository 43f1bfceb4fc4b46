/* failing_test.c: refuses what it is told to refuse, and nothing else. */
#include "allocators/conformance/dies.h"
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/plugin.h>

extern const hy_row hy_failing_row;

static void init(hy_failing *failing, uint64_t alloc_at, uint64_t resize_at, bool once) {
    hy_failing_options options = {alloc_at, resize_at, once, 0.0, 0};
    hy_failing_init(failing, hy_libc(), &options);
}

/* Allocates and frees; whether it was served. */
static bool serves(hy_failing *failing) {
    void *ptr = hy_alloc(hy_failing_allocator(failing), 32, HY_ALIGN_8);
    hy_free(hy_failing_allocator(failing), ptr, 32, HY_ALIGN_8);
    return ptr != NULL;
}

static void never_by_default(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_init(&failing, hy_libc(), NULL);
    for (int i = 0; i < 1000; i++)
        assert_true(serves(&failing));
    assert_int_equal(failing.alloc_index, 1000);
    assert_int_equal(failing.free_count, 1000);
    assert_int_equal(failing.allocated_bytes, 32000);
    assert_int_equal(failing.freed_bytes, 32000);
    assert_int_equal(failing.induced_count, 0);
}

static void from_the_nth_on(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, 2, HY_FAILING_NEVER, false);
    assert_true(serves(&failing));
    assert_true(serves(&failing));
    for (int i = 0; i < 10; i++)
        assert_false(serves(&failing));
    assert_int_equal(failing.induced_count, 10);
    assert_int_equal(failing.alloc_index, 12);
    assert_int_equal(failing.free_count, 2);
}

static void only_the_nth(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, 2, HY_FAILING_NEVER, true);
    assert_true(serves(&failing));
    assert_true(serves(&failing));
    assert_false(serves(&failing));
    for (int i = 0; i < 10; i++)
        assert_true(serves(&failing));
    assert_int_equal(failing.induced_count, 1);
}

static void resizes_and_remaps_share_an_index(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, HY_FAILING_NEVER, 1, true);
    hy_allocator gpa = hy_failing_allocator(&failing);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    assert_true(hy_resize(gpa, ptr, 100, 50, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 50, 20, HY_ALIGN_8));
    assert_true(hy_resize(gpa, ptr, 50, 20, HY_ALIGN_8));
    assert_int_equal(failing.resize_index, 3);
    assert_int_equal(failing.freed_bytes, 80);
    hy_free(gpa, ptr, 20, HY_ALIGN_8);
    assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
}

static bool agree_to_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return true;
}

static void *agree_to_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)old_size, (void)new_size, (void)align;
    return ptr;
}

static const hy_vtable agreeing = {NULL, agree_to_resize, agree_to_remap, NULL};

/* Whether a resize, or a remap, of a block to its own size is served. */
static bool resizes(hy_failing *failing, void *ptr) {
    return hy_resize(hy_failing_allocator(failing), ptr, 100, 100, HY_ALIGN_8);
}

static bool remaps(hy_failing *failing, void *ptr) {
    return hy_remap(hy_failing_allocator(failing), ptr, 100, 100, HY_ALIGN_8) != NULL;
}

static void from_the_nth_resize_on(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, HY_FAILING_NEVER, 3, false);
    assert_true(serves(&failing));
    failing.child = (hy_allocator){NULL, &agreeing};
    char block[100];
    assert_true(resizes(&failing, block));
    assert_true(remaps(&failing, block));
    assert_true(resizes(&failing, block));
    for (int i = 0; i < 5; i++) {
        assert_false(remaps(&failing, block));
        assert_false(resizes(&failing, block));
    }
    assert_int_equal(failing.resize_index, 13);
    assert_int_equal(failing.induced_count, 10);
    failing.child = hy_libc();
    assert_true(serves(&failing)); /* allocations have their own index */
}

static void what_a_remap_changes_is_counted(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_init(&failing, (hy_allocator){NULL, &agreeing}, NULL);
    char block[100];
    assert_non_null(hy_failing_remap(&failing, block, 10, 100, HY_ALIGN_1));
    assert_int_equal(failing.allocated_bytes, 90);
    assert_non_null(hy_failing_remap(&failing, block, 100, 60, HY_ALIGN_1));
    assert_int_equal(failing.freed_bytes, 40);
}

static void a_refused_remap_leaves_realloc_a_way(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, HY_FAILING_NEVER, 0, false);
    hy_allocator gpa = hy_failing_allocator(&failing);
    char *ptr = hy_alloc(gpa, 4, HY_ALIGN_1);
    memcpy(ptr, "abc", 4);
    ptr = hy_realloc(gpa, ptr, 4, 4000, HY_ALIGN_1);
    assert_string_equal(ptr, "abc");
    assert_int_equal(failing.alloc_index, 2);
    hy_free(gpa, ptr, 4000, HY_ALIGN_1);
}

static void the_childs_refusals_are_not_induced(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_init(&failing, hy_null(), NULL);
    assert_false(serves(&failing));
    assert_int_equal(failing.induced_count, 0);
    assert_int_equal(failing.frame_count, 0);
    assert_int_equal(failing.allocated_bytes, 0);
}

static void refusals_by_chance_repeat_with_their_seed(void **state) {
    (void)state;
    hy_failing_options options = {HY_FAILING_NEVER, HY_FAILING_NEVER, false, 0.25, 42};
    hy_failing first, second;
    hy_failing_init(&first, hy_libc(), &options);
    hy_failing_init(&second, hy_libc(), &options);
    for (int i = 0; i < 4000; i++)
        assert_int_equal(serves(&first), serves(&second));
    assert_in_range(first.induced_count, 800, 1200);
    options.seed = 43;
    hy_failing_init(&first, hy_libc(), &options);
    options.seed = 42;
    hy_failing_init(&second, hy_libc(), &options);
    int differ = 0;
    for (int i = 0; i < 4000; i++)
        differ += serves(&first) != serves(&second);
    assert_true(differ > 0);
    options.probability = 1.0;
    hy_failing_init(&first, hy_libc(), &options);
    assert_false(serves(&first));
}

static void chance_strikes_resizes_and_remaps_too(void **state) {
    (void)state;
    hy_failing_options options = {HY_FAILING_NEVER, HY_FAILING_NEVER, false, 0.5, 7};
    hy_failing failing;
    hy_failing_init(&failing, (hy_allocator){NULL, &agreeing}, &options);
    char block[100];
    uint64_t resize_refusals = 0, remap_refusals = 0;
    for (int i = 0; i < 1000; i++) {
        resize_refusals += !resizes(&failing, block);
        remap_refusals += !remaps(&failing, block);
    }
    assert_in_range(resize_refusals, 400, 600);
    assert_in_range(remap_refusals, 400, 600);
    assert_int_equal(failing.induced_count, resize_refusals + remap_refusals);
}

static HY_NOINLINE void refuse_here(hy_failing *failing) {
    assert_false(serves(failing));
    __asm__ volatile("");
}

static void the_stack_of_the_refusal_is_kept(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, 0, HY_FAILING_NEVER, false);
    refuse_here(&failing);
    assert_true(failing.frame_count > 0);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    hy_failing_print(&failing, stream);
    fclose(stream);
    assert_memory_equal(text, "induced out of memory at:\n    #0 ", 33);
    assert_non_null(strstr(text, " in refuse_here"));
    assert_null(strstr(text, " in hy_"));
    free(text);
}

static void without_a_refusal_there_is_no_stack(void **state) {
    (void)state;
    hy_failing failing;
    init(&failing, 5, HY_FAILING_NEVER, false);
    assert_true(serves(&failing));
    assert_int_equal(failing.frame_count, 0);
    FILE *stream = tmpfile();
    hy_failing_print(&failing, stream);
    assert_int_equal(ftell(stream), 0);
    fclose(stream);
}

static void init_with(double probability) {
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.probability = probability;
    hy_failing failing;
    hy_failing_init(&failing, hy_libc(), &options);
}

static void init_with_a_wrong_probability(void) {
    init_with(1.5);
}

static void init_with_a_negative_probability(void) {
    init_with(-0.5);
}

static void init_with_no_number(void) {
    init_with(__builtin_nan(""));
}

static void a_wrong_probability_is_misuse(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(init_with_a_wrong_probability, "hy_failing_init: got 150");
    assert_dies_saying(init_with_a_negative_probability, "hy_failing_init: got 18446744073709551615");
    assert_dies_saying(init_with_no_number, "hy_failing_init: got 18446744073709551615");
}

/* Bits 8-15 of the row's options: which resize fails. */
static void the_row_fails_the_resize_it_is_told(void **state) {
    (void)state;
    const hy_config config = {.child = hy_libc(), .options = 2 << 8};
    hy_allocator gpa;
    hy_failing *failing = hy_failing_row.make(&hy_failing_row, &config, &gpa);
    assert_non_null(failing);
    assert_int_equal(failing->options.fail_resize_at, 1);
    assert_int_equal(failing->options.fail_alloc_at, HY_FAILING_NEVER);
    hy_failing_row.destroy(&hy_failing_row, failing);
}

static void the_rows_check_sees_damage(void **state) {
    (void)state;
    const hy_config config = {.child = hy_libc()};
    hy_allocator gpa;
    hy_failing *failing = hy_failing_row.make(&hy_failing_row, &config, &gpa);
    assert_non_null(failing);
    const hy_failing whole = *failing;
    assert_true(hy_failing_row.check(failing));
    failing->freed_bytes = 1;
    assert_false(hy_failing_row.check(failing));
    *failing = whole;
    failing->free_count = 1;
    assert_false(hy_failing_row.check(failing));
    *failing = whole;
    failing->induced_count = 1;
    assert_false(hy_failing_row.check(failing));
    *failing = whole;
    failing->frame_count = HY_FAILING_FRAMES + 1;
    assert_false(hy_failing_row.check(failing));
    *failing = whole;
    hy_failing_row.destroy(&hy_failing_row, failing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_row_fails_the_resize_it_is_told),
        cmocka_unit_test(the_rows_check_sees_damage),
        cmocka_unit_test(never_by_default),
        cmocka_unit_test(from_the_nth_on),
        cmocka_unit_test(only_the_nth),
        cmocka_unit_test(resizes_and_remaps_share_an_index),
        cmocka_unit_test(from_the_nth_resize_on),
        cmocka_unit_test(what_a_remap_changes_is_counted),
        cmocka_unit_test(a_refused_remap_leaves_realloc_a_way),
        cmocka_unit_test(the_childs_refusals_are_not_induced),
        cmocka_unit_test(refusals_by_chance_repeat_with_their_seed),
        cmocka_unit_test(chance_strikes_resizes_and_remaps_too),
        cmocka_unit_test(without_a_refusal_there_is_no_stack),
        cmocka_unit_test(the_stack_of_the_refusal_is_kept),
        cmocka_unit_test(a_wrong_probability_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
