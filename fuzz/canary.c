/* canary.c: the planted wrong allocator of the property canary, alone, so that a reproducer can be linked
 * with it.
 *
 * It bumps through memory from its child and is right but for one thing: a block that is not the
 * newest and is asked to grow by less than its alignment is told that it has grown, over its
 * neighbour.
 */
#include "fuzz/canary.h"

#include <heapyard/allocator.h>

static struct {
    hy_allocator child;
    char *region;
    size_t capacity;
    size_t used;
    char *newest;
} canary;

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    uintptr_t base = (uintptr_t)canary.region;
    if (align.log2 > 12) return NULL;
    size_t start = hy_align_forward(base + canary.used, align) - base;
    if (start > canary.capacity || size > canary.capacity - start) return NULL;
    canary.used = start + size;
    return canary.newest = canary.region + start;
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    if (new_size <= old_size) return true;
    return ptr != canary.newest && new_size - old_size < hy_align_bytes(align);
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, hy_ignore_free};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    canary.child = config->child;
    canary.capacity = config->capacity;
    canary.used = 0;
    canary.newest = NULL;
    canary.region = hy_alloc(canary.child, canary.capacity, HY_ALIGN_16);
    if (!canary.region) return NULL;
    *out = (hy_allocator){&canary, &vtable};
    return &canary;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
    hy_free(canary.child, canary.region, canary.capacity, HY_ALIGN_16);
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)instance, (void)mode, (void)limit;
    canary.used = 0;
    canary.newest = NULL;
    return true;
}

const hy_row hy_canary_row = {
    .name = "canary",
    .group = HY_GROUP_STRATEGY,
    .summary = "a bump allocator with a planted bug",
    .traits = HY_TRAIT_BULK_RESET | HY_TRAIT_FIXED_CAPACITY,
    .greatest_align = {12},
    .default_child = "libc",
    .default_capacity = 4096,
    .make = make,
    .destroy = destroy,
    .reset = reset,
};
