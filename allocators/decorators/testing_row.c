/* testing_row.c: how the yards know testing. */
#include "allocators/strategies/debug_row.h"
#include <heapyard/libc.h>
#include <heapyard/testing.h>
#include <heapyard/typed.h>

/* The row's instance: a test that fails by a call, made and ended as a fixture is. */
typedef struct instance {
    hy_testing *testing;  /* NULL: there is none any more */
    hy_misuse_sink *sink; /* of whoever watches */
    hy_misuses heard;     /* what was reported can mean: told once the test has failed for it */
    bool has_failed;
} instance;

static void failed(void *context, const char *verdict) {
    instance *made = context;
    (void)verdict;
    made->has_failed = true;
}

/* False: out of memory. */
static bool begin(instance *made, hy_allocator child) {
    hy_testing_options options = hy_testing_defaults();
    options.child = child;
    options.on_failure = HY_TESTING_CALL;
    options.failed = failed;
    options.context = made;
    made->sink = NULL;
    made->heard = 0;
    made->has_failed = false;
    made->testing = hy_create(hy_libc(), hy_testing);
    if (made->testing) (void)hy_testing_init(made->testing, &options);
    return made->testing != NULL;
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    if (!begin(made, config->child)) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    *out = hy_testing_allocator(made->testing);
    return made;
}

static hy_testing *testing_of(void *state) {
    return ((instance *)state)->testing;
}

/* Yards end instances with blocks that live; what is written into memory is told all the same. */
static void destroy(const hy_row *row, void *state) {
    (void)row;
    instance *made = state;
    if (made->testing) {
        (void)hy_debug_scan(&made->testing->debug);
        (void)hy_debug_deinit_quietly(&made->testing->debug, NULL);
        hy_destroy(hy_libc(), made->testing);
    }
    hy_destroy(hy_libc(), made);
}

static bool owns(void *state, const void *ptr) {
    return hy_debug_owns(&testing_of(state)->debug, ptr);
}

static bool check(void *state) {
    return hy_debug_check(&testing_of(state)->debug);
}

static bool stats(void *state, hy_stats *out) {
    hy_debug_counts counts = hy_debug_counted(&testing_of(state)->debug);
    *out = (hy_stats){
        .capacity_bytes = counts.child_bytes,
        .used_bytes = counts.live_bytes,
        .overhead_bytes = counts.overhead_bytes,
        .high_water_bytes = counts.peak_bytes,
        .calls_count = (size_t)counts.child_calls,
    };
    return true;
}

static void tells(void *state, hy_told *out) {
    if (testing_of(state)) out->numbers[HY_TOLD_FINDINGS] = hy_testing_findings(testing_of(state));
}

/* Whether nothing was found. */
static bool scan(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_testing *testing = testing_of(state);
    return hy_debug_scan(&testing->debug) == 0 && hy_testing_findings(testing) == 0;
}

static bool flush(void *state, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_debug_flush_retained(&testing_of(state)->debug);
    return true;
}

static const hy_row_operation operations[] = {
    {"scan", HY_EFFECT_NONE, true, scan},
    {"flush", HY_EFFECT_NONE, true, flush},
};

static void count_report(void *context, const hy_debug_report *report) {
    instance *made = context;
    made->sink->count++;
    made->heard |= hy_debug_meaning(report->class_of_finding);
}

static void watch(void *state, hy_misuse_sink *sink) {
    instance *made = state;
    made->sink = sink;
    made->testing->debug.config.hook = count_report;
    made->testing->debug.config.hook_context = made;
}

/* The test ends; where it failed, its reports count. */
static void finish(void *state) {
    instance *made = state;
    void *fixture = made->testing;
    made->testing = NULL;
    if (hy_testing_teardown(&fixture) != 0 && made->has_failed) made->sink->told |= made->heard;
}

static bool covers(void *state, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    return hy_debug_covers(&testing_of(state)->debug, misuse, ptr, size, align);
}

static const hy_row_reports reports = {
    .counted = HY_DEBUG_REPORTS,
    .covers = covers,
    .watch = watch,
    .finish = finish,
    .rest_count = HY_DEBUG_REST_COUNT,
    .rest_bytes = HY_DEBUG_REST_BYTES,
    .retained_bytes = HY_DEBUG_RETAINED_BYTES,
};

/* A test without options of its own, or with a name, which leaves a block or none; and one as cmocka's setup
 * and teardown make it. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    hy_testing_options options = hy_testing_defaults();
    options.name = flags & 1 ? "settings" : NULL;
    options.debug.name = flags & 2 ? "checked" : NULL;
    options.debug.stack_trace_frames = 0; /* to print them would take most of the time */
    options.child = flags & 4 ? (hy_allocator){0} : child;
    void *fixture = NULL;
    bool by_setup = flags & 8;
    if (by_setup && hy_testing_setup(&fixture) != 0)
        return hy_testing_teardown(&fixture) != 0 ? NULL : "a setup failed, and its teardown did not";
    hy_testing *testing = by_setup ? fixture : hy_create(hy_libc(), hy_testing);
    if (!testing) return NULL;
    if (!by_setup && hy_testing_init(testing, flags & 16 ? NULL : &options) != HY_OK)
        return "a test could not begin";
    const char *wrong = hy_settings_use(hy_testing_allocator(testing), from);
    void *kept = flags & 32 && !by_setup && !(flags & 16)
                     ? hy_alloc(hy_testing_allocator(testing), 24, HY_ALIGN_8)
                     : NULL;
    if (kept) from->hush(true);
    int result = by_setup ? hy_testing_teardown(&fixture) : hy_testing_end(testing);
    if (kept) from->hush(false);
    if (!by_setup) hy_destroy(hy_libc(), testing);
    if (!wrong && (result != 0) != (kept != NULL)) wrong = "a test fails exactly where it leaves a block";
    return wrong;
}

const hy_row hy_testing_row = {
    .name = "testing",
    .group = HY_GROUP_DECORATOR,
    .summary = "a debug allocator whose findings fail a test",
    .header = "heapyard/testing.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_QUARANTINES,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
    .tells = tells,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .reports = &reports,
    .settings = settings,
};
