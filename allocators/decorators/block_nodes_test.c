/* block_nodes_test.c: the walk over the index sees each wrong link, bound and count of a node. A node's
 * layout is not for others to know, so the index is compiled in here. */
#include "allocators/decorators/block_index.c"
#include <heapyard/libc.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BLOCKS = 3000, STRIDE = 64, FIRST = 0x10000 };

static hy_block_index index_of_blocks(void) {
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    for (uintptr_t i = 0; i < BLOCKS; i++) {
        hy_indexed_block clash, block = {FIRST + i * STRIDE, 16, HY_ALIGN_8};
        assert_true(hy_block_index_reserve(&index));
        assert_true(hy_block_index_add(&index, block, &clash));
    }
    assert_true(index.height >= 2);
    return index;
}

/* Puts `damage` into a field of `size` bytes: it is seen, and gone when the field is as it was. */
static void expect_seen(const hy_block_index *index, void *field, size_t size, uintptr_t damage) {
    uintptr_t whole;
    assert_true(hy_block_index_check(index));
    memcpy(&whole, field, size);
    memcpy(field, &damage, size);
    assert_false(hy_block_index_check(index));
    memcpy(field, &whole, size);
    assert_true(hy_block_index_check(index));
}

static void wrong_links_of_leaves_are_seen(void **state) {
    (void)state;
    hy_block_index index = index_of_blocks();
    node *leaf = leaf_of(&index, FIRST + STRIDE * BLOCKS / 2), *last = leaf_of(&index, UINTPTR_MAX);
    expect_seen(&index, &leaf->before, sizeof leaf->before, 0);
    expect_seen(&index, &leaf->after, sizeof leaf->after, (uintptr_t)leaf);
    expect_seen(&index, &last->after, sizeof last->after, (uintptr_t)leaf);
    hy_block_index_deinit(&index);
}

static void wrong_counts_are_seen(void **state) {
    (void)state;
    hy_block_index index = index_of_blocks();
    node *leaf = leaf_of(&index, FIRST + STRIDE * BLOCKS / 2), *root = index.root;
    expect_seen(&index, &leaf->count, sizeof leaf->count, FANOUT + 1);
    expect_seen(&index, &leaf->count, sizeof leaf->count, SPARSE - 1);
    expect_seen(&index, &leaf->count, sizeof leaf->count, leaf->count - 1);
    expect_seen(&index, &root->count, sizeof root->count, 1);
    expect_seen(&index, &index.node_count, sizeof index.node_count, index.node_count + 1);
    expect_seen(&index, &index.spare_count, sizeof index.spare_count, index.spare_count + 1);
    expect_seen(&index, &index.block_count, sizeof index.block_count, index.block_count + 1);
    expect_seen(&index, &index.live_bytes, sizeof index.live_bytes, index.live_bytes + 1);
    expect_seen(&index, &index.height, sizeof index.height, index.height + 1);
    hy_block_index_deinit(&index);
}

static void wrong_bounds_and_levels_are_seen(void **state) {
    (void)state;
    hy_block_index index = index_of_blocks();
    node *root = index.root, *inner = root->children[1];
    expect_seen(&index, &root->addresses[1], sizeof root->addresses[1], root->addresses[1] + STRIDE);
    expect_seen(&index, &root->addresses[1], sizeof root->addresses[1], 0);
    expect_seen(&index, &inner->addresses[0], sizeof inner->addresses[0], inner->addresses[0] + 1);
    expect_seen(&index, &inner->addresses[2], sizeof inner->addresses[2], inner->addresses[1] - 1);
    expect_seen(&index, &inner->height, sizeof inner->height, inner->height + 1);
    expect_seen(&index, &inner->children[0], sizeof inner->children[0], (uintptr_t)root);
    hy_block_index_deinit(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_links_of_leaves_are_seen),
        cmocka_unit_test(wrong_counts_are_seen),
        cmocka_unit_test(wrong_bounds_and_levels_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
