/* debug_test.c: what debug does beside telling misuse: configs, limits, counters, what it keeps, threads. */
#include "allocators/conformance/child.h"
#include "allocators/conformance/dies.h"

#include "allocators/strategies/debug_watch.h"
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/page.h>
#include <heapyard/raw_libc.h>
#include <heapyard/sweep.h>
#include <pthread.h>

static void a_leak_and_a_double_free_are_counted_and_the_program_goes_on(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    hy_debug *debug = &w.debug;
    size_t leaks_before = hy_debug_process_leaks(), frees_before = hy_debug_process_double_frees();
    void *kept = hidden(hy_alloc(w.allocator, 100, HY_ALIGN_8));
    void *freed = hidden(hy_debug_alloc(debug, 64, HY_ALIGN_8));
    assert_int_equal(peek(freed), 0xAA);
    hy_free(w.allocator, freed, 64, HY_ALIGN_8);
    assert_int_equal(peek(freed), 0xDD);
    hy_free(w.allocator, freed, 64, HY_ALIGN_8);
    assert_int_equal(hy_debug_leaks(debug), 1);
    assert_int_equal(hy_debug_double_frees(debug), 1);
    assert_int_equal(hy_debug_process_leaks(), leaks_before + 1);
    assert_int_equal(hy_debug_process_double_frees(), frees_before + 1);
    assert_non_null(kept);
    assert_int_equal(hy_debug_deinit(debug, NULL), HY_LEAK);
    assert_int_equal(hy_debug_process_leaks(), leaks_before + 1);
    assert_int_equal(hy_debug_process_double_frees(), frees_before + 1);
}

static void configs_that_make_no_sense_are_refused(void **state) {
    (void)state;
    hy_debug_config wrong[9];
    for (size_t i = 0; i < 9; i++)
        wrong[i] = hy_debug_defaults();
    wrong[0].stack_trace_frames = HY_DEBUG_FRAMES_MAX + 1;
    wrong[1].full_unwinder = true;
    wrong[1].stack_trace_frames = 0;
    wrong[2].memory_limit = 0;
    wrong[3].never_unmap = true;
    wrong[3].safety = false;
    wrong[4].fault_on_use = true;
    wrong[4].safety = false;
    wrong[5].fresh_byte = wrong[5].freed_byte;
    wrong[6].hook_context = wrong;
    wrong[7].tools = (hy_debug_tools)7;
    assert_null(hy_debug_config_problem(&wrong[8]));
    for (size_t i = 0; i < 8; i++) {
        hy_debug debug;
        assert_non_null(hy_debug_config_problem(&wrong[i]));
        assert_int_equal(hy_debug_init(&debug, hy_libc(), &wrong[i]), HY_INVALID);
        assert_null(hy_alloc(hy_debug_allocator(&debug), 8, HY_ALIGN_8));
        assert_int_equal(hy_debug_deinit(&debug, NULL), HY_OK);
    }
}

static void classes_have_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < HY_DEBUG_CLASS_COUNT; i++)
        assert_string_not_equal(hy_debug_class_name((hy_debug_class)i), "unknown");
    assert_string_equal(hy_debug_class_name(HY_DEBUG_CLASS_COUNT), "unknown");
}

static void the_bytes_are_the_configs(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.fresh_byte = 0x33;
    config.freed_byte = 0x55;
    watch_begin_over(&w, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&w.debug, 100, HY_ALIGN_8));
    assert_int_equal(peek(block + 99), 0x33);
    assert_true(hy_debug_resize(&w.debug, block, 100, 108, HY_ALIGN_8));
    assert_int_equal(peek(block + 107), 0x33);
    hy_debug_free(&w.debug, block, 108, HY_ALIGN_8);
    assert_int_equal(peek(block), 0x55);
    watch_end(&w);
}

static void the_limit_is_exact(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.memory_limit = 1000;
    watch_begin_over(&w, hy_libc(), &config);
    char *large = hy_alloc(w.allocator, 900, HY_ALIGN_8);
    assert_null(hy_alloc(w.allocator, 101, HY_ALIGN_8));
    char *small = hy_alloc(w.allocator, 90, HY_ALIGN_8);
    assert_false(hy_resize(w.allocator, small, 90, 101, HY_ALIGN_8));
    assert_true(hy_resize(w.allocator, small, 90, 93, HY_ALIGN_8));
    assert_int_equal(hy_debug_counted(&w.debug).live_bytes, 993);
    assert_null(hy_alloc(w.allocator, SIZE_MAX, HY_ALIGN_8));
    hy_free(w.allocator, large, 900, HY_ALIGN_8);
    large = hy_alloc(w.allocator, 907, HY_ALIGN_8);
    assert_non_null(large);
    hy_debug_counts counts = hy_debug_counted(&w.debug);
    assert_int_equal(counts.live_bytes, 1000);
    assert_int_equal(counts.peak_bytes, 1000);
    assert_int_equal(counts.refused_count, 3);
    hy_free(w.allocator, large, 907, HY_ALIGN_8);
    hy_free(w.allocator, small, 93, HY_ALIGN_8);
    watch_end(&w);
}

