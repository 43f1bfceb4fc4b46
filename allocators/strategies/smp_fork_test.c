/* smp_fork_test.c: forks, exits and signals in a process whose threads allocate all the time. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define SLOW (HY_ASAN || HY_TSAN)
#define THREADS 2
#define FORKS (SLOW ? 30 : 200)

static struct {
    hy_smp_heap *heap; /* beside the process's */
    _Atomic bool is_over;
} busy;

/* One block of the process's heap and one of the other, of every class, and one larger each. */
static void allocate_all_classes(void) {
    for (uint32_t number = 1; number <= HY_SMP_CLASS_COUNT; number++) {
        size_t size = number < HY_SMP_CLASS_COUNT ? hy_smp_class_size(number) : 100 * KIB;
        char *here = hy_smp_alloc(size, HY_ALIGN_8), *there = hy_smp_heap_alloc(busy.heap, size, HY_ALIGN_8);
        if (!here || !there) abort();
        here[size - 1] = there[size - 1] = 1;
        hy_smp_free(here, size, HY_ALIGN_8);
        hy_smp_heap_free(busy.heap, there, size, HY_ALIGN_8);
    }
}

static void *be_busy(void *argument) {
    for (unsigned round = 0; !atomic_load(&busy.is_over); round++) {
        allocate_all_classes();
        if (round % 16 != 0) continue;
        (void)hy_smp_trim(busy.heap);
        (void)hy_smp_trim(&hy_smp_process_heap);
    }
    return argument;
}

static void begin_threads(hy_smp_heap *heap, pthread_t *threads) {
    busy.heap = heap;
    atomic_store(&busy.is_over, false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy, NULL), 0);
}

static void end_threads(pthread_t *threads) {
    atomic_store(&busy.is_over, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void go_on_in_child(void) {
    allocate_all_classes();
    _exit(hy_smp_check(busy.heap) && hy_smp_check(&hy_smp_process_heap) ? 0 : 1);
}

static void children_of_a_busy_process_allocate(void **state) {
    pthread_t threads[THREADS];
    begin_threads(*state, threads);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(60); /* a lock that nobody holds any more */
            go_on_in_child();
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    end_threads(threads);
    assert_true(hy_smp_check(&hy_smp_process_heap));
}

/* A child's child, and a heap that the child begins itself. */
static void fork_again(void) {
    hy_smp_heap own = HY_SMP_HEAP_INIT;
    if (hy_smp_init(&own) != HY_OK) _exit(2);
    char *kept = hy_smp_heap_alloc(&own, 100, HY_ALIGN_8);
    pid_t child = fork();
    if (child == 0) {
        kept[0] = 1;
        hy_smp_heap_free(&own, kept, 100, HY_ALIGN_8);
        if (!hy_smp_check(&own)) _exit(3);
        hy_smp_deinit(&own);
        go_on_in_child();
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) _exit(4);
    hy_smp_deinit(&own);
    _exit(WEXITSTATUS(status));
}

static void children_have_children(void **state) {
    busy.heap = *state;
    assert_exits_saying(0, fork_again, "");
}

/* ---- exit ---- */

static void allocate_at_exit(void) {
    allocate_all_classes();
}

static void exit_while_busy(void) {
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    if (hy_smp_init(&heap) != HY_OK) _exit(2);
    pthread_t threads[THREADS];
    busy.heap = &heap;
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, be_busy, NULL) != 0 || pthread_detach(threads[i]) != 0)
            _exit(3);
    }
    atexit(allocate_at_exit);
    allocate_all_classes();
    exit(7);
}

static void a_process_exits_while_its_threads_allocate(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_exits_saying(7, exit_while_busy, "");
}

/* ---- signals ---- */

static void allocate_in_handler(int number) {
    (void)number;
    allocate_all_classes();
}

/* Sent while the program is not in the heap: as far as libc's malloc allows it too. */
static void handlers_allocate(void **state) {
    busy.heap = *state;
    struct sigaction action = {.sa_handler = allocate_in_handler}, before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    for (int i = 0; i < 20; i++) {
        allocate_all_classes();
        assert_int_equal(raise(SIGUSR1), 0);
    }
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_int_equal(stats_of(*state).live_blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        smp_test(children_of_a_busy_process_allocate),
        smp_test(children_have_children),
        cmocka_unit_test(a_process_exits_while_its_threads_allocate),
        smp_test(handlers_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
