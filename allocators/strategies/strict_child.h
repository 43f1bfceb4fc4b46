/* strict_child.h: for tests: a child that gives exactly what it must, and holds its user to the contract.
 *
 * Blocks come from malloc at exactly the alignment asked for (never a stronger one); every call's size and
 * alignment are compared with what the block lives with. It can refuse the call with a given number and
 * all after it, refuse everything above a size, grow in place or not.
 */
#ifndef HEAPYARD_STRICT_CHILD_H
#define HEAPYARD_STRICT_CHILD_H

#include <heapyard/allocator.h>
#include <heapyard/libc.h>

#define STRICT_BLOCKS 64

typedef struct strict_block {
    char *ptr;
    size_t size, capacity;
    hy_align align;
    char *memory;
    size_t memory_size;
} strict_block;

typedef struct strict_child {
    strict_block blocks[STRICT_BLOCKS];
    size_t calls;  /* of alloc, resize, remap */
    size_t allocs; /* that succeeded */
    size_t live_bytes, peak_bytes;
    size_t refuse_from; /* the first call that is refused; SIZE_MAX: none */
    size_t largest;     /* sizes above are refused */
    size_t spare;       /* bytes behind each block that it can grow into */
} strict_child;

static inline strict_block *strict_find(strict_child *child, const void *ptr) {
    for (size_t i = 0; i < STRICT_BLOCKS; i++) {
        if (child->blocks[i].ptr == ptr) return &child->blocks[i];
    }
    return NULL;
}

static inline bool strict_refuses(strict_child *child, size_t size) {
    return child->calls++ >= child->refuse_from || size > child->largest;
}

static inline void *strict_alloc(void *self, size_t size, hy_align align) {
    strict_child *child = self;
    if (strict_refuses(child, size) || align.log2 > 12) return NULL;
    strict_block *block = strict_find(child, NULL);
    assert_non_null(block);
    size_t bytes = hy_align_bytes(align);
    block->memory_size = size + child->spare + 3 * bytes;
    block->memory = hy_alloc(hy_libc(), block->memory_size, HY_ALIGN_16);
    if (!block->memory) return NULL;
    /* An odd multiple of the alignment is a multiple of no stronger one. */
    uintptr_t at = hy_align_forward((uintptr_t)block->memory, align);
    if (at / bytes % 2 == 0) at += bytes;
    block->ptr = (char *)at;
    block->size = size;
    block->capacity = size + child->spare;
    block->align = align;
    hy_poison(block->ptr + size, child->spare);
    child->allocs++;
    child->live_bytes += size;
    if (child->live_bytes > child->peak_bytes) child->peak_bytes = child->live_bytes;
    return block->ptr;
}

static inline bool strict_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    strict_child *child = self;
    strict_block *block = strict_find(child, ptr);
    assert_non_null(block);
    assert_int_equal(block->size, old_size);
    assert_int_equal(block->align.log2, align.log2);
    if (strict_refuses(child, new_size) || new_size > block->capacity) return false;
    if (child->spare == 0 && new_size != old_size) return false;
    block->size = new_size;
    hy_poison(block->ptr + new_size, block->capacity - new_size);
    if (new_size > old_size) hy_unpoison(block->ptr + old_size, new_size - old_size);
    child->live_bytes += new_size - old_size;
    if (child->live_bytes > child->peak_bytes) child->peak_bytes = child->live_bytes;
    return true;
}

static inline void *strict_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return strict_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static inline void strict_free(void *self, void *ptr, size_t size, hy_align align) {
    strict_child *child = self;
    strict_block *block = strict_find(child, ptr);
    assert_non_null(block);
    assert_int_equal(block->size, size);
    assert_int_equal(block->align.log2, align.log2);
    child->live_bytes -= size;
    hy_unpoison(block->memory, block->memory_size);
    hy_free(hy_libc(), block->memory, block->memory_size, HY_ALIGN_16);
    *block = (strict_block){0};
}

static const hy_vtable strict_vtable = {strict_alloc, strict_resize, strict_remap, strict_free};

/* A child that refuses nothing and never grows in place. */
static inline hy_allocator strict_make(strict_child *child) {
    *child = (strict_child){.refuse_from = SIZE_MAX, .largest = PTRDIFF_MAX};
    return (hy_allocator){child, &strict_vtable};
}

#endif
