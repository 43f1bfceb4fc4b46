/* plugin_test.c: the module holds our rows, shows one symbol, and stands beside this program's own. */
#include "allocators/registry.h"
#include <dlfcn.h>
#include <pthread.h>
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
    assert_non_null(dlsym(loaded.handle, "heapyard_plugin"));
}

static pthread_barrier_t used, unloaded;

/* Takes what the module keeps for each thread, and ends only when the module is gone. */
static void *use_and_stay(void *block_was_made) {
    hy_instance instance;
    if (hy_instance_make(&instance, plugin_row("arena_shared"), NULL)) {
        *(bool *)block_was_made = hy_alloc(instance.allocator, 64, HY_ALIGN_16) != NULL;
        hy_instance_destroy(&instance);
    }
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&unloaded);
    return NULL;
}

/* The last test: the module is unloaded in it. */
static void a_thread_that_used_it_may_outlive_it(void **state) {
    (void)state;
    pthread_t thread;
    bool block_was_made = false;
    pthread_barrier_init(&used, NULL, 2);
    pthread_barrier_init(&unloaded, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, use_and_stay, &block_was_made), 0);
    pthread_barrier_wait(&used);
    assert_true(block_was_made);
    assert_int_equal(dlclose(loaded.handle), 0);
    assert_null(dlopen(HY_PLUGIN_PATH, RTLD_NOW | RTLD_NOLOAD));
    pthread_barrier_wait(&unloaded);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&used);
    pthread_barrier_destroy(&unloaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_row_but_the_peers),
        cmocka_unit_test(stands_on_its_own_children),
        cmocka_unit_test(shows_one_symbol),
        cmocka_unit_test(a_thread_that_used_it_may_outlive_it),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
