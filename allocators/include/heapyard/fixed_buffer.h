/* heapyard/fixed_buffer.h: blocks from a buffer that the caller has already.
 *
 * No heap, no header, no growth: blocks follow one another until the buffer is full, which is out of
 * memory. The newest block can be freed and resized, and gives back the bytes that aligned it; freeing
 * another one does nothing until reset, shrinking it only succeeds.
 *
 * Two views of one buffer: hy_fixed_buffer_allocator for one thread, hy_fixed_buffer_shared_allocator
 * for many. The second allocates without a lock. A buffer is used through
 * one of them between two resets: at check levels 1 and 2 the other's next call is reported as misuse.
 *
 * Ownership: the buffer stays the caller's and must outlive the blocks. In builds with AddressSanitizer,
 * and under Valgrind, what is not handed out must not be touched until hy_fixed_buffer_deinit.
 * Errors: NULL or false where there is no room; nothing has changed then. Sizes and alignments up to
 * the greatest can't wrap any sum. With hy_fixed_buffer_options.fatal, exhaustion prints
 * `fatal: fixed buffer exhausted` and aborts, and every free is a no-op (`used` stays). A
 * pointer that is no block of the buffer is reported at check levels 1 and 2.
 * Cost: every function is O(1). Overhead: alignment. Blocks of the one-thread view that are aligned to 16 or
 * less end at a multiple of their alignment, or with the buffer: blocks of one alignment need no padding. One
 * that does, or is aligned to more, costs a call more. With AddressSanitizer, blocks also end at multiples of
 * 8 while 64 bytes or more are left, so that an overflow is reported at its first byte.
 * After Zig's FixedBufferAllocator.
 */
#ifndef HEAPYARD_FIXED_BUFFER_H
#define HEAPYARD_FIXED_BUFFER_H

#include <heapyard/bump.h>

HY_BEGIN_DECLS

/* How a buffer is made. */
typedef struct hy_fixed_buffer_options {
    bool fatal; /* frees are no-ops, exhaustion ends the program */
} hy_fixed_buffer_options;

/* The bits of `next` that are an address. Where pointers have 64 bits, a process's own addresses leave the
 * upper 16 free; without them the shared view keeps all padding. */
#if UINTPTR_MAX > 0xffffffff
#define HY_FIXED_BUFFER_ADDRESS_BITS 48
#define HY_FIXED_BUFFER_ADDRESS_MASK (((uintptr_t)1 << HY_FIXED_BUFFER_ADDRESS_BITS) - 1)
#else
#define HY_FIXED_BUFFER_ADDRESS_MASK UINTPTR_MAX
#endif

/* Through which view a buffer is used since its last reset. */
typedef enum hy_fixed_buffer_view {
    HY_FIXED_BUFFER_UNUSED,
    HY_FIXED_BUFFER_PLAIN,
    HY_FIXED_BUFFER_SHARED
} hy_fixed_buffer_view;

/* A buffer that is handed out: fields are for the inline functions below. */
typedef struct hy_fixed_buffer {
    uintptr_t next;   /* the first byte that is not handed out; the shared view's only variable, and with
                         the newest block's padding in its upper bits there */
    uintptr_t end;    /* behind the buffer's last byte */
    uintptr_t padded; /* where the newest block that needed padding begins, or 0: none lives. With
                         options.fatal the greatest address, so that every free takes the slow path */
    uintptr_t before; /* `next` as it was before that block was made: where its padding begins */
    uintptr_t base;
    uint32_t view; /* an hy_fixed_buffer_view, kept at check levels 1 and 2 */
    hy_fixed_buffer_options options;
} hy_fixed_buffer;

/* For buffers of static storage: HY_FIXED_BUFFER_INIT(array), where array is an array of char. What was
 * never handed out is not poisoned then. A macro because it must be a constant expression. */
#define HY_FIXED_BUFFER_INIT(array)                                                                          \
    {                                                                                                        \
        (uintptr_t)(array), (uintptr_t)(array) + sizeof(array), 0, 0, (uintptr_t)(array), 0, {               \
            false                                                                                            \
        }                                                                                                    \
    }

/* Starts on [buffer, buffer + size); buffer may be NULL where size is 0. On 64-bit targets it must lie
 * in the lower half of the address space, as every process's memory does. */
HY_API void hy_fixed_buffer_init(hy_fixed_buffer *fixed, void *buffer, size_t size);
HY_API void hy_fixed_buffer_init_options(
    hy_fixed_buffer *fixed, void *buffer, size_t size, hy_fixed_buffer_options options);

/* Ends every block, and gives the buffer back to its owner's own use. The struct can be initialised
 * again. Not while another thread uses the buffer. */
HY_API void hy_fixed_buffer_deinit(hy_fixed_buffer *fixed);

