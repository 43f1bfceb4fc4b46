/* schedule_program.h: what several threads do with one instance, and when they take turns, out of any bytes.
 *
 * Records of four bytes, so that cutting one out leaves the others what they are. The first is the header:
 *
 *   byte 0   low 2 bits: threads, 2 … 4; next 2: the row's shape; next 2: which thread is first; then the
 * child's manners: moves, grows byte 1   the row's options byte 2   index of the first allocation that the
 * child refuses; 0: none byte 3   the row's options, upper half
 *
 *   a step   byte 0: low 3 bits kind, next 2 thread, next 3 its argument; byte 1: slot (low 4 bits),
 * alignment (high 4); bytes 2 and 3: size, or for a switch the points until then
 */
#ifndef HEAPYARD_FUZZ_SCHEDULE_PROGRAM_H
#define HEAPYARD_FUZZ_SCHEDULE_PROGRAM_H

#include "allocators/history/bytes.h"
#include "fuzz/schedule.h"

#define HY_SCHEDULE_RECORD_BYTES 4
#define HY_SCHEDULE_STEP_MAX 96
#define HY_SCHEDULE_SLOTS 16

typedef enum hy_schedule_kind {
    HY_SCHEDULE_ALLOC,
    HY_SCHEDULE_FREE,   /* of its own or another's block */
    HY_SCHEDULE_RESIZE, /* in place */
    HY_SCHEDULE_REMAP,  /* may move; argument odd: by realloc */
    HY_SCHEDULE_SWITCH, /* not an operation: a change of the schedule */
    HY_SCHEDULE_END,    /* the thread ends, a new one goes on; argument odd: it forks, in the property fork;
                           second bit: it allocates and frees until its very end */
    HY_SCHEDULE_MEET,   /* all threads end; then all go on, argument odd: after a reset, in one of four ways,
                           second bit: after an operation of the row's own: number slot, argument size */
    HY_SCHEDULE_SWITCH_AGAIN, /* as SWITCH: half of what is random should be about the schedule */
    HY_SCHEDULE_KIND_COUNT
} hy_schedule_kind;

typedef struct hy_schedule_step {
    uint8_t kind, thread, argument, slot, align_log2;
    uint16_t size;
} hy_schedule_step;

typedef struct hy_schedule_program {
    hy_bytes_header header; /* shape, options and child's manners alone */
    unsigned thread_count;
    bool are_late; /* after so many others that there is no slot left for them */
    uint8_t rotation;
    size_t step_count;
    hy_schedule_step steps[HY_SCHEDULE_STEP_MAX];
} hy_schedule_program;

/* Total: any bytes are a program. */
void hy_schedule_decode(const uint8_t *bytes, size_t size, hy_schedule_program *program);

/* The step in words, on standard error, and the block that it is about. */
void hy_schedule_print_step(const hy_schedule_step *step, unsigned block);

#endif
