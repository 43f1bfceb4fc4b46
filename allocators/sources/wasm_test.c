/* wasm_test.c: on a memory of the test's own, which grows as WebAssembly's does: at its end, up to its size.
 */
#include <heapyard/typed.h>
#include <heapyard/wasm.h>

#include "allocators/conformance/dies.h"
#include <pthread.h>

#define PAGE ((size_t)1024)
#define PAGES 256

static _Alignas(4096) char bytes[PAGES * PAGE];

/* What the heap under test grows by. */
static struct {
    size_t used, grown, calls;
    size_t gap; /* what somebody else takes before each growth */
    bool refuses;
} memory;

static void *grow(void *context, size_t size) {
    (void)context;
    memory.calls++;
    if (memory.refuses || memory.gap + size > sizeof bytes - memory.used) return NULL;
    char *begin = bytes + memory.used + memory.gap;
    memory.used += memory.gap + size;
    memory.grown += size;
    return begin;
}

static hy_wasm heap;

static hy_allocator begin(size_t limit_bytes) {
    hy_unpoison(bytes, sizeof bytes);
    memset(&memory, 0, sizeof memory);
    memset(bytes, 0xEE, sizeof bytes); /* it need not be zeroed */
    hy_wasm_init(&heap, (hy_wasm_memory){NULL, grow, PAGE, true}, limit_bytes);
    return hy_wasm_allocator(&heap);
}

/* Blocks until one is refused; their number. */
static size_t fill(hy_allocator gpa, void **blocks, size_t most, size_t size, hy_align align) {
    size_t count = 0;
    while (count < most && (blocks[count] = hy_alloc(gpa, size, align)))
        memset(blocks[count++], 0x11, size);
    assert_true(hy_wasm_check(&heap));
    return count;
}

static void nothing_is_taken_before_it_is_needed(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    assert_int_equal(memory.calls, 0);
    hy_free(gpa, hy_alloc(gpa, 0, HY_ALIGN_4096), 0, HY_ALIGN_4096);
    assert_int_equal(memory.calls, 0);
    assert_int_equal(hy_wasm_counted(&heap).taken_bytes, 0);
}

static void growth_is_by_whole_pages(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    assert_non_null(hy_alloc(gpa, 200, HY_ALIGN_8));
    assert_int_equal(memory.grown, PAGE);
    assert_non_null(hy_alloc(gpa, 10 * PAGE + 1, HY_ALIGN_8));
    assert_int_equal(memory.grown % PAGE, 0);
    assert_int_equal(memory.calls, 2);
    assert_int_equal(hy_wasm_counted(&heap).taken_bytes, memory.grown);
}

/* What was free at the end is part of the new block: the memory is one range. */
static void growth_joins_what_is_free_at_the_end(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    char *first = hy_alloc(gpa, 100 * PAGE, HY_ALIGN_8);
    hy_free(gpa, first, 100 * PAGE, HY_ALIGN_8);
    assert_ptr_equal(hy_alloc(gpa, 120 * PAGE, HY_ALIGN_8), first);
    assert_true(memory.grown <= 122 * PAGE);
    assert_true(hy_wasm_check(&heap));
}

static void others_may_grow_the_memory_too(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    char *blocks[20];
    memory.gap = PAGE;
    for (size_t i = 0; i < 20; i++) {
        blocks[i] = hy_alloc(gpa, 3 * PAGE, HY_ALIGN_8);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i, 3 * PAGE);
    }
    assert_true(hy_wasm_check(&heap));
    for (size_t i = 0; i < 20; i++) {
        assert_true(hy_wasm_owns(&heap, blocks[i]));
        assert_int_equal(blocks[i][0], i);
        assert_int_equal(blocks[i][3 * PAGE - 1], i);
        hy_free(gpa, blocks[i], 3 * PAGE, HY_ALIGN_8);
    }
    assert_int_equal((unsigned char)bytes[0], 0xEE); /* the others' */
    assert_false(hy_wasm_owns(&heap, bytes));
    assert_true(hy_wasm_check(&heap));
}

