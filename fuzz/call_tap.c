/* call_tap.c: notes what passes. */
#include "fuzz/call_tap.h"

/* What the child had been asked before a call. */
typedef struct before {
    size_t calls;
    size_t refusals;
} before;

static before look(const hy_call_tap *tap) {
    return (before){hy_child_calls(tap->child), tap->child->counts.refusals};
}

static void note(hy_call_tap *tap, hy_call call, before then) {
    tap->last[tap->count++ % HY_TAP_LAST] = (hy_tapped_call){
        .call = call,
        .child_calls = hy_child_calls(tap->child) - then.calls,
        .child_refused = tap->child->counts.refusals != then.refusals,
        .child_call = tap->child->asked,
    };
}

static void *tap_alloc(void *self, size_t size, hy_align align) {
    hy_call_tap *tap = self;
    before then = look(tap);
    void *ptr = tap->allocator.vtable->alloc(tap->allocator.self, size, align);
    note(tap,
        (hy_call){.kind = HY_CALL_ALLOC, .align = align, .refused = !ptr, .result = ptr, .new_size = size},
        then);
    return ptr;
}

static bool tap_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_call_tap *tap = self;
    before then = look(tap);
    bool done = tap->allocator.vtable->resize(tap->allocator.self, ptr, old_size, new_size, align);
    note(tap,
        (hy_call){.kind = HY_CALL_RESIZE,
            .align = align,
            .refused = !done,
            .ptr = ptr,
            .result = done ? ptr : NULL,
            .old_size = old_size,
            .new_size = new_size},
        then);
    return done;
}

static void *tap_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_call_tap *tap = self;
    before then = look(tap);
    void *moved = tap->allocator.vtable->remap(tap->allocator.self, ptr, old_size, new_size, align);
    note(tap,
        (hy_call){.kind = HY_CALL_REMAP,
            .align = align,
            .refused = !moved,
            .ptr = ptr,
            .result = moved,
            .old_size = old_size,
            .new_size = new_size},
        then);
    return moved;
}

static void tap_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_call_tap *tap = self;
    before then = look(tap);
    tap->allocator.vtable->free(tap->allocator.self, ptr, size, align);
    note(tap, (hy_call){.kind = HY_CALL_FREE, .align = align, .ptr = ptr, .old_size = size}, then);
}

static const hy_vtable tap_vtable = {tap_alloc, tap_resize, tap_remap, tap_free};

hy_allocator hy_call_tap_begin(hy_call_tap *tap, hy_allocator allocator, const hy_child *child) {
    tap->allocator = allocator;
    tap->child = child;
    tap->count = 0;
    return (hy_allocator){tap, &tap_vtable};
}
