/* registry.c: table 1: the rows, what is computed from them, and instances of them.
 *
 * Adding an allocator is its file, the file of its row beside it, and one line in rows.def. A composition
 * is one entry of `compositions`: its traits and its greatest alignment follow from its layers and are
 * never typed. A peer is one line of the table in peers/peers.c.
 *
 * The rows that the registry gives out are copies: a row that stands on a default child shows the
 * traits that it has over that child, a composition those of its whole stack, and a library's that is not
 * there says so. The constants in the allocators' files stay what their authors wrote.
 */
#include "allocators/registry.h"
#include "allocators/peers/peers.h"
#include <heapyard/libc.h>
#include <pthread.h>
#include <string.h>

/* The rows' table: a build that has not the whole library names its own (allocators/wasm/rows.def). */
#ifndef HY_ROWS
#define HY_ROWS "allocators/rows.def"
#endif

#define HY_ROW(name) extern const hy_row hy_##name##_row;
#include HY_ROWS
#undef HY_ROW

/* In the order of the table. */
static const hy_row *const own_rows[] = {
#define HY_ROW(name) &hy_##name##_row,
#include HY_ROWS
#undef HY_ROW
};

#define STACK_MAX 7 /* layers of a composition: an instance has room for 8 below its top */

typedef struct composition {
    const char *name;
    const char *summary;
    const char *stack[STACK_MAX + 1]; /* from the top, NULL-terminated */
} composition;

