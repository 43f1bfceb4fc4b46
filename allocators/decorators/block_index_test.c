/* block_index_test.c: against a plain array of the same blocks. */
#include <heapyard/block_index.h>
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static hy_indexed_block block(uintptr_t address, size_t size, unsigned log2) {
    return (hy_indexed_block){address, size, hy_align_from_log2(log2)};
}

static bool add(hy_block_index *index, uintptr_t address, size_t size) {
    hy_indexed_block clash = {0, 0, {0}};
    assert_true(hy_block_index_reserve(index));
    bool added = hy_block_index_add(index, block(address, size, 0), &clash);
    assert_int_equal(added, clash.address == 0);
    return added;
}

static bool drop(hy_block_index *index, uintptr_t address, size_t size) {
    hy_indexed_block found;
    return hy_block_index_remove(index, block(address, size, 0), &found) == HY_BLOCK_INDEX_SAME;
}

static void overlap_is_told_on_both_sides(void **state) {
    (void)state;
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    assert_true(add(&index, 1000, 100));
    assert_true(add(&index, 2000, 100));
    hy_indexed_block clash = {0, 0, {0}};
    assert_true(hy_block_index_reserve(&index));
    assert_false(hy_block_index_add(&index, block(1099, 1, 0), &clash));
    assert_int_equal(clash.address, 1000);
    assert_false(hy_block_index_add(&index, block(1500, 501, 0), &clash));
    assert_int_equal(clash.address, 2000);
    assert_false(hy_block_index_add(&index, block(900, 2000, 0), &clash));
    assert_int_equal(clash.address, 1000);
    assert_false(hy_block_index_add(&index, block(1000, 1, 0), &clash));
    assert_true(add(&index, 1100, 900));
    assert_true(add(&index, 999, 1));
    assert_true(add(&index, UINTPTR_MAX, 1));
    assert_false(add(&index, 2050, SIZE_MAX - 2050));
    assert_int_equal(index.block_count, 5);
    assert_int_equal(index.live_bytes, 1102);
    assert_true(hy_block_index_check(&index));
    hy_block_index_deinit(&index);
    assert_int_equal(hy_block_index_bytes(&index), 0);
}

static void what_is_not_so_is_told(void **state) {
    (void)state;
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    hy_indexed_block found = block(7, 7, 7);
    assert_int_equal(hy_block_index_find(&index, block(1, 1, 0), &found), HY_BLOCK_INDEX_UNKNOWN);
    assert_int_equal(found.address, 0);
    assert_int_equal(hy_block_index_remove(&index, block(1, 1, 0), &found), HY_BLOCK_INDEX_UNKNOWN);
    assert_true(hy_block_index_reserve(&index));
    assert_true(hy_block_index_add(&index, block(64, 32, 3), &found));
    assert_int_equal(hy_block_index_find(&index, block(64, 32, 3), &found), HY_BLOCK_INDEX_SAME);
    assert_int_equal(found.address, 64);
    assert_int_equal(hy_block_index_find(&index, block(64, 31, 3), &found), HY_BLOCK_INDEX_DIFFERS);
    assert_int_equal(found.size, 32);
    assert_int_equal(hy_block_index_remove(&index, block(64, 32, 4), &found), HY_BLOCK_INDEX_DIFFERS);
    assert_int_equal(found.align.log2, 3);
    assert_int_equal(hy_block_index_remove(&index, block(80, 16, 3), &found), HY_BLOCK_INDEX_UNKNOWN);
    assert_int_equal(found.address, 64);
    assert_int_equal(hy_block_index_find(&index, block(96, 1, 0), &found), HY_BLOCK_INDEX_UNKNOWN);
    assert_int_equal(found.address, 0);
    assert_int_equal(hy_block_index_find(&index, block(63, 1, 0), &found), HY_BLOCK_INDEX_UNKNOWN);
    assert_int_equal(hy_block_index_remove(&index, block(64, 32, 3), &found), HY_BLOCK_INDEX_SAME);
    assert_int_equal(index.block_count, 0);
    hy_block_index_deinit(&index);
}

static void a_block_grows_up_to_the_next(void **state) {
    (void)state;
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    hy_indexed_block clash;
    assert_true(add(&index, 100, 10));
    assert_true(add(&index, 200, 10));
    assert_true(hy_block_index_resize(&index, 100, 100, &clash));
    assert_false(hy_block_index_resize(&index, 100, 101, &clash));
    assert_int_equal(clash.address, 200);
    assert_true(hy_block_index_resize(&index, 200, 100000, &clash));
    assert_true(hy_block_index_resize(&index, 100, 1, &clash));
    assert_int_equal(index.live_bytes, 100001);
    assert_true(drop(&index, 100, 1));
    assert_true(hy_block_index_check(&index));
    hy_block_index_deinit(&index);
}

