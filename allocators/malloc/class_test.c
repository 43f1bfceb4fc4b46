/* class_test.c: malloc's short way to a class says what smp's own does. */
#include "allocators/malloc/heap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void every_size_has_its_class(void **state) {
    (void)state;
    for (size_t size = 1; size <= HY_SMP_LINEAR_MAX; size++) {
        assert_int_equal(hy_malloc_class(size), hy_smp_class(size, HY_MALLOC_ALIGN));
        assert_true(hy_smp_is_small(size, HY_MALLOC_ALIGN));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_size_has_its_class)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
