/* limited_test.c: the account is exact, and nothing passes the limit. */
#include "allocators/conformance/dies.h"
#include <heapyard/arena.h>
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/null.h>
#include <heapyard/plugin.h>
#include <pthread.h>

extern const hy_row hy_limited_row;

/* Out of the compiler's sight, which would warn of the fill that never happens. */
static volatile size_t huge = SIZE_MAX;

static void up_to_the_limit_and_no_further(void **state) {
    (void)state;
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 100);
    hy_allocator gpa = hy_limited_allocator(&limited);
    void *first = hy_alloc(gpa, 60, HY_ALIGN_8);
    assert_non_null(first);
    assert_null(hy_alloc(gpa, 41, HY_ALIGN_8));
    void *second = hy_alloc(gpa, 40, HY_ALIGN_8);
    assert_non_null(second);
    assert_null(hy_alloc(gpa, 1, HY_ALIGN_1));
    assert_int_equal(hy_limited_used(&limited), 100);
    hy_free(gpa, first, 60, HY_ALIGN_8);
    assert_int_equal(hy_limited_used(&limited), 40);
    assert_int_equal(hy_limited_peak(&limited), 100);
    first = hy_alloc(gpa, 60, HY_ALIGN_64);
    assert_non_null(first);
    hy_free(gpa, first, 60, HY_ALIGN_64);
    hy_free(gpa, second, 40, HY_ALIGN_8);
    assert_int_equal(hy_limited_used(&limited), 0);
    assert_true(hy_limited_check(&limited));
}

static void sums_do_not_wrap(void **state) {
    (void)state;
    hy_limited limited;
    hy_limited_init(&limited, hy_libc(), SIZE_MAX);
    hy_allocator gpa = hy_limited_allocator(&limited);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    assert_null(hy_alloc(gpa, huge, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, huge - 99, HY_ALIGN_8));
    assert_false(hy_resize(gpa, ptr, 100, huge, HY_ALIGN_8));
    assert_int_equal(hy_limited_used(&limited), 100);
    hy_free(gpa, ptr, 100, HY_ALIGN_8);
    hy_limited_shared shared;
    hy_limited_shared_init(&shared, hy_libc(), SIZE_MAX);
    ptr = hy_alloc(hy_limited_shared_allocator(&shared), 100, HY_ALIGN_8);
    assert_null(hy_alloc(hy_limited_shared_allocator(&shared), huge - 99, HY_ALIGN_8));
    assert_int_equal(hy_limited_shared_used(&shared), 100);
    hy_free(hy_limited_shared_allocator(&shared), ptr, 100, HY_ALIGN_8);
}