/* What the child refuses is not counted as taken. */
static void the_limit_is_exact_where_the_child_refuses(void **state) {
    (void)state;
    watch w;
    hy_failing failing;
    hy_debug_config config = watch_config(&w);
    config.memory_limit = 100000;
    hy_failing_init(&failing, hy_libc(), NULL);
    watch_begin_over(&w, hy_failing_allocator(&failing), &config);
    char *kept = hy_alloc(w.allocator, 100, HY_ALIGN_8);
    hy_failing_options options = {.fail_alloc_at = 0, .fail_resize_at = HY_FAILING_NEVER};
    hy_failing_init(&failing, hy_libc(), &options);
    for (int i = 0; i < 10; i++)
        assert_null(hy_alloc(w.allocator, 60000, HY_ALIGN_8));
    assert_int_equal(hy_debug_counted(&w.debug).live_bytes, 100);
    hy_failing_init(&failing, hy_libc(), NULL);
    char *large = hy_alloc(w.allocator, 99900, HY_ALIGN_8);
    assert_non_null(large);
    hy_free(w.allocator, large, 99900, HY_ALIGN_8);
    hy_free(w.allocator, kept, 100, HY_ALIGN_8);
    watch_end(&w);
}

static void *take_eighty(hy_debug *debug) {
    return hy_debug_alloc(debug, 80, HY_ALIGN_8);
}

typedef struct greedy {
    hy_debug debug;
    void *block;
    size_t told;
} greedy;

static void allocate_when_told(void *context, const hy_debug_report *report) {
    greedy *g = context;
    (void)report;
    g->told++;
    if (!g->block) g->block = take_eighty(&g->debug);
}

/* The slot has room for 96, the limit has not. */
static void growing_in_place_keeps_to_the_limit(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.memory_limit = 100;
    watch_begin_over(&w, hy_libc(), &config);
    char *first = hy_debug_alloc(&w.debug, 90, HY_ALIGN_8), *second = hy_debug_alloc(&w.debug, 5, HY_ALIGN_8);
    assert_false(hy_debug_resize(&w.debug, first, 90, 96, HY_ALIGN_8));
    assert_true(hy_debug_resize(&w.debug, first, 90, 95, HY_ALIGN_8));
    assert_int_equal(hy_debug_counted(&w.debug).total_bytes, 100);
    hy_debug_free(&w.debug, first, 95, HY_ALIGN_8);
    hy_debug_free(&w.debug, second, 5, HY_ALIGN_8);
    watch_end(&w);
}

/* A chunk that was to go back is in use again because of whoever is told what was written into it. */
static void memory_that_is_used_while_somebody_is_told_stays(void **state) {
    (void)state;
    greedy g = {.block = NULL};
    hy_debug_config config = hy_debug_defaults();
    config.tools = HY_DEBUG_TOOLS_NONE;
    config.quarantine_blocks = 0;
    config.hook = allocate_when_told;
    config.hook_context = &g;
    assert_int_equal(hy_debug_init(&g.debug, hy_libc(), &config), HY_OK);
    char *blocks[2] = {hidden(take_eighty(&g.debug)), hidden(take_eighty(&g.debug))};
    for (size_t i = 0; i < 2; i++)
        hy_debug_free(&g.debug, blocks[i], 80, HY_ALIGN_8);
    poke(blocks[1], 1);
    hy_debug_flush_retained(&g.debug);
    assert_int_equal(g.told, 1);
    assert_ptr_equal(g.block, blocks[0]);
    assert_true(hy_debug_owns(&g.debug, g.block));
    hy_debug_free(&g.debug, g.block, 80, HY_ALIGN_8);
    assert_int_equal(hy_debug_deinit(&g.debug, NULL), HY_OK);
}

/* Whoever is told during an allocation may take what the limit still allowed it. */
static void the_limit_holds_while_somebody_is_told(void **state) {
    (void)state;
    greedy g = {.block = NULL};
    hy_debug_config config = hy_debug_defaults();
    config.tools = HY_DEBUG_TOOLS_NONE;
    config.memory_limit = 100;
    config.quarantine_blocks = 0;
    config.hook = allocate_when_told;
    config.hook_context = &g;
    assert_int_equal(hy_debug_init(&g.debug, hy_libc(), &config), HY_OK);
    char *block = hidden(take_eighty(&g.debug));
    hy_debug_free(&g.debug, block, 80, HY_ALIGN_8);
    poke(block, 1);
    assert_null(take_eighty(&g.debug));
    assert_int_equal(g.told, 1);
    assert_non_null(g.block);
    assert_true(hy_debug_check(&g.debug));
    hy_debug_free(&g.debug, g.block, 80, HY_ALIGN_8);
    assert_int_equal(hy_debug_deinit(&g.debug, NULL), HY_OK);
}

static void small_blocks_do_not_ask_the_child(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    static void *blocks[1000];
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 1000; i++)
            blocks[i] = hy_alloc(w.allocator, 64, HY_ALIGN_8);
        for (size_t i = 0; i < 1000; i++)
            hy_free(w.allocator, blocks[i], 64, HY_ALIGN_8);
    }
    hy_debug_counts counts = hy_debug_counted(&w.debug);
    assert_int_equal(counts.alloc_count, 20000);
    assert_true(counts.child_calls < 40);
    watch_end(&w);
}

/* A freed block waits behind as many others as the config says, and not for ever. */
static void memory_serves_again_after_the_quarantine(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.quarantine_blocks = 10;
    watch_begin_over(&w, hy_libc(), &config);
    void *first = hidden(hy_alloc(w.allocator, 64, HY_ALIGN_8));
    hy_free(w.allocator, first, 64, HY_ALIGN_8);
    size_t later_frees = 0;
    for (;;) {
        void *next = hidden(hy_alloc(w.allocator, 64, HY_ALIGN_8));
        hy_free(w.allocator, next, 64, HY_ALIGN_8);
        if (next == first) break;
        later_frees++;
    }
    assert_int_equal(later_frees, 10);
    watch_end(&w);
}

