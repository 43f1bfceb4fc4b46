/* heapyard/allocator.h: the contract, and the front door through which every caller passes.
 *
 * An allocator is a value of two words: what it works on, and a table of four functions. A caller
 * that frees, resizes or remaps gives back the size and the alignment that the block lives with; that is
 * what makes headers unnecessary and the fast path short.
 *
 * What holds for every allocator:
 *   - NULL or false means refused, and nothing has changed. Out of memory is never an abort.
 *   - Contents up to the smaller size survive resize and remap. Fresh memory has no promised content.
 *   - A size of zero gives a pointer that owns nothing, is aligned, and is not NULL; no vtable ever
 *     sees a zero size.
 *   - An alignment above an allocator's greatest is a refusal; so is any size that overflows.
 *
 * The front door (hy_alloc, hy_resize, hy_remap, hy_realloc, hy_free) deals once with what is odd,
 * so that implementations need not. It is inline: with an allocator known at compile time, the
 * compiler sees through the table and calls the implementation directly.
 *
 * Thread-safety is each allocator's own: see its header. The front door adds no state.
 * Modelled on Zig's std.mem.Allocator.
 */
#ifndef HEAPYARD_ALLOCATOR_H
#define HEAPYARD_ALLOCATOR_H

#include <heapyard/align.h>
#include <heapyard/poison.h>
#include <string.h>

HY_BEGIN_DECLS

/* What an allocator implements. All four are always there; one that can't resize or remap uses
 * hy_refuse_resize and hy_refuse_remap. `self` is the allocator's own struct. */
