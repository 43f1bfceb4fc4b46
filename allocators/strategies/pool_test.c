/* pool_test.c: blocks of one size, made and ended in any order, over a child that holds the pool to the
 * contract. */
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>
#include <heapyard/typed.h>

#include "allocators/conformance/child.h"
#include "allocators/conformance/dies.h"

static hy_child child;

static hy_error init(
    hy_pool *pool, hy_allocator source, size_t size, hy_align align, hy_pool_options options) {
    return hy_pool_init(pool, source, size, align, &options);
}

/* How many blocks it makes before it refuses, each filled. */
static size_t exhaust(hy_pool *pool, size_t most) {
    size_t count = 0;
    for (; count < most; count++) {
        void *block = hy_pool_create(pool);
        if (!block) break;
        assert_true(hy_align_check_pointer(block, pool->block_align));
        memset(block, (int)count, pool->block_size);
    }
    assert_true(hy_pool_check(pool));
    return count;
}

static void last_freed_is_next_made(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 24, HY_ALIGN_8, NULL), HY_OK);
    void *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        blocks[i] = hy_pool_create(&pool);
        memset(blocks[i], (int)i, 24);
    }
    assert_int_equal(hy_pool_live(&pool), 100);
    for (size_t i = 0; i < 100; i += 2)
        hy_pool_destroy(&pool, blocks[i]);
    assert_int_equal(hy_pool_live(&pool), 50);
    assert_true(hy_pool_check(&pool));
    for (size_t i = 100; i > 0; i -= 2)
        assert_ptr_equal(hy_pool_create(&pool), blocks[i - 2]);
    for (size_t i = 1; i < 100; i += 2)
        assert_int_equal(((unsigned char *)blocks[i])[23], i);
    hy_pool_deinit(&pool);
    assert_null(hy_pool_create(&pool));
}

static void any_size_and_alignment(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= 12; log2++) {
        for (size_t size = 1; size < 300; size = size * 2 + 1) {
            hy_pool pool;
            hy_align align = hy_align_from_log2(log2);
            assert_int_equal(
                init(&pool, hy_child_plain(&child), size, align, (hy_pool_options){.preheat = 5}), HY_OK);
            size_t calls = hy_child_calls(&child);
            assert_int_equal(exhaust(&pool, 5), 5);
            assert_int_equal(hy_child_calls(&child), calls);
            assert_int_equal(exhaust(&pool, 50), 50);
            hy_pool_deinit(&pool);
            assert_int_equal(child.counts.live_bytes, 0);
        }
    }
}

static void a_fixed_pool_makes_its_n(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= 12; log2++) {
        hy_pool pool;
        hy_align align = hy_align_from_log2(log2);
        hy_pool_options options = {.preheat = 7, .fixed = true};
        assert_int_equal(init(&pool, hy_child_plain(&child), 40, align, options), HY_OK);
        assert_int_equal(hy_pool_capacity(&pool), 7);
        assert_int_equal(exhaust(&pool, 100), 7);
        for (int round = 0; round < 3; round++) {
            assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0));
            assert_int_equal(exhaust(&pool, 100), 7);
            assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_WITH_LIMIT, SIZE_MAX));
            assert_int_equal(exhaust(&pool, 100), 7);
        }
        assert_int_equal(hy_child_calls(&child), 1);
        assert_true(hy_pool_preheat(&pool, 0));
        assert_false(hy_pool_preheat(&pool, 1));
        assert_true(hy_pool_reset(&pool, HY_ARENA_FREE_ALL, 0));
        assert_int_equal(child.counts.live_bytes, 0);
        assert_int_equal(exhaust(&pool, 100), 0);
        hy_pool_deinit(&pool);
    }
}

