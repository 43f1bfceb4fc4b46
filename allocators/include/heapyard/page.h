/* heapyard/page.h: whole pages straight from the operating system.
 *
 * For few large blocks, or as the source below an allocator that carves: every call is a system call,
 * and a block of one byte takes a page. Any alignment is served, above a page too, also after remap.
 * Shrinking gives whole tail pages back; resize grows in place where the addresses behind are free, and
 * remap moves by page tables, without copying. Fresh pages are zero.
 *
 * Ownership: blocks are the caller's until freed; a source keeps nothing but its counts, so an
 * hy_page_source needs no deinit. Thread-safe, all of it.
 * Errors: NULL or false where the system refuses, or where rounding up passes SIZE_MAX.
 * Cost: one system call, up to three for an alignment above a page. Overhead: the last page's rest.
 * After Zig's PageAllocator, whose remap loses alignments above a page.
 */
#ifndef HEAPYARD_PAGE_H
#define HEAPYARD_PAGE_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* How a source of pages behaves. */
typedef struct hy_page_options {
    bool huge; /* blocks of 2 MiB and more begin at huge pages, and the system is asked for those */
} hy_page_options;

/* A source with its own option and counts. The process-wide one is hy_page(). */
typedef struct hy_page_source {
    hy_page_options options;
    size_t held_bytes;       /* in whole pages */
    size_t high_water_bytes; /* the greatest held_bytes so far */
    size_t calls_count;      /* system calls that map, unmap, move or advise */
} hy_page_source;

/* What a source counted so far; each count by itself is exact, also while other threads use it. */
typedef struct hy_page_counts {
    size_t held_bytes, high_water_bytes, calls_count;
} hy_page_counts;

/* The process-wide source: no huge pages asked for. */
extern HY_API hy_page_source hy_page_process_source;

/* Starts a source with all counts at 0. O(1). */
HY_INLINE void hy_page_source_init(hy_page_source *source, hy_page_options options) {
    source->options = options;
    source->held_bytes = source->high_water_bytes = source->calls_count = 0;
}

/* The counts as they are now. O(1), thread-safe. */
HY_API hy_page_counts hy_page_source_counts(const hy_page_source *source);

/* size bytes in whole pages at a multiple of align, zeroed. NULL: refused. Requires: size > 0. */
HY_API HY_WARN_UNUSED void *hy_page_alloc(hy_page_source *source, size_t size, hy_align align);
/* In place. False: refused, nothing changed. Requires: both sizes > 0. */
HY_API HY_WARN_UNUSED bool hy_page_resize(
    hy_page_source *source, void *ptr, size_t old_size, size_t new_size);
/* In place or by page tables, aligned as before. NULL: refused, nothing changed. */
HY_API HY_WARN_UNUSED void *hy_page_remap(
    hy_page_source *source, void *ptr, size_t old_size, size_t new_size, hy_align align);
/* Gives the block's pages back. Requires: size as the block lives with. */
HY_API void hy_page_free(hy_page_source *source, void *ptr, size_t size);

/* The vtable's slots over the functions above; self is an hy_page_source. */
HY_API void *hy_page_slot_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_page_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_page_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_page_slot_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_page_vtable = {
    hy_page_slot_alloc, hy_page_slot_resize, hy_page_slot_remap, hy_page_slot_free};

/* The value of a source; the struct must outlive it. */
HY_INLINE hy_allocator hy_page_allocator(hy_page_source *source) {
    hy_allocator allocator = {source, &hy_page_vtable};
    return allocator;
}

/* The process-wide source's value. */
HY_INLINE hy_allocator hy_page(void) {
    return hy_page_allocator(&hy_page_process_source);
}

HY_END_DECLS

#endif
