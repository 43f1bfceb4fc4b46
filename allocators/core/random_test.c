/* random_test.c: the sequence is the published one: recorded seeds must go on meaning what they meant. */
#include "allocators/core/random.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_seed_gives_the_published_numbers(void **state) {
    (void)state;
    uint64_t zero = 0, other = 1234567;
    assert_true(hy_random_next(&zero) == 0xE220A8397B1DCDAFu);
    assert_true(hy_random_next(&zero) == 0x6E789E6AA1B965F4u);
    assert_true(hy_random_next(&zero) == 0x06C45D188009454Fu);
    assert_true(hy_random_next(&other) == 6457827717110365317u);
    assert_true(hy_random_next(&other) == 3203168211198807973u);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_seed_gives_the_published_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
