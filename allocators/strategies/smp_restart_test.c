/* smp_restart_test.c: heaps that begin and end one after the other in a process do not know of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "allocators/strategies/smp_clock.h"
#include "allocators/strategies/smp_fixture.h"
#include "allocators/strategies/smp_reservations.h"
#include "allocators/strategies/smp_restart.h"
#include <string.h>

#define BLOCKS 40

#if HY_SMP_KEEPS
/* What a heap hands out for a course of calls that `seed` tells apart; it is filled. */
static void fill_heap(hy_smp_heap *heap, size_t seed, char **blocks) {
    assert_int_equal(hy_smp_init(heap), HY_OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 1 + (i * seed * 37) % (i % 8 ? 3000 : 100 * KIB);
        blocks[i] = hy_smp_heap_alloc(heap, size, HY_ALIGN_8);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xA5, size);
        if (i % 3 == 0) hy_smp_heap_free(heap, blocks[i], size, HY_ALIGN_8);
    }
    assert_true(hy_smp_check(heap));
}

static void the_same_calls_get_the_same_addresses(void **unused) {
    (void)unused;
    static hy_smp_heap heap;
    char *first[BLOCKS], *other[BLOCKS], *again[BLOCKS];
    fill_heap(&heap, 1, first);
    hy_smp_deinit(&heap);
    for (size_t seed = 2; seed < 6; seed++) {
        fill_heap(&heap, seed, other);
        hy_smp_deinit(&heap);
    }
    fill_heap(&heap, 1, again);
    hy_smp_deinit(&heap);
    assert_memory_equal(first, again, sizeof first);
}

/* As what comes fresh from the system does. */
static void pages_of_an_earlier_heap_read_as_zero(void **unused) {
    (void)unused;
    static hy_smp_heap heap;
    char *blocks[BLOCKS];
    fill_heap(&heap, 3, blocks);
    hy_smp_deinit(&heap);
    assert_int_equal(hy_smp_init(&heap), HY_OK);
    const char *zeroed = hy_smp_heap_alloc_zeroed(&heap, 300 * KIB, HY_ALIGN_8);
    assert_non_null(zeroed);
    for (size_t i = 0; i < 300 * KIB; i++)
        assert_int_equal(zeroed[i], 0);
    hy_smp_deinit(&heap);
}

static bool is_zero_behind(const hy_smp_array *array, size_t used) {
    const char *bytes = (const char *)array->base;
    for (size_t i = used; i < array->accessible; i++) {
        if (bytes[i] != 0) return false;
    }
    return true;
}

/* What a heap has written of its own records, too: the next one may have fewer of them. */
static void records_of_an_earlier_heap_read_as_zero(void **unused) {
    (void)unused;
    static hy_smp_heap heap;
    char *blocks[BLOCKS];
    fill_heap(&heap, 3, blocks);
    uint32_t pages = heap.core->frontier, slabs = heap.core->slab_next;
    hy_smp_deinit(&heap);
    assert_int_equal(hy_smp_init(&heap), HY_OK);
    assert_non_null(hy_smp_heap_alloc(&heap, 16, HY_ALIGN_8));
    const hy_smp_core *core = heap.core;
    assert_true(core->frontier < pages && core->slab_next < slabs);
    assert_true(is_zero_behind(&core->page_array, core->frontier * sizeof(hy_smp_page)));
    assert_true(is_zero_behind(&core->slab_array, core->slab_next * sizeof(hy_smp_slab)));
    assert_true(is_zero_behind(&core->class_array, core->frontier));
    assert_true(is_zero_behind(&core->metadata_array, core->metadata_next - core->metadata_array.base));
    hy_smp_deinit(&heap);
}

