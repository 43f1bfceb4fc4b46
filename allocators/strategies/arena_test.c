/* arena_test.c: growth, resets, marks and the two-word state, over a child that holds it to the contract. */
#include <heapyard/arena.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/raw_libc.h>
#include <heapyard/typed.h>

#include "allocators/conformance/child.h"
#include "allocators/conformance/dies.h"

static hy_child child = {.region_bytes = (size_t)128 << 20};

static hy_error init(hy_arena *arena, hy_allocator source, hy_arena_options options) {
    return hy_arena_init(arena, source, &options);
}

static void fill(hy_arena *arena, size_t blocks, size_t size) {
    for (size_t i = 0; i < blocks; i++) {
        char *ptr = hy_alloc(hy_arena_allocator(arena), size, HY_ALIGN_8);
        assert_non_null(ptr);
        memset(ptr, (int)i, size);
    }
    assert_true(hy_arena_check(arena));
}

static void one_child_call_a_doubling(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    for (size_t doublings = 1; doublings <= 12; doublings++) {
        while (hy_arena_used(&arena) < (size_t)512 << doublings)
            fill(&arena, 1, 24);
        assert_true(child.block_count <= doublings + 1);
        assert_true(hy_arena_capacity(&arena) <= 3 * hy_arena_used(&arena));
    }
    assert_int_equal(
        child.counts.live_bytes, hy_arena_capacity(&arena) + child.block_count * sizeof(hy_arena_chunk));
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void a_new_chunk_is_half_as_large_again_as_all(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    fill(&arena, 1, 24);
    for (size_t chunks = 2; chunks <= 12; chunks++) {
        size_t all = child.counts.live_bytes;
        while (child.block_count < chunks)
            fill(&arena, 1, 24);
        size_t chunk = child.counts.live_bytes - all;
        assert_true(chunk >= all + all / 2 && chunk < all + all / 2 + 16);
        assert_int_equal(chunk, arena.state.chunk->size);
    }
    /* Or as large as the request. */
    size_t all = child.counts.live_bytes, request = 4 * all;
    fill(&arena, 1, request);
    assert_int_equal(child.counts.live_bytes - all, request + sizeof(hy_arena_chunk));
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void grows_its_chunk_in_place_first(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    child.faults.grows = true;
    fill(&arena, 10000, 24);
    assert_int_equal(child.block_count, 1);
    /* The newest block takes its chunk with it; an older one can't. */
    hy_allocator allocator = hy_arena_allocator(&arena);
    char *older = hy_alloc(allocator, 8, HY_ALIGN_8);
    char *newest = hy_alloc(allocator, 8, HY_ALIGN_8);
    memcpy(newest, "heapyard", 8);
    assert_true(hy_resize(allocator, newest, 8, 500000, HY_ALIGN_8));
    assert_memory_equal(newest, "heapyard", 8);
    assert_false(hy_resize(allocator, older, 8, 16, HY_ALIGN_8));
    assert_int_equal(child.block_count, 1);
    assert_true(hy_arena_check(&arena));
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void asks_for_less_where_much_is_refused(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    child.size_max = 4096;
    fill(&arena, 20, 1000);
    assert_true(child.counts.peak_bytes <= 40 * 1024);
    assert_null(hy_alloc(hy_arena_allocator(&arena), 4096, HY_ALIGN_8));
    fill(&arena, 1, 4096 - sizeof(hy_arena_chunk));
    hy_arena_deinit(&arena);
}

static void newest_block_is_freed_and_resized(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_allocator allocator = hy_arena_allocator(&arena);
    char *first = hy_alloc(allocator, 13, HY_ALIGN_1);
    char *second = hy_alloc(allocator, 13, HY_ALIGN_1);
    assert_int_equal(hy_arena_used(&arena), 32);
    assert_false(hy_resize(allocator, first, 13, 17, HY_ALIGN_1));
    assert_true(hy_resize(allocator, second, 13, 100, HY_ALIGN_1));
    assert_true(hy_resize(allocator, second, 100, 5, HY_ALIGN_1));
    assert_int_equal(hy_arena_used(&arena), 24);
    hy_free(allocator, second, 5, HY_ALIGN_1);
    hy_free(allocator, first, 13, HY_ALIGN_1);
    assert_int_equal(hy_arena_used(&arena), 0);
    assert_ptr_equal(hy_alloc(allocator, 1, HY_ALIGN_1), first);
    hy_arena_deinit(&arena);
}

static void every_alignment_or_a_refusal(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    child.size_max = (size_t)4 << 20;
    hy_allocator allocator = hy_arena_allocator(&arena);
    for (unsigned log2 = 0; log2 <= HY_ALIGN_LOG2_MAX; log2++) {
        hy_align align = hy_align_from_log2(log2);
        char *ptr = hy_alloc(allocator, 3, align);
        assert_true(ptr ? hy_align_check_pointer(ptr, align) : log2 > 20);
        if (ptr) memset(ptr, 1, 3);
        for (size_t below = 0; below < 40; below++) {
            assert_null(hy_alloc(allocator, SIZE_MAX - below, align));
            assert_null(hy_alloc(allocator, SIZE_MAX / 2 + below, align));
            if (ptr) assert_false(hy_resize(allocator, ptr, 3, SIZE_MAX - below, align));
        }
        assert_true(hy_arena_check(&arena));
    }
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void reset_frees_or_retains(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    fill(&arena, 1000, 64);
    size_t capacity = hy_arena_capacity(&arena);
    assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_int_equal(hy_arena_capacity(&arena), capacity);
    assert_int_equal(hy_arena_used(&arena), 0);
    assert_int_equal(child.counts.live_bytes, capacity + sizeof(hy_arena_chunk));

    size_t calls = hy_child_calls(&child);
    for (int round = 0; round < 5; round++) {
        fill(&arena, 1000, 64);
        assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    }
    assert_int_equal(hy_child_calls(&child), calls);

    fill(&arena, 10, 64);
    assert_true(hy_arena_reset(&arena, HY_ARENA_FREE_ALL, 0));
    assert_int_equal(child.counts.live_bytes, 0);
    assert_true(hy_arena_check(&arena));
    fill(&arena, 10, 64);
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void reset_keeps_to_its_limit(void **state) {
    (void)state;
    static const size_t limits[] = {0, 1, 7, 8, 15, 16, 100, 511, 512, 513, 5000, 100000, SIZE_MAX};
    for (int grows = 0; grows < 2; grows++) {
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
            child.faults.grows = grows;
            fill(&arena, 300, 64);
            size_t capacity = hy_arena_capacity(&arena),
                   kept = limits[i] < capacity ? limits[i] & ~(size_t)7 : capacity;
            assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_WITH_LIMIT, limits[i]));
            assert_int_equal(hy_arena_capacity(&arena), kept);
            assert_int_equal(child.counts.live_bytes, kept ? kept + sizeof(hy_arena_chunk) : 0);
            size_t calls = hy_child_calls(&child);
            assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_WITH_LIMIT, limits[i]));
            assert_int_equal(hy_child_calls(&child), calls);
            fill(&arena, 300, 64);
            hy_arena_deinit(&arena);
            assert_int_equal(child.counts.live_bytes, 0);
        }
    }
}

