/* debug_misuse_test.c: each misuse that debug promises to tell, done once, and what is told of it.
 *
 * Wrong calls go to the slots themselves where the front door would do something about them first (its fill
 * at check level 2, its own checks); those that it passes on as they are go through it.
 */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/debug_chunk.h"
#include "allocators/strategies/debug_watch.h"
#include <heapyard/allocator.h>

/* Who asked: every stack that is told must have this call as its second frame. The slots are called, since
 * the front door is a frame of its own in builds that inline nothing. */
static HY_NOINLINE void *allocate(watch *w, size_t size, hy_align align, void **caller) {
    *caller = __builtin_return_address(0);
    void *ptr = w->allocator.vtable->alloc(w->allocator.self, size, align);
    assert_non_null(ptr);
    return hidden(ptr);
}

static HY_NOINLINE void give_back(watch *w, void *ptr, size_t size, hy_align align, void **caller) {
    *caller = __builtin_return_address(0);
    w->allocator.vtable->free(w->allocator.self, ptr, size, align);
    (void)hidden(ptr);
}

static void assert_called_by(const hy_debug_stack *stack, void *caller) {
    assert_true(stack->count >= 2);
    assert_ptr_equal(stack->frames[1], caller);
}

static void a_double_free_has_three_stacks(void **state) {
    watch *w = *state;
    void *allocated, *first, *second;
    char *block = allocate(w, 64, HY_ALIGN_8, &allocated);
    give_back(w, block, 64, HY_ALIGN_8, &first);
    give_back(w, block, 64, HY_ALIGN_8, &second);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_DOUBLE_FREE);
    assert_ptr_equal(told->address, block);
    assert_int_equal(told->block_size, 64);
    assert_true(told->is_freed);
    assert_called_by(&told->allocated, allocated);
    assert_called_by(&told->freed, first);
    assert_called_by(&told->here, second);
    assert_int_equal(hy_debug_double_frees(&w->debug), 1);
    assert_int_equal(hy_debug_leaks(&w->debug), 0);
}

/* The front door at level 2 fills the freed block once more; that is no write after free of its own. */
static void a_double_free_through_the_front_door_is_one_finding(void **state) {
    watch *w = *state;
    char *block = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    hy_free(w->allocator, block, 64, HY_ALIGN_8);
    hy_free(w->allocator, block, 64, HY_ALIGN_8);
    watch_told(w, 1, HY_DEBUG_DOUBLE_FREE);
    assert_int_equal(hy_debug_scan(&w->debug), 0);
}

static void an_invalid_free_says_where_in_which_block(void **state) {
    watch *w = *state;
    void *allocated, *here;
    char *block = allocate(w, 100, HY_ALIGN_8, &allocated);
    give_back(w, block + 40, 60, HY_ALIGN_8, &here);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_INVALID_FREE);
    assert_ptr_equal(told->address, block + 40);
    assert_ptr_equal(told->block, block);
    assert_called_by(&told->allocated, allocated);
    assert_called_by(&told->here, here);
    assert_int_equal(hy_debug_double_frees(&w->debug), 1);
    hy_free(w->allocator, block, 100, HY_ALIGN_8);
}

static void an_address_that_was_never_handed_out_is_invalid(void **state) {
    watch *w = *state;
    void *here;
    char *block = hy_alloc(w->allocator, 32, HY_ALIGN_8);
    char *neighbour = block + 2 * 64;
    assert_true(hy_debug_owns(&w->debug, neighbour));
    give_back(w, neighbour, 32, HY_ALIGN_8, &here);
    assert_false(watch_told(w, 1, HY_DEBUG_INVALID_FREE)->has_block);
    hy_free(w->allocator, block, 32, HY_ALIGN_8);
}

static void a_foreign_pointer_is_not_touched(void **state) {
    watch *w = *state;
    void *here;
    char *nowhere = (char *)hidden(NULL) + 0x1000;
    give_back(w, nowhere, 8, HY_ALIGN_8, &here);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_FOREIGN_POINTER);
    assert_ptr_equal(told->address, nowhere);
    assert_called_by(&told->here, here);
    assert_null(told->owner);
    assert_int_equal(hy_debug_double_frees(&w->debug), 1);
}

