/* heapyard/validating.h: holds both sides to the contract: the caller, and the child.
 *
 *   hy_validating checked = HY_VALIDATING_INIT(my_allocator);      // at next to no cost
 *
 *   hy_validating_indexed exact;                                   // with an index of what lives
 *   hy_validating_indexed_init(&exact, my_allocator, NULL);
 *
 * Without an index every call is held against what it says itself:
 *   the caller:  sizes that a block can have, never 0; alignments that exist; pointers that are aligned as
 *                said, not NULL, and whose block does not pass the end of the address space
 *   the child:   blocks aligned as asked, where blocks can lie (an address below 4096 is NULL plus
 *                something), and resize and remap that keep the contents, also where they refuse (both ends
 *                of what must survive are compared, 8 bytes each)
 * With an index of the live blocks also:
 *   the caller:  pointers that live, with the size and the alignment that they live with
 *   the child:   no block that shares a byte with one that lives
 *
 * A fault is reported: to the callback given, else by a message that names function, value and rule, and the
 * program's end. After a callback: what a caller got wrong is refused (or, for a free, not carried out)
 * and the child is not asked; a block that the child should not have given is refused and stays with it, a
 * size change that broke a promise has happened, and its result is handed on; a block that then overlaps
 * another, or is where or as large as none can be, is no longer indexed, so that its next call is reported as
 * that of an unknown one.
 * All this holds at every check level, since it is put into a stack on purpose. Reached through the front
 * door, which deals with zero sizes and NULL before any allocator, it never sees these.
 *
 * Errors: NULL or false where the child refuses, or the index finds no memory (the child is not asked
 * then); nothing has changed. Greatest alignment, order of frees, growing in place: the child's. A reset of
 * the child goes past it: call hy_validating_indexed_forget after one.
 * Thread-safety: hy_validating where child and callback are; hy_validating_indexed for one thread at a time,
 * with thread_safe over it for many.
 * Ownership: the caller's structs. hy_validating owns nothing; hy_validating_indexed owns its index until
 * hy_validating_indexed_deinit. Cost: O(1) beside the child's, with the index O(log n) of what lives.
 * Overhead per block: none; with the index 18 to 72 bytes, beside the blocks (see block_index.h).
 * After Zig's ValidationAllocator; the index is ours.
 */
#ifndef HEAPYARD_VALIDATING_H
#define HEAPYARD_VALIDATING_H

#include <heapyard/block_index.h>

HY_BEGIN_DECLS

/* What was broken; hy_validating_fault_name has them as text. */
typedef enum hy_validating_fault {
    HY_VALIDATING_SIZE,            /* the caller: a size that no block has: 0, or above PTRDIFF_MAX */
    HY_VALIDATING_ALIGN,           /* the caller: an alignment above 2^63 */
    HY_VALIDATING_POINTER,         /* the caller: NULL, or a block that can't lie there */
    HY_VALIDATING_UNALIGNED,       /* the caller: a pointer that is not aligned as said */
    HY_VALIDATING_UNKNOWN,         /* the caller: no live block starts there (freed already, or foreign) */
    HY_VALIDATING_OTHER_SIZE,      /* the caller: the block lives with another size */
    HY_VALIDATING_OTHER_ALIGN,     /* the caller: the block lives with another alignment */
    HY_VALIDATING_CHILD_UNALIGNED, /* the child: a block that is not aligned as asked */
    HY_VALIDATING_CHILD_POINTER,   /* the child: a block where none can lie */
    HY_VALIDATING_CHILD_CONTENTS,  /* the child: bytes that must survive a size change did not */
    HY_VALIDATING_CHILD_OVERLAP,   /* the child: a block that shares bytes with a live one */
    HY_VALIDATING_FAULT_COUNT
} hy_validating_fault;

/* One fault. The strings are constants. */
typedef struct hy_validating_report {
    hy_validating_fault fault;
    const char *function;   /* the front door's for a caller's fault, "the child's alloc" … for a child's */
    uintmax_t value;        /* the pointer, size or alignment in bytes that is wrong; for ALIGN its log2 */
    const char *rule;       /* what it must be */
    hy_indexed_block block; /* the live block that the fault is about; address 0: none is known */
} hy_validating_report;

/* Is called with each fault, in the faulting thread; must not call the allocator that reports it. */
typedef void (*hy_validating_callback)(void *context, const hy_validating_report *report);

/* How it is set up. All zero is the default. */
typedef struct hy_validating_options {
    hy_validating_callback report; /* NULL: a message on standard error, then abort */
    void *context;                 /* for the callback; not owned */
    hy_allocator index_memory;     /* for hy_validating_indexed; all zero: hy_libc() */
} hy_validating_options;

/* Without an index. */
typedef struct hy_validating {
    hy_allocator child;
    hy_validating_callback report;
    void *context;
} hy_validating;

/* Faults end the program. A macro because it must be an initialiser of static storage. */
#define HY_VALIDATING_INIT(child_allocator)                                                                  \
    { (child_allocator), NULL, NULL }

