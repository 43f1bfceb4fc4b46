/* thread_safe_row.c: how the yards know thread_safe. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/thread_safe.h>
#include <heapyard/typed.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_thread_safe *shared = hy_create(hy_libc(), hy_thread_safe);
    if (!shared || hy_thread_safe_init(shared, config->child) != HY_OK) {
        hy_destroy(hy_libc(), shared);
        return NULL;
    }
    *out = hy_thread_safe_allocator(shared);
    return shared;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_thread_safe_deinit(instance);
    hy_destroy(hy_libc(), (hy_thread_safe *)instance);
}

static void tells(void *instance, hy_told *out) {
    (void)instance;
    out->passes_on = true;
}

/* Somebody keeps all others waiting, and lets them go on. */
static bool lock(void *instance, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_thread_safe_lock(instance);
    hy_thread_safe_unlock(instance);
    return true;
}

static const hy_row_operation operations[] = {{"lock", HY_EFFECT_NONE, true, lock}};

/* Over a child that threads damage without the mutex, so that what the row promises is its own. */
const hy_row hy_thread_safe_row = {
    .name = "thread_safe",
    .group = HY_GROUP_DECORATOR,
    .summary = "a mutex around a child that is for one thread",
    .header = "heapyard/thread_safe.h",
    .traits = HY_TRAIT_THREAD_SAFE,
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "counting",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
};
