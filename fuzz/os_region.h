/* os_region.h: small mappings from a region at a fixed address, in place of the system.
 *
 * A mapping costs the system thousands of instructions, and each page of it a fault. The region's pages are
 * there: a mapping is marked in a table, cleared where it was written before, and watched closer than the
 * system would: what goes back is poisoned, to the byte, until it serves again. In builds with
 * AddressSanitizer; in others the system serves all.
 *
 * One thread at a time. Functions that are not here do as they always do: the region's addresses are the
 * system's, too.
 */
#ifndef HEAPYARD_FUZZ_OS_REGION_H
#define HEAPYARD_FUZZ_OS_REGION_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the largest mapping that the region serves. */
#define HY_OS_REGION_MAP_MAX ((size_t)1024 << 10)

/* From now on the region serves, where nothing of it is mapped from its beginning; or no more. */
void hy_os_region_serve(bool on);

/* Whether the address is one of the region's. O(1). */
bool hy_os_region_has(const void *ptr);

/* As hy_os_map; NULL: the system is to serve it, because the region does not serve, has no room, or the
 * mapping is too large. O(pages). */
void *hy_os_region_map(size_t size);

/* As hy_os_unmap, of addresses of the region; false where they are no whole pages of it. O(pages). */
bool hy_os_region_unmap(void *ptr, size_t size);

/* As hy_os_protect, of addresses of the region: what is inaccessible is poisoned. O(pages). */
void hy_os_region_protect(const void *ptr, size_t size, bool accessible);

/* As hy_os_discard, of whole pages of the region; false: the system is to do it, because they are many.
 * O(size). */
bool hy_os_region_discard(void *ptr, size_t size);

/* As hy_os_resize, of a mapping in the region: to grow, what lies behind must be free, and the mapping begin
 * at an odd page, so that others are moved as the system would move most. O(pages). */
bool hy_os_region_resize(void *ptr, size_t old_size, size_t new_size);

#endif
