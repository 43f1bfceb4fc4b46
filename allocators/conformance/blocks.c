/* blocks.c: fills blocks with patterns, and verifies the patterns. */
#include "allocators/conformance/blocks.h"

/* A prime, so that the pattern is not aligned with sizes that are powers of two: bytes shifted by such a
 * distance differ. */
#define FILL_PERIOD 251

static uint8_t fill_byte(uint8_t seed, size_t at) {
    return (uint8_t)((seed + at) % FILL_PERIOD);
}

static void fill_from(const hy_block *block, size_t from) {
    for (size_t i = from; i < block->size; i++)
        block->ptr[i] = (char)fill_byte(block->seed, i);
}

void hy_blocks_init(hy_blocks *blocks, hy_allocator allocator) {
    blocks->allocator = allocator;
    blocks->count = 0;
    blocks->next_seed = 1;
}

bool hy_blocks_alloc(hy_blocks *blocks, size_t size, hy_align align) {
    if (blocks->count == HY_BLOCKS_MAX) return false;
    void *ptr = hy_alloc(blocks->allocator, size, align);
    if (!ptr) return false;
    hy_block *block = &blocks->live[blocks->count++];
    *block = (hy_block){ptr, size, align, blocks->next_seed};
    blocks->next_seed = (uint8_t)(blocks->next_seed + 37);
    fill_from(block, 0);
    return true;
}

static void set_size(hy_block *block, void *ptr, size_t new_size) {
    size_t old_size = block->size;
    block->ptr = ptr;
    block->size = new_size;
    fill_from(block, old_size);
}

bool hy_blocks_resize(hy_blocks *blocks, size_t index, size_t new_size) {
    hy_block *block = &blocks->live[index];
    if (!hy_resize(blocks->allocator, block->ptr, block->size, new_size, block->align)) return false;
    set_size(block, block->ptr, new_size);
    return true;
}

bool hy_blocks_remap(hy_blocks *blocks, size_t index, size_t new_size) {
    hy_block *block = &blocks->live[index];
    void *moved = hy_remap(blocks->allocator, block->ptr, block->size, new_size, block->align);
    if (moved) set_size(block, moved, new_size);
    return moved != NULL;
}

bool hy_blocks_realloc(hy_blocks *blocks, size_t index, size_t new_size) {
    hy_block *block = &blocks->live[index];
    void *moved = hy_realloc(blocks->allocator, block->ptr, block->size, new_size, block->align);
    if (moved) set_size(block, moved, new_size);
    return moved != NULL;
}

void hy_blocks_free(hy_blocks *blocks, size_t index) {
    hy_block *block = &blocks->live[index];
    hy_free(blocks->allocator, block->ptr, block->size, block->align);
    blocks->count--;
    memmove(block, block + 1, (blocks->count - index) * sizeof *block);
}

void hy_blocks_free_all(hy_blocks *blocks) {
    while (blocks->count > 0)
        hy_blocks_free(blocks, blocks->count - 1);
}

void hy_blocks_forget(hy_blocks *blocks) {
    blocks->count = 0;
}

static bool contents_hold(const hy_block *block) {
    for (size_t i = 0; i < block->size; i++) {
        if ((uint8_t)block->ptr[i] != fill_byte(block->seed, i)) return false;
    }
    return true;
}

static bool overlap(const hy_block *a, const hy_block *b) {
    uintptr_t a_at = (uintptr_t)a->ptr, b_at = (uintptr_t)b->ptr;
    return a_at < b_at ? b_at - a_at < a->size : a_at - b_at < b->size;
}

const char *hy_blocks_check(const hy_blocks *blocks) {
    for (size_t i = 0; i < blocks->count; i++) {
        const hy_block *block = &blocks->live[i];
        if (!hy_align_check_pointer(block->ptr, block->align)) return "a block is not aligned as asked";
        for (size_t j = 0; j < i; j++) {
            if (overlap(block, &blocks->live[j])) return "two live blocks overlap";
        }
        if (!contents_hold(block)) return "a block lost its contents";
    }
    return NULL;
}
