/* checks.c: one check for each guarantee of the contract, and the table that names them.
 *
 * A check allocates through c->blocks, so that one function, hy_conformance_holds, verifies contents,
 * alignment and overlap after each step.
 */
#include "allocators/conformance/check.h"
#include <heapyard/libc.h>
#include <heapyard/sweep.h>
#include <heapyard/typed.h>
#include <pthread.h>

/* The at-th of a sequence of sizes, mostly small ones, at most the greatest that the row must serve. */
static size_t some_size(const hy_conformance *c, size_t at) {
    static const size_t sizes[] = {1, 8, 24, 16, 100, 33, 7, 256, 64, 1000, 40, 3, 4096, 129, 500, 15};
    size_t size = sizes[at % (sizeof sizes / sizeof sizes[0])];
    return size < c->max_size ? size : c->max_size;
}

static hy_align some_align(const hy_conformance *c, size_t at) {
    static const uint8_t log2s[] = {3, 0, 4, 3, 6, 1, 4, 2};
    uint8_t log2 = log2s[at % sizeof log2s];
    return (hy_align){log2 < c->max_align_log2 ? log2 : c->max_align_log2};
}

static bool fill_some(hy_conformance *c, size_t count) {
    for (size_t i = 0; i < count; i++) {
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, some_size(c, i), some_align(c, i)),
            "block %zu of %zu bytes at 2^%u is refused", i, some_size(c, i), some_align(c, i).log2);
    }
    return hy_conformance_holds(c);
}

static bool zero_size(hy_conformance *c) {
    hy_allocator a = c->instance.allocator;
    for (uint8_t log2 = 0; log2 <= 20; log2++) {
        hy_align align = {log2};
        void *none = hy_alloc(a, 0, align);
        HY_EXPECT(c, none && hy_align_check_pointer(none, align), "no pointer for a block of 0 bytes at 2^%u",
            log2);
        HY_EXPECT(c, !hy_resize(a, none, 0, 8, align), "a block of no bytes grew in place");
        HY_EXPECT(c, !hy_remap(a, none, 0, 8, align), "a block of no bytes was remapped");
        hy_free(a, none, 0, align);
    }
    hy_free(a, NULL, 8, HY_ALIGN_8);
    if (c->row->traits & HY_TRAIT_REFUSES_ALL) return true;
    void *ptr = hy_alloc(a, 1, HY_ALIGN_1);
    HY_EXPECT(c, ptr, "1 byte is refused");
    HY_EXPECT(c, hy_realloc(a, ptr, 1, 0, HY_ALIGN_1) == hy_zero_size_pointer(HY_ALIGN_1),
        "realloc to 0 gives no zero-size pointer");
    return true;
}

static bool refuses_all(hy_conformance *c) {
    for (size_t size = 1; size < 100000; size *= 3) {
        HY_EXPECT(c, !hy_alloc(c->instance.allocator, size, HY_ALIGN_1), "%zu bytes are served", size);
    }
    return true;
}

static bool serves(hy_conformance *c) {
    for (size_t size = 1; size <= c->max_size; size += 1 + size / 3) {
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, size, HY_ALIGN_1), "%zu bytes are refused", size);
        if (!hy_conformance_holds(c)) return false;
        hy_blocks_free(&c->blocks, 0);
    }
    HY_EXPECT(c, hy_blocks_alloc(&c->blocks, c->max_size, HY_ALIGN_1), "%zu bytes are refused", c->max_size);
    return hy_conformance_holds(c);
}

static bool alignment(hy_conformance *c) {
    for (uint8_t log2 = 0; log2 <= c->max_align_log2; log2++) {
        for (size_t i = 0; i < 4; i++) {
            HY_EXPECT(c, hy_blocks_alloc(&c->blocks, some_size(c, i), (hy_align){log2}),
                "an alignment of 2^%u is refused", log2);
        }
        if (!hy_conformance_holds(c)) return false;
    }
    return true;
}

/* Valgrind's malloc aborts the program at alignments above 128 MiB. */
static bool valgrind_gives_up(void) {
#if HY_VALGRIND
    return hy_on_valgrind;
#else
    return false;
#endif
}

