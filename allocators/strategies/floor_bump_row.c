/* floor_bump_row.c: the least that any allocator of varying sizes does.
 *
 * For: the denominator of bump, fixed_buffer and arena. Not for: use; it checks no end, and wraps to
 * its start instead of refusing, whatever is live there.
 * Algorithm: one pointer, rounded up and moved on. Cost: four instructions. Overhead: padding.
 * Thread-safe: no.
 */
#include <heapyard/direct.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

#define REGION_BYTES ((size_t)1 << 22)
#define GRAIN 16

typedef struct floor_bump {
    char *next;
    char *start;
    char *last; /* beyond it the next request starts over */
} floor_bump;

HY_INLINE void *next_block(floor_bump *floor, size_t size) {
    char *ptr = floor->next;
    floor->next = ptr + ((size + GRAIN - 1) & ~(size_t)(GRAIN - 1));
    return ptr;
}

HY_SLOT static void *alloc(void *self, size_t size, hy_align align) {
    (void)align;
    floor_bump *floor = self;
    if (HY_UNLIKELY(floor->next > floor->last)) floor->next = floor->start;
    return next_block(floor, size);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

HY_INLINE void end_all(void *instance) {
    floor_bump *floor = instance;
    floor->next = floor->start;
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    end_all(instance);
    return true;
}

/* Never refuses, and the loop must not ask. */
HY_INLINE void *take(void *instance, size_t size, uintptr_t *mark) {
    (void)mark;
    void *ptr = next_block(instance, size);
    HY_ASSUME(ptr != NULL);
    return ptr;
}

HY_INLINE void give(void *instance, void *ptr, size_t size, uintptr_t mark) {
    (void)size, (void)mark;
    ((floor_bump *)instance)->next = ptr;
}

static uint64_t direct_pair(void *instance, size_t size, size_t count) {
    return hy_direct_pair(instance, size, count, take, give);
}

static uint64_t direct_request(void *instance, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(instance, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    floor_bump *floor = hy_create(hy_libc(), floor_bump);
    char *region = hy_alloc_n_aligned(hy_libc(), char, REGION_BYTES, HY_ALIGN_4096);
    if (!floor || !region) {
        hy_free_n_aligned(hy_libc(), region, REGION_BYTES, HY_ALIGN_4096);
        hy_destroy(hy_libc(), floor);
        return NULL;
    }
    *floor = (floor_bump){region, region, region + REGION_BYTES / 2};
    *out = (hy_allocator){floor, &vtable};
    return floor;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    floor_bump *floor = instance;
    hy_free_n_aligned(hy_libc(), floor->start, REGION_BYTES, HY_ALIGN_4096);
    hy_destroy(hy_libc(), floor);
}

const hy_row hy_floor_bump_row = {
    .name = "floor_bump",
    .group = HY_GROUP_FLOOR,
    .summary = "an inline bump without an end: the least that a bump allocator does",
    .traits = HY_TRAIT_FLOOR | HY_TRAIT_BULK_RESET | HY_TRAIT_FIXED_BLOCK,
    .greatest_align = {4},
    .default_block_size = REGION_BYTES / 2,
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .direct = &direct,
};
