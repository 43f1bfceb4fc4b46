/* debug_report.h: a finding on its way from where it was made to the hook or standard error. */
#ifndef HEAPYARD_STRATEGIES_DEBUG_REPORT_H
#define HEAPYARD_STRATEGIES_DEBUG_REPORT_H

#include "allocators/core/capture.h"
#include "allocators/core/thread_number.h"
#include "allocators/strategies/debug_chunk.h"

/* What a user's call asked for. */
typedef struct hy_debug_call {
    hy_debug *debug;
    const char *operation;
    bool is_free;
    void *ptr;
    size_t size;
    hy_align align;
    const hy_debug_stack *here;
} hy_debug_call;

/* A report of what a call met; the rest is zero. */
void hy_debug_report_begin(
    hy_debug_report *report, hy_debug_class class_of_finding, const hy_debug_call *call);

/* Adds what a record of `of` says of its block. */
void hy_debug_report_block(hy_debug_report *report, const hy_debug *of, const hy_debug_record *record);

/* Adds the bytes of [from, to) that differ from the pattern, and what lies around them in the slot. */
void hy_debug_report_damage(hy_debug_report *report, const hy_debug_record *record, uint64_t pattern,
    const char *from, const char *to);

/* Counts the finding and reports it; ends the program where the config says so. The lock is not held. */
void hy_debug_deliver(hy_debug *debug, const hy_debug_report *report);

/* The same from inside: leaves, reports, and enters again. */
void hy_debug_deliver_inside(hy_debug *debug, const hy_debug_report *report);

/* The caller's stack, as deep as the config says. entry: the frame of the public function that was called. */
HY_INLINE void hy_debug_capture(const hy_debug *debug, const void *entry, hy_debug_stack *stack) {
    size_t depth = debug->config.stack_trace_frames;
    stack->thread = hy_thread_number();
    stack->count = 0;
    if (depth == 0) return;
    stack->count = debug->config.full_unwinder ? hy_stack_capture_full_from(entry, stack->frames, depth)
                                               : hy_stack_capture_from(entry, stack->frames, depth);
}

#endif