static void no_limit_is_ever_passed(void **state) {
    (void)state;
    static const size_t limits[] = {0, 1, PAGE - 1, PAGE, PAGE + 1, 7 * PAGE, 100 * PAGE + 500};
    static const size_t sizes[] = {1, 16, 129, 1000, 3 * PAGE, 50 * PAGE};
    void *blocks[2000];
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            hy_allocator gpa = begin(limits[i]);
            size_t count = fill(gpa, blocks, 2000, sizes[j], HY_ALIGN_8);
            assert_true(memory.grown <= limits[i]);
            if (limits[i] < PAGE) assert_int_equal(memory.calls, 0);
            for (size_t n = 0; n < count; n++)
                hy_free(gpa, blocks[n], sizes[j], HY_ALIGN_8);
            assert_true(fill(gpa, blocks, 2000, sizes[j], HY_ALIGN_8) >= count);
            assert_true(memory.grown <= limits[i]);
        }
    }
}

/* Up to its limit nothing of it is refused but what it needs for itself. */
static void a_limit_is_served_to_its_edge(void **state) {
    (void)state;
    hy_allocator gpa = begin(64 * PAGE);
    assert_non_null(hy_alloc(gpa, 64 * PAGE - 128, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, PAGE, HY_ALIGN_8));
    gpa = begin(64 * PAGE);
    void *blocks[4096];
    assert_true(fill(gpa, blocks, 4096, 16, HY_ALIGN_8) >= 63 * ((PAGE - 40) / 16));
    assert_int_equal(memory.grown, 64 * PAGE);
}

static void any_size_has_any_alignment(void **state) {
    (void)state;
    for (unsigned log2 = 0; log2 <= 12; log2++) {
        hy_align align = hy_align_from_log2(log2);
        hy_allocator gpa = begin(SIZE_MAX);
        for (size_t size = 1; size <= 300; size += size % 7 == 0 ? 3 : 1) {
            char *left = hy_alloc(gpa, size, align), *right = hy_alloc(gpa, size, align);
            assert_true(left && right);
            assert_true(hy_align_check_pointer(left, align) && hy_align_check_pointer(right, align));
            memset(left, 1, size);
            memset(right, 2, size);
            assert_int_equal(left[size - 1], 1);
            assert_int_equal(right[0], 2);
            assert_true(hy_wasm_check(&heap));
            hy_free(gpa, left, size, align);
            hy_free(gpa, right, size, align);
        }
    }
}

/* Sizes of a class share its blocks; one size more is the next class's. */
static void classes_are_of_eight_bytes(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    for (size_t size = 8; size <= 128; size += 8) {
        char *block = hy_alloc(gpa, size, HY_ALIGN_1);
        assert_true(hy_resize(gpa, block, size, size - 7, HY_ALIGN_1));
        assert_true(hy_resize(gpa, block, size - 7, size, HY_ALIGN_1));
        assert_false(hy_resize(gpa, block, size, size + 1, HY_ALIGN_1));
        if (size > 8) assert_false(hy_resize(gpa, block, size, size - 8, HY_ALIGN_1));
        hy_free(gpa, block, size, HY_ALIGN_1);
        assert_ptr_equal(hy_alloc(gpa, size - 7, HY_ALIGN_1), block);
        hy_free(gpa, block, size - 7, HY_ALIGN_1);
    }
}

/* Whatever the order in which neighbours end, one block comes of them. */
static void neighbours_are_joined(void **state) {
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < 6; i++) {
        hy_allocator gpa = begin(SIZE_MAX);
        char *blocks[3];
        for (size_t n = 0; n < 3; n++)
            blocks[n] = hy_alloc(gpa, 10 * PAGE, HY_ALIGN_8);
        size_t grown = memory.grown;
        for (size_t n = 0; n < 3; n++) {
            hy_free(gpa, blocks[orders[i][n]], 10 * PAGE, HY_ALIGN_8);
            assert_true(hy_wasm_check(&heap));
        }
        assert_int_equal(hy_wasm_counted(&heap).used_bytes, 0);
        assert_ptr_equal(hy_alloc(gpa, 30 * PAGE, HY_ALIGN_8), blocks[0]);
        assert_int_equal(memory.grown, grown);
    }
}