static void nobody_may_touch_what_a_heap_had(void **unused) {
    (void)unused;
    static hy_smp_heap heap;
    char *blocks[BLOCKS];
    fill_heap(&heap, 1, blocks);
    const void *core = heap.core, *page = &heap.core->pages[1];
    assert_false(__asan_address_is_poisoned(core));
    hy_smp_deinit(&heap);
    assert_true(__asan_address_is_poisoned(core));
    assert_true(__asan_address_is_poisoned(page));
    for (size_t i = 0; i < BLOCKS; i++)
        assert_true(__asan_address_is_poisoned(blocks[i]));
}

static void two_heaps_at_once_have_one_each(void **unused) {
    (void)unused;
    static hy_smp_heap heaps[6];
    char *blocks[6][BLOCKS];
    for (size_t i = 0; i < 6; i++) /* more than are kept */
        fill_heap(&heaps[i], 1, blocks[i]);
    for (size_t i = 0; i < 6; i++) {
        assert_true(hy_smp_owns(&heaps[i], blocks[i][0]));
        assert_false(hy_smp_owns(&heaps[(i + 1) % 6], blocks[i][0]));
    }
    for (size_t i = 0; i < 6; i++)
        hy_smp_deinit(&heaps[i]);
}

static void what_has_lost_pages_serves_no_more(void **unused) {
    (void)unused;
    static hy_smp_heap heap;
    char *blocks[BLOCKS];
    fill_heap(&heap, 1, blocks);
    uint32_t page = hy_smp_page_of(heap.core, blocks[0]);
    heap.core->pages[page].kind = HY_SMP_PAGE_LOST;
    hy_smp_deinit(&heap);
    assert_false(__asan_address_is_poisoned(blocks[0])); /* it went back to the system */
    fill_heap(&heap, 1, blocks);
    hy_smp_deinit(&heap);
}
#endif

#if IS_SMALL
static void the_process_s_heap_begins_anew(void **unused) {
    (void)unused;
    void *block = hy_smp_alloc(100, HY_ALIGN_8);
    assert_non_null(block);
    assert_int_equal(stats_of(&hy_smp_process_heap).live_blocks, 1);
    hy_smp_restart();
    assert_false(hy_smp_owns(&hy_smp_process_heap, block));
    void *again = hy_smp_alloc(100, HY_ALIGN_8);
    if (HY_SMP_KEEPS) assert_ptr_equal(again, block);
    assert_int_equal(stats_of(&hy_smp_process_heap).live_blocks, 1);
    assert_true(hy_smp_check(&hy_smp_process_heap));
    hy_smp_free(again, 100, HY_ALIGN_8);
    hy_smp_restart();
    hy_smp_restart(); /* where there is none */
}

static void time_is_counted_from_then_on(void **unused) {
    (void)unused;
    hy_smp_restart();
    uint64_t now = hy_smp_now_ms();
    assert_int_equal(hy_smp_now_ms(), now + 1);
    hy_smp_restart();
    assert_int_equal(hy_smp_now_ms(), now);
}
#else
static void time_is_the_system_s(void **unused) {
    (void)unused;
    uint64_t before = hy_os_coarse_ms(), now = hy_smp_now_ms();
    assert_in_range(now, before, hy_os_coarse_ms());
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
#if HY_SMP_KEEPS
        cmocka_unit_test(the_same_calls_get_the_same_addresses),
        cmocka_unit_test(pages_of_an_earlier_heap_read_as_zero),
        cmocka_unit_test(records_of_an_earlier_heap_read_as_zero),
        cmocka_unit_test(nobody_may_touch_what_a_heap_had),
        cmocka_unit_test(two_heaps_at_once_have_one_each),
        cmocka_unit_test(what_has_lost_pages_serves_no_more),
#endif
#if IS_SMALL
        cmocka_unit_test(the_process_s_heap_begins_anew),
        cmocka_unit_test(time_is_counted_from_then_on),
#else
        cmocka_unit_test(time_is_the_system_s),
#endif
    };
#if IS_SMALL
    hy_smp_restart(); /* from now on */
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
