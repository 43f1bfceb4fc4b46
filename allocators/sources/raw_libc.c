/* raw_libc.c: malloc and free as they are.
 *
 * For: the child of an arena or a pool; code that never aligns beyond max_align_t.
 * Not for: cache-line or page alignment, which it refuses.
 * Algorithm: the C library's. Cost: one call of malloc or free. Overhead: the C library's.
 * Thread-safe. Source: Zig's std.heap.raw_c_allocator.
 */
#include <heapyard/raw_libc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const size_t size_max = PTRDIFF_MAX;

static bool malloc_aligns(hy_align align) {
    return hy_align_bytes(align) <= _Alignof(max_align_t);
}

#if HY_CHECK >= 1
static HY_COLD void tell_once(hy_align align) {
    static atomic_flag reported = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&reported)) return;
    fprintf(stderr, "heapyard: raw_libc: refused an alignment of 2^%d: malloc aligns to %zu; use hy_libc()\n",
        (int)align.log2, _Alignof(max_align_t));
}
#else
static void tell_once(hy_align align) {
    (void)align;
}
#endif

void *hy_raw_libc_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(malloc_aligns(align))) return malloc(size);
    tell_once(align);
    return NULL;
}

void *hy_raw_libc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)old_size, (void)align;
    return new_size <= size_max ? realloc(ptr, new_size) : NULL;
}

void hy_raw_libc_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    free(ptr);
}