static void size_changes_are_charged_and_discharged(void **state) {
    (void)state;
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 1000);
    hy_allocator gpa = hy_limited_allocator(&limited);
    char *ptr = hy_alloc(gpa, 100, HY_ALIGN_8);
    memset(ptr, 7, 100);
    assert_null(hy_remap(gpa, ptr, 100, 1001, HY_ALIGN_8));
    assert_int_equal(hy_limited_used(&limited), 100);
    ptr = hy_remap(gpa, ptr, 100, 1000, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_int_equal(ptr[99], 7);
    assert_int_equal(hy_limited_used(&limited), 1000);
    assert_false(hy_resize(gpa, ptr, 1000, 1001, HY_ALIGN_8));
    assert_true(hy_resize(gpa, ptr, 1000, 10, HY_ALIGN_8));
    assert_int_equal(hy_limited_used(&limited), 10);
    ptr = hy_remap(gpa, ptr, 10, 5, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_int_equal(hy_limited_used(&limited), 5);
    hy_free(gpa, ptr, 5, HY_ALIGN_8);
    assert_int_equal(hy_limited_used(&limited), 0);
    assert_int_equal(hy_limited_peak(&limited), 1000);
}

static void the_limit_can_change(void **state) {
    (void)state;
    hy_limited limited = HY_LIMITED_INIT(hy_libc(), 100);
    hy_allocator gpa = hy_limited_allocator(&limited);
    void *ptr = hy_alloc(gpa, 80, HY_ALIGN_8);
    hy_limited_set_limit(&limited, 50);
    assert_int_equal(hy_limited_limit(&limited), 50);
    assert_null(hy_alloc(gpa, 1, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 80, 81, HY_ALIGN_8));
    ptr = hy_remap(gpa, ptr, 80, 60, HY_ALIGN_8);
    assert_non_null(ptr);
    assert_true(hy_limited_check(&limited));
    hy_limited_set_limit(&limited, 200);
    void *more = hy_alloc(gpa, 140, HY_ALIGN_8);
    assert_non_null(more);
    hy_free(gpa, more, 140, HY_ALIGN_8);
    hy_free(gpa, ptr, 60, HY_ALIGN_8);
}

/* A block that lives with `size` bytes, or none (0). */
typedef struct held {
    void *ptr;
    size_t size;
} held;

/* A call on the block, of a kind and a size that `random` says; it then lives as the call left it. */
static void call_by_chance(hy_allocator gpa, held *block, uint32_t random) {
    size_t size = (random >> 8 & 0xFF) + 1;
    unsigned kind = random >> 26 & 3;
    if (!block->ptr) {
        block->ptr = hy_alloc(gpa, size, HY_ALIGN_8);
        block->size = block->ptr ? size : 0;
    } else if (kind == 0) {
        hy_free(gpa, block->ptr, block->size, HY_ALIGN_8);
        *block = (held){NULL, 0};
    } else if (kind == 1) {
        if (hy_resize(gpa, block->ptr, block->size, size, HY_ALIGN_8)) block->size = size;
    } else {
        void *moved = hy_remap(gpa, block->ptr, block->size, size, HY_ALIGN_8);
        if (moved) *block = (held){moved, size};
    }
}

/* The account follows a mix of calls that budget or child refuse, one in four of the child's. */
static void follow(hy_allocator gpa, size_t limit, const size_t *used, const size_t *peak) {
    enum { SLOTS = 16 };
    held blocks[SLOTS] = {{NULL, 0}};
    size_t expected = 0, highest = 0;
    uint32_t random = 1;
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        held *block = &blocks[random >> 28];
        expected -= block->size;
        call_by_chance(gpa, block, random);
        expected += block->size;
        if (expected > highest) highest = expected;
        assert_int_equal(*used, expected);
        assert_int_equal(*peak, highest);
        assert_true(expected <= limit);
    }
    assert_true(highest > limit * 9 / 10);
    for (size_t slot = 0; slot < SLOTS; slot++)
        hy_free(gpa, blocks[slot].ptr, blocks[slot].size, HY_ALIGN_8);
    assert_int_equal(*used, 0);
}

static hy_failing_options one_in_four(void) {
    return (hy_failing_options){HY_FAILING_NEVER, HY_FAILING_NEVER, false, 0.25, 3};
}

static void exact_after_any_mix_of_refusals(void **state) {
    (void)state;
    hy_failing child;
    hy_failing_options options = one_in_four();
    hy_failing_init(&child, hy_libc(), &options);
    hy_limited limited = HY_LIMITED_INIT(hy_failing_allocator(&child), 1200);
    follow(hy_limited_allocator(&limited), 1200, &limited.used_bytes, &limited.peak_bytes);
    assert_int_equal(child.allocated_bytes, child.freed_bytes);
}

static void the_shared_form_is_as_exact(void **state) {
    (void)state;
    hy_failing child;
    hy_failing_options options = one_in_four();
    hy_failing_init(&child, hy_libc(), &options);
    hy_limited_shared limited;
    hy_limited_shared_init(&limited, hy_failing_allocator(&child), 1200);
    follow(hy_limited_shared_allocator(&limited), 1200, &limited.used_bytes, &limited.peak_bytes);
}

