/* smp_core.h: what the parts of smp share: a heap's memory and its records.
 *
 * One reservation of addresses holds everything; each array begins unreadable and is made accessible
 * from its front as it grows (hy_smp_array):
 *
 *   ┌──────┬──────────┬────────────┬───────────────┬──────────┬───────────────────────────────┐
 *   │ core │ metadata │ page       │ class of each │ slab     │ pages: the blocks             │
 *   │      │          │ records    │ page          │ records  │                               │
 *   └──────┴──────────┴────────────┴───────────────┴──────────┴───────────────────────────────┘
 *
 * Locks, in the order in which they may be held together: the process's list of heaps, a shard's, a class's,
 * the pages'.
 */
#ifndef HEAPYARD_STRATEGIES_SMP_CORE_H
#define HEAPYARD_STRATEGIES_SMP_CORE_H

#include "allocators/core/lock.h"
#include "allocators/strategies/smp_limits.h"
#include <heapyard/smp.h>

#define HY_SMP_PAGE ((size_t)4096)
#define HY_SMP_PAGE_SHIFT 12

/* ---- pages ---- */

/* What a page is. */
typedef enum hy_smp_page_kind {
    HY_SMP_PAGE_FRESH, /* behind the frontier: never used */
    HY_SMP_PAGE_CLEAN, /* of a free run that reads as zero and costs no memory */
    HY_SMP_PAGE_DIRTY, /* of a free run that was used */
    HY_SMP_PAGE_LARGE, /* the first of a large block */
    HY_SMP_PAGE_SLAB,
    HY_SMP_PAGE_LOST, /* whose addresses the system took; in use for ever */
    HY_SMP_PAGE_KINDS
} hy_smp_page_kind;

/* The record of a page. Of runs only the first and the last page's are kept true. */
typedef struct hy_smp_page {
    uint32_t value;      /* a run's length in pages; of a slab's page: the slab's number */
    uint32_t prev, next; /* free runs of like length, by first page; 0: none */
    uint8_t kind;
} hy_smp_page;

_Static_assert(sizeof(hy_smp_page) == 16, "1/256 of the pages");

/* An array in the reservation whose front part is accessible. */
typedef struct hy_smp_array {
    uintptr_t base;
    size_t accessible; /* bytes */
    size_t reserved;   /* bytes */
#if HY_SMP_KEEPS
    size_t *opened; /* bytes that the system has made accessible, at least those; NULL: just those */
#endif
} hy_smp_array;

#define HY_SMP_RUN_BINS 128
#define HY_SMP_METADATA_BINS 32

/* Free runs, clean or dirty ones: bins by length. */
typedef struct hy_smp_runs {
    uint32_t heads[HY_SMP_RUN_BINS];
    uint64_t nonempty[HY_SMP_RUN_BINS / 64];
    size_t pages; /* in all of them */
} hy_smp_runs;

/* ---- slabs and depots ---- */

/* A slab: a run of pages cut into blocks of one class. Bit i of free is set where block i is here, and not
 * in a cache, a depot or a program's hands. */
typedef struct hy_smp_slab {
    uint32_t prev, next; /* of the class, in one of its lists by fullness; 0: none */
    uint32_t page;       /* its first */
    uint32_t reciprocal; /* (offset * reciprocal) >> 32 is the block that an offset lies in */
    uint16_t free_count, block_count;
    uint8_t class_number;
    uint8_t page_count;
    uint8_t list; /* which one it is in */
    uint64_t free[HY_SMP_SLAB_BLOCKS / 64];
#if HY_CHECK >= 2
    uint64_t live[HY_SMP_SLAB_BLOCKS / 64]; /* in the program's hands: smp_checks.c */
#endif
} hy_smp_slab;

/* Slabs by how full they are: fullest eighth first. Full ones are in no list. */
#define HY_SMP_LISTS 8
#define HY_SMP_NO_LIST HY_SMP_LISTS

/* Blocks of one class that move together between a thread and a depot. */
struct hy_smp_magazine {
    struct hy_smp_magazine *next; /* in a depot */
    uint32_t count;               /* of blocks; while it is a bin's, that one's `top` tells it */
    uint32_t capacity;
    void *blocks[];
};

/* A class of blocks: its slabs. */
typedef struct hy_smp_class_state {
    hy_lock lock;
    uint32_t block_size;
    size_t taken;                 /* blocks that are in no slab; read outside of the lock too */
    uint32_t lists[HY_SMP_LISTS]; /* slab numbers */
    uint32_t slab_pages;          /* of all slabs */
    uint32_t slab_count, empty_slabs;
    uint32_t block_count; /* of all slabs */
} HY_CACHE_ALIGNED hy_smp_class_state;

