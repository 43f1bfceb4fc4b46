/* using_scopes.c: the programs of a small language's memory module, with the allocator named by the scope.
 *
 * There, `using arena { … }` makes an allocator the current one for a block, and functions that allocate take
 * no parameter for it. The programs are those of memory_module.c and debug_counters.c, with the same output,
 * and one of raw bytes.
 *
 *   $ using_scopes
 *   heap: 42
 *   buffer used: 16
 *   leaks: 1, double frees: 1, and the program goes on
 *   arena read: 7, used: 8, after reset: 0
 *   arena as allocator: 16
 *   raw bytes: 0 1 2 3, 2 behind the first: 2
 *   allocated and freed without a size: 30 bytes and 16, then 0
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Two words of eight bytes from whatever is current; whether both were served. */
static bool two_words(void) {
    uint64_t *first = hy_create(hy_ambient(), uint64_t), *second = hy_create(hy_ambient(), uint64_t);
    return first && second;
}

static int answer(void) {
    int *place = hy_create(hy_ambient(), int);
    if (!place) return 0;
    *place = 42;
    int value = *place;
    hy_destroy(hy_ambient(), place);
    return value;
}

static void buffer_program(void) {
    _Alignas(8) char bytes[64];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, bytes, sizeof bytes);
    HY_USING(hy_fixed_buffer_allocator(&fixed)) {
        if (!two_words()) break;
        printf("buffer used: %zu\n", hy_fixed_buffer_used(&fixed));
    }
    hy_fixed_buffer_deinit(&fixed);
}

static void ignore_report(void *context, const hy_debug_report *report) {
    (void)context, (void)report;
}

static void debug_program(void) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.hook = ignore_report;
    if (hy_debug_init(&debug, hy_libc(), &config) != HY_OK) return;
    HY_USING(hy_debug_allocator(&debug)) {
        int *kept = hy_create(hy_ambient(), int), *freed = hy_create(hy_ambient(), int);
        if (!kept || !freed) break;
        hy_destroy(hy_ambient(), freed);
        hy_debug_free(&debug, freed, sizeof *freed, hy_align_of(int));
        printf("leaks: %zu, double frees: %zu, and the program goes on\n", hy_debug_leaks(&debug),
            hy_debug_double_frees(&debug));
        hy_destroy(hy_ambient(), kept);
    }
    hy_debug_deinit(&debug, NULL);
}

static void arena_programs(void) {
    hy_arena arena;
    if (hy_arena_init(&arena, hy_libc(), &(hy_arena_options){.capacity = 1024}) != HY_OK) return;
    HY_USING(hy_arena_allocator(&arena)) {
        uint64_t *place = hy_create(hy_ambient(), uint64_t);
        if (!place) break;
        *place = 7;
        printf("arena read: %d, used: %zu", (int)*place, hy_arena_used(&arena));
        hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
        printf(", after reset: %zu\n", hy_arena_used(&arena));
        if (two_words()) printf("arena as allocator: %zu\n", hy_arena_used(&arena));
    }
    hy_arena_deinit(&arena);
}

static void raw_bytes(void) {
    uint8_t *bytes = hy_alloc_bytes(hy_ambient(), 4);
    if (!bytes) return;
    HY_DEFER_FREE(hy_ambient(), bytes, 4, HY_ALIGN_1);
    for (size_t i = 0; i < 4; i++)
        *(uint8_t *)hy_ptr_add_within(bytes, 4, i) = (uint8_t)i;
    const uint8_t *third = hy_ptr_add(bytes, 2);
    printf(
        "raw bytes: %d %d %d %d, 2 behind the first: %d\n", bytes[0], bytes[1], bytes[2], bytes[3], *third);
}

static void without_sizes(void) {
    hy_counting count = HY_COUNTING_INIT(hy_libc());
    HY_USING(hy_counting_allocator(&count)) {
        char *text = hy_ambient_alloc(30);
        if (!text) break;
        printf("allocated and freed without a size: 30 bytes and %zu", count.counts.live_bytes - 30);
        hy_ambient_free(text);
        printf(", then %zu\n", count.counts.live_bytes);
    }
}

int main(void) {
    printf("heap: %d\n", answer());
    buffer_program();
    debug_program();
    arena_programs();
    raw_bytes();
    without_sizes();
    return 0;
}
