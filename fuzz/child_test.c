/* child_test.c: the adversarial child keeps the contract, refuses where it is told, and tells misuse. */
#include "fuzz/child.h"

#include "fuzz/minimise.h"
#include <heapyard/allocator.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const hy_fault_policy plain = {
    .alloc_refusal = HY_BYTES_NEVER, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = HY_BYTES_NEVER};

static void test_addresses_are_aligned_to_no_more_than_asked(void **unused) {
    (void)unused;
    hy_child_begin(&plain);
    hy_allocator child = hy_child_allocator();
    for (unsigned log2 = 0; log2 <= 16; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *ptr = hy_alloc(child, 3, align);
        assert_true(hy_align_check_pointer(ptr, align));
        assert_false(hy_align_check_pointer(ptr, hy_align_from_log2(log2 + 1)));
        assert_true(hy_child_contains(ptr, 3));
        assert_false(hy_child_contains(ptr, 4));
        hy_free(child, ptr, 3, align);
        assert_false(hy_child_contains(ptr, 1));
    }
    hy_child_end();
}

static void test_a_run_begins_where_the_last_one_did(void **unused) {
    (void)unused;
    char *first = NULL;
    for (int i = 0; i < 3; i++) {
        hy_child_begin(&plain);
        char *ptr = hy_alloc(hy_child_allocator(), 100, HY_ALIGN_16);
        if (i == 0) first = ptr;
        assert_ptr_equal(ptr, first);
        hy_free(hy_child_allocator(), ptr, 100, HY_ALIGN_16);
        hy_child_end();
    }
}

static void test_refuses_at_its_index(void **unused) {
    (void)unused;
    for (int once = 0; once < 2; once++) {
        hy_fault_policy faults = plain;
        faults.alloc_refusal = 1;
        faults.once = once;
        hy_child_begin(&faults);
        void *first = hy_alloc(hy_child_allocator(), 8, HY_ALIGN_8);
        assert_non_null(first);
        assert_null(hy_alloc(hy_child_allocator(), 8, HY_ALIGN_8));
        void *third = hy_alloc(hy_child_allocator(), 8, HY_ALIGN_8);
        assert_int_equal(third != NULL, once);
        assert_int_equal(hy_child_counted()->refusals, once ? 1 : 2);
        hy_free(hy_child_allocator(), first, 8, HY_ALIGN_8);
        hy_free(hy_child_allocator(), third, 8, HY_ALIGN_8);
        hy_child_end();
    }
}

static void test_grows_the_topmost_and_moves_when_it_is_so(void **unused) {
    (void)unused;
    hy_fault_policy faults = plain;
    faults.grows = faults.moves = true;
    hy_child_begin(&faults);
    hy_allocator child = hy_child_allocator();
    char *low = hy_alloc(child, 32, HY_ALIGN_8), *top = hy_alloc(child, 32, HY_ALIGN_8);
    assert_false(hy_resize(child, low, 32, 33, HY_ALIGN_8));
    assert_true(hy_resize(child, top, 32, 3000, HY_ALIGN_8));
    assert_true(hy_resize(child, low, 32, 5, HY_ALIGN_8));
    memset(top, 7, 3000);
    char *moved = hy_remap(child, top, 3000, 10, HY_ALIGN_8);
    assert_ptr_not_equal(moved, top);
    assert_int_equal(moved[9], 7);
    hy_free(child, moved, 10, HY_ALIGN_8);
    hy_free(child, low, 5, HY_ALIGN_8);
    hy_child_end();
}

static void test_what_cannot_fit_is_refused(void **unused) {
    (void)unused;
    hy_child_begin(&plain);
    assert_null(hy_alloc(hy_child_allocator(), SIZE_MAX, HY_ALIGN_1));
    assert_null(hy_alloc(hy_child_allocator(), SIZE_MAX / 2, HY_ALIGN_16));
    assert_null(hy_alloc(hy_child_allocator(), 1, hy_align_from_log2(63)));
    assert_null(hy_alloc(hy_child_allocator(), HY_CHILD_REGION_BYTES, HY_ALIGN_1));
    hy_child_end();
}

/* Each wrong use, by number. */
static void misuse(const void *argument) {
    hy_child_begin(&plain);
    hy_allocator child = hy_child_allocator();
    char *ptr = hy_alloc(child, 32, HY_ALIGN_16);
    switch (*(const int *)argument) {
    case 0: /* a leak */
        break;
    case 1: /* a wrong size */
        child.vtable->free(child.self, ptr, 31, HY_ALIGN_16);
        break;
    case 2: /* a wrong alignment */
        child.vtable->free(child.self, ptr, 32, HY_ALIGN_8);
        break;
    case 3: /* twice */
        child.vtable->free(child.self, ptr, 32, HY_ALIGN_16);
        child.vtable->free(child.self, ptr, 32, HY_ALIGN_16);
        break;
    case 4: /* not the block's address */
        (void)child.vtable->resize(child.self, ptr + 1, 32, 40, HY_ALIGN_16);
        break;
    case 5: /* no size at all */
        (void)child.vtable->alloc(child.self, 0, HY_ALIGN_16);
        break;
    case 6: /* a byte past the end */
        ((volatile char *)ptr)[32] = 1;
        child.vtable->free(child.self, ptr, 32, HY_ALIGN_16);
        break;
    case 7: /* after the end */
        child.vtable->free(child.self, ptr, 32, HY_ALIGN_16);
        ((volatile char *)ptr)[5] = 1;
        break;
    }
    hy_child_end();
}

static void test_misuse_is_told(void **unused) {
    (void)unused;
    static const char *const kinds[] = {
        "leak", "misuse", "misuse", "misuse", "misuse", "misuse", "stray", "stray"};
    for (int i = 0; i < (int)(sizeof kinds / sizeof kinds[0]); i++) {
        hy_verdict verdict;
        char wanted[40];
        hy_verdict_of(misuse, &i, 20, &verdict);
        snprintf(wanted, sizeof wanted, "finding: %s", kinds[i]);
        if (HY_ASAN && i >= 6)
            assert_non_null(strstr(verdict.key, "use-after-poison"));
        else
            assert_string_equal(verdict.key, wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_aligned_to_no_more_than_asked),
        cmocka_unit_test(test_a_run_begins_where_the_last_one_did),
        cmocka_unit_test(test_refuses_at_its_index),
        cmocka_unit_test(test_grows_the_topmost_and_moves_when_it_is_so),
        cmocka_unit_test(test_what_cannot_fit_is_refused),
        cmocka_unit_test(test_misuse_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
