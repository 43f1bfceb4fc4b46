/* source.c: power-of-two blocks over libc, counted. */
#include "bench/meters/source.h"

#include <heapyard/libc.h>

typedef struct hy_metered_free {
    struct hy_metered_free *next;
} hy_metered_free;

#define CLASS_MIN 4   /* log2 of 16 bytes: room for the link */
#define ALIGN_LOG2 12 /* blocks are aligned to their rounded size, up to this */

/* log2 of what a request is rounded up to; HY_METERED_CLASSES where that is beyond reason. */
static unsigned class_of(size_t size, hy_align align) {
    unsigned log2 = CLASS_MIN;
    while (log2 < HY_METERED_CLASSES && ((size_t)1 << log2) < size)
        log2++;
    return log2 < align.log2 ? align.log2 : log2;
}

static hy_align class_align(unsigned log2, hy_align align) {
    return hy_align_max(hy_align_from_log2(log2 < ALIGN_LOG2 ? log2 : ALIGN_LOG2), align);
}

static void count_bytes(hy_metered_source *source, size_t freed, size_t taken) {
    source->live_bytes = source->live_bytes - freed + taken;
    if (source->live_bytes > source->peak_bytes) source->peak_bytes = source->live_bytes;
}

static void *source_alloc(void *self, size_t size, hy_align align) {
    hy_metered_source *source = self;
    unsigned log2 = class_of(size, align);
    source->calls_count++;
    if (log2 >= HY_METERED_CLASSES) return NULL;
    hy_metered_free *block = source->free_blocks[log2];
    if (block && hy_align_check_pointer(block, align)) {
        source->free_blocks[log2] = block->next;
    } else {
        block = hy_alloc(hy_libc(), (size_t)1 << log2, class_align(log2, align));
    }
    if (block) count_bytes(source, 0, size);
    return block;
}

static bool source_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_metered_source *source = self;
    (void)ptr;
    source->calls_count++;
    if (class_of(old_size, align) != class_of(new_size, align)) return false;
    count_bytes(source, old_size, new_size);
    return true;
}

static void *source_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return source_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void source_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_metered_source *source = self;
    hy_metered_free *block = ptr;
    unsigned log2 = class_of(size, align);
    source->calls_count++;
    count_bytes(source, size, 0);
    block->next = source->free_blocks[log2];
    source->free_blocks[log2] = block;
}

static const hy_vtable vtable = {source_alloc, source_resize, source_remap, source_free};

void hy_metered_source_init(hy_metered_source *source) {
    *source = (hy_metered_source){.live_bytes = 0};
}

hy_allocator hy_metered_source_allocator(hy_metered_source *source) {
    return (hy_allocator){source, &vtable};
}

void hy_metered_source_deinit(hy_metered_source *source) {
    for (unsigned log2 = 0; log2 < HY_METERED_CLASSES; log2++) {
        while (source->free_blocks[log2]) {
            hy_metered_free *block = source->free_blocks[log2];
            source->free_blocks[log2] = block->next;
            hy_free(hy_libc(), block, (size_t)1 << log2, HY_ALIGN_1);
        }
    }
}
