/* recording.c: passes every call on to a sink.
 *
 * For: traces from inside a program, tests of what an allocator asks its child. Not for: programs whose
 *   allocator can't be wrapped; the preloaded recorder does those.
 * Algorithm: a stamp before, the child's call, a stamp after, the sink. A free is recorded before it is
 *   carried out: afterwards another thread may already have been given, and recorded, the same address.
 * Cost: two atomic additions and the sink. Overhead per block: none. Thread-safe where child and sink are.
 */
#include "allocators/core/thread_number.h"
#include <heapyard/recording.h>

void hy_recording_init(hy_recording *recording, hy_allocator child, hy_call_sink sink, void *context) {
    hy_require_child(child, "hy_recording_init");
    HY_REQUIRE(sink != NULL, "hy_recording_init", 0, "a sink");
    *recording = (hy_recording){.child = child, .sink = sink, .context = context};
}

static uint64_t next_stamp(hy_recording *recording) {
    return __atomic_fetch_add(&recording->stamp, 1, __ATOMIC_ACQ_REL);
}

static void notify(hy_recording *recording, hy_call *call) {
    call->thread = hy_thread_number();
    recording->sink(recording->context, call);
}

void *hy_recording_alloc(void *self, size_t size, hy_align align) {
    hy_recording *recording = self;
    hy_call call = {.kind = HY_CALL_ALLOC, .align = align, .new_size = size, .began = next_stamp(recording)};
    call.result = recording->child.vtable->alloc(recording->child.self, size, align);
    call.refused = call.result == NULL;
    call.ended = next_stamp(recording);
    notify(recording, &call);
    return call.result;
}

bool hy_recording_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_recording *recording = self;
    hy_call call = {.kind = HY_CALL_RESIZE,
        .align = align,
        .ptr = ptr,
        .old_size = old_size,
        .new_size = new_size,
        .began = next_stamp(recording)};
    call.refused = !recording->child.vtable->resize(recording->child.self, ptr, old_size, new_size, align);
    call.result = call.refused ? NULL : ptr;
    call.ended = next_stamp(recording);
    notify(recording, &call);
    return !call.refused;
}

void *hy_recording_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_recording *recording = self;
    hy_call call = {.kind = HY_CALL_REMAP,
        .align = align,
        .ptr = ptr,
        .old_size = old_size,
        .new_size = new_size,
        .began = next_stamp(recording)};
    call.result = recording->child.vtable->remap(recording->child.self, ptr, old_size, new_size, align);
    call.refused = call.result == NULL;
    call.ended = next_stamp(recording);
    notify(recording, &call);
    return call.result;
}

void hy_recording_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_recording *recording = self;
    uint64_t stamp = next_stamp(recording);
    hy_call call = {
        .kind = HY_CALL_FREE, .align = align, .ptr = ptr, .old_size = size, .began = stamp, .ended = stamp};
    notify(recording, &call);
    recording->child.vtable->free(recording->child.self, ptr, size, align);
}
