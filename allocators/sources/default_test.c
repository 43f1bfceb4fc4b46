/* default_test.c: libc until another is named, and again afterwards; for every thread at once. */
#include <heapyard/counting.h>
#include <heapyard/default.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <pthread.h>

#include "allocators/conformance/dies.h"

static void libc_when_nothing_is_named(void **state) {
    (void)state;
    assert_true(hy_default().vtable->alloc == hy_libc_alloc);
    void *block = hy_alloc(hy_default(), 100, HY_ALIGN_64);
    assert_true(block && hy_align_check_pointer(block, HY_ALIGN_64));
    hy_free(hy_default(), block, 100, HY_ALIGN_64);
}

static void a_program_can_name_another(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    const hy_allocator mine = hy_counting_allocator(&counting), none = hy_null();
    assert_null(hy_set_default(&mine));
    void *block = hy_alloc(hy_default(), 100, HY_ALIGN_8);
    assert_int_equal(counting.counts.live_bytes, 100);
    hy_free(hy_default(), block, 100, HY_ALIGN_8);

    assert_ptr_equal(hy_set_default(&none), &mine);
    assert_null(hy_alloc(hy_default(), 1, HY_ALIGN_1));
    assert_ptr_equal(hy_set_default(NULL), &none);
    libc_when_nothing_is_named(state);
}

static void *ask(void *result) {
    *(hy_allocator *)result = hy_default();
    return NULL;
}

static void every_thread_sees_it(void **state) {
    (void)state;
    const hy_allocator none = hy_null();
    hy_set_default(&none);
    hy_allocator seen;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(seen.vtable->alloc == none.vtable->alloc);
    hy_set_default(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libc_when_nothing_is_named),
        cmocka_unit_test(a_program_can_name_another),
        cmocka_unit_test(every_thread_sees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
