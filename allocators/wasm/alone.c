/* alone.c: the allocator and nothing else, as a module: what it adds to a program's size. */
#include <heapyard/wasm.h>

#define EXPORT(name) __attribute__((export_name(name)))

static hy_wasm heap;

EXPORT("init") void init(size_t limit_bytes) {
    hy_wasm_init(&heap, hy_wasm_linear_memory(), limit_bytes);
}

EXPORT("alloc") void *alloc(size_t size, size_t align) {
    return hy_wasm_alloc(&heap, size, hy_align_from_bytes(align));
}

EXPORT("resize") int resize(void *ptr, size_t old_size, size_t new_size, size_t align) {
    return hy_wasm_resize(&heap, ptr, old_size, new_size, hy_align_from_bytes(align));
}

EXPORT("free") void give(void *ptr, size_t size, size_t align) {
    hy_wasm_free(&heap, ptr, size, hy_align_from_bytes(align));
}
