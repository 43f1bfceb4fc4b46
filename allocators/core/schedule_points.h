/* schedule_points.h: announces each atomic access and each lock of the library to a scheduler, in builds for
 * it.
 *
 * With HY_SCHEDULES=ON the build includes this before every file of the library and of its rows; no source
 * names it, and no other build sees it. The builtins for atomic accesses, and what is used of pthread, become
 * macros: a point where another thread may come in, then the access itself. Where nobody defines the
 * scheduler (fuzz/schedule.c does), or it does not run, everything is as without.
 */
#ifndef HEAPYARD_CORE_SCHEDULE_POINTS_H
#define HEAPYARD_CORE_SCHEDULE_POINTS_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

#define HY_SCHEDULE_THEN(access) (hy_schedule_at(HY_SCHEDULE_WHERE), access)

#define __atomic_load_n(...) HY_SCHEDULE_THEN(__atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) HY_SCHEDULE_THEN(__atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) HY_SCHEDULE_THEN(__atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) HY_SCHEDULE_THEN(__atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) HY_SCHEDULE_THEN(__atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) HY_SCHEDULE_THEN(__atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_or(...) HY_SCHEDULE_THEN(__atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...) HY_SCHEDULE_THEN(__atomic_fetch_and(__VA_ARGS__))
#define __atomic_add_fetch(...) HY_SCHEDULE_THEN(__atomic_add_fetch(__VA_ARGS__))
#define __atomic_sub_fetch(...) HY_SCHEDULE_THEN(__atomic_sub_fetch(__VA_ARGS__))
/* What clang's <stdatomic.h> comes down to. */
#define __c11_atomic_load(...) HY_SCHEDULE_THEN(__c11_atomic_load(__VA_ARGS__))
#define __c11_atomic_store(...) HY_SCHEDULE_THEN(__c11_atomic_store(__VA_ARGS__))
#define __c11_atomic_exchange(...) HY_SCHEDULE_THEN(__c11_atomic_exchange(__VA_ARGS__))
#define __c11_atomic_compare_exchange_weak(...)                                                              \
    HY_SCHEDULE_THEN(__c11_atomic_compare_exchange_weak(__VA_ARGS__))
#define __c11_atomic_compare_exchange_strong(...)                                                            \
    HY_SCHEDULE_THEN(__c11_atomic_compare_exchange_strong(__VA_ARGS__))
#define __c11_atomic_fetch_add(...) HY_SCHEDULE_THEN(__c11_atomic_fetch_add(__VA_ARGS__))
#define __c11_atomic_fetch_sub(...) HY_SCHEDULE_THEN(__c11_atomic_fetch_sub(__VA_ARGS__))
#define __c11_atomic_fetch_or(...) HY_SCHEDULE_THEN(__c11_atomic_fetch_or(__VA_ARGS__))
#define __c11_atomic_fetch_and(...) HY_SCHEDULE_THEN(__c11_atomic_fetch_and(__VA_ARGS__))

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
