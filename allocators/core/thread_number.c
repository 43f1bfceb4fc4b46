/* thread_number.c: hands out the numbers. */
#include "allocators/core/thread_number.h"
#include <stdatomic.h>

_Thread_local uint32_t hy_thread_number_plus_one __attribute__((tls_model("initial-exec")));

static _Atomic uint32_t numbers_taken;

uint32_t hy_thread_number_take(void) {
    uint32_t number = atomic_fetch_add_explicit(&numbers_taken, 1, memory_order_relaxed);
    hy_thread_number_plus_one = number + 1;
    return number;
}

uint32_t hy_thread_numbers_taken(void) {
    return atomic_load_explicit(&numbers_taken, memory_order_relaxed);
}