/* The buffer's first byte; its size in bytes; how many of these are handed out or lost to alignment.
 * Thread-safe beside the shared view. */
HY_INLINE void *hy_fixed_buffer_base(const hy_fixed_buffer *fixed) {
    return (void *)fixed->base;
}

HY_INLINE size_t hy_fixed_buffer_capacity(const hy_fixed_buffer *fixed) {
    return fixed->end - fixed->base;
}

HY_INLINE size_t hy_fixed_buffer_used(const hy_fixed_buffer *fixed) {
    return (__atomic_load_n(&fixed->next, __ATOMIC_RELAXED) & HY_FIXED_BUFFER_ADDRESS_MASK) - fixed->base;
}

/* Ends every block. Either view may be used next. Not while another thread uses the buffer. Inline:
 * where it was a call, the allocations after it took longer too. */
HY_INLINE void hy_fixed_buffer_reset(hy_fixed_buffer *fixed) {
    hy_poison((void *)fixed->base, hy_fixed_buffer_used(fixed));
    fixed->next = fixed->base;
    fixed->padded = fixed->options.fatal ? UINTPTR_MAX : 0;
    fixed->view = HY_FIXED_BUFFER_UNUSED;
    HY_ASSERT(fixed->base <= fixed->end, "the buffer ends before it begins");
}

/* Whether ptr, or every byte of [ptr, ptr + size), lies in the buffer, handed out or not. An empty
 * range lies in it where its address does, the buffer's end included. Thread-safe. */
HY_INLINE bool hy_fixed_buffer_owns(const hy_fixed_buffer *fixed, const void *ptr) {
    return (uintptr_t)ptr - fixed->base < hy_fixed_buffer_capacity(fixed);
}

HY_INLINE bool hy_fixed_buffer_owns_range(const hy_fixed_buffer *fixed, const void *ptr, size_t size) {
    uintptr_t start = (uintptr_t)ptr;
    return start >= fixed->base && start <= fixed->end && size <= fixed->end - start;
}

/* Whether the struct holds together. Not while another thread uses the buffer. */
HY_API bool hy_fixed_buffer_check(const hy_fixed_buffer *fixed);

/* Reports misuse where the buffer is in use through the other view, else notes this one. */
HY_API void hy_fixed_buffer_enter(hy_fixed_buffer *fixed, hy_fixed_buffer_view view);
/* The rest of hy_fixed_buffer_alloc: a block that needs padding, or the buffer's last bytes, or is refused.
 */
HY_API void *hy_fixed_buffer_alloc_slow(hy_fixed_buffer *fixed, size_t size, hy_align align);
/* The rest of hy_fixed_buffer_free: a block with padding, or which ends with the buffer, or is aligned to
 * more than 16; or options.fatal. */
HY_API void hy_fixed_buffer_free_slow(hy_fixed_buffer *fixed, uintptr_t start, size_t size, hy_align align);

/* Notes through which view the buffer is used. Nothing at check level 0. */
HY_INLINE void hy_fixed_buffer_use(hy_fixed_buffer *fixed, hy_fixed_buffer_view view) {
    (void)fixed, (void)view;
#if HY_CHECK >= 1
    if (HY_UNLIKELY(__atomic_load_n(&fixed->view, __ATOMIC_RELAXED) != (uint32_t)view)) {
        hy_fixed_buffer_enter(fixed, view);
    }
#endif
}

/* Whether blocks so aligned end at a multiple of their alignment. */
HY_INLINE bool hy_fixed_buffer_rounds(hy_align align) {
    return align.log2 <= 4;
}

/* Where the block after one would begin, which rounds; beyond the buffer's end where the block ends with the
 * buffer, or can't lie in it. The same for the same arguments, so that the newest block can be recognised by
 * its end. With 64 bits the buffer lies below 2^63, and what is added is at most that: no sum wraps. */
HY_INLINE uintptr_t hy_fixed_buffer_stop(
    const hy_fixed_buffer *fixed, uintptr_t start, size_t size, hy_align align) {
    (void)fixed;
    /* Not a branch: where sizes are alike, the compiler does this once. */
    size_t taken = size < PTRDIFF_MAX ? size : PTRDIFF_MAX;
    return hy_bump_after(start + hy_align_forward(taken, align), fixed->end);
}

/* Reports a block that lies outside the buffer as misuse. Nothing at check level 0. */
HY_INLINE void hy_fixed_buffer_require(
    const hy_fixed_buffer *fixed, const void *ptr, size_t size, const char *function) {
    (void)fixed, (void)ptr, (void)size, (void)function;
    HY_REQUIRE(
        hy_fixed_buffer_owns_range(fixed, ptr, size), function, (uintptr_t)ptr, "a block of this buffer");
}

/* A block of `size` bytes at a multiple of align, or NULL where there is no room for it: nothing changed
 * then. Requires: size > 0. */
