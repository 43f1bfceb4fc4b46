/* raw_libc_row.c: how the yards know raw_libc. */
#include <heapyard/plugin.h>
#include <heapyard/raw_libc.h>

static char no_state;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = hy_raw_libc();
    return &no_state;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

const hy_row hy_raw_libc_row = {
    .name = "raw_libc",
    .group = HY_GROUP_SOURCE,
    .summary = "the C library's malloc and free as they are; the right child for an arena",
    .header = "heapyard/raw_libc.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {4},
    .promises = {.remaps = true},
    .make = make,
    .destroy = destroy,
};

_Static_assert(_Alignof(max_align_t) == 16, "the row's greatest alignment says 2^4");
