/* null.c: refuses everything.
 *
 * For: code that must not allocate, the end of a fallback chain, a start for your own allocator.
 * Not for: anything that needs memory.
 * Algorithm: none. Cost: one call. Overhead: no bytes. Thread-safe: it has no state.
 * Source: Zig's std.mem.Allocator.failing.
 */
#include <heapyard/null.h>
#include <heapyard/plugin.h>

void *hy_null_alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    return NULL;
}

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
