/* floor_null_row.c: what a virtual call costs, and nothing else.
 *
 * For: the denominator of every virtual measurement. Not for: use; it hands out one block again and
 * again, of one size whatever is asked.
 * Algorithm: `self` is the block. Cost: the indirect call. Overhead: none. Thread-safe: no.
 */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>

#define BLOCK_BYTES ((size_t)1 << 20)
#define BLOCK_ALIGN HY_ALIGN_4096

HY_SLOT static void *alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    return self;
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    void *block = hy_alloc(hy_libc(), BLOCK_BYTES, BLOCK_ALIGN);
    *out = (hy_allocator){block, &vtable};
    return block;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_free(hy_libc(), instance, BLOCK_BYTES, BLOCK_ALIGN);
}

const hy_row hy_floor_null_row = {
    .name = "floor_null",
    .group = HY_GROUP_FLOOR,
    .summary = "a vtable that hands out one fixed block: the cost of the call itself",
    .traits = HY_TRAIT_FLOOR | HY_TRAIT_FREE_LAST | HY_TRAIT_FIXED_BLOCK,
    .greatest_align = {12},
    .default_block_size = BLOCK_BYTES,
    .make = make,
    .destroy = destroy,
};
