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

#if HY_CHECK >= 1
/* The buffer's newest block, as all above it is free once that is. */
static bool covers(void *state, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    const hy_stack_fallback *fallback = &((instance *)state)->fallback;
    (void)misuse;
    if (!hy_fixed_buffer_rounds(align)) align = HY_ALIGN_1;
    uintptr_t stop = hy_fixed_buffer_stop(&fallback->fixed, (uintptr_t)ptr, size, align);
    return hy_stack_fallback_owns(fallback, ptr) && stop == fallback->fixed.next;
}

#define NOT_LIVE "must be a live block of the buffer, with its size"
static const hy_row_reports reports = {
    .says = {[HY_MISUSE_DOUBLE_FREE] = NOT_LIVE,
        [HY_MISUSE_RESIZE_FREED] = NOT_LIVE,
        [HY_MISUSE_HUGE_SIZE] = NOT_LIVE},
    .covers = covers,
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

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
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .check = check,
    .tells = tells,
    .reports = REPORTS,
};
