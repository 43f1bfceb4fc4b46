/* plugins.c: loads plugins and renames their rows.
 *
 * The rows handed out are copies whose names carry the label; all functions are the plugin's own, with
 * no step between. A plugin that was built against an earlier or a later plugin.h has rows of another size:
 * copies have room for the larger of theirs and ours, zero where theirs end, so that either side finds the
 * fields that it knows. Where its rows name their origin, their children come from the same plugin (see
 * plugin.h), so base and head each stand on their own. Libraries are never unloaded: instances, and
 * threads that used them, may outlive any moment at which that would be safe.
 */
#include "allocators/plugins.h"

#include <dlfcn.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN_MAX 16
#define LABEL_MAX 32
/* A row of ABI 1 ends where `data` begins now; larger than the other no row will ever be. */
#define FIRST_ROW_BYTES offsetof(hy_row, data)
#define ROW_BYTES_MAX ((size_t)1 << 16)

typedef struct loaded_plugin {
    char label[LABEL_MAX];
    void *handle;
    const hy_plugin *given; /* what the library answered */
    hy_plugin plugin;       /* the same over copies: what its rows have for their origin here */
    char *memory;           /* all copies */
    const hy_row **rows;    /* to all copies: those with their own names first, then those with labels */
} loaded_plugin;

static struct {
    loaded_plugin plugins[PLUGIN_MAX];
    size_t count;
} state;