static void a_free_to_another_instance_names_it(void **state) {
    watch *w = *state;
    for (int thread_safe = 0; thread_safe < 2; thread_safe++) {
        hy_debug other;
        hy_debug_config config = hy_debug_defaults();
        config.name = "the other one";
        config.thread_safe = thread_safe;
        assert_int_equal(hy_debug_init(&other, hy_libc(), &config), HY_OK);
        void *block = hy_alloc(hy_debug_allocator(&other), 48, HY_ALIGN_8), *here;
        give_back(w, block, 48, HY_ALIGN_8, &here);
        const hy_debug_report *told = watch_told(w, (size_t)thread_safe + 1, HY_DEBUG_WRONG_INSTANCE);
        assert_ptr_equal(told->owner, &other);
        assert_string_equal(told->owner_name, "the other one");
        assert_int_equal(told->block_size, 48);
        assert_true(told->allocated.count > 0);
        assert_int_equal(hy_debug_double_frees(&w->debug), thread_safe + 1);
        assert_int_equal(hy_debug_leaks(&other), 1);
        hy_free(hy_debug_allocator(&other), block, 48, HY_ALIGN_8);
        assert_int_equal(hy_debug_deinit(&other, NULL), HY_OK);
    }
}

static void a_wrong_size_is_told_and_the_block_freed(void **state) {
    watch *w = *state;
    void *allocated, *here;
    static const size_t wrong[] = {1, 63, 65, 4096};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char *block = allocate(w, 64, HY_ALIGN_8, &allocated);
        give_back(w, block, wrong[i], HY_ALIGN_8, &here);
        const hy_debug_report *told = watch_told(w, i + 1, HY_DEBUG_SIZE_MISMATCH);
        assert_int_equal(told->given_size, wrong[i]);
        assert_int_equal(told->block_size, 64);
        assert_called_by(&told->allocated, allocated);
        assert_called_by(&told->here, here);
        assert_int_equal(hy_debug_leaks(&w->debug), 0);
    }
}

/* Its fill goes as far as it is told to, into the guard. */
static void a_wrong_size_through_the_front_door_is_one_finding(void **state) {
    watch *w = *state;
    char *block = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    hy_free(w->allocator, block, 72, HY_ALIGN_8);
    watch_told(w, 1, HY_DEBUG_SIZE_MISMATCH);
}

static void a_wrong_alignment_is_told_and_the_block_freed(void **state) {
    watch *w = *state;
    void *allocated, *here;
    char *block = allocate(w, 64, HY_ALIGN_64, &allocated);
    give_back(w, block, 64, HY_ALIGN_8, &here);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_ALIGNMENT_MISMATCH);
    assert_int_equal(told->given_align.log2, 3);
    assert_int_equal(told->block_align.log2, 6);
    assert_called_by(&told->allocated, allocated);
    assert_int_equal(hy_debug_leaks(&w->debug), 0);
}

/* Every size, so that every rest of a word is met; and the bytes that are written most often by mistake. */
static void one_byte_past_the_end_is_told(void **state) {
    watch *w = *state;
    static const uint8_t bytes[] = {0x00, 0xFF, 0xAA, 0xDD, 'x'};
    for (size_t size = 1; size < 300; size += 1 + size / 40) {
        w->count = 0;
        void *allocated, *here;
        char *block = allocate(w, size, HY_ALIGN_1, &allocated);
        poke(block + size, bytes[size % sizeof bytes]);
        give_back(w, block, size, HY_ALIGN_1, &here);
        const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_OVERFLOW);
        assert_ptr_equal(told->damage, block + size);
        assert_int_equal(told->damage_bytes, 1);
        size_t at = (size_t)((const char *)told->damage - (const char *)told->dump_address);
        assert_int_equal(told->dump[at], bytes[size % sizeof bytes]);
        assert_int_equal(told->dump_damaged, (uint64_t)1 << at);
        assert_called_by(&told->allocated, allocated);
        assert_called_by(&told->here, here);
    }
}