/* Real stacks. */
static const composition compositions[] = {
    {"arena_over_page", "an arena whose chunks come from the system", {"arena", "page"}},
    {"arena_over_libc", "an arena over malloc with any alignment", {"arena", "libc"}},
    {"arena_over_raw_libc", "an arena over plain malloc", {"arena", "raw_libc"}},
    {"arena_over_fixed_buffer", "an arena that lives in a buffer", {"arena", "fixed_buffer"}},
    {"arena_over_arena", "an arena per request inside an arena per session", {"arena", "arena"}},
    {"arena_shared_over_page", "an arena for many threads from the system", {"arena_shared", "page"}},
    {"pool_over_page", "a pool whose chunks come from the system", {"pool", "page"}},
    {"pool_over_libc", "a pool over malloc with any alignment", {"pool", "libc"}},
    {"pool_over_arena", "a pool per request, gone with the request's arena", {"pool", "arena"}},
    {"pool_over_fixed_buffer", "a pool that lives in a buffer", {"pool", "fixed_buffer"}},
    {"counting_over_pool", "a pool with its calls counted", {"counting", "pool"}},
    {"counting_over_raw_libc", "plain malloc with its calls and bytes counted", {"counting", "raw_libc"}},
    {"counting_over_arena", "what a request asks of its arena", {"counting", "arena"}},
    {"headered_over_raw_libc", "sizeless frees over plain malloc", {"headered", "raw_libc"}},
    {"headered_over_arena", "a C library's hooks served from an arena", {"headered", "arena"}},
    {"recording_over_counting", "every call told and counted", {"recording", "counting_shared", "libc"}},
    {"failing_over_arena", "an arena that can be made to refuse", {"failing", "arena"}},
    {"limited_over_pool", "a pool that hands out so many bytes at once", {"limited", "pool"}},
    {"thread_safe_over_pool", "a pool that threads share", {"thread_safe", "pool"}},
    {"thread_safe_over_arena", "an arena that threads share", {"thread_safe", "arena"}},
    {"validating_over_pool", "a pool and its users held to the contract", {"validating", "pool"}},
    {"validating_indexed_over_arena", "an arena and its users held to every word",
        {"validating_indexed", "arena"}},
    {"validating_indexed_over_pool", "a pool and its users held to every word",
        {"validating_indexed", "pool"}},
    {"failing_over_pool", "a pool that can be made to refuse", {"failing", "pool"}},
    {"counting_shared_over_pool", "what threads of a program ask of a pool", {"counting_shared", "pool"}},
    {"wide_align_over_host", "any alignment from a foreign heap", {"wide_align", "host"}},
    {"headered_over_host", "sizeless frees over a foreign heap", {"headered", "host"}},
    {"headered_over_wide_align", "sizeless frees of any alignment over plain malloc",
        {"headered", "wide_align", "raw_libc"}},
    {"pool_over_wide_align", "a pool with aligned chunks from a foreign heap",
        {"pool", "wide_align", "host"}},
    {"arena_over_host", "an arena that a virtual machine's accounting sees", {"arena", "host"}},
    {"stack_fallback_over_wide_align", "a buffer before a foreign heap",
        {"stack_fallback", "wide_align", "host"}},
    {"stack_fallback_over_arena", "a buffer before an arena", {"stack_fallback", "arena"}},
    {"stack_fallback_over_page", "a buffer before the system's pages", {"stack_fallback", "page"}},
    {"arena_over_stack_fallback", "an arena that begins in a buffer", {"arena", "stack_fallback", "libc"}},
    {"thread_safe_over_stack_fallback", "a buffer that threads share",
        {"thread_safe", "stack_fallback", "libc"}},
    {"counting_shared_over_arena_shared", "what threads ask of their arena",
        {"counting_shared", "arena_shared"}},
    {"limited_over_arena", "a budget for one request's arena", {"limited", "arena"}},
    {"arena_over_limited", "an arena that takes so many bytes and no more", {"arena", "limited", "libc"}},
    {"wide_align_over_counting", "what aligning adds, counted", {"wide_align", "counting", "raw_libc"}},
    {"debug_over_wide_align", "a foreign heap checked, as a plug-in of a virtual machine has it",
        {"debug", "wide_align", "host"}},
    {"arena_over_debug", "an arena that tells whether its owner ended it", {"arena", "debug", "libc"}},
    {"stack_fallback_over_debug", "a buffer before a checked heap", {"stack_fallback", "debug", "libc"}},
    {"logging_over_debug", "each call told and checked", {"logging", "debug", "libc"}},
    {"thread_safe_over_limited", "a budget that threads share", {"thread_safe", "limited", "libc"}},
    {"validating_over_fixed_buffer", "a buffer and its users held to the contract",
        {"validating", "fixed_buffer"}},
    {"validating_indexed_over_stack_fallback", "both places of a block held to every word",
        {"validating_indexed", "stack_fallback", "libc"}},
    {"validating_indexed_over_wide_align", "aligned blocks held to every word",
        {"validating_indexed", "wide_align", "raw_libc"}},
    {"pool_over_debug", "a pool whose chunks are checked at its end", {"pool", "debug", "libc"}},
    {"arena_over_smp", "an arena whose chunks are cached by thread", {"arena", "smp"}},
    {"arena_shared_over_smp", "an arena for many threads over a heap for many threads",
        {"arena_shared", "smp"}},
    {"pool_over_smp", "a pool whose chunks are cached by thread", {"pool", "smp"}},
    {"debug_over_smp", "the heap of production, checked", {"debug", "smp"}},
    {"stack_fallback_over_smp", "a buffer before the heap of the process", {"stack_fallback", "smp"}},
    {"counting_shared_over_smp", "what threads of a program ask of their heap", {"counting_shared", "smp"}},
    {"headered_over_smp", "sizeless frees over a heap that wants sizes", {"headered", "smp"}},
    {"limited_over_smp", "a budget within the heap of the process", {"limited", "smp"}},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ROW_MAX (COUNT_OF(own_rows) + COUNT_OF(compositions) + HY_PEER_MAX)

static struct {
    pthread_once_t once;
    size_t count;
    hy_row copies[ROW_MAX];
    const hy_row *rows[ROW_MAX];
} registry = {.once = PTHREAD_ONCE_INIT};

static const hy_row *own_row(const char *name) {
    for (size_t i = 0; i < COUNT_OF(own_rows); i++) {
        if (strcmp(own_rows[i]->name, name) == 0) return own_rows[i];
    }
    return NULL;
}

static hy_promises with_defaults(hy_promises given) {
    if (!given.served_bytes) given.served_bytes = HY_SERVED_BYTES;
    if (!given.served_align.log2) given.served_align = hy_align_from_log2(HY_SERVED_ALIGN_LOG2);
    if (!given.footprint_factor) given.footprint_factor = HY_FOOTPRINT_FACTOR;
    return given;
}

/* Whatever stands on a layer can serve no more than that. */
static void promise_on(hy_promises *top, const hy_promises *below) {
    hy_promises mine = with_defaults(*top), its = with_defaults(*below);
    if (its.served_bytes < mine.served_bytes) top->served_bytes = its.served_bytes;
    if (hy_align_compare(its.served_align, mine.served_align) < 0) top->served_align = its.served_align;
}

/* How much a stack holds is its top's to promise, which alone is reset; what each layer below rounds up comes
 * to no more than that again, or than any row's is. */
hy_promises hy_registry_promises(const hy_row *row) {
    hy_promises promises = with_defaults(row->promises);
    if (row->stack && promises.footprint_factor < HY_FOOTPRINT_FACTOR)
        promises.footprint_factor = HY_FOOTPRINT_FACTOR;
    if (row->stack) promises.footprint_factor *= 2;
    return promises;
}

/* What `top` is when it stands on something with the traits and alignment of `below`. */
static void stand_on(hy_row *top, const hy_row *below) {
    top->traits |= below->traits & top->keeps;
    promise_on(&top->promises, &below->promises);
    if (top->align_from_child) top->greatest_align = below->greatest_align;
    if (!top->missing) top->missing = below->missing;
    if (top->traits & HY_TRAIT_FIXED_BLOCK && !top->default_block_size) {
        top->default_block_size = below->default_block_size;
    }
    if (top->traits & HY_TRAIT_FIXED_CAPACITY && !top->default_capacity) {
        top->default_capacity = below->default_capacity;
    }
}

/* A row over its default child, and that over its own, down to one that needs none. */
static hy_row over_default_child(const hy_row *row) {
    hy_row result = *row;
    if (!result.missing) result.missing = hy_peer_missing(row);
    const hy_row *child = row->default_child ? own_row(row->default_child) : NULL;
    if (child) {
        hy_row below = over_default_child(child);
        stand_on(&result, &below);
    }
    return result;
}

/* Whether a row shrinks any block also where its default child stands below it, which tells nobody when it
 * refuses. */
static bool shrinks_on_its_own(const hy_row *row) {
    bool shrinks = row->promises.shrinks;
    while (shrinks && row->default_child) {
        row = own_row(row->default_child);
        shrinks = row->promises.shrinks;
    }
    return shrinks;
}

/* The layers of a stack as one row, from the bottom up. */
static hy_row over_stack(const char *const *stack) {
    size_t depth = 0;
    while (stack[depth])
        depth++;
    hy_row result = over_default_child(own_row(stack[depth - 1]));
    result.promises.shrinks = shrinks_on_its_own(own_row(stack[depth - 1]));
    if (!result.default_child) result.keeps = ~(hy_traits)0; /* it gives way to a child that is given */
    while (--depth > 0) {
        hy_row top = *own_row(stack[depth - 1]);
        stand_on(&top, &result);
        top.promises.shrinks &= result.promises.shrinks;
        if (!top.check) top.check = result.check;
        top.keeps &= result.keeps;
        top.align_from_child &= !result.default_child || result.align_from_child;
        top.default_child = result.default_child ? result.default_child : result.name;
        result = top;
    }
    return result;
}

/* A composition's instance: its layers from the bottom up. */
typedef struct composed {
    size_t count;
    hy_instance layers[STACK_MAX];
} composed;

const hy_row *hy_registry_near(const hy_row *row, const char *name) {
    if (!row->origin) return hy_registry_find(name);
    for (size_t i = 0; i < row->origin->row_count; i++) {
        if (strcmp(row->origin->rows[i]->name, name) == 0) return row->origin->rows[i];
    }
    return NULL;
}

static void unmake_layers(composed *stack) {
    while (stack->count > 0)
        hy_instance_destroy(&stack->layers[--stack->count]);
    hy_free(hy_libc(), stack, sizeof *stack, hy_align_of(composed));
}

/* How many layers are made: a lowest one that stands on nothing gives way to a child that is given, so
 * that any stack can be put on a counting, failing or recording child. */
static size_t layers_to_make(const hy_row *row, const hy_config *config) {
    size_t depth = 0;
    while (row->stack[depth])
        depth++;
    const hy_row *lowest = hy_registry_near(row, row->stack[depth - 1]);
    return config->child.vtable && lowest && !lowest->default_child ? depth - 1 : depth;
}

/* Options are the top's: what a bit means differs from row to row. */
static void *composed_make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    composed *stack = hy_alloc(hy_libc(), sizeof *stack, hy_align_of(composed));
    if (!stack) return NULL;
    stack->count = 0;
    size_t depth = layers_to_make(row, config);
    hy_config layer = *config;
    while (depth-- > 0) {
        const hy_row *layer_row = hy_registry_near(row, row->stack[depth]);
        layer.options = depth == 0 ? config->options : 0;
        if (!layer_row || !hy_instance_make(&stack->layers[stack->count], layer_row, &layer)) {
            unmake_layers(stack);
            return NULL;
        }
        layer.child = stack->layers[stack->count++].allocator;
    }
    *out = layer.child;
    return stack;
}

