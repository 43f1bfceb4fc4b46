/* heapyard/host.h: a foreign heap, given as functions, as an allocator.
 *
 * For code that runs inside another program (a virtual machine, a database, a game engine) and must
 * take its memory where the host can see and limit it:
 *
 *   hy_host_plain beam;
 *   hy_host_plain_init(&beam, enif_alloc, enif_realloc, enif_free, HY_ALIGN_8);
 *   hy_allocator gpa = hy_host_plain_allocator(&beam);
 *
 * Two forms: hy_host for heaps whose functions take a context (a pointer given back with each call),
 * hy_host_plain for those whose functions take none. Each call is one call of the heap's, with the size
 * that was asked: no header, no rounding, so that the heap's own accounting sees every byte.
 *
 * The heap promises one alignment for all blocks, its greatest. A stronger one is refused, as is a size
 * above PTRDIFF_MAX, without the heap being asked; hy_wide_align over it serves any (heapyard/wide_align.h).
 * Resizing in place is refused, since such heaps have no call for it; remap is the heap's realloc, and is
 * refused where it has none (hy_realloc then copies).
 *
 * Ownership: the heap is the host's and must outlive the blocks. The struct owns nothing, there is nothing
 * to end; it must outlive every use of its allocator. Thread-safe where the heap's functions are.
 * Errors: NULL where the heap gives NULL; nothing has changed then. Misuse, reported at check level 1: a heap
 * without alloc or free, a block that is not aligned as the heap promised.
 * Cost: O(1) plus the heap's. Overhead: the heap's own.
 * After the way in which Zigler lets Zig allocate on the Erlang virtual machine.
 */
#ifndef HEAPYARD_HOST_H
#define HEAPYARD_HOST_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* A heap whose functions take a context. They behave as malloc, realloc and free do, and never see a size
 * of 0 or a NULL block. */
typedef struct hy_host {
    void *context; /* given to each call, never looked at */
    void *(*heap_alloc)(void *context, size_t size);
    void *(*heap_realloc)(void *context, void *ptr, size_t size); /* or NULL */
    void (*heap_free)(void *context, void *ptr);
    hy_align greatest; /* the alignment of every block of the heap */
} hy_host;

/* A heap whose functions take none. */
typedef struct hy_host_plain {
    void *(*heap_alloc)(size_t size);
    void *(*heap_realloc)(void *ptr, size_t size); /* or NULL */
    void (*heap_free)(void *ptr);
    hy_align greatest; /* the alignment of every block of the heap */
} hy_host_plain;

/* heap_realloc may be NULL; heap_alloc and heap_free may not, which is misuse. greatest: what the heap
 * promises for every block: 8 bytes for enif_alloc, 16 for most mallocs. O(1). */
HY_API void hy_host_init(hy_host *host, void *context, void *(*heap_alloc)(void *context, size_t size),
    void *(*heap_realloc)(void *context, void *ptr, size_t size), void (*heap_free)(void *context, void *ptr),
    hy_align greatest);
HY_API void hy_host_plain_init(hy_host_plain *host, void *(*heap_alloc)(size_t size),
    void *(*heap_realloc)(void *ptr, size_t size), void (*heap_free)(void *ptr), hy_align greatest);

/* Whether the heap may be asked for this at all. */
HY_INLINE bool hy_host_serves(hy_align greatest, size_t size, hy_align align) {
    return HY_LIKELY(align.log2 <= greatest.log2) && HY_LIKELY(size <= PTRDIFF_MAX);
}

/* A block of the heap's, looked at. */
HY_INLINE void *hy_host_taken(void *ptr, hy_align greatest, const char *function) {
    (void)greatest, (void)function;
    HY_REQUIRE(hy_align_check_pointer(ptr, greatest), function, (uintptr_t)ptr,
        "a block that is aligned as the heap promised at init");
    return ptr;
}

/* The entry points, as in the vtables. `self` is an hy_host. */
HY_INLINE void *hy_host_alloc(void *self, size_t size, hy_align align) {
    hy_host *host = (hy_host *)self;
    if (!hy_host_serves(host->greatest, size, align)) return NULL;
    return hy_host_taken(host->heap_alloc(host->context, size), host->greatest, "hy_host_alloc");
}

HY_INLINE void *hy_host_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)old_size;
    hy_host *host = (hy_host *)self;
    if (!host->heap_realloc || !hy_host_serves(host->greatest, new_size, align)) return NULL;
    return hy_host_taken(host->heap_realloc(host->context, ptr, new_size), host->greatest, "hy_host_remap");
}

HY_INLINE void hy_host_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)size, (void)align;
    hy_host *host = (hy_host *)self;
    host->heap_free(host->context, ptr);
}

/* `self` is an hy_host_plain. */
HY_INLINE void *hy_host_plain_alloc(void *self, size_t size, hy_align align) {
    hy_host_plain *host = (hy_host_plain *)self;
    if (!hy_host_serves(host->greatest, size, align)) return NULL;
    return hy_host_taken(host->heap_alloc(size), host->greatest, "hy_host_plain_alloc");
}

HY_INLINE void *hy_host_plain_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)old_size;
    hy_host_plain *host = (hy_host_plain *)self;
    if (!host->heap_realloc || !hy_host_serves(host->greatest, new_size, align)) return NULL;
    return hy_host_taken(host->heap_realloc(ptr, new_size), host->greatest, "hy_host_plain_remap");
}

HY_INLINE void hy_host_plain_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)size, (void)align;
    hy_host_plain *host = (hy_host_plain *)self;
    host->heap_free(ptr);
}

static const hy_vtable hy_host_vtable = {hy_host_alloc, hy_refuse_resize, hy_host_remap, hy_host_free};
static const hy_vtable hy_host_plain_vtable = {
    hy_host_plain_alloc, hy_refuse_resize, hy_host_plain_remap, hy_host_plain_free};

/* The allocators' values; the struct must outlive them. */
HY_INLINE hy_allocator hy_host_allocator(hy_host *host) {
    hy_allocator allocator = {host, &hy_host_vtable};
    return allocator;
}

HY_INLINE hy_allocator hy_host_plain_allocator(hy_host_plain *host) {
    hy_allocator allocator = {host, &hy_host_plain_vtable};
    return allocator;
}

HY_END_DECLS

#endif
