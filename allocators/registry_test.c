/* registry_test.c: the table is sound: names, traits that fit the functions present, and instances. */
#include "allocators/conformance/dies.h"
#include "allocators/registry.h"
#include <heapyard/heapyard.h>

/* Every assertion about a row names it. */
#define ROW_REQUIRE(row, condition)                                                                          \
    do {                                                                                                     \
        if (!(condition)) fail_msg("row %s: not %s", (row)->name, #condition);                               \
    } while (0)

static void each_row(void (*check)(const hy_row *row)) {
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++)
        check(rows[i]);
}

static void name_is_plain(const hy_row *row) {
    ROW_REQUIRE(row, row->name[0] != '\0');
    ROW_REQUIRE(row, strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(row->name));
    ROW_REQUIRE(row, hy_registry_find(row->name) == row);
    ROW_REQUIRE(row, strcmp(hy_registry_suggest(row->name), row->name) == 0);
    ROW_REQUIRE(row, row->summary && row->summary[0]);
    ROW_REQUIRE(row, row->summary[strlen(row->summary) - 1] != '.');
    ROW_REQUIRE(row, !strchr(row->summary, '\n'));
}

static void names_are_plain_and_unique(void **state) {
    (void)state;
    each_row(name_is_plain);
}

static void traits_fit(const hy_row *row) {
    ROW_REQUIRE(row, row->make && row->destroy);
    ROW_REQUIRE(row, row->greatest_align.log2 <= HY_ALIGN_LOG2_MAX);
    ROW_REQUIRE(row, (row->traits >> HY_TRAIT_COUNT) == 0 && (row->keeps >> HY_TRAIT_COUNT) == 0);
    ROW_REQUIRE(row, !(row->traits & HY_TRAIT_BULK_RESET) == !row->reset);
    ROW_REQUIRE(row, !(row->traits & HY_TRAIT_FIXED_BLOCK) == !row->default_block_size);
    ROW_REQUIRE(row, !(row->traits & HY_TRAIT_FIXED_CAPACITY) || row->default_capacity);
    ROW_REQUIRE(row, !(row->traits & HY_TRAIT_PEER) == (row->group != HY_GROUP_PEER));
    ROW_REQUIRE(row, !(row->traits & HY_TRAIT_FREE_ANY) || (row->traits & HY_TRAIT_REAL_FREE));
    ROW_REQUIRE(row, row->group != HY_GROUP_FLOOR || (row->traits & HY_TRAIT_FLOOR));
    ROW_REQUIRE(row, (row->group == HY_GROUP_COMPOSITION) == (row->stack != NULL));
    ROW_REQUIRE(row, !row->default_child || hy_registry_find(row->default_child));
}

static void traits_fit_the_functions(void **state) {
    (void)state;
    each_row(traits_fit);
}

static void made_and_destroyed(const hy_row *row) {
    hy_instance instance;
    bool made = hy_instance_make(&instance, row, NULL);
    ROW_REQUIRE(row, made == (row->missing == NULL));
    if (!made) {
        ROW_REQUIRE(row, row->missing[0] != '\0');
        return;
    }
    ROW_REQUIRE(row, instance.allocator.vtable && instance.state && instance.row == row);
    ROW_REQUIRE(row, (instance.below_count > 0) == (row->default_child != NULL));
    hy_instance_destroy(&instance);
}

static void every_row_can_be_made_or_says_what_to_install(void **state) {
    (void)state;
    each_row(made_and_destroyed);
}

static void layers_exist(const hy_row *row) {
    for (const char *const *layer = row->stack; layer && *layer; layer++) {
        ROW_REQUIRE(row, hy_registry_find(*layer) != NULL);
    }
}

static void compositions_name_rows(void **state) {
    (void)state;
    each_row(layers_exist);
}

static void traits_of_a_composition_are_computed(void **state) {
    (void)state;
    const hy_row *over_libc = hy_registry_find("counting");
    const hy_row *over_raw = hy_registry_find("counting_over_raw_libc");
    const hy_row *raw = hy_registry_find("raw_libc");
    assert_int_equal(over_libc->greatest_align.log2, hy_registry_find("libc")->greatest_align.log2);
    assert_int_equal(over_raw->greatest_align.log2, raw->greatest_align.log2);
    assert_true(over_raw->traits & HY_TRAIT_REAL_FREE);
    assert_false(over_raw->traits & HY_TRAIT_THREAD_SAFE);
    assert_true(hy_registry_find("counting_shared")->traits & HY_TRAIT_THREAD_SAFE);
    assert_int_equal(over_raw->group, HY_GROUP_COMPOSITION);
}