static bool alignment_above_greatest(hy_conformance *c) {
    for (unsigned log2 = c->row->greatest_align.log2 + 1u; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        HY_EXPECT(c, !hy_alloc(c->instance.allocator, 8, hy_align_from_log2(log2)),
            "an alignment of 2^%u is served", log2);
    }
    for (unsigned log2 = 50; log2 <= HY_ALIGN_LOG2_MAX && !valgrind_gives_up(); log2++) {
        HY_EXPECT(c, !hy_alloc(c->instance.allocator, 8, hy_align_from_log2(log2)),
            "an alignment of 2^%u is served", log2);
    }
    return hy_blocks_alloc(&c->blocks, 8, HY_ALIGN_1)
               ? hy_conformance_holds(c)
               : hy_conformance_fail(c, "8 bytes are refused afterwards");
}

/* No heap has half of what a size can say, but one of 32 bits. */
#define MUCH (SIZE_MAX > UINT32_MAX ? SIZE_MAX / 2 : SIZE_MAX - 65536)

static bool overflow(hy_conformance *c) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 16, SIZE_MAX - 4095,
        SIZE_MAX - 4096, SIZE_MAX - 65536, MUCH + 1, MUCH};
    static const uint8_t log2s[] = {0, 3, 4, 12};
    HY_EXPECT(c, hy_blocks_alloc(&c->blocks, c->max_size < 16 ? c->max_size : 16, HY_ALIGN_1),
        "16 bytes are refused");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof log2s; j++) {
            HY_EXPECT(c, !hy_alloc(c->instance.allocator, sizes[i], (hy_align){log2s[j]}),
                "%zu bytes are served", sizes[i]);
        }
        hy_block *block = &c->blocks.live[0];
        HY_EXPECT(c, !hy_resize(c->instance.allocator, block->ptr, block->size, sizes[i], block->align),
            "a block is resized to %zu bytes", sizes[i]);
        HY_EXPECT(c, !hy_remap(c->instance.allocator, block->ptr, block->size, sizes[i], block->align),
            "a block is remapped to %zu bytes", sizes[i]);
        HY_EXPECT(c, !hy_realloc(c->instance.allocator, block->ptr, block->size, sizes[i], block->align),
            "a block is reallocated to %zu bytes", sizes[i]);
        if (!hy_conformance_holds(c)) return false;
    }
    return fill_some(c, 4);
}

/* Frees in an order that is neither first nor last in; rows that free only the newest block ignore most. */
static bool no_overlap(hy_conformance *c) {
    if (!fill_some(c, 100)) return false;
    for (size_t i = 0; c->blocks.count > 0; i++) {
        hy_blocks_free(&c->blocks, i * 7 % c->blocks.count);
        if (i % 10 == 0 && !hy_conformance_holds(c)) return false;
        if (i % 3 == 0 && i < 60) {
            HY_EXPECT(c, hy_blocks_alloc(&c->blocks, some_size(c, i + 5), some_align(c, i + 3)),
                "a block is refused after frees");
        }
    }
    return hy_conformance_holds(c);
}

typedef bool (*size_change)(hy_blocks *blocks, size_t index, size_t new_size);

/* Grows and shrinks each of three adjacent blocks. must: a refusal is a failure. */
static bool change_sizes(hy_conformance *c, size_change change, bool must) {
    static const size_t factors[] = {2, 5, 1, 16, 3, 40, 8, 1};
    for (size_t index = 0; index < 3; index++) {
        hy_blocks_free_all(&c->blocks);
        size_t unit = c->max_size / 64 ? c->max_size / 64 : 1;
        for (uint8_t i = 0; i < 3; i++) {
            HY_EXPECT(c, hy_blocks_alloc(&c->blocks, unit, some_align(c, i)), "%zu bytes are refused", unit);
        }
        for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
            size_t size = unit * factors[i] < c->max_size ? unit * factors[i] : c->max_size;
            bool done = change(&c->blocks, index, size);
            HY_EXPECT(c, done || !must, "a change from %zu to %zu bytes is refused",
                c->blocks.live[index].size, size);
            if (!hy_conformance_holds(c)) return false;
        }
    }
    return true;
}

static bool realloc_keeps_contents(hy_conformance *c) {
    return change_sizes(c, hy_blocks_realloc, true);
}

static bool resize_keeps_contents(hy_conformance *c) {
    return change_sizes(c, hy_blocks_resize, false);
}