static void one_byte_before_the_start_is_told(void **state) {
    watch *w = *state;
    for (uint8_t log2 = 0; log2 <= 12; log2++) {
        w->count = 0;
        void *allocated, *here;
        char *block = allocate(w, 24, (hy_align){log2}, &allocated);
        poke(block - 1, 0);
        give_back(w, block, 24, (hy_align){log2}, &here);
        const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_UNDERFLOW);
        assert_ptr_equal(told->damage, block - 1);
        assert_int_equal(told->damage_bytes, 1);
    }
}

static void large_blocks_are_guarded_too(void **state) {
    watch *w = *state;
    void *allocated, *here;
    char *block = allocate(w, 1000001, HY_ALIGN_4096, &allocated);
    poke(block + 1000001, 1);
    poke(block - 1, 1);
    give_back(w, block, 1000001, HY_ALIGN_4096, &here);
    assert_int_equal(w->count, 2);
    assert_int_equal(w->reports[0].class_of_finding, HY_DEBUG_UNDERFLOW);
    assert_int_equal(w->reports[1].class_of_finding, HY_DEBUG_OVERFLOW);
    give_back(w, block, 1000001, HY_ALIGN_4096, &here);
    watch_told(w, 3, HY_DEBUG_DOUBLE_FREE);
    poke(block + 5000, 1);
    assert_int_equal(hy_debug_scan(&w->debug), 1);
    assert_ptr_equal(watch_told(w, 4, HY_DEBUG_WRITE_AFTER_FREE)->damage, block + 5000);
}

/* Where a large freed block was written: at its front, at its end, and in the middle, which is only looked at
 * where the config says so. */
static void large_blocks_are_filled_at_both_ends(void **state) {
    (void)state;
    static const size_t size = 300000, places[] = {0, 16000, 150000, 299999};
    for (int all = 0; all < 2; all++) {
        watch w;
        hy_debug_config config = watch_config(&w);
        if (all) config.fill_bytes = SIZE_MAX;
        watch_begin_over(&w, hy_libc(), &config);
        char *block = hidden(hy_debug_alloc(&w.debug, size, HY_ALIGN_16));
        assert_int_equal(peek(block), 0xAA);
        assert_int_equal(peek(block + size - 1), 0xAA);
        if (all) assert_int_equal(peek(block + size / 2), 0xAA);
        hy_debug_free(&w.debug, block, size, HY_ALIGN_16);
        size_t told = 0;
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            bool looked_at = all || places[i] != size / 2;
            poke(block + places[i], 1);
            assert_int_equal(hy_debug_scan(&w.debug), looked_at);
            if (!looked_at) continue;
            const hy_debug_report *report = watch_told(&w, ++told, HY_DEBUG_WRITE_AFTER_FREE);
            assert_ptr_equal(report->damage, block + places[i]);
            assert_int_equal(report->damage_bytes, 1);
        }
        watch_end(&w);
    }
}

static void a_scan_finds_damage_to_live_blocks_once(void **state) {
    watch *w = *state;
    char *block = hy_alloc(w->allocator, 10, HY_ALIGN_1);
    poke(block + 10, 0);
    assert_false(hy_debug_check(&w->debug));
    assert_int_equal(hy_debug_scan(&w->debug), 1);
    assert_string_equal(watch_told(w, 1, HY_DEBUG_OVERFLOW)->operation, "scan");
    assert_ptr_equal(w->reports[0].address, block);
    assert_int_equal(hy_debug_scan(&w->debug), 0);
    hy_free(w->allocator, block, 10, HY_ALIGN_1);
}

/* It is told when the memory would have served again, and does not serve then. */
static void a_write_after_free_is_told_before_reuse(void **state) {
    watch *w = *state;
    void *allocated, *freed, *ignored;
    char *block = allocate(w, 64, HY_ALIGN_8, &allocated);
    give_back(w, block, 64, HY_ALIGN_8, &freed);
    poke(block + 17, 0x42);
    for (int i = 0; i < 1000; i++) {
        char *next = allocate(w, 64, HY_ALIGN_8, &ignored);
        assert_ptr_not_equal(next, block);
        give_back(w, next, 64, HY_ALIGN_8, &ignored);
    }
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_WRITE_AFTER_FREE);
    assert_ptr_equal(told->block, block);
    assert_ptr_equal(told->damage, block + 17);
    assert_int_equal(told->damage_bytes, 1);
    assert_called_by(&told->allocated, allocated);
    assert_called_by(&told->freed, freed);
    assert_string_equal(told->operation, "alloc");
}

