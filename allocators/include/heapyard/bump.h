/* heapyard/bump.h: a pointer that moves through the caller's region.
 *
 * Two words and nothing else, so that a compiler can keep them in registers. Blocks are never freed
 * one by one: hy_bump_mark remembers a place, hy_bump_restore goes back to it and ends every block
 * made since. The newest block can grow in place.
 *
 * Ownership: the region stays the caller's, and must outlive the blocks. In builds with AddressSanitizer,
 * and under Valgrind, the part that is not handed out must not be touched until hy_bump_deinit.
 * Thread-safety: none; one thread at a time.
 * Errors: NULL or false where the region has no room; nothing has changed then.
 * Cost: every function is O(1). Overhead: none but the bytes skipped to align a block (with
 * AddressSanitizer, blocks also end at multiples of 8 while 64 bytes or more are left, so that an
 * overflow is reported at its first byte).
 * After Zig's BumpAllocator.
 */
#ifndef HEAPYARD_BUMP_H
#define HEAPYARD_BUMP_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* A bump over a region: fields are for the inline functions below. */
typedef struct hy_bump {
    char *last; /* the last byte that is handed out, at first the one below the region */
    char *end;  /* behind the region's last byte */
} hy_bump;

/* A place to go back to; valid until a restore to an earlier one, or deinit. */
typedef struct hy_bump_mark {
    char *last;
} hy_bump_mark;

/* Whether [region, region + size) can be memory: it ends, without wrapping, where addresses of processes do.
 */
HY_INLINE bool hy_is_addressable(const void *region, size_t size) {
    uintptr_t end;
    return !HY_ADD_OVERFLOWS((uintptr_t)region, size, &end) && end <= SIZE_MAX >> (sizeof(size_t) == 8);
}

/* Starts on [region, region + size); region may be NULL where size is 0. The region must end in the
 * lower half of the address space on 64-bit targets, as every process's does: that is why the sums
 * below can't wrap. O(1). */
HY_INLINE void hy_bump_init(hy_bump *bump, void *region, size_t size) {
    HY_REQUIRE(hy_is_addressable(region, size), "hy_bump_init", size,
        "the size of a region that lies in the address space");
    bump->last = (char *)((uintptr_t)region - 1);
    bump->end = (char *)((uintptr_t)region + size);
    hy_poison(region, size);
}

/* Where a block would start that follows `next`. False: no address is that high. */
HY_INLINE bool hy_bump_start(uintptr_t next, hy_align align, uintptr_t *start) {
    uintptr_t mask = hy_align_bytes(align) - 1;
    *start = (next + mask) & ~mask;
    /* With 64 bits, next is below 2^63 and mask at most 2^63 - 1. */
    return sizeof(uintptr_t) == 8 || *start >= next;
}

/* Where the block after one that stops at `stop` may start. The same for the same arguments, so that
 * the newest block can be recognised by its end. */
HY_INLINE uintptr_t hy_bump_after(uintptr_t stop, uintptr_t end) {
#if HY_ASAN
    if (end - stop >= 64) return (stop + 7) & ~(uintptr_t)7;
#endif
    (void)end;
    return stop;
}

/* The first byte that is not handed out. */
HY_INLINE char *hy_bump_next(const hy_bump *bump) {
    return (char *)((uintptr_t)bump->last + 1);
}

/* A block of `size` bytes at a multiple of align, or NULL where the region has no room for it: nothing
 * changed then. Requires: size > 0. */