/* Also where the next block, or the one before, is in another leaf. */
static void neighbours_clash_in_every_leaf(void **state) {
    (void)state;
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    hy_indexed_block clash;
    for (uintptr_t i = 1; i <= 1000; i++)
        assert_true(add(&index, i * 100, 50));
    for (uintptr_t i = 1; i < 1000; i++) {
        assert_true(hy_block_index_reserve(&index));
        assert_false(hy_block_index_add(&index, block(i * 100 + 60, 41, 0), &clash));
        assert_int_equal(clash.address, i * 100 + 100);
        assert_false(hy_block_index_add(&index, block(i * 100 + 49, 2, 0), &clash));
        assert_int_equal(clash.address, i * 100);
        assert_false(hy_block_index_resize(&index, i * 100, 101, &clash));
        assert_int_equal(clash.address, i * 100 + 100);
    }
    assert_int_equal(index.block_count, 1000);
    assert_true(hy_block_index_check(&index));
    hy_block_index_deinit(&index);
}

enum { CELLS = 6000, CELL = 64 };

/* One block a cell, somewhere in it. */
typedef struct model {
    hy_block_index index;
    uint8_t offset[CELLS], size[CELLS]; /* size 0: nothing lives there */
    size_t count;
} model;

static uint32_t random_state;

static uint32_t next_random(void) {
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

static uintptr_t address_in(const model *m, size_t cell) {
    return (cell + 1) * CELL + m->offset[cell];
}

static void add_to_model(model *m, size_t cell) {
    m->offset[cell] = (uint8_t)(next_random() % 32);
    m->size[cell] = (uint8_t)(next_random() % 32 + 1);
    assert_true(add(&m->index, address_in(m, cell), m->size[cell]));
    m->count++;
}

static void remove_from_model(model *m, size_t cell) {
    assert_true(drop(&m->index, address_in(m, cell), m->size[cell]));
    m->size[cell] = 0;
    m->count--;
}

/* What must fail in a cell that is taken, fails; one step in either direction then. */
static void step(model *m, size_t cell, bool grows) {
    if (m->size[cell]) {
        uintptr_t last = address_in(m, cell) + m->size[cell] - 1;
        assert_false(add(&m->index, last, 1));
        if (!grows) remove_from_model(m, cell);
    } else {
        assert_false(drop(&m->index, (cell + 1) * CELL + 5, 3));
        if (grows) add_to_model(m, cell);
    }
}

typedef struct order {
    const model *m;
    size_t count;
    uintptr_t last;
} order;

static void expect_in_order(void *context, hy_indexed_block found) {
    order *seen = context;
    size_t cell = found.address / CELL - 1;
    assert_true(found.address > seen->last);
    assert_int_equal(found.address, address_in(seen->m, cell));
    assert_int_equal(found.size, seen->m->size[cell]);
    seen->last = found.address;
    seen->count++;
}

static void expect_model(const model *m) {
    assert_true(hy_block_index_check(&m->index));
    assert_int_equal(m->index.block_count, m->count);
    order seen = {m, 0, 0};
    hy_block_index_each(&m->index, expect_in_order, &seen);
    assert_int_equal(seen.count, m->count);
}

/* Grows and shrinks through all its heights, in random order and, by the last two, from either end. */
static void run_model(model *m, size_t (*next_cell)(size_t i)) {
    for (int round = 0; round < 6; round++) {
        bool grows = round % 2 == 0;
        for (size_t i = 0; i < CELLS * 2; i++) {
            step(m, next_cell(i), grows);
            if (i % 500 == 0) expect_model(m);
        }
        expect_model(m);
    }
}

static size_t anywhere(size_t i) {
    (void)i;
    return next_random() % CELLS;
}

static size_t upwards(size_t i) {
    return i % CELLS;
}

static size_t downwards(size_t i) {
    return CELLS - 1 - i % CELLS;
}

static void the_tree_follows_a_model(void **state) {
    (void)state;
    static size_t (*const orders[])(size_t) = {anywhere, upwards, downwards};
    static model m;
    for (size_t i = 0; i < 3; i++) {
        memset(&m, 0, sizeof m);
        random_state = 5;
        m.index = (hy_block_index)HY_BLOCK_INDEX_INIT(hy_libc());
        run_model(&m, orders[i]);
        hy_block_index_deinit(&m.index);
    }
}

/* Few blocks are left of many: the nodes go back too. */
static void nodes_go_back(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_counting_allocator(&counting));
    for (uintptr_t i = 1; i <= 100000; i++)
        assert_true(add(&index, i * 16, 16));
    assert_int_equal(counting.counts.live_bytes, hy_block_index_bytes(&index));
    assert_true(hy_block_index_bytes(&index) <= (size_t)72 * 100000);
    for (uintptr_t i = 1; i <= 100000; i++) {
        if (i % 1000) assert_true(drop(&index, i * 16, 16));
    }
    assert_true(hy_block_index_check(&index));
    assert_true(hy_block_index_bytes(&index) <= (size_t)72 * 100 + 10 * 600);
    hy_block_index_deinit(&index);
    assert_int_equal(counting.counts.live_bytes, 0);
}

