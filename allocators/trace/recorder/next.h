/* next.h: the allocator that the program would use without the recorder.
 *
 * Its functions are looked up by dlsym at the process's first call. dlsym may itself allocate before they
 * are known: such requests are served from a small zeroed buffer here, whose blocks are never reused.
 * Thread-safe; allocates nothing.
 */
#ifndef HEAPYARD_RECORDER_NEXT_H
#define HEAPYARD_RECORDER_NEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct hy_next_functions {
    atomic_int state; /* 0 unknown, 1 being looked up, 2 known */
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
} hy_next_functions;

extern hy_next_functions hy_next;

bool hy_next_look_up(void);

/* True once the real functions are known. False only during the look-up itself, which happens in the
 * process's first call, before there are further threads. */
static inline bool hy_next_ready(void) {
    return atomic_load_explicit(&hy_next.state, memory_order_acquire) == 2 || hy_next_look_up();
}

/* Allocates during the look-up. NULL: the buffer is full. */
void *hy_early_alloc(size_t size);
bool hy_early_holds(const void *block);
/* The requested size of the block. */
size_t hy_early_size(const void *block);

#endif
