/* capture.h: stack traces for the library's own functions, which are to begin at whoever called the library.
 *
 *   HY_NOINLINE void hy_thing_free(hy_thing *thing) {
 *       size_t count = hy_stack_capture_from(__builtin_frame_address(0), frames, 6);
 */
#ifndef HEAPYARD_CORE_CAPTURE_H
#define HEAPYARD_CORE_CAPTURE_H

#include <heapyard/stack_trace.h>

/* hy_stack_capture and hy_stack_capture_full, from the caller of the function that has the frame `entry`:
 * a public one, never inlined, which is still running. */
size_t hy_stack_capture_from(const void *entry, void **frames, size_t capacity);
size_t hy_stack_capture_full_from(const void *entry, void **frames, size_t capacity);

#endif
