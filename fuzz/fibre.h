/* fibre.h: several stacks in one thread, and the way from one to another: tens of instructions, no system
 * call.
 *
 * A switch is written for x86-64 and AArch64; elsewhere it is ucontext's. AddressSanitizer is told of each.
 */
#ifndef HEAPYARD_FUZZ_FIBRE_H
#define HEAPYARD_FUZZ_FIBRE_H

#include <heapyard/config.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#define HY_FIBRE_UCONTEXT 1
#endif

#define HY_FIBRE_STACK_BYTES ((size_t)256 << 10)

typedef struct hy_fibre {
    void *stack_pointer; /* while it does not run */
    char *stack;         /* lowest address; NULL: it is the thread's own */
    void *fake_stack;    /* AddressSanitizer's */
    size_t stack_bytes;  /* the last three are of the thread's own after the first switch away from it */
#ifdef HY_FIBRE_UCONTEXT
    ucontext_t context;
#endif
} hy_fibre;

/* Has the fibre begin at `entry` at the next switch to it, whatever it did before; maps its stack the first
 * time. entry must never return. False: no memory. */
bool hy_fibre_begin(hy_fibre *fibre, void (*entry)(void));

/* Goes from the running fibre to another, and returns when somebody switches back. */
void hy_fibre_switch(hy_fibre *from, hy_fibre *to);

/* The first thing that `entry` does: from is who switched. */
void hy_fibre_arrived(hy_fibre *self, hy_fibre *from);

#endif
