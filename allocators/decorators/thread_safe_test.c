/* thread_safe_test.c: threads share what is for one of them. */
#include "allocators/conformance/dies.h"
#include <heapyard/arena.h>
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/thread_safe.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 5000, HELD = 8 };

/* All four slots; each thread's blocks keep what it wrote. */
static void *churn(void *argument) {
    hy_allocator gpa = *(hy_allocator *)argument;
    char *held[HELD] = {NULL};
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t slot = i % HELD, size = 16 + 8 * slot;
        if (held[slot]) assert_int_equal(held[slot][size - 1], (char)(i - HELD));
        hy_free(gpa, held[slot], size, HY_ALIGN_8);
        held[slot] = hy_alloc(gpa, size / 2, HY_ALIGN_8);
        assert_non_null(held[slot]);
        if (!hy_resize(gpa, held[slot], size / 2, size, HY_ALIGN_8)) {
            held[slot] = hy_realloc(gpa, held[slot], size / 2, size, HY_ALIGN_8);
            assert_non_null(held[slot]);
        }
        memset(held[slot], (char)i, size);
    }
    for (size_t slot = 0; slot < HELD; slot++)
        hy_free(gpa, held[slot], 16 + 8 * slot, HY_ALIGN_8);
    return NULL;
}

static void run_threads(hy_allocator gpa) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &gpa), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Without the mutex the plain counters lose additions. */
static void a_counting_child_counts_every_call(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_thread_safe shared = HY_THREAD_SAFE_INIT(hy_counting_allocator(&counting));
    run_threads(hy_thread_safe_allocator(&shared));
    assert_true(counting.counts.alloc_count >= THREADS * ROUNDS);
    assert_int_equal(counting.counts.alloc_count, counting.counts.free_count);
    assert_int_equal(counting.counts.live_bytes, 0);
    assert_true(hy_counts_check(&counting.counts));
    hy_thread_safe_deinit(&shared);
}

static void an_arena_is_shared(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_thread_safe shared;
    assert_int_equal(hy_thread_safe_init(&shared, hy_arena_allocator(&arena)), HY_OK);
    run_threads(hy_thread_safe_allocator(&shared));
    assert_true(hy_arena_check(&arena));
    hy_thread_safe_deinit(&shared);
    hy_arena_deinit(&arena);
}

static void what_the_child_answers_comes_through(void **state) {
    (void)state;
    hy_thread_safe shared = HY_THREAD_SAFE_INIT(hy_null());
    hy_allocator gpa = hy_thread_safe_allocator(&shared);
    char bytes[2];
    assert_null(hy_alloc(gpa, 8, HY_ALIGN_8));
    assert_false(hy_resize(gpa, bytes, 1, 2, HY_ALIGN_1));
    assert_null(hy_remap(gpa, bytes, 1, 2, HY_ALIGN_1));
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    shared.child = hy_counting_allocator(&counting);
    void *ptr = hy_alloc(gpa, 100, HY_ALIGN_64);
    assert_true(hy_align_check_pointer(ptr, HY_ALIGN_64));
    assert_true(hy_resize(gpa, ptr, 100, 60, HY_ALIGN_64));
    hy_free(gpa, ptr, 60, HY_ALIGN_64);
    assert_int_equal(counting.counts.resize_count, 1);
    assert_int_equal(counting.counts.live_bytes, 0);
}

/* A reset between lock and unlock meets no other thread's call: what a thread allocates under the lock is
 * there until it gives it back. */
static hy_arena reset_arena;
static hy_thread_safe reset_shared;

static void *request(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        hy_thread_safe_lock(&reset_shared);
        char *text = hy_alloc(reset_shared.child, 64, HY_ALIGN_1);
        memset(text, *(const char *)argument, 64);
        char first = text[0], last = text[63];
        bool kept = hy_arena_reset(&reset_arena, HY_ARENA_RETAIN_CAPACITY, 0);
        hy_thread_safe_unlock(&reset_shared);
        assert_true(kept);
        assert_int_equal(first, last);
    }
    return NULL;
}

static void other_operations_go_under_the_lock(void **state) {
    (void)state;
    assert_int_equal(hy_arena_init(&reset_arena, hy_libc(), NULL), HY_OK);
    assert_int_equal(hy_thread_safe_init(&reset_shared, hy_arena_allocator(&reset_arena)), HY_OK);
    pthread_t threads[2];
    char letters[2] = {'a', 'b'};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, request, &letters[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    hy_thread_safe_deinit(&reset_shared);
    hy_arena_deinit(&reset_arena);
}

static hy_counting forked_counting;
static hy_thread_safe forked;
static bool forking_ends;

static void lock_forked(void) {
    hy_thread_safe_lock(&forked);
}

static void unlock_forked(void) {
    hy_thread_safe_unlock(&forked);
}

/* Holds the lock nearly all the time. */
static void *allocate_on(void *argument) {
    hy_allocator gpa = hy_thread_safe_allocator(&forked);
    while (!__atomic_load_n(&forking_ends, __ATOMIC_RELAXED))
        hy_free(gpa, hy_alloc(gpa, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
    return argument;
}

/* The alarm ends a process that waits for a lock which nobody will give back. */
static void allocate_after_fork(void) {
    alarm(20);
    hy_allocator gpa = hy_thread_safe_allocator(&forked);
    hy_free(gpa, hy_alloc(gpa, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
    _exit(0);
}

static void a_fork_under_the_lock_leaves_it_usable(void **state) {
    (void)state;
    hy_counting_init(&forked_counting, hy_libc());
    assert_int_equal(hy_thread_safe_init(&forked, hy_counting_allocator(&forked_counting)), HY_OK);
    assert_int_equal(pthread_atfork(lock_forked, unlock_forked, unlock_forked), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, allocate_on, NULL), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(status_of_child(allocate_after_fork, STDERR_FILENO), 0);
    __atomic_store_n(&forking_ends, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counting_child_counts_every_call),
        cmocka_unit_test(an_arena_is_shared),
        cmocka_unit_test(what_the_child_answers_comes_through),
        cmocka_unit_test(other_operations_go_under_the_lock),
        cmocka_unit_test(a_fork_under_the_lock_leaves_it_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
