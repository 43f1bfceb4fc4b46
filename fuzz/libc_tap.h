/* libc_tap.h: malloc at fixed addresses, for engines to which an input must look the same in each run.
 *
 * In a build with HY_LIBC_TAP, for AFL++, the linker puts this between the program and the C library's
 * malloc. While a run lasts, a region at a fixed address serves, from its beginning, and nothing of it serves
 * twice in a run. It is watched as closely as AddressSanitizer's own: redzones, and freed memory, are
 * poisoned, what is fresh is filled, and what is no live block is a finding when it is given back. The C
 * library serves what is too large, and all calls between runs. In other builds nothing stands between.
 */
#ifndef HEAPYARD_FUZZ_LIBC_TAP_H
#define HEAPYARD_FUZZ_LIBC_TAP_H

#include <stddef.h>

/* A run begins; where nothing of those before is live, at the beginning of the region. O(1) beside poisoning.
 */
void hy_libc_tap_begin(void);

/* The run ends; what is live may be given back later. */
void hy_libc_tap_end(void);

/* Bytes of the region that are live. */
size_t hy_libc_tap_bytes(void);

#endif
