/* pthread.h: for a system without threads, so that what is written for threads runs there by one: a thread
 * that is created runs at once, to its end. What runs must not wait for another. */
#ifndef HEAPYARD_WASM_PTHREAD_H
#define HEAPYARD_WASM_PTHREAD_H

#include <stddef.h>

typedef void *pthread_t;
typedef struct pthread_once_t {
    int is_done;
} pthread_once_t;
typedef struct pthread_mutex_t {
    int is_held;
} pthread_mutex_t;
typedef struct pthread_key_t {
    int unused;
} pthread_key_t;

#define PTHREAD_ONCE_INIT                                                                                    \
    { 0 }
#define PTHREAD_MUTEX_INITIALIZER                                                                            \
    { 0 }

static inline int pthread_create(
    pthread_t *thread, const void *attributes, void *(*run)(void *), void *argument) {
    (void)attributes;
    *thread = run(argument);
    return 0;
}

static inline int pthread_join(pthread_t thread, void **result) {
    if (result) *result = thread;
    return 0;
}

static inline int pthread_once(pthread_once_t *once, void (*run)(void)) {
    if (!once->is_done) run();
    once->is_done = 1;
    return 0;
}

/* Taking one that is held would be for ever. */
static inline int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    if (mutex->is_held) return 16; /* EBUSY */
    mutex->is_held = 1;
    return 0;
}

static inline int pthread_mutex_lock(pthread_mutex_t *mutex) {
    if (pthread_mutex_trylock(mutex) != 0) __builtin_trap();
    return 0;
}

static inline int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    mutex->is_held = 0;
    return 0;
}

static inline int pthread_mutex_init(pthread_mutex_t *mutex, const void *attributes) {
    (void)attributes;
    mutex->is_held = 0;
    return 0;
}

static inline int pthread_mutex_destroy(pthread_mutex_t *mutex) {
    (void)mutex;
    return 0;
}

/* No thread ends but the last. */
static inline int pthread_key_create(pthread_key_t *key, void (*end)(void *)) {
    (void)key, (void)end;
    return 0;
}

static inline int pthread_setspecific(pthread_key_t key, const void *value) {
    (void)key, (void)value;
    return 0;
}

static inline int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
    (void)before, (void)parent, (void)child;
    return 0;
}

#endif
