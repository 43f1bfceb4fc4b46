/* program.cc: the same from C++. */
#include <cstdio>
#include <heapyard/heapyard.h>

int main() {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_allocator allocator = hy_arena_allocator(&arena);
    int *numbers = hy_alloc_n(allocator, int, 10);
    if (!numbers) return 1;
    numbers[9] = 42;
    std::printf("served %d\n", numbers[9]);
    hy_arena_deinit(&arena);
    return 0;
}
