/* os_tap_test.c: faults of a row over the system's pages that show only where the system refuses: found by
 * oom, which has it refuse, alone; and what the tap counts.
 */
#include "fuzz/os_tap.h"

#include "allocators/core/os.h"
#include "fuzz/attempt.h"
#include "fuzz/os_region.h"

static hy_allocator real; /* the row's own */

static void *clean_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return real.vtable->alloc(real.self, size, align);
}

static bool clean_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    return real.vtable->resize(real.self, ptr, old_size, new_size, align);
}

static void *clean_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    return real.vtable->remap(real.self, ptr, old_size, new_size, align);
}

static void clean_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    real.vtable->free(real.self, ptr, size, align);
}

/* A page of the row's own goes with each call; what it has of the first when the second is refused stays. */
static void *keeps_half(void *self, size_t size, hy_align align) {
    void *note = hy_os_map(hy_page_size());
    void *block = note ? clean_alloc(self, size, align) : NULL;
    if (block) hy_os_unmap(note, hy_page_size());
    return block;
}

static void *empties_what_stays(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    void *moved = clean_remap(self, ptr, old_size, new_size, align);
    if (!moved) hy_os_discard(ptr, hy_page_size());
    return moved;
}

/* What could not be given back once is lost, though the row goes on to count it. */
static bool says_it_shrank(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return clean_resize(self, ptr, old_size, new_size, align) || new_size < old_size;
}

static const hy_vtable keeps_half_vtable = {keeps_half, clean_resize, clean_remap, clean_free};
static const hy_vtable empties_vtable = {clean_alloc, clean_resize, empties_what_stays, clean_free};
static const hy_vtable clean_vtable = {clean_alloc, clean_resize, clean_remap, clean_free};
static const hy_vtable shrank_vtable = {clean_alloc, says_it_shrank, clean_remap, clean_free};

typedef struct plant {
    const hy_vtable *vtable;
    const char *finding; /* "": none */
    const char *without; /* the list without which nothing is found */
    const char *seed;
} plant;

static const plant plants[] = {
    {&clean_vtable, "", "", "alloc 0 9000\nremap 0 90000\nresize 0 100\n"},
    {&keeps_half_vtable, "finding: leak", "-drain", "alloc 0 5000\n"},
    {&empties_vtable, "finding: content", "-model", "alloc 0 5000\nremap 0 90000\n"},
    {&shrank_vtable, "finding: account", "-accounting", "alloc 0 9000\nresize 0 100\n"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const plant *now;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    const hy_row *clean = hy_registry_find("page");
    void *made = clean->make(clean, config, &real);
    *out = (hy_allocator){&real, now->vtable};
    return made;
}

static void what_is_wrong_under_refusals_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plants); i++) {
        now = &plants[i];
        hy_row row = *hy_registry_find("page");
        row.make = make;
        /* Under ThreadSanitizer no pages are moved, refused or not. */
        bool always_refused = HY_TSAN && now->vtable == &empties_vtable;
        if (!always_refused) expect((attempt){"conform", &row, "", now->seed}, "");
        expect((attempt){"oom", &row, "", now->seed}, now->finding);
        expect((attempt){"oom", &row, now->without, now->seed}, "");
    }
}

/* A call that is refused does nothing, sets errno, and counts; the next one is served. */
static void calls_are_refused_by_their_index(void **state) {
    (void)state;
    size_t refusals = 0, before = hy_os_tap_read().mapped_bytes, page = hy_page_size();
    hy_os_tap_refuse(1, true);
    hy_os_tap_run(&refusals);
    char *first = hy_os_map(page), *second = hy_os_map(page), *third = hy_os_map(page);
    hy_os_tap_run(NULL);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_int_equal(refusals, 1);
    assert_int_equal(hy_os_tap_calls(), 3);
    assert_int_equal(hy_os_tap_read().mapped_bytes - before, 2 * page);
    hy_os_tap_refuse(SIZE_MAX, true);
    assert_true(hy_os_unmap(first, page) && hy_os_unmap(third, page));
    assert_int_equal(hy_os_tap_read().mapped_bytes, before);
}

/* What the system would not take back is the program's until the run ends, and goes back then. */
static void what_was_not_taken_back_goes_back_after_the_run(void **state) {
    (void)state;
    size_t refusals = 0, before = hy_os_tap_read().mapped_bytes, page = hy_page_size();
    hy_os_tap_refuse(1, false);
    hy_os_tap_run(&refusals);
    char *ptr = hy_os_map(page);
    assert_non_null(ptr);
    assert_false(hy_os_unmap(ptr, page));
    assert_false(hy_os_discard(ptr, page));
    assert_false(hy_os_protect(ptr, page, false));
    assert_false(hy_os_resize(ptr, page, 2 * page));
    assert_null(hy_os_move(ptr, page, 2 * page));
    ptr[0] = 1;
    assert_int_equal(hy_os_tap_read().mapped_bytes, before + page);
    hy_os_tap_run(NULL);
    hy_os_tap_refuse(SIZE_MAX, true);
    assert_int_equal(refusals, 5);
    assert_int_equal(hy_os_tap_read().mapped_bytes, before);
}

/* Of a run with or without refusals; index: as hy_os_tap_refuse has it. */
static char *map_in_run(size_t index) {
    size_t refusals = 0;
    hy_os_tap_refuse(index, true);
    hy_os_tap_run(&refusals);
    char *ptr = hy_os_map(hy_page_size());
    hy_os_tap_run(NULL);
    hy_os_tap_refuse(SIZE_MAX, true);
    return ptr;
}

/* The region serves runs; but between them, and where one call in eight is refused, the system itself does.
 */
static void the_region_serves_most_runs(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *of_run = map_in_run(SIZE_MAX), *of_refusals = map_in_run(9), *of_system = map_in_run(8);
    char *between = hy_os_map(page);
    assert_true(of_run && of_refusals && of_system && between);
    assert_int_equal(hy_os_region_has(of_run), HY_ASAN);
    assert_int_equal(hy_os_region_has(of_refusals), HY_ASAN);
    assert_false(hy_os_region_has(of_system) || hy_os_region_has(between));
    assert_true(hy_os_unmap(of_run, page) && hy_os_unmap(of_refusals, page));
    assert_true(hy_os_unmap(of_system, page) && hy_os_unmap(between, page));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_under_refusals_is_found),
        cmocka_unit_test(calls_are_refused_by_their_index),
        cmocka_unit_test(what_was_not_taken_back_goes_back_after_the_run),
        cmocka_unit_test(the_region_serves_most_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
