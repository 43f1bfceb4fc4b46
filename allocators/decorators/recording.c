/* recording.c: tells a sink of every call.
 *
 * For: traces from inside a program, tests of what an allocator asks its child. Not for: programs whose
 *   allocator can't be wrapped; the preloaded recorder does those.
 * Algorithm: a stamp before, the child's call, a stamp after, the sink. A free is told before it is
 *   carried out: afterwards another thread may already have been given, and told, the same address.
 * Cost: two atomic additions and the sink. Overhead per block: none. Thread-safe where child and sink are.
 */
#include "allocators/core/thread_number.h"
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/recording.h>
#include <heapyard/typed.h>

void hy_recording_init(hy_recording *recording, hy_allocator child, hy_call_sink sink, void *context) {
    hy_require_child(child, "hy_recording_init");
    HY_REQUIRE(sink != NULL, "hy_recording_init", 0, "a sink");
    *recording = (hy_recording){.child = child, .sink = sink, .context = context};
}

static uint64_t next_stamp(hy_recording *recording) {
    return __atomic_fetch_add(&recording->stamp, 1, __ATOMIC_ACQ_REL);
}

static void tell(hy_recording *recording, hy_call *call) {
    call->thread = hy_thread_number();
    recording->sink(recording->context, call);
}

void *hy_recording_alloc(void *self, size_t size, hy_align align) {
    hy_recording *recording = self;
    hy_call call = {.kind = HY_CALL_ALLOC, .align = align, .new_size = size, .began = next_stamp(recording)};
    call.result = recording->child.vtable->alloc(recording->child.self, size, align);
    call.refused = call.result == NULL;
    call.ended = next_stamp(recording);
    tell(recording, &call);
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
    tell(recording, &call);
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
    tell(recording, &call);
    return call.result;
}

void hy_recording_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_recording *recording = self;
    uint64_t stamp = next_stamp(recording);
    hy_call call = {
        .kind = HY_CALL_FREE, .align = align, .ptr = ptr, .old_size = size, .began = stamp, .ended = stamp};
    tell(recording, &call);
    recording->child.vtable->free(recording->child.self, ptr, size, align);
}

/* The row's sink counts; a program brings its own. */
typedef struct counted {
    hy_recording recording;
    uint64_t call_count;
} counted;

static void count_call(void *context, const hy_call *call) {
    (void)call;
    counted *instance = context;
    __atomic_fetch_add(&instance->call_count, 1, __ATOMIC_RELAXED);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    counted *instance = hy_create(hy_libc(), counted);
    if (!instance) return NULL;
    instance->call_count = 0;
    hy_recording_init(&instance->recording, config->child, count_call, instance);
    *out = hy_recording_allocator(&instance->recording);
    return instance;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (counted *)instance);
}

static bool stats(void *instance, hy_stats *out) {
    *out = (hy_stats){
        .capacity_bytes = SIZE_MAX,
        .used_bytes = SIZE_MAX,
        .overhead_bytes = SIZE_MAX,
        .high_water_bytes = SIZE_MAX,
        .calls_count = __atomic_load_n(&((counted *)instance)->call_count, __ATOMIC_RELAXED),
    };
    return true;
}

const hy_row hy_recording_row = {
    .name = "recording",
    .group = HY_GROUP_DECORATOR,
    .summary = "tells a sink of every call; the row's sink counts them",
    .header = "heapyard/recording.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .stats = stats,
};
