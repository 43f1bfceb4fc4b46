/* source.c: power-of-two blocks out of pages of its own. */
#include "bench/meters/source.h"

#include <heapyard/page.h>

typedef struct hy_steady_free {
    struct hy_steady_free *next;
} hy_steady_free;

#define CLASS_MIN 4   /* log2 of 16 bytes: room for the link */
#define ALIGN_LOG2 12 /* blocks are aligned to their rounded size, up to this */
/* Addresses for all that most cells ever take, so that blocks lie in the order in which they were fresh.
 * Pages that are not touched cost nothing; at check level 2 the front door touches them all. */
#define CHUNK_BYTES ((size_t)(HY_CHECK >= 2 ? 1 : 256) << 20)

/* log2 of what a request is rounded up to; HY_STEADY_CLASSES where that is beyond reason. */
static unsigned class_of(size_t size, hy_align align) {
    unsigned log2 = CLASS_MIN;
    while (log2 < HY_STEADY_CLASSES && ((size_t)1 << log2) < size)
        log2++;
    return log2 < align.log2 ? align.log2 : log2;
}

static hy_align class_align(unsigned log2, hy_align align) {
    return hy_align_max(hy_align_from_log2(log2 < ALIGN_LOG2 ? log2 : ALIGN_LOG2), align);
}

static void *source_alloc(void *self, size_t size, hy_align align) {
    hy_steady_source *source = self;
    unsigned log2 = class_of(size, align);
    if (log2 >= HY_STEADY_CLASSES) return NULL;
    hy_steady_free *block = source->free_blocks[log2];
    if (block && hy_align_check_pointer(block, align)) {
        source->free_blocks[log2] = block->next;
    } else {
        block = hy_arena_alloc(&source->arena, (size_t)1 << log2, class_align(log2, align));
    }
    return block;
}

static bool source_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr;
    return class_of(old_size, align) == class_of(new_size, align);
}

static void *source_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return source_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void source_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_steady_source *source = self;
    hy_steady_free *block = ptr;
    unsigned log2 = class_of(size, align);
    block->next = source->free_blocks[log2];
    source->free_blocks[log2] = block;
}

static const hy_vtable vtable = {source_alloc, source_resize, source_remap, source_free};

bool hy_steady_source_init(hy_steady_source *source) {
    *source = (hy_steady_source){{NULL}, HY_ARENA_INIT(hy_page())};
    return hy_arena_init(&source->arena, hy_page(), &(hy_arena_options){.capacity = CHUNK_BYTES}) == HY_OK;
}

hy_allocator hy_steady_source_allocator(hy_steady_source *source) {
    return (hy_allocator){source, &vtable};
}

void hy_steady_source_deinit(hy_steady_source *source) {
    hy_arena_deinit(&source->arena);
}
