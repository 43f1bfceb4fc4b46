/* child_test.c: the adversarial child keeps the contract, refuses where it is asked to, and reports misuse.
 */
#include "allocators/conformance/child.h"

#include "allocators/conformance/dies.h"
#include <heapyard/allocator.h>

static const hy_fault_policy plain = {
    .alloc_refusal = HY_BYTES_NEVER, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = HY_BYTES_NEVER};

static hy_child child;

/* Each test ends with everything given back, and nothing written beside it. */
static int expect_clean(void **unused) {
    (void)unused;
    assert_null(hy_child_lowest_live(&child));
    hy_child_check_strays(&child);
    return 0;
}

static void addresses_are_aligned_to_no_more_than_asked(void **unused) {
    (void)unused;
    hy_allocator source = hy_child_plain(&child);
    for (unsigned log2 = 0; log2 <= 16; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *ptr = hy_alloc(source, 3, align);
        assert_true(hy_align_check_pointer(ptr, align));
        assert_false(hy_align_check_pointer(ptr, hy_align_from_log2(log2 + 1)));
        assert_true(hy_child_contains(&child, ptr, 3));
        assert_false(hy_child_contains(&child, ptr, 4));
        hy_free(source, ptr, 3, align);
        assert_false(hy_child_contains(&child, ptr, 1));
    }
}

static void a_run_begins_where_the_last_one_did(void **unused) {
    (void)unused;
    char *first = NULL;
    for (int i = 0; i < 3; i++) {
        hy_child_begin(&child, &plain);
        char *ptr = hy_alloc(hy_child_allocator(&child), 100, HY_ALIGN_16);
        if (i == 0) first = ptr;
        assert_ptr_equal(ptr, first);
        hy_free(hy_child_allocator(&child), ptr, 100, HY_ALIGN_16);
    }
}

static void refuses_at_its_index(void **unused) {
    (void)unused;
    for (int once = 0; once < 2; once++) {
        hy_fault_policy faults = plain;
        faults.alloc_refusal = 1;
        faults.once = once;
        hy_child_begin(&child, &faults);
        void *first = hy_alloc(hy_child_allocator(&child), 8, HY_ALIGN_8);
        assert_non_null(first);
        assert_null(hy_alloc(hy_child_allocator(&child), 8, HY_ALIGN_8));
        void *third = hy_alloc(hy_child_allocator(&child), 8, HY_ALIGN_8);
        assert_int_equal(third != NULL, once);
        assert_int_equal(child.counts.refusals, once ? 1 : 2);
        hy_free(hy_child_allocator(&child), first, 8, HY_ALIGN_8);
        hy_free(hy_child_allocator(&child), third, 8, HY_ALIGN_8);
    }
}

static void grows_the_topmost_and_moves_when_it_is_so(void **unused) {
    (void)unused;
    hy_fault_policy faults = plain;
    faults.grows = faults.moves = true;
    hy_child_begin(&child, &faults);
    hy_allocator source = hy_child_allocator(&child);
    char *low = hy_alloc(source, 32, HY_ALIGN_8), *top = hy_alloc(source, 32, HY_ALIGN_8);
    assert_false(hy_resize(source, low, 32, 33, HY_ALIGN_8));
    assert_true(hy_resize(source, top, 32, 3000, HY_ALIGN_8));
    assert_true(hy_resize(source, low, 32, 5, HY_ALIGN_8));
    memset(top, 7, 3000);
    char *moved = hy_remap(source, top, 3000, 10, HY_ALIGN_8);
    assert_ptr_not_equal(moved, top);
    assert_int_equal(moved[9], 7);
    hy_free(source, moved, 10, HY_ALIGN_8);
    hy_free(source, low, 5, HY_ALIGN_8);
}

static void what_cannot_fit_is_refused(void **unused) {
    (void)unused;
    hy_child_begin(&child, &plain);
    assert_null(hy_alloc(hy_child_allocator(&child), SIZE_MAX, HY_ALIGN_1));
    assert_null(hy_alloc(hy_child_allocator(&child), SIZE_MAX / 2, HY_ALIGN_16));
    assert_null(hy_alloc(hy_child_allocator(&child), 1, hy_align_from_log2(63)));
    assert_null(hy_alloc(hy_child_allocator(&child), HY_CHILD_REGION_BYTES, HY_ALIGN_1));
}

static void refuses_all_from_a_call_on_or_above_a_size(void **unused) {
    (void)unused;
    hy_allocator source = hy_child_plain(&child);
    child.faults.grows = true;
    child.call_refusal = 2;
    char *ptr = hy_alloc(source, 8, HY_ALIGN_8);
    assert_true(hy_resize(source, ptr, 8, 16, HY_ALIGN_8));
    assert_null(hy_remap(source, ptr, 16, 24, HY_ALIGN_8));
    assert_null(hy_alloc(source, 8, HY_ALIGN_8));
    assert_int_equal(hy_child_calls(&child), 4);
    child.call_refusal = SIZE_MAX;
    child.size_max = 20;
    assert_null(hy_alloc(source, 21, HY_ALIGN_8));
    assert_false(hy_resize(source, ptr, 16, 21, HY_ALIGN_8));
    assert_true(hy_resize(source, ptr, 16, 20, HY_ALIGN_8));
    hy_free(source, ptr, 20, HY_ALIGN_8);
    assert_int_equal(child.counts.peak_bytes, 20);
    assert_int_equal(child.block_count, 1);
}

