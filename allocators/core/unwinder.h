/* unwinder.h: the platform's full unwinder, which follows the tables that the compiler wrote for exceptions.
 */
#ifndef HEAPYARD_CORE_UNWINDER_H
#define HEAPYARD_CORE_UNWINDER_H

#include <heapyard/config.h>

/* Is told a return address; false: enough. */
typedef bool (*hy_unwinder_take)(void *context, uintptr_t return_address);

/* Tells `take` each return address from hy_unwind's own caller outwards. False: there is no unwinder here,
 * and nothing was told. Thread-safe; does not call malloc. */
HY_NOINLINE bool hy_unwind(hy_unwinder_take take, void *context);

#endif