static void bad_options_are_told(void **state) {
    (void)state;
    hy_allocator source = hy_child_plain(&child);
    hy_pool pool;
    assert_int_equal(init(&pool, source, 16, HY_ALIGN_8, (hy_pool_options){.fixed = true}), HY_INVALID);
    assert_int_equal(init(&pool, source, 0, HY_ALIGN_8, (hy_pool_options){0}), HY_INVALID);
    assert_int_equal(init(&pool, source, SIZE_MAX, HY_ALIGN_8, (hy_pool_options){0}), HY_OUT_OF_MEMORY);
    assert_int_equal(
        init(&pool, source, 16, HY_ALIGN_8, (hy_pool_options){.preheat = SIZE_MAX / 8}), HY_OUT_OF_MEMORY);
    assert_int_equal(
        init(&pool, source, 16, HY_ALIGN_8, (hy_pool_options){.preheat = SIZE_MAX / 16}), HY_OUT_OF_MEMORY);
    assert_int_equal(init(&pool, source, 16, hy_align_from_log2(HY_ALIGN_LOG2_MAX), (hy_pool_options){0}),
        HY_OUT_OF_MEMORY);
    assert_null(hy_pool_create(&pool));
    assert_true(hy_pool_check(&pool));
    assert_int_equal(hy_pool_capacity(&pool) + hy_pool_live(&pool), 0);
    hy_pool_deinit(&pool);
    assert_int_equal(child.block_count, 0);
}

/* Blocks that could be, were there such a child. */
static void an_alignment_beyond_its_child_is_refused(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(
        hy_pool_init(&pool, hy_child_plain(&child), 16, hy_align_from_log2(HY_ALIGN_LOG2_MAX - 1), NULL),
        HY_OK);
    child.size_max = (size_t)1 << 30;
    assert_null(hy_pool_create(&pool));
    assert_false(hy_pool_preheat(&pool, 1));
    hy_pool_deinit(&pool);
    assert_int_equal(child.block_count, 0);
}

static void preheat_adds_room(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_child_plain(&child), 48, HY_ALIGN_16, NULL), HY_OK);
    assert_int_equal(hy_child_calls(&child), 0);
    assert_int_equal(exhaust(&pool, 3), 3);
    assert_true(hy_pool_preheat(&pool, 1000));
    assert_int_equal(hy_pool_live(&pool), 3);
    size_t calls = hy_child_calls(&child);
    assert_int_equal(exhaust(&pool, 1000), 1000);
    assert_int_equal(hy_child_calls(&child), calls);
    assert_false(hy_pool_preheat(&pool, SIZE_MAX));
    child.call_refusal = hy_child_calls(&child);
    assert_false(hy_pool_preheat(&pool, 100000));
    assert_true(hy_pool_check(&pool));
    assert_int_equal(hy_pool_live(&pool), 1003);
    hy_pool_deinit(&pool);
    assert_int_equal(child.counts.live_bytes, 0);
}

/* Blocks that are free already are no reason to ask the child, in whatever chunk they lie. */
static void preheat_counts_free_blocks(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_child_plain(&child), 48, HY_ALIGN_16, NULL), HY_OK);
    assert_true(hy_pool_preheat(&pool, 100));
    child.call_refusal = hy_child_calls(&child);
    assert_false(hy_pool_preheat(&pool, 100000));
    size_t capacity = hy_pool_capacity(&pool);
    assert_true(hy_pool_preheat(&pool, 100));
    assert_int_equal(hy_pool_capacity(&pool), capacity);
    assert_int_equal(exhaust(&pool, 1000), capacity);
    assert_false(hy_pool_preheat(&pool, 1));
    hy_pool_deinit(&pool);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void resets_in_every_mode(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_child_plain(&child), 64, HY_ALIGN_64, NULL), HY_OK);
    assert_int_equal(exhaust(&pool, 500), 500);
    assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0));
    size_t calls = hy_child_calls(&child);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(exhaust(&pool, 500), 500);
        assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0));
    }
    assert_int_equal(hy_child_calls(&child), calls);
    assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_WITH_LIMIT, 1000));
    assert_true(child.counts.live_bytes <= 1000 + sizeof(hy_arena_chunk));
    assert_int_equal(hy_pool_live(&pool), 0);
    assert_int_equal(exhaust(&pool, 500), 500);
    assert_true(hy_pool_reset(&pool, HY_ARENA_FREE_ALL, 0));
    assert_int_equal(child.counts.live_bytes, 0);
    assert_int_equal(exhaust(&pool, 5), 5);
    hy_pool_deinit(&pool);
    assert_int_equal(child.counts.live_bytes, 0);
}

