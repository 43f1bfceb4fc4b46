/* region_row.h: the memory behind a row whose allocator works on its caller's region.
 *
 * The region comes from the child that the row's maker was given, else from libc. The low bits of the
 * row's options shift it by up to 63 bytes, so that tests meet regions at every alignment.
 */
#ifndef HEAPYARD_STRATEGIES_REGION_ROW_H
#define HEAPYARD_STRATEGIES_REGION_ROW_H

#include <heapyard/libc.h>
#include <heapyard/plugin.h>

#define HY_REGION_DEFAULT_CAPACITY ((size_t)16 << 20)
#define HY_REGION_SHIFT_MASK 63u

typedef struct hy_region {
    hy_allocator source;
    char *block; /* what the source gave */
    size_t shift;
    size_t capacity;
} hy_region;

/* False: refused, nothing kept. */
static inline bool hy_region_make(hy_region *region, const hy_config *config) {
    bool given = config->child.vtable != NULL;
    region->source = given ? config->child : hy_libc();
    region->capacity = config->capacity ? config->capacity : HY_REGION_DEFAULT_CAPACITY;
    region->shift = config->options & HY_REGION_SHIFT_MASK;
    size_t size;
    if (HY_ADD_OVERFLOWS(region->capacity, region->shift, &size)) return false;
    region->block = (char *)hy_alloc(region->source, size, HY_ALIGN_16);
    return region->block != NULL;
}

static inline char *hy_region_base(const hy_region *region) {
    return region->block + region->shift;
}

static inline bool hy_region_owns(const hy_region *region, const void *ptr) {
    return (uintptr_t)ptr - (uintptr_t)hy_region_base(region) < region->capacity;
}

static inline void hy_region_free(hy_region *region) {
    hy_free(region->source, region->block, region->capacity + region->shift, HY_ALIGN_16);
}

#endif