static void what_the_child_refuses_is_not_charged(void **state) {
    (void)state;
    hy_limited limited = HY_LIMITED_INIT(hy_null(), 100);
    assert_null(hy_alloc(hy_limited_allocator(&limited), 10, HY_ALIGN_8));
    assert_int_equal(hy_limited_used(&limited), 0);
    assert_int_equal(hy_limited_peak(&limited), 0);
    hy_limited_shared shared;
    hy_limited_shared_init(&shared, hy_null(), 100);
    assert_null(hy_alloc(hy_limited_shared_allocator(&shared), 10, HY_ALIGN_8));
    assert_int_equal(hy_limited_shared_used(&shared), 0);
}

static void a_shared_growth_that_the_child_refuses_is_not_charged(void **state) {
    (void)state;
    hy_failing child;
    hy_failing_options options = {HY_FAILING_NEVER, 0, false, 0.0, 0};
    hy_failing_init(&child, hy_libc(), &options);
    hy_limited_shared limited;
    hy_limited_shared_init(&limited, hy_failing_allocator(&child), 100);
    hy_allocator gpa = hy_limited_shared_allocator(&limited);
    void *ptr = hy_alloc(gpa, 10, HY_ALIGN_8);
    assert_false(hy_resize(gpa, ptr, 10, 90, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 10, 90, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 10, 5, HY_ALIGN_8));
    assert_int_equal(hy_limited_shared_used(&limited), 10);
    hy_limited_shared_set_limit(&limited, 5);
    assert_int_equal(hy_limited_shared_limit(&limited), 5);
    assert_false(hy_resize(gpa, ptr, 10, 11, HY_ALIGN_8));
    assert_null(hy_remap(gpa, ptr, 10, 11, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, huge, HY_ALIGN_8));
    hy_free(gpa, ptr, 10, HY_ALIGN_8);
    assert_int_equal(hy_limited_shared_used(&limited), 0);
}

/* Below an arena the limit bounds what the arena takes; over one, what its users hold. */
static void below_and_over_an_arena(void **state) {
    (void)state;
    hy_limited below = HY_LIMITED_INIT(hy_libc(), 10000);
    hy_arena arena = HY_ARENA_INIT(hy_limited_allocator(&below));
    hy_limited over = HY_LIMITED_INIT(hy_arena_allocator(&arena), 5000);
    hy_allocator gpa = hy_limited_allocator(&over);
    assert_non_null(hy_alloc(gpa, 4000, HY_ALIGN_8));
    assert_null(hy_alloc(gpa, 1001, HY_ALIGN_8));
    assert_true(hy_arena_reset(&arena, HY_ARENA_FREE_ALL, 0));
    hy_limited_forget(&over);
    assert_non_null(hy_alloc(gpa, 4000, HY_ALIGN_8));
    assert_null(hy_alloc(hy_arena_allocator(&arena), 20000, HY_ALIGN_8));
    hy_arena_deinit(&arena);
    assert_int_equal(hy_limited_used(&below), 0);
    hy_limited_shared shared;
    hy_limited_shared_init(&shared, hy_libc(), 10);
    shared.used_bytes = 7;
    hy_limited_shared_forget(&shared);
    assert_int_equal(hy_limited_shared_used(&shared), 0);
}

enum { THREADS = 4, ROUNDS = 20000, BLOCK = 64, FIT = 6 };

/* Holds the child to what limited promises: never more than the limit at once, whoever asks. */
typedef struct watched {
    size_t live_bytes;
    size_t peak_bytes;
} watched;