/* What layers give, take and keep, where they disagree. */
static void each_layer_has_its_say_in_a_stack(void **state) {
    (void)state;
    static const struct {
        const char *name;
        hy_traits has, lacks;
        uint8_t greatest_align_log2;
    } stacks[] = {
        {"wide_align_over_host", HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY, HY_TRAIT_BULK_RESET, 63},
        {"headered_over_host", HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY, 0, 4},
        {"arena_over_host", HY_TRAIT_BULK_RESET, HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY, 63},
        {"stack_fallback_over_arena", HY_TRAIT_FREE_LAST, HY_TRAIT_FREE_ANY | HY_TRAIT_BULK_RESET, 63},
        {"stack_fallback_over_page", HY_TRAIT_WHOLE_PAGES, HY_TRAIT_THREAD_SAFE, 63},
        {"thread_safe_over_stack_fallback", HY_TRAIT_THREAD_SAFE | HY_TRAIT_REAL_FREE, 0, 63},
        {"limited_over_arena", HY_TRAIT_FIXED_CAPACITY, HY_TRAIT_REAL_FREE, 63},
        {"arena_over_limited", HY_TRAIT_BULK_RESET, HY_TRAIT_FIXED_CAPACITY, 63},
        {"validating_over_fixed_buffer", HY_TRAIT_FIXED_CAPACITY, HY_TRAIT_FREE_ANY, 63},
        {"logging_over_debug", HY_TRAIT_QUARANTINES | HY_TRAIT_FREE_ANY, HY_TRAIT_FREE_LAST, 63},
        {"arena_over_debug", HY_TRAIT_FREE_LAST, HY_TRAIT_QUARANTINES | HY_TRAIT_THREAD_SAFE, 63},
    };
    for (size_t i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        const hy_row *row = hy_registry_find(stacks[i].name);
        assert_non_null(row);
        ROW_REQUIRE(row, (row->traits & stacks[i].has) == stacks[i].has);
        ROW_REQUIRE(row, (row->traits & stacks[i].lacks) == 0);
        ROW_REQUIRE(row, row->greatest_align.log2 == stacks[i].greatest_align_log2);
    }
}

/* A page is more than a foreign heap has, and what wide_align is for. */
static hy_promises promises_of(const char *name) {
    return hy_registry_promises(hy_registry_find(name));
}

/* Each layer may round up, and a stack serves what all of its layers serve. */
static void promises_follow_from_the_layers(void **state) {
    (void)state;
    hy_promises plain = promises_of("libc"), arena = promises_of("arena");
    assert_int_equal(plain.served_bytes, HY_SERVED_BYTES);
    assert_int_equal(plain.served_align.log2, HY_SERVED_ALIGN_LOG2);
    assert_int_equal(plain.footprint_factor, HY_FOOTPRINT_FACTOR);
    assert_int_equal(arena.footprint_factor, 5);
    assert_int_equal(promises_of("arena_over_page").footprint_factor, 10);
    assert_int_equal(promises_of("thread_safe_over_arena").footprint_factor, 2 * HY_FOOTPRINT_FACTOR);
    assert_int_equal(promises_of("arena_over_page").served_bytes, HY_SERVED_BYTES);
    assert_true(promises_of("arena_over_libc").shrinks);
    assert_true(promises_of("wide_align").shrinks);
    assert_false(promises_of("counting_over_arena").shrinks); /* the arena stands on raw_libc */
    assert_false(promises_of("counting_over_raw_libc").shrinks);
}