static void refused_reset_leaves_it_usable(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    fill(&arena, 1000, 64);
    child.call_refusal = hy_child_calls(&child);
    assert_false(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_true(hy_arena_check(&arena) && hy_arena_capacity(&arena) > 0);
    fill(&arena, 100, 64);
    /* Too much is there and no smaller chunk to be had: the limit holds. */
    assert_false(hy_arena_reset(&arena, HY_ARENA_RETAIN_WITH_LIMIT, 64));
    assert_int_equal(hy_arena_capacity(&arena), 0);
    assert_null(hy_alloc(hy_arena_allocator(&arena), 1, HY_ALIGN_1));
    child.call_refusal = SIZE_MAX;
    fill(&arena, 100, 64);
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

/* A fixed course of calls over a child that refuses from its nth call on: whatever is refused, contents
 * stay, the structure holds, and nothing is lost. */
static void course(hy_arena *arena) {
    hy_allocator allocator = hy_arena_allocator(arena);
    char *kept = hy_alloc(allocator, 16, HY_ALIGN_16);
    if (kept) memcpy(kept, "0123456789abcdef", 16);
    for (size_t i = 1; i < 40; i++) {
        char *ptr = hy_alloc(allocator, i * 40, hy_align_from_log2((unsigned)(i % 6)));
        if (ptr) memset(ptr, 1, i * 40);
        if (ptr && hy_resize(allocator, ptr, i * 40, i * 60, hy_align_from_log2((unsigned)(i % 6))))
            memset(ptr, 2, i * 60);
        assert_true(hy_arena_check(arena));
    }
    if (kept) assert_memory_equal(kept, "0123456789abcdef", 16);
    hy_arena_reset(arena, HY_ARENA_RETAIN_CAPACITY, 0);
    assert_true(hy_arena_check(arena));
    hy_arena_mark mark = hy_arena_save(arena);
    char *ptr = hy_alloc(allocator, 100000, HY_ALIGN_8);
    if (ptr) memset(ptr, 3, 100000);
    hy_arena_restore(arena, mark);
    hy_arena_reset(arena, HY_ARENA_RETAIN_WITH_LIMIT, 1000);
    assert_true(hy_arena_check(arena) && hy_arena_capacity(arena) <= 1000);
}

static void any_call_of_the_child_may_be_refused(void **state) {
    (void)state;
    static const uint16_t growths[] = {0, 3, HY_BYTES_NEVER};
    for (size_t i = 0; i < sizeof growths / sizeof growths[0]; i++) {
        for (size_t index = 0; index < 60; index++) {
            hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
            child.faults.grows = true;
            child.faults.resize_refusal = growths[i];
            child.call_refusal = index;
            course(&arena);
            hy_arena_deinit(&arena);
            assert_int_equal(child.counts.live_bytes, 0);
        }
    }
}

static void restore_goes_back_across_chunks(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    hy_arena_mark empty = hy_arena_save(&arena);
    fill(&arena, 3, 64);
    size_t used = hy_arena_used(&arena), live = child.counts.live_bytes;
    hy_arena_mark mark = hy_arena_save(&arena);
    fill(&arena, 1000, 64);
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), used);
    assert_int_equal(child.counts.live_bytes, live);
    assert_true(hy_arena_check(&arena));
    fill(&arena, 1, 64);
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), used);
    hy_arena_restore(&arena, empty);
    assert_int_equal(child.counts.live_bytes, 0);
    assert_true(hy_arena_check(&arena));
    hy_arena_deinit(&arena);
}

