/* smp_checks.h: what a build at check level 2 asserts of every small block that comes and goes. */
#ifndef HEAPYARD_STRATEGIES_SMP_CHECKS_H
#define HEAPYARD_STRATEGIES_SMP_CHECKS_H

#include "allocators/strategies/smp_core.h"

/* At level 2 the inline paths find nothing in a thread's cache and no room, so that every call comes into the
 * library, whatever level its caller was compiled at; what is really there lies in a second cache behind the
 * one that they see. */
#define HY_SMP_CHECKED (HY_CHECK >= 2)

/* A block that is about to be freed: it is one of the class, not free already, and is filled. */
void hy_smp_check_free(hy_smp_core *core, uint32_t class_number, void *block);
/* A block that is about to be handed out: nobody has it, nor has written to it since. */
void hy_smp_check_alloc(hy_smp_core *core, uint32_t class_number, void *block);
/* The blocks of a new slab are filled and poisoned as those that are freed. */
void hy_smp_fill(void *ptr, size_t size);

#endif
