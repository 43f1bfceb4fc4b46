/* libc_row.c: how the yards know libc. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>

static char no_state;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = hy_libc();
    return &no_state;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

const hy_row hy_libc_row = {
    .name = "libc",
    .group = HY_GROUP_SOURCE,
    .summary = "the C library's malloc and free, with any alignment",
    .header = "heapyard/libc.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {63},
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
};

/* The same allocator under a second name: what separates the two in a run is that run's noise. */
const hy_row hy_libc_again_row = {
    .name = "libc_again",
    .group = HY_GROUP_SOURCE,
    .summary = "libc once more: the A/A control of every comparison",
    .header = "heapyard/libc.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {63},
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
};
