/* direct_test.c: the loops that benches run by inline entry points, for every row that has them: they do what
 * they are asked, again and again in the same memory, leave the instance as it was, and stop at a refusal. */
#include "allocators/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SIZE = 48, COUNT = 3000, WINDOW = 7 };

/* Calls `use` with an instance of each row that has direct loops; how many rows there were. */
static size_t for_each_row(void (*use)(hy_instance *instance)) {
    size_t count, used = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!rows[i]->direct || rows[i]->missing) continue;
        hy_instance instance;
        assert_true(hy_instance_make(&instance, rows[i], NULL));
        use(&instance);
        if (rows[i]->check) assert_true(hy_instance_check(&instance));
        hy_instance_destroy(&instance);
        used++;
    }
    return used;
}

static size_t used_bytes(hy_instance *instance) {
    hy_stats stats = {0};
    return hy_instance_stats(instance, &stats) ? stats.used_bytes : 0;
}

static void run_loops(hy_instance *instance) {
    const hy_direct_bench *direct = instance->row->direct;
    const uint32_t sizes[WINDOW] = {8, 9, 16, 24, 33, 48, 64}; /* a word is written to each */
    size_t before = used_bytes(instance);
    if (direct->pair) assert_int_equal(direct->pair(instance->state, SIZE, COUNT), COUNT);
    if (direct->request) {
        assert_int_equal(direct->request(instance->state, sizes, WINDOW, COUNT), (uint64_t)COUNT * WINDOW);
    }
    assert_int_equal(used_bytes(instance), before);
}

static void loops_run_to_their_ends(void **state) {
    (void)state;
    assert_true(for_each_row(run_loops) > 5);
}

/* A floor doesn't look at the size; the others refuse more than there is. */
static void be_refused(hy_instance *instance) {
    const hy_row *row = instance->row;
    if (row->traits & HY_TRAIT_FLOOR) return;
    size_t too_large = (size_t)PTRDIFF_MAX;
    const uint32_t sizes[2] = {8, UINT32_MAX};
    if (row->direct->pair) assert_int_equal(row->direct->pair(instance->state, too_large, COUNT), 0);
    bool is_bounded = row->traits & (HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FIXED_BLOCK);
    if (row->direct->request && is_bounded) {
        assert_int_equal(row->direct->request(instance->state, sizes, 2, COUNT), 1);
    }
}

static void loops_stop_at_a_refusal(void **state) {
    (void)state;
    assert_true(for_each_row(be_refused) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_run_to_their_ends),
        cmocka_unit_test(loops_stop_at_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