static void *watched_alloc(void *self, size_t size, hy_align align) {
    watched *watch = self;
    size_t live = __atomic_add_fetch(&watch->live_bytes, size, __ATOMIC_RELAXED);
    size_t peak = __atomic_load_n(&watch->peak_bytes, __ATOMIC_RELAXED);
    while (live > peak && !__atomic_compare_exchange_n(
                              &watch->peak_bytes, &peak, live, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    return hy_alloc(hy_libc(), size, align);
}

static void watched_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_free(hy_libc(), ptr, size, align);
    __atomic_sub_fetch(&((watched *)self)->live_bytes, size, __ATOMIC_RELAXED);
}

static const hy_vtable watched_vtable = {watched_alloc, hy_refuse_resize, hy_refuse_remap, watched_free};

/* Two blocks at a time, of which not all threads can have both. */
static void *churn(void *argument) {
    hy_allocator gpa = *(hy_allocator *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        char *first = hy_alloc(gpa, BLOCK, HY_ALIGN_8);
        char *second = hy_alloc(gpa, BLOCK, HY_ALIGN_8);
        if (first) memset(first, i, BLOCK);
        if (second) memset(second, i, BLOCK);
        hy_free(gpa, first, BLOCK, HY_ALIGN_8);
        hy_free(gpa, second, BLOCK, HY_ALIGN_8);
    }
    return NULL;
}

static void many_threads_stay_below(void **state) {
    (void)state;
    watched watch = {0, 0};
    hy_limited_shared limited;
    hy_limited_shared_init(&limited, (hy_allocator){&watch, &watched_vtable}, FIT * BLOCK);
    hy_allocator gpa = hy_limited_shared_allocator(&limited);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &gpa), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(hy_limited_shared_used(&limited), 0);
    assert_true(watch.peak_bytes <= FIT * BLOCK);
    assert_true(hy_limited_shared_peak(&limited) <= FIT * BLOCK);
    assert_true(hy_limited_shared_peak(&limited) >= 2 * BLOCK);
}

static char foreign[64];

static void free_more_than_was_given(void) {
    hy_limited limited = HY_LIMITED_INIT(hy_null(), 100);
    hy_allocator gpa = hy_limited_allocator(&limited);
    gpa.vtable->free(gpa.self, foreign, 64, HY_ALIGN_1);
}

static void shared_free_more_than_was_given(void) {
    hy_limited_shared limited;
    hy_limited_shared_init(&limited, hy_null(), 100);
    hy_limited_shared_free(&limited, foreign, 64, HY_ALIGN_1);
}

static void a_foreign_block_is_misuse(void **state) {
    (void)state;
    if (HY_CHECK == 0) skip(); /* nothing is checked in such a build */
    assert_dies_saying(free_more_than_was_given, "hy_free: got 64 (0x40), must be at most the bytes that");
    assert_dies_saying(shared_free_more_than_was_given, "hy_free: got 64 (0x40), must be at most the bytes");
}

static void the_rows_check_sees_damage(void **state) {
    (void)state;
    const hy_config config = {.child = hy_libc(), .capacity = 1000};
    hy_allocator gpa;
    hy_limited *limited = hy_limited_row.make(&hy_limited_row, &config, &gpa);
    assert_non_null(limited);
    assert_true(hy_limited_row.check(limited));
    size_t limit = limited->limit_bytes;
    limited->peak_bytes = limit + 1;
    assert_false(hy_limited_row.check(limited));
    limited->peak_bytes = 0;
    limited->used_bytes = 1;
    assert_false(hy_limited_row.check(limited));
    limited->used_bytes = 0;
    hy_limited_row.destroy(&hy_limited_row, limited);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rows_check_sees_damage),
        cmocka_unit_test(up_to_the_limit_and_no_further),
        cmocka_unit_test(sums_do_not_wrap),
        cmocka_unit_test(size_changes_are_charged_and_discharged),
        cmocka_unit_test(the_limit_can_change),
        cmocka_unit_test(exact_after_any_mix_of_refusals),
        cmocka_unit_test(the_shared_form_is_as_exact),
        cmocka_unit_test(what_the_child_refuses_is_not_charged),
        cmocka_unit_test(a_shared_growth_that_the_child_refuses_is_not_charged),
        cmocka_unit_test(below_and_over_an_arena),
        cmocka_unit_test(many_threads_stay_below),
        cmocka_unit_test(a_foreign_block_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