static bool remap_keeps_contents(hy_conformance *c) {
    return change_sizes(c, hy_blocks_remap, false);
}

static bool remap_keeps_alignment(hy_conformance *c) {
    for (uint8_t log2 = 0; log2 <= c->max_align_log2; log2++) {
        size_t size = c->max_size / 4 ? c->max_size / 4 : 1;
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, size, (hy_align){log2}), "%zu bytes at 2^%u are refused",
            size, log2);
        for (size_t step = 1; step <= 3; step++) {
            (void)hy_blocks_remap(&c->blocks, 0, size + size * step / 4);
            if (!hy_conformance_holds(c)) return false;
        }
        hy_blocks_free_all(&c->blocks);
    }
    return true;
}

/* The size is not a multiple of the page size, so that rows that allocate whole pages can grow too. */
static bool grow_in_place(hy_conformance *c) {
    size_t size = c->max_size / 4 + 1;
    HY_EXPECT(c, hy_blocks_alloc(&c->blocks, size, HY_ALIGN_8), "%zu bytes are refused", size);
    bool grew = false;
    for (size_t step = 1; step <= 3; step++)
        grew = hy_blocks_resize(&c->blocks, 0, size + step) || grew;
    HY_EXPECT(c, grew, "the newest block of %zu bytes never grows in place", size);
    return hy_conformance_holds(c);
}

static bool last_free_gives_back(hy_conformance *c) {
    if (!fill_some(c, 10)) return false;
    for (size_t i = 0; i < 50; i++) {
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, some_size(c, i), HY_ALIGN_1), "a block is refused");
        const void *first = c->blocks.live[c->blocks.count - 1].ptr;
        hy_blocks_free(&c->blocks, c->blocks.count - 1);
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, some_size(c, i), HY_ALIGN_1), "a block is refused");
        HY_EXPECT(c, c->blocks.live[c->blocks.count - 1].ptr == first,
            "the newest block's memory is not used again");
        hy_blocks_free(&c->blocks, c->blocks.count - 1);
    }
    return hy_conformance_holds(c);
}

/* Allocates much more in total than is ever live; the child's peak must not grow with it. */
static bool freed_memory_serves(hy_conformance *c) {
    enum { ROUNDS = 6000, HELD = 20 };
    size_t size = c->max_size < 2048 ? c->max_size : 2048;
    size_t peak_before = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (c->blocks.count == HELD) hy_blocks_free(&c->blocks, i * 7 % HELD);
        HY_EXPECT(c, hy_blocks_alloc(&c->blocks, size, HY_ALIGN_8),
            "block %zu is refused although only %d live", i, HELD);
        if (i == ROUNDS / 4 && c->has_child) peak_before = hy_counting_shared_counts(&c->counter).peak_bytes;
    }
    if (!hy_conformance_holds(c)) return false;
    if (!c->has_child) return true;
    size_t peak = hy_counting_shared_counts(&c->counter).peak_bytes;
    HY_EXPECT(c, peak <= peak_before + 16 * (size + 4096),
        "the child's peak went from %zu to %zu bytes with %d blocks live", peak_before, peak, HELD);
    return true;
}

static bool bulk_reset(hy_conformance *c) {
    static const hy_reset_mode modes[] = {HY_RESET_FREE_ALL, HY_RESET_RETAIN_CAPACITY,
        HY_RESET_RETAIN_WITH_LIMIT, HY_RESET_RETAIN_CAPACITY, HY_RESET_RETAIN_WITH_LIMIT, HY_RESET_FREE_ALL};
    static const size_t limits[] = {0, 0, 1 << 20, 0, 1, 0};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (!fill_some(c, 100)) return false;
        (void)hy_instance_reset(&c->instance, modes[i], limits[i]);
        hy_blocks_forget(&c->blocks);
        if (!hy_conformance_holds(c)) return false;
        hy_stats stats;
        if (!hy_instance_stats(&c->instance, &stats) || stats.used_bytes == SIZE_MAX) continue;
        HY_EXPECT(c, stats.used_bytes == 0, "%zu bytes are in use after a reset", stats.used_bytes);
    }
    return fill_some(c, 20);
}

