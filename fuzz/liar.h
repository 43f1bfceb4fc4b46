/* liar.h: an allocator that hands its child's calls on, and breaks its own promise once it is told to.
 *
 * For rows that promise to notice what their child does wrong. One for the process.
 */
#ifndef HEAPYARD_FUZZ_LIAR_H
#define HEAPYARD_FUZZ_LIAR_H

#include <heapyard/allocator.h>

typedef enum hy_lie_of_alloc {
    HY_LIE_NONE,
    HY_LIE_UNALIGNED, /* an address one byte behind one that is aligned */
    HY_LIE_OVERLAPS   /* `at` */
} hy_lie_of_alloc;

/* What it does at each call from now on. */
typedef struct hy_lie {
    hy_lie_of_alloc alloc;
    char *at;     /* alloc: what it gives; resize and remap: a byte that it changes */
    bool refuses; /* resize and remap: it refuses after that; else it says that the block lives where it is */
} hy_lie;

/* Honest until it is armed. */
hy_allocator hy_liar_over(hy_allocator child);
void hy_liar_arm(const hy_lie *lie);
/* Whether it has, since it was put over its child. */
bool hy_liar_has_lied(void);

#endif
