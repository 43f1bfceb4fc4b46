/* unfilled_test.c: a program built with HY_FILL 0: every check of level 2, and no byte of a block is written.
 */
#undef HY_CHECK
#define HY_CHECK 2
#define HY_FILL 0
#include <heapyard/typed.h>

#include "allocators/conformance/dies.h"

_Static_assert(sizeof(hy_allocator) == 2 * sizeof(void *), "an allocator is a value of two words");

static char memory[64];
static char freed[64]; /* as the vtable found the block */

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)align;
    return size <= sizeof memory ? memory : NULL;
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)align;
    return new_size <= sizeof memory;
}

static void end(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)align;
    memcpy(freed, ptr, size);
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, end};

static void blocks_stay_as_they_are(void **state) {
    (void)state;
    hy_allocator allocator = {NULL, &vtable};
    memset(memory, 'm', sizeof memory);
    char *block = hy_alloc_n(allocator, char, 16);
    assert_int_equal(block[0], 'm');
    assert_true(hy_resize_n(allocator, block, 16, 32));
    assert_int_equal(block[31], 'm');
    memset(block, 'u', 32);
    hy_free_n(allocator, block, 32);
    assert_int_equal(freed[0], 'u');
    assert_int_equal(freed[31], 'u');
}

static void free_a_misaligned_block(void) {
    hy_allocator allocator = {NULL, &vtable};
    hy_free(allocator, (char *)((uintptr_t)memory | 1), 8, HY_ALIGN_8);
}

static void checks_stay(void **state) {
    (void)state;
    assert_dies_saying(free_a_misaligned_block, "hy_free");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_stay_as_they_are),
        cmocka_unit_test(checks_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
