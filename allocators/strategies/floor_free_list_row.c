/* floor_free_list_row.c: the least that any allocator of one size does.
 *
 * For: the denominator of pool, and of a size class. Not for: use; the blocks are carved once, and
 * when they run out it refuses.
 * Algorithm: a list linked through the free blocks, last in first out. Cost: two loads, a store.
 * Overhead: none. Thread-safe: no.
 */
#include <heapyard/direct.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

typedef struct node {
    struct node *next;
} node;

typedef struct floor_free_list {
    node *head;
    char *region;
    size_t region_bytes;
} floor_free_list;

#define BLOCK_ALIGN HY_ALIGN_16

HY_INLINE void *pop(floor_free_list *floor) {
    node *block = floor->head;
    floor->head = block->next;
    return block;
}

HY_INLINE void push(floor_free_list *floor, void *ptr) {
    node *block = ptr;
    block->next = floor->head;
    floor->head = block;
}

static void *alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    floor_free_list *floor = self;
    return HY_LIKELY(floor->head != NULL) ? pop(floor) : NULL;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    (void)size, (void)align;
    push(self, ptr);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, give_back};

/* A pair never finds the list empty, and the loop must not ask. */
HY_INLINE void *take(void *instance, size_t size, uintptr_t *mark) {
    (void)size, (void)mark;
    void *ptr = pop(instance);
    HY_ASSUME(ptr != NULL);
    return ptr;
}

HY_INLINE void give(void *instance, void *ptr, size_t size, uintptr_t mark) {
    (void)size, (void)mark;
    push(instance, ptr);
}

static uint64_t direct_pair(void *instance, size_t size, size_t count) {
    return hy_direct_pair(instance, size, count, take, give);
}

static const hy_direct_bench direct = {direct_pair, NULL};

static void link_blocks(floor_free_list *floor, size_t block_size) {
    for (size_t at = floor->region_bytes; at >= block_size; at -= block_size) {
        push(floor, floor->region + at - block_size);
    }
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    size_t wanted = config->block_size ? config->block_size : row->default_block_size;
    size_t block_size = hy_align_forward(wanted, BLOCK_ALIGN);
    size_t blocks = config->capacity ? config->capacity / block_size : row->default_capacity / block_size;
    floor_free_list *floor = hy_create(hy_libc(), floor_free_list);
    char *region = hy_alloc_n_aligned(hy_libc(), char, block_size *blocks, BLOCK_ALIGN);
    if (!floor || !region) {
        hy_free_n_aligned(hy_libc(), region, block_size * blocks, BLOCK_ALIGN);
        hy_destroy(hy_libc(), floor);
        return NULL;
    }
    *floor = (floor_free_list){NULL, region, block_size * blocks};
    link_blocks(floor, block_size);
    *out = (hy_allocator){floor, &vtable};
    return floor;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    floor_free_list *floor = instance;
    hy_free_n_aligned(hy_libc(), floor->region, floor->region_bytes, BLOCK_ALIGN);
    hy_destroy(hy_libc(), floor);
}

const hy_row hy_floor_free_list_row = {
    .name = "floor_free_list",
    .group = HY_GROUP_FLOOR,
    .summary = "an inline free list of one size: the least that a pool does",
    .traits = HY_TRAIT_FLOOR | HY_TRAIT_FREE_ANY | HY_TRAIT_FREE_LAST | HY_TRAIT_REAL_FREE |
              HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FIXED_BLOCK,
    .greatest_align = {4},
    .default_block_size = 64,
    .default_capacity = (size_t)1 << 20,
    .make = make,
    .destroy = destroy,
    .direct = &direct,
};
