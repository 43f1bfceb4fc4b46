/* smp_limits.h: how much of everything smp keeps, in one place, so that a build can make it all small.
 *
 * HY_SMP_SMALL (cmake -DHY_SMP_SMALL=ON) makes slabs, magazines and thresholds so small that a short history
 * reaches every path: for fuzzing and tests.
 */
#ifndef HEAPYARD_STRATEGIES_SMP_LIMITS_H
#define HEAPYARD_STRATEGIES_SMP_LIMITS_H

#include <heapyard/smp.h>

/* Whether reservations of heaps that ended are kept (smp_reservations.h). */
#if defined(HY_SMP_SMALL) && HY_SMP_SMALL && HY_ASAN
#define HY_SMP_KEEPS 1
#else
#define HY_SMP_KEEPS 0
#endif

#if defined(HY_SMP_SMALL) && HY_SMP_SMALL
/* The most pages and blocks of a slab. */
#define HY_SMP_SLAB_PAGES 2
#define HY_SMP_SLAB_BLOCKS 64
/* A magazine holds at most this many bytes of blocks, and this many blocks; but always so many. */
#define HY_SMP_MAGAZINE_BYTES ((size_t)1 << 10)
#define HY_SMP_MAGAZINE_MOST 6
#define HY_SMP_MAGAZINE_LEAST 1
/* A thread's first ones of a class, likewise. */
#define HY_SMP_FIRST_BYTES ((size_t)256)
#define HY_SMP_FIRST_MOST 1
/* What all depots may hold, beside a share of what is used. */
#define HY_SMP_DEPOTS_MAX ((size_t)32 << 10)
/* A shard that holds so much more or less than it said says so. */
#define HY_SMP_PUBLISHED_CHANGE ((size_t)2 << 10)
/* From this size on, moving page tables costs less than copying. */
#define HY_SMP_MOVE_MIN ((size_t)64 << 10)
/* Shards of depots, each with a lock of its own. */
#define HY_SMP_SHARDS 4
/* Bytes of empty magazines that a shard of depots keeps for its threads. */
#define HY_SMP_EMPTY_BYTES ((size_t)1 << 10)
/* Depots that hold more than this, and an eighth of what is used, are emptied before the heap grows. */
#define HY_SMP_RECLAIM_MIN ((size_t)16 << 10)
/* A hold (smp_decay.c) lasts no longer than this. */
#define HY_SMP_HOLD_MOST_MS 80
/* And keeps little more free pages than this. */
#define HY_SMP_HELD_MOST ((size_t)1 << 20)
/* Nor in a heap's first moments, unless it is much. */
#define HY_SMP_YOUNG_MS 1
#define HY_SMP_YOUNG_SURPLUS ((size_t)256 << 10)
/* Free memory that was not needed for this long goes back by halves. */
#define HY_SMP_TICK_MS 20
#define HY_SMP_TRIPS_A_LOOK 4
/* From this much memory in use on, pages are made ready ahead of their first use. */
#define HY_SMP_POPULATE_MIN ((size_t)64 << 10)
/* Bytes of addresses that a heap reserves at most. */
#define HY_SMP_RESERVE_MOST ((size_t)1 << 30)
#define HY_SMP_RESERVE_INSTANCE ((size_t)128 << 20)
/* What a heap begins with. */
#define HY_SMP_OPTIONS_DEFAULT                                                                               \
    { .surplus_min_bytes = (size_t)64 << 10, .hold_ms = 20, .huge_min_bytes = (size_t)4 << 20 }
#else
#define HY_SMP_SLAB_PAGES 16
#define HY_SMP_SLAB_BLOCKS 512
#define HY_SMP_MAGAZINE_BYTES ((size_t)32 << 10)
#define HY_SMP_MAGAZINE_MOST 126
#define HY_SMP_MAGAZINE_LEAST 2
#define HY_SMP_FIRST_BYTES ((size_t)2 << 10)
#define HY_SMP_FIRST_MOST 6
#define HY_SMP_DEPOTS_MAX ((size_t)2 << 20)
#define HY_SMP_PUBLISHED_CHANGE ((size_t)32 << 10)
#define HY_SMP_MOVE_MIN ((size_t)8 << 20)
#define HY_SMP_SHARDS 32
#define HY_SMP_EMPTY_BYTES ((size_t)96 << 10)
#define HY_SMP_RECLAIM_MIN ((size_t)256 << 10)
#define HY_SMP_HOLD_MOST_MS 8000
#define HY_SMP_HELD_MOST ((size_t)64 << 20)
#define HY_SMP_YOUNG_MS 250
#define HY_SMP_YOUNG_SURPLUS ((size_t)8 << 20)
#define HY_SMP_TICK_MS 1000
#define HY_SMP_TRIPS_A_LOOK 64
#define HY_SMP_POPULATE_MIN ((size_t)512 << 10)
#define HY_SMP_RESERVE_MOST ((size_t)1 << 42)
#define HY_SMP_RESERVE_INSTANCE ((size_t)16 << 30)
#define HY_SMP_OPTIONS_DEFAULT                                                                               \
    { .surplus_min_bytes = (size_t)1 << 20, .hold_ms = 250, .huge_min_bytes = (size_t)32 << 20 }
#endif

#endif
