/* stack_fallback.c: a buffer on the stack or in an object first, a child behind it.
 *
 * For: scratch space of a function or an object that is small nearly always: a path, a line, a list of
 *   matches. Not for: a bound that must hold (fixed_buffer), nor blocks that other threads free while this
 *   one allocates.
 * Algorithm: a fixed_buffer, and a count of its blocks that are live. An address says whose a block is:
 *
 *     buffer |live|freed|live|newest|      |        child: everything that did not fit
 *            ^base                  ^next  ^end
 *
 *   Only the newest block's memory is used again at once. When the count comes to 0 the buffer starts anew,
 *   so that one odd order of frees does not lose it for the rest of its life.
 * Cost: in the buffer a few instructions; behind it the child's cost and two comparisons.
 * Overhead per block: none but alignment.
 * Thread-safe: no; blocks of the child may be freed elsewhere, as their addresses alone are looked at.
 * Source: Zig's stackFallback; the count is ours.
 */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/typed.h>

void hy_stack_fallback_init(hy_stack_fallback *fallback, void *buffer, size_t size, hy_allocator child) {
    HY_REQUIRE(
        child.vtable != NULL, "hy_stack_fallback_init", 0, "a child with a vtable (hy_null() for none)");
    HY_REQUIRE(buffer != NULL || size == 0, "hy_stack_fallback_init", size, "0 where there is no buffer");
    HY_REQUIRE(size <= (SIZE_MAX >> (sizeof(size_t) == 8)) - (uintptr_t)buffer, "hy_stack_fallback_init",
        size, "the size of a buffer that lies in the address space");
    hy_fixed_buffer_init(&fallback->fixed, buffer, size);
    fallback->child = child;
    fallback->live_count = 0;
}

void hy_stack_fallback_deinit(hy_stack_fallback *fallback) {
    hy_fixed_buffer_deinit(&fallback->fixed);
    fallback->live_count = 0;
}

/* No block can be live in a buffer that has handed out nothing; and one whose blocks are all freed has
 * started anew. */
bool hy_stack_fallback_check(const hy_stack_fallback *fallback) {
    return hy_fixed_buffer_check(&fallback->fixed) &&
           (fallback->live_count == 0) == (hy_stack_fallback_used(fallback) == 0) &&
           fallback->live_count <= hy_stack_fallback_used(fallback);
}

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
};
