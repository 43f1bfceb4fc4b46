/* floor_bump_row.c: the least that any allocator of varying sizes does.
 *
 * For: the denominator of bump, fixed_buffer and arena. Not for: use; it checks no end, and wraps to
 * its start instead of refusing, whatever is live there.
 * Algorithm: one pointer, rounded up and moved on. Cost: four instructions. Overhead: padding.
 * Thread-safe: no.
 */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

#define REGION_BYTES ((size_t)1 << 22)
#define GRAIN 16

typedef struct floor_bump {
    char *next;
    char *start;
    char *last; /* beyond it the next request starts over */
} floor_bump;

HY_INLINE void *take(floor_bump *floor, size_t size) {
    char *ptr = floor->next;
    floor->next = ptr + ((size + GRAIN - 1) & ~(size_t)(GRAIN - 1));
    return ptr;
}

HY_SLOT static void *alloc(void *self, size_t size, hy_align align) {
    (void)align;
    floor_bump *floor = self;
    if (HY_UNLIKELY(floor->next > floor->last)) floor->next = floor->start;
    return take(floor, size);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    floor_bump *floor = instance;
    floor->next = floor->start;
    return true;
}

static uint64_t direct_pair(void *instance, size_t size, size_t count) {
    floor_bump *floor = instance;
    for (size_t i = 0; i < count; i++) {
        char *ptr = take(floor, size);
        *(size_t *)(void *)ptr = i;
        hy_opaque(ptr);
        floor->next = ptr;
        hy_opaque(floor);
    }
    return count;
}

static uint64_t direct_request(void *instance, const uint32_t *sizes, size_t window, size_t count) {
    floor_bump *floor = instance;
    for (size_t i = 0; i < count; i++) {
        for (size_t block = 0; block < window; block++) {
            size_t *ptr = take(floor, sizes[block]);
            *ptr = block;
            hy_opaque(ptr);
        }
        floor->next = floor->start;
        hy_opaque(floor);
    }
    return count * window;
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
