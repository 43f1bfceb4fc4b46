/* linear_row.c: wasm on the module's own memory, as programs have it.
 *
 * WebAssembly takes no memory back, so what an instance took stays when it ends, and the next one takes more.
 */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/wasm.h>

#define LIMIT_BYTES ((size_t)64 << 20)

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    hy_wasm *heap = hy_create(hy_libc(), hy_wasm);
    if (!heap) return NULL;
    hy_wasm_init(heap, hy_wasm_linear_memory(), LIMIT_BYTES);
    *out = hy_wasm_allocator(heap);
    return heap;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_destroy(hy_libc(), (hy_wasm *)state);
}

static bool owns(void *state, const void *ptr) {
    return hy_wasm_owns(state, ptr);
}

static bool check(void *state) {
    return hy_wasm_check(state);
}

const hy_row hy_wasm_linear_row = {
    .name = "wasm_linear",
    .group = HY_GROUP_SOURCE,
    .summary = "wasm on the module's own memory",
    .header = "heapyard/wasm.h",
    .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_THREAD_SAFE,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
};
