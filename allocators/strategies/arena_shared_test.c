/* arena_shared_test.c: one arena, many threads, over a child that is not thread-safe itself. */
#include <heapyard/arena_shared.h>
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/raw_libc.h>
#include <heapyard/typed.h>

#include "allocators/conformance/child.h"
#include "allocators/conformance/dies.h"

/* A child whose counters are plain variables: ThreadSanitizer tells where two threads are in it at once. */
typedef struct fixture {
    hy_counting child;
    hy_arena_shared shared;
    hy_allocator allocator;
} fixture;

static void set_up(fixture *made) {
    hy_counting_init(&made->child, hy_raw_libc());
    hy_arena_shared_init(&made->shared, hy_counting_allocator(&made->child));
    made->allocator = hy_arena_shared_allocator(&made->shared);
}

static size_t child_bytes(fixture *made) {
    return made->child.counts.live_bytes;
}

static void tear_down(fixture *made) {
    assert_true(hy_arena_shared_check(&made->shared));
    hy_arena_shared_deinit(&made->shared);
    assert_int_equal(child_bytes(made), 0);
}

typedef struct worker {
    pthread_t thread;
    fixture *fixture;
    pthread_barrier_t *barrier; /* where all wait for each other, so that they live at once; or NULL */
    size_t blocks;
    unsigned char number;
    unsigned char **kept; /* `blocks` of them */
    bool intact;
} worker;

static size_t size_of(const worker *self, size_t block) {
    return 1 + (block * 29 + self->number * 7u) % 300;
}

static bool holds_only(const unsigned char *block, size_t size, unsigned char value) {
    for (size_t i = 0; i < size; i++) {
        if (block[i] != value) return false;
    }
    return true;
}

/* Something that comes, grows, shrinks and goes between the blocks that stay. */
static bool make_and_free(const worker *self, size_t round) {
    hy_allocator allocator = self->fixture->allocator;
    size_t size = 1 + round % 100, larger = size + round % 700;
    unsigned char *block = hy_alloc(allocator, size, HY_ALIGN_16);
    if (!block) return false;
    memset(block, self->number, size);
    if (hy_resize(allocator, block, size, larger, HY_ALIGN_16)) {
        memset(block + size, self->number, larger - size);
        size = larger;
    }
    bool intact = holds_only(block, size, self->number);
    hy_free(allocator, block, size, HY_ALIGN_16);
    return intact;
}

/* What may be asked while other threads allocate. */
static bool is_counted(const worker *self, const unsigned char *block) {
    hy_arena_shared *shared = &self->fixture->shared;
    return hy_arena_shared_owns(shared, block) && !hy_arena_shared_owns(shared, self) &&
           hy_arena_shared_capacity(shared) > 0;
}

static void *work(void *argument) {
    worker *self = argument;
    self->intact = true;
    for (size_t i = 0; i < self->blocks; i++) {
        hy_align align = hy_align_from_log2((unsigned)(i % 7));
        self->kept[i] = hy_alloc(self->fixture->allocator, size_of(self, i), align);
        self->intact &= self->kept[i] && hy_align_check_pointer(self->kept[i], align);
        if (!self->intact) break;
        memset(self->kept[i], self->number, size_of(self, i));
        self->intact &= make_and_free(self, i);
        self->intact &= i % 64 != 0 || is_counted(self, self->kept[i]);
        if (i == 0 && self->barrier) pthread_barrier_wait(self->barrier);
    }
    return NULL;
}

/* Runs the workers at once, then looks at all that they left. */
static void run(worker *workers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        workers[i].kept = hy_alloc_n(hy_libc(), unsigned char *, workers[i].blocks);
        assert_non_null(workers[i].kept);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(workers[i].intact);
        for (size_t block = 0; block < workers[i].blocks; block++)
            assert_true(holds_only(workers[i].kept[block], size_of(&workers[i], block), workers[i].number));
        hy_free_n(hy_libc(), workers[i].kept, workers[i].blocks);
    }
}

/* `count` threads that live at once. */
static void run_at_once(fixture *made, size_t count, size_t blocks) {
    worker *workers = hy_alloc_n(hy_libc(), worker, count);
    assert_non_null(workers);
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        workers[i] = (worker){
            .fixture = made, .barrier = &barrier, .blocks = blocks, .number = (unsigned char)(i + 1)};
    }
    run(workers, count);
    pthread_barrier_destroy(&barrier);
    hy_free_n(hy_libc(), workers, count);
    assert_true(hy_arena_shared_check(&made->shared));
}

