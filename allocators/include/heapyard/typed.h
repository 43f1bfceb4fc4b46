/* heapyard/typed.h: the typed layer over the front door.
 *
 * Everything here is a lower-case macro only because it takes a type, or must give a pointer of its
 * argument's type; each expands to one call of an inline function below. Counts are in elements; a
 * product or sum that overflows is a refusal (NULL or false), never a small block. Whatever is
 * allocated with a count or an alignment is given back with the same.
 */
#ifndef HEAPYARD_TYPED_H
#define HEAPYARD_TYPED_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* count elements of `size` bytes each, plus `extra` elements. NULL where that overflows or is
 * refused. O(1) plus the allocator's own cost. */
HY_INLINE HY_WARN_UNUSED void *hy_alloc_array(
    hy_allocator allocator, size_t count, size_t extra, size_t size, hy_align align) {
    size_t total, bytes;
    if (HY_ADD_OVERFLOWS(count, extra, &total) || HY_MUL_OVERFLOWS(total, size, &bytes)) return NULL;
    return hy_alloc(allocator, bytes, align);
}

/* As hy_alloc_array, all bytes zero. */
HY_INLINE HY_WARN_UNUSED void *hy_alloc_array_zeroed(
    hy_allocator allocator, size_t count, size_t size, hy_align align) {
    void *ptr = hy_alloc_array(allocator, count, 0, size, align);
    if (ptr && count != 0 && size != 0) memset(ptr, 0, count * size);
    return ptr;
}

/* A copy of `count` elements, followed by `extra` elements of zero bytes. */
HY_INLINE HY_WARN_UNUSED void *hy_dupe_array(
    hy_allocator allocator, const void *source, size_t count, size_t extra, size_t size, hy_align align) {
    char *ptr = (char *)hy_alloc_array(allocator, count, extra, size, align);
    if (!ptr) return NULL;
    if (count * size != 0) memcpy(ptr, source, count * size);
    if (extra * size != 0) memset(ptr + count * size, 0, extra * size);
    return ptr;
}

/* In place, from old_count to new_count elements; false where that overflows or is refused. */
HY_INLINE HY_WARN_UNUSED bool hy_resize_array(
    hy_allocator allocator, void *ptr, size_t old_count, size_t new_count, size_t size, hy_align align) {
    size_t new_bytes;
    if (HY_MUL_OVERFLOWS(new_count, size, &new_bytes)) return false;
    return hy_resize(allocator, ptr, old_count * size, new_bytes, align);
}

/* By hy_remap; NULL where that overflows or is refused, nothing changed. */
HY_INLINE HY_WARN_UNUSED void *hy_remap_array(
    hy_allocator allocator, void *ptr, size_t old_count, size_t new_count, size_t size, hy_align align) {
    size_t new_bytes;
    if (HY_MUL_OVERFLOWS(new_count, size, &new_bytes)) return NULL;
    return hy_remap(allocator, ptr, old_count * size, new_bytes, align);
}

/* By hy_realloc; NULL where that overflows or is refused, the old block intact. */
HY_INLINE HY_WARN_UNUSED void *hy_realloc_array(
    hy_allocator allocator, void *ptr, size_t old_count, size_t new_count, size_t size, hy_align align) {
    size_t new_bytes;
    if (HY_MUL_OVERFLOWS(new_count, size, &new_bytes)) return NULL;
    return hy_realloc(allocator, ptr, old_count * size, new_bytes, align);
}

HY_END_DECLS

/* hy_create(a, T): one T, not initialised; T* or NULL. hy_destroy(a, p): gives it back. */
#define hy_create(allocator, T) ((T *)hy_alloc((allocator), sizeof(T), hy_align_of(T)))
#define hy_destroy(allocator, ptr) hy_free((allocator), (ptr), sizeof(*(ptr)), hy_align_of(HY_TYPEOF(*(ptr))))
#define hy_create_aligned(allocator, T, align) ((T *)hy_alloc((allocator), sizeof(T), (align)))
#define hy_destroy_aligned(allocator, ptr, align) hy_free((allocator), (ptr), sizeof(*(ptr)), (align))

