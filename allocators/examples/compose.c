/* compose.c: composing allocators, and why the order matters.
 *
 * A decorator changes one aspect of the allocator below it; a strategy takes its memory from there. So a
 * budget below an arena bounds what the arena takes, including the unused ends of its chunks; a budget above
 * it bounds the bytes that its users requested, whatever the arena takes for them.
 *
 *   $ compose
 *   budget below the arena: refused in time, 64 KiB never passed, 0 bytes left
 *   budget above the arena: 65 blocks of 1000 bytes, then refused; the arena took more than 64 KiB
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Allocates blocks of 1000 bytes until one is refused; returns their number. Nothing frees them. */
static size_t fill(hy_allocator arena) {
    size_t count = 0;
    while (count < 1000 && hy_alloc_n(arena, char, 1000))
        count++;
    return count;
}

static void budget_below(void) {
    hy_limited budget = HY_LIMITED_INIT(hy_libc(), 64 << 10);
    hy_counting count = HY_COUNTING_INIT(hy_limited_allocator(&budget));
    hy_arena arena = HY_ARENA_INIT(hy_counting_allocator(&count));
    size_t blocks = fill(hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);
    printf("budget below the arena: %s", blocks > 0 && blocks <= 65 ? "refused in time" : "not refused");
    printf(", 64 KiB %s passed", hy_limited_peak(&budget) <= 64 << 10 ? "never" : "were");
    printf(", %zu bytes left\n", count.counts.live_bytes);
}

static void budget_above(void) {
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_limited budget = HY_LIMITED_INIT(hy_arena_allocator(&arena), 64 << 10);
    size_t blocks = fill(hy_limited_allocator(&budget));
    printf("budget above the arena: %zu blocks of 1000 bytes, then refused; the arena took %s than 64 KiB\n",
        blocks, hy_arena_capacity(&arena) > 64 << 10 ? "more" : "no more");
    hy_arena_deinit(&arena);
}

int main(void) {
    budget_below();
    budget_above();
    return 0;
}
