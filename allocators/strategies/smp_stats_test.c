/* smp_stats_test.c: what a heap says of itself is what the program knows of it. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/core/random.h"
#include <heapyard/allocator.h>

#define PLACES 3000
#define ROUNDS 60000

/* What lives, as the program counts it. */
typedef struct model {
    size_t blocks, bytes, large_blocks, large_bytes;
    size_t of_class[HY_SMP_CLASS_COUNT];
} model;

static void count(model *all, size_t size, hy_align align, size_t one) {
    size_t bytes;
    if (hy_smp_is_small(size, align)) {
        uint32_t number = hy_smp_class(size, align);
        bytes = hy_smp_class_size(number);
        all->of_class[number] += one;
    } else {
        bytes = (size + HY_SMP_PAGE - 1) / HY_SMP_PAGE * HY_SMP_PAGE;
        all->large_blocks += one;
        all->large_bytes += one * bytes;
    }
    all->blocks += one;
    all->bytes += one * bytes;
}

/* The places that all slabs of a class have, by their records. */
static size_t places_of(const hy_smp_core *core, uint32_t class_number) {
    size_t places = 0;
    for (uint32_t number = 1; number < core->slab_next; number++) {
        const hy_smp_slab *slab = &core->slabs[number];
        if (slab->block_count && slab->class_number == class_number) places += slab->block_count;
    }
    return places;
}

static void assert_is(hy_smp_heap *heap, const model *all) {
    hy_smp_stats stats = stats_of(heap);
    assert_int_equal(stats.live_blocks, all->blocks);
    assert_int_equal(stats.live_bytes, all->bytes);
    assert_int_equal(stats.large_blocks, all->large_blocks);
    assert_int_equal(stats.large_bytes, all->large_bytes);
    size_t held = stats.live_bytes + stats.cached_bytes + stats.unused_bytes + stats.retained_bytes;
    assert_true(held <= stats.peak_bytes && stats.peak_bytes < stats.reserved_bytes);
    size_t cached = 0, unused = 0;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        hy_smp_class_stats figures;
        if (!hy_smp_read_class_stats(heap, number, &figures)) {
            assert_int_equal(all->of_class[number], 0);
            continue;
        }
        assert_int_equal(figures.size, hy_smp_class_size(number));
        assert_int_equal(figures.live_blocks, all->of_class[number]);
        assert_int_equal(figures.live_blocks + figures.cached_blocks + figures.unused_blocks,
            places_of(heap->core, number));
        cached += figures.cached_blocks * figures.size;
        unused += figures.slab_bytes - (figures.live_blocks + figures.cached_blocks) * figures.size;
    }
    assert_int_equal(stats.cached_bytes, cached);
    assert_int_equal(stats.unused_bytes, unused);
}

typedef struct place {
    void *ptr;
    size_t size;
    hy_align align;
} place;

static place random_place(hy_smp_heap *heap, uint64_t *random) {
    uint64_t bits = hy_random_next(random);
    size_t size = bits % 16 ? bits / 16 % 2000 + 1 : bits / 16 % (100 * KIB) + 1;
    hy_align align = align_log2((unsigned)(bits >> 60));
    return (place){alloc_touched(heap, size, align), size, align};
}

static void the_figures_are_the_programs(void **state) {
    static place places[PLACES];
    static model all;
    hy_smp_heap *heap = *state;
    uint64_t random = 1;
    for (size_t i = 0; i < ROUNDS; i++) {
        place *at = &places[hy_random_next(&random) % PLACES];
        if (at->ptr) {
            count(&all, at->size, at->align, (size_t)-1);
            hy_smp_heap_free(heap, at->ptr, at->size, at->align);
            at->ptr = NULL;
        } else {
            *at = random_place(heap, &random);
            count(&all, at->size, at->align, 1);
        }
        if (i % 1000 == 0) assert_is(heap, &all);
        if (i % 20000 == 0) (void)hy_smp_trim(heap);
    }
    for (size_t i = 0; i < PLACES; i++) {
        if (places[i].ptr) hy_smp_heap_free(heap, places[i].ptr, places[i].size, places[i].align);
    }
    assert_is(heap, &(model){0});
}

