/* null.c: refuses everything.
 *
 * For: code that must not allocate, the end of a fallback chain, a start for your own allocator.
 * Not for: anything that needs memory.
 * Algorithm: none. Cost: one call. Overhead: no bytes. Thread-safe: it has no state.
 * Source: Zig's std.mem.Allocator.failing.
 */
#include <heapyard/null.h>

void *hy_null_alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    return NULL;
}
