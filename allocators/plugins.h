/* plugins.h: allocators from other shared libraries, beside those of this build.
 *
 * A plugin is loaded under a label, and its rows are then called by name and label: "arena@head" is
 * the row "arena" of the plugin loaded as "head". So base and head of one project, or a stranger's
 * allocator, stand in one process. A row that names its origin gets its children
 * from its own plugin (see heapyard/plugin.h).
 *
 * Not thread-safe: load plugins before other threads begin.
 */
#ifndef HEAPYARD_PLUGINS_H
#define HEAPYARD_PLUGINS_H

#include "allocators/registry.h"

/* Loads "label=path". label: [a-z0-9_]+, not yet in use; path: a shared library, opened for good.
 * Returns: true; or false with one line about why in `error` (of error_size bytes), nothing kept. A
 * file that is mapped already is refused: a comparison of one copy with itself would measure nothing,
 * so copy it to another path first. */
bool hy_plugins_load(const char *label_equals_path, char *error, size_t error_size);

/* Whether a table can be loaded: false, with one line about why in `error`. path: what it is called there. */
bool hy_plugins_check(const hy_plugin *plugin, const char *path, char *error, size_t error_size);

/* The row of that name: "arena@head" among the plugins loaded, a name without @ in the registry; NULL
 * where there is none. Lives for the whole process. */
const hy_row *hy_plugins_find(const char *name);

/* The rows to take where none is named: those of all plugins loaded, in order; where there is none, those
 * of this build. NULL behind the last. */
const hy_row *hy_plugins_chosen(size_t index);

/* The labels of the plugins loaded, in order; NULL behind the last. */
const char *hy_plugins_label(size_t index);

/* All rows of the plugin loaded under `label`, in its own order; NULL and count 0 where none is. */
const hy_row *const *hy_plugins_rows(const char *label, size_t *count);

#endif
