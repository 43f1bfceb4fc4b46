/* five_lines.c: the least program over an arena, by whose size static_program_test.py measures what the
 * library costs those who need little of it. With -DWITH_DEBUG its misuse has a stack, since a debug
 * allocator is there.
 */
#include <heapyard/arena.h>
#include <heapyard/debug.h>
#include <heapyard/raw_libc.h>

int main(int count, char **arguments) {
    (void)arguments;
#ifdef WITH_DEBUG
    hy_debug debug;
    if (hy_debug_init(&debug, hy_raw_libc(), NULL) != HY_OK || hy_debug_deinit(&debug, NULL) != HY_OK)
        return 1;
#endif
    hy_arena arena;
    if (hy_arena_init(&arena, hy_raw_libc(), NULL) != HY_OK) return 1;
    if (!hy_alloc(hy_arena_allocator(&arena), 100, hy_align_from_bytes(count > 1 ? 3 : 8))) return 1;
    hy_arena_deinit(&arena);
    return 0;
}
