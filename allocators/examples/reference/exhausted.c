/* exhausted.c: the programs of a small language's memory module that abort when memory is exhausted.
 *
 *   $ exhausted buffer
 *   fatal: fixed buffer exhausted
 *   [SIGABRT]
 *   $ exhausted arena
 *   fatal: arena exhausted
 *   [SIGABRT]
 */
#include <heapyard/heapyard.h>
#include <string.h>
#include <sys/resource.h>

static void fill(hy_allocator allocator) {
    while (hy_create(allocator, uint64_t)) {
    }
}

int main(int count, char **arguments) {
    const struct rlimit no_core = {0, 0};
    if (count != 2 || setrlimit(RLIMIT_CORE, &no_core) != 0) return 2;
    if (strcmp(arguments[1], "buffer") == 0) {
        _Alignas(8) char bytes[64];
        hy_fixed_buffer fixed;
        hy_fixed_buffer_init_options(&fixed, bytes, sizeof bytes, (hy_fixed_buffer_options){.fatal = true});
        fill(hy_fixed_buffer_allocator(&fixed));
    }
    hy_arena arena;
    if (hy_arena_init(&arena, hy_libc(), &(hy_arena_options){.capacity = 64, .fatal = true}) != HY_OK)
        return 1;
    fill(hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);
    return 0;
}
