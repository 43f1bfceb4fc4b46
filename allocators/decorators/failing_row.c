/* failing_row.c: how the yards know failing. */
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

/* Options of the row: bits 0-7 n: the nth allocation fails, 0 none; bits 8-15 likewise for resizes;
 * bit 16: only that one; bits 24-31: the probability in 256ths. */
static hy_failing_options options_of(uint32_t bits) {
    unsigned alloc = bits & 0xFF, resize = bits >> 8 & 0xFF;
    return (hy_failing_options){
        .fail_alloc_at = alloc ? alloc - 1 : HY_FAILING_NEVER,
        .fail_resize_at = resize ? resize - 1 : HY_FAILING_NEVER,
        .once = bits >> 16 & 1,
        .probability = (double)(bits >> 24) / 256,
        .seed = bits,
    };
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_failing *failing = hy_create(hy_libc(), hy_failing);
    if (!failing) return NULL;
    hy_failing_options options = options_of(config->options);
    hy_failing_init(failing, config->child, &options);
    *out = hy_failing_allocator(failing);
    return failing;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_failing *)instance);
}

static bool check(void *instance) {
    const hy_failing *failing = instance;
    return failing->freed_bytes <= failing->allocated_bytes && failing->free_count <= failing->alloc_index &&
           failing->induced_count <= failing->alloc_index + failing->resize_index &&
           failing->frame_count <= HY_FAILING_FRAMES;
}

static bool stats(void *instance, hy_stats *out) {
    const hy_failing *failing = instance;
    size_t live = (size_t)(failing->allocated_bytes - failing->freed_bytes);
    *out = (hy_stats){
        .capacity_bytes = live,
        .used_bytes = live,
        .overhead_bytes = 0,
        .high_water_bytes = SIZE_MAX,
        .calls_count =
            failing->alloc_index + failing->resize_index + failing->free_count - failing->induced_count,
    };
    return true;
}

const hy_row hy_failing_row = {
    .name = "failing",
    .group = HY_GROUP_DECORATOR,
    .summary = "refuses the nth allocation or resize, or each with a probability",
    .header = "heapyard/failing.h",
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
};
