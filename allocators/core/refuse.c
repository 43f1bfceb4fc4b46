/* refuse.c: the vtable slots of allocators that can't. */
#include <heapyard/allocator.h>

bool hy_refuse_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return false;
}

void *hy_refuse_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return NULL;
}

HY_SLOT void hy_ignore_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)ptr, (void)size, (void)align;
}
