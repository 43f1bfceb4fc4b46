/* crash_plugin.c: allocators that fail in each way that a bench run must survive.
 *
 * `segfault` dies at its thousandth allocation, `hang` stops answering there, `refuse` gives NULL from
 * there on, `forget` hands out one block twice, and `sound` is libc, for contrast. They reach malloc
 * directly, so that the plugin needs nothing of the library.
 */
#include <heapyard/plugin.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define CALLS_BEFORE 1000

typedef struct counted {
    size_t calls;
    void *kept; /* forget: the block that is handed out twice */
} counted;

static bool no_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return false;
}

static void *no_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return NULL;
}

static void release(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    free(ptr);
}

static void leave(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)ptr, (void)size, (void)align;
}

static void *sound_alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)align;
    return malloc(size);
}

static void *segfault_alloc(void *self, size_t size, hy_align align) {
    counted *state = self;
    if (++state->calls == CALLS_BEFORE) raise(SIGSEGV);
    return sound_alloc(self, size, align);
}

static void *hang_alloc(void *self, size_t size, hy_align align) {
    counted *state = self;
    if (++state->calls == CALLS_BEFORE) {
        for (;;)
            pause();
    }
    return sound_alloc(self, size, align);
}

static void *refuse_alloc(void *self, size_t size, hy_align align) {
    counted *state = self;
    return ++state->calls < CALLS_BEFORE ? sound_alloc(self, size, align) : NULL;
}

/* Every second block is the one before it. */
static void *forget_alloc(void *self, size_t size, hy_align align) {
    counted *state = self;
    if (++state->calls % 2 == 1) state->kept = sound_alloc(self, size, align);
    return state->kept;
}

static const hy_vtable sound_vtable = {sound_alloc, no_resize, no_remap, release};
static const hy_vtable segfault_vtable = {segfault_alloc, no_resize, no_remap, release};
static const hy_vtable hang_vtable = {hang_alloc, no_resize, no_remap, release};
static const hy_vtable refuse_vtable = {refuse_alloc, no_resize, no_remap, release};
static const hy_vtable forget_vtable = {forget_alloc, no_resize, no_remap, leave};

static void *make_with(const hy_vtable *vtable, hy_allocator *out) {
    counted *state = calloc(1, sizeof *state);
    if (state) *out = (hy_allocator){state, vtable};
    return state;
}

static void *make_sound(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    return make_with(&sound_vtable, out);
}

static void *make_segfault(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    return make_with(&segfault_vtable, out);
}

static void *make_hang(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    return make_with(&hang_vtable, out);
}

static void *make_refuse(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    return make_with(&refuse_vtable, out);
}

static void *make_forget(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    return make_with(&forget_vtable, out);
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    free(instance);
}

#define TRAITS (HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE)

static const hy_row sound_row = {.name = "sound",
    .group = HY_GROUP_SOURCE,
    .summary = "libc, for contrast",
    .traits = TRAITS,
    .greatest_align = {4},
    .make = make_sound,
    .destroy = destroy};
static const hy_row segfault_row = {.name = "segfault",
    .group = HY_GROUP_SOURCE,
    .summary = "dies of SIGSEGV",
    .traits = TRAITS,
    .greatest_align = {4},
    .make = make_segfault,
    .destroy = destroy};
static const hy_row hang_row = {.name = "hang",
    .group = HY_GROUP_SOURCE,
    .summary = "stops answering",
    .traits = TRAITS,
    .greatest_align = {4},
    .make = make_hang,
    .destroy = destroy};
static const hy_row refuse_row = {.name = "refuse",
    .group = HY_GROUP_SOURCE,
    .summary = "runs out of memory",
    .traits = TRAITS,
    .greatest_align = {4},
    .make = make_refuse,
    .destroy = destroy};
static const hy_row forget_row = {.name = "forget",
    .group = HY_GROUP_SOURCE,
    .summary = "hands out blocks twice",
    .traits = TRAITS,
    .greatest_align = {4},
    .make = make_forget,
    .destroy = destroy};

static const hy_row *const rows[] = {&sound_row, &segfault_row, &hang_row, &refuse_row, &forget_row};

static const hy_plugin plugin = {
    .abi = HY_PLUGIN_ABI,
    .name = "crash",
    .version = "1",
    .build_info = "a test's",
    .row_count = sizeof rows / sizeof rows[0],
    .row_size = sizeof(hy_row),
    .rows = rows,
};

const hy_plugin *heapyard_plugin(void) {
    return &plugin;
}
