/* capture.h: stack traces for the library's own functions, which are to begin at whoever called the library.
 *
 *   HY_NOINLINE void hy_thing_free(hy_thing *thing) {
 *       size_t count = hy_stack_capture_from(__builtin_frame_address(0), frames, 6);
 */
#ifndef HEAPYARD_CORE_CAPTURE_H
#define HEAPYARD_CORE_CAPTURE_H

#include <heapyard/config.h>
#include <heapyard/stack_trace.h>
#include <stdint.h>

/* The mapping that holds the stack which the thread was on when it last asked; low == high: it has not. A
 * scheduler of fibres exchanges it with the stack. */
typedef struct hy_stack_range {
    uintptr_t low, high;
} hy_stack_range;

extern HY_THREAD_LOCAL hy_stack_range hy_stack_known __attribute__((tls_model("initial-exec")));

/* hy_stack_capture and hy_stack_capture_full, from the caller of the function that has the frame `entry`:
 * a public one, never inlined, which is still running. */
size_t hy_stack_capture_from(const void *entry, void **frames, size_t capacity);
size_t hy_stack_capture_full_from(const void *entry, void **frames, size_t capacity);

#endif
