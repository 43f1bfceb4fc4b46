/* liar.c: a child that breaks its promise when it is told to. */
#include "fuzz/liar.h"

static struct {
    hy_allocator child;
    bool is_armed;
    bool has_lied;
    hy_lie lie;
} liar;

static void *liar_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    hy_lie_of_alloc kind = liar.is_armed ? liar.lie.alloc : HY_LIE_NONE;
    if (kind == HY_LIE_OVERLAPS) {
        liar.has_lied = true;
        return liar.lie.at;
    }
    if (kind == HY_LIE_NONE) return liar.child.vtable->alloc(liar.child.self, size, align);
    char *block = liar.child.vtable->alloc(liar.child.self, size + 1, align);
    liar.has_lied = block != NULL;
    return block ? block + 1 : NULL;
}

static bool liar_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    if (!liar.is_armed) return liar.child.vtable->resize(liar.child.self, ptr, old_size, new_size, align);
    *liar.lie.at ^= 0x5A;
    liar.has_lied = true;
    return !liar.lie.refuses;
}

static void *liar_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (!liar.is_armed) return liar.child.vtable->remap(liar.child.self, ptr, old_size, new_size, align);
    return liar_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void liar_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    liar.child.vtable->free(liar.child.self, ptr, size, align);
}

hy_allocator hy_liar_over(hy_allocator child) {
    static const hy_vtable vtable = {liar_alloc, liar_resize, liar_remap, liar_free};
    liar.child = child;
    liar.is_armed = liar.has_lied = false;
    return (hy_allocator){&liar, &vtable};
}

void hy_liar_arm(const hy_lie *lie) {
    liar.lie = *lie;
    liar.is_armed = true;
}

bool hy_liar_has_lied(void) {
    return liar.has_lied;
}
