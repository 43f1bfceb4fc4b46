/* heapyard/stack_trace.h: where a call came from.
 *
 * A capture keeps return addresses only; names are looked up when a report is printed. Frames that
 * lie inside the library are dropped from the front, however many decorators there are, so that a
 * trace begins at the caller of the front door.
 */
#ifndef HEAPYARD_STACK_TRACE_H
#define HEAPYARD_STACK_TRACE_H

#include <heapyard/config.h>
#include <stdio.h>

HY_BEGIN_DECLS

/* Writes up to `capacity` return addresses to `frames`, innermost first, and returns how many.
 * Walks frame pointers, two loads a frame; code built without them ends the trace early, and
 * never crashes it. Thread-safe, allocates nothing, async-signal-safe. */
HY_API size_t hy_stack_capture(void **frames, size_t capacity);

/* As hy_stack_capture by the platform's full unwinder: slower, complete. The first call
 * in a process may load a library. */
HY_API size_t hy_stack_capture_full(void **frames, size_t capacity);

/* Prints one line a frame: address, and function, file and line as far as the build and the program
 * allow. May allocate through malloc. */
HY_API void hy_stack_print(FILE *stream, void *const *frames, size_t count);

HY_END_DECLS

#endif
