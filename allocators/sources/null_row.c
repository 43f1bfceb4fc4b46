/* null_row.c: how the yards know null. */
#include <heapyard/null.h>
#include <heapyard/plugin.h>

/* Something that is not NULL, for an instance that has no state. */
static char no_state;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    *out = hy_null();
    return &no_state;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

const hy_row hy_null_row = {
    .name = "null",
    .group = HY_GROUP_SOURCE,
    .summary = "refuses everything; the template for a new one",
    .header = "heapyard/null.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_REFUSES_ALL,
    .make = make,
    .destroy = destroy,
};
