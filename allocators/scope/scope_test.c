/* scope_test.c: what is ambient on every way out of a block, what runs there and in which order. */
#include "allocators/conformance/dies.h"
#include <heapyard/arena.h>
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/scope.h>
#include <heapyard/sweep.h>
#include <heapyard/typed.h>
#include <pthread.h>

/* ---- the ambient allocator ---- */

static bool is_ambient(hy_allocator allocator) {
    hy_allocator ambient = hy_ambient();
    return ambient.self == allocator.self && ambient.vtable->alloc == allocator.vtable->alloc;
}

static void the_default_is_ambient_outside(void **state) {
    (void)state;
    assert_true(is_ambient(hy_libc()));
    const hy_allocator none = hy_null();
    hy_set_default(&none);
    assert_true(is_ambient(none));
    assert_null(hy_ambient_alloc(1));
    hy_set_default(NULL);
    assert_true(is_ambient(hy_libc()));
}

static void blocks_nest(void **state) {
    (void)state;
    hy_counting outer = HY_COUNTING_INIT(hy_libc()), inner = HY_COUNTING_INIT(hy_libc());
    HY_USING(hy_counting_allocator(&outer)) {
        assert_true(is_ambient(hy_counting_allocator(&outer)));
        HY_USING(hy_counting_allocator(&inner)) {
            assert_true(is_ambient(hy_counting_allocator(&inner)));
        }
        assert_true(is_ambient(hy_counting_allocator(&outer)));
    }
    assert_true(is_ambient(hy_libc()));
}

static int returns_from_within(hy_allocator allocator) {
    HY_USING(allocator) {
        return is_ambient(allocator) ? 7 : 0;
    }
    return 0;
}

static void leaves_by_goto(hy_allocator allocator) {
    HY_USING(allocator) {
        if (is_ambient(allocator)) goto out;
        fail();
    }
out:
    assert_true(is_ambient(hy_libc()));
}

static void every_way_out_restores(void **state) {
    (void)state;
    assert_int_equal(returns_from_within(hy_null()), 7);
    assert_true(is_ambient(hy_libc()));
    leaves_by_goto(hy_null());
    int turns = 0;
    for (int i = 0; i < 3; i++) {
        HY_USING(hy_null()) {
            if (i == 0) break;
            if (i == 1) continue;
            turns += 10;
        }
        assert_true(is_ambient(hy_libc()));
        turns++;
    }
    assert_int_equal(turns, 13); /* both leave the block only */
    for (int i = 0; i < 3; i++) {
        HY_USING_FROM_HERE(hy_null());
        assert_true(is_ambient(hy_null()));
        if (i == 1) break;
        turns++;
    }
    assert_int_equal(turns, 14); /* here break leaves the loop */
    assert_true(is_ambient(hy_libc()));
}

static jmp_buf place;

static void jumps_out(void) {
    HY_USING(hy_null()) {
        longjmp(place, 1);
    }
}

static void a_longjmp_is_told_of_by_a_mark(void **state) {
    (void)state;
    hy_ambient_mark mark = hy_ambient_save();
    if (setjmp(place) == 0) jumps_out();
    assert_true(is_ambient(hy_null()));
    hy_ambient_restore(&mark);
    assert_true(is_ambient(hy_libc()));
}

static void *what_is_ambient(void *seen) {
    *(hy_allocator *)seen = hy_ambient();
    return NULL;
}

static void each_thread_has_its_own(void **state) {
    (void)state;
    hy_allocator seen = hy_null();
    HY_USING(hy_null()) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, what_is_ambient, &seen), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_true(seen.vtable->alloc == hy_libc().vtable->alloc);
}