static void a_page_is_refused_by_host_and_served_above_it(void **state) {
    (void)state;
    hy_instance host, wide;
    hy_config counted = {.options = 1};
    assert_true(hy_instance_make(&host, hy_registry_find("host"), &counted));
    assert_null(hy_alloc(host.allocator, 4096, HY_ALIGN_4096));
    hy_config config = {.child = host.allocator};
    assert_true(hy_instance_make(&wide, hy_registry_find("wide_align"), &config));
    void *page = hy_alloc(wide.allocator, 4096, HY_ALIGN_4096);
    assert_true(page && hy_align_check_pointer(page, HY_ALIGN_4096));
    hy_stats stats;
    assert_true(hy_instance_stats(&host, &stats));
    assert_int_equal(stats.used_bytes, 4096 + 4096);
    hy_free(wide.allocator, page, 4096, HY_ALIGN_4096);
    assert_true(hy_instance_stats(&host, &stats));
    assert_int_equal(stats.used_bytes, 0);
    hy_instance_destroy(&wide);
    hy_instance_destroy(&host);
}

static void a_child_that_is_given_is_used(void **state) {
    (void)state;
    hy_instance below, top;
    assert_true(hy_instance_make(&below, hy_registry_find("counting"), NULL));
    hy_config config = {.child = below.allocator};
    assert_true(hy_instance_make(&top, hy_registry_find("counting"), &config));
    assert_int_equal(top.below_count, 0);
    void *ptr = hy_alloc(top.allocator, 100, HY_ALIGN_16);
    hy_stats stats;
    assert_true(hy_instance_stats(&below, &stats));
    assert_int_equal(stats.used_bytes, 100);
    hy_free(top.allocator, ptr, 100, HY_ALIGN_16);
    hy_instance_destroy(&top);
    hy_instance_destroy(&below);
}

static void an_unknown_name_finds_its_neighbour(void **state) {
    (void)state;
    assert_null(hy_registry_find("countign"));
    assert_null(hy_registry_find(""));
    assert_string_equal(hy_registry_suggest("countign"), "counting");
    assert_string_equal(hy_registry_suggest("raw-libc"), "raw_libc");
    assert_non_null(hy_registry_suggest(""));
    char endless[300];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_non_null(hy_registry_suggest(endless));
}

static void a_missing_row_is_not_made(void **state) {
    (void)state;
    hy_row row = *hy_registry_find("libc");
    row.missing = "install something";
    hy_instance instance;
    assert_false(hy_instance_make(&instance, &row, NULL));
}

/* A stack or child that names nobody is a row that can't be made, and keeps nothing. */
static void a_row_over_nobody_is_not_made(void **state) {
    (void)state;
    hy_instance instance;
    hy_row row = *hy_registry_find("arena");
    row.default_child = "nobody";
    assert_false(hy_instance_make(&instance, &row, NULL));
    hy_config config = {.child = hy_libc()};
    assert_true(hy_instance_make(&instance, &row, &config));
    hy_instance_destroy(&instance);
    static const char *const top_unknown[] = {"nobody", "libc", NULL};
    static const char *const bottom_unknown[] = {"arena", "nobody", NULL};
    row = *hy_registry_find("counting_over_raw_libc");
    row.stack = top_unknown;
    assert_false(hy_instance_make(&instance, &row, NULL));
    row.stack = bottom_unknown;
    assert_false(hy_instance_make(&instance, &row, NULL));
    assert_false(hy_instance_make(&instance, &row, &config));
}

static void what_a_row_has_not_is_false(void **state) {
    (void)state;
    hy_row row = *hy_registry_find("counting");
    row.reset = NULL;
    row.check = NULL;
    row.stats = NULL;
    hy_instance instance;
    hy_stats stats;
    assert_true(hy_instance_make(&instance, &row, NULL));
    assert_false(hy_instance_reset(&instance, HY_RESET_FREE_ALL, 0));
    assert_false(hy_instance_check(&instance));
    assert_false(hy_instance_stats(&instance, &stats));
    hy_instance_destroy(&instance);
}

static void groups_and_traits_have_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < HY_GROUP_COUNT; i++)
        assert_string_not_equal(hy_group_name((hy_group)i), "unknown");
    for (unsigned i = 0; i < HY_TRAIT_COUNT; i++)
        assert_string_not_equal(hy_trait_name(i), "unknown");
    assert_string_equal(hy_trait_name(HY_TRAIT_COUNT), "unknown");
    assert_string_equal(hy_group_name(HY_GROUP_COUNT), "unknown");
}

/* Every init that takes a child, with a value of zeroes instead of one. */
static const hy_allocator none = {NULL, NULL};

