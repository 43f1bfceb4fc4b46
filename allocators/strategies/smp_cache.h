/* smp_cache.h: threads and their caches: the first level of smp, behind the inline paths of smp.h. */
#ifndef HEAPYARD_STRATEGIES_SMP_CACHE_H
#define HEAPYARD_STRATEGIES_SMP_CACHE_H

#include "allocators/strategies/smp_core.h"

/* What threads that have no cache find: nothing to take, and no room. */
extern hy_smp_cache hy_smp_empty_cache;

/* What stands in the way of the calling thread's having a cache in the process's heap. */
typedef enum hy_smp_thread_state {
    HY_SMP_CAN_HAVE_CACHE,
    HY_SMP_IS_STARTING, /* and what it calls may allocate */
    HY_SMP_IS_ENDING
} hy_smp_thread_state;

extern HY_THREAD_LOCAL hy_smp_thread_state hy_smp_own_state __attribute__((tls_model("initial-exec")));

/* The calling thread's cache in a heap that was begun, or in the process's, which is then begun; made where
 * it has none. NULL: it can have none: out of memory, more threads than slots, the thread is ending. */
hy_smp_cache *hy_smp_cache_make(hy_smp_heap *heap);

/* A block out of the bin whose loaded magazine is empty; NULL: refused. */
void *hy_smp_cache_refill(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number);
/* Puts a block into the bin whose loaded magazine is full. */
void hy_smp_cache_flush(hy_smp_core *core, hy_smp_cache *cache, uint32_t class_number, void *block);
/* What the calling thread's own cache holds, in bytes. */
size_t hy_smp_cache_bytes(const hy_smp_cache *cache);
/* Leaves everything in the depots. */
void hy_smp_cache_empty(hy_smp_core *core, hy_smp_cache *cache);

/* How many free blocks of a class all threads' caches hold, about, and how many caches there are. */
size_t hy_smp_cached_blocks(const hy_smp_core *core, uint32_t class_number, size_t *threads);

/* Whether no thread was exchanging magazines; in a child of fork, when it began. */
bool hy_smp_caches_at_rest(const hy_smp_heap *heap);
/* Whether there may be caches of threads that a fork has lost. */
bool hy_smp_keeps_lost(const hy_smp_heap *heap);
/* Whether all caches hold together, and those of other threads, all of which have ended, are empty and ready
 * for others; *bytes: what caches and their magazines take of the heap's own memory. */
bool hy_smp_caches_check(const hy_smp_heap *heap, size_t *bytes);

/* The heap enters or leaves the list of all heaps, for fork. */
void hy_smp_list_heap(hy_smp_heap *heap);
void hy_smp_unlist_heap(hy_smp_heap *heap);

/* Every lock of one heap, of the shards below `shards`, in their order. */
void hy_smp_lock_core(hy_smp_core *core, uint32_t shards);
void hy_smp_unlock_core(hy_smp_core *core, uint32_t shards);

#endif
