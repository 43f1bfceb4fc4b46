/* heapyard/direct.h: the loops that benches run by an allocator's inline entry points instead of its vtable.
 *
 * Each is one always-inline loop that takes the entry points: handed functions that are inline themselves
 * (HY_INLINE), a compiler folds the calls away, and what is left is what a program that calls the allocator
 * by name has. A row's hy_direct_bench is two functions that each call one of these:
 *
 *   HY_INLINE void *take(void *arena, size_t size, uintptr_t *mark) { … return hy_arena_alloc(arena, …); }
 *   static uint64_t pair(void *arena, size_t size, size_t count) {
 *       return hy_direct_pair(arena, size, count, take, give);
 *   }
 */
#ifndef HEAPYARD_DIRECT_H
#define HEAPYARD_DIRECT_H

#include <heapyard/plugin.h>

HY_BEGIN_DECLS

/* One block, or NULL. *mark is a word that the block's end is given back, for allocators that go back to a
 * place instead of freeing a block; others leave it alone. */
typedef void *(*hy_direct_take)(void *instance, size_t size, uintptr_t *mark);
/* Ends the block that was taken last. */
typedef void (*hy_direct_give)(void *instance, void *ptr, size_t size, uintptr_t mark);
/* Ends every block. */
typedef void (*hy_direct_end)(void *instance);

/* `count` pairs of a block and its end. Returns how many were served before one was refused. */
HY_INLINE uint64_t hy_direct_pair(
    void *instance, size_t size, size_t count, hy_direct_take take, hy_direct_give give) {
    for (size_t i = 0; i < count; i++) {
        uintptr_t mark = 0;
        size_t *ptr = (size_t *)take(instance, size, &mark);
        if (!ptr) return i;
        *ptr = i;
        hy_opaque(ptr);
        give(instance, ptr, size, mark);
        hy_opaque(instance);
    }
    return count;
}

/* `count` requests of `window` blocks each, ended at once. Returns how many blocks were served before one was
 * refused. */
HY_INLINE uint64_t hy_direct_request(void *instance, const uint32_t *sizes, size_t window, size_t count,
    hy_direct_take take, hy_direct_end end) {
    for (size_t i = 0; i < count; i++) {
        for (size_t block = 0; block < window; block++) {
            uintptr_t mark;
            size_t *ptr = (size_t *)take(instance, sizes[block], &mark);
            if (!ptr) return i * window + block;
            *ptr = block;
            hy_opaque(ptr);
        }
        end(instance);
        hy_opaque(instance);
    }
    return count * window;
}

HY_END_DECLS

#endif