/* tear_down then destroys the instance and verifies that the child got everything back. */
static bool destroy_with_live_blocks(hy_conformance *c) {
    if (!fill_some(c, 100)) return false;
    hy_blocks_forget(&c->blocks);
    return true;
}

/* Allocates blocks until one is refused; returns the sum of their sizes. With `newest`, each block stores
 * the address of the one before it, so that free_chain can free them. */
static size_t fill_up(hy_conformance *c, size_t size, void **newest) {
    size_t served = 0;
    void *ptr;
    while ((ptr = hy_alloc(c->instance.allocator, size, HY_ALIGN_1))) {
        if (newest) {
            memcpy(ptr, newest, sizeof *newest);
            *newest = ptr;
        }
        served += size;
    }
    return served;
}

static void free_chain(hy_conformance *c, size_t size, void *newest) {
    while (newest) {
        void *before;
        memcpy(&before, newest, sizeof before);
        hy_free(c->instance.allocator, newest, size, HY_ALIGN_1);
        newest = before;
    }
}

static bool fixed_capacity(hy_conformance *c) {
    bool resets = c->row->traits & HY_TRAIT_BULK_RESET;
    size_t size = c->max_size < 4096 ? c->max_size : 4096;
    void *newest = NULL;
    size_t served = fill_up(c, size, resets || size < sizeof newest ? NULL : &newest);
    HY_EXPECT(c, served > 0, "nothing is served");
    HY_EXPECT(c, served <= c->row->default_capacity, "%zu bytes are served of a capacity of %zu", served,
        c->row->default_capacity);
    HY_EXPECT(
        c, !c->row->check || hy_instance_check(&c->instance), "the row's own check fails when it is full");
    free_chain(c, size, newest);
    if (!resets) return true;
    (void)hy_instance_reset(&c->instance, HY_RESET_RETAIN_CAPACITY, 0);
    size_t again = fill_up(c, size, NULL);
    HY_EXPECT(c, again == served, "%zu bytes are served after a reset, %zu were before", again, served);
    (void)hy_instance_reset(&c->instance, HY_RESET_RETAIN_CAPACITY, 0);
    return true;
}

/* Fills the allocator, frees all blocks, newest first, and fills it again. */
static bool full_then_freed(hy_conformance *c) {
    size_t size = c->row->traits & HY_TRAIT_FIXED_BLOCK ? c->max_size : c->row->default_capacity / 64;
    for (int round = 0; round < 3; round++) {
        void *blocks[65];
        size_t count = 0;
        while (count < 65 && (blocks[count] = hy_alloc(c->instance.allocator, size, HY_ALIGN_1)))
            count++;
        HY_EXPECT(c, count >= 32, "only %zu blocks of %zu bytes fit in round %d", count, size, round);
        while (count > 0)
            hy_free(c->instance.allocator, blocks[--count], size, HY_ALIGN_1);
        if (!hy_conformance_holds(c)) return false;
    }
    return true;
}

static bool fixed_block(hy_conformance *c) {
    size_t size = c->row->default_block_size;
    HY_EXPECT(c, hy_blocks_alloc(&c->blocks, size, HY_ALIGN_1), "its own block size of %zu is refused", size);
    HY_EXPECT(c, hy_blocks_alloc(&c->blocks, 1, HY_ALIGN_1), "1 byte is refused");
    HY_EXPECT(c, !hy_alloc(c->instance.allocator, size * 16 + 1, HY_ALIGN_1),
        "%zu bytes are served in blocks of %zu", size * 16 + 1, size);
    return hy_conformance_holds(c);
}

typedef struct worker {
    hy_conformance *c;
    pthread_t thread;
    hy_blocks blocks;
    const char *wrong;
} worker;

enum { WORKERS = 4, WORKER_ROUNDS = 800, WORKER_HELD = 12 };

static const char *work_once(worker *w, size_t i) {
    if (w->blocks.count == WORKER_HELD) hy_blocks_free(&w->blocks, i * 5 % WORKER_HELD);
    if (!hy_blocks_alloc(&w->blocks, some_size(w->c, i), some_align(w->c, i))) return "a block is refused";
    if (i % 4 == 0) (void)hy_blocks_realloc(&w->blocks, w->blocks.count - 1, some_size(w->c, i + 9));
    return i % 16 == 0 ? hy_blocks_check(&w->blocks) : NULL;
}