/* How many blocks are freed before the first one's memory serves again. */
static size_t frees_before_reuse(watch *w, size_t size) {
    void *first = hidden(hy_alloc(w->allocator, size, HY_ALIGN_8));
    hy_free(w->allocator, first, size, HY_ALIGN_8);
    for (size_t frees = 0;; frees++) {
        void *next = hidden(hy_alloc(w->allocator, size, HY_ALIGN_8));
        hy_free(w->allocator, next, size, HY_ALIGN_8);
        if (next == first) return frees;
    }
}

/* Of the largest slots four wait, though they are more than the bytes that may; without safety none does. */
static void the_quarantine_is_as_long_as_blocks_are_large(void **state) {
    (void)state;
    for (int safety = 0; safety < 2; safety++) {
        watch w;
        hy_debug_config config = watch_config(&w);
        config.safety = safety;
        watch_begin_over(&w, hy_libc(), &config);
        assert_int_equal(frees_before_reuse(&w, 64), safety ? 64 : 0);
        assert_int_equal(frees_before_reuse(&w, 8000), safety ? 8 : 0);
        assert_int_equal(frees_before_reuse(&w, 32000), safety ? 4 : 0);
        watch_end(&w);
    }
}

/* Better no memory than memory that is still watched. */
static void never_unmap_holds_where_the_child_refuses(void **state) {
    (void)state;
    for (int never_unmap = 0; never_unmap < 2; never_unmap++) {
        watch w;
        hy_failing failing;
        hy_debug_config config = watch_config(&w);
        config.never_unmap = never_unmap;
        hy_failing_init(&failing, hy_libc(), NULL);
        watch_begin_over(&w, hy_failing_allocator(&failing), &config);
        size_t count = 0;
        void *block = hy_debug_alloc(&w.debug, 2000, HY_ALIGN_8);
        hy_failing_options options = {.fail_alloc_at = 0, .fail_resize_at = HY_FAILING_NEVER};
        hy_failing_init(&failing, hy_libc(), &options);
        for (; block && count < 100; count++) {
            hy_debug_free(&w.debug, block, 2000, HY_ALIGN_8);
            block = hy_debug_alloc(&w.debug, 2000, HY_ALIGN_8);
        }
        assert_int_equal(count < 100, never_unmap);
        if (block) hy_debug_free(&w.debug, block, 2000, HY_ALIGN_8);
        watch_end(&w);
    }
}

static void never_unmap_keeps_the_poison_and_tells_late_writes(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.never_unmap = true;
    config.retained_bytes = 0;
    watch_begin_over(&w, hy_page(), &config);
    char *first = hidden(hy_alloc(w.allocator, 64, HY_ALIGN_8));
    char *large = hidden(hy_alloc(w.allocator, 100000, HY_ALIGN_8));
    hy_free(w.allocator, first, 64, HY_ALIGN_8);
    hy_free(w.allocator, large, 100000, HY_ALIGN_8);
    for (int i = 0; i < 3000; i++) {
        char *next = hy_alloc(w.allocator, 64, HY_ALIGN_8);
        assert_ptr_not_equal(next, first);
        hy_free(w.allocator, next, 64, HY_ALIGN_8);
    }
    assert_int_equal(peek(first + 63), 0xDD);
    assert_int_equal(peek(large + 99999), 0xDD);
    poke(first + 5, 7);
    assert_int_equal(hy_debug_scan(&w.debug), 1);
    assert_ptr_equal(watch_told(&w, 1, HY_DEBUG_WRITE_AFTER_FREE)->damage, first + 5);
    hy_debug_free(&w.debug, large, 100000, HY_ALIGN_8);
    watch_told(&w, 2, HY_DEBUG_DOUBLE_FREE);
    hy_debug_flush_retained(&w.debug);
    assert_int_equal(hy_debug_counted(&w.debug).child_bytes, 0);
    watch_end(&w);
}

/* The memory is gone, the record is not. */
static void double_free_of(bool retain_metadata, hy_debug_class class_of_finding) {
    watch w;
    hy_debug_config config = watch_config(&w);
    config.retain_metadata = retain_metadata;
    config.retained_bytes = 0;
    watch_begin_over(&w, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&w.debug, 100000, HY_ALIGN_8));
    hy_debug_free(&w.debug, block, 100000, HY_ALIGN_8);
    assert_int_equal(hy_debug_counted(&w.debug).child_bytes, 0);
    assert_false(hy_debug_owns(&w.debug, block));
    hy_debug_free(&w.debug, block, 100000, HY_ALIGN_8);
    const hy_debug_report *told = watch_told(&w, 1, class_of_finding);
    assert_int_equal(told->has_block, retain_metadata);
    assert_int_equal(told->freed.count > 0, retain_metadata);
    hy_debug_flush_retained(&w.debug);
    hy_debug_free(&w.debug, block, 100000, HY_ALIGN_8);
    watch_told(&w, 2, HY_DEBUG_FOREIGN_POINTER);
    watch_end(&w);
}

