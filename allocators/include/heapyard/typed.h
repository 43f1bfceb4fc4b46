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

/* One T, not initialised, at T's own alignment: T *, or NULL where refused. Given back by hy_destroy. */
#define hy_create(allocator, T) ((T *)hy_alloc((allocator), sizeof(T), hy_align_of(T)))
/* Gives back what hy_create or hy_dupe of one made; NULL is left alone. */
#define hy_destroy(allocator, ptr) hy_free((allocator), (ptr), sizeof(*(ptr)), hy_align_of(HY_TYPEOF(*(ptr))))
/* hy_create at an alignment of the caller's choice. Given back by hy_destroy_aligned with the same. */
#define hy_create_aligned(allocator, T, align) ((T *)hy_alloc((allocator), sizeof(T), (align)))
/* Gives back what hy_create_aligned made. */
#define hy_destroy_aligned(allocator, ptr, align) hy_free((allocator), (ptr), sizeof(*(ptr)), (align))

/* `count` elements, not initialised: T *, or NULL where refused. Given back by hy_free_n with the same count.
 */
#define hy_alloc_n(allocator, T, count) hy_alloc_n_aligned(allocator, T, count, hy_align_of(T))
/* hy_alloc_n at an alignment of the caller's choice. Given back by hy_free_n_aligned with the same. */
#define hy_alloc_n_aligned(allocator, T, count, align)                                                       \
    ((T *)hy_alloc_array((allocator), (count), 0, sizeof(T), (align)))
/* Gives back `count` elements at their type's own alignment; NULL is left alone. */
#define hy_free_n(allocator, ptr, count)                                                                     \
    hy_free_n_aligned(allocator, ptr, count, hy_align_of(HY_TYPEOF(*(ptr))))
/* Gives back `count` elements at the alignment that they were made with. */
#define hy_free_n_aligned(allocator, ptr, count, align)                                                      \
    hy_free((allocator), (ptr), (size_t)(count) * sizeof(*(ptr)), (align))

/* `count` elements of zero bytes: T *, or NULL. Given back by hy_free_n. */
#define hy_alloc_zeroed(allocator, T, count) hy_alloc_zeroed_aligned(allocator, T, count, hy_align_of(T))
/* hy_alloc_zeroed at an alignment of the caller's choice. Given back by hy_free_n_aligned. */
#define hy_alloc_zeroed_aligned(allocator, T, count, align)                                                  \
    ((T *)hy_alloc_array_zeroed((allocator), (count), sizeof(T), (align)))

/* `count` + 1 elements, the last set to `value`, the others not initialised: T *, or NULL. Given back by
 * hy_free_sentinel with the same count. */
#define hy_alloc_sentinel(allocator, T, count, value)                                                        \
    hy_alloc_sentinel_aligned(allocator, T, count, value, hy_align_of(T))
/* Alignment and sentinel in one. Given back by hy_free_sentinel_aligned. */
#define hy_alloc_sentinel_aligned(allocator, T, count, value, align)                                         \
    __extension__({                                                                                          \
        size_t hy_count_ = (count);                                                                          \
        T *hy_ptr_ = (T *)hy_alloc_array((allocator), hy_count_, 1, sizeof(T), (align));                     \
        if (hy_ptr_) hy_ptr_[hy_count_] = (value);                                                           \
        hy_ptr_;                                                                                             \
    })
/* Gives back `count` elements and the sentinel behind them; NULL is left alone. */
#define hy_free_sentinel(allocator, ptr, count) hy_free_n(allocator, ptr, (size_t)(count) + 1)
/* The same at the alignment that they were made with. */
#define hy_free_sentinel_aligned(allocator, ptr, count, align)                                               \
    hy_free_n_aligned(allocator, ptr, (size_t)(count) + 1, align)

/* A copy of the `count` elements at `source`, a pointer to T that may be NULL where count is 0: T *, or
 * NULL. Given back by hy_free_n. */
#define hy_dupe(allocator, T, source, count) hy_dupe_aligned(allocator, T, source, count, hy_align_of(T))
/* hy_dupe at an alignment of the caller's choice. Given back by hy_free_n_aligned. */
#define hy_dupe_aligned(allocator, T, source, count, align)                                                  \
    ((T *)hy_dupe_array((allocator), hy_source_of(T, source), (count), 0, sizeof(T), (align)))
/* hy_dupe and one element of zero bytes behind it: a string's terminator. Given back by hy_free_sentinel. */
#define hy_dupe_z(allocator, T, source, count) hy_dupe_z_aligned(allocator, T, source, count, hy_align_of(T))
/* hy_dupe_z at an alignment of the caller's choice. Given back by hy_free_sentinel_aligned. */
#define hy_dupe_z_aligned(allocator, T, source, count, align)                                                \
    ((T *)hy_dupe_array((allocator), hy_source_of(T, source), (count), 1, sizeof(T), (align)))
/* The pointer as it is; the compiler reports where it points to something else than T. */
#define hy_source_of(T, source) (1 ? (source) : (const T *)NULL)

/* hy_resize with counts of elements: true, and the block has new_count of them, in place; false: it has
 * old_count as before. */
#define hy_resize_n(allocator, ptr, old_count, new_count)                                                    \
    hy_resize_n_aligned(allocator, ptr, old_count, new_count, hy_align_of(HY_TYPEOF(*(ptr))))
/* hy_resize_n of what lives at an alignment of the caller's choice. */
#define hy_resize_n_aligned(allocator, ptr, old_count, new_count, align)                                     \
    hy_resize_array((allocator), (ptr), (old_count), (new_count), sizeof(*(ptr)), (align))
/* hy_remap with counts of elements: T *, or NULL where refused, nothing changed. */
#define hy_remap_n(allocator, T, ptr, old_count, new_count)                                                  \
    hy_remap_n_aligned(allocator, T, ptr, old_count, new_count, hy_align_of(T))
/* hy_remap_n of what lives at an alignment of the caller's choice, and keeps it. */
#define hy_remap_n_aligned(allocator, T, ptr, old_count, new_count, align)                                   \
    ((T *)hy_remap_array((allocator), (ptr), (old_count), (new_count), sizeof(T), (align)))
/* hy_realloc with counts of elements: T *, or NULL where refused, the old block intact. ptr may be NULL. */
#define hy_realloc_n(allocator, T, ptr, old_count, new_count)                                                \
    hy_realloc_n_aligned(allocator, T, ptr, old_count, new_count, hy_align_of(T))
/* hy_realloc_n of what lives at an alignment of the caller's choice, and keeps it. */
#define hy_realloc_n_aligned(allocator, T, ptr, old_count, new_count, align)                                 \
    ((T *)hy_realloc_array((allocator), (ptr), (old_count), (new_count), sizeof(T), (align)))

#endif