/* At whichever node memory ends, the index is as it was. */
static void a_refused_node_changes_nothing(void **state) {
    (void)state;
    for (uint64_t at = 0; at < 40; at++) {
        hy_failing failing;
        hy_failing_options options = {at, HY_FAILING_NEVER, false, 0.0, 0};
        hy_failing_init(&failing, hy_libc(), &options);
        hy_block_index index = HY_BLOCK_INDEX_INIT(hy_failing_allocator(&failing));
        uintptr_t count = 0;
        while (hy_block_index_reserve(&index))
            assert_true(add(&index, ++count * 16, 16));
        assert_int_equal(index.block_count, count);
        assert_true(hy_block_index_check(&index));
        for (uintptr_t i = 1; i <= count; i++)
            assert_true(drop(&index, i * 16, 16));
        hy_block_index_deinit(&index);
        assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
    }
}

static void damage_is_seen(void **state) {
    (void)state;
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    for (uintptr_t i = 1; i <= 100; i++)
        assert_true(add(&index, i * 16, 16));
    assert_true(hy_block_index_check(&index));
    index.block_count++;
    assert_false(hy_block_index_check(&index));
    index.block_count--;
    index.live_bytes--;
    assert_false(hy_block_index_check(&index));
    index.live_bytes++;
    index.height++;
    assert_false(hy_block_index_check(&index));
    index.height--;
    index.spare_count++;
    assert_false(hy_block_index_check(&index));
    index.spare_count--;
    assert_true(hy_block_index_check(&index));
    hy_block_index_deinit(&index);
}

/* Replaces the last word of that value in the nodes' memory; where it lay, or NULL. */
static size_t *replace_word(char *memory, size_t size, size_t old, size_t new) {
    for (size_t at = size / sizeof old; at-- > 0;) {
        size_t *word = (size_t *)(void *)memory + at;
        size_t now = *word;
        hy_unpoison_defined(&now, sizeof now); /* what no node has written is no match either */
        if (now != old) continue;
        *word = new;
        return word;
    }
    return NULL;
}

/* One word of a leaf at a time: an address out of order or out of its leaf's bounds, a size that reaches into
 * the next block, is nothing, or wraps. The blocks' values are found nowhere else. */
static void damaged_nodes_are_seen(void **state) {
    (void)state;
    static char nodes[64 * 1024] __attribute__((aligned(64)));
    enum { FIRST = 0x10000, STRIDE = 0x1000, MIDDLE = FIRST + 50 * STRIDE };
    static const size_t damages[][2] = {
        {MIDDLE, MIDDLE + 2 * STRIDE},
        {MIDDLE, MIDDLE - 2 * STRIDE},
        {MIDDLE, 1},
        {MIDDLE, SIZE_MAX - 100},
        {777 + 50, STRIDE + 1},
        {777 + 50, 0},
        {777 + 99, SIZE_MAX},
        {777 + 50, 777 + 51},
    };
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, nodes, sizeof nodes);
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_fixed_buffer_allocator(&fixed));
    for (size_t i = 0; i < 100; i++)
        assert_true(add(&index, FIRST + i * STRIDE, 777 + i));
    size_t used = hy_fixed_buffer_used(&fixed) / sizeof(size_t) * sizeof(size_t);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        assert_true(hy_block_index_check(&index));
        size_t *word = replace_word(nodes, used, damages[i][0], damages[i][1]);
        assert_non_null(word);
        assert_false(hy_block_index_check(&index));
        *word = damages[i][0];
    }
    assert_true(hy_block_index_check(&index));
    hy_block_index_deinit(&index);
    hy_fixed_buffer_deinit(&fixed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlap_is_told_on_both_sides),
        cmocka_unit_test(what_is_not_so_is_told),
        cmocka_unit_test(a_block_grows_up_to_the_next),
        cmocka_unit_test(neighbours_clash_in_every_leaf),
        cmocka_unit_test(the_tree_follows_a_model),
        cmocka_unit_test(nodes_go_back),
        cmocka_unit_test(a_refused_node_changes_nothing),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(damaged_nodes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