static void *work(void *argument) {
    worker *w = argument;
    size_t rounds = w->c->row->traits & HY_TRAIT_FIXED_CAPACITY ? WORKER_ROUNDS / 8 : WORKER_ROUNDS;
    for (size_t i = 0; i < rounds && !w->wrong; i++)
        w->wrong = work_once(w, i);
    if (!w->wrong) w->wrong = hy_blocks_check(&w->blocks);
    return NULL;
}

/* Runs the threads; their blocks are then freed by this thread, which did not allocate them. */
static bool run_workers(hy_conformance *c, worker *workers) {
    size_t started = 0;
    for (; started < WORKERS; started++) {
        worker *w = &workers[started];
        w->c = c;
        w->wrong = NULL;
        hy_blocks_init(&w->blocks, c->instance.allocator);
        if (pthread_create(&w->thread, NULL, work, w) != 0) break;
    }
    const char *wrong = started == WORKERS ? NULL : "a thread can't be started";
    for (size_t i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        if (workers[i].wrong) wrong = workers[i].wrong;
    }
    for (size_t i = 0; i < started; i++)
        hy_blocks_free_all(&workers[i].blocks);
    return wrong ? hy_conformance_fail(c, "with %d threads: %s", WORKERS, wrong) : hy_conformance_holds(c);
}

static bool threads(hy_conformance *c) {
    worker *workers = hy_alloc_n(hy_libc(), worker, WORKERS);
    HY_EXPECT(c, workers, "no memory for the check itself");
    bool holds = run_workers(c, workers);
    hy_free_n(hy_libc(), workers, WORKERS);
    return holds;
}

static size_t live_bytes(const hy_blocks *blocks) {
    size_t bytes = 0;
    for (size_t i = 0; i < blocks->count; i++)
        bytes += blocks->live[i].size;
    return bytes;
}

static bool stats_agree(hy_conformance *c) {
    hy_stats stats;
    if (!c->row->stats) return true;
    HY_EXPECT(c, hy_instance_stats(&c->instance, &stats), "stats are refused");
    size_t live = live_bytes(&c->blocks);
    HY_EXPECT(c, stats.used_bytes >= live, "used_bytes is %zu with %zu bytes live", stats.used_bytes, live);
    HY_EXPECT(c, stats.capacity_bytes >= stats.used_bytes || stats.used_bytes == SIZE_MAX,
        "used_bytes %zu pass capacity_bytes %zu", stats.used_bytes, stats.capacity_bytes);
    HY_EXPECT(c, stats.high_water_bytes >= stats.used_bytes || stats.used_bytes == SIZE_MAX,
        "used_bytes %zu pass high_water_bytes %zu", stats.used_bytes, stats.high_water_bytes);
    return true;
}

static bool owns_agrees(hy_conformance *c) {
    if (!c->row->owns) return true;
    int elsewhere = 0;
    HY_EXPECT(c, !c->row->owns(c->instance.state, &elsewhere), "it owns a variable of its caller");
    for (size_t i = 0; i < c->blocks.count; i++) {
        HY_EXPECT(c, c->row->owns(c->instance.state, c->blocks.live[i].ptr), "it does not own a live block");
    }
    return true;
}

/* After everything was freed, used_bytes must be 0; not for rows that free only the newest block, which may
 * keep the padding between blocks. */
static bool nothing_is_used(hy_conformance *c) {
    hy_blocks_free_all(&c->blocks);
    hy_stats stats;
    if (!(c->row->traits & HY_TRAIT_FREE_ANY)) return true;
    if (!hy_instance_stats(&c->instance, &stats) || stats.used_bytes == SIZE_MAX) return true;
    HY_EXPECT(c, stats.used_bytes == 0, "%zu bytes are in use after everything was freed", stats.used_bytes);
    return true;
}

static bool accounts_agree(hy_conformance *c) {
    for (size_t i = 0; i < 200; i++) {
        if (i % 3 == 2 || c->blocks.count == 40)
            hy_blocks_free(&c->blocks, c->blocks.count - 1);
        else
            HY_EXPECT(
                c, hy_blocks_alloc(&c->blocks, some_size(c, i), some_align(c, i)), "a block is refused");
        if (i % 7 == 0) (void)hy_blocks_resize(&c->blocks, c->blocks.count - 1, some_size(c, i + 3));
        if (!hy_conformance_holds(c) || !stats_agree(c) || !owns_agrees(c)) return false;
    }
    return nothing_is_used(c);
}