static void retained_metadata_tells_a_double_free_after_the_memory_went(void **state) {
    (void)state;
    double_free_of(true, HY_DEBUG_DOUBLE_FREE);
    double_free_of(false, HY_DEBUG_FOREIGN_POINTER);
}

static void read_after_free(void) {
    signal(SIGSEGV, SIG_DFL);
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.fault_on_use = true;
    config.tools = HY_DEBUG_TOOLS_NONE;
    hy_debug_init(&debug, hy_page(), &config);
    char *block = hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    *block = 1;
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
    _exit(peek(block));
}

static void fault_on_use_faults(void **state) {
    (void)state;
    int status = status_of_child(read_after_free, STDERR_FILENO);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void fault_on_use_serves_and_tells_as_ever(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.fault_on_use = true;
    watch_begin_over(&w, hy_libc(), &config);
    char *left = hy_debug_alloc(&w.debug, 64, HY_ALIGN_8);
    char *right = hy_debug_alloc(&w.debug, 5000, HY_ALIGN_64);
    assert_true(hy_debug_resize(&w.debug, left, 64, 200, HY_ALIGN_8));
    assert_false(hy_debug_resize(&w.debug, right, 5000, 50000, HY_ALIGN_64));
    poke(right + 5000, 1);
    hy_debug_free(&w.debug, right, 5000, HY_ALIGN_64);
    watch_told(&w, 1, HY_DEBUG_OVERFLOW);
    hy_debug_free(&w.debug, left, 200, HY_ALIGN_8);
    hy_debug_free(&w.debug, left, 200, HY_ALIGN_8);
    watch_told(&w, 2, HY_DEBUG_DOUBLE_FREE);
    for (int i = 0; i < 2000; i++)
        hy_debug_free(&w.debug, hy_debug_alloc(&w.debug, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
    assert_true(hy_debug_counted(&w.debug).child_bytes <= config.retained_bytes);
    watch_end(&w);
}

static void large_blocks_resize_where_the_child_can(void **state) {
    (void)state;
    static hy_child child;
    watch w;
    hy_debug_config config = watch_config(&w);
    hy_allocator strict = hy_child_plain(&child);
    child.faults.grows = true;
    watch_begin_over(&w, strict, &config);
    hy_free(w.allocator, hy_alloc(w.allocator, 40000, HY_ALIGN_8), 40000, HY_ALIGN_8);
    /* Its own tables lie below by now: the child's topmost block can grow. */
    char *block = hy_alloc(w.allocator, 40000, HY_ALIGN_8);
    block[39999] = 'x';
    assert_true(hy_resize(w.allocator, block, 40000, 60000, HY_ALIGN_8));
    assert_int_equal(block[39999], 'x');
    assert_true(hy_debug_check(&w.debug));
    assert_true(hy_debug_owns(&w.debug, block + 59999));
    assert_true(hy_resize(w.allocator, block, 60000, 34000, HY_ALIGN_8));
    assert_false(hy_debug_owns(&w.debug, block + 40000));
    poke(block + 34000, 0);
    hy_free(w.allocator, block, 34000, HY_ALIGN_8);
    watch_told(&w, 1, HY_DEBUG_OVERFLOW);
    watch_end(&w);
    assert_int_equal(child.counts.live_bytes, 0);
}

/* Of a chunk that the child refuses a half is asked for, and so on, down to one slot. */
static void small_chunks_serve_where_large_ones_are_refused(void **state) {
    (void)state;
    static hy_child child;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.stack_trace_frames = 0;
    hy_allocator strict = hy_child_plain(&child);
    child.size_max = 1024;
    watch_begin_over(&w, strict, &config);
    void *blocks[10];
    for (size_t i = 0; i < 10; i++) {
        blocks[i] = hy_alloc(w.allocator, 64, HY_ALIGN_8);
        assert_non_null(blocks[i]);
    }
    assert_int_equal(hy_debug_counted(&w.debug).refused_count, 0);
    for (size_t i = 0; i < 10; i++)
        hy_free(w.allocator, blocks[i], 64, HY_ALIGN_8);
    watch_end(&w);
    assert_int_equal(child.counts.live_bytes, 0);
}

static void it_works_over_any_child(void **state) {
    (void)state;
    static char buffer[1 << 18];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    const hy_allocator children[] = {hy_libc(), hy_raw_libc(), hy_page(), hy_fixed_buffer_allocator(&fixed)};
    for (size_t i = 0; i < sizeof children / sizeof children[0]; i++) {
        watch w;
        hy_debug_config config = watch_config(&w);
        watch_begin_over(&w, children[i], &config);
        void *blocks[64];
        for (size_t b = 0; b < 64; b++) {
            blocks[b] = hy_alloc(w.allocator, 1 + b * 13, (hy_align){(uint8_t)(b % 9)});
            assert_non_null(blocks[b]);
            memset(blocks[b], 1, 1 + b * 13);
        }
        assert_true(hy_debug_check(&w.debug));
        for (size_t b = 0; b < 64; b++)
            hy_free(w.allocator, blocks[b], 1 + b * 13, (hy_align){(uint8_t)(b % 9)});
        watch_end(&w);
    }
}

static hy_error use_debug(hy_allocator child, void *argument) {
    hy_debug_config config = hy_debug_defaults();
    config.retain_metadata = *(bool *)argument;
    config.retained_bytes = 4096;
    hy_debug debug;
    hy_error result = hy_debug_init(&debug, child, &config);
    hy_allocator gpa = hy_debug_allocator(&debug);
    static const size_t sizes[] = {1, 64, 3000, 70000, 100, 33000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && result == HY_OK; i++) {
        char *block = hy_alloc(gpa, sizes[i], HY_ALIGN_16);
        if (!block) result = HY_OUT_OF_MEMORY;
        char *moved = block ? hy_realloc(gpa, block, sizes[i], sizes[i] * 2, HY_ALIGN_16) : NULL;
        if (!moved) result = HY_OUT_OF_MEMORY;
        if (moved) hy_free(gpa, moved, sizes[i] * 2, HY_ALIGN_16);
        if (block && !moved) hy_free(gpa, block, sizes[i], HY_ALIGN_16);
        if (!hy_debug_check(&debug)) result = HY_INVALID;
    }
    if (hy_debug_deinit_quietly(&debug, NULL) != HY_OK) result = HY_LEAK;
    return result;
}

/* A smaller chunk may serve where a larger one was refused, so that nothing need be told to the user. */
static void every_refusal_of_the_child_is_survived(void **state) {
    (void)state;
    for (int retain = 0; retain < 2; retain++) {
        bool argument = retain;
        hy_sweep_report report;
        hy_sweep_result result = hy_check_all_allocation_failures(use_debug, hy_libc(), &argument, &report);
        assert_true(result == HY_SWEEP_OK || (result == HY_SWEEP_SWALLOWED && report.returned == HY_OK));
    }
}

static void a_quiet_deinit_says_nothing_and_frees_everything(void **state) {
    (void)state;
    watch w;
    hy_counting counting;
    hy_debug_config config = watch_config(&w);
    hy_counting_init(&counting, hy_libc());
    watch_begin_over(&w, hy_counting_allocator(&counting), &config);
    for (size_t size = 1; size < 200000; size *= 3)
        assert_non_null(hidden(hy_alloc(w.allocator, size, HY_ALIGN_8)));
    size_t leaks = 0;
    assert_int_equal(hy_debug_deinit_quietly(&w.debug, &leaks), HY_LEAK);
    assert_int_equal(leaks, 12);
    assert_int_equal(w.count, 0);
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void without_safety_leaks_and_wrong_calls_are_told(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.safety = false;
    watch_begin_over(&w, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&w.debug, 64, HY_ALIGN_8));
    poke(block + 64, 1);
    hy_debug_free(&w.debug, block, 60, HY_ALIGN_8);
    watch_told(&w, 1, HY_DEBUG_SIZE_MISMATCH);
    hy_debug_free(&w.debug, block, 64, HY_ALIGN_8);
    watch_told(&w, 2, HY_DEBUG_DOUBLE_FREE);
    watch_end(&w);
}

/* Resizing keeps contents and counts in every form. */
static void forms_differ_in_what_they_tell_alone(void **state) {
    (void)state;
    for (unsigned form = 0; form < 12; form++) {
        watch w;
        hy_debug_config config = watch_config(&w);
        config.tools = (hy_debug_tools)(form % 3);
        config.safety = form / 3 % 2;
        config.thread_safe = form / 6;
        watch_begin_over(&w, hy_libc(), &config);
        char *block = hy_alloc(w.allocator, 30, HY_ALIGN_32);
        memset(block, 'x', 30);
        assert_true(hy_resize(w.allocator, block, 30, 32, HY_ALIGN_32));
        assert_int_equal(block[29], 'x');
        assert_true(hy_resize(w.allocator, block, 32, 7, HY_ALIGN_32));
        block = hy_realloc(w.allocator, block, 7, 70000, HY_ALIGN_32);
        assert_int_equal(block[6], 'x');
        assert_int_equal(hy_debug_counted(&w.debug).live_bytes, 70000);
        hy_free(w.allocator, block, 70000, HY_ALIGN_32);
        for (int i = 0; i < 200; i++)
            hy_free(w.allocator, hy_alloc(w.allocator, 30, HY_ALIGN_32), 30, HY_ALIGN_32);
        watch_end(&w);
    }
}

/* A child that uses at once what it gets back. */
static void *wiping_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return hy_alloc(hy_libc(), size, align);
}

static bool wiping_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)align;
    if (new_size > old_size) return false;
    memset((char *)ptr + new_size, 0, old_size - new_size);
    return true;
}

