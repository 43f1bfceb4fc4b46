/* stack_fallback_row.c: how the yards know stack_fallback. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/typed.h>

/* The row's instance: its buffer comes from the child, too, so that all it hands out is the child's. */
typedef struct instance {
    hy_stack_fallback fallback;
    hy_allocator child;
    char *buffer;
} instance;

#define ROW_BUFFER_BYTES ((size_t)4096)

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    made->child = config->child;
    made->buffer = hy_alloc(made->child, ROW_BUFFER_BYTES, HY_ALIGN_16);
    if (!made->buffer) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    hy_stack_fallback_init(&made->fallback, made->buffer, ROW_BUFFER_BYTES, made->child);
    *out = hy_stack_fallback_allocator(&made->fallback);
    return made;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    instance *made = state;
    hy_stack_fallback_deinit(&made->fallback);
    hy_free(made->child, made->buffer, ROW_BUFFER_BYTES, HY_ALIGN_16);
    hy_destroy(hy_libc(), made);
}

static bool check(void *state) {
    return hy_stack_fallback_check(&((instance *)state)->fallback);
}

static void tells(void *state, hy_told *out) {
    const hy_stack_fallback *fallback = &((const instance *)state)->fallback;
    out->room_bytes = hy_stack_fallback_capacity(fallback) - hy_stack_fallback_used(fallback);
}

/* A capacity is no longer fixed nor a block's size, with two places to serve from; and the buffer serves
 * where the child refuses all. */
const hy_row hy_stack_fallback_row = {
    .name = "stack_fallback",
    .group = HY_GROUP_DECORATOR,
    .summary = "a buffer on the stack or in an object first, a child behind it",
    .header = "heapyard/stack_fallback.h",
    .keeps = HY_TRAITS_OF_BLOCKS & ~(HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FIXED_BLOCK | HY_TRAIT_REFUSES_ALL),
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .check = check,
    .tells = tells,
};
