/* compose_test.c: options choose stacks; each has what follows from its layers, and none is impossible. */
#include "fuzz/properties/compose.h"

#include "allocators/registry.h"
#include "fuzz/properties.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const hy_row *row_of(const char *top, uint16_t options) {
    return hy_compose_row(hy_registry_find(top), options);
}

/* The options of a layer right below the top. */
static uint16_t below(const char *name) {
    for (uint16_t i = 1; i < 64; i++) {
        const hy_row *row = row_of("counting", i);
        if (row && row->stack[1] && strcmp(row->stack[1], name) == 0) return i;
    }
    fail_msg("no options put counting on %s", name);
    return 0;
}

static void a_stack_is_what_the_registry_makes_of_it(void **state) {
    (void)state;
    const hy_row *registered = hy_registry_find("counting_over_arena"),
                 *row = row_of("counting", below("arena"));
    assert_string_equal(row->name, "counting_over_arena");
    assert_int_equal(row->traits & ~HY_TRAIT_PEER, registered->traits);
    assert_null(row_of("counting", 0)->stack[1]);
    assert_string_equal(row_of("counting", 0)->name, "counting");
}

/* Blocks of one size have no room for a header. */
static void what_asks_for_more_stands_on_no_blocks_of_one_size(void **state) {
    (void)state;
    uint16_t pool = below("pool");
    assert_null(row_of("headered", pool));
    assert_null(row_of("arena", pool));
    assert_non_null(row_of("limited", pool));
}

/* Every number is a stack, or none; each can be made. */
static void all_numbers_are_stacks(void **state) {
    (void)state;
    size_t count, made = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (uint32_t options = 0; options <= UINT16_MAX; options += 257) {
        for (size_t i = 0; i < count; i++) {
            if (!hy_property_find("compose")->applies(rows[i])) continue;
            const hy_row *row = hy_compose_row(rows[i], (uint16_t)options);
            hy_instance instance;
            if (!row) continue;
            assert_string_equal(row->stack[0], rows[i]->name);
            if (!hy_instance_make(&instance, row, NULL)) fail_msg("%s can't be made", row->name);
            hy_instance_destroy(&instance);
            made++;
        }
    }
    assert_true(made > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_is_what_the_registry_makes_of_it),
        cmocka_unit_test(what_asks_for_more_stands_on_no_blocks_of_one_size),
        cmocka_unit_test(all_numbers_are_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