static void composed_destroy(const hy_row *row, void *instance) {
    (void)row;
    unmake_layers(instance);
}

static hy_instance *top_of(void *instance) {
    composed *stack = instance;
    return &stack->layers[stack->count - 1];
}

static bool composed_reset(void *instance, hy_reset_mode mode, size_t limit) {
    return hy_instance_reset(top_of(instance), mode, limit);
}

static bool composed_owns(void *instance, const void *ptr) {
    hy_instance *top = top_of(instance);
    return top->row->owns(top->state, ptr);
}

/* Every layer that can be checked holds. */
static bool composed_check(void *instance) {
    composed *stack = instance;
    for (size_t i = 0; i < stack->count; i++) {
        hy_instance *layer = &stack->layers[i];
        if (layer->row->check && !hy_instance_check(layer)) return false;
    }
    return true;
}

static bool composed_stats(void *instance, hy_stats *out) {
    return hy_instance_stats(top_of(instance), out);
}

static void *composed_operated(void *instance) {
    return top_of(instance)->state;
}

static hy_row composed_row(const char *name, const char *summary, const char *const *stack) {
    hy_row row = over_stack(stack);
    row.name = name;
    row.group = HY_GROUP_COMPOSITION;
    row.summary = summary;
    row.header = NULL;
    row.stack = stack;
    row.make = composed_make;
    row.destroy = composed_destroy;
    row.reset = row.reset ? composed_reset : NULL;
    row.owns = row.owns ? composed_owns : NULL;
    row.check = row.check ? composed_check : NULL;
    row.stats = row.stats ? composed_stats : NULL;
    row.direct = NULL;
    row.operated = composed_operated;
    return row;
}

