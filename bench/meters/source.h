/* source.h: the child under a counted allocator: every answer follows from sizes alone.
 *
 * A count with tolerance zero needs a child that always behaves alike: whether libc's malloc can grow a
 * block in place depends on its heap's past and on addresses. This source rounds a request up to a
 * power of two; a resize is granted exactly where the rounded size stays; addresses are multiples of
 * the rounded size, up to a page, so that padding is the same every time; freed blocks are handed out
 * again. What it counts are the bytes asked for, not the rounded ones.
 *
 * Not thread-safe.
 */
#ifndef HEAPYARD_BENCH_SOURCE_H
#define HEAPYARD_BENCH_SOURCE_H

#include <heapyard/allocator.h>

#define HY_METERED_CLASSES 48

typedef struct hy_metered_source {
    size_t live_bytes;  /* asked for and not given back */
    size_t peak_bytes;  /* the greatest live_bytes so far */
    size_t calls_count; /* of alloc, resize, remap and free, refused ones too */
    struct hy_metered_free *free_blocks[HY_METERED_CLASSES]; /* by log2 of the rounded size */
} hy_metered_source;

void hy_metered_source_init(hy_metered_source *source);
hy_allocator hy_metered_source_allocator(hy_metered_source *source);
/* Gives back what was freed to it; blocks still live stay with the process. */
void hy_metered_source_deinit(hy_metered_source *source);

#endif