static void resizes_and_moves_are_counted(void **state) {
    hy_smp_heap *heap = *state;
    hy_allocator allocator = hy_smp_allocator(heap);
    model all = {0};
    size_t size = 100 * KIB;
    char *block = hy_alloc(allocator, size, HY_ALIGN_8);
    count(&all, size, HY_ALIGN_8, 1);
    static const size_t next[] = {200 * 1024, 90 * 1024, 9 << 20, 20 << 20, 40000, 100, 60000};
    enum { NEXT = sizeof next / sizeof next[0] };
    void *behind[NEXT];
    for (size_t i = 0; i < NEXT; i++) {
        count(&all, size, HY_ALIGN_8, (size_t)-1);
        block = hy_realloc(allocator, block, size, next[i], HY_ALIGN_8);
        assert_non_null(block);
        size = next[i];
        count(&all, size, HY_ALIGN_8, 1);
        assert_is(heap, &all);
        /* So that the next one can't grow where it lies. */
        behind[i] = alloc_touched(heap, 4 * MIB, HY_ALIGN_8);
        count(&all, 4 * MIB, HY_ALIGN_8, 1);
    }
    hy_free(allocator, block, size, HY_ALIGN_8);
    for (size_t i = 0; i < NEXT; i++)
        hy_smp_heap_free(heap, behind[i], 4 * MIB, HY_ALIGN_8);
}

static void a_heap_that_has_not_begun_has_nothing(void **state) {
    (void)state;
    hy_smp_heap none = HY_SMP_HEAP_INIT;
    const hy_smp_stats zero = {0};
    hy_smp_stats stats = stats_of(&none);
    hy_smp_class_stats figures = {.size = 77};
    assert_memory_equal(&stats, &zero, sizeof stats);
    assert_false(hy_smp_read_class_stats(&none, 8, &figures));
    assert_int_equal(figures.size, 77);
}

static void numbers_that_are_no_class_have_no_figures(void **state) {
    hy_smp_class_stats figures = {.size = 77};
    (void)alloc_touched(*state, 64, HY_ALIGN_8);
    assert_false(hy_smp_read_class_stats(*state, 0, &figures));
    assert_false(hy_smp_read_class_stats(*state, 9, &figures));
    assert_false(hy_smp_read_class_stats(*state, HY_SMP_CLASS_COUNT, &figures));
    assert_false(hy_smp_read_class_stats(*state, UINT32_MAX, &figures));
    assert_int_equal(figures.size, 77);
    assert_true(hy_smp_read_class_stats(*state, 8, &figures));
}

/* ---- printed ---- */

/* What was printed; lines come whole. */
typedef struct text {
    char bytes[1 << 16];
    size_t size, lines;
} text;

static void keep_line(void *context, const char *line, size_t size) {
    text *to = context;
    assert_true(size > 0 && line[size - 1] == '\n' && to->size + size < sizeof to->bytes);
    memcpy(to->bytes + to->size, line, size);
    to->size += size;
    to->lines++;
}

static void people_read_every_class_in_use(void **state) {
    static text printed;
    static const size_t sizes[] = {8, 64, 104, 1008, 1152, 32768};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < i + 3; k++)
            (void)alloc_touched(*state, sizes[i], HY_ALIGN_8);
    }
    printed = (text){0};
    hy_smp_print_stats(*state, keep_line, &printed);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\n  %7zu %10zu ", sizes[i], i + 3);
        if (!strstr(printed.bytes, wanted)) fail_msg("no \"%s\" in:\n%s", wanted, printed.bytes);
    }
    assert_non_null(strstr(printed.bytes, "33 blocks live, 0 of them large; 1 threads' caches\n"));
    for (size_t i = 0; i < printed.size; i++)
        assert_true(printed.bytes[i] == '\n' || (printed.bytes[i] >= ' ' && printed.bytes[i] <= '~'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        smp_test(the_figures_are_the_programs),
        smp_test(resizes_and_moves_are_counted),
        cmocka_unit_test(a_heap_that_has_not_begun_has_nothing),
        smp_test(numbers_that_are_no_class_have_no_figures),
        smp_test(people_read_every_class_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
