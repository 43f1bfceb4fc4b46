/* layers_test.c: layers are those of the names that a stack holds now. */
#include "fuzz/layers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_layers(const hy_row *row, const char *const *names) {
    const hy_layers *layers = hy_layers_of(row);
    size_t count = 0;
    for (; names[count]; count++) {
        assert_true(count < layers->count);
        assert_string_equal(layers->rows[count]->name, names[count]);
    }
    assert_int_equal(layers->count, count);
}

/* Whoever makes stacks one after the other writes them where the last one stood. */
static void a_stack_that_is_written_over_has_other_layers(void **state) {
    (void)state;
    const char *stack[4] = {hy_registry_find("counting")->name, hy_registry_find("arena")->name, NULL};
    hy_row row = {.name = "top", .stack = stack};
    expect_layers(&row, (const char *[]){"counting", "arena", NULL});
    stack[1] = hy_registry_find("limited")->name;
    expect_layers(&row, (const char *[]){"counting", "limited", NULL});
    stack[2] = hy_registry_find("pool")->name;
    expect_layers(&row, (const char *[]){"counting", "limited", "pool", NULL});
    stack[1] = NULL;
    expect_layers(&row, (const char *[]){"counting", NULL});
}

static void a_row_alone_has_none(void **state) {
    (void)state;
    expect_layers(hy_registry_find("arena"), (const char *[]){NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_that_is_written_over_has_other_layers),
        cmocka_unit_test(a_row_alone_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