typedef struct hy_vtable {
    /* A fresh block. Requires: size > 0. Returns: its address, a multiple of align, or NULL where
     * it is refused. The block belongs to the caller until it is freed, or until its allocator is
     * reset or destroyed. */
    void *(*alloc)(void *self, size_t size, hy_align align);

    /* Changes a live block's size in place. Requires: old_size and align as the block lives with;
     * both sizes > 0. Returns: true, and the block lives with new_size at the same address; or
     * false, and nothing has changed. Shrinking may be refused. */
    bool (*resize)(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

    /* Changes a live block's size, moving it where the allocator can do that cheaper than its caller
     * (a page table instead of a copy). Requires: as resize. Returns: the block's new address, the
     * contents up to the smaller size kept; or NULL: nothing has changed, and a caller who wants the
     * size should allocate, copy and free. */
    void *(*remap)(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

    /* Ends a live block. Requires: size and align as it lives with. Never fails. */
    void (*free)(void *self, void *ptr, size_t size, hy_align align);
} hy_vtable;

/* A value: copy it freely. Neither word is owned; the struct behind `self` must outlive every copy
 * that is still used. */
typedef struct hy_allocator {
    void *self;
    const hy_vtable *vtable;
} hy_allocator;

/* For allocators that can't: always false; always NULL; does nothing. Thread-safe. */
HY_API bool hy_refuse_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_refuse_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_ignore_free(void *self, void *ptr, size_t size, hy_align align);

/* The byte that the front door writes over fresh and freed memory at check level 2. */
#define HY_FILL_BYTE 0xAA

/* Whether the front door of this file writes it. */
#define HY_FILLS (HY_CHECK >= 2 && HY_FILL)

/* The address of a block of no bytes: the highest one that is aligned. It is never NULL, never that
 * of a real block, and must not be read or written. O(1). */
HY_INLINE void *hy_zero_size_pointer(hy_align align) {
    return (void *)(uintptr_t)hy_align_backward(SIZE_MAX, align);
}

/* Writes the fill byte over a block where that is asked for. O(size), or nothing. */
HY_INLINE void hy_fill(void *ptr, size_t size) {
    (void)ptr, (void)size;
#if HY_FILLS
    /* No block is larger; a compiler that knows the size of a request that must fail is given this, in a
     * form that is understood without optimisation too. */
    size_t bytes = size > PTRDIFF_MAX ? 0 : size;
    memset(ptr, HY_FILL_BYTE, bytes);
    hy_mark_undefined(ptr, bytes);
#endif
}

/* Ends the program where the pointer is no multiple of align, by the name of the function that was called
 * with it. */
HY_INLINE void hy_require_aligned(const void *ptr, hy_align align, const char *function) {
    (void)ptr, (void)align, (void)function;
    HY_REQUIRE(hy_align_check_pointer(ptr, align), function, (uintptr_t)ptr,
        "a pointer aligned as the block lives with");
}

/* Ends the program where `child` is a value of zeroes, which is no allocator. Every init that takes a child
 * asks this. `function`: the one that was called with it. */
HY_INLINE void hy_require_child(hy_allocator child, const char *function) {
    (void)child, (void)function;
    HY_REQUIRE(child.vtable != NULL, function, 0, "a child with a vtable (hy_null() for none)");
}

/* A block of `size` bytes at a multiple of `align`.
 * Returns: the block, owned by the caller, who gives it back with hy_free and the same size and
 * alignment; for size 0 the zero-size pointer; NULL where refused, nothing changed.
 * O(1) plus the allocator's own cost. */
HY_INLINE HY_WARN_UNUSED void *hy_alloc(hy_allocator allocator, size_t size, hy_align align) {
    if (HY_UNLIKELY(size == 0)) return hy_zero_size_pointer(align);
    void *ptr = allocator.vtable->alloc(allocator.self, size, align);
#if HY_CHECK >= 2
    HY_ASSERT(
        hy_align_check_pointer(ptr, align), "the allocator returned a block that is not aligned as asked");
    if (ptr) hy_fill(ptr, size);
#endif
    return ptr;
}

/* Ends a block. ptr: a live block, or NULL (nothing happens); size, align: as the block lives with;
 * of size 0 nothing happens. O(1) plus the allocator's own cost (plus the fill at level 2). */
HY_INLINE void hy_free(hy_allocator allocator, void *ptr, size_t size, hy_align align) {
    if (HY_UNLIKELY(ptr == NULL || size == 0)) return;
    hy_require_aligned(ptr, align, "hy_free");
    hy_fill(ptr, size);
    allocator.vtable->free(allocator.self, ptr, size, align);
}

/* Changes a block's size in place.
 * ptr, old_size, align: a live block as it lives; new_size: in bytes.
 * Returns: true, and the block now lives with new_size; false, nothing changed. To 0 the block is
 * freed and the result true; from 0 to more it is false. O(1) plus the allocator's own cost. */
HY_INLINE HY_WARN_UNUSED bool hy_resize(
    hy_allocator allocator, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (HY_UNLIKELY(new_size == 0)) {
        hy_free(allocator, ptr, old_size, align);
        return true;
    }
    if (HY_UNLIKELY(ptr == NULL || old_size == 0)) return false;
    hy_require_aligned(ptr, align, "hy_resize");
    if (!allocator.vtable->resize(allocator.self, ptr, old_size, new_size, align)) return false;
    if (HY_FILLS && new_size > old_size) hy_fill((char *)ptr + old_size, new_size - old_size);
    return true;
}

/* Changes a block's size, moving it only where the allocator can do that cheaper than a copy.
 * ptr, old_size, align: a live block as it lives; new_size: in bytes.
 * Returns: the block's address, which may be new, contents kept up to the smaller size; NULL where
 * refused, nothing changed (hy_realloc copies instead). To 0 the block is freed and the result is the
 * zero-size pointer; from 0 to more it is NULL. O(1) plus the allocator's own cost, at most a copy of the
 * smaller size. */
HY_INLINE HY_WARN_UNUSED void *hy_remap(
    hy_allocator allocator, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (HY_UNLIKELY(new_size == 0)) {
        hy_free(allocator, ptr, old_size, align);
        return hy_zero_size_pointer(align);
    }
    if (HY_UNLIKELY(ptr == NULL || old_size == 0)) return NULL;
    hy_require_aligned(ptr, align, "hy_remap");
    void *moved = allocator.vtable->remap(allocator.self, ptr, old_size, new_size, align);
    if (HY_FILLS && moved && new_size > old_size) hy_fill((char *)moved + old_size, new_size - old_size);
    return moved;
}

/* Changes a block's size, in place, by remapping, or by allocating, copying and freeing.
 * ptr: a live block, or NULL (old_size is then ignored and a block is allocated); old_size, align: as
 * it lives; new_size: in bytes.
 * Returns: the block, contents kept up to the smaller size; NULL where refused, and the old block is
 * intact. To 0 the block is freed and the result is the zero-size pointer.
 * O(1) plus the allocator's own cost, plus the copy of the smaller size where it must move. */
HY_INLINE HY_WARN_UNUSED void *hy_realloc(
    hy_allocator allocator, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (HY_UNLIKELY(ptr == NULL || old_size == 0)) return hy_alloc(allocator, new_size, align);
    void *moved = hy_remap(allocator, ptr, old_size, new_size, align);
    if (moved) return moved;
    moved = hy_alloc(allocator, new_size, align);
    if (!moved) return NULL;
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    hy_free(allocator, ptr, old_size, align);
    return moved;
}

HY_END_DECLS

#endif
