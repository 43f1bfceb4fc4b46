/* threads_main.c: real threads share an instance of each row for threads, for ThreadSanitizer and the
 * processor.
 *
 *   heapyard-threads [--row=R] [--seconds=N] [--seed=S] [--threads=N]
 *   heapyard-threads --list
 *
 * The scheduler (schedule.h) tries orders of steps, and judges what orders accesses that clang announces;
 * here all of that is the processor's, and ThreadSanitizer judges it (preset tsan). Threads allocate, resize,
 * free and hand blocks over in a table that all exchange blocks with, end and are followed by others; blocks
 * know their bytes. The seconds are shared by the rows. Exit: 0 good, 2 usage, 5 nothing ran; a finding
 * aborts (finding.h), ThreadSanitizer exits with 66.
 */
#include "allocators/core/random.h"
#include "allocators/registry.h"
#include "fuzz/finding.h"
#include "fuzz/interpreter.h"
#include <heapyard/typed.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GOOD = 0, USAGE = 2, NOTHING = 5 };

#define THREAD_MAX 16
#define PLACES 64
#define STEPS_OF_A_THREAD 400 /* then another one follows */

/* Written at the beginning of each block, which may have any alignment; the last byte repeats the size's. */
typedef struct __attribute__((packed)) header {
    uint64_t size;
    uint64_t align_log2;
} header;

static struct {
    const char *row;
    double seconds;
    uint64_t seed;
    unsigned threads;
    hy_instance instance;
    double until;
    bool lists; /* prints the rows for threads, and runs none */
    _Atomic(header *) places[PLACES];
    _Atomic uint64_t steps;
    _Atomic uint64_t followers;
} work = {.seconds = 2, .seed = 1, .threads = 4};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static hy_align align_of(const header *block) {
    return hy_align_from_log2((unsigned)block->align_log2);
}

static header *written(header *block, size_t size, hy_align align) {
    *block = (header){size, align.log2};
    if (size > sizeof *block) ((uint8_t *)block)[size - 1] = (uint8_t)size;
    return block;
}

static void check(const header *block) {
    bool is_small = block->size == sizeof *block;
    if (!is_small && ((const uint8_t *)block)[block->size - 1] != (uint8_t)block->size)
        hy_finding("contents", "a block at %p has lost what was written there", (const void *)block);
}

static size_t size_from(uint64_t random) {
    size_t most = random % 16 ? 200 : 8192;
    return sizeof(header) + (random >> 8) % most;
}

static header *allocate(uint64_t random) {
    size_t size = size_from(random);
    hy_align align = hy_align_from_log2(random >> 40 & 7 ? 3 : (unsigned)(random >> 44 & 7));
    if (align.log2 > work.instance.row->greatest_align.log2) align = work.instance.row->greatest_align;
    header *block = hy_alloc(work.instance.allocator, size, align);
    return block ? written(block, size, align) : NULL;
}

static void end_block(header *block) {
    if (!block) return;
    check(block);
    hy_free(work.instance.allocator, block, (size_t)block->size, align_of(block));
}

static header *changed(header *block, uint64_t random) {
    size_t size = size_from(random >> 4), old_size = (size_t)block->size;
    hy_align align = align_of(block);
    hy_allocator allocator = work.instance.allocator;
    check(block);
    if (random & 1) {
        header *moved = hy_realloc(allocator, block, old_size, size, align);
        return moved ? written(moved, size, align) : block;
    }
    return hy_resize(allocator, block, old_size, size, align) ? written(block, size, align) : block;
}

/* A block of its own, or none, into a place; what lay there is the thread's. */
static void step(uint64_t random) {
    header *mine = random & 3 ? allocate(random >> 2) : NULL;
    header *got = atomic_exchange_explicit(&work.places[random >> 56 & 63], mine, memory_order_acq_rel);
    if (got && (random >> 2 & 3) == 0) got = changed(got, random >> 5);
    end_block(got);
}

static void *live(void *argument) {
    uint64_t random = work.seed * 1000003 + atomic_fetch_add(&work.followers, 1);
    for (int i = 0; i < STEPS_OF_A_THREAD; i++)
        step(hy_random_next(&random));
    atomic_fetch_add_explicit(&work.steps, STEPS_OF_A_THREAD, memory_order_relaxed);
    return argument;
}

/* One thread of the machine's after the other in the same place. */
static void *follow(void *argument) {
    pthread_t thread;
    while (now() < work.until) {
        if (pthread_create(&thread, NULL, live, NULL) != 0) break;
        pthread_join(thread, NULL);
    }
    return argument;
}

static void judge(const hy_row *row) {
    hy_stats stats;
    hy_traits frees = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE;
    if (row->check && !row->check(work.instance.state)) hy_finding("structure", "the row's own check fails");
    bool counts = (row->traits & frees) == frees && hy_instance_stats(&work.instance, &stats);
    if (counts && stats.used_bytes != 0 && stats.used_bytes != SIZE_MAX)
        hy_finding("account", "%zu bytes are said to be used, nothing is live", stats.used_bytes);
}

static void run_row(const hy_row *row, double seconds) {
    pthread_t threads[THREAD_MAX];
    unsigned begun = 0;
    if (!hy_instance_make(&work.instance, row, NULL)) return;
    hy_fuzz_place_now = (hy_fuzz_place){row->name, "threads", 0};
    work.until = now() + seconds;
    while (begun < work.threads && pthread_create(&threads[begun], NULL, follow, NULL) == 0)
        begun++;
    for (unsigned i = 0; i < begun; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < PLACES; i++)
        end_block(atomic_exchange(&work.places[i], NULL));
    judge(row);
    hy_instance_destroy(&work.instance);
}

static bool takes(const hy_row *row) {
    return hy_interpreter_takes(row) && row->traits & HY_TRAIT_THREAD_SAFE && !(row->traits & HY_TRAIT_PEER);
}

static bool parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *value = equals ? equals + 1 : "";
        if (strncmp(argv[i], "--row=", 6) == 0)
            work.row = value;
        else if (strncmp(argv[i], "--seconds=", 10) == 0)
            work.seconds = strtod(value, NULL);
        else if (strncmp(argv[i], "--seed=", 7) == 0)
            work.seed = strtoull(value, NULL, 10);
        else if (strncmp(argv[i], "--threads=", 10) == 0)
            work.threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--list") == 0)
            work.lists = true;
        else {
            fprintf(stderr,
                "heapyard-threads: no option %s; there are --row --seconds --seed --threads --list\n",
                argv[i]);
            return false;
        }
    }
    if (work.threads >= 1 && work.threads <= THREAD_MAX && work.seconds > 0) return true;
    fprintf(stderr, "heapyard-threads: 1 to %d threads, and more than 0 seconds\n", THREAD_MAX);
    return false;
}

static bool is_chosen(const hy_row *row) {
    return takes(row) && (!work.row || strcmp(row->name, work.row) == 0);
}

int main(int argc, char **argv) {
    if (!parse(argc, argv)) return USAGE;
    size_t count, chosen = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        chosen += is_chosen(rows[i]);
        if (work.lists && is_chosen(rows[i])) printf("%s\n", rows[i]->name);
    }
    if (work.lists) return GOOD;
    if (chosen == 0) {
        fprintf(stderr, "heapyard-threads: %s is no row for threads\n", work.row ? work.row : "nothing");
        return work.row ? USAGE : NOTHING;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_chosen(rows[i])) run_row(rows[i], work.seconds / (double)chosen);
    }
    printf("rows %zu, operations %ju\n", chosen, (uintmax_t)work.steps);
    return work.steps ? GOOD : NOTHING;
}