/* What was free before a reset is no longer on the list after it: each block is made once. */
static void a_reset_forgets_what_was_free(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL), HY_OK);
    void *first = hy_pool_create(&pool), *second = hy_pool_create(&pool);
    hy_pool_destroy(&pool, first);
    hy_pool_destroy(&pool, second);
    assert_true(hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_int_equal(hy_pool_live(&pool), 0);
    void *made[3] = {hy_pool_create(&pool), hy_pool_create(&pool), hy_pool_create(&pool)};
    assert_true(made[0] != made[1] && made[1] != made[2] && made[0] != made[2]);
    assert_int_equal(hy_pool_live(&pool), 3);
    hy_pool_deinit(&pool);
}

static void serves_requests_that_fit(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 20, HY_ALIGN_16, NULL), HY_OK);
    hy_allocator allocator = hy_pool_allocator(&pool);
    assert_null(hy_alloc(allocator, 21, HY_ALIGN_1));
    assert_null(hy_alloc(allocator, SIZE_MAX, HY_ALIGN_1));
    assert_null(hy_alloc(allocator, 1, HY_ALIGN_32));
    char *text = hy_dupe_z(allocator, char, "seven b", 7);
    assert_string_equal(text, "seven b");
    assert_true(hy_resize(allocator, text, 8, 20, HY_ALIGN_1));
    assert_false(hy_resize(allocator, text, 20, 21, HY_ALIGN_1));
    assert_null(hy_remap(allocator, text, 20, 24, HY_ALIGN_1));
    assert_ptr_equal(hy_realloc(allocator, text, 20, 8, HY_ALIGN_1), text);
    assert_string_equal(text, "seven b");
    hy_free(allocator, text, 8, HY_ALIGN_1);
    char *byte = hy_alloc(allocator, 1, HY_ALIGN_16);
    assert_ptr_equal(byte, text);
    hy_pool_deinit(&pool);
}

typedef struct tree {
    struct tree *left, *right;
    long double key;
} tree;

static void a_pool_knows_its_type(void **state) {
    (void)state;
    hy_typed_pool(tree) pool;
    assert_int_equal(hy_typed_pool_init(&pool, hy_raw_libc(), NULL), HY_OK);
    tree *root = hy_typed_pool_create(&pool);
    root->left = hy_typed_pool_create(&pool);
    assert_true(hy_align_check_pointer(root->left, hy_align_of(tree)));
    root->left->key = 1;
    hy_typed_pool_destroy(&pool, root->left);
    root->right = hy_typed_pool_create(&pool);
    assert_ptr_equal(root->right, root->left);
    hy_pool_deinit(&pool.pool);
}

static void any_call_of_the_child_may_be_refused(void **state) {
    (void)state;
    for (size_t index = 0; index < 12; index++) {
        hy_pool pool;
        hy_allocator source = hy_child_plain(&child);
        child.call_refusal = index;
        if (init(&pool, source, 32, HY_ALIGN_32, (hy_pool_options){.preheat = 4}) == HY_OK) {
            size_t made = exhaust(&pool, 200);
            assert_true(made >= 4 && hy_pool_live(&pool) == made);
            hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0);
            assert_true(exhaust(&pool, 4) == 4);
        }
        hy_pool_deinit(&pool);
        assert_int_equal(child.counts.live_bytes, 0);
    }
}

#if HY_CHECK >= 1
static void init_without_capacity(void) {
    hy_pool pool;
    hy_error error = init(&pool, hy_raw_libc(), 16, HY_ALIGN_8, (hy_pool_options){.fixed = true});
    if (error != HY_INVALID || hy_pool_create(&pool)) _exit(1);
}

static void init_sizeless(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 0, HY_ALIGN_8, NULL) != HY_INVALID) _exit(1);
}

static void free_null(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) return;
    hy_pool_destroy(&pool, hy_pool_create(&pool));
    hy_pool_destroy(&pool, NULL);
}

static void free_twice(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) return;
    void *block = hy_pool_create(&pool);
    hy_pool_destroy(&pool, block);
    hy_pool_destroy(&pool, block);
}
#endif

#if HY_CHECK >= 2
static void free_a_stranger(void) {
    hy_pool pool;
    size_t stranger = 0;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) return;
    hy_pool_destroy(&pool, &stranger);
}

static void free_the_middle(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) return;
    hy_pool_destroy(&pool, (char *)hy_pool_create(&pool) + 8);
}

