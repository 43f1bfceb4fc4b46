/* growth_main.c: the module's memory grows across 64 MiB, and never past a limit: the heap's, or the memory's
 * own.
 *
 *     growth LIMIT_MIB        0: no limit but the memory's, MEMORY_BYTES
 *
 * Blocks of mixed sizes are made until one is refused, which must be near the limit; all keep their bytes;
 * then half of them are freed and made again, which must take no more memory. Another user of the memory, the
 * C library's malloc, grows it in between.
 */
#include <heapyard/wasm.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS_MAX 200000
#define OTHERS 8

static hy_wasm heap;

static struct {
    unsigned char *ptr;
    size_t size;
} blocks[BLOCKS_MAX];

static void *others[OTHERS];

static size_t memory_bytes(void) {
    return __builtin_wasm_memory_size(0) * HY_WASM_PAGE_BYTES;
}

static size_t size_of(size_t i) {
    static const size_t sizes[] = {24, 8000, 100, 64, 3000, 70000, 16, 500};
    return sizes[i % 8];
}

static void require(bool holds, const char *what) {
    if (holds) return;
    printf("growth: %s\n", what);
    exit(1);
}

static bool make(size_t i) {
    blocks[i].size = size_of(i);
    blocks[i].ptr = hy_wasm_alloc(&heap, blocks[i].size, HY_ALIGN_8);
    if (blocks[i].ptr) memset(blocks[i].ptr, (int)(i % 251), blocks[i].size);
    return blocks[i].ptr != NULL;
}

static void check_bytes(size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!blocks[i].ptr) continue;
        require(blocks[i].ptr[0] == i % 251, "a block's first byte has changed");
        require(blocks[i].ptr[blocks[i].size - 1] == i % 251, "a block's last byte has changed");
    }
    require(hy_wasm_check(&heap), "the heap does not hold together");
}

/* Makes blocks until one is refused, malloc taking some memory in between. Their number. */
static size_t make_all(void) {
    size_t made = 0;
    for (; made < BLOCKS_MAX && make(made); made++) {
        if (made % 2000 != 1999 || made / 2000 >= OTHERS) continue;
        others[made / 2000] = malloc(200000);
        require(others[made / 2000] != NULL, "malloc has no memory");
    }
    require(made < BLOCKS_MAX, "no limit was met");
    check_bytes(made);
    return made;
}

/* Half of the blocks are freed and made again. */
static void make_again(size_t made) {
    for (size_t i = 0; i < made; i += 2)
        hy_wasm_free(&heap, blocks[i].ptr, blocks[i].size, HY_ALIGN_8);
    size_t again = 0;
    for (size_t i = 0; i < made; i += 2)
        again += make(i);
    printf("of %zu blocks freed, %zu were made again\n", (made + 1) / 2, again);
    require(again > made / 2 - made / 20, "what was freed does not serve again");
    check_bytes(made);
}

static void free_all(size_t made) {
    for (size_t i = 0; i < made; i++)
        if (blocks[i].ptr) hy_wasm_free(&heap, blocks[i].ptr, blocks[i].size, HY_ALIGN_8);
    for (size_t i = 0; i < OTHERS; i++)
        free(others[i]);
    require(hy_wasm_counted(&heap).used_bytes <= 16 * 1024, "more is used than empty slabs");
    require(hy_wasm_check(&heap), "the heap does not hold together at the end");
}

int main(int count, char **arguments) {
    size_t given = count > 1 ? (size_t)atoi(arguments[1]) << 20 : 0;
    hy_wasm_init(&heap, hy_wasm_linear_memory(), given ? given : SIZE_MAX);
    size_t room = MEMORY_BYTES - memory_bytes(), limit = given ? given : room;
    require(given < room, "the memory has no such limit");
    size_t made = make_all(), taken = hy_wasm_counted(&heap).taken_bytes;
    printf("%zu blocks, %zu bytes taken of %zu, the memory has grown to %zu of %zu\n", made, taken, limit,
        memory_bytes(), (size_t)MEMORY_BYTES);
    require(taken <= limit, "the limit was passed");
    require(taken > limit - limit / 16, "it was refused long before the limit");
    make_again(made);
    require(hy_wasm_counted(&heap).taken_bytes <= limit, "the limit was passed for what was there");
    free_all(made);
    return 0;
}