static void threads_keep_their_blocks(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    for (int round = 0; round < 3; round++) {
        run_at_once(&made, 4, 1000);
        size_t capacity = hy_arena_shared_capacity(&made.shared);
        assert_true(hy_arena_shared_used(&made.shared) <= capacity);
        assert_true(hy_arena_shared_reset(&made.shared, HY_ARENA_RETAIN_CAPACITY, 0));
        assert_int_equal(hy_arena_shared_capacity(&made.shared), capacity);
        assert_int_equal(hy_arena_shared_used(&made.shared), 0);
    }
    assert_true(hy_arena_shared_reset(&made.shared, HY_ARENA_FREE_ALL, 0));
    assert_int_equal(child_bytes(&made), 0);
    run_at_once(&made, 4, 100);
    tear_down(&made);
}

/* More threads than there are slots: some have the common lane, none is refused. */
static void more_threads_than_slots(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    run_at_once(&made, HY_THREAD_SLOTS + 20, 60);
    assert_true(made.shared.lanes_begun & 1);
    size_t used = hy_arena_shared_used(&made.shared);
    assert_true(hy_arena_shared_capacity(&made.shared) <= 3 * used + (HY_THREAD_SLOTS + 1) * 512);
    tear_down(&made);
}

/* What a thread left of its chunk serves the thread after it. */
static void a_thread_goes_on_where_another_ended(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    for (size_t i = 0; i < 200; i++) {
        worker one = {.fixture = &made, .blocks = 3, .number = (unsigned char)(i + 1)};
        run(&one, 1);
    }
    assert_true(hy_arena_shared_capacity(&made.shared) <= 3 * hy_arena_shared_used(&made.shared) + 512);
    /* This thread never came: one lane served all. */
    assert_int_equal(__builtin_popcountll(made.shared.lanes_begun), 1);
    tear_down(&made);
}

/* A thread that has no slot, because its own was given back at its end: a destructor allocates in pthread's
 * second round of them, when those of the first are through. */
static pthread_key_t late_key;

typedef struct late {
    hy_allocator allocator;
    int rounds;
    bool has_slot, used_again, grew, shrank;
} late;

static void allocate_late(void *argument) {
    late *self = argument;
    if (self->rounds++ == 0) {
        pthread_setspecific(late_key, argument);
        return;
    }
    self->has_slot = hy_thread_slot != 0;
    char *first = hy_alloc(self->allocator, 24, HY_ALIGN_8);
    hy_free(self->allocator, first, 24, HY_ALIGN_8);
    char *again = hy_alloc(self->allocator, 24, HY_ALIGN_8);
    self->used_again = again && again == first;
    self->grew = hy_resize(self->allocator, again, 24, 5000, HY_ALIGN_8);
    self->shrank = hy_resize(self->allocator, again, 5000, 8, HY_ALIGN_8);
}

static void *take_a_slot(void *argument) {
    pthread_setspecific(late_key, argument);
    return (void *)(uintptr_t)hy_thread_slot_take();
}

static void without_a_slot_the_newest_is_freed_and_resized(void **state) {
    (void)state;
    static hy_child child;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_child_plain(&child));
    child.faults.grows = true;
    late self = {.allocator = hy_arena_shared_allocator(&shared)};
    assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
    pthread_t thread;
    void *slot;
    assert_int_equal(pthread_create(&thread, NULL, take_a_slot, &self), 0);
    assert_int_equal(pthread_join(thread, &slot), 0);
    pthread_key_delete(late_key);
    assert_true(slot && self.rounds == 2 && !self.has_slot);
    assert_true(self.used_again && self.grew && self.shrank);
    assert_int_equal(shared.lanes_begun, 1);
    assert_int_equal(hy_arena_shared_used(&shared), 8);
    assert_true(hy_arena_shared_check(&shared));
    hy_arena_shared_deinit(&shared);
    assert_int_equal(child.counts.live_bytes, 0);
}

