/* smp_threads_test.c: threads that share heaps, hand blocks to each other, and end. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/smp_fixture.h"

#include "allocators/core/random.h"
#include <pthread.h>
#include <stdatomic.h>

/* The tools make threads and calls many times as slow. */
#define SLOW (HY_ASAN || HY_TSAN)

/* A heap as the functions below see it: by its value, so that the process's is one as any. */
typedef struct subject {
    hy_smp_heap *heap;
    hy_allocator allocator;
} subject;

static subject subject_of(hy_smp_heap *heap) {
    return (subject){heap, heap == &hy_smp_process_heap ? hy_smp() : hy_smp_allocator(heap)};
}

/* ---- blocks that know what they are ---- */

/* A block tells its own size in its first bytes, and repeats its lowest byte in the last one. */
typedef struct block {
    size_t size;
    size_t align_log2;
} block;

static block *make_block(hy_allocator allocator, size_t size, unsigned log2) {
    block *made = hy_alloc(allocator, size, align_log2(log2));
    if (!made) abort();
    if ((uintptr_t)made & (((uintptr_t)1 << log2) - 1)) abort();
    *made = (block){size, log2};
    ((unsigned char *)made)[size - 1] = (unsigned char)size;
    return made;
}

static void check_block(const block *made) {
    const unsigned char *bytes = (const unsigned char *)made;
    if (made->size < sizeof *made ||
        (made->size > sizeof *made && bytes[made->size - 1] != (unsigned char)made->size))
        abort();
}

static void end_block(hy_allocator allocator, block *made) {
    if (!made) return;
    check_block(made);
    hy_free(allocator, made, made->size, align_log2((unsigned)made->align_log2));
}

static uint64_t below(uint64_t *random, uint64_t limit) {
    return hy_random_next(random) % limit;
}

static size_t random_size(uint64_t *random) {
    uint64_t kind = below(random, 100);
    if (kind < 80) return sizeof(block) + 1 + below(random, 500);
    if (kind < 97) return sizeof(block) + 1 + below(random, 32 * KIB);
    return sizeof(block) + 1 + below(random, 300 * KIB);
}

static block *random_block(hy_allocator allocator, uint64_t *random) {
    unsigned log2 = below(random, 10) ? 4 : (unsigned)below(random, 15);
    return make_block(allocator, random_size(random), log2);
}

/* ---- a table that all swap blocks in ---- */

#define PLACES 1024
#define THREADS 8

static struct {
    subject subject;
    _Atomic(block *) places[PLACES];
    _Atomic uint32_t seed;
    _Atomic bool is_over;
} table;

static block *grown(hy_allocator allocator, block *made, uint64_t *random) {
    size_t size = random_size(random);
    hy_align align = align_log2((unsigned)made->align_log2);
    check_block(made);
    block *moved = hy_realloc(allocator, made, made->size, size, align);
    if (!moved) abort();
    moved->size = size;
    ((unsigned char *)moved)[size - 1] = (unsigned char)size;
    return moved;
}

static void swap_once(hy_allocator allocator, uint64_t *random) {
    _Atomic(block *) *place = &table.places[below(random, PLACES)];
    block *mine = below(random, 3) ? random_block(allocator, random) : NULL;
    block *got = atomic_exchange_explicit(place, mine, memory_order_acq_rel);
    if (got && below(random, 4) == 0) got = grown(allocator, got, random);
    end_block(allocator, got);
}

static void *swap(void *rounds) {
    uint64_t random = 0x9e3779b97f4a7c15u * (atomic_fetch_add(&table.seed, 1) + 1);
    for (size_t i = 0; i < (size_t)rounds; i++) {
        swap_once(table.subject.allocator, &random);
        if (i % 4096 == 4095) (void)hy_smp_trim(table.subject.heap);
        if (i % 2048 == 2047 && !hy_smp_check(table.subject.heap)) abort();
        if (i % 512 == 511) (void)stats_of(table.subject.heap);
    }
    return NULL;
}

static void clear_table(void) {
    for (size_t i = 0; i < PLACES; i++)
        end_block(table.subject.allocator, atomic_exchange(&table.places[i], NULL));
}

static void swap_in(hy_smp_heap *heap, size_t rounds) {
    size_t before = stats_of(heap).live_blocks;
    table.subject = subject_of(heap);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, swap, (void *)rounds), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    clear_table();
    assert_true(hy_smp_check(heap));
    assert_int_equal(stats_of(heap).live_blocks, before);
}