static void a_write_after_free_is_told_at_deinit(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    char *block = hidden(hy_alloc(w.allocator, 64, HY_ALIGN_8));
    hy_free(w.allocator, block, 64, HY_ALIGN_8);
    poke(block, 0x42);
    assert_int_equal(hy_debug_deinit(&w.debug, NULL), HY_OK);
    watch_told(&w, 1, HY_DEBUG_WRITE_AFTER_FREE);
}

static void a_resize_of_a_freed_block_is_use_after_free(void **state) {
    watch *w = *state;
    const hy_vtable *slots = w->allocator.vtable;
    void *block = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    hy_free(w->allocator, block, 64, HY_ALIGN_8);
    assert_false(slots->resize(w->allocator.self, block, 64, 32, HY_ALIGN_8));
    assert_int_equal(watch_told(w, 1, HY_DEBUG_USE_AFTER_FREE)->freed.count > 0, true);
    assert_null(slots->remap(w->allocator.self, block, 64, 32, HY_ALIGN_8));
    assert_string_equal(watch_told(w, 2, HY_DEBUG_USE_AFTER_FREE)->operation, "remap");
}

static void a_free_inside_a_freed_block_is_invalid(void **state) {
    watch *w = *state;
    void *here;
    char *block = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    hy_free(w->allocator, block, 64, HY_ALIGN_8);
    give_back(w, block + 8, 8, HY_ALIGN_8, &here);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_INVALID_FREE);
    assert_true(told->is_freed);
    assert_ptr_equal(told->block, block);
    give_back(w, block, 1000, HY_ALIGN_8, &here);
    watch_told(w, 2, HY_DEBUG_DOUBLE_FREE);
}

/* The first of two that are gone, asked for in every way. */
static void what_is_gone_is_told_from_what_is_retained(void **state) {
    (void)state;
    watch w;
    void *here;
    hy_debug_config config = watch_config(&w);
    config.retain_metadata = true;
    config.retained_bytes = 0;
    watch_begin_over(&w, hy_libc(), &config);
    char *first = hidden(hy_alloc(w.allocator, 50000, HY_ALIGN_8));
    char *second = hidden(hy_alloc(w.allocator, 60000, HY_ALIGN_8));
    hy_free(w.allocator, first, 50000, HY_ALIGN_8);
    hy_free(w.allocator, second, 60000, HY_ALIGN_8);
    give_back(&w, first, 50000, HY_ALIGN_8, &here);
    assert_ptr_equal(watch_told(&w, 1, HY_DEBUG_DOUBLE_FREE)->block, first);
    give_back(&w, first + 100, 50, HY_ALIGN_8, &here);
    assert_ptr_equal(watch_told(&w, 2, HY_DEBUG_INVALID_FREE)->block, first);
    assert_false(hy_debug_resize(&w.debug, second, 60000, 10, HY_ALIGN_8));
    assert_ptr_equal(watch_told(&w, 3, HY_DEBUG_USE_AFTER_FREE)->block, second);
    watch_end(&w);
}

/* A child with one place for all that is large, so that memory which went back is soon another's. */
static _Alignas(16) char one_place[1 << 17];

static void *place_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return size > 50000 ? one_place : hy_alloc(hy_libc(), size, align);
}

static void place_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    if (ptr != one_place) hy_free(hy_libc(), ptr, size, align);
}

static void what_was_retained_may_be_anothers_now(void **state) {
    (void)state;
    static const hy_vtable vtable = {place_alloc, hy_refuse_resize, hy_refuse_remap, place_free};
    const hy_allocator child = {NULL, &vtable};
    watch w;
    void *here;
    hy_debug other;
    hy_debug_config config = watch_config(&w);
    config.retain_metadata = true;
    config.retained_bytes = 0;
    watch_begin_over(&w, child, &config);
    assert_int_equal(hy_debug_init(&other, child, &config), HY_OK);
    char *block = hidden(hy_debug_alloc(&w.debug, 60000, HY_ALIGN_8));
    hy_debug_free(&w.debug, block, 60000, HY_ALIGN_8);
    assert_ptr_equal(hy_debug_alloc(&other, 60000, HY_ALIGN_8), block);
    give_back(&w, block, 60000, HY_ALIGN_8, &here);
    const hy_debug_report *told = watch_told(&w, 1, HY_DEBUG_WRONG_INSTANCE);
    assert_ptr_equal(told->owner, &other);
    assert_false(told->is_freed);
    hy_debug_free(&other, block, 60000, HY_ALIGN_8);
    assert_int_equal(hy_debug_deinit(&other, NULL), HY_OK);
    watch_end(&w);
}

