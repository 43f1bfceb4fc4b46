/* limited_row.c: how the yards know limited. */
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

#define DEFAULT_LIMIT ((size_t)1 << 20)

/* The rows' instances: the allocator, and the greatest limit that it had, which its peak is within. */
typedef struct instance {
    hy_limited limited;
    size_t greatest_bytes;
} instance;

typedef struct shared_instance {
    hy_limited_shared limited;
    size_t greatest_bytes;
} shared_instance;

static size_t limit_of(const hy_config *config) {
    return config->capacity ? config->capacity : DEFAULT_LIMIT;
}

static hy_stats stats_of(size_t used, size_t peak) {
    return (hy_stats){
        .capacity_bytes = used,
        .used_bytes = used,
        .overhead_bytes = 0,
        .high_water_bytes = peak,
        .calls_count = SIZE_MAX,
    };
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    made->greatest_bytes = limit_of(config);
    hy_limited_init(&made->limited, config->child, made->greatest_bytes);
    *out = hy_limited_allocator(&made->limited);
    return made;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    hy_destroy(hy_libc(), (instance *)state);
}

static bool check(void *state) {
    const instance *made = state;
    return hy_limited_check(&made->limited) && made->limited.peak_bytes <= made->greatest_bytes;
}

static bool stats(void *state, hy_stats *out) {
    const hy_limited *limited = &((const instance *)state)->limited;
    *out = stats_of(hy_limited_used(limited), hy_limited_peak(limited));
    return true;
}

static void write_told(size_t limit, size_t used, size_t peak, hy_told *out) {
    out->numbers[HY_TOLD_LIVE_BYTES] = used;
    out->numbers[HY_TOLD_PEAK_BYTES] = peak;
    out->numbers[HY_TOLD_BUDGET_BYTES] = limit > used ? limit - used : 0;
    out->passes_on = true;
}

static void tells(void *state, hy_told *out) {
    const hy_limited *limited = &((const instance *)state)->limited;
    write_told(hy_limited_limit(limited), hy_limited_used(limited), hy_limited_peak(limited), out);
}

static bool set_limit(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    instance *made = state;
    hy_limited_set_limit(&made->limited, number);
    if (number > made->greatest_bytes) made->greatest_bytes = number;
    return hy_limited_limit(&made->limited) == number;
}

/* Another one, whose block ends unseen, as by a reset: the budget is whole again, and the peak stays. Over
 * memory that no budget of this one's bounds. */
static bool forget(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)mark;
    hy_allocator child = hy_libc();
    size_t size = number % 4096 + 1;
    hy_limited other;
    hy_limited_init(&other, child, size);
    void *block = hy_limited_alloc(&other, size, HY_ALIGN_1);
    if (!block) return true;
    child.vtable->free(child.self, block, size, HY_ALIGN_1);
    hy_limited_forget(&other);
    return hy_limited_used(&other) == 0 && hy_limited_peak(&other) == size &&
           hy_limited_limit(&other) == size;
}

static const hy_row_operation operations[] = {
    {"set_limit", HY_EFFECT_CAPACITY, true, set_limit}, {"forget", HY_EFFECT_NONE, true, forget}};

static void *make_shared(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    shared_instance *made = hy_create(hy_libc(), shared_instance);
    if (!made) return NULL;
    made->greatest_bytes = limit_of(config);
    hy_limited_shared_init(&made->limited, config->child, made->greatest_bytes);
    *out = hy_limited_shared_allocator(&made->limited);
    return made;
}

static void destroy_shared(const hy_row *row, void *state) {
    (void)row;
    hy_destroy(hy_libc(), (shared_instance *)state);
}

static bool check_shared(void *state) {
    const shared_instance *made = state;
    return hy_limited_shared_peak(&made->limited) <= made->greatest_bytes;
}

static bool stats_shared(void *state, hy_stats *out) {
    const hy_limited_shared *limited = &((const shared_instance *)state)->limited;
    *out = stats_of(hy_limited_shared_used(limited), hy_limited_shared_peak(limited));
    return true;
}