static void ignore_call(void *context, const hy_call *call) {
    (void)context, (void)call;
}

static void init_arena(void) {
    static hy_arena made;
    (void)!hy_arena_init(&made, none, NULL);
}

static void init_arena_shared(void) {
    static hy_arena_shared made;
    hy_arena_shared_init(&made, none);
}

static void init_pool(void) {
    static hy_pool made;
    (void)!hy_pool_init(&made, none, 8, HY_ALIGN_8, NULL);
}

static void init_debug(void) {
    static hy_debug made;
    (void)!hy_debug_init(&made, none, NULL);
}

static void init_counting(void) {
    static hy_counting made;
    hy_counting_init(&made, none);
}

static void init_counting_shared(void) {
    static hy_counting_shared made;
    hy_counting_shared_init(&made, none);
}

static void init_failing(void) {
    static hy_failing made;
    hy_failing_init(&made, none, NULL);
}

static void init_headered(void) {
    static hy_headered made;
    hy_headered_init(&made, none);
}

static void init_logging(void) {
    static hy_logging made;
    hy_logging_init(&made, none, hy_line_to_file, stderr, "test");
}

static void init_recording(void) {
    static hy_recording made;
    hy_recording_init(&made, none, ignore_call, NULL);
}

static void init_stack_fallback(void) {
    static hy_stack_fallback made;
    hy_stack_fallback_init(&made, NULL, 0, none);
}

static void init_wide_align(void) {
    static hy_wide_align made;
    hy_wide_align_init(&made, none, HY_ALIGN_16);
}

static void init_limited(void) {
    static hy_limited made;
    hy_limited_init(&made, none, 100);
}

static void init_limited_shared(void) {
    static hy_limited_shared made;
    hy_limited_shared_init(&made, none, 100);
}

static void init_thread_safe(void) {
    static hy_thread_safe made;
    (void)!hy_thread_safe_init(&made, none);
}

static void init_validating(void) {
    static hy_validating made;
    hy_validating_init(&made, none, NULL);
}

static void init_validating_indexed(void) {
    static hy_validating_indexed made;
    hy_validating_indexed_init(&made, none, NULL);
}

static const struct {
    const char *name;
    void (*init)(void);
} inits[] = {
    {"hy_arena_init", init_arena},
    {"hy_arena_shared_init", init_arena_shared},
    {"hy_pool_init", init_pool},
    {"hy_debug_init", init_debug},
    {"hy_counting_init", init_counting},
    {"hy_counting_shared_init", init_counting_shared},
    {"hy_failing_init", init_failing},
    {"hy_headered_init", init_headered},
    {"hy_logging_init", init_logging},
    {"hy_recording_init", init_recording},
    {"hy_stack_fallback_init", init_stack_fallback},
    {"hy_wide_align_init", init_wide_align},
    {"hy_limited_init", init_limited},
    {"hy_limited_shared_init", init_limited_shared},
    {"hy_thread_safe_init", init_thread_safe},
    {"hy_validating_init", init_validating},
    {"hy_validating_indexed_init", init_validating_indexed},
};

static void nothing_stands_on_no_child(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        char expected[128];
        snprintf(expected, sizeof expected,
            "%s: got 0 (0x0), must be a child with a vtable (hy_null() for none)", inits[i].name);
        assert_dies_saying(inits[i].init, expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_plain_and_unique),
        cmocka_unit_test(traits_fit_the_functions),
        cmocka_unit_test(every_row_can_be_made_or_says_what_to_install),
        cmocka_unit_test(compositions_name_rows),
        cmocka_unit_test(traits_of_a_composition_are_computed),
        cmocka_unit_test(each_layer_has_its_say_in_a_stack),
        cmocka_unit_test(promises_follow_from_the_layers),
        cmocka_unit_test(a_page_is_refused_by_host_and_served_above_it),
        cmocka_unit_test(a_child_that_is_given_is_used),
        cmocka_unit_test(an_unknown_name_finds_its_neighbour),
        cmocka_unit_test(a_missing_row_is_not_made),
        cmocka_unit_test(nothing_stands_on_no_child),
        cmocka_unit_test(a_row_over_nobody_is_not_made),
        cmocka_unit_test(what_a_row_has_not_is_false),
        cmocka_unit_test(groups_and_traits_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
