/* recording_sink.h: the recorder within one process: the calls of a `recording` allocator become a history.
 *
 *   hy_recording_sink sink;
 *   hy_recording_sink_init(&sink, gpa);
 *   hy_recording_init(&recording, child, hy_recording_sink_call, &sink);
 *   … use hy_recording_allocator(&recording) from any thread …
 *   hy_recording_sink_finish(&sink, &history);
 *
 * Calls are stored in order of arrival, under a lock, and sorted by stamp at the end.
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
    bool failed; /* a call could not be stored: out of memory */
    pthread_mutex_t mutex;
    hy_allocator gpa;
} hy_recording_sink;

/* gpa (must free, must not be the recorded allocator) holds the calls: 64 bytes each. */
void hy_recording_sink_init(hy_recording_sink *sink, hy_allocator gpa);
void hy_recording_sink_deinit(hy_recording_sink *sink);

/* The callback for hy_recording_init; context is the sink. Thread-safe. */
void hy_recording_sink_call(void *context, const hy_call *call);

/* Converts the calls stored so far into operations of `history`, which must be empty and initialised. No
 * thread may be in a recorded call. False: out of memory, now or when a call was stored; the history is
 * empty. */
bool hy_recording_sink_finish(hy_recording_sink *sink, hy_history *history);

#endif
