/* headered.c: size and alignment in front of each block.
 *
 * For: C libraries' allocator hooks, and languages whose free takes a pointer alone. Not for: callers
 *   who know their sizes; they need no header.
 * Layout: the child's block holds a prefix and the user's block behind it:
 *
 *     child's block, at max(align, 8)
 *     |<---- prefix: max(16, align) ---->|<---- size ---->|
 *     | unused ...       | size | o, t, a| the user's     |
 *                        ^ header: 16 bytes: size, owner, tag, alignment
 *
 * The prefix is poisoned between calls, so that a write before a block is reported by ASan and Valgrind; in
 * a build without them it is reported at the free, where it hit the tag.
 * Cost: the child's, and one line of memory more. Overhead per block: 16 bytes, or the alignment.
 * Thread-safe where the child is.
 */
#include <heapyard/headered.h>
#include <heapyard/os.h>
#include <heapyard/typed.h>

/* owner: of the child's value; 0 where the build has no checks. */
typedef struct header {
    size_t size;
    uint32_t owner;
    uint16_t tag;
    uint8_t align_log2;
} header;

#define HEADER_BYTES ((size_t)16)
_Static_assert(
    sizeof(header) <= HEADER_BYTES, "the header fits in front of a block that is aligned as malloc aligns");

#define TAG_LIVE 0x4C56u
#define TAG_FREED 0x4652u