static void wiping_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)size;
    memset(ptr, 0, size);
    hy_free(hy_libc(), ptr, size, align);
}

static void what_goes_back_to_the_child_may_be_touched(void **state) {
    (void)state;
    static const hy_vtable vtable = {wiping_alloc, wiping_resize, hy_refuse_remap, wiping_free};
    for (unsigned form = 0; form < 6; form++) {
        watch w;
        hy_debug_config config = watch_config(&w);
        config.tools = (hy_debug_tools)(form % 3);
        config.safety = form / 3;
        watch_begin_over(&w, (hy_allocator){NULL, &vtable}, &config);
        void *block = hy_debug_alloc(&w.debug, 200000, HY_ALIGN_8);
        assert_true(hy_debug_resize(&w.debug, block, 200000, 70000, HY_ALIGN_8));
        hy_debug_free(&w.debug, block, 70000, HY_ALIGN_8);
        watch_end(&w);
    }
}

#if HY_ASAN
static void end_in_asan(hy_debug_tools tools, size_t at, bool frees) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.tools = tools;
    hy_debug_init(&debug, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    if (frees) hy_debug_free(&debug, block, 64, HY_ALIGN_8);
    _exit(peek(block + at) ? 0 : 1);
}

static void read_a_guard(void) {
    end_in_asan(HY_DEBUG_TOOLS_GUARDS, 64, false);
}