HY_INLINE HY_WARN_UNUSED void *hy_fixed_buffer_alloc(hy_fixed_buffer *fixed, size_t size, hy_align align) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_PLAIN);
    HY_ASSERT(size != 0, "a block of no bytes is asked for");
    HY_ASSERT(fixed->next - fixed->base <= fixed->end - fixed->base, "the next byte lies outside the buffer");
    uintptr_t start = fixed->next, stop = hy_fixed_buffer_stop(fixed, start, size, align);
    if (HY_UNLIKELY(!hy_fixed_buffer_rounds(align))) return hy_fixed_buffer_alloc_slow(fixed, size, align);
    /* A branch that is predicted; rounding up would have each block's address wait for it. */
    if (HY_UNLIKELY(start & (hy_align_bytes(align) - 1)))
        return hy_fixed_buffer_alloc_slow(fixed, size, align);
    if (HY_UNLIKELY(stop > fixed->end || (sizeof stop < 8 && stop < start)))
        return hy_fixed_buffer_alloc_slow(fixed, size, align);
    HY_ASSERT(stop - start >= size, "a block ends behind the next one's start");
    fixed->next = stop;
    HY_ASSUME(start != 0);
    hy_unpoison((void *)start, size);
    return (void *)start;
}

/* Ends a block. align: as it lives with. The newest one's bytes, those that aligned it included, can be used
 * again.
 *
 * The newest block begins at `padded` or above: there, it is the one whose padding is known. */
HY_INLINE void hy_fixed_buffer_free(hy_fixed_buffer *fixed, void *ptr, size_t size, hy_align align) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_PLAIN);
    hy_fixed_buffer_require(fixed, ptr, size, "hy_fixed_buffer_free");
    uintptr_t start = (uintptr_t)ptr, stop = hy_fixed_buffer_stop(fixed, start, size, align);
    hy_poison(ptr, size);
    if (HY_UNLIKELY(!hy_fixed_buffer_rounds(align))) {
        hy_fixed_buffer_free_slow(fixed, start, size, align);
    } else if (HY_LIKELY(stop == fixed->next && start > fixed->padded)) {
        fixed->next = start;
        HY_ASSERT(fixed->padded == 0 || start > fixed->padded,
            "the newest padding lies behind the buffer's next byte");
    } else if (HY_UNLIKELY(stop >= fixed->next)) {
        hy_fixed_buffer_free_slow(fixed, start, size, align);
    }
}

/* Shrinks any block, and grows the newest while there is room. True: the block lives with new_size; false:
 * nothing changed. Requires: as the vtable's resize. */
HY_API HY_WARN_UNUSED bool hy_fixed_buffer_resize(
    hy_fixed_buffer *fixed, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* The same three through the shared view: from any thread, lock-free. Its blocks end where they end. */
HY_API HY_WARN_UNUSED void *hy_fixed_buffer_shared_alloc(hy_fixed_buffer *fixed, size_t size, hy_align align);
HY_API void hy_fixed_buffer_shared_free(hy_fixed_buffer *fixed, void *ptr, size_t size);
HY_API HY_WARN_UNUSED bool hy_fixed_buffer_shared_resize(
    hy_fixed_buffer *fixed, void *ptr, size_t old_size, size_t new_size);

/* The vtables' slots over the functions above; self is an hy_fixed_buffer. */
HY_API void *hy_fixed_buffer_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_fixed_buffer_slot_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_fixed_buffer_slot_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_fixed_buffer_slot_free(void *self, void *ptr, size_t size, hy_align align);
HY_API void *hy_fixed_buffer_shared_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_fixed_buffer_shared_slot_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_fixed_buffer_shared_slot_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_fixed_buffer_shared_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_fixed_buffer_vtable = {hy_fixed_buffer_slot_alloc, hy_fixed_buffer_slot_resize,
    hy_fixed_buffer_slot_remap, hy_fixed_buffer_slot_free};
static const hy_vtable hy_fixed_buffer_shared_vtable = {hy_fixed_buffer_shared_slot_alloc,
    hy_fixed_buffer_shared_slot_resize, hy_fixed_buffer_shared_slot_remap, hy_fixed_buffer_shared_slot_free};

/* The view for one thread at a time. The struct must outlive the value. */
HY_INLINE hy_allocator hy_fixed_buffer_allocator(hy_fixed_buffer *fixed) {
    hy_allocator allocator = {fixed, &hy_fixed_buffer_vtable};
    return allocator;
}

/* The view for any number of threads. The struct must outlive the value. */
HY_INLINE hy_allocator hy_fixed_buffer_shared_allocator(hy_fixed_buffer *fixed) {
    hy_allocator allocator = {fixed, &hy_fixed_buffer_shared_vtable};
    return allocator;
}

HY_END_DECLS

#endif
