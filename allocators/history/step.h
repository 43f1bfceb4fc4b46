/* step.h: shared by replay.c and parallel.c: how steps are packed, and how each one is run. */
#ifndef HEAPYARD_STEP_H
#define HEAPYARD_STEP_H

#include "allocators/history/replay.h"

/* Kinds beyond the history's own, for the parallel mode; `sizes` is then the number of a cell. */
#define HY_STEP_TAKE 14u
#define HY_STEP_GIVE 15u

/* The greatest size that fits into a step. */
#define HY_STEP_SIZE_MAX (((uint64_t)1 << 40) - 1)

static inline hy_step hy_step_pack(
    unsigned kind, unsigned flags, unsigned align_log2, uint32_t slot, uint64_t size, uint64_t old_size) {
    return (hy_step){.meta = slot | (uint64_t)(kind & 15) << 32 | (uint64_t)(flags & 15) << 36 |
                             (uint64_t)align_log2 << 40 | (size >> 32) << 48 | (old_size >> 32) << 56,
        .sizes = (size & UINT32_MAX) | old_size << 32};
}

static inline uint32_t hy_step_slot(hy_step step) {
    return (uint32_t)step.meta;
}

static inline unsigned hy_step_kind(hy_step step) {
    return (unsigned)(step.meta >> 32) & 15;
}

static inline unsigned hy_step_flags(hy_step step) {
    return (unsigned)(step.meta >> 36) & 15;
}

static inline hy_align hy_step_align(hy_step step) {
    return (hy_align){.log2 = (uint8_t)(step.meta >> 40)};
}

static inline uint64_t hy_step_size(hy_step step) {
    return (step.sizes & UINT32_MAX) | ((step.meta >> 48) & 0xFF) << 32;
}

static inline uint64_t hy_step_old_size(hy_step step) {
    return step.sizes >> 32 | (step.meta >> 56) << 32;
}

/* The tag in the first word of a block of this size (in its first byte, where it is smaller). It depends
 * on the size alone, because slots and order differ between the modes and the checksum must not. */
static inline uint64_t hy_tag_of(uint64_t size) {
    uint64_t tag = (size + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (size >= sizeof tag) return tag;
    return size > 0 ? tag >> 56 : 0;
}

/* Writes the tag, and a byte in every page after the first `touched` bytes, so that resident memory is what
 * the recorded program's would be. */
static inline void hy_tag_write(void *block, uint64_t size, uint64_t touched) {
    uint64_t tag = hy_tag_of(size);
    if (HY_LIKELY(size >= sizeof tag))
        memcpy(block, &tag, sizeof tag);
    else if (size > 0)
        *(uint8_t *)block = (uint8_t)tag;
    for (uint64_t at = (touched + 4096) & ~(uint64_t)4095; HY_UNLIKELY(at < size); at += 4096) {
        ((volatile uint8_t *)block)[at] = 1;
    }
}

/* Reads the tag that was written for `size`; the block must have at least `size` bytes. */
static inline uint64_t hy_tag_read(const void *block, uint64_t size) {
    uint64_t tag;
    if (HY_LIKELY(size >= sizeof tag)) {
        memcpy(&tag, block, sizeof tag);
        return tag;
    }
    return size > 0 ? *(const uint8_t *)block : 0;
}

/* An allocation; NULL is counted as refused. */
static inline void *hy_step_alloc(hy_step step, hy_allocator subject, uint64_t *refused) {
    uint64_t size = hy_step_size(step);
    void *block = hy_alloc(subject, size, hy_step_align(step));
    if (HY_UNLIKELY(!block)) {
        (*refused)++;
        return NULL;
    }
    if (HY_UNLIKELY(hy_step_flags(step) & HY_OP_ZEROED) && size > 0) memset(block, 0, size);
    hy_tag_write(block, size, 0);
    return block;
}

/* Frees the block and returns its tag; does nothing for NULL (the allocation was refused). */
static inline uint64_t hy_step_free(hy_step step, hy_allocator subject, void *block) {
    if (HY_UNLIKELY(!block)) return 0;
    uint64_t size = hy_step_size(step);
    uint64_t tag = hy_tag_read(block, size);
    hy_free(subject, block, size, hy_step_align(step));
    return tag;
}

/* Changes the size in place where the allocator can, else by hy_realloc. Where that is refused too, the
 * block is freed, because the following steps assume its new size. Adds the old tag to *sum. */
static inline void *hy_step_change(
    hy_step step, hy_allocator subject, void *block, uint64_t *sum, uint64_t *refused) {
    uint64_t size = hy_step_size(step), old = hy_step_old_size(step);
    hy_align align = hy_step_align(step);
    if (HY_UNLIKELY(!block)) return hy_step_alloc(step, subject, refused);
    /* The tag is read first: a smaller block may no longer hold all of it. */
    *sum += hy_tag_read(block, old);
    void *moved = block;
    if (hy_step_kind(step) != HY_OP_RESIZE || old == 0 || size == 0 ||
        !hy_resize(subject, block, old, size, align)) {
        moved = hy_realloc(subject, block, old, size, align);
    }
    if (HY_UNLIKELY(!moved)) {
        (*refused)++;
        hy_free(subject, block, old, align);
        return NULL;
    }
    hy_tag_write(moved, size, old);
    return moved;
}

#endif
