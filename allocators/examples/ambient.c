/* ambient.c: code that has no allocator in its signature, served from three in turn.
 *
 *   $ ambient
 *   outside: 3 words on the heap
 *   in the request: 3 words in the arena, 3 blocks
 *   in the scratch buffer: 2 words, then out of memory
 *   back in the request: 6 blocks
 *   outside again: 3 words on the heap
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Keeps copies of the words; how many fit. */
static int keep(const char *const *words, char **kept) {
    for (int i = 0; i < 3; i++) {
        kept[i] = hy_ambient_alloc(strlen(words[i]) + 1);
        if (!kept[i]) return i;
        memcpy(kept[i], words[i], strlen(words[i]) + 1);
    }
    return 3;
}

static const char *const words[] = {"one", "two", "three"};

static void serve_request(hy_counting *request) {
    char *kept[3];
    static char buffer[56];
    hy_fixed_buffer scratch;
    hy_fixed_buffer_init(&scratch, buffer, sizeof buffer);
    HY_USING(hy_counting_allocator(request)) {
        printf("in the request: %d words in the arena, ", keep(words, kept));
        printf("%d blocks\n", (int)request->counts.alloc_count);
        HY_USING(hy_fixed_buffer_allocator(&scratch)) {
            printf("in the scratch buffer: %d words, then out of memory\n", keep(words, kept));
        }
        keep(words, kept);
        printf("back in the request: %d blocks\n", (int)request->counts.alloc_count);
    }
}

static void outside(const char *when) {
    char *kept[3];
    int count = keep(words, kept);
    printf("%s: %d words on the heap\n", when, count);
    while (count-- > 0)
        hy_ambient_free(kept[count]);
}

int main(void) {
    outside("outside");
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_counting request = HY_COUNTING_INIT(hy_arena_allocator(&arena));
    serve_request(&request);
    hy_arena_deinit(&arena);
    outside("outside again");
    return 0;
}