static void resize_a_stranger(void) {
    hy_pool pool;
    size_t stranger = 0;
    if (hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL) != HY_OK) return;
    if (hy_resize(hy_pool_allocator(&pool), &stranger, sizeof stranger, 4, HY_ALIGN_8)) _exit(1);
}

static void link_to(char *block, char *next) {
    hy_unpoison_defined(block, sizeof(hy_pool_link));
    ((hy_pool_link *)(void *)block)->next = (hy_pool_link *)(void *)next;
}

static void the_walker_sees_a_broken_list(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL), HY_OK);
    char *first = hy_pool_create(&pool), *second = hy_pool_create(&pool);
    hy_pool_destroy(&pool, first);
    hy_pool_destroy(&pool, second);
    link_to(first, second);
    assert_false(hy_pool_check(&pool));
    link_to(first, second + 8);
    assert_false(hy_pool_check(&pool));
    link_to(first, NULL);
    assert_true(hy_pool_check(&pool));
    hy_pool_deinit(&pool);
}
#endif

static void misuse_is_caught(void **state) {
    (void)state;
#if HY_CHECK >= 1
    assert_exits_saying(
        0, init_without_capacity, "hy_pool_init: got 0 (0x0), must be a preheat of at least 1 where");
    assert_exits_saying(0, init_sizeless, "hy_pool_init: got 0 (0x0), must be a block_size of at least 1");
    assert_dies_saying(free_null, "hy_pool_destroy: got 0 (0x0), must be a block that lives");
    assert_dies_saying(free_twice, "hy_pool_destroy: got ");
    assert_dies_saying(free_twice, "must be a block that lives");
#endif
#if HY_CHECK >= 2
    assert_dies_saying(free_a_stranger, "hy_pool_destroy: got ");
    assert_dies_saying(free_a_stranger, "must be a block of this pool");
    assert_dies_saying(free_the_middle, "must be a block of this pool");
    assert_dies_saying(resize_a_stranger, "hy_pool_resize: got ");
#endif
}

#if HY_ASAN
static void what_is_free_is_poisoned(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL), HY_OK);
    hy_allocator allocator = hy_pool_allocator(&pool);
    for (int round = 0; round < 2; round++) {
        char *block = hy_alloc(allocator, 3, HY_ALIGN_1);
        assert_true(!__asan_address_is_poisoned(block + 2) && __asan_address_is_poisoned(block + 3));
        assert_true(__asan_address_is_poisoned(block + 31));
        hy_free(allocator, block, 3, HY_ALIGN_1);
        assert_true(__asan_address_is_poisoned(block));
        assert_true(hy_pool_check(&pool) && __asan_address_is_poisoned(block));
    }
    hy_pool_deinit(&pool);
}
#endif

static void the_walker_sees_wrong_sizes(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_raw_libc(), 32, HY_ALIGN_8, NULL), HY_OK);
    hy_pool whole = pool;
    pool.block_size = pool.stride + 1;
    assert_false(hy_pool_check(&pool));
    pool = whole;
    pool.stride++;
    assert_false(hy_pool_check(&pool));
    pool = whole;
    pool.arena.end += 8;
    assert_false(hy_pool_check(&pool));
    pool = whole;
    assert_true(hy_pool_check(&pool));
    hy_pool_deinit(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walker_sees_wrong_sizes),
        cmocka_unit_test(last_freed_is_next_made),
        cmocka_unit_test(any_size_and_alignment),
        cmocka_unit_test(a_fixed_pool_makes_its_n),
        cmocka_unit_test(bad_options_are_told),
        cmocka_unit_test(an_alignment_beyond_its_child_is_refused),
        cmocka_unit_test(preheat_adds_room),
        cmocka_unit_test(preheat_counts_free_blocks),
        cmocka_unit_test(resets_in_every_mode),
        cmocka_unit_test(a_reset_forgets_what_was_free),
        cmocka_unit_test(serves_requests_that_fit),
        cmocka_unit_test(a_pool_knows_its_type),
        cmocka_unit_test(any_call_of_the_child_may_be_refused),
#if HY_CHECK >= 2
        cmocka_unit_test(the_walker_sees_a_broken_list),
#endif
        cmocka_unit_test(misuse_is_caught),
#if HY_ASAN
        cmocka_unit_test(what_is_free_is_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
