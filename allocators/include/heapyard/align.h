/* heapyard/align.h: alignments as a type of their own, and the arithmetic on them.
 *
 * An hy_align holds the base-2 logarithm, so a number of bytes can't be passed by mistake, every
 * value is a power of two, and rounding needs no division.
 */
#ifndef HEAPYARD_ALIGN_H
#define HEAPYARD_ALIGN_H

#include <heapyard/check.h>

HY_BEGIN_DECLS

/* An alignment: a power of two, by its logarithm. */
typedef struct hy_align {
    uint8_t log2; /* 0 (any address) to 63; on a target with 32-bit pointers, to 31 */
} hy_align;

/* The greatest logarithm: half the address space. */
#define HY_ALIGN_LOG2_MAX ((uint8_t)(sizeof(size_t) * 8 - 1))

/* The alignment of 2^log2 bytes. log2: at most HY_ALIGN_LOG2_MAX, else misuse. O(1). */
HY_INLINE hy_align hy_align_from_log2(unsigned log2) {
    HY_REQUIRE(
        log2 <= HY_ALIGN_LOG2_MAX, "hy_align_from_log2", log2, "at most 63 (31 where size_t is 32-bit)");
    hy_align align;
    align.log2 = (uint8_t)log2;
    return align;
}

/* Any address. */
#define HY_ALIGN_1 hy_align_from_log2(0)
/* Two bytes: a uint16_t's. */
#define HY_ALIGN_2 hy_align_from_log2(1)
/* Four bytes: a uint32_t's. */
#define HY_ALIGN_4 hy_align_from_log2(2)
/* Eight bytes: a uint64_t's, a pointer's. */
#define HY_ALIGN_8 hy_align_from_log2(3)
/* Sixteen bytes: an SSE or NEON vector's. */
#define HY_ALIGN_16 hy_align_from_log2(4)
/* 32 bytes: an AVX vector's. */
#define HY_ALIGN_32 hy_align_from_log2(5)
/* 64 bytes: an AVX-512 vector's, a cache line's. */
#define HY_ALIGN_64 hy_align_from_log2(6)
/* 128 bytes: the two cache lines that some processors fetch at once. */
#define HY_ALIGN_128 hy_align_from_log2(7)
/* 4 KiB: the smallest page of most systems. */
#define HY_ALIGN_4096 hy_align_from_log2(12)
/* What malloc gives: enough for any scalar type. */
#define HY_ALIGN_MAX_SCALAR hy_align_of(max_align_t)
/* The alignment of a cache line, for what two threads write. */
#define HY_ALIGN_CACHE_LINE HY_ALIGN_64

/* The natural alignment of type T. A macro because it takes a type. */
#define hy_align_of(T) hy_align_from_log2((unsigned)__builtin_ctzll((unsigned long long)HY_ALIGNOF(T)))

/* Whether exactly one bit is set. O(1). */
HY_INLINE bool hy_is_power_of_two(size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* The alignment of `bytes` bytes. bytes: a power of two, else misuse (a checked crash). O(1). */
HY_INLINE hy_align hy_align_from_bytes(size_t bytes) {
    HY_REQUIRE(hy_is_power_of_two(bytes), "hy_align_from_bytes", bytes, "a power of two");
    return hy_align_from_log2((unsigned)__builtin_ctzll((unsigned long long)bytes));
}

/* Writes the alignment of `bytes` bytes to *out and returns true; false, with *out unchanged,
 * where bytes is no power of two. For values that come from outside. O(1). */
HY_INLINE bool hy_align_try(size_t bytes, hy_align *out) {
    if (!hy_is_power_of_two(bytes)) return false;
    *out = hy_align_from_log2((unsigned)__builtin_ctzll((unsigned long long)bytes));
    return true;
}

/* The alignment in bytes: 1 to 2^63. O(1). */
HY_INLINE size_t hy_align_bytes(hy_align align) {
    return (size_t)1 << align.log2;
}

/* -1, 0 or 1 as `left` is weaker than, equal to or stronger than `right`. O(1). */
HY_INLINE int hy_align_compare(hy_align left, hy_align right) {
    return (left.log2 > right.log2) - (left.log2 < right.log2);
}

/* The stronger of the two. O(1). */
HY_INLINE hy_align hy_align_max(hy_align left, hy_align right) {
    return left.log2 > right.log2 ? left : right;
}

/* The smallest multiple of the alignment that is not below `value`, or 0 where that would pass
 * SIZE_MAX and value is not 0: use hy_align_forward_checked where value comes from outside. O(1). */
HY_INLINE size_t hy_align_forward(size_t value, hy_align align) {
    size_t mask = hy_align_bytes(align) - 1;
    return (value + mask) & ~mask;
}

/* Rounds up like hy_align_forward; false, with *out unchanged, where the result would pass
 * SIZE_MAX. O(1). */
HY_INLINE bool hy_align_forward_checked(size_t value, hy_align align, size_t *out) {
    size_t mask = hy_align_bytes(align) - 1;
    size_t sum;
    if (HY_ADD_OVERFLOWS(value, mask, &sum)) return false;
    *out = sum & ~mask;
    return true;
}

/* The greatest multiple of the alignment that is not above `value`. O(1). */
HY_INLINE size_t hy_align_backward(size_t value, hy_align align) {
    return value & ~(hy_align_bytes(align) - 1);
}

/* Whether `value` is a multiple of the alignment. O(1). */
HY_INLINE bool hy_align_check(size_t value, hy_align align) {
    return (value & (hy_align_bytes(align) - 1)) == 0;
}

/* Whether the address is a multiple of the alignment. O(1). */
HY_INLINE bool hy_align_check_pointer(const void *pointer, hy_align align) {
    return hy_align_check((size_t)(uintptr_t)pointer, align);
}

HY_END_DECLS

#endif
