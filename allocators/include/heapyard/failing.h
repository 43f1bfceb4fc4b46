/* heapyard/failing.h: refuses on purpose, so that the paths after a refusal get tested.
 *
 *   hy_failing failing;
 *   hy_failing_init(&failing, hy_libc(), &(hy_failing_options){.fail_alloc_at = 3, …});
 *
 * Refuses the allocation, and separately the resize or remap, whose index is reached (0 is the first),
 * and every later one, or only that one; or each with a probability. Everything else goes to the child.
 * Counts calls, bytes and frees, and keeps the stack of the last refusal that it induced. Owns nothing.
 *
 * Not thread-safe: an index means little where threads race for it. Greatest alignment, order of frees,
 * growing in place: the child's.
 */
#ifndef HEAPYARD_FAILING_H
#define HEAPYARD_FAILING_H

#include <heapyard/allocator.h>
#include <heapyard/stack_trace.h>

HY_BEGIN_DECLS

/* An index that no call has. */
#define HY_FAILING_NEVER UINT64_MAX
/* The most frames that are kept of a refusal. */
#define HY_FAILING_FRAMES 16

/* What is refused. */
typedef struct hy_failing_options {
    uint64_t fail_alloc_at;  /* index of the first allocation to refuse, or HY_FAILING_NEVER */
    uint64_t fail_resize_at; /* likewise, resizes and remaps counted together */
    bool once;               /* refuse only that one, not all that follow */
    double probability;      /* 0 to 1: each call is refused with it, whatever its index */
    uint64_t seed;           /* of the probability's random numbers: the same seed, the same refusals */
} hy_failing_options;

/* Never refuses of its own. */
#define HY_FAILING_DEFAULTS                                                                                  \
    { HY_FAILING_NEVER, HY_FAILING_NEVER, false, 0.0, 0 }

/* A failing allocator; counts may be read at any time. */
typedef struct hy_failing {
    hy_allocator child;
    hy_failing_options options;
    /* Calls so far, refused ones included; the next index of each kind. */
    uint64_t alloc_index;
    uint64_t resize_index;
    /* The index at which the slow path must look: options, or 0 where there is a probability. */
    uint64_t next_alloc;
    uint64_t next_resize;
    uint64_t random;
    uint64_t free_count;
    uint64_t allocated_bytes;        /* served, growth included */
    uint64_t freed_bytes;            /* given back, shrinking included */
    uint64_t induced_count;          /* refusals that were not the child's */
    void *frames[HY_FAILING_FRAMES]; /* where the last of them was induced */
    size_t frame_count;
} hy_failing;

/* Starts with all counts at 0. options: NULL for the defaults. probability outside 0 … 1 is misuse. O(1). */
HY_API void hy_failing_init(hy_failing *failing, hy_allocator child, const hy_failing_options *options);

/* Whether the call of this index is to be refused; counts it and keeps its stack where it is. */
HY_API HY_COLD bool hy_failing_refuses_alloc(hy_failing *failing, uint64_t index);
HY_API HY_COLD bool hy_failing_refuses_resize(hy_failing *failing, uint64_t index);

/* Prints `induced out of memory at:` and the stack of the last induced refusal; nothing where there is
 * none. */
HY_API void hy_failing_print(const hy_failing *failing, FILE *stream);

/* A live block changed its size. */
HY_INLINE void hy_failing_count_change(hy_failing *failing, size_t old_size, size_t new_size) {
    if (new_size > old_size)
        failing->allocated_bytes += new_size - old_size;
    else
        failing->freed_bytes += old_size - new_size;
}

/* The entry points, as in the vtable: the child's call, a comparison and a few counters. `self` is an
 * hy_failing. */
HY_INLINE void *hy_failing_alloc(void *self, size_t size, hy_align align) {
    hy_failing *failing = (hy_failing *)self;
    uint64_t index = failing->alloc_index++;
    if (HY_UNLIKELY(index >= failing->next_alloc) && hy_failing_refuses_alloc(failing, index)) return NULL;
    void *ptr = failing->child.vtable->alloc(failing->child.self, size, align);
    if (ptr) failing->allocated_bytes += size;
    return ptr;
}

HY_INLINE bool hy_failing_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_failing *failing = (hy_failing *)self;
    uint64_t index = failing->resize_index++;
    if (HY_UNLIKELY(index >= failing->next_resize) && hy_failing_refuses_resize(failing, index)) return false;
    if (!failing->child.vtable->resize(failing->child.self, ptr, old_size, new_size, align)) return false;
    hy_failing_count_change(failing, old_size, new_size);
    return true;
}

HY_INLINE void *hy_failing_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_failing *failing = (hy_failing *)self;
    uint64_t index = failing->resize_index++;
    if (HY_UNLIKELY(index >= failing->next_resize) && hy_failing_refuses_resize(failing, index)) return NULL;
    void *moved = failing->child.vtable->remap(failing->child.self, ptr, old_size, new_size, align);
    if (moved) hy_failing_count_change(failing, old_size, new_size);
    return moved;
}

HY_INLINE void hy_failing_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_failing *failing = (hy_failing *)self;
    failing->free_count++;
    failing->freed_bytes += size;
    failing->child.vtable->free(failing->child.self, ptr, size, align);
}

static const hy_vtable hy_failing_vtable = {
    hy_failing_alloc, hy_failing_resize, hy_failing_remap, hy_failing_free};

HY_INLINE hy_allocator hy_failing_allocator(hy_failing *failing) {
    hy_allocator allocator = {failing, &hy_failing_vtable};
    return allocator;
}

HY_END_DECLS

#endif
