/* shelf.c: hands out one piece of memory from front to back; what is there ends together. */
#include <heapyard/plugin.h>

typedef struct shelf {
    hy_allocator child; /* where the piece came from and goes back to */
    size_t capacity, used;
    max_align_t bytes[];
} shelf;

static void *shelf_alloc(void *self, size_t size, hy_align align) {
    shelf *it = self;
    size_t base = (size_t)it->bytes, start;
    if (!hy_align_forward_checked(base + it->used, align, &start)) return NULL;
    if (start - base > it->capacity || size > it->capacity - (start - base)) return NULL;
    it->used = start - base + size;
    return (char *)it->bytes + (start - base);
}

static const hy_vtable shelf_vtable = {shelf_alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    size_t capacity = config->capacity ? config->capacity : row->default_capacity;
    if (capacity > SIZE_MAX / 2) return NULL;
    shelf *it = hy_alloc(config->child, sizeof(shelf) + capacity, hy_align_of(shelf));
    if (!it) return NULL;
    *it = (shelf){.child = config->child, .capacity = capacity};
    *out = (hy_allocator){it, &shelf_vtable};
    return it;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    shelf *it = instance;
    hy_free(it->child, it, sizeof(shelf) + it->capacity, hy_align_of(shelf));
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    ((shelf *)instance)->used = 0;
    return true;
}

const hy_row hy_shelf_row = {
    .name = "shelf", .group = HY_GROUP_STRATEGY, .summary = "one piece of memory, from front to back",
    .traits = HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_BULK_RESET, .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc", .default_capacity = 1 << 20, .make = make, .destroy = destroy, .reset = reset,
};
