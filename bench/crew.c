/* crew.c: threads that start and end a piece of work together. */
#include "bench/crew.h"
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
    hy_crew *crew;
    pthread_t thread;
    uint32_t index;
} worker;

struct hy_crew {
    uint32_t threads;
    bool pinned;
    _Atomic uint32_t spins; /* before a waiter yields */
    cpu_set_t cores;        /* the caller's, before it was pinned */
    worker workers[HY_THREADS_MAX];
    hy_crew_task task; /* NULL with a new call: go home */
    void *context;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t call; /* counts pieces of work announced */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t ready;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t start; /* counts pieces of work begun */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t finished;
    _Alignas(HY_CACHE_LINE) _Atomic uint64_t last_end_ns;
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t met; /* threads that wait at the meeting place */
    _Alignas(HY_CACHE_LINE) _Atomic uint32_t partings;
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

static void relax(hy_crew *crew, uint32_t spins) {
    if (spins >= atomic_load_explicit(&crew->spins, memory_order_relaxed)) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Spins until the word is no longer `old`. */
static void spin_while(hy_crew *crew, _Atomic uint32_t *word, uint32_t old) {
    for (uint32_t spins = 0; atomic_load_explicit(word, memory_order_acquire) == old; spins++)
        relax(crew, spins);
}

static void spin_until(hy_crew *crew, _Atomic uint32_t *word, uint32_t wanted) {
    for (uint32_t spins = 0; atomic_load_explicit(word, memory_order_acquire) != wanted; spins++)
        relax(crew, spins);
}

/* As spin_while, but sleeps where it takes long. */
static void wait_while(hy_crew *crew, _Atomic uint32_t *word, uint32_t old) {
    uint32_t spins = 0;
    while (atomic_load_explicit(word, memory_order_acquire) == old) {
        uint32_t most = atomic_load_explicit(&crew->spins, memory_order_relaxed) + YIELDS_BEFORE_SLEEP;
        if (++spins < most) {
            relax(crew, spins);
        } else {
            syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
        }
    }
}

static void note_end(hy_crew *crew) {
    uint64_t now = hy_clock_ns();
    uint64_t last = atomic_load(&crew->last_end_ns);
    while (last < now && !atomic_compare_exchange_weak(&crew->last_end_ns, &last, now)) {
    }
    atomic_fetch_add_explicit(&crew->finished, 1, memory_order_release);
}

static void *work(void *argument) {
    worker *self = argument;
    hy_crew *crew = self->crew;
    for (uint32_t call = 0;; call++) {
        wait_while(crew, &crew->call, call);
        if (!crew->task) return NULL;
        atomic_fetch_add_explicit(&crew->ready, 1, memory_order_release);
        spin_while(crew, &crew->start, call);
        crew->task(crew->context, self->index);
        note_end(crew);
    }
}

static void announce(hy_crew *crew, hy_crew_task task, void *context) {
    crew->task = task;
    crew->context = context;
    atomic_store(&crew->ready, 0);
    atomic_store(&crew->finished, 0);
    atomic_store(&crew->last_end_ns, 0);
    atomic_fetch_add_explicit(&crew->call, 1, memory_order_release);
    syscall(SYS_futex, &crew->call, FUTEX_WAKE_PRIVATE, HY_THREADS_MAX, NULL, NULL, 0);
}

hy_crew *hy_crew_start(uint32_t threads) {
    hy_crew *crew = hy_alloc(hy_libc(), sizeof *crew, hy_align_of(hy_crew));
    if (!crew) return NULL;
    memset(crew, 0, sizeof *crew);
    atomic_store(&crew->spins, SPINS_SHARED);
    for (crew->threads = 1; crew->threads < threads; crew->threads++) {
        worker *next = &crew->workers[crew->threads];
        *next = (worker){.crew = crew, .index = crew->threads};
        if (pthread_create(&next->thread, NULL, work, next) == 0) continue;
        hy_crew_stop(crew);
        return NULL;
    }
    return crew;
}

/* With one thread the two readings of the clock stand around the task and nothing else. */
static uint64_t run_alone(hy_crew_task task, void *context) {
    uint64_t start = hy_cpu_clock_ns();
    task(context, 0);
    return hy_cpu_clock_ns() - start;
}

uint64_t hy_crew_run(hy_crew *crew, hy_crew_task task, void *context) {
    if (crew->threads == 1) return run_alone(task, context);
    announce(crew, task, context);
    spin_until(crew, &crew->ready, crew->threads - 1);
    uint64_t start = hy_clock_ns();
    atomic_fetch_add_explicit(&crew->start, 1, memory_order_release);
    task(context, 0);
    note_end(crew);
    spin_until(crew, &crew->finished, crew->threads);
    return atomic_load(&crew->last_end_ns) - start;
}

bool hy_crew_meet(hy_crew *crew) {
    /* Nobody parts before all have met, so this reads what all of them will wait for to change. */
    uint32_t partings = atomic_load_explicit(&crew->partings, memory_order_relaxed);
    uint32_t met = atomic_fetch_add_explicit(&crew->met, 1, memory_order_acq_rel) + 1;
    if (met == crew->threads) return true;
    spin_while(crew, &crew->partings, partings);
    return false;
}

void hy_crew_part(hy_crew *crew) {
    atomic_store_explicit(&crew->met, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&crew->partings, 1, memory_order_release);
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

/* As far apart as they go: neighbours may be two halves of one core. */
void hy_crew_pin(hy_crew *crew) {
    if (crew->threads == 1 || crew->pinned) return;
    if (pthread_getaffinity_np(pthread_self(), sizeof crew->cores, &crew->cores) != 0) return;
    uint32_t step = (uint32_t)CPU_COUNT(&crew->cores) / crew->threads;
    if (step == 0) return;
    crew->pinned = true;
    atomic_store(&crew->spins, SPINS_PINNED);
    pin_one(pthread_self(), core_at(&crew->cores, 0));
    for (uint32_t i = 1; i < crew->threads; i++)
        pin_one(crew->workers[i].thread, core_at(&crew->cores, i * step));
}

uint32_t hy_crew_threads(const hy_crew *crew) {
    return crew->threads;
}

void hy_crew_stop(hy_crew *crew) {
    announce(crew, NULL, NULL);
    for (uint32_t i = 1; i < crew->threads; i++)
        pthread_join(crew->workers[i].thread, NULL);
    if (crew->pinned) pthread_setaffinity_np(pthread_self(), sizeof crew->cores, &crew->cores);
    hy_free(hy_libc(), crew, sizeof *crew, hy_align_of(hy_crew));
}
