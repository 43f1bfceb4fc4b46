/* thread_safe.c: a mutex around any child.
 *
 * For: sharing an allocator that is for one thread where calls are few, or the child expensive. Not for: many
 *   threads that allocate all the time, which wait for each other here: a child that is thread-safe by
 *   itself (libc, page, fixed_buffer's shared view) serves them better.
 * Algorithm: lock, the child's call, unlock. The mutex is the system's: a futex word of our own was
 *   quicker alone, but tools know pthread's (lock order, waiters, owners).
 * Cost: a call through the vtable, a lock and an unlock. Overhead per block: none.
 * Thread-safe: yes, whatever the child. Fork: see the header.
 * Source: Zig's ThreadSafeAllocator.
 */
#include <heapyard/thread_safe.h>

hy_error hy_thread_safe_init(hy_thread_safe *shared, hy_allocator child) {
    hy_require_child(child, "hy_thread_safe_init");
    shared->child = child;
    return pthread_mutex_init(&shared->mutex, NULL) == 0 ? HY_OK : HY_OUT_OF_MEMORY;
}

void hy_thread_safe_deinit(hy_thread_safe *shared) {
    int failed = pthread_mutex_destroy(&shared->mutex);
    (void)failed;
    HY_ASSERT(failed == 0, "a thread still holds the mutex");
}