/* What the row tells of an instance is what its child saw. */
static void the_rows_figures_are_the_childs(void **state) {
    (void)state;
    extern const hy_row hy_arena_shared_row;
    hy_counting child;
    hy_counting_init(&child, hy_raw_libc());
    hy_config config = {.child = hy_counting_allocator(&child)};
    hy_allocator allocator;
    void *instance = hy_arena_shared_row.make(&hy_arena_shared_row, &config, &allocator);
    assert_non_null(instance);
    for (int i = 0; i < 100; i++)
        assert_non_null(hy_alloc(allocator, 100, HY_ALIGN_8));
    hy_stats stats;
    assert_true(hy_arena_shared_row.stats(instance, &stats));
    assert_int_equal(stats.calls_count,
        child.counts.alloc_count + child.counts.resize_count + child.counts.resize_refused_count);
    assert_int_equal(stats.capacity_bytes + stats.overhead_bytes, child.counts.live_bytes);
    assert_in_range(stats.used_bytes, 100 * 104, stats.capacity_bytes);
    assert_true(hy_arena_shared_row.reset(instance, HY_RESET_RETAIN_CAPACITY, 0));
    size_t high_water = stats.used_bytes;
    assert_true(hy_arena_shared_row.stats(instance, &stats));
    assert_int_equal(stats.used_bytes, 0);
    assert_int_equal(stats.high_water_bytes, high_water);
    hy_arena_shared_row.destroy(&hy_arena_shared_row, instance);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void the_newest_block_is_freed_and_resized(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    char *first = hy_alloc(made.allocator, 13, HY_ALIGN_1);
    char *second = hy_alloc(made.allocator, 13, HY_ALIGN_1);
    assert_int_equal(hy_arena_shared_used(&made.shared), 32);
    assert_false(hy_resize(made.allocator, first, 13, 17, HY_ALIGN_1));
    assert_true(hy_resize(made.allocator, second, 13, 100, HY_ALIGN_1));
    assert_true(hy_resize(made.allocator, second, 100, 5, HY_ALIGN_1));
    assert_true(hy_resize(made.allocator, first, 13, 7, HY_ALIGN_1));
    assert_int_equal(hy_arena_shared_used(&made.shared), 24);
    hy_free(made.allocator, second, 5, HY_ALIGN_1);
    assert_int_equal(hy_arena_shared_used(&made.shared), 16);
    assert_ptr_equal(hy_alloc(made.allocator, 1, HY_ALIGN_1), second);
    tear_down(&made);
}

static void grows_its_chunk_in_place(void **state) {
    (void)state;
    static hy_child child;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_child_plain(&child));
    hy_allocator allocator = hy_arena_shared_allocator(&shared);
    child.faults.grows = true;
    char *block = hy_alloc(allocator, 8, HY_ALIGN_8);
    memcpy(block, "heapyard", 8);
    assert_true(hy_resize(allocator, block, 8, 500000, HY_ALIGN_8));
    assert_memory_equal(block, "heapyard", 8);
    assert_int_equal(child.block_count, 1);
    assert_false(hy_resize(allocator, block, 500000, SIZE_MAX - 3, HY_ALIGN_8));
    assert_false(hy_resize(allocator, block, 500000, PTRDIFF_MAX, HY_ALIGN_8));
    assert_true(hy_arena_shared_check(&shared));
    hy_arena_shared_deinit(&shared);
    assert_int_equal(child.counts.live_bytes, 0);
}

typedef struct visitor {
    fixture *fixture;
    void *newest;
    bool grew, shrank;
} visitor;

static void *free_as_another(void *argument) {
    visitor *self = argument;
    self->grew = hy_resize(self->fixture->allocator, self->newest, 64, 65, HY_ALIGN_8);
    self->shrank = hy_resize(self->fixture->allocator, self->newest, 64, 32, HY_ALIGN_8);
    hy_free(self->fixture->allocator, self->newest, 32, HY_ALIGN_8);
    return NULL;
}

/* To another thread the newest block is one like any other. */
static void only_the_owner_frees_its_newest(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    visitor other = {.fixture = &made, .newest = hy_alloc(made.allocator, 64, HY_ALIGN_8)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_as_another, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(!other.grew && other.shrank);
    assert_int_equal(hy_arena_shared_used(&made.shared), 64);
    tear_down(&made);
}

static void resets_keep_to_their_limit(void **state) {
    (void)state;
    static const size_t limits[] = {0, 1, 8, 100, 1000, 5000, 100000, SIZE_MAX};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        fixture made;
        set_up(&made);
        run_at_once(&made, 3, 100);
        assert_non_null(hy_alloc(made.allocator, 1, HY_ALIGN_1));
        size_t capacity = hy_arena_shared_capacity(&made.shared);
        assert_true(hy_arena_shared_reset(&made.shared, HY_ARENA_RETAIN_WITH_LIMIT, limits[i]));
        size_t kept = hy_arena_shared_capacity(&made.shared);
        assert_true(kept <= limits[i]);
        if (limits[i] >= capacity) assert_int_equal(kept, capacity);
        /* Of a limit that some lane can use, only what rounds a share down is lost. */
        if (limits[i] < capacity) assert_true(kept + 4 * 16 > limits[i]);
        assert_true(hy_arena_shared_check(&made.shared));
        run_at_once(&made, 3, 10);
        tear_down(&made);
    }
}