/* hy_alloc_n(a, T, n): n elements, not initialised. hy_free_n(a, p, n): gives them back. */
#define hy_alloc_n(allocator, T, count) hy_alloc_n_aligned(allocator, T, count, hy_align_of(T))
#define hy_alloc_n_aligned(allocator, T, count, align)                                                       \
    ((T *)hy_alloc_array((allocator), (count), 0, sizeof(T), (align)))
#define hy_free_n(allocator, ptr, count)                                                                     \
    hy_free_n_aligned(allocator, ptr, count, hy_align_of(HY_TYPEOF(*(ptr))))
#define hy_free_n_aligned(allocator, ptr, count, align)                                                      \
    hy_free((allocator), (ptr), (size_t)(count) * sizeof(*(ptr)), (align))

/* hy_alloc_zeroed(a, T, n): n elements of zero bytes; freed by hy_free_n. */
#define hy_alloc_zeroed(allocator, T, count) hy_alloc_zeroed_aligned(allocator, T, count, hy_align_of(T))
#define hy_alloc_zeroed_aligned(allocator, T, count, align)                                                  \
    ((T *)hy_alloc_array_zeroed((allocator), (count), sizeof(T), (align)))

/* hy_alloc_sentinel(a, T, n, value): n + 1 elements, the last set to value; freed by
 * hy_free_sentinel(a, p, n), which gives back n + 1. */
#define hy_alloc_sentinel(allocator, T, count, value)                                                        \
    hy_alloc_sentinel_aligned(allocator, T, count, value, hy_align_of(T))
#define hy_alloc_sentinel_aligned(allocator, T, count, value, align)                                         \
    __extension__({                                                                                          \
        size_t hy_count_ = (count);                                                                          \
        T *hy_ptr_ = (T *)hy_alloc_array((allocator), hy_count_, 1, sizeof(T), (align));                     \
        if (hy_ptr_) hy_ptr_[hy_count_] = (value);                                                           \
        hy_ptr_;                                                                                             \
    })
#define hy_free_sentinel(allocator, ptr, count) hy_free_n(allocator, ptr, (size_t)(count) + 1)
#define hy_free_sentinel_aligned(allocator, ptr, count, align)                                               \
    hy_free_n_aligned(allocator, ptr, (size_t)(count) + 1, align)

/* hy_dupe(a, T, source, n): a copy of n elements; freed by hy_free_n. hy_dupe_z adds one element of
 * zero bytes (a string's terminator); freed by hy_free_sentinel. source may be NULL where n is 0. */
#define hy_dupe(allocator, T, source, count) hy_dupe_aligned(allocator, T, source, count, hy_align_of(T))
#define hy_dupe_aligned(allocator, T, source, count, align)                                                  \
    ((T *)hy_dupe_array((allocator), (source), (count), 0, sizeof(T), (align)))
#define hy_dupe_z(allocator, T, source, count) hy_dupe_z_aligned(allocator, T, source, count, hy_align_of(T))
#define hy_dupe_z_aligned(allocator, T, source, count, align)                                                \
    ((T *)hy_dupe_array((allocator), (source), (count), 1, sizeof(T), (align)))

/* Counts instead of bytes over hy_resize, hy_remap and hy_realloc; the pointer keeps its type. */
#define hy_resize_n(allocator, ptr, old_count, new_count)                                                    \
    hy_resize_n_aligned(allocator, ptr, old_count, new_count, hy_align_of(HY_TYPEOF(*(ptr))))
#define hy_resize_n_aligned(allocator, ptr, old_count, new_count, align)                                     \
    hy_resize_array((allocator), (ptr), (old_count), (new_count), sizeof(*(ptr)), (align))
#define hy_remap_n(allocator, T, ptr, old_count, new_count)                                                  \
    hy_remap_n_aligned(allocator, T, ptr, old_count, new_count, hy_align_of(T))
#define hy_remap_n_aligned(allocator, T, ptr, old_count, new_count, align)                                   \
    ((T *)hy_remap_array((allocator), (ptr), (old_count), (new_count), sizeof(T), (align)))
#define hy_realloc_n(allocator, T, ptr, old_count, new_count)                                                \
    hy_realloc_n_aligned(allocator, T, ptr, old_count, new_count, hy_align_of(T))
#define hy_realloc_n_aligned(allocator, T, ptr, old_count, new_count, align)                                 \
    ((T *)hy_realloc_array((allocator), (ptr), (old_count), (new_count), sizeof(T), (align)))

#endif
