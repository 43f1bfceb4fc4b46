/* game_loop.c: an arena for each frame, and one for each level.
 *
 * The arenas' lifetimes follow the program's structure. The frame's is reset sixty times a second and keeps
 * its memory; the level's is reset when the next level begins, and keeps at most 1 MiB, so that one large
 * level does not occupy memory forever. Nothing is freed individually, and nothing can leak.
 *
 *   $ game_loop
 *   level 1: 120 frames, 2991 sparks
 *   level 2: 120 frames, 2991 sparks
 *   calls of malloc in the last 100 frames of a level: 0
 *   the level's arena keeps at most 1 MiB: yes
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct spark {
    struct spark *next;
    float x, y, energy;
} spark;

/* Allocates the level's map. */
static bool load_level(hy_allocator level, size_t tiles) {
    return hy_alloc_zeroed(level, uint32_t, tiles) != NULL;
}

/* Makes a list of sparks, which is freed with the frame; returns its length. */
static size_t draw_frame(hy_allocator frame, size_t number) {
    spark *list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < number % 50 + 1; i++) {
        spark *made = hy_create(frame, spark);
        if (!made) break;
        *made = (spark){list, 0.0F, 0.0F, 1.0F};
        list = made;
    }
    for (; list; list = list->next)
        count++;
    return count;
}

/* Plays 120 frames; returns the number of calls of malloc in the last 100. */
static uint64_t play(hy_arena *frame, const hy_counting *below, int number) {
    size_t sparks = 0;
    uint64_t calls = 0;
    for (size_t i = 0; i < 120; i++) {
        if (i == 20) calls = below->counts.alloc_count;
        hy_arena_reset(frame, HY_ARENA_RETAIN_CAPACITY, 0);
        sparks += draw_frame(hy_arena_allocator(frame), 20 + i % 9);
    }
    printf("level %d: 120 frames, %zu sparks\n", number, sparks);
    return below->counts.alloc_count - calls;
}

int main(void) {
    hy_counting below = HY_COUNTING_INIT(hy_raw_libc());
    hy_arena level = HY_ARENA_INIT(hy_counting_allocator(&below));
    hy_arena frame = HY_ARENA_INIT(hy_counting_allocator(&below));
    uint64_t calls = 0;
    for (int number = 1; number <= 2; number++) {
        hy_arena_reset(&level, HY_ARENA_RETAIN_WITH_LIMIT, 1 << 20);
        if (!load_level(hy_arena_allocator(&level), 1000000)) return 1;
        calls = play(&frame, &below, number);
    }
    printf("calls of malloc in the last 100 frames of a level: %d\n", (int)calls);
    hy_arena_reset(&level, HY_ARENA_RETAIN_WITH_LIMIT, 1 << 20);
    printf(
        "the level's arena keeps at most 1 MiB: %s\n", hy_arena_capacity(&level) <= 1 << 20 ? "yes" : "no");
    hy_arena_deinit(&frame);
    hy_arena_deinit(&level);
    return 0;
}
