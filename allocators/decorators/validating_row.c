/* validating_row.c: how the yards know validating. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/validating.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_validating *validating = hy_create(hy_libc(), hy_validating);
    if (!validating) return NULL;
    hy_validating_init(validating, config->child, NULL);
    *out = hy_validating_allocator(validating);
    return validating;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_validating *)instance);
}

static void tells(void *instance, hy_told *out) {
    (void)instance;
    out->passes_on = true;
}

static void *make_indexed(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_validating_indexed *validating = hy_create(hy_libc(), hy_validating_indexed);
    if (!validating) return NULL;
    hy_validating_indexed_init(validating, config->child, NULL);
    *out = hy_validating_indexed_allocator(validating);
    return validating;
}

static void destroy_indexed(const hy_row *row, void *instance) {
    (void)row;
    hy_validating_indexed_deinit(instance);
    hy_destroy(hy_libc(), (hy_validating_indexed *)instance);
}

static bool check_indexed(void *instance) {
    return hy_validating_check(instance);
}

static bool stats_indexed(void *instance, hy_stats *out) {
    const hy_validating_indexed *validating = instance;
    *out = (hy_stats){
        .capacity_bytes = validating->index.live_bytes,
        .used_bytes = validating->index.live_bytes,
        .overhead_bytes = hy_block_index_bytes(&validating->index),
        .high_water_bytes = SIZE_MAX,
        .calls_count = SIZE_MAX,
    };
    return true;
}

/* What a fault may be about. Of a pointer that is wrong without an index, no more is known than that. */
static const hy_misuses meanings[HY_VALIDATING_FAULT_COUNT] = {
    [HY_VALIDATING_SIZE] = HY_MISUSE_BIT(HY_MISUSE_HUGE_SIZE),
    [HY_VALIDATING_UNALIGNED] = HY_MISUSE_BIT(HY_MISUSE_UNALIGNED),
    [HY_VALIDATING_UNKNOWN] = HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE) | HY_MISUSE_BIT(HY_MISUSE_INTERIOR) |
                              HY_MISUSE_BIT(HY_MISUSE_FOREIGN) | HY_MISUSE_BIT(HY_MISUSE_WRONG_INSTANCE) |
                              HY_MISUSE_BIT(HY_MISUSE_RESIZE_FREED),
    [HY_VALIDATING_OTHER_SIZE] = HY_MISUSE_BIT(HY_MISUSE_WRONG_SIZE),
    [HY_VALIDATING_OTHER_ALIGN] = HY_MISUSE_BIT(HY_MISUSE_WRONG_ALIGN),
    [HY_VALIDATING_CHILD_UNALIGNED] = HY_MISUSE_BIT(HY_MISUSE_CHILD_UNALIGNED),
    [HY_VALIDATING_CHILD_CONTENTS] = HY_MISUSE_BIT(HY_MISUSE_CHILD_CONTENTS),
    [HY_VALIDATING_CHILD_OVERLAP] = HY_MISUSE_BIT(HY_MISUSE_CHILD_OVERLAP),
};

#define REPORTS                                                                                              \
    (HY_MISUSE_BIT(HY_MISUSE_HUGE_SIZE) | HY_MISUSE_BIT(HY_MISUSE_UNALIGNED) |                               \
        HY_MISUSE_BIT(HY_MISUSE_CHILD_UNALIGNED) | HY_MISUSE_BIT(HY_MISUSE_CHILD_CONTENTS))
#define REPORTS_INDEXED                                                                                      \
    (REPORTS | HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE) | HY_MISUSE_BIT(HY_MISUSE_INTERIOR) |                    \
        HY_MISUSE_BIT(HY_MISUSE_FOREIGN) | HY_MISUSE_BIT(HY_MISUSE_WRONG_INSTANCE) |                         \
        HY_MISUSE_BIT(HY_MISUSE_RESIZE_FREED) | HY_MISUSE_BIT(HY_MISUSE_WRONG_SIZE) |                        \
        HY_MISUSE_BIT(HY_MISUSE_WRONG_ALIGN) | HY_MISUSE_BIT(HY_MISUSE_CHILD_OVERLAP))

static void count_fault(void *context, const hy_validating_report *report) {
    hy_misuse_sink *sink = context;
    sink->count++;
    sink->told |= meanings[report->fault];
}

static void watch(void *instance, hy_misuse_sink *sink) {
    hy_validating *validating = instance;
    validating->report = count_fault;
    validating->context = sink;
}

_Static_assert(offsetof(hy_validating_indexed, base) == 0, "one function watches both");

static const hy_row_reports reports = {.counted = REPORTS, .watch = watch, .withholds = true};
static const hy_row_reports reports_indexed = {.counted = REPORTS_INDEXED, .watch = watch, .withholds = true};

/* Any fault has a name. */
static bool is_named(uint8_t fault) {
    return hy_validating_fault_name((hy_validating_fault)fault)[0] != 0;
}

/* Nobody misuses it, so it may end the process. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t fault = hy_settings_byte(from);
    hy_validating validating;
    hy_validating_init(&validating, child, NULL);
    const char *wrong = hy_settings_use(hy_validating_allocator(&validating), from);
    return wrong || is_named(fault) ? wrong : "a fault has no name";
}

const hy_row hy_validating_row = {
    .name = "validating",
    .group = HY_GROUP_DECORATOR,
    .summary = "holds caller and child to the contract, without an index",
    .header = "heapyard/validating.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
    .reports = &reports,
    .settings = settings,
};

static void count_unexpected(void *context, const hy_validating_report *report) {
    (void)report;
    ++*(size_t *)context;
}

/* The index in the child or not; a block that is forgotten is unknown from then on. */
static const char *settings_indexed(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    size_t faults = 0;
    hy_validating_options options = {.report = count_unexpected, .context = &faults};
    if (flags & 1) options.index_memory = child;
    hy_validating_indexed validating;
    hy_validating_indexed_init(&validating, child, flags & 2 ? NULL : &options);
    const char *wrong = hy_settings_use(hy_validating_indexed_allocator(&validating), from);
    if (!wrong && faults != 0) wrong = "something was reported, and nothing is wrong";
    void *block = flags & 2 ? NULL : hy_alloc(hy_validating_indexed_allocator(&validating), 40, HY_ALIGN_8);
    if (block) {
        hy_validating_indexed_forget(&validating);
        hy_free(hy_validating_indexed_allocator(&validating), block, 40, HY_ALIGN_8);
        if (!wrong && faults != 1) wrong = "a block that was forgotten was still known";
        hy_free(child, block, 40, HY_ALIGN_8);
    }
    hy_validating_indexed_deinit(&validating);
    return wrong;
}

const hy_row hy_validating_indexed_row = {
    .name = "validating_indexed",
    .group = HY_GROUP_DECORATOR,
    .summary = "the same, with an index of what lives: known pointers, true sizes, no overlap",
    .header = "heapyard/validating.h",
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make_indexed,
    .destroy = destroy_indexed,
    .check = check_indexed,
    .stats = stats_indexed,
    .form_of = "validating",
    .alike = HY_LIKE_SERVED,
    .reports = &reports_indexed,
    .settings = settings_indexed,
};
