/* recording_sink.c: stores calls, sorts them by stamp, and passes them to the tracker. */
#include "allocators/history/recording_sink.h"

#include "allocators/history/tracker.h"
#include <heapyard/typed.h>
#include <stdlib.h>

void hy_recording_sink_init(hy_recording_sink *sink, hy_allocator gpa) {
    *sink = (hy_recording_sink){.gpa = gpa};
    pthread_mutex_init(&sink->mutex, NULL);
}

void hy_recording_sink_deinit(hy_recording_sink *sink) {
    pthread_mutex_destroy(&sink->mutex);
    hy_free_n(sink->gpa, sink->calls, sink->capacity);
    *sink = (hy_recording_sink){.gpa = sink->gpa};
}

void hy_recording_sink_call(void *context, const hy_call *call) {
    hy_recording_sink *sink = context;
    pthread_mutex_lock(&sink->mutex);
    if (sink->count == sink->capacity) {
        size_t capacity = sink->capacity ? sink->capacity * 2 : 1024;
        hy_call *calls = hy_realloc_n(sink->gpa, hy_call, sink->calls, sink->capacity, capacity);
        if (calls) sink->calls = calls;
        if (calls)
            sink->capacity = capacity;
        else
            sink->failed = true;
    }
    if (sink->count < sink->capacity) sink->calls[sink->count++] = *call;
    pthread_mutex_unlock(&sink->mutex);
}

/* The begin or the end of a call. A size change has both, because another thread may be given the block's
 * old address as soon as it has begun, while its new address is known only when it has ended. */
typedef struct event {
    uint64_t stamp;
    const hy_call *call;
    bool begins;
} event;

static int by_stamp(const void *left, const void *right) {
    const event *a = left, *b = right;
    if (a->stamp != b->stamp) return a->stamp < b->stamp ? -1 : 1;
    return (int)b->begins - (int)a->begins;
}

static size_t list_events(const hy_recording_sink *sink, event *out) {
    size_t count = 0;
    for (size_t i = 0; i < sink->count; i++) {
        const hy_call *call = &sink->calls[i];
        bool changes = call->kind == HY_CALL_RESIZE || call->kind == HY_CALL_REMAP;
        if (changes || call->kind == HY_CALL_FREE) out[count++] = (event){call->began, call, true};
        if (changes || call->kind == HY_CALL_ALLOC) out[count++] = (event){call->ended, call, false};
    }
    qsort(out, count, sizeof *out, by_stamp);
    return count;
}

static bool feed_tracker(hy_tracker *tracker, event at) {
    const hy_call *call = at.call;
    uint16_t thread = call->thread < UINT16_MAX ? (uint16_t)call->thread : UINT16_MAX;
    uint64_t before = (uintptr_t)call->ptr, after = (uintptr_t)call->result;
    switch (call->kind) {
    case HY_CALL_FREE:
        return hy_tracker_free(tracker, thread, before, HY_OP_SIZED);
    case HY_CALL_ALLOC:
        if (call->refused) return hy_tracker_refused(tracker, thread, call->new_size, call->align.log2);
        return hy_tracker_alloc(tracker, thread, after, call->new_size, call->align.log2, 0);
    case HY_CALL_RESIZE:
    case HY_CALL_REMAP:
        break;
    }
    if (at.begins) return hy_tracker_change_begin(tracker, thread, before);
    hy_op_kind kind = call->kind == HY_CALL_RESIZE ? HY_OP_RESIZE : HY_OP_REMAP;
    if (call->kind == HY_CALL_RESIZE) after = before;
    return hy_tracker_change_end(tracker, thread, kind, call->refused ? 0 : after, call->new_size);
}

bool hy_recording_sink_finish(hy_recording_sink *sink, hy_history *history) {
    size_t most = sink->count * 2;
    event *events = hy_alloc_n(sink->gpa, event, most);
    if (sink->failed || !events) {
        hy_free_n(sink->gpa, events, most);
        return false;
    }
    hy_tracker tracker;
    hy_tracker_init(&tracker, history, sink->gpa);
    size_t count = list_events(sink, events);
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = feed_tracker(&tracker, events[i]);
    hy_tracker_deinit(&tracker);
    hy_free_n(sink->gpa, events, most);
    if (!good) history->count = 0;
    return good;
}
