/* schedule_points.h: announces each atomic access and each lock of the library to a scheduler, in builds for
 * it.
 *
 * With HY_SCHEDULES=ON the build includes this before every file of the library and of its rows; no source
 * names it, and no other build sees it. The builtins for atomic accesses, and what is used of pthread, become
 * macros: a point where another thread may come in, then the access itself, which may order threads
 * (fuzz/races.h). An address stands twice in them, so it must have no effect. Where nobody defines the
 * scheduler (fuzz/schedule.c does), or it does not run, everything is as without.
 */
#ifndef HEAPYARD_CORE_SCHEDULE_POINTS_H
#define HEAPYARD_CORE_SCHEDULE_POINTS_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* Whether a fibre of the scheduler runs. The functions below are only called then. */
extern bool hy_schedule_runs __attribute__((weak));

/* Another fibre may run now. where: "file:line", a constant. */
void hy_schedule_point(const char *where) __attribute__((weak));
/* As the functions of pthread, sched.h and os.h that they are named after. */
int hy_schedule_mutex_lock(pthread_mutex_t *mutex, const char *where) __attribute__((weak));
int hy_schedule_mutex_unlock(pthread_mutex_t *mutex, const char *where) __attribute__((weak));
int hy_schedule_once(pthread_once_t *once, void (*function)(void)) __attribute__((weak));
int hy_schedule_setspecific(pthread_key_t key, const void *value) __attribute__((weak));
void hy_schedule_yield(const char *where) __attribute__((weak));
void hy_schedule_wait(uint32_t *word, uint32_t value) __attribute__((weak));
void hy_schedule_wake(uint32_t *word) __attribute__((weak));
void hy_schedule_system(bool takes) __attribute__((weak));
/* Called whether or not it runs: the scheduler ends threads, too. */
void hy_schedule_key_created(pthread_key_t key, void (*destructor)(void *)) __attribute__((weak));

#define HY_SCHEDULE_TEXT_OF(line) #line
#define HY_SCHEDULE_TEXT(line) HY_SCHEDULE_TEXT_OF(line)
#define HY_SCHEDULE_WHERE __FILE__ ":" HY_SCHEDULE_TEXT(__LINE__)

static inline bool hy_schedule_is_on(void) {
    return &hy_schedule_runs && hy_schedule_runs;
}

static inline void hy_schedule_at(const char *where) {
    if (hy_schedule_is_on()) hy_schedule_point(where);
}

/* What orders threads, and what is no race, though several access it. */
typedef enum hy_schedule_access {
    HY_SCHEDULE_LOADS,
    HY_SCHEDULE_STORES,
    HY_SCHEDULE_CHANGES,    /* both at once */
    HY_SCHEDULE_CHANGES_NOT /* would have, had the value been the expected one */
} hy_schedule_access;

void hy_schedule_accesses(const volatile void *address, size_t size, hy_schedule_access access, int order)
    __attribute__((weak));

/* A point, then an atomic access that is about to be made. */
static inline void hy_schedule_atomic(
    const char *where, const volatile void *address, size_t size, hy_schedule_access access, int order) {
    if (!hy_schedule_is_on()) return;
    hy_schedule_point(where);
    hy_schedule_accesses(address, size, access, order);
}

/* A compare-exchange that was made. */
static inline bool hy_schedule_swapped(
    bool swapped, const volatile void *address, size_t size, int order, int failed_order) {
    if (hy_schedule_is_on())
        hy_schedule_accesses(address, size, swapped ? HY_SCHEDULE_CHANGES : HY_SCHEDULE_CHANGES_NOT,
            swapped ? order : failed_order);
    return swapped;
}

#define HY_SCHEDULE_ATOMIC(access, at, order, what)                                                          \
    (hy_schedule_atomic(HY_SCHEDULE_WHERE, at, sizeof *(at), access, order), what)
#define HY_SCHEDULE_SWAP(at, order, failed_order, what)                                                      \
    hy_schedule_swapped((hy_schedule_at(HY_SCHEDULE_WHERE), what), at, sizeof *(at), order, failed_order)

#define __atomic_load_n(at, order)                                                                           \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_LOADS, at, order, __atomic_load_n(at, order))
#define __atomic_store_n(at, value, order)                                                                   \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_STORES, at, order, __atomic_store_n(at, value, order))
#define __atomic_exchange_n(at, value, order)                                                                \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_exchange_n(at, value, order))
#define __atomic_fetch_add(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_fetch_add(at, value, order))
#define __atomic_fetch_sub(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_fetch_sub(at, value, order))
#define __atomic_fetch_or(at, value, order)                                                                  \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_fetch_or(at, value, order))
#define __atomic_fetch_and(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_fetch_and(at, value, order))
#define __atomic_add_fetch(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_add_fetch(at, value, order))
#define __atomic_sub_fetch(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __atomic_sub_fetch(at, value, order))
#define __atomic_compare_exchange_n(at, expected, wanted, weak, order, failed)                               \
    HY_SCHEDULE_SWAP(                                                                                        \
        at, order, failed, __atomic_compare_exchange_n(at, expected, wanted, weak, order, failed))
