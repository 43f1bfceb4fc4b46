/* heapyard/recording.h: passes every call on to a sink, and to a child.
 *
 * The sink is called with one hy_call: for a free before the child ends the block, for all others after
 * the child has answered, so that a sink that writes in the order of its calls never sees an address
 * live twice. Where threads race between the child's answer and the sink, `began` and `ended` order the
 * calls: both come from one counter. The sink runs in the caller's thread, must not allocate through
 * this allocator, and must be thread-safe where this is used by many. Thread-safe where child and sink
 * are. Owns nothing. Cost: the child's and the sink's, and two additions to one atomic counter. Greatest
 * alignment, order of frees, growing in place: the child's.
 */
#ifndef HEAPYARD_RECORDING_H
#define HEAPYARD_RECORDING_H

#include <heapyard/call.h>

HY_BEGIN_DECLS

/* Is called with each call, by the thread that makes it. *call lives until it returns. */
typedef void (*hy_call_sink)(void *context, const hy_call *call);

/* A recording allocator: fields are for the functions below. */
typedef struct hy_recording {
    hy_allocator child;
    hy_call_sink sink;
    void *context;
    uint64_t stamp; /* the next one; used atomically */
} hy_recording;

/* sink: not NULL. context is handed to it and not owned. Before any other thread sees it. O(1). */
HY_API void hy_recording_init(hy_recording *recording, hy_allocator child, hy_call_sink sink, void *context);

/* As the vtable's slots; `self` is an hy_recording. */
HY_API void *hy_recording_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_recording_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_recording_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_recording_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_recording_vtable = {
    hy_recording_alloc, hy_recording_resize, hy_recording_remap, hy_recording_free};

HY_INLINE hy_allocator hy_recording_allocator(hy_recording *recording) {
    hy_allocator allocator = {recording, &hy_recording_vtable};
    return allocator;
}

HY_END_DECLS

#endif
