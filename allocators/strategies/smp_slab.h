/* smp_slab.h: slabs of one class each. */
#ifndef HEAPYARD_STRATEGIES_SMP_SLAB_H
#define HEAPYARD_STRATEGIES_SMP_SLAB_H

#include "allocators/strategies/smp_core.h"

/* Takes up to `count` blocks of a class out of its slabs to blocks[0 ... ]; returns how many. The last
 * has the lowest address. 0: refused. The class's lock is held, here and in the next two. */
uint32_t hy_smp_slabs_take(
    hy_smp_core *core, uint32_t number, void **blocks, uint32_t count, bool only_dirty);
void hy_smp_slabs_give(hy_smp_core *core, uint32_t number, void *const *blocks, uint32_t count);
/* Gives the pages of slabs that are empty back. */
void hy_smp_slabs_drop_empty(hy_smp_core *core, uint32_t number);
/* Whether a block of the class begins there that is in no slab: with a program, a cache or a depot. The
 * class's lock is held. */
bool hy_smp_slabs_gave(const hy_smp_core *core, uint32_t number, const void *block);
/* Whether the slabs of all classes agree with their pages, and with what the classes say of them. All
 * classes' locks and the pages' are held. */
bool hy_smp_slabs_check(const hy_smp_core *core);
/* Whether no slab wastes more at its end than there must be; true where memory was short once: a smaller slab
 * serves then. The same locks are held. */
bool hy_smp_slabs_waste_little(const hy_smp_core *core);

#endif
