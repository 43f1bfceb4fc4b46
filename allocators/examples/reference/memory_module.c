/* memory_module.c: the programs of a small language's memory module that succeed, with the same output.
 *
 * The language's buffer and arena do not reuse freed memory, and abort when they are full (exhausted.c),
 * which is an option of the constructors here. Its arena aligns a direct allocation to 8, and one through the
 * allocator interface as requested.
 *
 *   $ memory_module
 *   heap: 42
 *   buffer used: 16
 *   arena read: 7
 *   arena used: 8
 *   arena after reset: 0
 *   arena as allocator: 16
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Takes the heap as a parameter. */
static int answer(hy_allocator heap) {
    int *place = hy_create(heap, int);
    if (!place) return 0;
    *place = 42;
    int value = *place;
    hy_destroy(heap, place);
    return value;
}

/* Allocates two words of eight bytes; returns whether both were served. */
static bool two_words(hy_allocator allocator) {
    uint64_t *first = hy_create(allocator, uint64_t), *second = hy_create(allocator, uint64_t);
    return first && second;
}

static bool buffer_program(void) {
    _Alignas(8) char bytes[64];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init_options(&fixed, bytes, sizeof bytes, (hy_fixed_buffer_options){.fatal = true});
    bool served = two_words(hy_fixed_buffer_allocator(&fixed));
    printf("buffer used: %zu\n", hy_fixed_buffer_used(&fixed));
    hy_fixed_buffer_deinit(&fixed);
    return served;
}

static bool arena_program(void) {
    hy_arena arena;
    if (hy_arena_init(&arena, hy_libc(), &(hy_arena_options){.capacity = 1024, .fatal = true}) != HY_OK)
        return false;
    int *place = hy_arena_take(&arena, sizeof *place);
    *place = 7;
    printf("arena read: %d\narena used: %zu\n", *place, hy_arena_used(&arena));
    hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
    printf("arena after reset: %zu\n", hy_arena_used(&arena));
    hy_arena_deinit(&arena);
    return true;
}

static bool arena_as_allocator(void) {
    hy_arena arena;
    if (hy_arena_init(&arena, hy_libc(), &(hy_arena_options){.capacity = 64, .fatal = true}) != HY_OK)
        return false;
    bool served = two_words(hy_arena_allocator(&arena));
    printf("arena as allocator: %zu\n", hy_arena_used(&arena));
    hy_arena_deinit(&arena);
    return served;
}

int main(void) {
    printf("heap: %d\n", answer(hy_libc()));
    return buffer_program() && arena_program() && arena_as_allocator() ? 0 : 1;
}