HY_PRINTF(3, 4) static bool refuse(char *error, size_t error_size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

static const loaded_plugin *find_plugin(const char *label, size_t length) {
    for (size_t i = 0; i < state.count; i++) {
        const loaded_plugin *plugin = &state.plugins[i];
        if (strlen(plugin->label) == length && memcmp(plugin->label, label, length) == 0) return plugin;
    }
    return NULL;
}

static const hy_row *const *labelled_rows(const loaded_plugin *plugin) {
    return plugin->rows + plugin->plugin.row_count;
}

static const hy_row *find_row(const loaded_plugin *plugin, const char *name) {
    const hy_row *const *rows = labelled_rows(plugin);
    for (size_t i = 0; i < plugin->plugin.row_count; i++) {
        if (strcmp(rows[i]->name, name) == 0) return rows[i];
    }
    return NULL;
}

/* "arena" and "head" become "arena@head". NULL: out of memory. */
static char *labelled(const char *name, const char *label) {
    size_t size = strlen(name) + 1 + strlen(label) + 1;
    char *text = hy_alloc_n(hy_libc(), char, size);
    if (text) snprintf(text, size, "%s@%s", name, label);
    return text;
}

/* How much of a row its plugin knows. */
static size_t given_bytes(const hy_plugin *plugin) {
    return plugin->abi == 1 ? FIRST_ROW_BYTES : plugin->row_size;
}

/* How far copies are apart. */
static size_t copy_bytes(const hy_plugin *plugin) {
    size_t given = given_bytes(plugin);
    return hy_align_forward(given > sizeof(hy_row) ? given : sizeof(hy_row), hy_align_of(hy_row));
}

static void free_rows(loaded_plugin *plugin, size_t named) {
    size_t count = plugin->plugin.row_count;
    for (size_t i = 0; i < named; i++) {
        char *name = (char *)(uintptr_t)labelled_rows(plugin)[i]->name;
        hy_free_n(hy_libc(), name, strlen(name) + 1);
    }
    hy_free(hy_libc(), plugin->memory, 2 * count * copy_bytes(plugin->given), hy_align_of(hy_row));
    hy_free_n(hy_libc(), plugin->rows, 2 * count);
}

/* The copy at `index` of the row at the same place, or of that with its label. */
static hy_row *copy_row(loaded_plugin *plugin, size_t index) {
    const hy_plugin *given = plugin->given;
    char *at = plugin->memory + index * copy_bytes(given);
    memset(at, 0, copy_bytes(given));
    memcpy(at, given->rows[index % given->row_count], given_bytes(given));
    hy_row *row = (hy_row *)(void *)at;
    if (row->origin) row->origin = &plugin->plugin;
    plugin->rows[index] = row;
    return row;
}

static bool copy_rows(loaded_plugin *plugin) {
    const hy_plugin *given = plugin->given;
    size_t count = given->row_count, named = 0;
    plugin->memory = hy_alloc(hy_libc(), 2 * count * copy_bytes(given), hy_align_of(hy_row));
    plugin->rows = hy_alloc_n(hy_libc(), const hy_row *, 2 * count);
    plugin->plugin = (hy_plugin){.abi = HY_PLUGIN_ABI,
        .name = given->name,
        .version = given->version,
        .build_info = given->build_info,
        .row_count = count,
        .rows = plugin->rows,
        .row_size = copy_bytes(given)};
    bool whole = plugin->memory && plugin->rows;
    for (size_t i = 0; whole && i < count; i++)
        (void)copy_row(plugin, i);
    while (whole && named < count) {
        hy_row *row = copy_row(plugin, count + named);
        row->name = labelled(row->name, plugin->label);
        whole = row->name != NULL;
        named += whole;
    }
    if (!whole) free_rows(plugin, named);
    return whole;
}

static bool parse_label(loaded_plugin *plugin, const char *text, char *error, size_t error_size) {
    const char *equals = strchr(text, '=');
    if (!equals || !equals[1]) {
        return refuse(error, error_size, "plugin '%s': give it as label=path", text);
    }
    size_t length = (size_t)(equals - text);
    bool legal = length > 0 && length < LABEL_MAX;
    legal = legal && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
    if (!legal) {
        return refuse(error, error_size, "plugin label '%.*s': must be 1 to %d of [a-z0-9_]", (int)length,
            text, LABEL_MAX - 1);
    }
    const loaded_plugin *other = find_plugin(text, length);
    if (other) return refuse(error, error_size, "plugin label '%s' is in use already", other->label);
    memcpy(plugin->label, text, length);
    plugin->label[length] = 0;
    return true;
}

static bool check_abi(const hy_plugin *plugin, const char *path, char *error, size_t error_size) {
    if (!plugin) return refuse(error, error_size, "plugin '%s': heapyard_plugin() returned NULL", path);
    if (plugin->abi == 0 || plugin->abi > HY_PLUGIN_ABI) {
        return refuse(error, error_size, "plugin '%s' has ABI %u, this build speaks 1 to %u: build it again",
            path, plugin->abi, (unsigned)HY_PLUGIN_ABI);
    }
    size_t bytes = given_bytes(plugin);
    if (bytes < FIRST_ROW_BYTES || bytes > ROW_BYTES_MAX) {
        return refuse(
            error, error_size, "plugin '%s': its row_size is %zu: must be its sizeof(hy_row)", path, bytes);
    }
    if (plugin->row_count == 0) return refuse(error, error_size, "plugin '%s' has no rows", path);
    return true;
}

/* How far rows know their operations; earlier ones have none. */
#define OPERATIONS_END (offsetof(hy_row, operation_count) + sizeof(size_t))

static bool are_operations_whole(const hy_row *row) {
    if (row->operation_count > 0 && !row->operations) return false;
    for (size_t i = 0; i < row->operation_count; i++) {
        const hy_row_operation *operation = &row->operations[i];
        if (!operation->name || !operation->name[0] || !operation->run) return false;
    }
    return true;
}

/* What is wrong with a row by itself, as a phrase; NULL where nothing is. */
static const char *fault_of(const hy_row *row) {
    if (row->name[strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_")]) {
        return "its name must be of [a-z0-9_]";
    }
    if ((unsigned)row->group >= HY_GROUP_COUNT) return "its group is none of hy_group";
    if (!row->summary) return "it has no summary";
    if (!row->missing && (!row->make || !row->destroy)) return "it has no make or no destroy";
    if (row->traits & HY_TRAIT_BULK_RESET && !row->reset)
        return "its traits promise a reset, and it has none";
    if (row->traits & HY_TRAIT_FIXED_CAPACITY && !row->default_capacity) return "it has no default_capacity";
    if (row->traits & HY_TRAIT_FIXED_BLOCK && !row->default_block_size) return "it has no default_block_size";
    if (row->greatest_align.log2 > HY_ALIGN_LOG2_MAX) return "its greatest_align is no alignment";
    if (row->stack && !row->stack[0]) return "its stack has no rows";
    return NULL;
}

/* A row that its default child, or one of those below, or its stack needs, and that is not there; NULL: all
 * are. *stands_on_itself: the children do not end. */
static const char *missing_below(const hy_row *row, bool *stands_on_itself) {
    const hy_row *below = row;
    *stands_on_itself = false;
    for (size_t i = 0; row->stack && row->stack[i]; i++) {
        if (!hy_registry_near(row, row->stack[i])) return row->stack[i];
    }
    for (size_t depth = 0; below->default_child; depth++) {
        const char *child = below->default_child;
        below = hy_registry_near(below, child);
        *stands_on_itself = depth == HY_INSTANCE_BELOW_MAX;
        if (!below || *stands_on_itself) return child;
    }
    return NULL;
}

static bool check_names(const hy_plugin *plugin, const char *path, char *error, size_t error_size) {
    for (size_t i = 0; i < plugin->row_count; i++) {
        const hy_row *row = plugin->rows ? plugin->rows[i] : NULL;
        if (!row || !row->name || !row->name[0]) {
            return refuse(error, error_size, "plugin '%s': its row %zu has no name", path, i + 1);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(plugin->rows[j]->name, row->name) != 0) continue;
            return refuse(error, error_size, "plugin '%s' has two rows called '%s'", path, row->name);
        }
    }
    return true;
}

/* Rows are believed from here on, so what they would be asked in vain is told now. */
static bool check_rows(const hy_plugin *plugin, const char *path, char *error, size_t error_size) {
    for (size_t i = 0; i < plugin->row_count; i++) {
        const hy_row *row = plugin->rows[i];
        bool has_operations = given_bytes(plugin) >= OPERATIONS_END, stands_on_itself;
        const char *fault = fault_of(row);
        if (!fault && has_operations && !are_operations_whole(row))
            fault = "an operation has no name or no run";
        if (fault) return refuse(error, error_size, "plugin '%s': row '%s': %s", path, row->name, fault);
        const char *missing = missing_below(row, &stands_on_itself);
        if (!missing) continue;
        return refuse(error, error_size,
            stands_on_itself
                ? "plugin '%s': row '%s' has more than 8 default children below it: '%s' is one too many"
                : "plugin '%s': row '%s': no row '%s' to be its default child or of its stack",
            path, row->name, missing);
    }
    return true;
}

bool hy_plugins_check(const hy_plugin *plugin, const char *path, char *error, size_t error_size) {
    return check_abi(plugin, path, error, error_size) && check_names(plugin, path, error, error_size) &&
           check_rows(plugin, path, error, error_size);
}

static bool open_library(loaded_plugin *plugin, const char *path, char *error, size_t error_size) {
    plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->handle) return refuse(error, error_size, "plugin '%s': %s", path, dlerror());
    for (size_t i = 0; i < state.count; i++) {
        if (state.plugins[i].handle != plugin->handle) continue;
        return refuse(error, error_size,
            "plugin '%s' is loaded already as '%s': copy the file to compare it with itself", path,
            state.plugins[i].label);
    }
    hy_plugin_function function;
    void *symbol = dlsym(plugin->handle, "heapyard_plugin");
    if (!symbol) return refuse(error, error_size, "'%s' is no plugin: it exports no heapyard_plugin", path);
    memcpy(&function, &symbol, sizeof function);
    plugin->given = function();
    return hy_plugins_check(plugin->given, path, error, error_size);
}

