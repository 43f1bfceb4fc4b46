/* plugins_test.c: names with labels, and what stands behind them, once a plugin is loaded. */
#include "allocators/plugins.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void without_plugins_the_rows_are_this_builds(void **state) {
    (void)state;
    size_t count, none = 9;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(hy_plugins_chosen(i), rows[i]);
    assert_null(hy_plugins_chosen(count));
    assert_null(hy_plugins_label(0));
    assert_null(hy_plugins_rows("head", &none));
    assert_int_equal(none, 0);
    assert_null(hy_plugins_find("libc@head"));
    assert_ptr_equal(hy_plugins_find("libc"), hy_registry_find("libc"));
}

static void loaded_rows_go_by_name_and_label(void **state) {
    (void)state;
    char why[512] = "";
    if (!hy_plugins_load("head=" HY_PLUGIN_PATH, why, sizeof why)) fail_msg("%s", why);
    assert_string_equal(hy_plugins_label(0), "head");
    assert_null(hy_plugins_label(1));
    size_t count;
    const hy_row *const *rows = hy_plugins_rows("head", &count);
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(hy_plugins_chosen(i), rows[i]);
    assert_null(hy_plugins_chosen(count));
    const hy_row *arena = hy_plugins_find("arena@head");
    assert_string_equal(arena->name, "arena@head");
    assert_ptr_not_equal(arena->make, hy_registry_find("arena")->make);
    assert_null(hy_plugins_find("nobody@head"));
    assert_null(hy_plugins_find("arena@dead"));
    assert_null(hy_plugins_find("arena@he"));
    assert_ptr_equal(hy_plugins_find("arena"), hy_registry_find("arena"));
    assert_string_equal(hy_registry_near(arena, "libc")->name, "libc");
    assert_ptr_not_equal(hy_registry_near(arena, "libc"), hy_registry_find("libc"));
    assert_null(hy_registry_near(arena, "nobody"));
}

/* What is refused leaves everything as it was, however often. */
static void a_refusal_keeps_nothing(void **state) {
    (void)state;
    char why[512];
    for (int i = 0; i < 40; i++) {
        assert_false(hy_plugins_load("other=" HY_PLUGIN_PATH, why, sizeof why));
        assert_non_null(strstr(why, "is loaded already as 'head'"));
        assert_false(hy_plugins_load("x123456789012345678901234567890123=/nowhere", why, sizeof why));
        assert_non_null(strstr(why, "must be 1 to 31 of [a-z0-9_]"));
    }
    assert_null(hy_plugins_label(1));
    assert_false(hy_plugins_load("head=/nowhere", why, 9));
    assert_string_equal(why, "plugin l");
}

/* A row is made over its default child, both of one plugin, and both as large as ours at least. */
static void rows_of_another_size_are_loaded(void **state) {
    (void)state;
    static const struct {
        const char *load, *row;
        bool has_data;
    } plugins[] = {
        {"earliest=" HY_EARLIEST_PLUGIN_PATH, "above@earliest", false},
        {"smaller=" HY_SMALLER_PLUGIN_PATH, "above@smaller", false},
        {"larger=" HY_LARGER_PLUGIN_PATH, "above@larger", true},
    };
    for (size_t i = 0; i < sizeof plugins / sizeof plugins[0]; i++) {
        char why[512] = "";
        if (!hy_plugins_load(plugins[i].load, why, sizeof why)) fail_msg("%s", why);
        const hy_row *above = hy_plugins_find(plugins[i].row), *below = hy_registry_near(above, "below");
        assert_non_null(below);
        assert_true((above->data != NULL) == plugins[i].has_data);
        assert_true((below->data != NULL) == plugins[i].has_data);
        assert_int_equal(above->origin->row_count, 2);
        hy_instance instance;
        assert_true(hy_instance_make(&instance, above, NULL));
        assert_int_equal(instance.below_count, 1);
        assert_ptr_equal(instance.below[0].row, below);
        hy_instance_destroy(&instance);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_plugins_the_rows_are_this_builds),
        cmocka_unit_test(loaded_rows_go_by_name_and_label),
        cmocka_unit_test(a_refusal_keeps_nothing),
        cmocka_unit_test(rows_of_another_size_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
