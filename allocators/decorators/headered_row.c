/* headered_row.c: how the yards know headered. */
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_headered *headered = hy_create(hy_libc(), hy_headered);
    if (!headered) return NULL;
    hy_headered_init(headered, config->child);
    *out = hy_headered_allocator(headered);
    return headered;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_headered *)instance);
}

const hy_row hy_headered_row = {
    .name = "headered",
    .group = HY_GROUP_DECORATOR,
    .summary = "size and alignment in front of each block, for callers who can't give them back",
    .header = "heapyard/headered.h",
    .keeps = (HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE) & ~HY_TRAIT_FIXED_BLOCK,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
};