static void threads_swap_blocks_in_a_heap(void **state) {
    swap_in(*state, SLOW ? 4000 : 20000);
}

static void threads_swap_blocks_in_the_heap_of_the_process(void **state) {
    (void)state;
    swap_in(&hy_smp_process_heap, SLOW ? 4000 : 20000);
}

/* ---- threads that end, and leave objects ---- */

#define AT_ONCE 50
#define LEFT 20

/* All of a generation live at once. */
static pthread_barrier_t generation;

typedef struct mortal {
    pthread_t thread;
    block *left[LEFT];
} mortal;

/* The same sizes in every thread, so that what a heap keeps for each has an end. */
static size_t size_of(int i) {
    return i % 10 == 0 ? 50 * KIB : sizeof(block) + 1 + (size_t)i * (size_t)i * 97 % 3000;
}

static void *live_and_leave(void *argument) {
    mortal *self = argument;
    hy_allocator allocator = table.subject.allocator;
    pthread_barrier_wait(&generation);
    for (int i = 0; i < LEFT; i++) {
        self->left[i] = make_block(allocator, size_of(i), 4);
        end_block(allocator, make_block(allocator, size_of(i + 1), 4));
    }
    pthread_barrier_wait(&generation);
    return NULL;
}

/* A generation frees what the one before it left. */
static void live_and_die(mortal *all) {
    pthread_barrier_init(&generation, NULL, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(pthread_create(&all[i].thread, NULL, live_and_leave, &all[i]), 0);
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(pthread_join(all[i].thread, NULL), 0);
    pthread_barrier_destroy(&generation);
}

static void free_left(mortal *all) {
    for (int i = 0; i < AT_ONCE; i++) {
        for (int k = 0; k < LEFT; k++)
            end_block(table.subject.allocator, all[i].left[k]);
    }
}

static void turn_over(hy_smp_heap *heap) {
    static mortal all[2][AT_ONCE];
    int generations = SLOW ? 12 : 40;
    table.subject = subject_of(heap);
    hy_smp_stats early = {0}, late;
    size_t before = stats_of(heap).live_blocks;
    for (int i = 0; i < generations; i++) {
        live_and_die(all[i % 2]);
        if (i > 0) free_left(all[(i + 1) % 2]);
        if (i == generations / 4) early = stats_of(heap);
    }
    late = stats_of(heap);
    assert_int_equal(late.live_blocks, before + (size_t)AT_ONCE * LEFT);
    assert_true(late.threads <= early.threads);
    size_t empty_magazines = HY_SMP_SHARDS * HY_SMP_EMPTY_BYTES;
    assert_true(late.metadata_bytes <= early.metadata_bytes + early.metadata_bytes / 8 + empty_magazines);
    assert_true(late.cached_bytes <= 2 * early.cached_bytes + MIB);
    assert_true(late.peak_bytes <= early.peak_bytes + early.peak_bytes / 2);
    free_left(all[(generations + 1) % 2]);
    assert_int_equal(stats_of(heap).live_blocks, before);
}

static void threads_come_and_go_in_a_heap(void **state) {
    turn_over(*state);
}

static void threads_come_and_go_in_the_heap_of_the_process(void **state) {
    (void)state;
    turn_over(&hy_smp_process_heap);
    assert_true(hy_smp_check(&hy_smp_process_heap));
}

/* Some of each size stay in its magazines. */
static void fill_cache(hy_allocator allocator) {
    for (int i = 0; i < 100; i++)
        end_block(allocator, make_block(allocator, 100 + 200 * (size_t)i, 4));
}

static size_t cached_in(hy_smp_heap *heap) {
    return stats_of(heap).cached_bytes;
}

/* A thread's cached blocks are told while it lives, and its end leaves nothing that can't be given back. */
static void *fill_cache_and_look(void *before) {
    fill_cache(hy_smp());
    assert_true(cached_in(&hy_smp_process_heap) > *(size_t *)before);
    return NULL;
}

static void what_an_ended_thread_cached_can_be_given_back(void **state) {
    (void)state;
    pthread_t thread;
    (void)hy_smp_trim(&hy_smp_process_heap);
    size_t before = cached_in(&hy_smp_process_heap);
    assert_int_equal(pthread_create(&thread, NULL, fill_cache_and_look, &before), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)hy_smp_trim(&hy_smp_process_heap);
    assert_int_equal(cached_in(&hy_smp_process_heap), before);
}

static void *fill_cache_of_heap(void *heap) {
    fill_cache(hy_smp_allocator(heap));
    assert_true(cached_in(heap) > 0);
    return NULL;
}

static void what_an_ended_thread_cached_in_a_heap_can_be_given_back(void **state) {
    hy_smp_heap *heap = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fill_cache_of_heap, heap), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)hy_smp_trim(heap);
    assert_int_equal(cached_in(heap), 0);
}