/* Each wrong use, with the vtable's functions, since the front door would pass some of them over. */
static hy_allocator misused;

static char *begin(void) {
    misused = hy_child_plain(&child);
    return hy_alloc(misused, 32, HY_ALIGN_16);
}

static void wrong_size(void) {
    char *ptr = begin();
    misused.vtable->free(misused.self, ptr, 31, HY_ALIGN_16);
}

static void wrong_alignment(void) {
    char *ptr = begin();
    misused.vtable->free(misused.self, ptr, 32, HY_ALIGN_8);
}

static void freed_twice(void) {
    char *ptr = begin();
    misused.vtable->free(misused.self, ptr, 32, HY_ALIGN_16);
    misused.vtable->free(misused.self, ptr, 32, HY_ALIGN_16);
}

static void inside_a_block(void) {
    char *ptr = begin();
    (void)misused.vtable->resize(misused.self, ptr + 1, 32, 40, HY_ALIGN_16);
}

static void nothing_asked_for(void) {
    begin();
    (void)misused.vtable->alloc(misused.self, 0, HY_ALIGN_16);
}

static void a_byte_past_the_end(void) {
    ((volatile char *)begin())[32] = 1;
    hy_child_check_strays(&child);
}

static void a_byte_after_the_end(void) {
    char *ptr = begin();
    misused.vtable->free(misused.self, ptr, 32, HY_ALIGN_16);
    ((volatile char *)ptr)[5] = 1;
    hy_child_check_strays(&child);
}

static void closed_bytes(void) {
    char *ptr = begin();
    hy_poison(ptr + 24, 8);
    misused.vtable->free(misused.self, ptr, 32, HY_ALIGN_16);
}

static void misuse_is_reported(void **unused) {
    (void)unused;
#if HY_ASAN
    assert_dies_saying(
        closed_bytes, "child: misuse: free of a block of 32 bytes that is poisoned from byte 24");
#else
    closed_bytes();
#endif
    assert_dies_saying(wrong_size, "child: misuse: free with size 31 of a block of 32");
    assert_dies_saying(wrong_alignment, "child: misuse: free with alignment 2^3 of a block of 2^4");
    assert_dies_saying(freed_twice, "which was given back before");
    assert_dies_saying(inside_a_block, "which is no block of the child");
    assert_dies_saying(nothing_asked_for, "child: misuse: alloc of size 0 reached the child");
}

static void strays_are_seen(void **unused) {
    (void)unused;
#if HY_ASAN
    assert_exits_saying(1, a_byte_past_the_end, "use-after-poison");
    assert_exits_saying(1, a_byte_after_the_end, "use-after-poison");
#else
    assert_dies_saying(a_byte_past_the_end, "child: stray: a write into the redzone behind a block");
    assert_dies_saying(a_byte_after_the_end, "child: stray: a write into memory given back to the child");
#endif
}

static size_t reports;

static void count_report(const char *kind, const char *format, ...) HY_PRINTF(2, 3);
static void count_report(const char *kind, const char *format, ...) {
    (void)format;
    assert_string_equal(kind, "misuse");
    reports++;
}

/* Whoever wants to see more than the first wrong use. */
static void goes_on_where_its_report_returns(void **unused) {
    (void)unused;
    hy_child_report *before = child.report;
    child.report = count_report;
    freed_twice();
    assert_int_equal(reports, 1);
    wrong_size();
    assert_int_equal(reports, 2);
    inside_a_block();
    assert_int_equal(reports, 3);
    hy_free(misused, (void *)child.blocks[0].address, 32, HY_ALIGN_16);
    child.report = before;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(addresses_are_aligned_to_no_more_than_asked, expect_clean),
        cmocka_unit_test_teardown(a_run_begins_where_the_last_one_did, expect_clean),
        cmocka_unit_test_teardown(refuses_at_its_index, expect_clean),
        cmocka_unit_test_teardown(refuses_all_from_a_call_on_or_above_a_size, expect_clean),
        cmocka_unit_test_teardown(grows_the_topmost_and_moves_when_it_is_so, expect_clean),
        cmocka_unit_test_teardown(what_cannot_fit_is_refused, expect_clean),
        cmocka_unit_test(misuse_is_reported),
        cmocka_unit_test(strays_are_seen),
        cmocka_unit_test_teardown(goes_on_where_its_report_returns, expect_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
