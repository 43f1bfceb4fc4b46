/* speed_main.c: this allocator, the C library's malloc and a plain bump, by the same workloads in one run.
 *
 *     speed [ROUNDS]
 *
 * Prints a CSV line for each workload, allocator and round: nanoseconds an operation, and the bytes by which
 * the memory has grown. A round is short, and the order of the allocators turns with the rounds, so that what
 * disturbs the machine disturbs all of them, and none is always the first.
 * Each workload sums what it reads, and all must give the same sum.
 */
#include <heapyard/wasm.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct subject {
    const char *name;
    bool frees;
    void (*begin)(void);
    void *(*alloc)(size_t size);
    void (*give)(void *ptr, size_t size);
} subject;

/* ---- subjects ---- */

static hy_wasm heap;

static void wasm_begin(void) {
    if (!heap.memory.grow) hy_wasm_init(&heap, hy_wasm_linear_memory(), SIZE_MAX);
}

static void *wasm_alloc(size_t size) {
    return hy_wasm_alloc(&heap, size, HY_ALIGN_8);
}

static void wasm_give(void *ptr, size_t size) {
    hy_wasm_free(&heap, ptr, size, HY_ALIGN_8);
}

static void malloc_begin(void) {}

static void *malloc_alloc(size_t size) {
    return malloc(size);
}

static void malloc_give(void *ptr, size_t size) {
    (void)size;
    free(ptr);
}

/* One piece of memory, from its beginning each time. */
#define BUMP_BYTES ((size_t)4 << 20)

static struct { char *begin, *next, *end; } bump;

static void bump_begin(void) {
    if (!bump.begin) {
        size_t page = __builtin_wasm_memory_grow(0, BUMP_BYTES / HY_WASM_PAGE_BYTES);
        if (page == SIZE_MAX) return;
        bump.begin = (char *)(page * HY_WASM_PAGE_BYTES);
        bump.end = bump.begin + BUMP_BYTES;
    }
    bump.next = bump.begin;
}

static void *bump_alloc(size_t size) {
    size = (size + 7) & ~(size_t)7;
    if ((size_t)(bump.end - bump.next) < size) return NULL;
    char *ptr = bump.next;
    bump.next += size;
    return ptr;
}

static void bump_give(void *ptr, size_t size) {
    (void)ptr, (void)size;
}

static const subject subjects[] = {
    {"wasm", true, wasm_begin, wasm_alloc, wasm_give},
    {"wasi_malloc", true, malloc_begin, malloc_alloc, malloc_give},
    {"bump", false, bump_begin, bump_alloc, bump_give},
};
#define SUBJECTS (sizeof subjects / sizeof *subjects)

/* ---- workloads ---- */

#define WINDOW 512

static uint32_t random_state;

static uint32_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static size_t mixed_size(void) {
    uint32_t r = next_random();
    if (r % 16 == 0) return 1024 + r / 16 % 7168;
    return 8 + r / 16 % (r % 4 == 0 ? 500 : 120);
}

static size_t same_size(void) {
    return 48;
}

static size_t large_size(void) {
    return 4096 + next_random() % 60000;
}

/* Blocks of a window are replaced at random; each is written, and read when it goes. */
static uint64_t churn(const subject *it, size_t (*size_of)(void), size_t operations) {
    static struct {
        unsigned char *ptr;
        size_t size;
    } window[WINDOW];
    uint64_t sum = 0;
    memset(window, 0, sizeof window);
    for (size_t i = 0; i < operations; i++) {
        size_t at = next_random() % WINDOW;
        if (window[at].ptr) {
            sum += window[at].ptr[window[at].size - 1];
            it->give(window[at].ptr, window[at].size);
        }
        window[at].size = size_of();
        window[at].ptr = it->alloc(window[at].size);
        if (!window[at].ptr) {
            fprintf(stderr, "speed: %s: out of memory\n", it->name);
            exit(1);
        }
        window[at].ptr[window[at].size - 1] = (unsigned char)i;
    }
    for (size_t at = 0; at < WINDOW; at++)
        if (window[at].ptr) it->give(window[at].ptr, window[at].size);
    return sum;
}

static const struct {
    const char *name;
    size_t (*size_of)(void);
    size_t operations;
    bool for_bump; /* what it never frees fits in its piece */
} workloads[] = {
    {"same_size", same_size, 8000, true},
    {"mixed_sizes", mixed_size, 5000, true},
    {"large_blocks", large_size, 2000, false},
};
#define WORKLOADS (sizeof workloads / sizeof *workloads)

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(size_t workload, const subject *it, int round, uint64_t *sum) {
    random_state = 12345;
    size_t before = __builtin_wasm_memory_size(0);
    it->begin();
    double start = now_ns();
    uint64_t got = churn(it, workloads[workload].size_of, workloads[workload].operations);
    double ns = (now_ns() - start) / (double)workloads[workload].operations;
    size_t grown = (__builtin_wasm_memory_size(0) - before) * HY_WASM_PAGE_BYTES;
    if (*sum && *sum != got) {
        fprintf(stderr, "speed: %s: another sum than the others'\n", it->name);
        exit(1);
    }
    *sum = got;
    printf("%s,%s,%d,%.2f,%zu\n", workloads[workload].name, it->name, round, ns, grown);
}

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 5;
    if (rounds < 1) {
        fprintf(stderr, "speed: ROUNDS must be above 0, not %s\n", arguments[1]);
        return 2;
    }
    printf("workload,allocator,round,ns,grown_bytes\n");
    for (size_t workload = 0; workload < WORKLOADS; workload++) {
        uint64_t sum = 0;
        for (int round = 0; round < rounds; round++) {
            for (size_t i = 0; i < SUBJECTS; i++) {
                const subject *it = &subjects[(i + (size_t)round) % SUBJECTS];
                if (it->frees || workloads[workload].for_bump) measure(workload, it, round, &sum);
            }
        }
    }
    return 0;
}
