/* debug_row.c: how the yards know debug. */
#include "allocators/strategies/debug_row.h"
#include "allocators/core/thread_number.h"
#include "allocators/strategies/debug_chunk.h"
#include "allocators/strategies/debug_index.h"
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

/* ---- any options ---- */

typedef struct heard {
    uint64_t count;
} heard;

static void hear(void *context, const hy_debug_report *report) {
    (void)report;
    ((heard *)context)->count++;
}

/* A byte of 0 is the default of what it stands for. */
static hy_debug_config read_config(hy_settings *from, heard *told) {
    hy_debug_config config = hy_debug_defaults();
    uint8_t flags = hy_settings_byte(from), more = hy_settings_byte(from), byte;
    config.name = flags & 1 ? "settings" : NULL;
    config.full_unwinder = flags & 2;
    config.safety = !(flags & 4);
    config.thread_safe = !(flags & 8);
    config.never_unmap = flags & 16;
    config.retain_metadata = flags & 32;
    config.fault_on_use = flags & 64;
    config.hook = flags & 128 ? hear : NULL;
    config.hook_context = config.hook ? told : NULL;
    /* To print frames would take most of the time. */
    config.stack_trace_frames = config.hook ? more & 63 : 0;
    config.tools = (hy_debug_tools)((HY_DEBUG_TOOLS_GUARDS + (more >> 6)) % 4);
    if ((byte = hy_settings_byte(from)) != 0) config.fresh_byte = byte;
    if ((byte = hy_settings_byte(from)) != 0) config.freed_byte = byte;
    if ((byte = hy_settings_byte(from)) != 0) config.fill_bytes = byte;
    if ((byte = hy_settings_byte(from)) != 0) config.memory_limit = (size_t)(byte - 1) << 6;
    if ((byte = hy_settings_byte(from)) != 0) config.quarantine_blocks = byte - 1u;
    if ((byte = hy_settings_byte(from)) != 0) config.retained_bytes = (size_t)(byte - 1) << 10;
    if ((byte = hy_settings_byte(from)) != 0) config.leaks_printed = byte - 1u;
    return config;
}

static uint64_t count_found(const hy_debug *debug) {
    hy_debug_counts counts = hy_debug_counted(debug);
    uint64_t sum = 0;
    for (size_t i = 0; i < HY_DEBUG_CLASS_COUNT; i++)
        sum += counts.found[i];
    return sum;
}

/* Changes a word of a live block's record, as a stray write does. */
static void corrupt(hy_debug *debug, const void *block) {
    hy_debug_chunk *chunk = hy_debug_index_find(&debug->index, block);
    hy_debug_record *record =
        hy_debug_record_at(debug, chunk, chunk->inverse ? hy_debug_slot_of(chunk, block) : 0);
    hy_unpoison(record, sizeof *record);
    record->size ^= 64;
}

#define DO_LEAK 1u
#define DO_FREE_AGAIN 2u
#define DO_CORRUPT 4u
#define DO_SCAN_FIRST 8u

/* What is done wrong on purpose is found; so is a block that lives at the end. */
static const char *misbehave(hy_debug *debug, uint8_t what, size_t size) {
    hy_allocator allocator = hy_debug_allocator(debug);
    void *kept = what & DO_LEAK ? hy_alloc(allocator, size, HY_ALIGN_8) : NULL;
    void *block = hy_alloc(allocator, size, HY_ALIGN_8);
    if (kept && hy_debug_leaks(debug) == 0) return "a block that lives is no leak";
    if (!block) return NULL;
    uint64_t before = count_found(debug);
    if (what & DO_CORRUPT) {
        corrupt(debug, block);
        if (what & DO_SCAN_FIRST) (void)hy_debug_scan(debug);
        hy_free(allocator, block, size, HY_ALIGN_8);
        if (count_found(debug) == before) return "a record that was written over was believed";
        return NULL;
    }
    hy_free(allocator, block, size, HY_ALIGN_8);
    if (count_found(debug) != before) return "a free was reported for nothing";
    if (!(what & DO_FREE_AGAIN)) return NULL;
    /* Not by the front door, which writes over what is freed. */
    hy_debug_free(debug, what & DO_SCAN_FIRST ? (char *)block + 8 : (char *)block, size, HY_ALIGN_8);
    if (hy_debug_double_frees(debug) == 0) return "a wrong free was not reported";
    return NULL;
}

static const char *use_debug(hy_debug *debug, hy_settings *from, const heard *told) {
    uint8_t what = hy_settings_byte(from);
    size_t size = hy_settings_byte(from) % 2 ? 40 : 4000;
    const char *wrong = hy_settings_use(hy_debug_allocator(debug), from);
    if (!wrong && count_found(debug) != 0) wrong = "something was reported, and nothing is wrong";
    bool prints = what % 16 && !debug->config.hook;
    if (prints) from->hush(true);
    if (!wrong) wrong = misbehave(debug, what, size);
    if (prints) from->hush(false);
    if (!wrong && debug->config.hook && told->count != count_found(debug))
        wrong = "the hook hears of other reports than are counted";
    return wrong;
}

/* The process's own instance is like any other, and its counts are in the sums over all. */
static const char *use_process(void) {
    hy_allocator allocator = hy_debug_allocator(hy_debug_process());
    size_t before = hy_debug_process_leaks();
    void *block = hy_alloc(allocator, 24, HY_ALIGN_8);
    bool counts = !block || hy_debug_process_leaks() == before + 1;
    hy_free(allocator, block, 24, HY_ALIGN_8);
    (void)hy_debug_process_double_frees();
    return counts && hy_debug_process_leaks() == before ? NULL : "the sum over all instances misses one";
}

static const char *settings(hy_allocator child, hy_settings *from) {
    heard told = {0};
    uint8_t flags = hy_settings_byte(from);
    hy_debug_config config = read_config(from, &told);
    if (flags & 1 && !config.hook) config.hook_context = &told;
    hy_debug *debug = hy_create(hy_libc(), hy_debug);
    if (!debug) return NULL;
    bool has_config = !(flags & 2) || !(flags & 32);
    hy_debug_config whole = config; /* all is filled where nothing is used again */
    if (whole.never_unmap) whole.fill_bytes = SIZE_MAX;
    bool is_senseless = has_config && hy_debug_config_problem(&whole);
    if (is_senseless) from->hush(true);
    hy_error error = hy_debug_init(debug, child, has_config ? &config : NULL);
    if (is_senseless) from->hush(false);
    const char *wrong = NULL;
    if ((error == HY_INVALID) != is_senseless)
        wrong = "a configuration is refused exactly where it has a problem";
    if (error == HY_OK) {
        if (flags & 4) wrong = use_process();
        if (!wrong) wrong = use_debug(debug, from, &told);
        bool prints = !debug->config.hook && hy_debug_leaks(debug) != 0;
        if (prints) from->hush(true);
        (void)hy_debug_deinit(debug, flags & 8 ? NULL : &(size_t){0});
        if (prints) from->hush(false);
        if (flags & 16) (void)hy_debug_deinit(debug, NULL);
    }
    hy_destroy(hy_libc(), debug);
    return wrong;
}

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
    .settings = settings,
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