/* A heap begins wherever its first call comes from. */
static void *begin_here(void *argument) {
    hy_smp_heap *heap = argument;
    assert_int_equal(hy_smp_init(heap), HY_OK);
    end_block(hy_smp_allocator(heap), make_block(hy_smp_allocator(heap), 100, 4));
    return NULL;
}

static void a_heap_begins_on_a_small_stack(void **state) {
    (void)state;
    hy_smp_heap heap = HY_SMP_HEAP_INIT;
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 128 * KIB), 0);
    assert_int_equal(pthread_create(&thread, &attributes, begin_here, &heap), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    hy_smp_deinit(&heap);
}

/* ---- more threads than slots ---- */

#define CROWD (HY_THREAD_SLOTS + 30)

static struct {
    pthread_barrier_t all_are_here;
    block *left[CROWD];
} crowd;

static void *be_one_of_many(void *number) {
    size_t self = (size_t)number;
    uint64_t random = self + 1;
    hy_allocator allocator = table.subject.allocator;
    pthread_barrier_wait(&crowd.all_are_here);
    for (int i = 0; i < 50; i++)
        end_block(allocator, random_block(allocator, &random));
    crowd.left[self] = random_block(allocator, &random);
    pthread_barrier_wait(&crowd.all_are_here);
    end_block(allocator, crowd.left[(self + 1) % CROWD]);
    pthread_barrier_wait(&crowd.all_are_here);
    return NULL;
}

static void more_threads_than_slots_have_their_blocks_too(void **state) {
    table.subject = subject_of(*state);
    pthread_t threads[CROWD];
    pthread_barrier_init(&crowd.all_are_here, NULL, CROWD);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_one_of_many, (void *)i), 0);
    for (size_t i = 0; i < CROWD; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&crowd.all_are_here);
    assert_int_equal(stats_of(*state).live_blocks, 0);
    assert_true(stats_of(*state).threads < HY_THREAD_SLOTS);
}

/* ---- after the end of a thread's cache ---- */

static pthread_key_t late_key;

/* A key's destructor that pthread calls once more, after the heaps' own. */
static void end_late(void *argument) {
    block *made = argument;
    if (made->align_log2 != 5) {
        block *other = make_block(table.subject.allocator, 200, 5);
        end_block(table.subject.allocator, made);
        pthread_setspecific(late_key, other);
        return;
    }
    end_block(table.subject.allocator, made);
    for (int i = 0; i < 200; i++)
        end_block(table.subject.allocator, make_block(table.subject.allocator, 200, 4));
}

static void *end_with_a_block(void *argument) {
    (void)argument;
    pthread_setspecific(late_key, make_block(table.subject.allocator, 100, 4));
    return NULL;
}

static void what_runs_after_a_threads_cache_can_allocate(void **state) {
    assert_int_equal(pthread_key_create(&late_key, end_late), 0);
    hy_smp_heap *const heaps[] = {*state, &hy_smp_process_heap};
    for (int i = 0; i < 2; i++) {
        table.subject = subject_of(heaps[i]);
        size_t live = stats_of(heaps[i]).live_blocks;
        for (int k = 0; k < 20; k++) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, end_with_a_block, NULL), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
        }
        assert_int_equal(stats_of(heaps[i]).live_blocks, live);
        assert_true(hy_smp_check(heaps[i]));
    }
    pthread_key_delete(late_key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        smp_test(threads_swap_blocks_in_a_heap),
        cmocka_unit_test(threads_swap_blocks_in_the_heap_of_the_process),
        smp_test(threads_come_and_go_in_a_heap),
        cmocka_unit_test(threads_come_and_go_in_the_heap_of_the_process),
        cmocka_unit_test(a_heap_begins_on_a_small_stack),
        cmocka_unit_test(what_an_ended_thread_cached_can_be_given_back),
        smp_test(what_an_ended_thread_cached_in_a_heap_can_be_given_back),
        smp_test(more_threads_than_slots_have_their_blocks_too),
        smp_test(what_runs_after_a_threads_cache_can_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