static void *allocate_little(void *fixture_of_both) {
    fixture *made = fixture_of_both;
    return hy_alloc(made->allocator, 8, HY_ALIGN_8);
}

/* What a small part leaves of the limit goes to the large one, also where that has the lower slot. */
static void a_small_part_leaves_its_share(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    for (int i = 0; i < 1000; i++)
        assert_non_null(hy_alloc(made.allocator, 64, HY_ALIGN_8));
    pthread_t thread;
    void *block;
    assert_int_equal(pthread_create(&thread, NULL, allocate_little, &made), 0);
    assert_int_equal(pthread_join(thread, &block), 0);
    assert_non_null(block);
    assert_int_equal(__builtin_popcountll(made.shared.lanes_begun), 2);
    assert_true(hy_arena_shared_reset(&made.shared, HY_ARENA_RETAIN_WITH_LIMIT, 10000));
    assert_in_range(hy_arena_shared_capacity(&made.shared), 10000 - 8, 10000);
    tear_down(&made);
}

static void a_refused_reset_leaves_it_usable(void **state) {
    (void)state;
    static hy_child child;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_child_plain(&child));
    hy_allocator allocator = hy_arena_shared_allocator(&shared);
    for (int i = 0; i < 1000; i++)
        assert_non_null(hy_alloc(allocator, 64, HY_ALIGN_8));
    child.call_refusal = hy_child_calls(&child);
    assert_false(hy_arena_shared_reset(&shared, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_true(hy_arena_shared_check(&shared) && hy_arena_shared_capacity(&shared) > 0);
    assert_non_null(hy_alloc(allocator, 64, HY_ALIGN_8));
    assert_null(hy_alloc(allocator, 1 << 20, HY_ALIGN_8));
    hy_arena_shared_deinit(&shared);
    assert_int_equal(child.counts.live_bytes, 0);
    /* The struct serves again. */
    child.call_refusal = SIZE_MAX;
    assert_non_null(hy_alloc(allocator, 64, HY_ALIGN_8));
    hy_arena_shared_deinit(&shared);
}

static void every_alignment_or_a_refusal(void **state) {
    (void)state;
    static hy_child child;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_child_plain(&child));
    child.size_max = (size_t)4 << 20;
    hy_allocator allocator = hy_arena_shared_allocator(&shared);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *ptr = hy_alloc(allocator, 3, align);
        assert_true(ptr ? hy_align_check_pointer(ptr, align) : log2 > 20);
        for (size_t below = 0; below < 40; below++) {
            assert_null(hy_alloc(allocator, SIZE_MAX - below, align));
            assert_null(hy_alloc(allocator, SIZE_MAX / 2 + below, align));
            if (ptr) assert_false(hy_resize(allocator, ptr, 3, SIZE_MAX - below, align));
        }
    }
    assert_true(hy_arena_shared_check(&shared));
    hy_arena_shared_deinit(&shared);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void capacity_leaves_heads_out(void **state) {
    (void)state;
    static hy_child child;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_child_plain(&child));
    hy_allocator allocator = hy_arena_shared_allocator(&shared);
    int outside;
    for (int i = 0; i < 1000; i++) {
        char *block = hy_alloc(allocator, 64, HY_ALIGN_8);
        assert_true(hy_arena_shared_owns(&shared, block) && hy_arena_shared_owns(&shared, block + 63));
    }
    assert_int_equal(hy_arena_shared_capacity(&shared) + child.block_count * sizeof(hy_arena_chunk),
        child.counts.live_bytes);
    assert_false(hy_arena_shared_owns(&shared, &outside) || hy_arena_shared_owns(&shared, NULL));
    hy_arena_shared_deinit(&shared);
    assert_int_equal(hy_arena_shared_capacity(&shared), 0);
}