/* options: NULL for the defaults. Can't fail, allocates nothing. */
HY_API void hy_validating_init(
    hy_validating *validating, hy_allocator child, const hy_validating_options *options);

/* "size", "unknown", "child overlap" …; never NULL. */
HY_API const char *hy_validating_fault_name(hy_validating_fault fault);

/* The lowest address where a block can lie: below it is what NULL plus a little gives. */
#if defined(__wasm__)
#define HY_VALIDATING_LOWEST ((uintptr_t)1)
#else
#define HY_VALIDATING_LOWEST ((uintptr_t)4096)
#endif

/* Whether a block of that size and alignment can lie there at all. */
HY_INLINE bool hy_validating_can_be(const void *ptr, size_t size, hy_align align) {
    uintptr_t address = (uintptr_t)ptr;
    uintptr_t mask = ((uintptr_t)1 << (align.log2 & HY_ALIGN_LOG2_MAX)) - 1;
    return (align.log2 <= HY_ALIGN_LOG2_MAX) & ((address & mask) == 0) & (address >= HY_VALIDATING_LOWEST) &
           (size - 1 < (size_t)PTRDIFF_MAX) & (size - 1 <= UINTPTR_MAX - address);
}

/* Whether such a block may be asked for. */
HY_INLINE bool hy_validating_can_ask(size_t size, hy_align align) {
    return (size != 0) & (align.log2 <= HY_ALIGN_LOG2_MAX);
}

/* What the entry points below do where something is wrong: report it, unless the child just refused. */
HY_API HY_COLD void *hy_validating_wrong_request(hy_validating *validating, size_t size, hy_align align);
HY_API HY_COLD void *hy_validating_wrong_block(
    hy_validating *validating, void *ptr, size_t size, hy_align align);
HY_API HY_COLD void hy_validating_wrong_free(
    hy_validating *validating, void *ptr, size_t size, hy_align align);

/* The entry points, as in the vtable; direct use saves the indirect call. `self` is an hy_validating. Each
 * is the child's call and a few comparisons. */
HY_INLINE void *hy_validating_alloc(void *self, size_t size, hy_align align) {
    hy_validating *validating = (hy_validating *)self;
    if (HY_UNLIKELY(!hy_validating_can_ask(size, align)))
        return hy_validating_wrong_request(validating, size, align);
    void *ptr = validating->child.vtable->alloc(validating->child.self, size, align);
    if (HY_LIKELY(hy_validating_can_be(ptr, size, align))) return ptr;
    return hy_validating_wrong_block(validating, ptr, size, align);
}

/* As in the vtable. */
HY_API bool hy_validating_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* As in the vtable. */
HY_API void *hy_validating_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);

/* As in the vtable. */
HY_INLINE void hy_validating_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_validating *validating = (hy_validating *)self;
    if (HY_UNLIKELY(!hy_validating_can_be(ptr, size, align))) {
        hy_validating_wrong_free(validating, ptr, size, align);
        return;
    }
    validating->child.vtable->free(validating->child.self, ptr, size, align);
}

/* The four above. */
static const hy_vtable hy_validating_vtable = {
    hy_validating_alloc, hy_validating_resize, hy_validating_remap, hy_validating_free};

/* The value to hand out. The struct must outlive it. */
HY_INLINE hy_allocator hy_validating_allocator(hy_validating *validating) {
    hy_allocator allocator = {validating, &hy_validating_vtable};
    return allocator;
}

/* With an index of the live blocks. */
typedef struct hy_validating_indexed {
    hy_validating base;
    hy_block_index index; /* of what lives: hy_block_index_each lists it */
} hy_validating_indexed;

/* options: NULL for the defaults. Can't fail; the index takes its memory as blocks come. */
HY_API void hy_validating_indexed_init(
    hy_validating_indexed *validating, hy_allocator child, const hy_validating_options *options);

/* Gives the index's memory back. Blocks that live are left to the child and not reported: whether that is a
 * leak, the child's kind decides; index.block_count and hy_block_index_each show them before. */
HY_API void hy_validating_indexed_deinit(hy_validating_indexed *validating);

/* All blocks have ended at once, by a reset of the child. O(n). */
HY_API void hy_validating_indexed_forget(hy_validating_indexed *validating);

/* Walks the whole index: whether it holds together, no live blocks overlap, and each can be one. O(n). */
HY_API bool hy_validating_check(const hy_validating_indexed *validating);

/* As the vtable's slots; `self` is an hy_validating_indexed. One thread at a time. */
HY_API void *hy_validating_indexed_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_validating_indexed_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_validating_indexed_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_validating_indexed_free(void *self, void *ptr, size_t size, hy_align align);

/* The four above. */
static const hy_vtable hy_validating_indexed_vtable = {hy_validating_indexed_alloc,
    hy_validating_indexed_resize, hy_validating_indexed_remap, hy_validating_indexed_free};

/* The value to hand out. The struct must outlive it. */
HY_INLINE hy_allocator hy_validating_indexed_allocator(hy_validating_indexed *validating) {
    hy_allocator allocator = {validating, &hy_validating_indexed_vtable};
    return allocator;
}

HY_END_DECLS

#endif