static void tells_shared(void *state, hy_told *out) {
    const hy_limited_shared *limited = &((const shared_instance *)state)->limited;
    write_told(hy_limited_shared_limit(limited), hy_limited_shared_used(limited),
        hy_limited_shared_peak(limited), out);
}

static bool set_limit_shared(void *state, size_t number, hy_mark *mark) {
    (void)mark;
    shared_instance *made = state;
    hy_limited_shared_set_limit(&made->limited, number);
    if (number > made->greatest_bytes) made->greatest_bytes = number;
    return hy_limited_shared_limit(&made->limited) == number;
}

static bool forget_shared(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)mark;
    hy_allocator child = hy_libc();
    size_t size = number % 4096 + 1;
    hy_limited_shared other;
    hy_limited_shared_init(&other, child, size);
    void *block = hy_limited_shared_alloc(&other, size, HY_ALIGN_1);
    if (!block) return true;
    child.vtable->free(child.self, block, size, HY_ALIGN_1);
    hy_limited_shared_forget(&other);
    return hy_limited_shared_used(&other) == 0 && hy_limited_shared_peak(&other) == size &&
           hy_limited_shared_limit(&other) == size;
}

static const hy_row_operation shared_operations[] = {
    {"set_limit", HY_EFFECT_CAPACITY, true, set_limit_shared},
    {"forget", HY_EFFECT_NONE, true, forget_shared}};

#if HY_CHECK >= 1
static const hy_row_reports reports = {
    .says = {[HY_MISUSE_HUGE_SIZE] = "must be at most the bytes that a limited allocator has handed out"},
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

static const char *settings(hy_allocator child, hy_settings *from) {
    hy_limited limited;
    hy_limited_init(&limited, child, hy_settings_size(from));
    const char *wrong = hy_settings_use(hy_limited_allocator(&limited), from);
    void *block = hy_alloc(hy_limited_allocator(&limited), 8, HY_ALIGN_8);
    hy_limited_forget(&limited);
    if (block) hy_free(child, block, 8, HY_ALIGN_8);
    return wrong || hy_limited_used(&limited) == 0 ? wrong : "what was forgotten counts as used";
}

const hy_row hy_limited_row = {
    .name = "limited",
    .group = HY_GROUP_DECORATOR,
    .summary = "a budget of bytes, for one thread",
    .header = "heapyard/limited.h",
    .traits = HY_TRAIT_FIXED_CAPACITY,
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .default_capacity = DEFAULT_LIMIT,
    .promises = {.fit_grain = 1, .shrinks = true},
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .tells = tells,
    .reports = REPORTS,
    .settings = settings,
};

static const char *settings_shared(hy_allocator child, hy_settings *from) {
    hy_limited_shared limited;
    hy_limited_shared_init(&limited, child, hy_settings_size(from));
    const char *wrong = hy_settings_use(hy_limited_shared_allocator(&limited), from);
    void *block = hy_alloc(hy_limited_shared_allocator(&limited), 8, HY_ALIGN_8);
    hy_limited_shared_forget(&limited);
    if (block) hy_free(child, block, 8, HY_ALIGN_8);
    return wrong || hy_limited_shared_used(&limited) == 0 ? wrong : "what was forgotten counts as used";
}

const hy_row hy_limited_shared_row = {
    .name = "limited_shared",
    .group = HY_GROUP_DECORATOR,
    .summary = "a budget of bytes, for many threads",
    .header = "heapyard/limited.h",
    .traits = HY_TRAIT_FIXED_CAPACITY,
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .default_capacity = DEFAULT_LIMIT,
    .promises = {.fit_grain = 1, .shrinks = true},
    .make = make_shared,
    .destroy = destroy_shared,
    .check = check_shared,
    .stats = stats_shared,
    .operations = shared_operations,
    .operation_count = sizeof shared_operations / sizeof shared_operations[0],
    .tells = tells_shared,
    .form_of = "limited",
    .alike = HY_LIKE_SERVED | HY_LIKE_PLACES | HY_LIKE_STATS,
    .reports = REPORTS,
    .settings = settings_shared,
};
