/* os_tap.h: what the allocators ask of the system: how many bytes of addresses they have of it; and the
 * system refuses calls, as the child below an allocator does.
 *
 * What they ask of allocators/core/os.h passes through here, since the linker puts this between
 * (os_tap.options): in every program that is linked with the fuzz yard. What a plugin asks of a library of
 * its own does not.
 */
#ifndef HEAPYARD_FUZZ_OS_TAP_H
#define HEAPYARD_FUZZ_OS_TAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hy_os_tap {
    size_t mapped_bytes; /* mapped or reserved, and not given back */
    size_t refusals;     /* of the system itself, to take addresses back */
} hy_os_tap;

/* As it is now. O(1), thread-safe. */
hy_os_tap hy_os_tap_read(void);

/* In runs from now on the call of this index is refused, and once: no other; else all after it, too.
 * SIZE_MAX: none. */
void hy_os_tap_refuse(size_t index, bool once);

/* Calls in the last run that could be refused. */
size_t hy_os_tap_calls(void);

/* For whoever runs a history: a run of the calling thread alone begins, whose refusals are added to
 * *refusals; NULL: it has ended, and what the system would not take back in it goes back now. In a run in
 * which nothing is refused, the region serves small mappings (os_region.h). */
void hy_os_tap_run(size_t *refusals);

#endif
