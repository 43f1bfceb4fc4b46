/* thread_team.c: threads that start and end a piece of work together. */
#include "bench/thread_team.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Looks at a word before a waiter gives its core away: many where the core is its own. */
#define SPINS_PINNED 65536
#define SPINS_SHARED 64
/* Times that it gives its core away before it goes to sleep. */
#define YIELDS_BEFORE_SLEEP 256

typedef struct worker {
    hy_thread_team *team;
    pthread_t thread;
    uint32_t index;
} worker;

struct hy_thread_team {
    uint32_t threads;
    bool pinned;
    _Atomic uint32_t spins; /* before a waiter yields */
    cpu_set_t cores;        /* the caller's, before it was pinned */
    worker workers[HY_THREADS_MAX];
    hy_thread_team_task task; /* NULL with a new call: end */
    void *context;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t call; /* counts pieces of work announced */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t ready;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t start; /* counts pieces of work begun */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t finished;
    _Alignas(HY_CACHE_LINE) _Atomic uint64_t last_end_ns;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t arrived; /* threads that wait at the barrier */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t releases;
};

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t hy_clock_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t hy_cpu_clock_ns(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void relax(hy_thread_team *team, uint32_t spins) {
    if (spins >= atomic_load_explicit(&team->spins, memory_order_relaxed)) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Spins until the word is no longer `old`. */
static void spin_while(hy_thread_team *team, _Atomic uint32_t *word, uint32_t old) {
    for (uint32_t spins = 0; atomic_load_explicit(word, memory_order_acquire) == old; spins++)
        relax(team, spins);
}

static void spin_until(hy_thread_team *team, _Atomic uint32_t *word, uint32_t wanted) {
    for (uint32_t spins = 0; atomic_load_explicit(word, memory_order_acquire) != wanted; spins++)
        relax(team, spins);
}

/* As spin_while, but sleeps where it takes long. */
static void wait_while(hy_thread_team *team, _Atomic uint32_t *word, uint32_t old) {
    uint32_t spins = 0;
    while (atomic_load_explicit(word, memory_order_acquire) == old) {
        uint32_t most = atomic_load_explicit(&team->spins, memory_order_relaxed) + YIELDS_BEFORE_SLEEP;
        if (++spins < most) {
            relax(team, spins);
        } else {
            syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
        }
    }
}

static void note_end(hy_thread_team *team) {
    uint64_t now = hy_clock_ns();
    uint64_t last = atomic_load(&team->last_end_ns);
    while (last < now && !atomic_compare_exchange_weak(&team->last_end_ns, &last, now)) {
    }
    atomic_fetch_add_explicit(&team->finished, 1, memory_order_release);
}

static void *work(void *argument) {
    worker *self = argument;
    hy_thread_team *team = self->team;
    for (uint32_t call = 0;; call++) {
        wait_while(team, &team->call, call);
        if (!team->task) return NULL;
        atomic_fetch_add_explicit(&team->ready, 1, memory_order_release);
        spin_while(team, &team->start, call);
        team->task(team->context, self->index);
        note_end(team);
    }
}

static void announce(hy_thread_team *team, hy_thread_team_task task, void *context) {
    team->task = task;
    team->context = context;
    atomic_store(&team->ready, 0);
    atomic_store(&team->finished, 0);
    atomic_store(&team->last_end_ns, 0);
    atomic_fetch_add_explicit(&team->call, 1, memory_order_release);
    syscall(SYS_futex, &team->call, FUTEX_WAKE_PRIVATE, HY_THREADS_MAX, NULL, NULL, 0);
}

hy_thread_team *hy_thread_team_start(uint32_t threads) {
    hy_thread_team *team = hy_alloc(hy_libc(), sizeof *team, hy_align_of(hy_thread_team));
    if (!team) return NULL;
    memset(team, 0, sizeof *team);
    atomic_store(&team->spins, SPINS_SHARED);
    for (team->threads = 1; team->threads < threads; team->threads++) {
        worker *next = &team->workers[team->threads];
        *next = (worker){.team = team, .index = team->threads};
        if (pthread_create(&next->thread, NULL, work, next) == 0) continue;
        hy_thread_team_stop(team);
        return NULL;
    }
    return team;
}

/* With one thread the two readings of the clock stand around the task and nothing else. */
static uint64_t run_alone(hy_thread_team_task task, void *context) {
    uint64_t start = hy_cpu_clock_ns();
    task(context, 0);
    return hy_cpu_clock_ns() - start;
}

uint64_t hy_thread_team_run(hy_thread_team *team, hy_thread_team_task task, void *context) {
    if (team->threads == 1) return run_alone(task, context);
    announce(team, task, context);
    spin_until(team, &team->ready, team->threads - 1);
    uint64_t start = hy_clock_ns();
    atomic_fetch_add_explicit(&team->start, 1, memory_order_release);
    task(context, 0);
    note_end(team);
    spin_until(team, &team->finished, team->threads);
    return atomic_load(&team->last_end_ns) - start;
}

bool hy_thread_team_barrier(hy_thread_team *team) {
    /* No thread is released before all have arrived, so all of them wait for the same value to change. */
    uint32_t releases = atomic_load_explicit(&team->releases, memory_order_relaxed);
    uint32_t arrived = atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) + 1;
    if (arrived == team->threads) return true;
    spin_while(team, &team->releases, releases);
    return false;
}

void hy_thread_team_release(hy_thread_team *team) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&team->releases, 1, memory_order_release);
}

/* The `wanted`-th core of the set. */
static size_t core_at(const cpu_set_t *cores, uint32_t wanted) {
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, cores) && wanted-- == 0) return core;
    }
    return 0;
}

static void pin_one(pthread_t thread, size_t core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(thread, sizeof one, &one);
}

/* As far apart as they go: cores with adjacent numbers may be two hardware threads of one. */
void hy_thread_team_pin(hy_thread_team *team) {
    if (team->threads == 1 || team->pinned) return;
    if (pthread_getaffinity_np(pthread_self(), sizeof team->cores, &team->cores) != 0) return;
    uint32_t step = (uint32_t)CPU_COUNT(&team->cores) / team->threads;
    if (step == 0) return;
    team->pinned = true;
    atomic_store(&team->spins, SPINS_PINNED);
    pin_one(pthread_self(), core_at(&team->cores, 0));
    for (uint32_t i = 1; i < team->threads; i++)
        pin_one(team->workers[i].thread, core_at(&team->cores, i * step));
}

uint32_t hy_thread_team_threads(const hy_thread_team *team) {
    return team->threads;
}

void hy_thread_team_stop(hy_thread_team *team) {
    announce(team, NULL, NULL);
    for (uint32_t i = 1; i < team->threads; i++)
        pthread_join(team->workers[i].thread, NULL);
    if (team->pinned) pthread_setaffinity_np(pthread_self(), sizeof team->cores, &team->cores);
    hy_free(hy_libc(), team, sizeof *team, hy_align_of(hy_thread_team));
}
