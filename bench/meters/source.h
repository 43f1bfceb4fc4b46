/* source.h: the child under a counted allocator: every answer follows from sizes alone.
 *
 * A count with tolerance zero needs a child that always behaves alike: whether libc's malloc can grow a
 * block in place, and where it lies beside others, depends on its heap's past. This source rounds a request
 * up to a power of two; fresh blocks follow one another in pages that nothing else uses; a resize is granted
 * exactly where the rounded size stays; addresses are multiples of the rounded size, up to a page, so that
 * padding is the same every time; freed blocks are handed out again.
 *
 * Not thread-safe.
 */
#ifndef HEAPYARD_BENCH_SOURCE_H
#define HEAPYARD_BENCH_SOURCE_H

#include <heapyard/arena.h>

#define HY_STEADY_CLASSES 48

typedef struct hy_steady_source {
    struct hy_steady_free *free_blocks[HY_STEADY_CLASSES]; /* by log2 of the rounded size */
    hy_arena arena;                                        /* of all blocks */
} hy_steady_source;

/* False: the system has no addresses left; deinit is allowed. */
bool hy_steady_source_init(hy_steady_source *source);
hy_allocator hy_steady_source_allocator(hy_steady_source *source);
/* Ends every block, live ones too. */
void hy_steady_source_deinit(hy_steady_source *source);

#endif
