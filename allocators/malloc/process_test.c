/* process_test.c: the malloc family in what happens to processes: constructors, threads that come and go,
 * fork, signals, libraries that are loaded and unloaded, limits. Over glibc's malloc and ours, as
 * semantics_test.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Resident bytes, without an allocation. */
static size_t resident(void) {
    char text[128] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    char *rest;
    (void)strtoul(text, &rest, 10);
    return strtoul(rest, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Blocks of many sizes, each filled; `count` of them live at once. */
static void churn(unsigned seed, int rounds) {
    enum { COUNT = 64 };
    void *blocks[COUNT] = {NULL};
    for (int i = 0; i < rounds; i++) {
        seed = seed * 1103515245u + 12345u;
        unsigned at = seed >> 16 & (COUNT - 1);
        size_t size = (seed >> 8 & 255) == 0 ? (seed >> 12) % 200000 : (seed >> 12) % 3000;
        free(blocks[at]);
        blocks[at] = malloc(size);
        if (blocks[at]) memset(blocks[at], (int)seed, size);
    }
    for (int at = 0; at < COUNT; at++)
        free(blocks[at]);
}

/* Runs it in a child, which has 20 seconds; its exit status, or -1 where it ended otherwise. */
static int in_child(int (*run)(void)) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        _exit(run());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- before main ---- */

static char *from_constructor;

__attribute__((constructor)) static void early(void) {
    from_constructor = malloc(100);
    if (from_constructor) strcpy(from_constructor, "early");
    free(calloc(3, 1000));
}

static void constructors_allocate(void **state) {
    (void)state;
    assert_non_null(from_constructor);
    assert_string_equal(from_constructor, "early");
    free(from_constructor);
}

/* ---- threads ---- */

#define MAILBOXES 64
static _Atomic(void *) mailboxes[MAILBOXES];

/* Leaves blocks to whoever comes later, and frees what somebody left. */
static void *leave_and_take(void *argument) {
    unsigned number = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < MAILBOXES; i++) {
        char *block = malloc(16 + (number * 37 + i * 101) % 4000);
        if (block) block[0] = 1;
        free(atomic_exchange(&mailboxes[i], block));
    }
    churn(number, 100);
    return NULL;
}

static void run_threads(int count, int at_once, void *(*run)(void *)) {
    pthread_t threads[256];
    for (int begun = 0; begun < count; begun += at_once) {
        for (int i = 0; i < at_once; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)(begun + i)), 0);
        for (int i = 0; i < at_once; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void threads_that_end_leave_no_growth(void **state) {
    (void)state;
    run_threads(500, 50, leave_and_take);
    size_t before = resident();
    run_threads(3000, 50, leave_and_take);
    size_t after = resident();
    assert_true(after < before + (8 << 20));
    for (int i = 0; i < MAILBOXES; i++)
        free(atomic_exchange(&mailboxes[i], NULL));
}

static pthread_barrier_t barrier;

static void *work_together(void *argument) {
    pthread_barrier_wait(&barrier);
    return leave_and_take(argument);
}

static void many_threads_at_once(void **state) {
    (void)state;
    enum { COUNT = 200 };
    pthread_barrier_init(&barrier, NULL, COUNT);
    run_threads(COUNT, COUNT, work_together);
    pthread_barrier_destroy(&barrier);
}

/* Keys made late are destroyed after those of the allocator, and may do so several times. */
static pthread_key_t late_key;
static atomic_int late_ends;

static void end_late(void *value) {
    int rounds = *(int *)value;
    churn(7, 300);
    free(value);
    int *next = malloc(sizeof *next);
    *next = rounds + 1;
    atomic_fetch_add(&late_ends, 1);
    if (rounds < 2)
        pthread_setspecific(late_key, next);
    else
        free(next);
}

static void *set_late_key(void *argument) {
    (void)argument;
    int *value = malloc(sizeof *value);
    *value = 0;
    pthread_setspecific(late_key, value);
    churn(3, 100);
    return NULL;
}

static void destructors_of_keys_allocate(void **state) {
    (void)state;
    assert_int_equal(pthread_key_create(&late_key, end_late), 0);
    run_threads(200, 20, set_late_key);
    assert_int_equal(atomic_load(&late_ends), 600);
    pthread_key_delete(late_key);
}

/* ---- fork ---- */

static atomic_bool forking_ends;

static void *churn_until_told(void *argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    while (!atomic_load(&forking_ends))
        churn(seed++, 100);
    return NULL;
}

#define CHURNING 2
static pthread_t churning[CHURNING];

static int begin_churn(void **state) {
    (void)state;
    for (int i = 0; i < CHURNING; i++)
        assert_int_equal(pthread_create(&churning[i], NULL, churn_until_told, (void *)(uintptr_t)i), 0);
    return 0;
}

static void *before_fork;

static void *churn_once(void *argument) {
    (void)argument;
    churn(9, 50);
    return NULL;
}

/* The other threads are gone in it, in whatever they were doing. */
static int use_after_fork(void) {
    pthread_t thread;
    free(before_fork);
    churn((unsigned)getpid(), 100);
    if (pthread_create(&thread, NULL, churn_once, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    malloc_trim(0);
    return 0;
}

static void children_of_a_process_with_threads_allocate(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        before_fork = malloc(100 + (size_t)i * 50);
        assert_int_equal(in_child(use_after_fork), 0);
        free(before_fork);
    }
}

static int end_churn(void **state) {
    (void)state;
    atomic_store(&forking_ends, true);
    for (int i = 0; i < CHURNING; i++)
        pthread_join(churning[i], NULL);
    return 0;
}

/* ---- signals ---- */

static volatile sig_atomic_t ticks;

static void on_tick(int number) {
    (void)number;
    int errno_before = errno;
    churn((unsigned)ticks, 50);
    errno = errno_before;
    ticks++;
}

/* glibc's malloc may be called from a handler where the program was not in it; ours too. */
static void handlers_allocate(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_tick}, old;
    struct itimerval each_ms = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &each_ms, NULL), 0);
    while (ticks < 50)
        pause();
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    churn(1, 1000);
}

