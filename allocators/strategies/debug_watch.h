/* debug_watch.h: for the tests of debug: an instance whose findings are kept to be looked at. Include what
 * brings cmocka's assertions before it. */
#ifndef HEAPYARD_STRATEGIES_DEBUG_WATCH_H
#define HEAPYARD_STRATEGIES_DEBUG_WATCH_H

#include <heapyard/debug.h>
#include <heapyard/libc.h>

#define WATCH_MAX 16

typedef struct watch {
    hy_debug debug;
    hy_allocator allocator;
    size_t count;
    hy_debug_report reports[WATCH_MAX]; /* the first ones */
} watch;

static inline void watch_hook(void *context, const hy_debug_report *report) {
    watch *w = context;
    if (w->count < WATCH_MAX) w->reports[w->count] = *report;
    w->count++;
}

/* The tests write where they must not: ASan and Valgrind know nothing of it, so that the finding is ours. */
static inline hy_debug_config watch_config(watch *w) {
    hy_debug_config config = hy_debug_defaults();
    config.tools = HY_DEBUG_TOOLS_NONE;
    config.hook = watch_hook;
    config.hook_context = w;
    return config;
}

static inline void watch_begin_over(watch *w, hy_allocator child, const hy_debug_config *config) {
    w->count = 0;
    assert_int_equal(hy_debug_init(&w->debug, child, config), HY_OK);
    w->allocator = hy_debug_allocator(&w->debug);
}

static inline void watch_begin(watch *w) {
    hy_debug_config config = watch_config(w);
    watch_begin_over(w, hy_libc(), &config);
}

/* Everything was reported, nothing lives, all holds. */
static inline void watch_end(watch *w) {
    size_t reported = w->count;
    assert_true(hy_debug_check(&w->debug));
    assert_int_equal(hy_debug_deinit(&w->debug, NULL), HY_OK);
    assert_int_equal(w->count, reported);
}

/* The newest finding, which must be the `count`th. */
static inline const hy_debug_report *watch_told(
    const watch *w, size_t count, hy_debug_class class_of_finding) {
    assert_int_equal(w->count, count);
    const hy_debug_report *report = &w->reports[count - 1];
    assert_string_equal(hy_debug_class_name(report->class_of_finding), hy_debug_class_name(class_of_finding));
    assert_ptr_equal(report->instance, &w->debug);
    return report;
}

/* Compiled code that can't be seen through. */
static inline void *hidden(void *ptr) {
    __asm__ volatile("" : "+r"(ptr));
    return ptr;
}

static inline void poke(void *at, uint8_t byte) {
    *(volatile uint8_t *)hidden(at) = byte;
}

static inline uint8_t peek(const void *at) {
    return *(const volatile uint8_t *)at;
}

#endif
