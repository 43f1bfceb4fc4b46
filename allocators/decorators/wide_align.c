/* wide_align.c: any alignment over a child that has only a small one.
 *
 * For: foreign heaps and plain malloc where a page, a cache line or a vector register has to be aligned.
 *   Not for: children that align by themselves; over them it is a comparison for nothing.
 * Algorithm: what the child's alignment serves is the child's. Of the rest:
 *
 *     child's block, at its greatest alignment
 *     |<------------- overhead in all, wherever the block lies ------------->|
 *     | skipped ... | base | seal |<---- size: the user's ---->| left over   |
 *                   ^ header: two words
 *                                 ^ the first aligned place that leaves room for the header
 *
 *   base is the child's pointer. The seal is made of base, size and alignment, so that a block that is given
 *   back with others, or was overwritten from below, is reported. Size and alignment alone say how large the
 *   child's block is, because the overhead does not depend on where it lies.
 * Cost: the child's and a comparison; where it works, a line of memory more.
 * Overhead per block: none, or the alignment (and up to two words over children that align to less).
 * Thread-safe where the child is.
 * Source: Zigler's wide alignment allocator, which keeps the pointer alone.
 *
 * What is skipped and left over is poisoned while the block lives.
 */
#include <heapyard/wide_align.h>

#define SEAL_FACTOR ((uintptr_t)0x9E3779B97F4A7C15u)

typedef struct header {
    uintptr_t base;
    uintptr_t seal;
} header;
_Static_assert(sizeof(header) == HY_WIDE_ALIGN_HEADER_BYTES, "the overhead has room for the header");

/* A block as the child sees it. */
typedef struct outer {
    char *base;
    size_t size;
} outer;

static uintptr_t seal_of(uintptr_t base, size_t size, hy_align align) {
    return (base ^ size * SEAL_FACTOR ^ align.log2) + SEAL_FACTOR;
}

static char *place_in(char *base, hy_align align) {
    return (char *)hy_align_forward((uintptr_t)base + HY_WIDE_ALIGN_HEADER_BYTES, align);
}

/* The header may lie at any address, where a block is aligned to 2 over a child that aligns to 1. */
static header read_header(const char *ptr) {
    header h;
    hy_unpoison_defined(ptr - sizeof h, sizeof h);
    memcpy(&h, ptr - sizeof h, sizeof h);
    return h;
}

/* The block at ptr lives with this size, and what is around it is nobody's. */
static void settle(outer block, char *ptr, size_t size, hy_align align) {
    HY_ASSERT(hy_align_check_pointer(ptr, align), "a block is not aligned as asked");
    HY_ASSERT((size_t)(ptr - block.base) >= sizeof(header), "a block leaves no room for its header");
    HY_ASSERT((size_t)(ptr - block.base) <= block.size - size, "a block ends behind the child's");
    header h = {(uintptr_t)block.base, seal_of((uintptr_t)block.base, size, align)};
    memcpy(ptr - sizeof h, &h, sizeof h);
    hy_poison(block.base, (size_t)(ptr - block.base));
    hy_poison(ptr + size, (size_t)(block.base + block.size - ptr) - size);
}

/* The child's block behind a live one, open again as a whole. Its content counts as defined only where it
 * is the header's: the rest was never the user's. */
static outer open_outer(
    const hy_wide_align *wide, char *ptr, size_t size, hy_align align, const char *function) {
    (void)function;
    header h = read_header(ptr);
    HY_REQUIRE(h.seal == seal_of(h.base, size, align), function, (uintptr_t)ptr,
        "a live block, with the size and alignment that it lives with (or was something written before it?)");
    outer block = {(char *)h.base, size + hy_wide_align_overhead(wide, align)};
    hy_unpoison(block.base, (size_t)(ptr - block.base) - sizeof h);
    hy_unpoison(ptr + size, (size_t)(block.base + block.size - ptr) - size);
    return block;
}

HY_SLOT void *hy_wide_align_alloc_wide(hy_wide_align *wide, size_t size, hy_align align) {
    outer block;
    if (HY_ADD_OVERFLOWS(size, hy_wide_align_overhead(wide, align), &block.size)) return NULL;
    block.base = wide->child.vtable->alloc(wide->child.self, block.size, wide->greatest);
    if (HY_UNLIKELY(!block.base)) return NULL;
    HY_ASSERT(
        hy_align_check_pointer(block.base, wide->greatest), "the child does not align as init was told");
    char *ptr = place_in(block.base, align);
    settle(block, ptr, size, align);
    return ptr;
}

bool hy_wide_align_resize_wide(
    hy_wide_align *wide, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    size_t new_total;
    if (HY_ADD_OVERFLOWS(new_size, hy_wide_align_overhead(wide, align), &new_total)) return false;
    outer block = open_outer(wide, ptr, old_size, align, "hy_resize");
    bool done =
        wide->child.vtable->resize(wide->child.self, block.base, block.size, new_total, wide->greatest);
    if (done) block.size = new_total;
    settle(block, ptr, done ? new_size : old_size, align);
    return done;
}

void *hy_wide_align_remap_wide(
    hy_wide_align *wide, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    size_t new_total;
    if (HY_ADD_OVERFLOWS(new_size, hy_wide_align_overhead(wide, align), &new_total)) return NULL;
    outer block = open_outer(wide, ptr, old_size, align, "hy_remap");
    size_t skipped = (size_t)((char *)ptr - block.base);
    char *base =
        wide->child.vtable->remap(wide->child.self, block.base, block.size, new_total, wide->greatest);
    if (!base) {
        settle(block, ptr, old_size, align);
        return NULL;
    }
    char *moved = place_in(base, align);
    if (moved != base + skipped) memmove(moved, base + skipped, old_size < new_size ? old_size : new_size);
    settle((outer){base, new_total}, moved, new_size, align);
    return moved;
}

HY_SLOT void hy_wide_align_free_wide(hy_wide_align *wide, void *ptr, size_t size, hy_align align) {
    outer block = open_outer(wide, ptr, size, align, "hy_free");
    memset((char *)ptr - sizeof(header), 0, sizeof(header)); /* no seal: a second free of it is reported */
    wide->child.vtable->free(wide->child.self, block.base, block.size, wide->greatest);
}