static void large_blocks_change_in_place(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    char *left = hy_alloc(gpa, 10 * PAGE, HY_ALIGN_64), *right = hy_alloc(gpa, 10 * PAGE, HY_ALIGN_64);
    memset(left, 3, 10 * PAGE);
    assert_false(hy_resize(gpa, left, 10 * PAGE, 12 * PAGE, HY_ALIGN_64));
    hy_free(gpa, right, 10 * PAGE, HY_ALIGN_64);
    assert_true(hy_resize(gpa, left, 10 * PAGE, 20 * PAGE, HY_ALIGN_64));
    assert_int_equal(left[10 * PAGE - 1], 3);
    memset(left, 4, 20 * PAGE);
    assert_true(hy_resize(gpa, left, 20 * PAGE, PAGE, HY_ALIGN_64));
    assert_ptr_equal(hy_remap(gpa, left, PAGE, 2 * PAGE, HY_ALIGN_64), left);
    assert_int_equal(left[PAGE - 1], 4);
    char *next = hy_alloc(gpa, 15 * PAGE, HY_ALIGN_8); /* in what was given up */
    assert_true(next > left && next < left + 20 * PAGE);
    assert_true(hy_wasm_check(&heap));
}

/* Memory that served one size serves any other. */
static void empty_slabs_serve_large_blocks(void **state) {
    (void)state;
    void *blocks[4096];
    for (size_t size = 8; size <= 128; size += 40) {
        hy_allocator gpa = begin(32 * PAGE);
        size_t count = fill(gpa, blocks, 4096, size, HY_ALIGN_8);
        assert_null(hy_alloc(gpa, 20 * PAGE, HY_ALIGN_8));
        for (size_t i = 0; i < count; i++)
            hy_free(gpa, blocks[i], size, HY_ALIGN_8);
        assert_true(hy_wasm_check(&heap));
        assert_non_null(hy_alloc(gpa, 31 * PAGE, HY_ALIGN_8));
        assert_int_equal(memory.grown, 32 * PAGE);
    }
}

static void memory_that_is_there_serves_first(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    assert_false(hy_wasm_add(&heap, bytes + PAGE * 128, 40));
    assert_false(hy_wasm_add(&heap, bytes + PAGE * 128 + 1, 3));
    assert_true(hy_wasm_add(&heap, bytes + PAGE * 128 + 1, 10 * PAGE));
    char *block = hy_alloc(gpa, 9 * PAGE, HY_ALIGN_8);
    assert_true(block > bytes + PAGE * 128 && hy_wasm_owns(&heap, block));
    assert_int_equal(memory.calls, 0);
    assert_int_equal(hy_wasm_counted(&heap).taken_bytes, 0);
    assert_true(hy_wasm_counted(&heap).used_bytes >= 9 * PAGE);
    assert_non_null(hy_alloc(gpa, 2 * PAGE, HY_ALIGN_8));
    assert_true(memory.calls > 0);
    assert_true(hy_wasm_check(&heap));
}

static void a_refusal_changes_nothing(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    char *small = hy_alloc(gpa, 24, HY_ALIGN_8), *large = hy_alloc(gpa, 5000, HY_ALIGN_8);
    memset(large, 5, 5000);
    hy_wasm_counts before = hy_wasm_counted(&heap);
    memory.refuses = true;
    assert_null(hy_alloc(gpa, 50 * PAGE, HY_ALIGN_8));
    assert_null(hy_realloc(gpa, large, 5000, 60 * PAGE, HY_ALIGN_8));
    assert_null(hy_realloc(gpa, small, 24, 60 * PAGE, HY_ALIGN_8));
    hy_wasm_counts after = hy_wasm_counted(&heap);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(large[4999], 5);
    assert_true(hy_wasm_check(&heap));
    memory.refuses = false;
    assert_non_null(hy_alloc(gpa, 50 * PAGE, HY_ALIGN_8));
}

static void what_no_memory_has_is_refused(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    char *block = hy_alloc(gpa, 200, HY_ALIGN_8);
    size_t calls = memory.calls;
    for (size_t less = 0; less < 100; less++) {
        assert_null(hy_alloc(gpa, SIZE_MAX - less, HY_ALIGN_1));
        assert_null(hy_alloc(gpa, SIZE_MAX / 2 + 50 - less, HY_ALIGN_4096));
        assert_false(hy_resize(gpa, block, 200, SIZE_MAX - less, HY_ALIGN_8));
    }
    assert_null(hy_alloc(gpa, 8, hy_align_from_log2(HY_ALIGN_LOG2_MAX)));
    assert_null(hy_alloc(gpa, 8, hy_align_from_log2(HY_ALIGN_LOG2_MAX - 1)));
    assert_int_equal(memory.grown, PAGE);
    assert_int_equal(memory.calls, calls);
    assert_true(hy_wasm_check(&heap));
}