/* Where threads leave the magazines of a class that they have too many of. */
typedef struct hy_smp_depot {
    hy_smp_magazine *full;  /* with at least one block each, newest first */
    hy_smp_magazine *empty; /* of any capacity */
    size_t full_blocks;     /* in all of the full ones; read outside of the lock too */
    size_t full_low;        /* the fewest that were there since the last tick (smp_decay.c) */
} hy_smp_depot;

/* Depots of all classes for some of the threads: so a thread gets back what it gave, whose blocks its
 * processor still has, and seldom waits for another. */
typedef struct hy_smp_shard {
    hy_lock lock;
    size_t bytes;       /* in all of its depots; read outside of the lock too */
    size_t published;   /* what of it core->depot_bytes counts */
    size_t empty_bytes; /* of its empty magazines */
    hy_smp_depot depots[HY_SMP_CLASS_COUNT];
} HY_CACHE_ALIGNED hy_smp_shard;

/* What gives memory back: smp_decay.c. Written under the pages' lock by atomic stores, since it is read
 * outside. */
typedef struct hy_smp_decay {
    uint64_t begun_ms;       /* the heap's birth */
    uint64_t hold_ms;        /* so long after surplus was given back and needed again, no more is */
    uint64_t purged_ms;      /* when surplus was given back last */
    uint64_t shed_live;      /* what was live then, in bytes */
    uint64_t purged_pages;   /* how much went since the last hold */
    uint64_t refilled_pages; /* how much of it was needed again */
    uint64_t next_tick_ms;
    uint64_t tick_count;  /* that there were; written by atomic operations */
    uint32_t shed_number; /* how often surplus was given back; written by atomic operations */
    size_t dirty_low;     /* the fewest dirty pages since the last tick */
} hy_smp_decay;

struct hy_smp_core {
    void *reservation;
    size_t reservation_size;
    uintptr_t base; /* of page 0, which is never used */
    uint32_t page_limit;
    hy_smp_page *pages;
    uint8_t *class_of_page; /* the class of a slab's page, else 0 */
    hy_smp_slab *slabs;     /* number 0 is nobody's */

    /* Written by atomic operations, outside of the locks. */
    size_t depot_bytes;    /* in all depots, about: a shard adds what it has when it has changed enough */
    size_t taken_bytes;    /* in large blocks, and in blocks that are in no slab */
    size_t used_bytes;     /* of pages in slabs and large blocks */
    size_t retained_bytes; /* of dirty pages */
    uint32_t cache_count;
    hy_smp_cache *caches; /* all of them; the newest first */

    hy_smp_options options;

    hy_lock lock HY_CACHE_ALIGNED; /* for all that follows */
    uint32_t frontier;
    hy_smp_runs clean, dirty;
    size_t peak_bytes;
    size_t returned_pages; /* that ever went back to the system */
    size_t large_blocks, large_pages;
    hy_smp_decay decay;
    hy_smp_array page_array, class_array, slab_array, block_array, metadata_array;
    uint32_t slab_next, slab_free;
    bool has_short_slabs; /* some have fewer pages than was best: more were refused */
    uintptr_t metadata_next;
    void *metadata_free[HY_SMP_METADATA_BINS];

    hy_smp_class_state classes[HY_SMP_CLASS_COUNT];
    hy_smp_shard shards[HY_SMP_SHARDS];
};

/* The size of a class's blocks, in bytes. */
uint32_t hy_smp_class_size(uint32_t number);

HY_INLINE size_t hy_smp_load(const size_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

HY_INLINE void hy_smp_add(size_t *counter, size_t value) {
    __atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

/* Between an address and its page. */
HY_INLINE uint32_t hy_smp_page_of(const hy_smp_core *core, const void *ptr) {
    return (uint32_t)(((uintptr_t)ptr - core->base) >> HY_SMP_PAGE_SHIFT);
}

HY_INLINE void *hy_smp_page_address(const hy_smp_core *core, uint32_t page) {
    return (void *)(core->base + ((uintptr_t)page << HY_SMP_PAGE_SHIFT));
}

HY_INLINE bool hy_smp_contains(const hy_smp_core *core, const void *ptr) {
    uint32_t limit = __atomic_load_n(&core->page_limit, __ATOMIC_RELAXED);
    return (uintptr_t)ptr - core->base < (uintptr_t)limit << HY_SMP_PAGE_SHIFT;
}

/* The class of the slab that an address lies in; 0: in none. Requires: hy_smp_contains(core, ptr). */
HY_INLINE uint32_t hy_smp_class_of(const hy_smp_core *core, const void *ptr) {
    return core->class_of_page[hy_smp_page_of(core, ptr)];
}

/* The magazine whose places a bin uses; NULL: none yet. */
HY_INLINE hy_smp_magazine *hy_smp_loaded(const hy_smp_bin *bin) {
    if (!bin->base) return NULL;
    return (hy_smp_magazine *)(void *)((char *)bin->base - offsetof(hy_smp_magazine, blocks));
}

#endif
