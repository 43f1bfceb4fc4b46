/* page_row.c: how the yards know page. */
#include <heapyard/libc.h>
#include <heapyard/os.h>
#include <heapyard/page.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

/* Bit 0 of the row's options asks for huge pages. */
static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_page_source *source = hy_create(hy_libc(), hy_page_source);
    if (!source) return NULL;
    hy_page_source_init(source, (hy_page_options){.huge = config->options & 1});
    *out = hy_page_allocator(source);
    return source;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_page_source *source = state;
    hy_destroy(hy_libc(), source);
}

static bool check(void *state) {
    hy_page_counts counts = hy_page_source_counts(state);
    return counts.held_bytes % hy_page_size() == 0 && counts.held_bytes <= counts.high_water_bytes;
}

static bool stats(void *state, hy_stats *out) {
    hy_page_counts counts = hy_page_source_counts(state);
    out->capacity_bytes = counts.held_bytes;
    out->used_bytes = counts.held_bytes;
    out->overhead_bytes = 0;
    out->high_water_bytes = counts.high_water_bytes;
    out->calls_count = counts.calls_count;
    return true;
}

/* A block of another source that asks for huge pages begins at one, where it is as large. */
static bool huge(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)mark;
    const size_t huge_page = (size_t)2 << 20;
    hy_page_source source;
    hy_page_source_init(&source, (hy_page_options){.huge = true});
    size_t size = huge_page + number % 8192;
    void *block = hy_page_alloc(&source, size, HY_ALIGN_1);
    if (!block) return true;
    bool good = (uintptr_t)block % huge_page == 0;
    hy_page_free(&source, block, size);
    return good && hy_page_source_counts(&source).held_bytes == 0;
}

static const hy_row_operation operations[] = {{"huge", HY_EFFECT_NONE, true, huge}};

static const char *settings(hy_allocator child, hy_settings *from) {
    (void)child;
    return hy_settings_use(hy_page(), from);
}

const hy_row hy_page_row = {
    .name = "page",
    .group = HY_GROUP_SOURCE,
    .summary = "whole pages straight from the operating system, at any alignment",
    .header = "heapyard/page.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_REAL_FREE |
              HY_TRAIT_WHOLE_PAGES,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .settings = settings,
};
