/* smp_audit_test.c: the audit sees each thing that a heap at rest has lost, or has kept too long. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/strategies/smp_audit.h"
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_checks.h"

#include <pthread.h>

#define SIZE 64
/* A size of which a slab of one page would waste an eighth. */
#define ODD_SIZE 896
#define COUNT 400

static hy_smp_cache *own_cache(const hy_smp_heap *heap) {
    return hy_smp_cache_of(heap) + HY_SMP_CHECKED;
}

static void use(hy_smp_heap *heap) {
    void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = alloc_touched(heap, SIZE, HY_ALIGN_8);
    for (size_t i = 0; i < COUNT; i++)
        hy_smp_heap_free(heap, blocks[i], SIZE, HY_ALIGN_8);
}

static void *use_and_end(void *heap) {
    use(heap);
    return NULL;
}

/* A thread that has ended was there, blocks live and magazines hold others. */
static int begin_used_heap(void **state) {
    pthread_t thread;
    if (begin_heap(state) != 0 || pthread_create(&thread, NULL, use_and_end, *state) != 0) return -1;
    pthread_join(thread, NULL);
    (void)alloc_touched(*state, SIZE, HY_ALIGN_8);
    use(*state);
    return hy_smp_audit(*state) ? 0 : -1;
}

static void a_lost_magazine_is_seen(void **state) {
    hy_smp_bin *bin = &own_cache(*state)->bins[hy_smp_class(SIZE, HY_ALIGN_8)];
    hy_smp_magazine *spare = bin->spare;
    assert_non_null(spare);
    bin->spare = NULL;
    assert_false(hy_smp_audit(*state));
    bin->spare = spare;
    assert_true(hy_smp_audit(*state));
}

static void a_block_of_another_class_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    void *ptr = alloc_touched(heap, 2 * SIZE, HY_ALIGN_8);
    hy_smp_bin *bin = &own_cache(heap)->bins[hy_smp_class(SIZE, HY_ALIGN_8)];
    assert_true(bin->top > bin->base);
    void *before = bin->top[-1];
    bin->top[-1] = ptr;
    assert_false(hy_smp_audit(heap));
    bin->top[-1] = before;
    assert_true(hy_smp_audit(heap));
}

static void what_an_ended_thread_keeps_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    hy_smp_cache *own = own_cache(heap), *other = heap->core->caches;
    if (other == own) other = other->next;
    uint32_t number = hy_smp_class(SIZE, HY_ALIGN_8);
    other->bins[number] = own->bins[number];
    own->bins[number] = (hy_smp_bin){0};
    assert_false(hy_smp_audit(heap));
    own->bins[number] = other->bins[number];
    other->bins[number] = (hy_smp_bin){0};
    assert_true(hy_smp_audit(heap));
}

static void a_cache_that_is_said_to_be_nobodys_is_seen(void **state) {
    own_cache(*state)->is_spare = true;
    assert_false(hy_smp_audit(*state));
    own_cache(*state)->is_spare = false;
}

static void a_clean_page_that_is_not_zero_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    size_t size = 20 * HY_SMP_PAGE;
    char *ptr = alloc_touched(heap, size, HY_ALIGN_8);
    hy_smp_heap_free(heap, ptr, size, HY_ALIGN_8);
    (void)hy_smp_trim(heap);
    assert_true(hy_smp_audit(heap));
    char *last = ptr + size - 1;
    hy_unpoison(last, 1);
    *last = 1;
    assert_false(hy_smp_audit(heap));
    *last = 0;
    hy_poison(last, 1);
}

static void a_slab_that_wastes_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    void *ptr = alloc_touched(heap, ODD_SIZE, HY_ALIGN_8);
    hy_smp_slab *slab = &heap->core->slabs[heap->core->pages[hy_smp_page_of(heap->core, ptr)].value];
    uint8_t page_count = slab->page_count;
    assert_true(hy_smp_audit(heap));
    slab->page_count = 1;
    assert_false(hy_smp_audit(heap));
    slab->page_count = page_count;
}

static void what_a_trim_leaves_is_seen(void **state) {
    hy_smp_heap *heap = *state;
    assert_false(hy_smp_audit_trimmed(heap));
    (void)hy_smp_trim(heap);
    assert_true(hy_smp_audit_trimmed(heap));
    hy_smp_heap_free(heap, alloc_touched(heap, 10 * HY_SMP_PAGE, HY_ALIGN_8), 10 * HY_SMP_PAGE, HY_ALIGN_8);
    assert_false(hy_smp_audit_trimmed(heap));
}

static void a_heap_that_has_not_begun_holds(void **state) {
    (void)state;
    hy_smp_heap heap = HY_SMP_HEAP_INIT;
    assert_true(hy_smp_audit(&heap));
    assert_true(hy_smp_audit_trimmed(&heap));
}

#define used_heap_test(function) cmocka_unit_test_setup_teardown(function, begin_used_heap, end_heap)

int main(void) {
    const struct CMUnitTest tests[] = {
        used_heap_test(a_lost_magazine_is_seen),
        used_heap_test(a_block_of_another_class_is_seen),
        used_heap_test(what_an_ended_thread_keeps_is_seen),
        used_heap_test(a_cache_that_is_said_to_be_nobodys_is_seen),
        used_heap_test(a_clean_page_that_is_not_zero_is_seen),
        used_heap_test(a_slab_that_wastes_is_seen),
        used_heap_test(what_a_trim_leaves_is_seen),
        cmocka_unit_test(a_heap_that_has_not_begun_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
