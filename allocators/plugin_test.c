/* plugin_test.c: the module holds our rows, shows one symbol, and stands beside this program's own. */
#include "allocators/registry.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct {
    void *handle;
    const hy_plugin *plugin;
} loaded;

static int load(void **state) {
    (void)state;
    loaded.handle = dlopen(HY_PLUGIN_PATH, RTLD_NOW | RTLD_LOCAL);
    if (!loaded.handle) {
        print_error("%s\n", dlerror());
        return -1;
    }
    hy_plugin_function function;
    *(void **)&function = dlsym(loaded.handle, "heapyard_plugin");
    if (!function) return -1;
    loaded.plugin = function();
    return 0;
}

static const hy_row *plugin_row(const char *name) {
    for (size_t i = 0; i < loaded.plugin->row_count; i++) {
        if (strcmp(loaded.plugin->rows[i]->name, name) == 0) return loaded.plugin->rows[i];
    }
    return NULL;
}

static void has_every_row_but_the_peers(void **state) {
    (void)state;
    assert_int_equal(loaded.plugin->abi, HY_PLUGIN_ABI);
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const hy_row *theirs = plugin_row(rows[i]->name);
        if (rows[i]->group == HY_GROUP_PEER) {
            assert_null(theirs);
            continue;
        }
        assert_non_null(theirs);
        assert_ptr_not_equal(theirs, rows[i]);
        assert_int_equal(theirs->traits, rows[i]->traits);
    }
}

/* The instance's functions lie in the module, down to its children. */
static void stands_on_its_own_children(void **state) {
    (void)state;
    hy_instance instance;
    assert_true(hy_instance_make(&instance, plugin_row("counting"), NULL));
    Dl_info module, child, own;
    assert_true(dladdr((void *)loaded.plugin, &module));
    assert_int_equal(instance.below_count, 1);
    assert_true(dladdr((const void *)instance.below[0].row, &child));
    assert_ptr_equal(module.dli_fbase, child.dli_fbase);
    assert_true(dladdr((const void *)hy_registry_find("libc"), &own));
    assert_ptr_not_equal(module.dli_fbase, own.dli_fbase);

    void *ptr = hy_alloc(instance.allocator, 100, HY_ALIGN_16);
    assert_non_null(ptr);
    hy_free(instance.allocator, ptr, 100, HY_ALIGN_16);
    hy_instance_destroy(&instance);
}

static void shows_one_symbol(void **state) {
    (void)state;
    assert_null(dlsym(loaded.handle, "hy_libc_alloc"));
    assert_null(dlsym(loaded.handle, "hy_registry_find"));
    assert_null(dlsym(loaded.handle, "__start_hy_code"));
    assert_non_null(dlsym(loaded.handle, "heapyard_plugin"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_row_but_the_peers),
        cmocka_unit_test(stands_on_its_own_children),
        cmocka_unit_test(shows_one_symbol),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
