/* first_allocations.c: the first programs of a guide to Zig's allocators, with the same output.
 *
 *   $ first_allocations
 *   buf: abcde
 *   point: (x=7, y=-3)
 *   zstr: hello
 *   gpa sum: 10
 *   arena msg len: 31
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

typedef struct point {
    int x, y;
} point;

/* Five bytes, one struct, one string with a terminator. */
static bool three_kinds(hy_allocator gpa) {
    char *buf = hy_alloc_n(gpa, char, 5);
    point *one = hy_create(gpa, point);
    char *zstr = hy_dupe_z(gpa, char, "hello", 5);
    bool served = buf && one && zstr;
    if (served) {
        for (int i = 0; i < 5; i++)
            buf[i] = (char)('a' + i);
        *one = (point){.x = 7, .y = -3};
        printf("buf: %.5s\npoint: (x=%d, y=%d)\nzstr: %s\n", buf, one->x, one->y, zstr);
    }
    if (zstr) hy_free_sentinel(gpa, zstr, 5);
    if (one) hy_destroy(gpa, one);
    if (buf) hy_free_n(gpa, buf, 5);
    return served;
}

static bool sum_of_four(hy_allocator gpa) {
    int *numbers = hy_alloc_n(gpa, int, 4);
    if (!numbers) return false;
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        numbers[i] = i + 1;
        sum += numbers[i];
    }
    printf("gpa sum: %d\n", sum);
    hy_free_n(gpa, numbers, 4);
    return true;
}

static bool message(hy_allocator arena) {
    static const char text[] = "everything here ends all at once";
    char *msg = hy_dupe(arena, char, text, sizeof text - 2);
    if (!msg) return false;
    printf("arena msg len: %zu\n", sizeof text - 2);
    return true;
}

int main(void) {
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    bool served = three_kinds(hy_libc()) && sum_of_four(hy_libc()) && message(hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);
    return served ? 0 : 1;
}