void hy_registry_compose(const char *const *stack, const char *name, hy_row *out) {
    *out = composed_row(name, "a stack of layers", stack);
}

static void add(const hy_row *row) {
    hy_row *copy = &registry.copies[registry.count];
    *copy = *row;
    registry.rows[registry.count++] = copy;
}

/* Whether this build has a row for each layer. */
static bool has_layers(const char *const *stack) {
    while (*stack && own_row(*stack))
        stack++;
    return !*stack;
}

static void fill_registry(void) {
    for (size_t i = 0; i < COUNT_OF(own_rows); i++) {
        hy_row row = over_default_child(own_rows[i]);
        add(&row);
    }
    for (size_t c = 0; c < COUNT_OF(compositions); c++) {
        if (!has_layers(compositions[c].stack)) continue;
        hy_row row = composed_row(compositions[c].name, compositions[c].summary, compositions[c].stack);
        add(&row);
    }
    hy_row peers[HY_PEER_MAX];
    size_t peer_count = hy_peer_rows(peers);
    for (size_t i = 0; i < peer_count; i++)
        add(&peers[i]);
}

const hy_row *const *hy_registry_rows(size_t *count) {
    pthread_once(&registry.once, fill_registry);
    *count = registry.count;
    return registry.rows;
}

void hy_registry_export(hy_plugin *plugin) {
    size_t count;
    plugin->rows = hy_registry_rows(&count);
    plugin->row_count = 0;
    while (plugin->row_count < count && registry.copies[plugin->row_count].group != HY_GROUP_PEER) {
        registry.copies[plugin->row_count++].origin = plugin;
    }
}

const hy_row *hy_registry_find(const char *name) {
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i]->name, name) == 0) return rows[i];
    }
    return NULL;
}

#define NAME_MAX_BYTES 64

