/* heapyard/smp_stats.h: what a heap of smp holds: as numbers, as a table for people, as JSON.
 *
 *   hy_smp_print_stats(&hy_smp_process_heap, hy_line_to_file, stderr);
 *
 * Thread-safety: all of it, beside threads that allocate. Errors: none. Nothing is allocated.
 */
#ifndef HEAPYARD_SMP_STATS_H
#define HEAPYARD_SMP_STATS_H

#include <heapyard/line_sink.h>
#include <heapyard/smp.h>

HY_BEGIN_DECLS

/* What a heap holds, in bytes unless it says otherwise. Figures of threads that run meanwhile are about
 * right. */
typedef struct hy_smp_stats {
    size_t live_bytes;  /* in blocks that the program has, each with what its class or page rounds it up to */
    size_t live_blocks; /* how many these are */
    size_t large_bytes; /* of live_bytes: in blocks of pages of their own */
    size_t large_blocks;   /* of live_blocks */
    size_t cached_bytes;   /* free blocks in threads' magazines and the depots */
    size_t unused_bytes;   /* free blocks in slabs, and what slabs have too little of for a block */
    size_t retained_bytes; /* free pages that the system has not got back */
    size_t peak_bytes;     /* the most that all of these were together */
    size_t returned_bytes; /* all that the system ever got back */
    size_t metadata_bytes; /* records, magazines and tables beside the blocks */
    size_t reserved_bytes; /* addresses */
    size_t threads;        /* caches that threads have, or had and left for the next */
} hy_smp_stats;

/* The same of one class. */
typedef struct hy_smp_class_stats {
    size_t size; /* of its blocks */
    size_t live_blocks, cached_blocks, unused_blocks;
    size_t slabs, slab_bytes;
} hy_smp_class_stats;

/* Reads a heap's figures; zeros where it has not begun. O(classes × threads). */
HY_API void hy_smp_read_stats(hy_smp_heap *heap, hy_smp_stats *out);

/* Reads those of a class, number from 1 to HY_SMP_CLASS_COUNT - 1; false: no blocks of that class have been
 * asked for, nothing is written. */
HY_API bool hy_smp_read_class_stats(hy_smp_heap *heap, uint32_t number, hy_smp_class_stats *out);

/* Prints both, as a table for people or as one JSON object. Allocates nothing. */
HY_API void hy_smp_print_stats(hy_smp_heap *heap, hy_line_sink sink, void *context);
HY_API void hy_smp_print_stats_json(hy_smp_heap *heap, hy_line_sink sink, void *context);

HY_END_DECLS

#endif