/* What clang's <stdatomic.h> comes down to. */
#define __c11_atomic_load(at, order)                                                                         \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_LOADS, at, order, __c11_atomic_load(at, order))
#define __c11_atomic_store(at, value, order)                                                                 \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_STORES, at, order, __c11_atomic_store(at, value, order))
#define __c11_atomic_exchange(at, value, order)                                                              \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __c11_atomic_exchange(at, value, order))
#define __c11_atomic_fetch_add(at, value, order)                                                             \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __c11_atomic_fetch_add(at, value, order))
#define __c11_atomic_fetch_sub(at, value, order)                                                             \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __c11_atomic_fetch_sub(at, value, order))
#define __c11_atomic_fetch_or(at, value, order)                                                              \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __c11_atomic_fetch_or(at, value, order))
#define __c11_atomic_fetch_and(at, value, order)                                                             \
    HY_SCHEDULE_ATOMIC(HY_SCHEDULE_CHANGES, at, order, __c11_atomic_fetch_and(at, value, order))
#define __c11_atomic_compare_exchange_weak(at, expected, wanted, order, failed)                              \
    HY_SCHEDULE_SWAP(                                                                                        \
        at, order, failed, __c11_atomic_compare_exchange_weak(at, expected, wanted, order, failed))
#define __c11_atomic_compare_exchange_strong(at, expected, wanted, order, failed)                            \
    HY_SCHEDULE_SWAP(                                                                                        \
        at, order, failed, __c11_atomic_compare_exchange_strong(at, expected, wanted, order, failed))

#define pthread_mutex_lock(mutex)                                                                            \
    (hy_schedule_is_on() ? hy_schedule_mutex_lock(mutex, HY_SCHEDULE_WHERE) : (pthread_mutex_lock)(mutex))
#define pthread_mutex_unlock(mutex)                                                                          \
    (hy_schedule_is_on() ? hy_schedule_mutex_unlock(mutex, HY_SCHEDULE_WHERE) : (pthread_mutex_unlock)(mutex))
#define pthread_once(once, function)                                                                         \
    (hy_schedule_is_on() ? hy_schedule_once(once, function) : (pthread_once)(once, function))
#define pthread_setspecific(key, value)                                                                      \
    (hy_schedule_is_on() ? hy_schedule_setspecific(key, value) : (pthread_setspecific)(key, value))
#define pthread_key_create(key, destructor) hy_schedule_key_create(key, destructor)
#define sched_yield() (hy_schedule_is_on() ? (hy_schedule_yield(HY_SCHEDULE_WHERE), 0) : (sched_yield)())

/* What one thread gives back to the system, another one may get. */
#define mmap(...) (hy_schedule_system_if(true), mmap(__VA_ARGS__))
#define munmap(...) (hy_schedule_system_if(false), munmap(__VA_ARGS__))
#define mremap(...) (hy_schedule_system_if(true), hy_schedule_system_if(false), mremap(__VA_ARGS__))

static inline void hy_schedule_system_if(bool takes) {
    if (hy_schedule_is_on()) hy_schedule_system(takes);
}

static inline int hy_schedule_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    int failed = (pthread_key_create)(key, destructor);
    if (!failed && hy_schedule_key_created) hy_schedule_key_created(*key, destructor);
    return failed;
}

/* Fibres are threads, though the process has one. */
#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define __libc_single_threaded (!hy_schedule_is_on() && __libc_single_threaded)
#endif
#endif

/* A lock's wait for the system (os.h), but for the file that defines it. */
#ifndef HY_SCHEDULE_OS
void hy_schedule_os_wait(uint32_t *word, uint32_t value) __asm__("hy_os_wait");
void hy_schedule_os_wake(uint32_t *word) __asm__("hy_os_wake");

static inline void hy_schedule_wait_or_os(uint32_t *word, uint32_t value) {
    if (hy_schedule_is_on())
        hy_schedule_wait(word, value);
    else
        hy_schedule_os_wait(word, value);
}

static inline void hy_schedule_wake_or_os(uint32_t *word) {
    if (hy_schedule_is_on())
        hy_schedule_wake(word);
    else
        hy_schedule_os_wake(word);
}

#define hy_os_wait hy_schedule_wait_or_os
#define hy_os_wake hy_schedule_wake_or_os
#endif

#endif
