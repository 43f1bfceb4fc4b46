/* recording_row.c: how the yards know recording. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/recording.h>
#include <heapyard/typed.h>

/* The row's sink counts, and keeps the last calls of a thread that asks to be told, from when it first asks:
 * benches do not. A program brings its own. */
typedef struct counted {
    hy_recording recording;
    uint64_t call_count;
    const char *asker; /* that thread's `here`; NULL: none */
    uint64_t kept_count;
    hy_call kept[HY_TOLD_LAST];
} counted;

static _Thread_local char here; /* its address tells threads apart */

/* One thread's calls, or those of fibres of one thread, which take turns elsewhere. */
HY_NO_SANITIZE_THREAD static void keep_call(counted *instance, const hy_call *call) {
    if (instance->asker == &here) instance->kept[instance->kept_count++ % HY_TOLD_LAST] = *call;
}

static void count_call(void *context, const hy_call *call) {
    counted *instance = context;
    __atomic_fetch_add(&instance->call_count, 1, __ATOMIC_RELAXED);
    keep_call(instance, call);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    counted *instance = hy_create(hy_libc(), counted);
    if (!instance) return NULL;
    instance->call_count = instance->kept_count = 0;
    instance->asker = NULL;
    hy_recording_init(&instance->recording, config->child, count_call, instance);
    *out = hy_recording_allocator(&instance->recording);
    return instance;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (counted *)instance);
}

static bool stats(void *instance, hy_stats *out) {
    *out = (hy_stats){
        .capacity_bytes = SIZE_MAX,
        .used_bytes = SIZE_MAX,
        .overhead_bytes = SIZE_MAX,
        .high_water_bytes = SIZE_MAX,
        .calls_count = __atomic_load_n(&((counted *)instance)->call_count, __ATOMIC_RELAXED),
    };
    return true;
}

HY_NO_SANITIZE_THREAD static void tells(void *instance, hy_told *out) {
    counted *told = instance;
    if (!told->asker) told->asker = &here;
    out->numbers[HY_TOLD_CALLS] = told->kept_count;
    out->calls = told->kept;
    out->passes_on = true;
}

const hy_row hy_recording_row = {
    .name = "recording",
    .group = HY_GROUP_DECORATOR,
    .summary = "tells a sink of every call; the row's sink counts them",
    .header = "heapyard/recording.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .stats = stats,
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
};
