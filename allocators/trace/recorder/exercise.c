/* exercise.c: a program that calls every function of the malloc family, for the tests of the recorder.
 *
 *   exercise calls      each function, with known sizes
 *   exercise threads    four threads that hand blocks over and end
 *   exercise fork       a child that frees its parent's block, and ends by _exit
 *   exercise vfork      a vfork child that execs `true`
 *   exercise close      closes every descriptor, reuses their numbers, and keeps allocating
 *   exercise signals    a signal handler that allocates, 2,000 times
 *   exercise kill       is killed by SIGKILL while its threads allocate
 *   exercise exec       becomes `exercise calls`
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Hides from the compiler what happens to a block, so that it keeps the calls. */
static void *volatile sink;

static void *keep(void *block) {
    sink = block;
    return sink;
}

static int fail(const char *what) {
    (void)fprintf(stderr, "exercise: %s\n", what);
    return 1;
}

/* 24 operations; the buffer of standard output is one more. */
static int calls(void) {
    free(keep(malloc(1001)));
    free(keep(calloc(7, 143)));
    void *block = keep(realloc(NULL, 1002));
    block = keep(realloc(block, 100200));
    free(block);
    block = keep(reallocarray(NULL, 17, 59));
    free(block);
    free(keep(memalign(64, 1004)));
    free(keep(aligned_alloc(128, 1280)));
    if (posix_memalign(&block, 4096, 1006) != 0) return fail("posix_memalign");
    if ((uintptr_t)block % 4096 != 0) return fail("alignment");
    free(keep(block));
    free(keep(valloc(1007)));
    free(keep(pvalloc(1008)));
    errno = 0;
    if (keep(malloc(SIZE_MAX / 2))) return fail("malloc of half the address space");
    if (errno != ENOMEM) return fail("errno of a refused malloc");
    errno = 77;
    free(keep(malloc(1009)));
    if (errno != 77) return fail("errno is not kept");
    block = keep(malloc(1010));
    block = keep(realloc(block, 0));
    (void)puts("calls done");
    return 0;
}

#define HANDED 20000
#define THREADS 4

static _Atomic(void *) handed[64];

/* Each thread swaps its blocks into shared places and frees the blocks that it finds there. */
static void *swap_blocks(void *context) {
    uint64_t state = (uint64_t)(uintptr_t)context + 1;
    for (int i = 0; i < HANDED; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        char *block = malloc(1 + (state >> 40) % 500);
        if (!block) return NULL;
        block[0] = 1;
        if (i % 5 == 0) block = realloc(block, 700);
        free(atomic_exchange(&handed[(state >> 33) % 64], block));
    }
    return NULL;
}

static int threads(void) {
    for (int round = 0; round < 3; round++) {
        pthread_t workers[THREADS];
        for (int i = 0; i < THREADS; i++) {
            if (pthread_create(&workers[i], NULL, swap_blocks, (void *)(uintptr_t)(round * 10 + i)) != 0) {
                return fail("pthread_create");
            }
        }
        for (int i = 0; i < THREADS; i++)
            (void)pthread_join(workers[i], NULL);
    }
    for (int i = 0; i < 64; i++)
        free(handed[i]);
    (void)puts("threads done");
    return 0;
}

static int in_child(void) {
    void *block = keep(malloc(2001));
    pid_t child = fork();
    if (child == 0) {
        free(block);
        free(keep(malloc(2002)));
        _exit(9);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return fail("fork");
    free(block);
    (void)printf("child exited with %d\n", WEXITSTATUS(status));
    return 5;
}

static int in_vfork(void) {
    void *block = keep(malloc(2001));
    (void)fflush(stdout);
    pid_t child = vfork();
    if (child == 0) {
        (void)execlp("true", "true", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return fail("vfork");
    free(block);
    (void)printf("vfork child exited with %d\n", WEXITSTATUS(status));
    return 0;
}

/* Enough operations for the spool to be extended several times, while the program's own files have the
 * number of the recorder's descriptor. */
static int close_all(void) {
    struct rlimit limit;
    int greatest =
        getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096 ? (int)limit.rlim_cur : 4096;
    for (int file = 3; file < greatest; file++)
        (void)close(file);
    int own = open("/dev/null", O_WRONLY);
    for (int file = 3; file < 1024; file++) {
        if (file != own) (void)dup2(own, file);
    }
    for (int i = 0; i < 400000; i++)
        free(keep(malloc(16)));
    (void)printf("lowest file was %d\n", own);
    return 0;
}

static volatile sig_atomic_t signals;

static void allocate_in_handler(int number) {
    (void)number;
    /* Safe although malloc is not async-signal-safe: in_handler blocks the signal around its own calls. */
    free(keep(malloc(3001)));
    signals++;
}

static int in_handler(void) {
    struct sigaction action = {.sa_handler = allocate_in_handler};
    (void)sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {.it_interval = {.tv_usec = 50}, .it_value = {.tv_usec = 50}};
    (void)setitimer(ITIMER_REAL, &often, NULL);
    sigset_t alarms, old;
    (void)sigemptyset(&alarms);
    (void)sigaddset(&alarms, SIGALRM);
    while (signals < 2000) {
        (void)sigprocmask(SIG_BLOCK, &alarms, &old);
        for (int i = 0; i < 10; i++)
            free(keep(malloc(3002)));
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &alarms, &old);
    (void)puts("signals done");
    return 0;
}

static void *kill_in_the_middle(void *context) {
    (void)context;
    for (int i = 0; i < 50000; i++)
        free(atomic_exchange(&handed[i % 64], malloc(100)));
    (void)kill(getpid(), SIGKILL);
    return NULL;
}

static int be_killed(void) {
    pthread_t workers[THREADS];
    (void)puts("about to be killed");
    (void)fflush(stdout);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&workers[i], NULL, kill_in_the_middle, NULL) != 0) return fail("pthread_create");
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i], NULL);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "calls") == 0) return calls();
    if (strcmp(what, "threads") == 0) return threads();
    if (strcmp(what, "fork") == 0) return in_child();
    if (strcmp(what, "vfork") == 0) return in_vfork();
    if (strcmp(what, "close") == 0) return close_all();
    if (strcmp(what, "signals") == 0) return in_handler();
    if (strcmp(what, "kill") == 0) return be_killed();
    if (strcmp(what, "exec") == 0) {
        free(keep(malloc(4001)));
        (void)execl("/proc/self/exe", argv[0], "calls", (char *)NULL);
    }
    return fail("calls, threads, fork, vfork, close, signals, kill or exec");
}
