/* arena_over_debug.c: an arena over a debug allocator, which reports an arena that was not deinitialised.
 *
 * Blocks in the arena need no free, and the debug allocator below sees only the arena's chunks. So a block
 * that is never freed is not a leak, and an arena that is never deinitialised is one.
 *
 *   $ arena_over_debug
 *   100 blocks that nobody freed, the arena ended: 0 leaks
 *   the same, the arena forgotten: leaks, class "leak"
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Keeps the class of the last finding, instead of a report on standard error. */
static void note(void *context, const hy_debug_report *report) {
    *(const char **)context = hy_debug_class_name(report->class_of_finding);
}

/* Returns the number of blocks that are live when the debug allocator is deinitialised. */
static size_t leaks_of(bool forget, const char **found) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.hook = note;
    config.hook_context = found;
    if (hy_debug_init(&debug, hy_libc(), &config) != HY_OK) return SIZE_MAX;

    hy_arena arena = HY_ARENA_INIT(hy_debug_allocator(&debug));
    for (int i = 0; i < 100; i++) {
        if (!hy_alloc_n(hy_arena_allocator(&arena), char, 50)) return SIZE_MAX;
    }
    if (!forget) hy_arena_deinit(&arena);

    size_t leaks = 0;
    hy_error error = hy_debug_deinit(&debug, &leaks);
    return (error == HY_LEAK) == (leaks > 0) ? leaks : SIZE_MAX;
}

int main(void) {
    const char *found = "none";
    printf("100 blocks that nobody freed, the arena ended: %zu leaks\n", leaks_of(false, &found));
    size_t leaks = leaks_of(true, &found);
    printf("the same, the arena forgotten: %s, class \"%s\"\n", leaks > 0 ? "leaks" : "no leaks", found);
    return 0;
}