/* ---- libraries ---- */

static void *work_in_module(void *work) {
    void (*run)(void);
    memcpy(&run, &work, sizeof run);
    run();
    return NULL;
}

static void load_and_unload(void) {
    void *module = dlopen(HY_TEST_MODULE, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, work_in_module, dlsym(module, "module_work")), 0);
    pthread_join(thread, NULL);
    assert_int_equal(dlclose(module), 0);
}

static void libraries_come_and_go(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++)
        load_and_unload();
    size_t before = resident();
    for (int i = 0; i < 300; i++)
        load_and_unload();
    assert_true(resident() < before + (4 << 20));
}

/* The operators find the C++ runtime where it was not there at start. */
static void a_late_cplusplus_runtime_is_found(void **state) {
    (void)state;
    void *module = dlopen(HY_TEST_LATE_RUNTIME, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    int (*late_new)(void);
    void *address = dlsym(module, "late_new");
    memcpy(&late_new, &address, sizeof address);
    assert_int_equal(late_new(), 0);
    dlclose(module);
}

/* ---- limits ---- */

#define LIMIT_BYTES ((size_t)1 << 30)
#define BLOCK_BYTES ((size_t)1 << 20)

/* In a process that began under the limit. */
static int fill_address_space(void) {
    static void *blocks[2048];
    size_t count = 0, again = 0;
    errno = 0;
    while (count < 2048 && (blocks[count] = malloc(BLOCK_BYTES)) != NULL)
        memset(blocks[count++], 1, 4096);
    if (count == 2048 || errno != ENOMEM) return 2;
    if (count * BLOCK_BYTES < LIMIT_BYTES / 8) return 3;
    if (realloc(blocks[0], LIMIT_BYTES) || errno != ENOMEM) return 4;
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
    while (again < count && (blocks[again] = malloc(BLOCK_BYTES)) != NULL)
        again++;
    if (again != count) return 5;
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
    churn(5, 1000);
    return 0;
}

static int start_under_limit(void) {
    struct rlimit limit = {LIMIT_BYTES, LIMIT_BYTES};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 10;
    execl("/proc/self/exe", "process_test", "fill", (char *)NULL);
    return 11;
}

static void refusals_under_a_limit_are_survived(void **state) {
    (void)state;
    assert_int_equal(in_child(start_under_limit), 0);
}

/* What the limit leaves must do for stacks and files, too. */
static int use_rest_of_address_space(void) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        if (pthread_create(&threads[i], NULL, churn_once, NULL) != 0) return 2;
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static int start_threads_under_limit(void) {
    struct rlimit limit = {LIMIT_BYTES, LIMIT_BYTES};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return 10;
    execl("/proc/self/exe", "process_test", "threads", (char *)NULL);
    return 11;
}

static void the_limit_leaves_room_for_threads(void **state) {
    (void)state;
    assert_int_equal(in_child(start_threads_under_limit), 0);
}

int main(int count, char **arguments) {
    if (count > 1)
        return strcmp(arguments[1], "fill") == 0 ? fill_address_space() : use_rest_of_address_space();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constructors_allocate),
        cmocka_unit_test_setup_teardown(children_of_a_process_with_threads_allocate, begin_churn, end_churn),
        cmocka_unit_test(threads_that_end_leave_no_growth),
        cmocka_unit_test(many_threads_at_once),
        cmocka_unit_test(destructors_of_keys_allocate),
        cmocka_unit_test(handlers_allocate),
        cmocka_unit_test(libraries_come_and_go),
        cmocka_unit_test(a_late_cplusplus_runtime_is_found),
        cmocka_unit_test(refusals_under_a_limit_are_survived),
        cmocka_unit_test(the_limit_leaves_room_for_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
