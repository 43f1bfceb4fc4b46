/* live_blocks_test.c: slots, their order by address, and which block is the newest. */
#include "fuzz/live_blocks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char memory[64];

static void slots_are_in_the_order_of_addresses(void **state) {
    (void)state;
    hy_live_begin();
    hy_live_add(5, memory + 32, 8, HY_ALIGN_8, 0);
    hy_live_add(1, memory, 16, HY_ALIGN_8, 8);
    hy_live_add(7, memory + 16, 0, HY_ALIGN_8, 24);
    assert_int_equal(hy_live_count(), 3);
    assert_int_equal(hy_live_bytes(), 24);
    assert_int_equal(hy_live_by_address(0), 1);
    assert_int_equal(hy_live_by_address(1), 7);
    assert_int_equal(hy_live_count_below((uintptr_t)memory + 32), 2);
    assert_int_equal(hy_live_at(1)->used_before, 8);
    hy_live_change(1, memory + 40, 20, 30);
    assert_int_equal(hy_live_by_address(2), 1);
    assert_int_equal(hy_live_at(1)->used_before, 30);
    hy_live_change(1, memory + 40, 10, 50);
    assert_int_equal(hy_live_at(1)->used_before, 30);
    hy_live_remove(5);
    assert_false(hy_live_at(5)->live);
    assert_int_equal(hy_live_bytes(), 10);
    hy_live_clear();
    assert_false(hy_live_at(1)->live);
    assert_int_equal(hy_live_count() + hy_live_bytes(), 0);
    assert_int_equal(hy_live_newest(), HY_LIVE_NO_SLOT);
}

/* What an allocator that hands out one place twice makes of it. */
static void blocks_may_lie_on_each_other(void **state) {
    (void)state;
    hy_live_begin();
    for (uint32_t slot = 0; slot < 4; slot++)
        hy_live_add(slot, memory, 8, HY_ALIGN_8, 0);
    for (uint32_t slot = 0; slot < 4; slot++)
        hy_live_remove(slot);
    assert_int_equal(hy_live_count() + hy_live_bytes(), 0);
}

/* Wherever a block is moved to, its new place was allocated after every other block. */
static void a_moved_block_is_newest(void **state) {
    (void)state;
    hy_live_begin();
    hy_live_add(0, memory, 1, HY_ALIGN_1, 0);
    hy_live_add(1, memory + 1, 1, HY_ALIGN_1, 0);
    hy_live_change(0, memory, 1, 0);
    assert_int_equal(hy_live_newest(), 1);
    hy_live_change(0, memory + 2, 8, 0);
    assert_int_equal(hy_live_newest(), 0);
    hy_live_add(2, memory + 10, 1, HY_ALIGN_1, 0);
    assert_int_equal(hy_live_newest(), 2);
    hy_live_clear();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_in_the_order_of_addresses),
        cmocka_unit_test(blocks_may_lie_on_each_other),
        cmocka_unit_test(a_moved_block_is_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
