/* logging_row.c: how the yards know logging. */
#include <heapyard/libc.h>
#include <heapyard/logging.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

/* The row's lines end here; a program brings its own sink. */
static void drop_line(void *context, const char *line, size_t size) {
    (void)context, (void)size;
    hy_opaque(line);
}

/* Options of the row: bit 0: refusals only. */
static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_logging *logging = hy_create(hy_libc(), hy_logging);
    if (!logging) return NULL;
    hy_logging_init(logging, config->child, drop_line, NULL, "row");
    logging->refusals_only = config->options & 1;
    *out = hy_logging_allocator(logging);
    return logging;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_logging *)instance);
}

const hy_row hy_logging_row = {
    .name = "logging",
    .group = HY_GROUP_DECORATOR,
    .summary = "tells a sink of every call with one line",
    .header = "heapyard/logging.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
};
