/* smp_depot.h: where threads exchange magazines of blocks. */
#ifndef HEAPYARD_STRATEGIES_SMP_DEPOT_H
#define HEAPYARD_STRATEGIES_SMP_DEPOT_H

#include "allocators/strategies/smp_core.h"

/* How many places a thread's next magazines should have that had so many until now; 0: it had none. */
uint32_t hy_smp_next_capacity(const hy_smp_core *core, uint32_t number, uint32_t capacity);

/* A magazine that holds blocks, at most twice as many as wanted, for one that is empty (or NULL); from the
 * shard's depot, another's, or filled from the slabs. NULL: refused, and `empty` is kept. */
hy_smp_magazine *hy_smp_depot_take(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *empty, uint32_t wanted);
/* An empty magazine of as many places as wanted, for one that holds blocks. Never NULL; smaller, where memory
 * is short. */
hy_smp_magazine *hy_smp_depot_give(
    hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *full, uint32_t wanted);
/* Leaves a magazine there, full or empty; for threads that end. */
void hy_smp_depot_leave(hy_smp_core *core, uint32_t number, uint32_t shard, hy_smp_magazine *magazine);
/* An empty magazine; NULL: refused. */
hy_smp_magazine *hy_smp_depot_take_empty(hy_smp_core *core, uint32_t number, uint32_t shard, uint32_t wanted);
/* One block past the magazines; for threads that have no cache. NULL: refused. */
void *hy_smp_depot_take_one(hy_smp_core *core, uint32_t number);
void hy_smp_depot_give_one(hy_smp_core *core, uint32_t number, void *block);
/* Empties a depot into the slabs until at most `keep` blocks are in it. */
void hy_smp_depot_drain(hy_smp_core *core, uint32_t number, uint32_t shard, size_t keep);
/* The same for all of them, down to nothing; and the pages of empty slabs go back. */
void hy_smp_depots_drain(hy_smp_core *core);
/* The bytes in all depots, to the byte as each shard says it; O(shards). For what is asked often there is
 * core->depot_bytes, which is about right. */
size_t hy_smp_depots_bytes(const hy_smp_core *core);
/* How many blocks of a class all depots hold, about. */
size_t hy_smp_depot_blocks(const hy_smp_core *core, uint32_t number);
/* Whether the depots hold so much that they should be emptied before the heap grows. */
bool hy_smp_should_reclaim(const hy_smp_core *core);
/* Whether all depots hold what they say, of blocks that slabs gave, and no more than they may. Every lock is
 * held. */
bool hy_smp_depots_check(const hy_smp_core *core);
/* What a magazine takes of the heap's own memory, and all that depots have. */
size_t hy_smp_magazine_bytes(const hy_smp_magazine *magazine);
size_t hy_smp_depots_metadata(const hy_smp_core *core);
/* Shards that some thread uses are those below this. */
uint32_t hy_smp_shards_used(const hy_smp_core *core);

#endif
