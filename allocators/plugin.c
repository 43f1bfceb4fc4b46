/* plugin.c: our own rows as a plugin, so that two builds of the library can stand side by side in one
 * process and a foreign harness can load them.
 *
 * Loaded with RTLD_LOCAL, each build has its own library, registry and children; nothing but
 * heapyard_plugin is visible in it.
 */
#include "allocators/registry.h"
#include <heapyard/os.h>
#include <pthread.h>

static struct {
    pthread_once_t once;
    hy_plugin plugin;
} state = {.once = PTHREAD_ONCE_INIT};

static void fill_plugin(void) {
    state.plugin.abi = HY_PLUGIN_ABI;
    state.plugin.name = "heapyard";
    state.plugin.version = HY_VERSION;
    state.plugin.build_info = hy_build_info();
    state.plugin.row_size = sizeof(hy_row);
    hy_registry_export(&state.plugin);
}

const hy_plugin *heapyard_plugin(void) {
    pthread_once(&state.once, fill_plugin);
    return &state.plugin;
}