typedef struct pair {
    uint32_t key;
    double value;
} pair;

static bool typed_layer(hy_conformance *c) {
    hy_allocator a = c->instance.allocator;
    if (c->max_size < 64 || c->max_align_log2 < 3) return true;
    pair *one = hy_create(a, pair);
    HY_EXPECT(c, one, "hy_create is refused");
    *one = (pair){1, 2.0};
    hy_destroy(a, one);
    uint32_t *many = hy_alloc_zeroed(a, uint32_t, 10);
    HY_EXPECT(c, many && many[0] == 0 && many[9] == 0, "hy_alloc_zeroed leaves bytes that are not zero");
    volatile size_t too_many = SIZE_MAX / 2;
    HY_EXPECT(c, !hy_alloc_n(a, uint32_t, too_many), "a count that overflows is served");
    hy_free_n(a, many, 10);
    char *text = hy_dupe_z(a, char, "hello", 5);
    HY_EXPECT(c, text && strcmp(text, "hello") == 0, "hy_dupe_z differs from its source");
    hy_free_sentinel(a, text, 5);
    int *list = hy_alloc_sentinel(a, int, 4, -1);
    HY_EXPECT(c, list && list[4] == -1, "hy_alloc_sentinel has no sentinel");
    hy_free_sentinel(a, list, 4);
    return hy_conformance_holds(c);
}

/* The argument of make_and_use. */
typedef struct sweep_state {
    hy_conformance *c;
    const char *wrong; /* the failure of contents or structure in any run, or NULL */
} sweep_state;

/* Uses the instance; after refused steps the blocks are verified, so that a refusal that changed something
 * is detected. */
static hy_error use_once(hy_conformance *c, hy_instance *instance, hy_blocks *blocks, const char **wrong) {
    hy_error result = HY_OK;
    for (size_t i = 0; i < 24; i++) {
        if (!hy_blocks_alloc(blocks, some_size(c, i), some_align(c, i))) result = HY_OUT_OF_MEMORY;
        if (blocks->count && !hy_blocks_realloc(blocks, i % blocks->count, some_size(c, i + 4)))
            result = HY_OUT_OF_MEMORY;
        if (i % 5 == 4 && blocks->count) hy_blocks_free(blocks, i % blocks->count);
        const char *found = hy_blocks_check(blocks);
        if (!found && c->row->check && !hy_instance_check(instance))
            found = "the row's own check of its structure fails";
        if (found) *wrong = found;
    }
    return result;
}

/* The sweep runs this with each allocation of `gpa` refused: makes an instance over it, uses and destroys
 * it. */
static hy_error make_and_use(hy_allocator gpa, void *argument) {
    sweep_state *s = argument;
    hy_conformance *c = s->c;
    hy_config config = {.child = gpa};
    hy_instance instance;
    if (!hy_instance_make(&instance, c->row, &config)) return HY_OUT_OF_MEMORY;
    hy_blocks *blocks = hy_create(hy_libc(), hy_blocks);
    if (!blocks) {
        hy_instance_destroy(&instance);
        return HY_INVALID;
    }
    hy_blocks_init(blocks, instance.allocator);
    hy_error result = use_once(c, &instance, blocks, &s->wrong);
    hy_blocks_free_all(blocks);
    hy_destroy(hy_libc(), blocks);
    hy_instance_destroy(&instance);
    return result;
}

/* An allocator may recover from its child's refusal (by a smaller chunk), so HY_SWEEP_SWALLOWED is not a
 * fault where every request was served; all other findings of the sweep are. */
static bool child_refuses(hy_conformance *c) {
    sweep_state s = {c, NULL};
    hy_sweep_report report;
    hy_sweep_result result = hy_check_all_allocation_failures(make_and_use, c->child.allocator, &s, &report);
    HY_EXPECT(c, !s.wrong, "after a refusal of its child: %s", s.wrong);
    if (result == HY_SWEEP_OK || (result == HY_SWEEP_SWALLOWED && report.returned == HY_OK)) return true;
    if (report.fail_index == HY_FAILING_NEVER) {
        return hy_conformance_fail(c, "when nothing is refused: %s", hy_sweep_result_string(result));
    }
    return hy_conformance_fail(c, "when allocation %ju of %ju from its child is refused: %s",
        (uintmax_t)report.fail_index + 1, (uintmax_t)report.alloc_count, hy_sweep_result_string(result));
}