/* What was freed or shrunk since the mark was saved stays so; what was made since ends. */
static void restore_never_goes_forward(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_allocator allocator = hy_arena_allocator(&arena);
    fill(&arena, 1, 64);
    char *newest = hy_alloc(allocator, 64, HY_ALIGN_8);
    assert_non_null(newest);
    hy_arena_mark mark = hy_arena_save(&arena);
    assert_true(hy_resize(allocator, newest, 64, 8, HY_ALIGN_8));
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), 72);
    hy_free(allocator, newest, 8, HY_ALIGN_8);
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), 64);
    assert_true(hy_arena_check(&arena));
    /* A block that begins below the mark and ends above it ends; its bytes below stay used. */
    assert_ptr_equal(hy_alloc(allocator, 100, HY_ALIGN_8), newest);
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), 128);
    assert_ptr_equal(hy_alloc(allocator, 8, HY_ALIGN_8), newest + 64);
    hy_arena_deinit(&arena);
}

/* Where the mark's chunk is no longer the newest, its bytes up to the mark count as used again. */
static void restore_across_chunks_after_a_free(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_child_plain(&child));
    hy_allocator allocator = hy_arena_allocator(&arena);
    fill(&arena, 1, 64);
    char *newest = hy_alloc(allocator, 64, HY_ALIGN_8);
    assert_non_null(newest);
    hy_arena_mark mark = hy_arena_save(&arena);
    hy_free(allocator, newest, 64, HY_ALIGN_8);
    fill(&arena, 100, 64);
    assert_true(child.block_count > 1);
    hy_arena_restore(&arena, mark);
    assert_int_equal(hy_arena_used(&arena), 128);
    assert_int_equal(child.counts.live_bytes, hy_arena_capacity(&arena) + sizeof(hy_arena_chunk));
    assert_true(hy_arena_check(&arena));
    assert_ptr_equal(hy_alloc(allocator, 8, HY_ALIGN_8), newest + 64);
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void two_words_are_an_arena(void **state) {
    (void)state;
    hy_allocator source = hy_child_plain(&child);
    assert_int_equal(sizeof(hy_arena_state), 2 * sizeof(void *));
    hy_arena arena = HY_ARENA_INIT(source);
    char *text = hy_dupe_z(hy_arena_allocator(&arena), char, "kept", 4);
    hy_arena_state stored = hy_arena_demote(&arena);
    hy_arena_deinit(&arena);
    assert_string_equal(text, "kept");
    hy_arena again = hy_arena_promote(stored, source);
    assert_true(hy_arena_check(&again) && hy_arena_owns(&again, text));
    fill(&again, 100, 64);
    assert_string_equal(text, "kept");
    hy_arena_deinit(&again);
    assert_int_equal(child.counts.live_bytes, 0);

    hy_arena from_nothing = hy_arena_promote((hy_arena_state){NULL, 0}, source);
    fill(&from_nothing, 1, 8);
    hy_arena_deinit(&from_nothing);
}