static void read_freed_memory(void) {
    end_in_asan(HY_DEBUG_TOOLS_ALL, 0, true);
}

static void assert_asan_tells(void (*function)(void)) {
    FILE *said = tmpfile();
    assert_non_null(said);
    static char words[1 << 16];
    assert_int_not_equal(status_of_child(function, fileno(said)), 0);
    rewind(said);
    words[fread(words, 1, sizeof words - 1, said)] = '\0';
    fclose(said);
    assert_non_null(strstr(words, "use-after-poison"));
}

static void asan_is_told_what_the_config_says(void **state) {
    (void)state;
    assert_asan_tells(read_a_guard);
    assert_asan_tells(read_freed_memory);
}
#endif

static void stacks_are_as_deep_as_asked(void **state) {
    (void)state;
    static const size_t depths[] = {0, 1, 3, HY_DEBUG_FRAMES_MAX};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        for (int full = 0; full < 2; full++) {
            if (full && depths[i] == 0) continue;
            watch w;
            hy_debug_config config = watch_config(&w);
            config.stack_trace_frames = depths[i];
            config.full_unwinder = full;
            watch_begin_over(&w, hy_libc(), &config);
            (void)hidden(hy_debug_alloc(&w.debug, 8, HY_ALIGN_8));
            assert_int_equal(hy_debug_deinit(&w.debug, NULL), HY_LEAK);
            size_t count = watch_told(&w, 1, HY_DEBUG_LEAK)->allocated.count;
            assert_true(count <= depths[i] && (count > 0) == (depths[i] > 0));
        }
    }
}

/* The hook uses the allocator that it is told about. */
static void allocate_in_hook(void *context, const hy_debug_report *report) {
    watch *w = context;
    watch_hook(w, report);
    void *block = hy_debug_alloc(&w->debug, 64, HY_ALIGN_8);
    assert_non_null(block);
    hy_debug_free(&w->debug, block, 64, HY_ALIGN_8);
}

static void a_hook_may_use_the_allocator(void **state) {
    (void)state;
    watch w;
    hy_debug_config config = watch_config(&w);
    config.hook = allocate_in_hook;
    config.retained_bytes = 0;
    watch_begin_over(&w, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&w.debug, 64, HY_ALIGN_8));
    char *freed = hidden(hy_debug_alloc(&w.debug, 64, HY_ALIGN_8));
    hy_debug_free(&w.debug, freed, 64, HY_ALIGN_8);
    hy_debug_free(&w.debug, freed, 64, HY_ALIGN_8);
    watch_told(&w, 1, HY_DEBUG_DOUBLE_FREE);
    poke(freed, 1);
    assert_int_equal(hy_debug_detect_leaks(&w.debug), 1);
    assert_int_equal(hy_debug_scan(&w.debug), 1);
    watch_told(&w, 3, HY_DEBUG_WRITE_AFTER_FREE);
    poke(block - 3, 1);
    hy_debug_free(&w.debug, block, 64, HY_ALIGN_8);
    watch_told(&w, 4, HY_DEBUG_UNDERFLOW);
    watch_end(&w);
}

static void double_free_and_abort(void) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.name = "strict";
    config.abort_on_report = true;
    hy_debug_init(&debug, hy_libc(), &config);
    void *block = hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}

static void overflow_and_abort(void) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.tools = HY_DEBUG_TOOLS_NONE;
    config.abort_on_report = true;
    hy_debug_init(&debug, hy_libc(), &config);
    char *block = hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    memset(block + 64, 'x', 3);
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}

static void leak_and_print(void) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.leaks_printed = 2;
    hy_debug_init(&debug, hy_libc(), &config);
    for (int i = 0; i < 5; i++)
        (void)hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    if (hy_debug_deinit(&debug, NULL) == HY_LEAK) abort();
}

#if HY_CHECK >= 1
static void use_after_deinit(void) {
    hy_debug debug;
    hy_debug_init(&debug, hy_libc(), NULL);
    void *block = hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    hy_debug_deinit_quietly(&debug, NULL);
    hy_debug_free(&debug, block, 64, HY_ALIGN_8);
}
#endif

static void reports_are_printed_for_people(void **state) {
    (void)state;
    assert_dies_saying(double_free_and_abort, "heapyard: double free: free of 0x");
    assert_dies_saying(double_free_and_abort, "in the debug allocator \"strict\"");
    assert_dies_saying(double_free_and_abort, "first freed, by thread");
    assert_dies_saying(
        overflow_and_abort, "heapyard: overflow: 3 bytes written behind a block of 64 bytes at 0x");
    assert_dies_saying(overflow_and_abort, " 78 78 78 ");
    assert_dies_saying(overflow_and_abort, " ^^ ^^ ^^");
    assert_dies_saying(leak_and_print, "heapyard: leak: a block of 64 bytes at 0x");
    assert_dies_saying(leak_and_print, "leak: and 3 blocks more, 320 bytes in all");
#if HY_CHECK >= 1
    assert_dies_saying(use_after_deinit, "a debug allocator between init and deinit");
#endif
}

