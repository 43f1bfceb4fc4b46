/* recording_test.c: the sink sees each call once, complete, and in an order that makes sense. */
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/recording.h>
#include <pthread.h>

#include "allocators/conformance/dies.h"

/* Out of the compiler's sight, which would warn of the fill that never happens. */
static volatile size_t huge = SIZE_MAX;

enum { CALLS_MAX = 65536 };

typedef struct tape {
    size_t count;
    hy_call calls[CALLS_MAX];
} tape;

static tape told;

static void write_to_tape(void *context, const hy_call *call) {
    tape *t = context;
    size_t at = __atomic_fetch_add(&t->count, 1, __ATOMIC_RELAXED);
    if (at < CALLS_MAX) t->calls[at] = *call;
}

static void each_call_is_told(void **state) {
    (void)state;
    told.count = 0;
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), write_to_tape, &told);
    hy_allocator gpa = hy_recording_allocator(&recording);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_64);
    assert_true(hy_resize(gpa, ptr, 100, 50, HY_ALIGN_64));
    assert_false(hy_resize(gpa, ptr, 50, huge, HY_ALIGN_64));
    assert_null(hy_remap(gpa, ptr, 50, huge, HY_ALIGN_64));
    hy_free(gpa, ptr, 50, HY_ALIGN_64);
    assert_null(hy_alloc(gpa, huge, HY_ALIGN_8));

    assert_int_equal(told.count, 6);
    const hy_call *c = told.calls;
    assert_true(
        c[0].kind == HY_CALL_ALLOC && c[0].result == ptr && c[0].new_size == 100 && c[0].align.log2 == 6);
    assert_true(
        c[1].kind == HY_CALL_RESIZE && c[1].ptr == ptr && c[1].old_size == 100 && c[1].new_size == 50);
    assert_true(!c[1].refused && c[2].refused && c[2].result == NULL);
    assert_true(c[3].kind == HY_CALL_REMAP && c[3].refused && c[3].old_size == 50);
    assert_true(
        c[4].kind == HY_CALL_FREE && c[4].ptr == ptr && c[4].old_size == 50 && c[4].began == c[4].ended);
    assert_true(c[5].kind == HY_CALL_ALLOC && c[5].refused);
    for (size_t i = 1; i < told.count; i++)
        assert_true(c[i].began > c[i - 1].ended);
    for (size_t i = 1; i < told.count; i++)
        assert_int_equal(c[i].thread, c[0].thread);
}

static void zero_sizes_are_no_calls(void **state) {
    (void)state;
    told.count = 0;
    hy_recording recording;
    hy_recording_init(&recording, hy_null(), write_to_tape, &told);
    hy_allocator gpa = hy_recording_allocator(&recording);
    hy_free(gpa, hy_alloc(gpa, 0, HY_ALIGN_8), 0, HY_ALIGN_8);
    assert_int_equal(told.count, 0);
}

static void *churn(void *argument) {
    hy_allocator gpa = *(hy_allocator *)argument;
    for (unsigned i = 0; i < 4000; i++) {
        size_t size = 1 + i % 200;
        hy_free(gpa, hy_alloc(gpa, size, HY_ALIGN_8), size, HY_ALIGN_8);
    }
    return NULL;
}

static int by_stamp(const void *left, const void *right) {
    const hy_call *a = left, *b = right;
    uint64_t x = a->kind == HY_CALL_FREE ? a->began : a->ended;
    uint64_t y = b->kind == HY_CALL_FREE ? b->began : b->ended;
    return (x > y) - (x < y);
}

/* In the order of the stamps (a free's before it, an allocation's after it) no address lives twice. */
static void no_address_lives_twice(void **state) {
    (void)state;
    told.count = 0;
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), write_to_tape, &told);
    hy_allocator gpa = hy_recording_allocator(&recording);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &gpa), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(told.count, 4 * 4000 * 2);
    qsort(told.calls, told.count, sizeof told.calls[0], by_stamp);
    void *live[8] = {NULL};
    for (size_t i = 0; i < told.count; i++) {
        const hy_call *call = &told.calls[i];
        void *address = call->kind == HY_CALL_FREE ? call->ptr : call->result;
        size_t found = 0;
        while (found < 8 && live[found] != address)
            found++;
        assert_int_equal(found < 8, call->kind == HY_CALL_FREE);
        size_t slot = found;
        for (size_t s = 0; slot == 8 && s < 8; s++)
            slot = live[s] ? 8 : s;
        assert_true(slot < 8);
        live[slot] = call->kind == HY_CALL_FREE ? NULL : address;
    }
}

static void init_without_a_sink(void) {
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), NULL, NULL);
}

static void a_sink_is_needed(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(init_without_a_sink, "hy_recording_init: got 0 (0x0), must be a sink");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sink_is_needed),
        cmocka_unit_test(each_call_is_told),
        cmocka_unit_test(zero_sizes_are_no_calls),
        cmocka_unit_test(no_address_lives_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