bool hy_plugins_load(const char *label_equals_path, char *error, size_t error_size) {
    if (state.count == PLUGIN_MAX) {
        return refuse(error, error_size, "more than %d plugins: load fewer", PLUGIN_MAX);
    }
    loaded_plugin *plugin = &state.plugins[state.count];
    *plugin = (loaded_plugin){.handle = NULL};
    if (!parse_label(plugin, label_equals_path, error, error_size)) return false;
    const char *path = strchr(label_equals_path, '=') + 1;
    bool loaded = open_library(plugin, path, error, error_size);
    if (loaded && !copy_rows(plugin)) loaded = refuse(error, error_size, "plugin '%s': out of memory", path);
    if (loaded) {
        state.count++;
    } else if (plugin->handle) {
        dlclose(plugin->handle);
    }
    return loaded;
}

const hy_row *hy_plugins_find(const char *name) {
    const char *at = strchr(name, '@');
    if (!at) return hy_registry_find(name);
    const loaded_plugin *plugin = find_plugin(at + 1, strlen(at + 1));
    return plugin ? find_row(plugin, name) : NULL;
}

const hy_row *hy_plugins_chosen(size_t index) {
    for (size_t i = 0; i < state.count; i++) {
        size_t count = state.plugins[i].plugin.row_count;
        if (index < count) return labelled_rows(&state.plugins[i])[index];
        index -= count;
    }
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    return state.count == 0 && index < count ? rows[index] : NULL;
}

const char *hy_plugins_label(size_t index) {
    return index < state.count ? state.plugins[index].label : NULL;
}

const hy_row *const *hy_plugins_rows(const char *label, size_t *count) {
    const loaded_plugin *plugin = find_plugin(label, strlen(label));
    *count = plugin ? plugin->plugin.row_count : 0;
    return plugin ? labelled_rows(plugin) : NULL;
}
