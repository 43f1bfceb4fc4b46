/* decorator_assertions_test.c: the decorators' and sources' assertions are alive: each case damages one word
 * of a structure, and the next change of state must end the program with the message for that. */
#include <heapyard/block_index.h>
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/page.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/wide_align.h>

#include "allocators/conformance/dies.h"

#if HY_CHECK >= 2
/* Whatever a call returned that was to end the program. */
static void ignore(const void *ptr) {
    (void)ptr;
}

static void *alloc_at_an_odd_address(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    static _Alignas(64) char memory[256];
    return memory + 1;
}

static const hy_vtable misaligning_vtable = {
    alloc_at_an_odd_address, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};
static const hy_allocator misaligning = {NULL, &misaligning_vtable};

static void limited_grows_past_its_limit(void) {
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 64);
    hy_limited_charge(&limited, 65);
}

static void limited_grows_to_less(void) {
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 64);
    hy_limited_charge(&limited, 32);
    hy_limited_charge(&limited, 16);
}

static void limited_peak_is_lost(void) {
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 64);
    void *block = hy_limited_alloc(&limited, 64, HY_ALIGN_8);
    limited.peak_bytes = 0;
    (void)!hy_limited_resize(&limited, block, 64, 32, HY_ALIGN_8);
}

static void counting_live_bytes_are_lost(void) {
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    void *block = hy_counting_alloc(&counting, 64, HY_ALIGN_8);
    counting.counts.live_bytes = 63;
    hy_counting_free(&counting, block, 64, HY_ALIGN_8);
}

static void counting_peak_is_lost(void) {
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    ignore(hy_counting_alloc(&counting, 64, HY_ALIGN_8));
    counting.counts.peak_bytes = 0;
    hy_counts_change(&counting.counts, 64, 32);
}

static void failing_refused_more_than_was_asked(void) {
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 0;
    hy_failing_init(&failing, hy_libc(), &options);
    failing.induced_count = 10;
    ignore(hy_failing_alloc(&failing, 8, HY_ALIGN_8));
}

static void headered_over_a_child_that_misaligns(void) {
    hy_headered headered;
    hy_headered_init(&headered, misaligning);
    ignore(hy_headered_alloc_sized(&headered, 8, HY_ALIGN_8));
}

static void wide_align_over_a_child_that_misaligns(void) {
    hy_wide_align wide = HY_WIDE_ALIGN_INIT(misaligning, 4);
    ignore(hy_wide_align_alloc(&wide, 8, HY_ALIGN_32));
}

static void stack_fallback_count_is_lost(void) {
    HY_STACK_FALLBACK(scratch, 256, hy_libc());
    void *block = hy_stack_fallback_alloc(&scratch, 8, HY_ALIGN_8);
    scratch.live_count = 0;
    hy_stack_fallback_free(&scratch, block, 8, HY_ALIGN_8);
}

static void stack_fallback_count_is_too_large(void) {
    HY_STACK_FALLBACK(scratch, 256, hy_libc());
    scratch.live_count = 1;
    void *block = hy_stack_fallback_alloc(&scratch, 8, HY_ALIGN_8);
    hy_stack_fallback_free(&scratch, block, 8, HY_ALIGN_8);
}

static void index_add(hy_block_index *index, uintptr_t address) {
    hy_indexed_block clash;
    if (!hy_block_index_reserve(index)) _exit(1);
    if (!hy_block_index_add(index, (hy_indexed_block){address, 8, HY_ALIGN_8}, &clash)) _exit(1);
}

static void block_index_bytes_are_lost(void) {
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    hy_indexed_block found;
    index_add(&index, 4096);
    index.live_bytes = 0;
    (void)hy_block_index_remove(&index, (hy_indexed_block){4096, 8, HY_ALIGN_8}, &found);
}

static void block_index_has_no_spare(void) {
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    hy_indexed_block clash;
    (void)hy_block_index_add(&index, (hy_indexed_block){4096, 8, HY_ALIGN_8}, &clash);
}

static void page_counts_are_lost(void) {
    hy_page_source source;
    hy_page_source_init(&source, (hy_page_options){.huge = false});
    void *block = hy_page_alloc(&source, 8, HY_ALIGN_8);
    source.held_bytes = 0;
    hy_page_free(&source, block, 8);
}

static void each_assertion_ends_the_program(void **state) {
    (void)state;
    assert_dies_saying(limited_grows_past_its_limit, "hy_limited_charge: growth passes the limit");
    assert_dies_saying(limited_grows_to_less, "hy_limited_charge: growth lowers what is used");
    assert_dies_saying(limited_peak_is_lost, "hy_limited_discharge: more is used than the peak");
    assert_dies_saying(counting_live_bytes_are_lost, "a block to free is larger than all live ones together");
    assert_dies_saying(counting_peak_is_lost, "hy_counts_change: more bytes are live than the peak");
    assert_dies_saying(failing_refused_more_than_was_asked, "more calls were refused than were made");
    assert_dies_saying(headered_over_a_child_that_misaligns, "the child does not align as asked");
    assert_dies_saying(wide_align_over_a_child_that_misaligns, "the child does not align as init was told");
    assert_dies_saying(stack_fallback_count_is_lost, "a block is freed where none lives");
    assert_dies_saying(
        stack_fallback_count_is_too_large, "blocks live in an unused buffer, or none in a used");
    assert_dies_saying(block_index_bytes_are_lost, "a block is larger than all in the index together");
    assert_dies_saying(block_index_has_no_spare, "an addition for which no room was reserved");
    assert_dies_saying(page_counts_are_lost, "more pages go back than were taken");
}
#endif

#if HY_WALKS
static void block_index_with_a_wrong_sum_splits(void) {
    hy_block_index index = HY_BLOCK_INDEX_INIT(hy_libc());
    index.block_count++;
    for (uintptr_t address = 4096; address < 8192; address += 8)
        index_add(&index, address);
}

static void the_walk_after_a_slow_path_ends_the_program(void **state) {
    (void)state;
    assert_dies_saying(block_index_with_a_wrong_sum_splits,
        "split_child: the structure does not hold together after a slow path");
}
#endif

int main(void) {
#if HY_CHECK >= 2
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_assertion_ends_the_program),
#if HY_WALKS
        cmocka_unit_test(the_walk_after_a_slow_path_ends_the_program),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0;
#endif
}