static void the_process_has_an_instance(void **state) {
    (void)state;
    hy_debug *process = hy_debug_process();
    assert_ptr_equal(process, hy_debug_process());
    size_t live = hy_debug_process_counted().live_bytes;
    void *block = hy_alloc(hy_debug_allocator(process), 1000, HY_ALIGN_8);
    assert_int_equal(hy_debug_process_counted().live_bytes, live + 1000);
    hy_free(hy_debug_allocator(process), block, 1000, HY_ALIGN_8);
    assert_int_equal(hy_debug_process_counted().live_bytes, live);
}

static void an_instance_that_ended_has_left_no_memory(void **state) {
    (void)state;
    hy_debug_counts before = hy_debug_process_counted();
    watch w;
    watch_begin(&w);
    (void)hidden(hy_debug_alloc(&w.debug, 1000, HY_ALIGN_8));
    assert_true(hy_debug_process_counted().child_bytes > before.child_bytes);
    assert_true(hy_debug_process_counted().overhead_bytes > before.overhead_bytes);
    assert_int_equal(hy_debug_deinit_quietly(&w.debug, NULL), HY_LEAK);
    hy_debug_counts after = hy_debug_process_counted();
    assert_int_equal(after.child_bytes, before.child_bytes);
    assert_int_equal(after.overhead_bytes, before.overhead_bytes);
    assert_int_equal(after.live_bytes, before.live_bytes + 1000);
    assert_int_equal(after.peak_bytes, before.peak_bytes + 1000);
}

#define THREADS 4

/* Threads free what others allocated: a table of slots that all swap with. */
static struct {
    watch w;
    void *slots[64];
} shared;

static void *swap_blocks(void *argument) {
    uint64_t random = (uintptr_t)argument * 0x9E3779B97F4A7C15u + 1;
    for (int i = 0; i < 3000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t at = random >> 58;
        char *fresh = hy_alloc(shared.w.allocator, 1 + at * 5, HY_ALIGN_8);
        if (!fresh) return argument;
        fresh[at * 5] = 1;
        void *old = __atomic_exchange_n(&shared.slots[at], fresh, __ATOMIC_ACQ_REL);
        hy_free(shared.w.allocator, old, 1 + at * 5, HY_ALIGN_8);
        if (i % 500 == 0) (void)hy_debug_scan(&shared.w.debug);
    }
    return NULL;
}

static void threads_share_an_instance(void **state) {
    (void)state;
    watch_begin(&shared.w);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, swap_blocks, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *refused;
        assert_int_equal(pthread_join(threads[i], &refused), 0);
    }
    assert_true(hy_debug_check(&shared.w.debug));
    assert_int_equal(hy_debug_detect_leaks(&shared.w.debug), 64);
    bool is_known[2] = {false, false};
    for (size_t i = 0; i < WATCH_MAX; i++)
        is_known[shared.w.reports[i].allocated.thread == shared.w.reports[i].here.thread] = true;
    assert_true(is_known[0] && !is_known[1]); /* all were allocated by other threads, and it says so */
    shared.w.count = 0;
    for (size_t at = 0; at < 64; at++)
        hy_free(shared.w.allocator, shared.slots[at], 1 + at * 5, HY_ALIGN_8);
    assert_int_equal(shared.w.count, 0);
    watch_end(&shared.w);
}

typedef struct errand {
    hy_debug *debug;
    void *block;
} errand;

static void *free_elsewhere(void *argument) {
    errand *e = argument;
    hy_debug_free(e->debug, e->block, 64, HY_ALIGN_8);
    return NULL;
}

static void a_report_says_which_thread_freed(void **state) {
    (void)state;
    watch w;
    watch_begin(&w);
    errand e = {&w.debug, hy_debug_alloc(&w.debug, 64, HY_ALIGN_8)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_elsewhere, &e), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    hy_debug_free(&w.debug, e.block, 64, HY_ALIGN_8);
    const hy_debug_report *told = watch_told(&w, 1, HY_DEBUG_DOUBLE_FREE);
    assert_int_equal(told->allocated.thread, told->here.thread);
    assert_int_not_equal(told->freed.thread, told->here.thread);
    assert_int_not_equal(told->freed.thread, 0);
    watch_end(&w);
}

/* A child whose resize lasts until somebody waits for the lock: then both are at one block. */
typedef struct slow_child {
    hy_debug *debug;
    int inside;
} slow_child;

static void *slow_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return hy_alloc(hy_libc(), size, align);
}

static bool slow_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    slow_child *child = self;
    (void)ptr, (void)old_size, (void)new_size, (void)align;
    __atomic_store_n(&child->inside, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&child->debug->waiters, __ATOMIC_ACQUIRE) == 0)
        continue;
    return false;
}

static void slow_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    hy_free(hy_libc(), ptr, size, align);
}

static const hy_vtable slow_vtable = {slow_alloc, slow_resize, hy_refuse_remap, slow_free};

typedef struct racing {
    watch *w;
    void *block;
} racing;

static void *resize_slowly(void *argument) {
    racing *r = argument;
    bool resized = hy_debug_resize(&r->w->debug, r->block, 50000, 90000, HY_ALIGN_8);
    return resized ? argument : NULL;
}