HY_INLINE HY_WARN_UNUSED void *hy_bump_alloc(hy_bump *bump, size_t size, hy_align align) {
    HY_ASSERT(size != 0, "a block of no bytes is asked for");
    HY_ASSERT((uintptr_t)bump->last + 1 <= (uintptr_t)bump->end, "the bump lies behind its region");
    uintptr_t below = (uintptr_t)bump->last, last;
    HY_IN_REGISTER(below);
    /* The byte below the block. Where that is the greatest address, every size overflows. */
    below |= hy_align_bytes(align) - 1;
    if (HY_UNLIKELY(HY_ADD_OVERFLOWS(below, size, &last))) return NULL;
    /* Reading `end` only here keeps gcc 12 from joining the conditions, which costs four instructions. */
    if (HY_UNLIKELY(last >= (uintptr_t)bump->end)) return NULL;
    bump->last = (char *)(hy_bump_after(last + 1, (uintptr_t)bump->end) - 1);
    HY_ASSERT((uintptr_t)bump->last + 1 <= (uintptr_t)bump->end, "a block ends behind the region");
    uintptr_t start = below + 1;
    HY_ASSUME(start != 0);
    hy_unpoison((void *)start, size);
    return (void *)start;
}

/* Shrinks any block (its tail is lost until a restore); grows the newest while there is room. True: the block
 * lives with new_size; false: nothing changed. Requires: as the vtable's resize. */
HY_INLINE HY_WARN_UNUSED bool hy_bump_resize(hy_bump *bump, void *ptr, size_t old_size, size_t new_size) {
    HY_ASSERT(new_size != 0, "a block is resized to no bytes");
    uintptr_t start = (uintptr_t)ptr, end = (uintptr_t)bump->end, stop;
    if (new_size <= old_size) {
        hy_poison((char *)ptr + new_size, old_size - new_size);
        return true;
    }
    if (hy_bump_after(start + old_size, end) != (uintptr_t)hy_bump_next(bump)) return false;
    if (HY_ADD_OVERFLOWS(start, new_size, &stop) || stop > end) return false;
    bump->last = (char *)(hy_bump_after(stop, end) - 1);
    HY_ASSERT((uintptr_t)bump->last + 1 <= end, "a block grew past the region's end");
    hy_unpoison((char *)ptr + old_size, new_size - old_size);
    return true;
}

/* Ends a block: nothing but a restore gives its memory back. */
HY_INLINE void hy_bump_free(hy_bump *bump, void *ptr, size_t size) {
    (void)bump;
    hy_poison(ptr, size);
}

/* The place that a later restore goes back to. */
HY_INLINE hy_bump_mark hy_bump_save(const hy_bump *bump) {
    hy_bump_mark mark = {bump->last};
    return mark;
}

/* Ends every block made since the mark was saved, and what blocks made before it grew by. At check levels 1
 * and 2 a mark behind the newest block is misuse. */
HY_INLINE void hy_bump_restore(hy_bump *bump, hy_bump_mark mark) {
    HY_REQUIRE((uintptr_t)mark.last + 1 <= (uintptr_t)hy_bump_next(bump), "hy_bump_restore",
        (uintptr_t)mark.last, "a mark that no restore went behind");
    hy_poison((void *)((uintptr_t)mark.last + 1), (uintptr_t)bump->last - (uintptr_t)mark.last);
    bump->last = mark.last;
}

/* Bytes between the newest block and the region's end. */
HY_INLINE size_t hy_bump_room(const hy_bump *bump) {
    return (uintptr_t)bump->end - (uintptr_t)hy_bump_next(bump);
}

/* Whether the two words make sense. */
HY_INLINE bool hy_bump_check(const hy_bump *bump) {
    return (uintptr_t)hy_bump_next(bump) <= (uintptr_t)bump->end;
}

/* Gives the region back to its owner's own use. region: what init was given. */
HY_INLINE void hy_bump_deinit(hy_bump *bump, void *region) {
    hy_unpoison(region, (size_t)(bump->end - (char *)region));
    hy_bump_init(bump, NULL, 0);
}

/* The vtable's slots over the functions above; self is an hy_bump. */
HY_API void *hy_bump_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_bump_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_bump_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_bump_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_bump_vtable = {
    hy_bump_slot_alloc, hy_bump_slot_resize, hy_bump_slot_remap, hy_bump_slot_free};

/* The allocator's value; the struct must outlive it. */
HY_INLINE hy_allocator hy_bump_allocator(hy_bump *bump) {
    hy_allocator allocator = {bump, &hy_bump_vtable};
    return allocator;
}

HY_END_DECLS

#endif
