/* stack_fallback.c: a buffer on the stack or in an object first, a child behind it.
 *
 * For: scratch space of a function or an object that is small nearly always: a path, a line, a list of
 *   matches. Not for: a bound that must hold (fixed_buffer), nor blocks that other threads free while this
 *   one allocates.
 * Algorithm: a fixed_buffer, and a count of its blocks that are live. An address says whose a block is:
 *
 *     buffer |live|freed|live|newest|      |        child: everything that did not fit
 *            ^base                  ^next  ^end
 *
 *   Only the newest block's memory is used again at once. When the count comes to 0 the buffer starts anew,
 *   so that one odd order of frees does not lose it for the rest of its life.
 * Cost: in the buffer a few instructions; behind it the child's cost and two comparisons.
 * Overhead per block: none but alignment.
 * Thread-safe: no; blocks of the child may be freed elsewhere, as their addresses alone are looked at.
 * Source: Zig's stackFallback; the count is ours.
 */
#include <heapyard/stack_fallback.h>

void hy_stack_fallback_init(hy_stack_fallback *fallback, void *buffer, size_t size, hy_allocator child) {
    hy_require_child(child, "hy_stack_fallback_init");
    HY_REQUIRE(buffer != NULL || size == 0, "hy_stack_fallback_init", size, "0 where there is no buffer");
    HY_REQUIRE(hy_is_addressable(buffer, size), "hy_stack_fallback_init", size,
        "the size of a buffer that lies in the address space");
    hy_fixed_buffer_init(&fallback->fixed, buffer, size);
    fallback->child = child;
    fallback->live_count = 0;
    HY_ASSERT(hy_stack_fallback_check(fallback), "a buffer that begins does not hold together");
}

void hy_stack_fallback_deinit(hy_stack_fallback *fallback) {
    hy_fixed_buffer_deinit(&fallback->fixed);
    fallback->live_count = 0;
}

/* Reports misuse unless [ptr, ptr + size) was handed out of the buffer; of one where no block lives, nothing
 * is. */
HY_INLINE void require_live(
    const hy_stack_fallback *fallback, const void *ptr, size_t size, const char *function) {
    (void)fallback, (void)ptr, (void)size, (void)function;
    HY_REQUIRE((uintptr_t)ptr <= fallback->fixed.next && size <= fallback->fixed.next - (uintptr_t)ptr,
        function, (uintptr_t)ptr, "a live block of the buffer, with its size (is it freed already?)");
}

/* What aligns a block may still need more than there is: then the child serves. */
HY_SLOT void *hy_stack_fallback_alloc_inside(hy_stack_fallback *fallback, size_t size, hy_align align) {
    void *ptr = hy_fixed_buffer_alloc(&fallback->fixed, size, align);
    if (HY_UNLIKELY(!ptr)) return fallback->child.vtable->alloc(fallback->child.self, size, align);
    fallback->live_count++;
    HY_ASSERT(hy_stack_fallback_owns(fallback, ptr), "a block of the buffer lies outside it");
    HY_ASSERT(
        fallback->live_count <= hy_stack_fallback_used(fallback), "more blocks live than bytes are used");
    return ptr;
}

bool hy_stack_fallback_resize_inside(hy_stack_fallback *fallback, void *ptr, size_t old_size, size_t new_size,
    hy_align align, const char *function) {
    require_live(fallback, ptr, old_size, function);
    return hy_fixed_buffer_resize(&fallback->fixed, ptr, old_size, new_size, align);
}

HY_SLOT void hy_stack_fallback_free_inside(
    hy_stack_fallback *fallback, void *ptr, size_t size, hy_align align) {
    require_live(fallback, ptr, size, "hy_free");
    HY_ASSERT(fallback->live_count != 0, "a block is freed where none lives");
    hy_fixed_buffer_free(&fallback->fixed, ptr, size, align);
    /* Seldom: a buffer that is freed in order is empty by now. */
    if (--fallback->live_count == 0 && HY_UNLIKELY(hy_stack_fallback_used(fallback) != 0))
        hy_fixed_buffer_reset(&fallback->fixed);
    HY_ASSERT((fallback->live_count == 0) == (hy_stack_fallback_used(fallback) == 0),
        "blocks live in an unused buffer, or none in a used one");
}

/* No block can be live in a buffer that has handed out nothing; and one whose blocks are all freed has
 * started anew. */
bool hy_stack_fallback_check(const hy_stack_fallback *fallback) {
    return hy_fixed_buffer_check(&fallback->fixed) &&
           (fallback->live_count == 0) == (hy_stack_fallback_used(fallback) == 0) &&
           fallback->live_count <= hy_stack_fallback_used(fallback);
}
