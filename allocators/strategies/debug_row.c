/* debug_row.c: how the yards know debug. */
#include "allocators/strategies/debug_row.h"
#include "allocators/core/thread_number.h"
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

/* Bits of a row's options, beyond what its name says. */
#define OPTION_RETAIN_METADATA 1u
#define OPTION_FAULT_ON_USE 2u
#define OPTION_NO_QUARANTINE 4u
#define OPTION_WITHOUT_SAFETY 8u

/* How a row takes stacks where not by the defaults: the rows' data. */
typedef struct stacks {
    size_t frames;
    bool full_unwinder;
} stacks;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    const stacks *wanted = row->data;
    hy_debug_config row_config = hy_debug_defaults();
    if (wanted) {
        row_config.stack_trace_frames = wanted->frames;
        row_config.full_unwinder = wanted->full_unwinder;
    }
    row_config.retain_metadata = config->options & OPTION_RETAIN_METADATA;
    row_config.safety = !(config->options & OPTION_WITHOUT_SAFETY);
    row_config.fault_on_use = row_config.safety && config->options & OPTION_FAULT_ON_USE;
    if (config->options & OPTION_NO_QUARANTINE) row_config.quarantine_blocks = 0;
    hy_debug *debug = hy_create(hy_libc(), hy_debug);
    if (!debug) return NULL;
    (void)hy_debug_init(debug, config->child, &row_config);
    *out = hy_debug_allocator(debug);
    return debug;
}

/* Yards end instances with blocks that live; what is written into memory is told all the same. */
static void destroy(const hy_row *row, void *instance) {
    (void)row;
    (void)hy_debug_scan(instance);
    (void)hy_debug_deinit_quietly(instance, NULL);
    hy_destroy(hy_libc(), (hy_debug *)instance);
}

static bool owns(void *instance, const void *ptr) {
    return hy_debug_owns(instance, ptr);
}

static bool check(void *instance) {
    return hy_debug_check(instance);
}

static bool stats(void *instance, hy_stats *out) {
    hy_debug_counts counts = hy_debug_counted(instance);
    *out = (hy_stats){
        .capacity_bytes = counts.child_bytes,
        .used_bytes = counts.live_bytes,
        .overhead_bytes = counts.overhead_bytes,
        .high_water_bytes = counts.peak_bytes,
        .calls_count = (size_t)counts.child_calls,
    };
    return true;
}

/* Whether nothing was found. */
static bool scan(void *instance, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    return hy_debug_scan(instance) == 0;
}

static bool flush(void *instance, size_t number, hy_mark *mark) {
    (void)number, (void)mark;
    hy_debug_flush_retained(instance);
    return true;
}

/* As if the instance had been made with it: no less than what lives. */
static bool set_limit(void *instance, size_t number, hy_mark *mark) {
    (void)mark;
    if (number == 0 || number < hy_debug_counted(instance).live_bytes) return false;
    ((hy_debug *)instance)->config.memory_limit = number;
    return true;
}

/* Another instance, over a child that has no room for as many slots as a chunk has first, serves its blocks
 * from smaller ones. */
static bool fill_child(void *instance, size_t number, hy_mark *mark) {
    (void)instance, (void)mark;
    _Alignas(16) char bytes[3072];
    hy_fixed_buffer buffer;
    hy_debug_config config = hy_debug_defaults();
    config.stack_trace_frames = number / 64 % 4;
    hy_debug *other = hy_create(hy_libc(), hy_debug);
    if (!other) return true;
    hy_fixed_buffer_init(&buffer, bytes, sizeof bytes);
    (void)hy_debug_init(other, hy_fixed_buffer_allocator(&buffer), &config);
    size_t size = number % 64 + 1;
    void *block = hy_debug_alloc(other, size, HY_ALIGN_1);
    bool good = block != NULL;
    if (block) hy_debug_free(other, block, size, HY_ALIGN_1);
    (void)hy_debug_deinit_quietly(other, NULL);
    hy_fixed_buffer_deinit(&buffer);
    hy_destroy(hy_libc(), other);
    return good;
}

static const hy_row_operation operations[] = {
    {"set_limit", HY_EFFECT_CAPACITY, false, set_limit},
    {"scan", HY_EFFECT_NONE, true, scan},
    {"flush", HY_EFFECT_NONE, true, flush},
    {"fill_child", HY_EFFECT_NONE, true, fill_child},
};

/* Whether a report says of its block what one thread did, which has another number than a record that nobody
 * wrote. One that does not counts for nothing. */
static bool is_true(const hy_debug_report *report) {
    uint32_t thread = hy_thread_number();
    if (report->here.thread != thread) return false;
    if (!report->has_block) return true;
    return report->allocated.thread == thread && (!report->is_freed || report->freed.thread == thread);
}

static void count_report(void *context, const hy_debug_report *report) {
    hy_misuse_sink *sink = context;
    sink->count++;
    if (!is_true(report)) return;
    sink->told |= hy_debug_meaning(report->class_of_finding);
}

static void watch(void *instance, hy_misuse_sink *sink) {
    hy_debug *debug = instance;
    if (hy_thread_number() == 0) {
        hy_thread_number_plus_one = 0;
        (void)hy_thread_number();
    }
    debug->config.hook = count_report;
    debug->config.hook_context = sink;
}

static void finish(void *instance) {
    (void)hy_debug_scan(instance);
    (void)hy_debug_detect_leaks(instance);
}

static const hy_row_reports reports = {
    .counted = HY_DEBUG_REPORTS,
    .options = OPTION_RETAIN_METADATA | OPTION_NO_QUARANTINE | OPTION_WITHOUT_SAFETY,
    .covers = hy_debug_covers,
    .watch = watch,
    .finish = finish,
    .rest_count = HY_DEBUG_REST_COUNT,
    .rest_bytes = HY_DEBUG_REST_BYTES,
    .retained_bytes = HY_DEBUG_RETAINED_BYTES,
};

#define TRAITS (HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_QUARANTINES)

const hy_row hy_debug_row = {
    .name = "debug",
    .group = HY_GROUP_STRATEGY,
    .summary = "tells leaks, double frees, wrong calls and stray writes, with stacks by frame pointers",
    .header = "heapyard/debug.h",
    .traits = TRAITS,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .reports = &reports,
};

const hy_row hy_debug_plain_row = {
    .name = "debug_plain",
    .group = HY_GROUP_STRATEGY,
    .summary = "debug without stacks",
    .header = "heapyard/debug.h",
    .traits = TRAITS,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .data = &(const stacks){.frames = 0},
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .form_of = "debug",
    .alike = HY_LIKE_SERVED,
    .reports = &reports,
};

const hy_row hy_debug_unwind_row = {
    .name = "debug_unwind",
    .group = HY_GROUP_STRATEGY,
    .summary = "debug with stacks of 10 frames by unwinding, where there are no frame pointers",
    .header = "heapyard/debug.h",
    .traits = TRAITS,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .data = &(const stacks){.frames = 10, .full_unwinder = true},
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .form_of = "debug",
    .alike = HY_LIKE_SERVED,
    .reports = &reports,
};
