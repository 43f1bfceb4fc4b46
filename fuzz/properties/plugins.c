/* plugins.c: any table of rows that a plugin may answer is refused with a reason, or its rows can be made use
 * of.
 *
 * Bytes are a table: byte 0 its ABI, byte 1 the size of its rows, byte 2 their number and whether there is an
 * array of them; then for each row a byte for each of what it says about itself. What refers to names has the
 * names of the table's other rows, and of none.
 */
#include "allocators/plugins.h"
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <stdlib.h>
#include <string.h>

#define ROWS 4

static const char *const names[] = {
    "below", "above", "other", "last", NULL, "", "Large", "with blank", "@", "x"};
static const char *const stacks[][3] = {{NULL}, {"below", NULL}, {"above", "below", NULL}, {"nobody", NULL}};

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

static uint8_t next(cursor *from) {
    return from->at < from->end ? *from->at++ : 0;
}

static const char *next_name(cursor *from, size_t usual) {
    uint8_t byte = next(from);
    return byte == 0 ? names[usual % ROWS] : names[byte % (sizeof names / sizeof names[0])];
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config, (void)out;
    return NULL;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)instance, (void)mode, (void)limit;
    return true;
}

static bool operate(void *instance, size_t number, hy_mark *mark) {
    (void)instance, (void)number, (void)mark;
    return true;
}

static hy_row_operation operations[2];

static void read_row(cursor *from, hy_row *row, size_t index, const hy_plugin *plugin) {
    uint8_t flags = next(from), more = next(from);
    *row = (hy_row){
        .name = next_name(from, index),
        .group = next(from),
        .summary = flags & 1 ? NULL : "a row",
        .traits = next(from) | (hy_traits)next(from) << 8,
        .greatest_align = {next(from)},
        .default_child = flags & 2 ? next_name(from, index + 1) : NULL,
        .missing = flags & 4 ? "it" : NULL,
        .make = flags & 8 ? NULL : make,
        .destroy = flags & 16 ? NULL : destroy,
        .reset = flags & 32 ? NULL : reset,
        .default_capacity = flags & 64 ? 0 : 4096,
        .default_block_size = flags & 128 ? 0 : 64,
        .stack = more & 1 ? stacks[more >> 6] : NULL,
        .origin = more & 2 ? NULL : plugin,
        .operations = more & 4 ? operations : NULL,
        .operation_count = (more >> 3 & 3) % 3, /* as many as there are at most: more, nobody could tell */
    };
}

static void read_operations(cursor *from) {
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        uint8_t byte = next(from);
        operations[i] = (hy_row_operation){
            .name = byte & 1   ? NULL
                    : byte & 2 ? "twice"
                    : i        ? "one"
                               : "other",
            .effect = (hy_effect)(byte >> 4),
            .run = byte & 4 ? NULL : operate,
        };
    }
}

/* What whoever takes rows does with them. */
static void use_row(const hy_row *row, bool has_operations) {
    if (row->greatest_align.log2 > HY_ALIGN_LOG2_MAX)
        hy_finding("plugins", "row %s was taken, with an alignment of 2 to the %u", row->name,
            row->greatest_align.log2);
    const hy_row *below = row;
    for (size_t depth = 0; below && below->default_child; depth++) {
        if (depth > ROWS) hy_finding("plugins", "row %s was taken, which stands on itself", row->name);
        below = hy_registry_near(below, below->default_child);
    }
    if (row->stack && !row->stack[0])
        hy_finding("plugins", "row %s was taken, whose stack has no row", row->name);
    for (size_t i = 0; row->stack && row->stack[i]; i++) {
        if (!hy_registry_near(row, row->stack[i]))
            hy_finding("plugins", "row %s was taken, whose stack has no row %s", row->name, row->stack[i]);
    }
    for (size_t i = 0; has_operations && i < row->operation_count; i++) {
        const hy_row_operation *operation = &row->operations[i];
        if (!operation->name[0] || !operation->run)
            hy_finding("plugins", "an operation of row %s was taken, and can't be run", row->name);
    }
}

static void expect_reason(const char *error) {
    if (!error[0]) hy_finding("plugins", "a table was refused without a reason");
    if (strchr(error, '\n')) hy_finding("plugins", "the reason has more than a line: %s", error);
}

static size_t run(const hy_row *unused, const uint8_t *bytes, size_t size) {
    static hy_row rows[ROWS];
    static const hy_row *pointers[ROWS];
    static hy_plugin plugin;
    cursor from = {bytes, bytes + size};
    char error[512] = "";
    (void)unused;
    uint8_t abi = next(&from), row_size = next(&from), shape = next(&from);
    plugin = (hy_plugin){
        .abi = abi ? abi : HY_PLUGIN_ABI,
        .name = shape & 64 ? NULL : "table",
        .row_count = shape % (ROWS + 1),
        .rows = shape & 128 ? NULL : pointers,
        .row_size = row_size == 0   ? sizeof(hy_row)
                    : row_size == 1 ? SIZE_MAX
                                    : row_size * (size_t)8 - 8,
    };
    read_operations(&from);
    for (size_t i = 0; i < ROWS; i++) {
        read_row(&from, &rows[i], i, &plugin);
        pointers[i] = next(&from) == 255 ? NULL : &rows[i];
    }
    if (!hy_plugins_check(&plugin, "bytes", error, sizeof error)) {
        expect_reason(error);
        return 1;
    }
    /* Where rows end before that, they are read as having none. */
    bool has_operations =
        plugin.abi > 1 && plugin.row_size >= offsetof(hy_row, operation_count) + sizeof(size_t);
    for (size_t i = 0; i < plugin.row_count; i++)
        use_row(pointers[i], has_operations);
    return plugin.row_count;
}

const hy_property hy_plugins_property = {
    .name = "plugins",
    .summary = "any table of a plugin is refused with a reason, or its rows hold what they say of themselves",
    .over_rows = false,
    .run = run,
};
