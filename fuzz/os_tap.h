/* os_tap.h: how many bytes of addresses the allocators have of the system.
 *
 * What they ask of allocators/core/os.h passes through here, since the linker puts this between: in every
 * program that is linked with the fuzz yard. What a plugin asks of a library of its own does not.
 */
#ifndef HEAPYARD_FUZZ_OS_TAP_H
#define HEAPYARD_FUZZ_OS_TAP_H

#include <stddef.h>

typedef struct hy_os_tap {
    size_t mapped_bytes; /* mapped or reserved, and not given back */
    size_t refusals;     /* of the system, to take addresses back */
} hy_os_tap;

/* As it is now. O(1), thread-safe. */
hy_os_tap hy_os_tap_read(void);

#endif
