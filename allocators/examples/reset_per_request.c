/* reset_per_request.c: what each mode of an arena's reset keeps.
 *
 * A request that is much larger than the others makes the arena grow. The caller decides how much of that
 * memory a reset keeps: all of it, at most a limit, or none. In a steady state a reset that keeps memory is
 * O(1) and does not call the child.
 *
 *   $ reset_per_request
 *   mode              kept after a large request    calls of malloc in 1000 small ones
 *   free all          0 KiB                         1000
 *   retain            all of it                     0
 *   retain 64 KiB     64 KiB                        0
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

static bool serve(hy_allocator arena, size_t blocks) {
    for (size_t i = 0; i < blocks; i++) {
        if (!hy_alloc_n(arena, char, 100)) return false;
    }
    return true;
}

/* A large request, then a thousand small ones; prints one line of the table. */
static bool try_mode(const char *label, hy_arena_reset_mode mode, size_t limit) {
    hy_counting below = HY_COUNTING_INIT(hy_raw_libc());
    hy_arena arena = HY_ARENA_INIT(hy_counting_allocator(&below));
    hy_allocator request = hy_arena_allocator(&arena);
    bool served = serve(request, 10000);
    size_t large = hy_arena_capacity(&arena);
    hy_arena_reset(&arena, mode, limit);
    size_t kept = hy_arena_capacity(&arena);

    uint64_t before = below.counts.alloc_count;
    for (int i = 0; i < 1000 && served; i++) {
        served = serve(request, 4);
        hy_arena_reset(&arena, mode, limit);
    }
    char words[32] = "all of it";
    if (kept != large) snprintf(words, sizeof words, "%zu KiB", kept >> 10);
    printf("%-17s %-29s %d\n", label, words, (int)(below.counts.alloc_count - before));
    hy_arena_deinit(&arena);
    return served;
}

int main(void) {
    printf("%-17s %-29s %s\n", "mode", "kept after a large request", "calls of malloc in 1000 small ones");
    bool served = try_mode("free all", HY_ARENA_FREE_ALL, 0);
    served &= try_mode("retain", HY_ARENA_RETAIN_CAPACITY, 0);
    served &= try_mode("retain 64 KiB", HY_ARENA_RETAIN_WITH_LIMIT, 64 << 10);
    return served ? 0 : 1;
}
