/* heapyard/thread_safe.h: a mutex around any child, so that many threads can share it.
 *
 *   hy_arena arena = HY_ARENA_INIT(hy_page());
 *   hy_thread_safe shared = HY_THREAD_SAFE_INIT(hy_arena_allocator(&arena));
 *   start_threads(hy_thread_safe_allocator(&shared));
 *
 * Each of the four calls holds the mutex while the child works: one thread at a time, and what one wrote
 * is seen by the next. All that the child reaches below it is covered too, as long as nobody reaches it by
 * another way. What is no allocator call (a reset, a statistic, a walk) goes between hy_thread_safe_lock
 * and hy_thread_safe_unlock.
 *
 * Thread-safe whatever the child. Not async-signal-safe. Not recursive: a child must not call back into
 * the allocator that wraps it, and who holds the lock must use the child itself.
 * Fork: a child process has only the thread that forked; if another one held the mutex then, nobody ever
 * gives it back there. A program that forks without exec while threads run takes the lock around it:
 *
 *   pthread_atfork(lock, unlock, unlock);    // each calls hy_thread_safe_lock or _unlock on `shared`
 *
 * Errors: the child's. Ownership: the struct is the caller's; it must not move while in use, and ends with
 * hy_thread_safe_deinit. Cost: the child's, and a lock and an unlock. Overhead per block: none. Greatest
 * alignment, order of frees, growing in place: the child's.
 */
#ifndef HEAPYARD_THREAD_SAFE_H
#define HEAPYARD_THREAD_SAFE_H

#include <heapyard/allocator.h>
#include <heapyard/error.h>
#include <pthread.h>

HY_BEGIN_DECLS

/* A lock around a child. */
typedef struct hy_thread_safe {
    hy_allocator child;    /* used only under the mutex; must outlive this */
    pthread_mutex_t mutex; /* of the default kind */
} hy_thread_safe;

/* A macro because it must be an initialiser of static storage. */
#define HY_THREAD_SAFE_INIT(child_allocator)                                                                 \
    { (child_allocator), PTHREAD_MUTEX_INITIALIZER }

/* Before any other thread sees it. HY_OUT_OF_MEMORY: the system has no more mutexes (Linux always has). */
HY_API hy_error hy_thread_safe_init(hy_thread_safe *shared, hy_allocator child);

/* Ends the mutex, which nobody may hold. The child and its blocks are left as they are. */
HY_API void hy_thread_safe_deinit(hy_thread_safe *shared);

/* Keeps all other threads' calls waiting until hy_thread_safe_unlock: for operations on the child beyond
 * the four, and around fork. The thread that holds it must not lock it again. */
HY_INLINE void hy_thread_safe_lock(hy_thread_safe *shared) {
    int failed = pthread_mutex_lock(&shared->mutex);
    (void)failed;
    HY_ASSERT(failed == 0, "the mutex can't be locked: was it initialised?");
}

/* Only by the thread that locked it. */
HY_INLINE void hy_thread_safe_unlock(hy_thread_safe *shared) {
    int failed = pthread_mutex_unlock(&shared->mutex);
    (void)failed;
    HY_ASSERT(failed == 0, "the mutex can't be unlocked: was it locked by this thread?");
}

/* The entry points, as in the vtable; direct use saves the indirect call. `self` is an hy_thread_safe. */
HY_INLINE void *hy_thread_safe_alloc(void *self, size_t size, hy_align align) {
    hy_thread_safe *shared = (hy_thread_safe *)self;
    hy_thread_safe_lock(shared);
    void *ptr = shared->child.vtable->alloc(shared->child.self, size, align);
    hy_thread_safe_unlock(shared);
    return ptr;
}

/* As in the vtable. */
HY_INLINE bool hy_thread_safe_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_thread_safe *shared = (hy_thread_safe *)self;
    hy_thread_safe_lock(shared);
    bool done = shared->child.vtable->resize(shared->child.self, ptr, old_size, new_size, align);
    hy_thread_safe_unlock(shared);
    return done;
}

/* As in the vtable. */
HY_INLINE void *hy_thread_safe_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_thread_safe *shared = (hy_thread_safe *)self;
    hy_thread_safe_lock(shared);
    void *moved = shared->child.vtable->remap(shared->child.self, ptr, old_size, new_size, align);
    hy_thread_safe_unlock(shared);
    return moved;
}

/* As in the vtable. */
HY_INLINE void hy_thread_safe_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_thread_safe *shared = (hy_thread_safe *)self;
    hy_thread_safe_lock(shared);
    shared->child.vtable->free(shared->child.self, ptr, size, align);
    hy_thread_safe_unlock(shared);
}

/* The four above. */
static const hy_vtable hy_thread_safe_vtable = {
    hy_thread_safe_alloc, hy_thread_safe_resize, hy_thread_safe_remap, hy_thread_safe_free};

/* The value to hand out, to any thread. The struct must outlive it. */
HY_INLINE hy_allocator hy_thread_safe_allocator(hy_thread_safe *shared) {
    hy_allocator allocator = {shared, &hy_thread_safe_vtable};
    return allocator;
}

HY_END_DECLS

#endif