static void sizeless_calls_go_to_the_ambient_one(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_USING(hy_counting_allocator(&counting)) {
        char *text = hy_ambient_alloc(6);
        memcpy(text, "hello", 6);
        text = hy_ambient_realloc(text, 600);
        assert_string_equal(text, "hello");
        assert_int_equal(counting.counts.live_bytes, 600 + 16);
        char *zeroes = hy_ambient_calloc(10, 10);
        for (int i = 0; i < 100; i++)
            assert_int_equal(zeroes[i], 0);
        assert_null(hy_ambient_calloc(SIZE_MAX / 2, 3));
        hy_ambient_free(zeroes);
        hy_ambient_free(text);
        hy_ambient_free(NULL);
    }
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_int_equal(counting.counts.alloc_count, 2);
}

static void frees_under_another_scope(void) {
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    void *block = hy_ambient_alloc(10);
    HY_USING(hy_arena_allocator(&arena)) {
        hy_ambient_free(block);
    }
}

static void reallocates_behind_its_scope(void) {
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    void *block = NULL;
    HY_USING(hy_arena_allocator(&arena)) {
        block = hy_ambient_alloc(10);
    }
    if (hy_ambient_realloc(block, 20)) _exit(0);
}

static void uses_nothing(void) {
    hy_allocator zeroes = {NULL, NULL};
    HY_USING(zeroes) {
        fail();
    }
}

static void a_free_under_another_scope_is_told(void **state) {
    (void)state;
    assert_dies_saying(frees_under_another_scope, "made in another scope");
    assert_dies_saying(reallocates_behind_its_scope, "made in another scope");
    assert_dies_saying(uses_nothing, "HY_USING");
}

/* ---- what runs on the way out ---- */

static char said[32];

static void say(void *word) {
    strncat(said, word, sizeof said - strlen(said) - 1);
}

/* Each way out, by number. */
static int leave(int way) {
    said[0] = '\0';
    HY_DEFER(say, "1");
    for (int i = 0; i < 2; i++) {
        HY_DEFER(say, "2");
        HY_DEFER(say, "3");
        if (way == 0) return (int)strlen(said);
        if (way == 1) break;
        if (way == 2) continue;
        if (way == 3) goto out;
    }
out:
    say("-");
    return 0;
}

static void the_last_one_runs_first_on_every_way_out(void **state) {
    (void)state;
    assert_int_equal(leave(0), 0); /* what is returned is computed before */
    assert_string_equal(said, "321");
    leave(1);
    assert_string_equal(said, "32-1");
    leave(2);
    assert_string_equal(said, "3232-1");
    leave(3);
    assert_string_equal(said, "32-1");
}

static void an_argument_is_taken_as_it_is_then(void **state) {
    (void)state;
    said[0] = '\0';
    {
        char *word = "before";
        HY_DEFER(say, word);
        word = "after";
        (void)word;
    }
    assert_string_equal(said, "before");
}

static bool failed;

static void fails(void *word) {
    say(word);
    failed = true;
}

static void what_fails_on_the_way_out_stops_nothing(void **state) {
    (void)state;
    said[0] = '\0';
    failed = false;
    {
        HY_DEFER(say, "1");
        HY_DEFER(fails, "2");
        HY_DEFER(say, "3");
    }
    assert_string_equal(said, "321");
    assert_true(failed);
}

static hy_error end(hy_error error, bool forgets) {
    said[0] = '\0';
    HY_ERROR_SCOPE();
    HY_DEFER(say, "a");
    HY_ERRDEFER(say, "e");
    if (forgets) return HY_OK;
    return HY_RESULT(error);
}

static void a_scope_ends_in_error_unless_it_says_otherwise(void **state) {
    (void)state;
    assert_int_equal(end(HY_OK, false), HY_OK);
    assert_string_equal(said, "a");
    assert_int_equal(end(HY_INVALID, false), HY_INVALID);
    assert_string_equal(said, "ea");
    end(HY_OK, true);
    assert_string_equal(said, "ea");
}

