/* plugin.c: what heapyard's benches, fuzzers and gate load: the rows of this library. */
#include <heapyard/plugin.h>

extern const hy_row hy_shelf_row;

static const hy_row *const rows[] = {&hy_shelf_row};

static const hy_plugin plugin = {.abi = HY_PLUGIN_ABI, .name = "shelf", .version = "1",
    .row_size = sizeof(hy_row), .row_count = 1, .rows = rows};

const hy_plugin *heapyard_plugin(void) {
    return &plugin;
}