#define SERVES_NOTHING HY_TRAIT_REFUSES_ALL
#define NOT_REAL (HY_TRAIT_REFUSES_ALL | HY_TRAIT_FLOOR)

static const hy_conformance_check checks[] = {
    {"zero_size", "a block of no bytes owns nothing and can be freed", 0, 0, HY_TRAIT_FLOOR, false,
        zero_size},
    {"refuses_all", "every size is refused", HY_TRAIT_REFUSES_ALL, 0, 0, false, refuses_all},
    {"serves", "every size up to the row's greatest is served", 0, 0, SERVES_NOTHING, false, serves},
    {"alignment", "every alignment up to the row's greatest is served", 0, 0, NOT_REAL, false, alignment},
    {"alignment_above_greatest", "stronger alignments are refused", 0, 0, NOT_REAL, false,
        alignment_above_greatest},
    {"overflow", "sizes near SIZE_MAX are refused and change nothing", 0, 0, NOT_REAL, false, overflow},
    {"no_overlap", "live blocks share no byte, whatever was freed", 0, 0, NOT_REAL, false, no_overlap},
    {"realloc_keeps_contents", "realloc keeps contents, alignment and neighbours", 0, 0, NOT_REAL, false,
        realloc_keeps_contents},
    {"resize_keeps_contents", "resize keeps contents and neighbours, also where it refuses", 0, 0, NOT_REAL,
        false, resize_keeps_contents},
    {"remap_keeps_contents", "remap keeps contents and neighbours, also where it refuses", 0, 0, NOT_REAL,
        false, remap_keeps_contents},
    {"remap_keeps_alignment", "a block stays aligned when it moves", 0, 0, NOT_REAL, false,
        remap_keeps_alignment},
    {"grow_in_place", "the newest block grows in place", HY_TRAIT_GROW_IN_PLACE, 0, NOT_REAL, false,
        grow_in_place},
    {"last_free_gives_back", "the newest block's memory is used again", HY_TRAIT_FREE_LAST, 0, NOT_REAL,
        false, last_free_gives_back},
    {"freed_memory_serves", "freed memory serves later requests", HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE, 0,
        NOT_REAL, false, freed_memory_serves},
    {"bulk_reset", "every block ends at a reset, and it serves again", HY_TRAIT_BULK_RESET, 0, NOT_REAL,
        false, bulk_reset},
    {"destroy_with_live_blocks", "destroy gives the child what is still live", HY_TRAIT_BULK_RESET, 0,
        NOT_REAL, false, destroy_with_live_blocks},
    {"fixed_capacity", "it serves its capacity and no more", HY_TRAIT_FIXED_CAPACITY, 0, NOT_REAL, false,
        fixed_capacity},
    {"full_then_freed", "it can be filled again after everything was freed", HY_TRAIT_FIXED_CAPACITY,
        HY_TRAIT_FREE_ANY | HY_TRAIT_FREE_LAST, NOT_REAL, false, full_then_freed},
    {"fixed_block", "blocks up to its size are served, far larger ones refused", HY_TRAIT_FIXED_BLOCK, 0,
        NOT_REAL, false, fixed_block},
    {"threads", "blocks of several threads keep their contents", HY_TRAIT_THREAD_SAFE, 0, NOT_REAL, false,
        threads},
    {"accounts_agree", "owns, stats and check agree with what is live after every step", 0, 0, NOT_REAL,
        false, accounts_agree},
    {"typed_layer", "create, zeroed, sentinel and dupe work over it", 0, 0, NOT_REAL, false, typed_layer},
    {"child_refuses", "each refusal of its child is passed on, changes nothing and leaks nothing", 0, 0,
        NOT_REAL, true, child_refuses},
};

const hy_conformance_check *hy_conformance_checks(size_t *count) {
    *count = sizeof checks / sizeof checks[0];
    return checks;
}
