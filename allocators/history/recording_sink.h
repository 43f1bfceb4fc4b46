/* recording_sink.h: the in-process form of the recorder: what passes a `recording` allocator becomes a
 * history.
 *
 *   hy_recording_sink sink;
 *   hy_recording_sink_init(&sink, gpa);
 *   hy_recording_init(&recording, child, hy_recording_sink_call, &sink);
 *   … use hy_recording_allocator(&recording) from any thread …
 *   hy_recording_sink_finish(&sink, &history);
 *
 * Calls are kept as they come, under a lock, and put in the order of their stamps at the end.
 */
#ifndef HEAPYARD_RECORDING_SINK_H
#define HEAPYARD_RECORDING_SINK_H

#include "allocators/history/history.h"
#include <heapyard/recording.h>
#include <pthread.h>

typedef struct hy_recording_sink {
    hy_call *calls;
    size_t count;
    size_t capacity;
    bool failed; /* a call could not be kept: no memory */
    pthread_mutex_t mutex;
    hy_allocator gpa;
} hy_recording_sink;

/* gpa (must free, must not be the recorded allocator) holds the calls: 64 bytes each. */
void hy_recording_sink_init(hy_recording_sink *sink, hy_allocator gpa);
void hy_recording_sink_deinit(hy_recording_sink *sink);

/* What hy_recording_init wants; context is the sink. Thread-safe. */
void hy_recording_sink_call(void *context, const hy_call *call);

/* Turns what was kept so far into operations of `history`, which must be empty and initialised, when no
 * thread is in a recorded call. False: no memory, now or when a call came in; the history is empty. */
bool hy_recording_sink_finish(hy_recording_sink *sink, hy_history *history);

#endif