static int inner_and_outer(bool inner_is_good, bool outer_is_good) {
    said[0] = '\0';
    HY_ERROR_SCOPE();
    HY_ERRDEFER(say, "o");
    {
        HY_ERROR_SCOPE();
        HY_ERRDEFER(say, "i");
        if (inner_is_good) HY_SUCCEED();
    }
    if (!outer_is_good) return 0;
    return HY_SUCCESS(1);
}

static void scopes_of_errors_nest(void **state) {
    (void)state;
    assert_int_equal(inner_and_outer(true, true), 1);
    assert_string_equal(said, "");
    inner_and_outer(false, true);
    assert_string_equal(said, "i");
    inner_and_outer(true, false);
    assert_string_equal(said, "o");
}

typedef struct pair {
    int *left, *right;
} pair;

/* Makes a pair, of which each part can be refused. */
static hy_error make_pair(hy_allocator allocator, pair *out) {
    HY_ERROR_SCOPE();
    int *left = hy_create(allocator, int);
    if (!left) return HY_OUT_OF_MEMORY;
    HY_ERRDEFER_DESTROY(allocator, left);
    int *right = hy_create(allocator, int);
    if (!right) return HY_OUT_OF_MEMORY;
    HY_ERRDEFER_DESTROY(allocator, right);
    char *scratch = hy_alloc_n(allocator, char, 100);
    if (!scratch) return HY_OUT_OF_MEMORY;
    HY_DEFER_FREE(allocator, scratch, 100, HY_ALIGN_1);
    *out = (pair){left, right};
    return HY_SUCCESS(HY_OK);
}

static hy_error make_and_destroy(hy_allocator allocator, void *argument) {
    (void)argument;
    pair it;
    hy_error error = make_pair(allocator, &it);
    if (error != HY_OK) return error;
    hy_destroy(allocator, it.left);
    hy_destroy(allocator, it.right);
    return HY_OK;
}

static void blocks_are_freed_where_it_ends_in_error(void **state) {
    (void)state;
    hy_sweep_report report;
    assert_int_equal(
        hy_check_all_allocation_failures(make_and_destroy, hy_libc(), NULL, &report), HY_SWEEP_OK);
    assert_int_equal(report.alloc_count, 3);
}

/* ---- managed values ---- */

typedef struct thing {
    char *name;
} thing;

static void thing_drop(thing *it) {
    if (it->name) say(it->name);
}

static thing moved_on_return(void) {
    HY_MANAGED(thing_drop) thing first = {"1"};
    HY_MANAGED(thing_drop) thing second = {"2"};
    (void)first;
    return HY_MOVE(second);
}

static void managed_values_end_with_their_block_unless_moved(void **state) {
    (void)state;
    said[0] = '\0';
    {
        HY_MANAGED(thing_drop) thing first = {"1"};
        HY_MANAGED(thing_drop) thing second = {"2"};
        (void)first, (void)second;
    }
    assert_string_equal(said, "21");
    said[0] = '\0';
    thing kept = moved_on_return();
    assert_string_equal(said, "1");
    assert_string_equal(kept.name, "2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_ambient_outside),
        cmocka_unit_test(blocks_nest),
        cmocka_unit_test(every_way_out_restores),
        cmocka_unit_test(a_longjmp_is_told_of_by_a_mark),
        cmocka_unit_test(each_thread_has_its_own),
        cmocka_unit_test(sizeless_calls_go_to_the_ambient_one),
        cmocka_unit_test(a_free_under_another_scope_is_told),
        cmocka_unit_test(the_last_one_runs_first_on_every_way_out),
        cmocka_unit_test(an_argument_is_taken_as_it_is_then),
        cmocka_unit_test(what_fails_on_the_way_out_stops_nothing),
        cmocka_unit_test(a_scope_ends_in_error_unless_it_says_otherwise),
        cmocka_unit_test(scopes_of_errors_nest),
        cmocka_unit_test(blocks_are_freed_where_it_ends_in_error),
        cmocka_unit_test(managed_values_end_with_their_block_unless_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
