/* lock_test.c: one holder at a time, and nobody who waits is forgotten. */
#include "allocators/conformance/dies.h"
#include "allocators/core/lock.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS 8
#define ROUNDS (HY_TSAN || HY_ASAN ? 5000 : 100000)

/* Written under the lock alone, by plain stores: ThreadSanitizer tells where two hold it at once. */
static struct {
    hy_lock lock;
    size_t count, twice;
    bool is_held;
} shared;

static void *count_up(void *argument) {
    for (size_t i = 0; i < ROUNDS; i++) {
        hy_lock_take(&shared.lock);
        if (shared.is_held) abort();
        shared.is_held = true;
        shared.count++;
        shared.twice += 2;
        shared.is_held = false;
        hy_lock_release(&shared.lock);
    }
    return argument;
}

static void one_thread_at_a_time_has_it(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.count, (size_t)THREADS * ROUNDS);
    assert_int_equal(shared.twice, 2 * shared.count);
    assert_int_equal(shared.lock.state, 0);
}

/* ---- sleeping ---- */

static struct {
    hy_lock lock;
    _Atomic int got;
} sleepers;

static void *sleep_for_it(void *argument) {
    hy_lock_take(&sleepers.lock);
    atomic_fetch_add(&sleepers.got, 1);
    hy_lock_release(&sleepers.lock);
    return argument;
}

static void wait_ms(long ms) {
    const struct timespec time = {0, ms * 1000000};
    nanosleep(&time, NULL);
}

/* All sleep when it is given back, once; each wakes the next. */
static void all_who_sleep_get_it(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    hy_lock_take(&sleepers.lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_for_it, NULL), 0);
    for (int i = 0; i < 200 && __atomic_load_n(&sleepers.lock.state, __ATOMIC_RELAXED) != 2; i++)
        wait_ms(10);
    assert_int_equal(__atomic_load_n(&sleepers.lock.state, __ATOMIC_RELAXED), 2);
    wait_ms(20);
    assert_int_equal(atomic_load(&sleepers.got), 0);
    hy_lock_release(&sleepers.lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&sleepers.got), THREADS);
    assert_int_equal(sleepers.lock.state, 0);
}

/* ---- the system's part ---- */

static uint32_t word = 1;

static void *wake_later(void *argument) {
    wait_ms(50);
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
    hy_os_wake(&word);
    return argument;
}

static void a_wait_ends_by_a_wake(void **state) {
    (void)state;
    pthread_t thread;
    hy_os_wait(&word, 7); /* another value stands there: returns at once */
    assert_int_equal(pthread_create(&thread, NULL, wake_later, NULL), 0);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 1)
        hy_os_wait(&word, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    hy_os_wake(&word); /* nobody sleeps */
}

static void who_holds_it_is_told(void **state) {
    (void)state;
    hy_lock lock = {0};
    assert_false(hy_lock_is_held(&lock));
    hy_lock_take(&lock);
    assert_true(hy_lock_is_held(&lock));
    hy_lock_release(&lock);
    assert_false(hy_lock_is_held(&lock));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_has_it),
        cmocka_unit_test(all_who_sleep_get_it),
        cmocka_unit_test(a_wait_ends_by_a_wake),
        cmocka_unit_test(who_holds_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
