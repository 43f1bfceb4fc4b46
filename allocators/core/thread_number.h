/* thread_number.h: a small number for each thread, in the order in which threads are first seen.
 *
 * Numbers begin at 0 and are never used again, also after their thread has ended, so that a record
 * of calls can name a thread by its number. Cost: one load from thread-local storage.
 */
#ifndef HEAPYARD_CORE_THREAD_NUMBER_H
#define HEAPYARD_CORE_THREAD_NUMBER_H

#include <heapyard/config.h>

/* 0: not yet asked for; else the thread's number + 1. */
extern _Thread_local uint32_t hy_thread_number_plus_one __attribute__((tls_model("initial-exec")));

HY_COLD uint32_t hy_thread_number_take(void);

/* How many numbers were given out: those below. */
uint32_t hy_thread_numbers_taken(void);

HY_INLINE uint32_t hy_thread_number(void) {
    uint32_t known = hy_thread_number_plus_one;
    return HY_LIKELY(known != 0) ? known - 1 : hy_thread_number_take();
}

#endif
