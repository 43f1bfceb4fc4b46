/* sized_rows.c: a plugin for tests whose rows are as large as ROW_BYTES says, of the ABI that ABI says, as
 * one that was built against an earlier or a later plugin.h has them. Behind their end is what must not be
 * read.
 */
#include <heapyard/plugin.h>

/* A row of a plugin.h to come. */
typedef struct later_row {
    hy_row row;
    size_t number;
} later_row;

/* Makes nothing where the row that it is given has lost what it was built with. */
static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    if (ROW_BYTES == sizeof(later_row) && ((const later_row *)(const void *)row)->number != 41) return NULL;
    *out = config->child;
    return (void *)(uintptr_t)row;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static const hy_row *const rows[2];

static const hy_plugin plugin = {
    .abi = ABI,
    .name = "sized_rows",
    .row_count = 2,
    .rows = rows,
    .row_size = ABI == 1 ? SIZE_MAX : ROW_BYTES,
};

#define ROW                                                                                                  \
    .group = HY_GROUP_DECORATOR, .summary = "hands on its child", .align_from_child = true, .make = make,    \
    .destroy = destroy, .origin = &plugin, .data = &plugin

static const later_row below = {{.name = "below", ROW}, 41};
static const later_row above = {{.name = "above", .default_child = "below", ROW}, 41};
static const hy_row *const rows[2] = {&below.row, &above.row};

const hy_plugin *heapyard_plugin(void) {
    return &plugin;
}
