/* fixed_buffer_row.c: how the yards know fixed_buffer. */
#include "allocators/strategies/region_row.h"
#include <heapyard/direct.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/typed.h>

/* The rows' instance: the allocator and its buffer. */
typedef struct instance {
    hy_fixed_buffer fixed;
    hy_region region;
} instance;

static instance *make_instance(const hy_config *config) {
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    if (!hy_region_make(&made->region, config)) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    hy_fixed_buffer_init(&made->fixed, hy_region_base(&made->region), made->region.capacity);
    return made;
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = make_instance(config);
    if (made) *out = hy_fixed_buffer_allocator(&made->fixed);
    return made;
}

static void *make_shared(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = make_instance(config);
    if (made) *out = hy_fixed_buffer_shared_allocator(&made->fixed);
    return made;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    instance *made = state;
    hy_fixed_buffer_deinit(&made->fixed);
    hy_region_free(&made->region);
    hy_destroy(hy_libc(), made);
}

/* The buffer is the caller's: whatever the mode, nothing else can be given back. */
static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    hy_fixed_buffer_reset(state);
    return true;
}

static bool owns(void *state, const void *ptr) {
    return hy_fixed_buffer_owns(state, ptr);
}

static bool check(void *state) {
    return hy_fixed_buffer_check(state);
}

static bool stats(void *state, hy_stats *out) {
    out->capacity_bytes = hy_fixed_buffer_capacity(state);
    out->used_bytes = hy_fixed_buffer_used(state);
    out->overhead_bytes = 0;
    out->high_water_bytes = SIZE_MAX;
    out->calls_count = SIZE_MAX;
    return true;
}

HY_INLINE void *take(void *fixed, size_t size, uintptr_t *mark) {
    (void)mark;
    return hy_fixed_buffer_alloc(fixed, size, HY_ALIGN_16);
}

HY_INLINE void give(void *fixed, void *ptr, size_t size, uintptr_t mark) {
    (void)mark;
    hy_fixed_buffer_free(fixed, ptr, size, HY_ALIGN_16);
}

HY_INLINE void end_all(void *fixed) {
    hy_fixed_buffer_reset(fixed);
}

static uint64_t direct_pair(void *fixed, size_t size, size_t count) {
    return hy_direct_pair(fixed, size, count, take, give);
}

static uint64_t direct_request(void *fixed, const uint32_t *sizes, size_t window, size_t count) {
    return hy_direct_request(fixed, sizes, window, count, take, end_all);
}

static const hy_direct_bench direct = {direct_pair, direct_request};

_Static_assert(offsetof(instance, fixed) == 0, "the rows' functions take the instance for its buffer");

#if HY_CHECK >= 1
#define NO_BLOCK "must be a block of this buffer"
static const hy_row_reports reports = {
    .says = {[HY_MISUSE_HUGE_SIZE] = NO_BLOCK,
        [HY_MISUSE_FOREIGN] = NO_BLOCK,
        [HY_MISUSE_WRONG_INSTANCE] = NO_BLOCK},
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED) | HY_MISUSE_BIT(HY_MISUSE_WRITE_RESET),
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

/* A fatal buffer's frees are no-ops; a block of it shrinks and grows where it lies. */
static const char *use_fatal(hy_fixed_buffer *fixed, hy_allocator allocator) {
    char *block = hy_alloc(allocator, 16, HY_ALIGN_16);
    size_t used = hy_fixed_buffer_used(fixed);
    if (!hy_resize(allocator, block, 16, 8, HY_ALIGN_16)) return "a fatal buffer's block could not shrink";
    if (hy_fixed_buffer_used(fixed) != used) return "a fatal buffer takes a part of a block back";
    size_t size = hy_resize(allocator, block, 8, 16, HY_ALIGN_16) ? 16 : 8;
    char *other = hy_alloc(allocator, 8, HY_ALIGN_8);
    if (other >= block && other < block + 16) return "a fatal buffer hands out a block's bytes again";
    used = hy_fixed_buffer_used(fixed);
    hy_free(allocator, other, 8, HY_ALIGN_8);
    hy_free(allocator, block, size, HY_ALIGN_16);
    return hy_fixed_buffer_used(fixed) == used ? NULL : "a fatal buffer takes a block back";
}

/* A buffer of any size, by either view, fatal or not. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    bool fatal = flags & 1;
    size_t size = hy_settings_size(from) % 8192 + (fatal ? 64 : 1);
    char *buffer = hy_alloc(child, size, HY_ALIGN_16);
    if (!buffer) return NULL;
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init_options(&fixed, buffer, size, (hy_fixed_buffer_options){.fatal = fatal});
    hy_allocator allocator =
        flags & 2 ? hy_fixed_buffer_shared_allocator(&fixed) : hy_fixed_buffer_allocator(&fixed);
    const char *wrong = fatal ? use_fatal(&fixed, allocator) : hy_settings_use(allocator, from);
    if (hy_fixed_buffer_base(&fixed) != buffer) wrong = "a buffer's base is not where it begins";
    hy_fixed_buffer_reset(&fixed);
    if (hy_fixed_buffer_used(&fixed) != 0) wrong = "a buffer is in use after a reset";
    hy_fixed_buffer_deinit(&fixed);
    hy_free(child, buffer, size, HY_ALIGN_16);
    return wrong;
}

const hy_row hy_fixed_buffer_row = {
    .name = "fixed_buffer",
    .group = HY_GROUP_STRATEGY,
    .summary = "blocks from a buffer that the caller has already; the newest can be freed and resized",
    .header = "heapyard/fixed_buffer.h",
    .traits = HY_TRAIT_FREE_LAST | HY_TRAIT_BULK_RESET | HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_FIXED_CAPACITY,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_capacity = HY_REGION_DEFAULT_CAPACITY,
    .promises = {.fit_grain = 1, .returns_padding = true, .shrinks = true},
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .owns = owns,
    .check = check,
    .stats = stats,
    .direct = &direct,
    .reports = REPORTS,
    .settings = settings,
};

const hy_row hy_fixed_buffer_shared_row = {
    .name = "fixed_buffer_shared",
    .group = HY_GROUP_STRATEGY,
    .summary = "fixed_buffer's view for many threads, without a lock",
    .header = "heapyard/fixed_buffer.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_LAST | HY_TRAIT_BULK_RESET | HY_TRAIT_GROW_IN_PLACE |
              HY_TRAIT_FIXED_CAPACITY,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_capacity = HY_REGION_DEFAULT_CAPACITY,
    .promises = {.fit_grain = 1, .returns_padding = true, .shrinks = true},
    .make = make_shared,
    .destroy = destroy,
    .reset = reset,
    .owns = owns,
    .check = check,
    .stats = stats,
    .form_of = "bump",
    .alike = HY_LIKE_SERVED | HY_LIKE_PLACES | HY_LIKE_STATS | HY_LIKE_UNTIL_END,
    .reports = REPORTS,
};