static void use_during_an_operation_of_another_thread_is_told(void **state) {
    (void)state;
    watch w;
    slow_child child = {&w.debug, 0};
    hy_debug_config config = watch_config(&w);
    watch_begin_over(&w, (hy_allocator){&child, &slow_vtable}, &config);
    racing r = {&w, hy_debug_alloc(&w.debug, 50000, HY_ALIGN_8)};
    pthread_t thread;
    void *resized;
    assert_int_equal(pthread_create(&thread, NULL, resize_slowly, &r), 0);
    while (__atomic_load_n(&child.inside, __ATOMIC_ACQUIRE) == 0)
        continue;
    hy_debug_free(&w.debug, r.block, 50000, HY_ALIGN_8);
    assert_int_equal(pthread_join(thread, &resized), 0);
    assert_null(resized);
    const hy_debug_report *told = watch_told(&w, 1, HY_DEBUG_CONCURRENT_USE);
    assert_ptr_equal(told->block, r.block);
    assert_true(told->allocated.count > 0 && told->here.count > 0);
    watch_end(&w);
}

/* The same without a lock: whoever comes in finds somebody inside, is told, and waits. */
static void an_instance_for_one_thread_notices_a_second(void **state) {
    (void)state;
    for (int frees = 0; frees < 2; frees++) {
        watch w;
        slow_child child = {&w.debug, 0};
        hy_debug_config config = watch_config(&w);
        config.thread_safe = false;
        watch_begin_over(&w, (hy_allocator){&child, &slow_vtable}, &config);
        racing r = {&w, hy_debug_alloc(&w.debug, 50000, HY_ALIGN_8)};
        void *block = hy_debug_alloc(&w.debug, 64, HY_ALIGN_8);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, resize_slowly, &r), 0);
        while (__atomic_load_n(&child.inside, __ATOMIC_ACQUIRE) == 0)
            continue;
        if (frees)
            hy_debug_free(&w.debug, block, 64, HY_ALIGN_8);
        else
            hy_debug_free(&w.debug, hy_debug_alloc(&w.debug, 64, HY_ALIGN_8), 64, HY_ALIGN_8);
        assert_int_equal(pthread_join(thread, NULL), 0);
        watch_told(&w, 1, HY_DEBUG_CONCURRENT_USE);
        if (!frees) hy_debug_free(&w.debug, block, 64, HY_ALIGN_8);
        hy_debug_free(&w.debug, r.block, 50000, HY_ALIGN_8);
        watch_end(&w);
    }
}

#if HY_CHECK >= 1
static hy_debug *recursive;

static void *alloc_through_debug(void *self, size_t size, hy_align align) {
    (void)self;
    return hy_debug_alloc(recursive, size, align);
}

static void call_back(void) {
    static const hy_vtable vtable = {alloc_through_debug, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};
    hy_debug debug;
    recursive = &debug;
    hy_debug_init(&debug, (hy_allocator){NULL, &vtable}, NULL);
    (void)hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
}

static void a_child_that_calls_back_is_misuse(void **state) {
    (void)state;
    assert_dies_saying(call_back, "its own child called it back");
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_and_a_double_free_are_counted_and_the_program_goes_on),
        cmocka_unit_test(configs_that_make_no_sense_are_refused),
        cmocka_unit_test(classes_have_names),
        cmocka_unit_test(the_bytes_are_the_configs),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(the_limit_is_exact_where_the_child_refuses),
        cmocka_unit_test(growing_in_place_keeps_to_the_limit),
        cmocka_unit_test(memory_that_is_used_while_somebody_is_told_stays),
        cmocka_unit_test(the_limit_holds_while_somebody_is_told),
        cmocka_unit_test(small_blocks_do_not_ask_the_child),
        cmocka_unit_test(memory_serves_again_after_the_quarantine),
        cmocka_unit_test(the_quarantine_is_as_long_as_blocks_are_large),
        cmocka_unit_test(never_unmap_holds_where_the_child_refuses),
        cmocka_unit_test(never_unmap_keeps_the_poison_and_tells_late_writes),
        cmocka_unit_test(retained_metadata_tells_a_double_free_after_the_memory_went),
        cmocka_unit_test(fault_on_use_faults),
        cmocka_unit_test(fault_on_use_serves_and_tells_as_ever),
        cmocka_unit_test(large_blocks_resize_where_the_child_can),
        cmocka_unit_test(small_chunks_serve_where_large_ones_are_refused),
        cmocka_unit_test(it_works_over_any_child),
        cmocka_unit_test(every_refusal_of_the_child_is_survived),
        cmocka_unit_test(a_quiet_deinit_says_nothing_and_frees_everything),
        cmocka_unit_test(without_safety_leaks_and_wrong_calls_are_told),
        cmocka_unit_test(forms_differ_in_what_they_tell_alone),
        cmocka_unit_test(what_goes_back_to_the_child_may_be_touched),
#if HY_ASAN
        cmocka_unit_test(asan_is_told_what_the_config_says),
#endif
        cmocka_unit_test(stacks_are_as_deep_as_asked),
        cmocka_unit_test(a_hook_may_use_the_allocator),
        cmocka_unit_test(reports_are_printed_for_people),
        cmocka_unit_test(the_process_has_an_instance),
        cmocka_unit_test(an_instance_that_ended_has_left_no_memory),
        cmocka_unit_test(threads_share_an_instance),
        cmocka_unit_test(a_report_says_which_thread_freed),
        cmocka_unit_test(use_during_an_operation_of_another_thread_is_told),
        cmocka_unit_test(an_instance_for_one_thread_notices_a_second),
#if HY_CHECK >= 1
        cmocka_unit_test(a_child_that_calls_back_is_misuse),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