static void the_walker_sees_damage(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    assert_non_null(hy_alloc(made.allocator, 64, HY_ALIGN_8));
    hy_arena *lane = &made.shared.lanes[hy_thread_slot].arena;
    lane->state.next += 4;
    assert_false(hy_arena_shared_check(&made.shared));
    lane->state.next -= 4;
    made.shared.lanes[0].arena.end = lane->end;
    assert_false(hy_arena_shared_check(&made.shared));
    made.shared.lanes[0].arena.end = 0;
    made.shared.lanes[HY_THREAD_SLOTS - 1].arena.state.next = 8;
    assert_false(hy_arena_shared_check(&made.shared));
    made.shared.lanes[HY_THREAD_SLOTS - 1].arena.state.next = 0;
    tear_down(&made);
}

#if HY_CHECK >= 2
/* A child in whose alloc the arena is reset: somebody is inside, namely its caller. */
static hy_arena_shared reset_under_way = HY_ARENA_SHARED_INIT({0});

static void *alloc_and_reset(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    hy_arena_shared_reset(self, HY_ARENA_RETAIN_CAPACITY, 0);
    return NULL;
}

static const hy_vtable resetting_vtable = {
    alloc_and_reset, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static void reset_with_somebody_inside(void) {
    hy_arena_shared_init(&reset_under_way, (hy_allocator){&reset_under_way, &resetting_vtable});
    if (!hy_alloc(hy_arena_shared_allocator(&reset_under_way), 8, HY_ALIGN_8)) _exit(0);
}

static void free_a_stranger(void) {
    size_t stranger = 0;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    hy_free(hy_arena_shared_allocator(&shared), &stranger, sizeof stranger, HY_ALIGN_8);
}

static void resize_a_stranger(void) {
    size_t stranger = 0;
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    if (hy_resize(hy_arena_shared_allocator(&shared), &stranger, sizeof stranger, 4, HY_ALIGN_8)) _exit(0);
}

static void enter_while_closed(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    shared.inside = (uint32_t)1 << 31;
    hy_free(hy_arena_shared_allocator(&shared), &shared, 8, HY_ALIGN_8);
}

static void misuse_is_caught(void **state) {
    (void)state;
    assert_dies_saying(reset_with_somebody_inside, "hy_arena_shared_reset: got 1");
    assert_dies_saying(reset_with_somebody_inside, "must be called while no thread is inside");
    assert_dies_saying(enter_while_closed, "called while no other thread resets it");
    assert_dies_saying(free_a_stranger, "hy_arena_shared_free: got ");
    assert_dies_saying(free_a_stranger, "must be a block of this arena");
    assert_dies_saying(resize_a_stranger, "hy_arena_shared_resize: got ");
}
#endif

#if HY_ASAN
static void what_is_not_handed_out_is_poisoned(void **state) {
    (void)state;
    fixture made;
    set_up(&made);
    char *first = hy_alloc(made.allocator, 13, HY_ALIGN_1);
    char *second = hy_alloc(made.allocator, 16, HY_ALIGN_8);
    assert_true(!__asan_address_is_poisoned(first + 12) && __asan_address_is_poisoned(first + 13));
    assert_true(hy_resize(made.allocator, first, 13, 3, HY_ALIGN_1));
    assert_true(__asan_address_is_poisoned(first + 3));
    hy_free(made.allocator, first, 3, HY_ALIGN_1);
    assert_true(__asan_address_is_poisoned(first));
    hy_arena_shared_reset(&made.shared, HY_ARENA_RETAIN_CAPACITY, 0);
    assert_true(__asan_address_is_poisoned(second));
    tear_down(&made);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_keep_their_blocks),
        cmocka_unit_test(more_threads_than_slots),
        cmocka_unit_test(a_thread_goes_on_where_another_ended),
        cmocka_unit_test(the_newest_block_is_freed_and_resized),
        cmocka_unit_test(without_a_slot_the_newest_is_freed_and_resized),
        cmocka_unit_test(the_rows_figures_are_the_childs),
        cmocka_unit_test(grows_its_chunk_in_place),
        cmocka_unit_test(only_the_owner_frees_its_newest),
        cmocka_unit_test(resets_keep_to_their_limit),
        cmocka_unit_test(a_small_part_leaves_its_share),
        cmocka_unit_test(a_refused_reset_leaves_it_usable),
        cmocka_unit_test(every_alignment_or_a_refusal),
        cmocka_unit_test(capacity_leaves_heads_out),
        cmocka_unit_test(the_walker_sees_damage),
#if HY_CHECK >= 2
        cmocka_unit_test(misuse_is_caught),
#endif
#if HY_ASAN
        cmocka_unit_test(what_is_not_handed_out_is_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
