/* frame_rule.h: how to get from a function to its caller: where the return address and the frame pointer lie.
 *
 * The compiler writes it down for each instruction, for exceptions; what was read once is kept, so that a
 * walk through known code costs a few loads a frame, with or without frame pointers.
 */
#ifndef HEAPYARD_CORE_FRAME_RULE_H
#define HEAPYARD_CORE_FRAME_RULE_H

#include <heapyard/config.h>

/* For x86-64 with glibc's lock-free search for tables. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 35)
#define HY_HAS_FRAME_RULES 1
#endif
#endif
#ifndef HY_HAS_FRAME_RULES
#define HY_HAS_FRAME_RULES 0
#endif

typedef enum hy_frame_rule_kind {
    HY_FRAME_RULE_UNKNOWN, /* none, or none of this form: signal handlers' frames, hand-written code */
    HY_FRAME_RULE_STEP,    /* the caller's frame is found as below */
    HY_FRAME_RULE_LAST     /* there is no caller */
} hy_frame_rule_kind;

/* The stack pointer in the caller is a register + frame_offset; the return address lies in the word below. */
typedef struct hy_frame_rule {
    int16_t pointer_offset; /* of the caller's frame pointer from the caller's stack pointer; 0: it is kept */
    uint8_t kind;           /* an hy_frame_rule_kind */
    bool by_frame_pointer;  /* the register is the frame pointer, else the stack pointer */
    int32_t frame_offset;
} hy_frame_rule;

/* The rule for a function that was called from, and is returned to at, this address. Thread-safe, takes no
 * lock, calls no malloc. The first time O(log functions), then O(1). */
hy_frame_rule hy_frame_rule_at(uintptr_t return_address);

#endif
