/* smp_stats.c: what a heap holds, as numbers, as a table for people, and as JSON.
 *
 * Figures are read class by class under each one's lock, so those of threads that run meanwhile do not add up
 * to the block; and nothing is allocated, so that they can be read when memory is short.
 */
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_depot.h"
#include <heapyard/smp_stats.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_SIZE 192

/* Most classes have none, and nothing to count. */
HY_INLINE bool has_slabs(const hy_smp_core *core, uint32_t number) {
    return __atomic_load_n(&core->classes[number].slab_count, __ATOMIC_RELAXED) != 0;
}

bool hy_smp_read_class_stats(hy_smp_heap *heap, uint32_t number, hy_smp_class_stats *out) {
    hy_smp_core *core = heap->core;
    if (!core || number == 0 || number >= HY_SMP_CLASS_COUNT) return false;
    if (!has_slabs(core, number)) return false;
    hy_smp_class_state *state = &core->classes[number];
    size_t threads, cached = hy_smp_cached_blocks(core, number, &threads) + hy_smp_depot_blocks(core, number);
    hy_lock_take(&state->lock);
    size_t taken = state->taken, bytes = (size_t)state->slab_pages << HY_SMP_PAGE_SHIFT;
    if (cached > taken) cached = taken;
    *out = (hy_smp_class_stats){
        .size = state->block_size,
        .live_blocks = taken - cached,
        .cached_blocks = cached,
        .unused_blocks = state->block_count - taken,
        .slabs = state->slab_count,
        .slab_bytes = bytes,
    };
    hy_lock_release(&state->lock);
    return true;
}

/* What the pages' side knows. */
static void read_pages(hy_smp_core *core, hy_smp_stats *out) {
    hy_lock_take(&core->lock);
    out->large_blocks = core->large_blocks;
    out->large_bytes = core->large_pages << HY_SMP_PAGE_SHIFT;
    out->retained_bytes = core->dirty.pages << HY_SMP_PAGE_SHIFT;
    out->peak_bytes = core->peak_bytes;
    out->returned_bytes = core->returned_pages << HY_SMP_PAGE_SHIFT;
    out->metadata_bytes = sizeof *core + (size_t)(core->metadata_next - core->metadata_array.base) +
                          core->slab_next * sizeof(hy_smp_slab) +
                          core->frontier * (sizeof(hy_smp_page) + sizeof *core->class_of_page);
    out->reserved_bytes = core->reservation_size;
    hy_lock_release(&core->lock);
}

void hy_smp_read_stats(hy_smp_heap *heap, hy_smp_stats *out) {
    *out = (hy_smp_stats){0};
    hy_smp_core *core = __atomic_load_n(&heap->core, __ATOMIC_ACQUIRE);
    if (!core) return;
    read_pages(core, out);
    out->live_bytes = out->large_bytes;
    out->live_blocks = out->large_blocks;
    (void)hy_smp_cached_blocks(core, 1, &out->threads);
    hy_smp_class_stats figures;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (!has_slabs(core, number) || !hy_smp_read_class_stats(heap, number, &figures)) continue;
        size_t live = figures.live_blocks * figures.size, cached = figures.cached_blocks * figures.size;
        out->live_blocks += figures.live_blocks;
        out->live_bytes += live;
        out->cached_bytes += cached;
        out->unused_bytes += figures.slab_bytes - live - cached;
    }
}

/* ---- printing ---- */

/* Where lines go. */
typedef struct printer {
    hy_line_sink sink;
    void *context;
} printer;

HY_PRINTF(2, 3) static void print(const printer *to, const char *format, ...) {
    char line[LINE_MAX_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size > 0) to->sink(to->context, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

static void print_line(const printer *to, const char *name, size_t bytes, const char *note) {
    print(to, "  %-9s %12zu KiB  %s\n", name, bytes >> 10, note);
}

static void print_classes(const printer *to, hy_smp_heap *heap) {
    hy_smp_class_stats figures;
    print(to, "  %7s %10s %10s %10s %8s %10s\n", "class", "live", "cached", "unused", "slabs", "KiB");
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (!hy_smp_read_class_stats(heap, number, &figures)) continue;
        print(to, "  %7zu %10zu %10zu %10zu %8zu %10zu\n", figures.size, figures.live_blocks,
            figures.cached_blocks, figures.unused_blocks, figures.slabs, figures.slab_bytes >> 10);
    }
}

void hy_smp_print_stats(hy_smp_heap *heap, hy_line_sink sink, void *context) {
    printer to = {sink, context};
    hy_smp_stats stats;
    hy_smp_read_stats(heap, &stats);
    print(&to, "smp: %zu blocks live, %zu of them large; %zu threads' caches\n", stats.live_blocks,
        stats.large_blocks, stats.threads);
    print_line(&to, "live", stats.live_bytes, "in the program's hands");
    print_line(&to, "cached", stats.cached_bytes, "free, in threads' magazines and depots");
    print_line(&to, "unused", stats.unused_bytes, "free, in slabs");
    print_line(&to, "retained", stats.retained_bytes, "free pages, kept");
    print_line(&to, "metadata", stats.metadata_bytes, "records and magazines");
    print_line(&to, "peak", stats.peak_bytes, "the most of all but metadata");
    print_line(&to, "returned", stats.returned_bytes, "to the system, in all");
    print_classes(&to, heap);
}

static void print_classes_json(const printer *to, hy_smp_heap *heap) {
    hy_smp_class_stats figures;
    const char *comma = "";
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (!hy_smp_read_class_stats(heap, number, &figures)) continue;
        print(to,
            "%s{\"size\":%zu,\"live_blocks\":%zu,\"cached_blocks\":%zu,\"unused_blocks\":%zu,\"slabs\":%zu,"
            "\"slab_bytes\":%zu}\n",
            comma, figures.size, figures.live_blocks, figures.cached_blocks, figures.unused_blocks,
            figures.slabs, figures.slab_bytes);
        comma = ",";
    }
}

void hy_smp_print_stats_json(hy_smp_heap *heap, hy_line_sink sink, void *context) {
    printer to = {sink, context};
    hy_smp_stats stats;
    hy_smp_read_stats(heap, &stats);
    print(&to, "{\"live_bytes\":%zu,\"live_blocks\":%zu,\"large_bytes\":%zu,\"large_blocks\":%zu,\n",
        stats.live_bytes, stats.live_blocks, stats.large_bytes, stats.large_blocks);
    print(&to, "\"cached_bytes\":%zu,\"unused_bytes\":%zu,\"retained_bytes\":%zu,\"peak_bytes\":%zu,\n",
        stats.cached_bytes, stats.unused_bytes, stats.retained_bytes, stats.peak_bytes);
    print(&to, "\"returned_bytes\":%zu,\"metadata_bytes\":%zu,\"reserved_bytes\":%zu,\"threads\":%zu,\n",
        stats.returned_bytes, stats.metadata_bytes, stats.reserved_bytes, stats.threads);
    print(&to, "\"classes\":[\n");
    print_classes_json(&to, heap);
    print(&to, "]}\n");
}