static void a_resize_with_a_wrong_size_is_told(void **state) {
    watch *w = *state;
    void *block = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    (void)w->allocator.vtable->resize(w->allocator.self, block, 60, 50, HY_ALIGN_8);
    const hy_debug_report *told = watch_told(w, 1, HY_DEBUG_SIZE_MISMATCH);
    assert_string_equal(told->operation, "resize");
    hy_free(w->allocator, block, 50, HY_ALIGN_8);
}

/* The record of the newest block of more than 2,000 bytes: the first of its chunk. */
static hy_debug_record *find_record(hy_debug *debug) {
    for (unsigned i = HY_DEBUG_LARGE; i-- > 0;) {
        if (debug->buckets[i].chunks) return hy_debug_record_at(debug, debug->buckets[i].chunks, 0);
    }
    return NULL;
}

static void a_damaged_record_is_told_and_its_slot_lost(void **state) {
    watch *w = *state;
    void *here;
    char *other = hidden(hy_alloc(w->allocator, 64, HY_ALIGN_8));
    char *block = hidden(hy_alloc(w->allocator, 2017, HY_ALIGN_8));
    find_record(&w->debug)->size = 3;
    assert_false(hy_debug_check(&w->debug));
    give_back(w, block, 2017, HY_ALIGN_8, &here);
    watch_told(w, 1, HY_DEBUG_CORRUPTED_METADATA);
    assert_true(hy_debug_check(&w->debug));
    give_back(w, block, 2017, HY_ALIGN_8, &here);
    watch_told(w, 2, HY_DEBUG_CORRUPTED_METADATA);
    hy_free(w->allocator, other, 64, HY_ALIGN_8);
    assert_int_equal(hy_debug_leaks(&w->debug), 0);
}

/* Damage that no argument of the call shows. */
static void a_record_is_not_believed_because_the_call_fits_it(void **state) {
    watch *w = *state;
    void *here;
    char *block = hidden(hy_alloc(w->allocator, 2017, HY_ALIGN_8));
    find_record(&w->debug)->alloc_frames = 31;
    give_back(w, block, 2017, HY_ALIGN_8, &here);
    watch_told(w, 1, HY_DEBUG_CORRUPTED_METADATA);
}

/* Nothing of it can be followed then, its word on its chunk neither. */
static void a_record_may_be_damaged_from_end_to_end(void **state) {
    watch *w = *state;
    void *here;
    char *block = hidden(hy_alloc(w->allocator, 2017, HY_ALIGN_8));
    find_record(&w->debug)->chunk = (hy_debug_chunk *)(void *)((char *)hidden(NULL) + 0x41414140);
    give_back(w, block, 2017, HY_ALIGN_8, &here);
    watch_told(w, 1, HY_DEBUG_CORRUPTED_METADATA);
    assert_true(hy_debug_check(&w->debug));
}

static void a_freed_record_may_be_damaged_from_end_to_end(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.quarantine_blocks = 0;
    watch_begin_over(&w, hy_libc(), &config);
    char *first = hidden(hy_alloc(w.allocator, 2017, HY_ALIGN_8));
    char *second = hidden(hy_alloc(w.allocator, 2017, HY_ALIGN_8));
    hy_free(w.allocator, second, 2017, HY_ALIGN_8);
    hy_free(w.allocator, first, 2017, HY_ALIGN_8);
    memset(find_record(&w.debug), 'A', sizeof(hy_debug_record)); /* the second's, which is the oldest */
    assert_ptr_equal(hy_alloc(w.allocator, 2017, HY_ALIGN_8), first);
    assert_string_equal(watch_told(&w, 1, HY_DEBUG_CORRUPTED_METADATA)->operation, "alloc");
    hy_free(w.allocator, first, 2017, HY_ALIGN_8);
    watch_end(&w);
}

