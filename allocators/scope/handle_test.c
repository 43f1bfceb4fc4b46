/* handle_test.c: stale handles, retired slots, refusals, iteration. */
#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/debug.h>
#include <heapyard/failing.h>
#include <heapyard/handle.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/null.h>
#include <heapyard/pool.h>

typedef struct thing {
    int number;
} thing;

typedef hy_typed_handles(thing) things;

static void start(things *it) {
    hy_typed_handles_init(it, hy_libc(), hy_libc());
}

static void end(things *it) {
    assert_true(hy_handles_check(&it->handles));
    hy_handles_deinit(&it->handles);
}

static hy_handle make(things *it, int number) {
    hy_handle handle = hy_handle_none();
    thing *made = hy_typed_handles_create(it, &handle);
    assert_non_null(made);
    made->number = number;
    return handle;
}

static void a_stale_handle_is_told(void **state) {
    (void)state;
    things it;
    start(&it);
    hy_handle first = make(&it, 1);
    assert_int_equal(hy_typed_handles_get(&it, first)->number, 1);
    assert_true(hy_handles_destroy(&it.handles, first));
    assert_null(hy_typed_handles_get(&it, first));
    assert_false(hy_handles_destroy(&it.handles, first));

    hy_handle second = make(&it, 2);
    assert_int_equal(second.index, first.index);
    assert_false(hy_handle_equal(first, second));
    assert_null(hy_typed_handles_get(&it, first));
    assert_false(hy_handles_destroy(&it.handles, first));
    assert_int_equal(hy_typed_handles_get(&it, second)->number, 2);
    end(&it);
}