static void arenas_nest(void **state) {
    (void)state;
    hy_arena outer = HY_ARENA_INIT(hy_child_plain(&child));
    hy_arena inner = HY_ARENA_INIT(hy_arena_allocator(&outer));
    char *text = hy_dupe_z(hy_arena_allocator(&inner), char, "inner", 5);
    fill(&inner, 500, 48);
    assert_true(hy_arena_owns(&outer, text) && hy_arena_owns(&inner, text));
    assert_string_equal(text, "inner");
    hy_arena_reset(&inner, HY_ARENA_RETAIN_CAPACITY, 0);
    fill(&inner, 500, 48);
    hy_arena_deinit(&inner);
    fill(&outer, 500, 48);
    hy_arena_deinit(&outer);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void lives_in_a_small_buffer(void **state) {
    (void)state;
    _Alignas(16) static char buffer[4096];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    hy_arena arena = HY_ARENA_INIT(hy_fixed_buffer_allocator(&fixed));
    size_t blocks = 0;
    while (hy_alloc(hy_arena_allocator(&arena), 16, HY_ALIGN_16))
        blocks++;
    /* One chunk that grows in place to the last byte: all but its head, and what aligns it. */
    assert_true(blocks >= (sizeof buffer - sizeof(hy_arena_chunk) - 16) / 16);
    hy_arena_deinit(&arena);
    hy_fixed_buffer_deinit(&fixed);
}

static void fixed_arena_keeps_its_capacity(void **state) {
    (void)state;
    hy_arena arena;
    assert_int_equal(
        init(&arena, hy_child_plain(&child), (hy_arena_options){.capacity = 64, .fixed = true}), HY_OK);
    hy_allocator allocator = hy_arena_allocator(&arena);
    assert_int_equal(hy_arena_capacity(&arena), 64);
    char *newest = hy_alloc(allocator, 8, HY_ALIGN_8);
    assert_false(hy_resize(allocator, newest, 8, 65, HY_ALIGN_8));
    assert_true(hy_resize(allocator, newest, 8, 64, HY_ALIGN_8));
    assert_null(hy_alloc(allocator, 1, HY_ALIGN_1));
    assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_non_null(hy_alloc(allocator, 64, HY_ALIGN_8));
    assert_true(hy_arena_reset(&arena, HY_ARENA_FREE_ALL, 0));
    assert_null(hy_alloc(allocator, 1, HY_ALIGN_1));
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void bad_options_hold_nothing(void **state) {
    (void)state;
    hy_arena arena;
    assert_int_equal(init(&arena, hy_child_plain(&child), (hy_arena_options){.fixed = true}), HY_INVALID);
    hy_arena_deinit(&arena);
    assert_int_equal(
        init(&arena, hy_child_plain(&child), (hy_arena_options){.capacity = SIZE_MAX}), HY_OUT_OF_MEMORY);
    hy_arena_deinit(&arena);
    assert_int_equal(init(&arena, hy_child_plain(&child), (hy_arena_options){.capacity = SIZE_MAX - 15}),
        HY_OUT_OF_MEMORY);
    hy_arena_deinit(&arena);
    assert_int_equal(
        init(&arena, hy_child_plain(&child), (hy_arena_options){.capacity = PTRDIFF_MAX}), HY_OUT_OF_MEMORY);
    hy_arena_deinit(&arena);
    assert_int_equal(child.block_count, 0);
}

/* What a front end is made of, what it gives back, and what it does not. */
static void the_front_end_owns_one_buffer(void **state) {
    (void)state;
    hy_arena arena;
    hy_arena_options options = {.capacity = 128, .fatal = true};
    assert_int_equal(init(&arena, hy_child_plain(&child), options), HY_OK);
    char *base = hy_arena_base(&arena);
    size_t calls = hy_child_calls(&child);
    char *direct = hy_arena_take(&arena, 3);
    assert_true(direct == base && hy_align_check_pointer(hy_arena_take(&arena, 1), HY_ALIGN_8));
    char *asked = hy_alloc(hy_arena_allocator(&arena), 3, HY_ALIGN_32);
    assert_true(hy_align_check_pointer(asked, HY_ALIGN_32));
    size_t used = hy_arena_used(&arena);
    assert_true(hy_resize(hy_arena_allocator(&arena), asked, 3, 1, HY_ALIGN_32));
    assert_int_equal(hy_arena_used(&arena), used);
    assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_ptr_equal(hy_arena_base(&arena), base);
    assert_int_equal(hy_arena_capacity(&arena), 128);
    assert_int_equal(hy_child_calls(&child), calls);
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
    /* The struct is the caller's still. */
    assert_true(hy_arena_check(&arena) && hy_arena_base(&arena) == NULL);
    assert_int_equal(init(&arena, arena.child, options), HY_OK);
    hy_arena_deinit(&arena);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void the_front_end_keeps_what_is_freed(void **state) {
    (void)state;
    hy_arena arena;
    assert_int_equal(init(&arena, hy_raw_libc(), (hy_arena_options){.capacity = 1024, .fatal = true}), HY_OK);
    size_t *number = hy_arena_take(&arena, sizeof *number);
    *number = 7;
    assert_int_equal(*number, 7);
    assert_ptr_equal(number, hy_arena_base(&arena));
    assert_int_equal(hy_arena_used(&arena), 8);
    hy_free(hy_arena_allocator(&arena), number, 8, HY_ALIGN_8);
    assert_int_equal(hy_arena_used(&arena), 8);
    assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
    assert_int_equal(hy_arena_used(&arena), 0);
    assert_int_equal(hy_arena_capacity(&arena), 1024);
    hy_arena_deinit(&arena);

    assert_int_equal(init(&arena, hy_raw_libc(), (hy_arena_options){.capacity = 64, .fatal = true}), HY_OK);
    hy_allocator allocator = hy_arena_allocator(&arena);
    void *first = hy_alloc(allocator, 8, HY_ALIGN_8), *second = hy_alloc(allocator, 8, HY_ALIGN_8);
    assert_true(first && second);
    assert_int_equal(hy_arena_used(&arena), 16);
    hy_arena_deinit(&arena);
}

static void exhaust(void) {
    hy_arena arena;
    hy_error error = init(&arena, hy_raw_libc(), (hy_arena_options){.capacity = 64, .fatal = true});
    while (error == HY_OK && hy_arena_take(&arena, 8)) {
    }
}

static void exhaust_the_interface(void) {
    hy_arena arena;
    if (init(&arena, hy_raw_libc(), (hy_arena_options){.capacity = 64, .fatal = true}) != HY_OK) return;
    if (!hy_alloc(hy_arena_allocator(&arena), 65, HY_ALIGN_1)) _exit(1);
}

#if HY_CHECK >= 1
static void restore_a_stale_mark(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_arena_mark empty = hy_arena_save(&arena);
    fill(&arena, 1, 8);
    hy_arena_mark later = hy_arena_save(&arena);
    hy_arena_restore(&arena, empty);
    hy_arena_restore(&arena, later);
}
#endif

#if HY_CHECK >= 1
static void init_without_capacity(void) {
    hy_arena arena;
    if (init(&arena, hy_raw_libc(), (hy_arena_options){.fatal = true}) != HY_INVALID) _exit(1);
}
#endif

#if HY_CHECK >= 2
static void free_a_stranger(void) {
    size_t stranger = 0;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    fill(&arena, 1, 8);
    hy_free(hy_arena_allocator(&arena), &stranger, sizeof stranger, HY_ALIGN_8);
}

static void resize_a_stranger(void) {
    size_t stranger = 0;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    if (hy_resize(hy_arena_allocator(&arena), &stranger, sizeof stranger, 4, HY_ALIGN_8)) _exit(1);
}

static void promote_nonsense(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    fill(&arena, 1, 8);
    hy_arena_state state = hy_arena_demote(&arena);
    state.next += 4096;
    hy_arena again = hy_arena_promote(state, hy_raw_libc());
    hy_arena_deinit(&again);
}
#endif

static void misuse_and_exhaustion_end_the_program(void **state) {
    (void)state;
    assert_dies_saying(exhaust, "fatal: arena exhausted\n");
    assert_dies_saying(exhaust_the_interface, "fatal: arena exhausted\n");
#if HY_CHECK >= 1
    assert_dies_saying(restore_a_stale_mark, "hy_arena_restore: got ");
    assert_dies_saying(restore_a_stale_mark, "must be a mark that no restore or reset went behind");
    assert_exits_saying(
        0, init_without_capacity, "hy_arena_init: got 0 (0x0), must be a capacity of at least 1");
#endif
#if HY_CHECK >= 2
    assert_dies_saying(free_a_stranger, "hy_arena_free: got ");
    assert_dies_saying(free_a_stranger, "must be a block of this arena");
    assert_dies_saying(resize_a_stranger, "hy_arena_resize: got ");
    assert_dies_saying(promote_nonsense, "hy_arena_promote: got ");
#endif
}

#if HY_ASAN
static void addresses_that_are_not_handed_out_are_poisoned(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_allocator allocator = hy_arena_allocator(&arena);
    char *first = hy_alloc(allocator, 13, HY_ALIGN_1);
    char *second = hy_alloc(allocator, 16, HY_ALIGN_8);
    assert_true(!__asan_address_is_poisoned(first + 12) && __asan_address_is_poisoned(first + 13));
    assert_true(hy_resize(allocator, second, 16, 9, HY_ALIGN_8));
    assert_true(!__asan_address_is_poisoned(second + 8) && __asan_address_is_poisoned(second + 9));
    hy_free(allocator, first, 13, HY_ALIGN_1);
    assert_true(__asan_address_is_poisoned(first));
    hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
    assert_true(__asan_address_is_poisoned(second));
    hy_arena_deinit(&arena);
}
#endif

static void expect_seen(hy_arena *arena, void *field, size_t size, uintptr_t damage) {
    char whole[sizeof damage];
    memcpy(whole, field, size);
    memcpy(field, &damage, size);
    assert_false(hy_arena_check(arena));
    memcpy(field, whole, size);
    assert_true(hy_arena_check(arena));
}

static void the_walker_sees_damage(void **state) {
    (void)state;
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    expect_seen(&arena, &arena.state.next, sizeof arena.state.next, 8);
    expect_seen(&arena, &arena.end, sizeof arena.end, 8);
    assert_non_null(hy_alloc(hy_arena_allocator(&arena), 100, HY_ALIGN_8));
    hy_arena_chunk *chunk = arena.state.chunk;
    hy_unpoison_defined(chunk, sizeof *chunk);
    expect_seen(&arena, &arena.end, sizeof arena.end, arena.end - 8);
    expect_seen(&arena, &arena.state.next, sizeof arena.state.next, arena.state.next + 1);
    expect_seen(&arena, &arena.state.next, sizeof arena.state.next, (uintptr_t)chunk);
    expect_seen(&arena, &arena.state.next, sizeof arena.state.next, arena.end + 8);
    expect_seen(&arena, &chunk->size, sizeof chunk->size, 8);
    expect_seen(&arena, &chunk->size, sizeof chunk->size, SIZE_MAX - 7);
    expect_seen(&arena, &chunk->size, sizeof chunk->size, chunk->size + 1);
    expect_seen(&arena, &chunk->older, sizeof chunk->older, (uintptr_t)chunk);
    expect_seen(&arena, &arena.state.chunk, sizeof arena.state.chunk, (uintptr_t)chunk + 4);
    hy_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walker_sees_damage),
        cmocka_unit_test(one_child_call_a_doubling),
        cmocka_unit_test(a_new_chunk_is_half_as_large_again_as_all),
        cmocka_unit_test(grows_its_chunk_in_place_first),
        cmocka_unit_test(asks_for_less_where_much_is_refused),
        cmocka_unit_test(newest_block_is_freed_and_resized),
        cmocka_unit_test(every_alignment_or_a_refusal),
        cmocka_unit_test(reset_frees_or_retains),
        cmocka_unit_test(reset_keeps_to_its_limit),
        cmocka_unit_test(refused_reset_leaves_it_usable),
        cmocka_unit_test(any_call_of_the_child_may_be_refused),
        cmocka_unit_test(restore_goes_back_across_chunks),
        cmocka_unit_test(restore_never_goes_forward),
        cmocka_unit_test(restore_across_chunks_after_a_free),
        cmocka_unit_test(two_words_are_an_arena),
        cmocka_unit_test(arenas_nest),
        cmocka_unit_test(lives_in_a_small_buffer),
        cmocka_unit_test(fixed_arena_keeps_its_capacity),
        cmocka_unit_test(bad_options_hold_nothing),
        cmocka_unit_test(the_front_end_owns_one_buffer),
        cmocka_unit_test(the_front_end_keeps_what_is_freed),
        cmocka_unit_test(misuse_and_exhaustion_end_the_program),
#if HY_ASAN
        cmocka_unit_test(addresses_that_are_not_handed_out_are_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
