/* thread_slot_test.c: slots of threads that live at once, and of one after the other. */
#include <heapyard/thread_slot.h>
#include <pthread.h>

#include "allocators/conformance/dies.h"

#define MANY (2 * HY_THREAD_SLOTS)

typedef struct owner {
    pthread_t thread;
    uint32_t slot, again;
    pthread_barrier_t *all_have_one;
} owner;

static void *own(void *argument) {
    owner *self = argument;
    self->slot = hy_thread_slot_take();
    if (self->all_have_one) pthread_barrier_wait(self->all_have_one);
    self->again = hy_thread_slot_take();
    return NULL;
}

static void run(owner *owners, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&owners[i].thread, NULL, own, &owners[i]), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(owners[i].thread, NULL), 0);
}

static void threads_that_live_have_different_slots(void **state) {
    (void)state;
    uint32_t mine = hy_thread_slot_take();
    assert_true(mine > 0 && mine < HY_THREAD_SLOTS);
    assert_int_equal(hy_thread_slot, mine);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, MANY);
    owner owners[MANY];
    for (size_t i = 0; i < MANY; i++)
        owners[i] = (owner){.all_have_one = &barrier};
    run(owners, MANY);
    pthread_barrier_destroy(&barrier);

    /* All slots but 0 and this thread's were taken, each by one; the other threads had none. */
    size_t owned[HY_THREAD_SLOTS] = {0};
    owned[mine] = 1;
    for (size_t i = 0; i < MANY; i++) {
        assert_true(owners[i].slot < HY_THREAD_SLOTS);
        /* Who had none may have found one that had come free. */
        if (owners[i].slot) assert_int_equal(owners[i].again, owners[i].slot);
        owned[owners[i].slot]++;
    }
    assert_int_equal(owned[0], MANY - (HY_THREAD_SLOTS - 2));
    for (size_t slot = 1; slot < HY_THREAD_SLOTS; slot++)
        assert_int_equal(owned[slot], 1);
}

static void a_slot_is_used_again(void **state) {
    (void)state;
    uint32_t first = 0;
    for (size_t i = 0; i < MANY; i++) {
        owner one = {0};
        run(&one, 1);
        assert_true(one.slot > 0);
        if (i == 0) first = one.slot;
        assert_int_equal(one.slot, first);
    }
}

/* What a thread does after its slot was given back: another key's destructor, which runs later because
 * pthread goes through all keys once more for it. */
static pthread_key_t late_key;
static uint32_t slot_at_the_end = 1, taken_at_the_end = 1;

static void end_late(void *round) {
    if (round != &late_key) {
        pthread_setspecific(late_key, &late_key);
        return;
    }
    slot_at_the_end = hy_thread_slot;
    taken_at_the_end = hy_thread_slot_take();
}

static void *end_twice(void *argument) {
    pthread_setspecific(late_key, argument);
    return (void *)(uintptr_t)hy_thread_slot_take();
}

static void an_ending_thread_takes_none(void **state) {
    (void)state;
    assert_int_equal(pthread_key_create(&late_key, end_late), 0);
    pthread_t thread;
    void *slot;
    assert_int_equal(pthread_create(&thread, NULL, end_twice, &slot_at_the_end), 0);
    assert_int_equal(pthread_join(thread, &slot), 0);
    assert_non_null(slot);
    assert_int_equal(slot_at_the_end, 0);
    assert_int_equal(taken_at_the_end, 0);
    pthread_key_delete(late_key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_live_have_different_slots),
        cmocka_unit_test(a_slot_is_used_again),
        cmocka_unit_test(an_ending_thread_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