static void what_never_was_a_handle_is_none(void **state) {
    (void)state;
    things it;
    start(&it);
    assert_null(hy_typed_handles_get(&it, hy_handle_none()));
    hy_handle live = make(&it, 1), gone = make(&it, 2);
    hy_handles_destroy(&it.handles, gone);
    const hy_handle wrong[] = {{0, 0}, {1, 0}, {1, 2}, {live.index, 3}, {7, 1}, {UINT32_MAX, UINT32_MAX},
        {gone.index, gone.generation + 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(hy_typed_handles_get(&it, wrong[i]));
        assert_false(hy_handles_destroy(&it.handles, wrong[i]));
    }
    assert_int_equal(hy_handles_count(&it.handles), 1);
    end(&it);
}

/* A slot whose generations are used up, as after 2^31 objects. */
static void a_slot_is_retired_before_its_generations_repeat(void **state) {
    (void)state;
    things it;
    start(&it);
    hy_handle first = make(&it, 1);
    hy_handles_destroy(&it.handles, first);
    it.handles.slots[first.index].generation = UINT32_MAX - 1;
    hy_handle last = make(&it, 2);
    assert_int_equal(last.generation, UINT32_MAX);
    assert_true(hy_handles_destroy(&it.handles, last));
    assert_true(hy_handles_check(&it.handles));
    hy_handle next = make(&it, 3);
    assert_int_not_equal(next.index, first.index);
    assert_null(hy_typed_handles_get(&it, first));
    assert_null(hy_typed_handles_get(&it, last));
    assert_null(hy_handles_get(&it.handles, (hy_handle){first.index, 0}));
    end(&it);
}

static void iteration_meets_each_that_lives(void **state) {
    (void)state;
    things it;
    start(&it);
    hy_handle handles[100];
    for (int i = 0; i < 100; i++)
        handles[i] = make(&it, i);
    for (int i = 0; i < 100; i += 3)
        hy_handles_destroy(&it.handles, handles[i]);
    int met = 0, sum = 0;
    hy_handle at = hy_handle_none();
    for (thing *each; (each = hy_typed_handles_next(&it, &at)) != NULL; met++) {
        assert_ptr_equal(each, hy_typed_handles_get(&it, at));
        sum += each->number;
        hy_handles_destroy(&it.handles, at);
    }
    assert_int_equal(met, 66);
    assert_int_equal(sum, 99 * 100 / 2 - 33 * 34 / 2 * 3);
    assert_int_equal(hy_handles_count(&it.handles), 0);
    assert_null(hy_typed_handles_next(&it, &at));
    end(&it);
}

static void growing_moves_no_object(void **state) {
    (void)state;
    hy_pool pool;
    assert_int_equal(hy_pool_init(&pool, hy_libc(), sizeof(thing), hy_align_of(thing), NULL), HY_OK);
    things it;
    hy_typed_handles_init(&it, hy_pool_allocator(&pool), hy_libc());
    hy_handle first;
    thing *object = hy_typed_handles_create(&it, &first);
    for (int i = 0; i < 10000; i++)
        make(&it, i);
    assert_ptr_equal(hy_typed_handles_get(&it, first), object);
    assert_int_equal(hy_handles_count(&it.handles), 10001);
    end(&it);
    hy_pool_deinit(&pool);
}

static void a_refusal_changes_nothing(void **state) {
    (void)state;
    hy_limited objects = HY_LIMITED_INIT(hy_libc(), 3 * sizeof(thing)), table;
    hy_limited_init(&table, hy_libc(), 16 * sizeof(hy_handle_slot));
    things it;
    hy_typed_handles_init(&it, hy_limited_allocator(&objects), hy_limited_allocator(&table));
    hy_handle handle = hy_handle_none();
    for (int i = 0; i < 3; i++)
        handle = make(&it, i);
    hy_handle kept = handle;
    assert_null(hy_typed_handles_create(&it, &handle));
    assert_true(hy_handle_equal(handle, kept));
    assert_int_equal(hy_handles_count(&it.handles), 3);
    assert_true(hy_handles_check(&it.handles));
    hy_handles_destroy(&it.handles, handle);
    make(&it, 4);
    end(&it);

    hy_typed_handles_init(&it, hy_libc(), hy_limited_allocator(&table));
    for (int i = 0; i < 16; i++)
        make(&it, i);
    assert_null(hy_typed_handles_create(&it, &handle));
    assert_int_equal(hy_handles_count(&it.handles), 16);
    end(&it);
}

/* As with 2^31 and with 2^32 - 1 slots, of which none is free. */
static void a_table_has_an_end(void **state) {
    (void)state;
    things it;
    hy_typed_handles_init(&it, hy_libc(), hy_null());
    hy_handle handle = hy_handle_none();
    const uint32_t counts[] = {UINT32_C(1) << 31, HY_HANDLE_NO_SLOT};
    for (int i = 0; i < 2; i++) {
        it.handles.used = it.handles.capacity = counts[i];
        assert_null(hy_typed_handles_create(&it, &handle));
        assert_int_equal(it.handles.capacity, counts[i]);
    }
    assert_true(hy_handle_equal(handle, hy_handle_none()));
    it.handles.used = it.handles.capacity = 0;
    end(&it);
}

static void deinit_gives_everything_back(void **state) {
    (void)state;
    hy_debug debug;
    assert_int_equal(hy_debug_init(&debug, hy_libc(), NULL), HY_OK);
    things it;
    hy_typed_handles_init(&it, hy_debug_allocator(&debug), hy_debug_allocator(&debug));
    hy_handle handle = make(&it, 0);
    for (int i = 1; i < 50; i++)
        make(&it, i);
    hy_handles_destroy(&it.handles, handle);
    end(&it);
    assert_null(hy_typed_handles_get(&it, handle));
    make(&it, 1); /* and it can be used again */
    end(&it);
    assert_int_equal(hy_debug_deinit(&debug, NULL), HY_OK);
}

static void clearing_leaves_handles_stale(void **state) {
    (void)state;
    hy_counting objects = HY_COUNTING_INIT(hy_libc());
    things it;
    hy_typed_handles_init(&it, hy_counting_allocator(&objects), hy_libc());
    hy_handle before[20];
    for (int i = 0; i < 20; i++)
        before[i] = make(&it, i);
    hy_handles_clear(&it.handles);
    assert_int_equal(objects.counts.live_bytes, 0);
    assert_int_equal(hy_handles_count(&it.handles), 0);
    assert_true(hy_handles_check(&it.handles));
    for (int i = 0; i < 20; i++)
        make(&it, 100 + i);
    for (int i = 0; i < 20; i++)
        assert_null(hy_typed_handles_get(&it, before[i]));
    end(&it);
}

/* Every handle that a slot has ever had, against every later state of it. */
static void each_earlier_handle_of_a_slot_is_stale(void **state) {
    (void)state;
    enum { LIVES = 200 };
    things it;
    start(&it);
    hy_handle had[LIVES];
    for (int i = 0; i < LIVES; i++) {
        had[i] = make(&it, i);
        for (int j = 0; j <= i; j++)
            assert_int_equal(hy_typed_handles_get(&it, had[j]) != NULL, j == i);
        assert_true(hy_handles_destroy(&it.handles, had[i]));
        for (int j = 0; j <= i; j++)
            assert_null(hy_typed_handles_get(&it, had[j]));
    }
    assert_int_equal(it.handles.used, 1);
    end(&it);
}

static void objects_without_bytes(void) {
    hy_handles it;
    hy_handles_init(&it, hy_libc(), hy_libc(), 0, HY_ALIGN_1);
}

static void wrong_arguments_are_told(void **state) {
    (void)state;
    assert_dies_saying(objects_without_bytes, "the size of an object, above 0");
}

static void the_walk_sees_damage(void **state) {
    (void)state;
    things it;
    start(&it);
    make(&it, 1);
    hy_handle gone = make(&it, 2);
    hy_handles_destroy(&it.handles, gone);
    assert_true(hy_handles_check(&it.handles));
    hy_handle_slot *slots = it.handles.slots, live = slots[0], empty = slots[1];
    slots[0].generation++;
    assert_false(hy_handles_check(&it.handles));
    slots[0] = live;
    slots[1].next_free = 1; /* a ring */
    assert_false(hy_handles_check(&it.handles));
    slots[1].next_free = 0;
    assert_false(hy_handles_check(&it.handles));
    slots[1] = empty;
    it.handles.first_free = HY_HANDLE_NO_SLOT; /* a slot that is lost */
    assert_false(hy_handles_check(&it.handles));
    it.handles.first_free = 1;
    it.handles.count++;
    assert_false(hy_handles_check(&it.handles));
    it.handles.count--;
    it.handles.used = 17; /* beyond the table */
    assert_false(hy_handles_check(&it.handles));
    it.handles.used = 2;
    it.handles.first_free = 0; /* one that lives */
    assert_false(hy_handles_check(&it.handles));
    it.handles.first_free = 2; /* one that was never used */
    assert_false(hy_handles_check(&it.handles));
    it.handles.first_free = 1;
    it.handles.slots[1].generation = 0; /* in the list, so it is not retired */
    assert_true(hy_handles_check(&it.handles));
    it.handles.first_free = HY_HANDLE_NO_SLOT;
    assert_true(hy_handles_check(&it.handles)); /* as one that is retired */
    it.handles.first_free = 1;
    end(&it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_handle_is_told),
        cmocka_unit_test(what_never_was_a_handle_is_none),
        cmocka_unit_test(a_slot_is_retired_before_its_generations_repeat),
        cmocka_unit_test(iteration_meets_each_that_lives),
        cmocka_unit_test(growing_moves_no_object),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(a_table_has_an_end),
        cmocka_unit_test(deinit_gives_everything_back),
        cmocka_unit_test(clearing_leaves_handles_stale),
        cmocka_unit_test(each_earlier_handle_of_a_slot_is_stale),
        cmocka_unit_test(wrong_arguments_are_told),
        cmocka_unit_test(the_walk_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