/* A child in four bytes: two of them are told apart but for one chance in 2^32. */
HY_INLINE uint32_t owner_of(const hy_headered *headered) {
#if HY_CHECK >= 1
    uint64_t both = (uintptr_t)headered->child.self + (uint64_t)(uintptr_t)headered->child.vtable * 3;
    return (uint32_t)((both * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
#else
    (void)headered;
    return 0;
#endif
}

HY_INLINE size_t prefix_of(hy_align align) {
    return align.log2 <= 4 ? HEADER_BYTES : hy_align_bytes(align);
}

HY_INLINE hy_align align_of_child(hy_align align) {
    return hy_align_max(align, hy_align_of(header));
}

HY_INLINE header *header_of(const void *ptr) {
    return (header *)((uintptr_t)ptr - HEADER_BYTES);
}

HY_INLINE void *base_of(void *ptr, hy_align align) {
    return (char *)ptr - prefix_of(align);
}

/* The header of a live block, opened for reading and writing. */
HY_INLINE header *open_header(const void *ptr, const char *function) {
    (void)function;
    header *h = header_of(ptr);
    hy_unpoison_defined(h, HEADER_BYTES);
    HY_REQUIRE(h->tag == TAG_LIVE, function, (uintptr_t)ptr,
        "a live block of a headered allocator (is it freed already, or was something written before it?)");
    return h;
}

HY_INLINE void write_header(const hy_headered *headered, void *ptr, size_t size, hy_align align) {
    header *h = header_of(ptr);
    HY_ASSERT(hy_align_check_pointer(ptr, align), "the child does not align as asked");
    HY_ASSERT((uintptr_t)h >= (uintptr_t)base_of(ptr, align), "the header lies before the child's block");
    *h = (header){.size = size, .owner = owner_of(headered), .tag = TAG_LIVE, .align_log2 = align.log2};
    hy_poison(base_of(ptr, align), prefix_of(align));
}

/* What the caller says of the block is what its header says, and whose it is. */
HY_INLINE void require_same(
    const hy_headered *headered, const header *h, size_t size, hy_align align, const char *function) {
    (void)headered, (void)h, (void)size, (void)align, (void)function;
    HY_REQUIRE(h->owner == owner_of(headered), function, (uintptr_t)h + HEADER_BYTES,
        "a block of this child (was it made in another scope, or over another allocator?)");
    HY_REQUIRE(h->size == size, function, size, "the size that the block lives with");
    HY_REQUIRE(h->align_log2 == align.log2, function, hy_align_bytes(align),
        "the alignment that the block lives with");
}

void *hy_headered_alloc_sized(void *self, size_t size, hy_align align) {
    hy_headered *headered = self;
    size_t total;
    if (HY_ADD_OVERFLOWS(size, prefix_of(align), &total)) return NULL;
    char *base = headered->child.vtable->alloc(headered->child.self, total, align_of_child(align));
    if (HY_UNLIKELY(!base)) return NULL;
    void *ptr = base + prefix_of(align);
    write_header(headered, ptr, size, align);
    return ptr;
}

bool hy_headered_resize_sized(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_headered *headered = self;
    size_t prefix = prefix_of(align), total;
    if (HY_ADD_OVERFLOWS(new_size, prefix, &total)) return false;
    require_same(headered, open_header(ptr, "hy_resize"), old_size, align, "hy_resize");
    hy_unpoison_defined(base_of(ptr, align), prefix);
    bool done = headered->child.vtable->resize(
        headered->child.self, base_of(ptr, align), old_size + prefix, total, align_of_child(align));
    write_header(headered, ptr, done ? new_size : old_size, align);
    return done;
}

void *hy_headered_remap_sized(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_headered *headered = self;
    size_t prefix = prefix_of(align), total;
    if (HY_ADD_OVERFLOWS(new_size, prefix, &total)) return NULL;
    require_same(headered, open_header(ptr, "hy_remap"), old_size, align, "hy_remap");
    hy_unpoison_defined(base_of(ptr, align), prefix);
    char *base = headered->child.vtable->remap(
        headered->child.self, base_of(ptr, align), old_size + prefix, total, align_of_child(align));
    if (!base) {
        write_header(headered, ptr, old_size, align);
        return NULL;
    }
    write_header(headered, base + prefix, new_size, align);
    return base + prefix;
}

void hy_headered_free_sized(void *self, void *ptr, size_t size, hy_align align) {
    hy_headered *headered = self;
    size_t prefix = prefix_of(align);
    header *h = open_header(ptr, "hy_free");
    require_same(headered, h, size, align, "hy_free");
    h->tag = TAG_FREED;
    hy_unpoison_defined(base_of(ptr, align), prefix);
    headered->child.vtable->free(
        headered->child.self, base_of(ptr, align), size + prefix, align_of_child(align));
}

/* Whether a block of no bytes is meant: its pointer lies in the last page of the address space, which
 * no system maps, for every alignment up to that page's size. */
HY_INLINE bool owns_nothing(const void *ptr) {
    return ptr == NULL || 0 - (uintptr_t)ptr <= HY_PAGE_SIZE_MIN;
}

size_t hy_headered_size(const void *ptr) {
    if (owns_nothing(ptr)) return 0;
    header *h = open_header(ptr, "hy_headered_size");
    size_t size = h->size;
    hy_poison(h, HEADER_BYTES);
    return size;
}

hy_align hy_headered_align(const void *ptr) {
    if (owns_nothing(ptr)) return HY_ALIGN_MAX_SCALAR;
    header *h = open_header(ptr, "hy_headered_align");
    hy_align align = {h->align_log2};
    hy_poison(h, HEADER_BYTES);
    return align;
}

void *hy_headered_aligned_alloc(hy_headered *headered, hy_align align, size_t size) {
    return hy_alloc(hy_headered_allocator(headered), size, align);
}

void *hy_headered_malloc(hy_headered *headered, size_t size) {
    return hy_headered_aligned_alloc(headered, HY_ALIGN_MAX_SCALAR, size);
}

void *hy_headered_calloc(hy_headered *headered, size_t count, size_t size) {
    size_t total;
    if (HY_MUL_OVERFLOWS(count, size, &total)) return NULL;
    void *ptr = hy_headered_malloc(headered, total);
    if (ptr && total) memset(ptr, 0, total);
    return ptr;
}

void *hy_headered_realloc(hy_headered *headered, void *ptr, size_t size) {
    if (owns_nothing(ptr)) return hy_headered_malloc(headered, size);
    return hy_realloc(
        hy_headered_allocator(headered), ptr, hy_headered_size(ptr), size, hy_headered_align(ptr));
}

void hy_headered_free(hy_headered *headered, void *ptr) {
    if (owns_nothing(ptr)) return;
    hy_free(hy_headered_allocator(headered), ptr, hy_headered_size(ptr), hy_headered_align(ptr));
}
