/* smp_pages.h: the addresses of a heap, and runs of pages in them. */
#ifndef HEAPYARD_STRATEGIES_SMP_PAGES_H
#define HEAPYARD_STRATEGIES_SMP_PAGES_H

#include "allocators/strategies/smp_core.h"

/* A reservation of at most `most` bytes for blocks, with everything empty; NULL: refused. */
hy_smp_core *hy_smp_core_make(size_t most);
void hy_smp_core_destroy(hy_smp_core *core);

/* Zeroed memory for the heap's own use; sizes are rounded up to a power of two from 64 on. NULL: refused.
 * Takes the pages' lock. */
void *hy_smp_metadata_take(hy_smp_core *core, size_t size);
void hy_smp_metadata_give(hy_smp_core *core, void *ptr, size_t size);
/* What is really taken for that size; and whether so many bytes in use and all free ones are what was ever
 * taken. The pages' lock is held. */
size_t hy_smp_metadata_rounded(size_t size);
bool hy_smp_metadata_adds_up(const hy_smp_core *core, size_t used);

/* What a run of pages is wanted for, and what it turned out to be. */
typedef struct hy_smp_run_request {
    uint32_t count;       /* pages; what it got, where that is less */
    uint32_t least;       /* so many would do, up to HY_SMP_SLAB_PAGES; 0: no less than `count` */
    uint32_t align_pages; /* its first page is a multiple of this power of two */
    bool is_large;        /* for a block of its own: counted as such */
    bool is_dense;        /* every page of it will be used soon, if it is used at all */
    bool only_dirty;      /* where the heap would have to grow for it: refused */
    bool zeroed;          /* out: all of it reads as zero */
} hy_smp_run_request;

/* A run of pages, by its first; 0: refused. Takes the pages' lock, as all of these. */
uint32_t hy_smp_pages_take(hy_smp_core *core, hy_smp_run_request *request);
void hy_smp_pages_give(hy_smp_core *core, uint32_t first, uint32_t count, bool is_large);
/* Grows or shrinks a large block's run in place. */
bool hy_smp_pages_resize(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t new_count);
/* Moves what a large block's run holds to another place of new_count pages by page tables, and ends it; 0:
 * refused, nothing changed. */
uint32_t hy_smp_pages_move(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t new_count);
/* Gives what dirty runs of at least `least` pages hold back to the system, until at most `keep` dirty pages
 * are left; returns how many pages it got. */
size_t hy_smp_pages_purge(hy_smp_core *core, uint32_t least, size_t keep);
/* Whether runs follow each other without a gap, and add up to what is counted. All classes' locks and the
 * pages' are held. */
bool hy_smp_pages_check(const hy_smp_core *core);
/* Whether the ends of clean runs read as zero. The pages' lock is held. */
bool hy_smp_clean_runs_read_zero(const hy_smp_core *core);

#endif
