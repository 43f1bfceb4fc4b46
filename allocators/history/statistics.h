/* statistics.h: statistics of a history: calls, sizes, lifetimes and peaks. */
#ifndef HEAPYARD_STATISTICS_H
#define HEAPYARD_STATISTICS_H

#include "allocators/history/history.h"

/* Classes are powers of two: class 0 holds 0, class n holds 2^(n-1) … 2^n - 1. */
#define HY_STATISTICS_CLASSES 65
#define HY_STATISTICS_TOP 8

typedef struct hy_top_size {
    uint64_t size;
    uint64_t count;
} hy_top_size;

typedef struct hy_statistics {
    uint64_t operations; /* all, including refused ones, without ends of threads */
    uint64_t allocs;     /* including calloc */
    uint64_t zeroed;
    uint64_t frees;
    uint64_t reallocs; /* including resizes and remaps */
    uint64_t refused;
    uint64_t aligned; /* allocations above malloc's own alignment */
    uint64_t sized_frees;
    uint64_t cross_thread_frees; /* by another thread than the one that allocated */
    uint64_t next_frees;         /* blocks freed before the next allocation of any thread */
    uint64_t threads;
    uint64_t thread_ends;
    uint64_t requested_bytes; /* sum of the sizes of allocations */
    uint64_t peak_bytes;
    uint64_t peak_bytes_at; /* index of the operation */
    uint64_t peak_blocks;
    uint64_t end_bytes; /* still live at the end */
    uint64_t end_blocks;
    uint64_t size_counts[HY_STATISTICS_CLASSES];     /* allocations by size */
    uint64_t size_peak_bytes[HY_STATISTICS_CLASSES]; /* bytes live at the peak, by size */
    uint64_t lifetimes[HY_STATISTICS_CLASSES];       /* freed blocks, by allocations made meanwhile */
    hy_top_size top[HY_STATISTICS_TOP];              /* the most frequent exact sizes, most frequent first */
} hy_statistics;

/* The class of a value: 0, or the number of its bits. */
static inline unsigned hy_statistics_class(uint64_t value) {
    return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
}

/* False: out of memory. The history must be legal. O(count). */
bool hy_statistics_make(hy_statistics *out, const hy_history *history);

#endif