static void a_scan_finds_a_damaged_record(void **state) {
    watch *w = *state;
    (void)hidden(hy_alloc(w->allocator, 2017, HY_ALIGN_8));
    find_record(&w->debug)->size = 4;
    assert_int_equal(hy_debug_scan(&w->debug), 1);
    watch_told(w, 1, HY_DEBUG_CORRUPTED_METADATA);
}

static void break_a_chunk(void) {
    hy_debug debug;
    hy_debug_init(&debug, hy_libc(), NULL);
    char *block = hidden(hy_alloc(hy_debug_allocator(&debug), 64, HY_ALIGN_8));
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        if (debug.buckets[i].chunks) debug.buckets[i].chunks->seal ^= 1;
    }
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}

static void a_damaged_chunk_ends_the_program(void **state) {
    (void)state;
    assert_dies_saying(break_a_chunk, "corrupted metadata");
}

static void leaks_are_listed_with_their_stacks(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    void *callers[3], *blocks[3];
    for (size_t i = 0; i < 3; i++)
        blocks[i] = allocate(&w, 100 + i, HY_ALIGN_8, &callers[i]);
    assert_int_equal(hy_debug_detect_leaks(&w.debug), 3);
    assert_int_equal(w.count, 3);
    hy_free(w.allocator, blocks[1], 101, HY_ALIGN_8);
    size_t leaks;
    assert_int_equal(hy_debug_deinit(&w.debug, &leaks), HY_LEAK);
    assert_int_equal(leaks, 2);
    assert_int_equal(w.count, 5);
    for (size_t i = 3; i < 5; i++) {
        assert_int_equal(w.reports[i].class_of_finding, HY_DEBUG_LEAK);
        assert_string_equal(w.reports[i].operation, "deinit");
        size_t which = w.reports[i].block_size - 100;
        assert_ptr_equal(w.reports[i].block, blocks[which]);
        assert_ptr_equal(w.reports[i].address, blocks[which]);
        assert_called_by(&w.reports[i].allocated, callers[which]);
    }
}

static int set_up(void **state) {
    static watch w;
    watch_begin(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state) {
    watch_end(*state);
    return 0;
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WATCHED(a_double_free_has_three_stacks),
        WATCHED(a_double_free_through_the_front_door_is_one_finding),
        WATCHED(an_invalid_free_says_where_in_which_block),
        WATCHED(an_address_that_was_never_handed_out_is_invalid),
        WATCHED(a_foreign_pointer_is_not_touched),
        WATCHED(a_free_to_another_instance_names_it),
        WATCHED(a_wrong_size_is_told_and_the_block_freed),
        WATCHED(a_wrong_size_through_the_front_door_is_one_finding),
        WATCHED(a_wrong_alignment_is_told_and_the_block_freed),
        WATCHED(one_byte_past_the_end_is_told),
        WATCHED(one_byte_before_the_start_is_told),
        WATCHED(large_blocks_are_guarded_too),
        cmocka_unit_test(large_blocks_are_filled_at_both_ends),
        WATCHED(a_scan_finds_damage_to_live_blocks_once),
        WATCHED(a_write_after_free_is_told_before_reuse),
        cmocka_unit_test(a_write_after_free_is_told_at_deinit),
        WATCHED(a_resize_of_a_freed_block_is_use_after_free),
        WATCHED(a_free_inside_a_freed_block_is_invalid),
        cmocka_unit_test(what_is_gone_is_told_from_what_is_retained),
        cmocka_unit_test(what_was_retained_may_be_anothers_now),
        WATCHED(a_resize_with_a_wrong_size_is_told),
        WATCHED(a_damaged_record_is_told_and_its_slot_lost),
        WATCHED(a_record_is_not_believed_because_the_call_fits_it),
        WATCHED(a_record_may_be_damaged_from_end_to_end),
        cmocka_unit_test(a_freed_record_may_be_damaged_from_end_to_end),
        WATCHED(a_scan_finds_a_damaged_record),
        cmocka_unit_test(a_damaged_chunk_ends_the_program),
        cmocka_unit_test(leaks_are_listed_with_their_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
