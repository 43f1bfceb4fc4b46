/* os_region_test.c: mappings of the region are as the system's, and watched closer. */
#include "fuzz/os_region.h"

#include <heapyard/os.h>
#include <heapyard/poison.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#if HY_ASAN
#include <sanitizer/asan_interface.h>

static int begin(void **state) {
    (void)state;
    hy_os_region_serve(true);
    return 0;
}

static int end(void **state) {
    (void)state;
    hy_os_region_serve(false);
    return 0;
}

static bool is_zero(const char *ptr, size_t size) {
    return ptr[0] == 0 && memcmp(ptr, ptr + 1, size - 1) == 0;
}

static void what_went_back_is_poisoned_and_comes_back_clean(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *first = hy_os_region_map(3 * page);
    assert_true(first && hy_os_region_has(first));
    memset(first, 0xA5, 3 * page);
    assert_true(hy_os_region_unmap(first, 3 * page));
    assert_true(__asan_address_is_poisoned(first) && __asan_address_is_poisoned(first + 3 * page - 1));
    char *second = hy_os_region_map(page); /* behind it: what was freed last serves last */
    assert_true(second >= first + 3 * page);
    assert_true(hy_os_region_unmap(second, page));
    hy_os_region_serve(true); /* another run */
    char *third = hy_os_region_map(4 * page);
    assert_ptr_equal(third, first);
    assert_true(is_zero(third, 4 * page));
    assert_true(hy_os_region_unmap(third, 4 * page));
}

static void a_mapping_grows_and_shrinks_in_place(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *stays = hy_os_region_map(page);
    char *first = hy_os_region_map(2 * page), *second = hy_os_region_map(page);
    assert_ptr_equal(second, first + 2 * page);
    assert_ptr_equal(first, stays + page);
    assert_false(hy_os_region_resize(first, 2 * page, 3 * page));
    assert_true(hy_os_region_resize(first, 2 * page, page + 1)); /* the same pages */
    assert_true(hy_os_region_resize(first, 2 * page, page));
    assert_true(__asan_address_is_poisoned(first + page));
    assert_true(hy_os_region_unmap(second, page));
    assert_true(hy_os_region_resize(first, page, 3 * page));
    memset(first, 1, 3 * page);
    assert_false(hy_os_region_resize(first, 3 * page, HY_OS_REGION_MAP_MAX + 1));
    assert_true(hy_os_region_unmap(first, 3 * page));
    assert_true(hy_os_region_resize(stays, page, page - 1)); /* the same page */
    assert_false(hy_os_region_resize(stays, page, 2 * page));
    assert_true(hy_os_region_unmap(stays, page));
}

static void what_was_closed_is_open_for_the_next_one(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *ptr = hy_os_region_map(3 * page);
    hy_os_region_protect(ptr + page, page + 1, false);
    assert_false(__asan_address_is_poisoned(ptr + page - 1));
    assert_true(__asan_address_is_poisoned(ptr + page) && __asan_address_is_poisoned(ptr + 3 * page - 1));
    hy_os_region_protect(ptr + page, page, true);
    assert_false(__asan_address_is_poisoned(ptr + 2 * page - 1));
    assert_true(hy_os_region_unmap(ptr, 3 * page));
    hy_os_region_serve(true);
    assert_ptr_equal(hy_os_region_map(3 * page), ptr);
    memset(ptr, 1, 3 * page);
    assert_true(hy_os_region_unmap(ptr, 3 * page));
}

static void what_is_discarded_is_zero_and_stays_poisoned(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *ptr = hy_os_region_map(2 * page);
    memset(ptr, 1, 2 * page);
    hy_poison(ptr + 8, 8);
    assert_false(hy_os_region_discard(ptr + 1, page));
    assert_true(hy_os_region_discard(ptr, page));
    assert_true(__asan_address_is_poisoned(ptr + 8) && !__asan_address_is_poisoned(ptr + 16));
    hy_unpoison(ptr + 8, 8);
    assert_true(is_zero(ptr, page) && ptr[page] == 1);
    assert_false(hy_os_region_discard(ptr, HY_OS_REGION_MAP_MAX));
    assert_true(hy_os_region_unmap(ptr, 2 * page));
}

static void the_system_serves_what_the_region_can_not(void **state) {
    (void)state;
    char *large = NULL, *last = NULL;
    assert_null(hy_os_region_map(0));
    assert_null(hy_os_region_map(HY_OS_REGION_MAP_MAX + 1));
    for (char *next; (next = hy_os_region_map(HY_OS_REGION_MAP_MAX)) != NULL; last = next)
        large = large ? large : next;
    assert_true(large && last > large);
    for (char *ptr = large; ptr <= last; ptr += HY_OS_REGION_MAP_MAX)
        assert_true(hy_os_region_unmap(ptr, HY_OS_REGION_MAP_MAX));
    assert_false(hy_os_region_unmap(large + 1, hy_page_size()));
    assert_false(hy_os_region_has(&large));
    hy_os_region_serve(false);
    assert_null(hy_os_region_map(hy_page_size()));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_went_back_is_poisoned_and_comes_back_clean, begin, end),
        cmocka_unit_test_setup_teardown(a_mapping_grows_and_shrinks_in_place, begin, end),
        cmocka_unit_test_setup_teardown(what_was_closed_is_open_for_the_next_one, begin, end),
        cmocka_unit_test_setup_teardown(what_is_discarded_is_zero_and_stays_poisoned, begin, end),
        cmocka_unit_test_setup_teardown(the_system_serves_what_the_region_can_not, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
static void there_is_none_without_the_sanitizer(void **state) {
    (void)state;
    hy_os_region_serve(true);
    assert_null(hy_os_region_map(hy_page_size()));
    assert_false(hy_os_region_has(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_none_without_the_sanitizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