#define THREADS 4
#define ROUNDS 3000

/* Each writes its own blocks, and finds them as they were. */
static void *use(void *argument) {
    int mine = *(const int *)argument;
    hy_allocator gpa = hy_wasm_allocator(&heap);
    unsigned char *blocks[16] = {0};
    size_t sizes[16] = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t at = i * 7 % 16;
        for (size_t n = 0; blocks[at] && n < sizes[at]; n++)
            if (blocks[at][n] != mine) return argument;
        if (blocks[at]) hy_free(gpa, blocks[at], sizes[at], HY_ALIGN_8);
        sizes[at] = 1 + i * 37 % 500;
        blocks[at] = hy_alloc(gpa, sizes[at], HY_ALIGN_8);
        if (blocks[at]) memset(blocks[at], mine, sizes[at]);
    }
    for (size_t at = 0; at < 16; at++)
        if (blocks[at]) hy_free(gpa, blocks[at], sizes[at], HY_ALIGN_8);
    return NULL;
}

static void threads_share_it(void **state) {
    (void)state;
    (void)begin(SIZE_MAX);
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, use, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_true(hy_wasm_check(&heap));
}

static void no_function(void) {
    hy_wasm_init(&heap, (hy_wasm_memory){NULL, NULL, PAGE, true}, SIZE_MAX);
}

static void no_power_of_two(void) {
    hy_wasm_init(&heap, (hy_wasm_memory){NULL, grow, 1000, true}, SIZE_MAX);
}

static void too_small_a_page(void) {
    hy_wasm_init(&heap, (hy_wasm_memory){NULL, grow, 8, true}, SIZE_MAX);
}

static void a_memory_that_is_none_is_told(void **state) {
    (void)state;
    assert_dies_saying(
        no_function, "hy_wasm_init: got 0 (0x0), must be a memory with a function that grows it");
    assert_dies_saying(no_power_of_two, "got 1000 (0x3e8), must be a page size: a power of two, at least 16");
    assert_dies_saying(too_small_a_page, "got 8 (0x8), must be a page size: a power of two, at least 16");
}

/* A block's bits, a slab's count: written over, both are seen. */
static void damage_is_seen(void **state) {
    (void)state;
    hy_allocator gpa = begin(SIZE_MAX);
    size_t *block = hy_alloc(gpa, 200, HY_ALIGN_8);
    size_t head = block[-1];
    block[-1] = head | 2; /* the block before is free */
    assert_false(hy_wasm_check(&heap));
    block[-1] = head;
    assert_true(hy_wasm_check(&heap));
    char *small = hy_alloc(gpa, 8, HY_ALIGN_8);
    uint16_t *live = (uint16_t *)(((uintptr_t)small & ~(uintptr_t)1023) + 3 * sizeof(void *));
    ++*live;
    assert_false(hy_wasm_check(&heap));
    --*live;
    assert_true(hy_wasm_check(&heap));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_before_it_is_needed),
        cmocka_unit_test(growth_is_by_whole_pages),
        cmocka_unit_test(growth_joins_what_is_free_at_the_end),
        cmocka_unit_test(others_may_grow_the_memory_too),
        cmocka_unit_test(no_limit_is_ever_passed),
        cmocka_unit_test(a_limit_is_served_to_its_edge),
        cmocka_unit_test(any_size_has_any_alignment),
        cmocka_unit_test(classes_are_of_eight_bytes),
        cmocka_unit_test(neighbours_are_joined),
        cmocka_unit_test(large_blocks_change_in_place),
        cmocka_unit_test(empty_slabs_serve_large_blocks),
        cmocka_unit_test(memory_that_is_there_serves_first),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(what_no_memory_has_is_refused),
        cmocka_unit_test(threads_share_it),
        cmocka_unit_test(a_memory_that_is_none_is_told),
        cmocka_unit_test(damage_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