static size_t least(size_t a, size_t b, size_t c) {
    size_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

size_t hy_name_distance(const char *left, const char *right) {
    size_t costs[NAME_MAX_BYTES + 1];
    size_t right_size = strnlen(right, NAME_MAX_BYTES);
    for (size_t j = 0; j <= right_size; j++)
        costs[j] = j;
    for (size_t i = 0; left[i] && i < NAME_MAX_BYTES; i++) {
        size_t diagonal = costs[0];
        costs[0] = i + 1;
        for (size_t j = 0; j < right_size; j++) {
            size_t replaced = diagonal + (left[i] != right[j]);
            diagonal = costs[j + 1];
            costs[j + 1] = least(replaced, costs[j] + 1, diagonal + 1);
        }
    }
    return costs[right_size];
}

const char *hy_registry_suggest(const char *name) {
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    const char *best = rows[0]->name;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t distance = hy_name_distance(name, rows[i]->name);
        if (distance >= best_distance) continue;
        best = rows[i]->name;
        best_distance = distance;
    }
    return best;
}

/* Puts a child's instance, and those below it, under `instance`. */
static void adopt(hy_instance *instance, const hy_instance *child) {
    instance->below[0].row = child->row;
    instance->below[0].state = child->state;
    memcpy(&instance->below[1], child->below, child->below_count * sizeof child->below[0]);
    instance->below_count = child->below_count + 1;
}

static void destroy_below(hy_instance *instance) {
    for (size_t i = 0; i < instance->below_count; i++) {
        instance->below[i].row->destroy(instance->below[i].row, instance->below[i].state);
    }
    instance->below_count = 0;
}

static bool make_default_child(hy_instance *instance, const hy_row *row, hy_config *config) {
    const hy_row *child_row = hy_registry_near(row, row->default_child);
    hy_config child_config = *config;
    child_config.options = 0;
    hy_instance child;
    if (!child_row || !hy_instance_make(&child, child_row, &child_config)) return false;
    adopt(instance, &child);
    config->child = child.allocator;
    return true;
}

bool hy_instance_make(hy_instance *instance, const hy_row *row, const hy_config *config) {
    hy_config own = {0};
    if (config) own = *config;
    memset(instance, 0, sizeof *instance);
    if (row->missing) return false;
    if (row->default_child && !own.child.vtable && !make_default_child(instance, row, &own)) return false;
    instance->row = row;
    instance->state = row->make(row, &own, &instance->allocator);
    if (!instance->state) destroy_below(instance);
    return instance->state != NULL;
}

void hy_instance_destroy(hy_instance *instance) {
    instance->row->destroy(instance->row, instance->state);
    destroy_below(instance);
}

bool hy_instance_reset(hy_instance *instance, hy_reset_mode mode, size_t limit) {
    return instance->row->reset && instance->row->reset(instance->state, mode, limit);
}

bool hy_instance_check(hy_instance *instance) {
    return instance->row->check && instance->row->check(instance->state);
}

bool hy_instance_stats(hy_instance *instance, hy_stats *out) {
    return instance->row->stats && instance->row->stats(instance->state, out);
}

/* The top layer's state. */
static void *operated(const hy_instance *instance) {
    return instance->row->operated ? instance->row->operated(instance->state) : instance->state;
}

bool hy_instance_operate(hy_instance *instance, size_t operation, size_t number, hy_mark *mark) {
    return instance->row->operations[operation].run(operated(instance), number, mark);
}

void hy_instance_tell(const hy_instance *instance, hy_told *told) {
    hy_told_clear(told);
    if (instance->row->tells) instance->row->tells(operated(instance), told);
}

bool hy_instance_tell_block(const hy_instance *instance, const void *block, size_t *size, hy_align *align) {
    if (!instance->row->tells_block) return false;
    instance->row->tells_block(operated(instance), block, size, align);
    return true;
}

const char *hy_group_name(hy_group group) {
    static const char *const names[HY_GROUP_COUNT] = {
        [HY_GROUP_FLOOR] = "floor",
        [HY_GROUP_SOURCE] = "source",
        [HY_GROUP_STRATEGY] = "strategy",
        [HY_GROUP_DECORATOR] = "decorator",
        [HY_GROUP_COMPOSITION] = "composition",
        [HY_GROUP_PEER] = "peer",
    };
    return (unsigned)group < HY_GROUP_COUNT ? names[group] : "unknown";
}

const char *hy_trait_name(unsigned bit) {
    static const char *const names[HY_TRAIT_COUNT] = {
        "thread_safe",
        "free_any",
        "free_last",
        "bulk_reset",
        "grow_in_place",
        "fixed_capacity",
        "fixed_block",
        "real_free",
        "peer",
        "refuses_all",
        "floor",
        "whole_pages",
        "quarantines",
    };
    return bit < HY_TRAIT_COUNT ? names[bit] : "unknown";
}
