/* interpreter.c: each operation on the instance, and what must hold after it. */
#include "fuzz/interpreter.h"

#include "fuzz/finding.h"
#include "fuzz/model.h"
#include <heapyard/typed.h>

#define LIVE_MAX ((uint64_t)512 << 10) /* bytes live at once */
#define SERVED_MAX LIVE_MAX            /* a growing row must serve up to here… */
#define SERVED_ALIGN_LOG2_MAX 16       /* …at alignments up to here */
#define WEIGHT_OF_BLOCK 64             /* what any row may add to a block beside its alignment */
#define FOOTPRINT_FACTOR 4
/* Of a row that resets, and grows by half of what it holds: where a chunk was kept, 2/3 of the next request,
 * that one has a chunk of its own, and a byte more takes 1.5 times both: (1 + 1.5) * (1 + 2/3) = 25/6 of what
 * was asked for. */
#define FOOTPRINT_FACTOR_RESET 5
#define FOOTPRINT_REST ((uint64_t)16 << 10)
#define ZEROED_LOOKED_AT 4096
#define GRANULE_BYTES (HY_ASAN ? 8u : 1u) /* ASan knows granules of 8 bytes */
#define GRAIN_MAX 16u                     /* a row may round a size up to its alignment, if that is no more */

/* At a fixed address, so that runs are the same on every machine and in every process: inside what every
 * sanitizer's shadow covers, away from where the system puts anything. */
static hy_child child = {.place = (void *)(uintptr_t)0x7e9000000000, .report = hy_finding};

/* What an input's two shape bits choose for the bounds of a row. 0: the row's default. */
static const struct {
    size_t capacity;
    size_t block_size;
    uint8_t block_align_log2;
} shapes[HY_BYTES_SHAPES] = {{4096, 0, 0}, {256, 24, 3}, {65536, 8, 0}, {1000, 100, 6}};

static struct {
    const hy_row *row;
    hy_instance instance;
    hy_config config;
    hy_align greatest;
    bool counts;            /* the row tells stats */
    bool on_child;          /* its blocks lie in the child's */
    size_t refusals_before; /* of the child, before this step */
    size_t child_bytes_at_start;
    hy_stats stats_before;
    uint64_t spent;  /* at worst taken from a fixed capacity since it was last empty */
    uint64_t weight; /* of what is live, or for rows that don't reuse, of all since reset */
    uint64_t weight_peak;
    bool reuses;             /* see layers_reuse */
    bool bounded;            /* see is_bounded */
    uint64_t shrunk_serial;  /* blocks older than this have seen one shrink */
    uint64_t changes_serial; /* blocks older than this have seen another one change */
    uint64_t serial;
    uint64_t top; /* the block that is both live and the last that was made, by its serial; 0: not known */
    struct {
        uint64_t size; /* a request up to here must be served: the newest was just freed */
        uint8_t align_log2;
    } room;
} run;

static bool has(hy_traits traits) {
    return (run.row->traits & traits) == traits;
}

static bool row_has(const hy_row *row, hy_traits traits) {
    return (row->traits & traits) == traits;
}

bool hy_interpreter_takes(const hy_row *row) {
    return !row->missing && !row_has(row, HY_TRAIT_FLOOR);
}

/* Whether a layer of a composition is bounded, though the whole does not say so. */
static bool has_bounded_layer(const hy_row *row) {
    for (size_t i = 0; row->stack && row->stack[i]; i++) {
        const hy_row *layer = hy_registry_near(row, row->stack[i]);
        if (layer && row_has(layer, HY_TRAIT_FIXED_CAPACITY)) return true;
    }
    return false;
}

/* The layer below all others, and whether it hands out what it owns: a region of fixed capacity. */
static bool stands_on_region(const hy_row *row) {
    const hy_row *lowest = row;
    for (size_t i = 0; row->stack && row->stack[i]; i++)
        lowest = hy_registry_near(row, row->stack[i]);
    return lowest && !lowest->default_child && row_has(lowest, HY_TRAIT_FIXED_CAPACITY);
}

/* A composition on a child that is given stands on that instead of its own lowest layer; so half of the
 * inputs are run on each, and one that stands on a region always keeps it. */
static bool takes_child(const hy_row *row, const hy_bytes_header *header) {
    return !row->stack || (!stands_on_region(row) && header->shape < HY_BYTES_SHAPES / 2);
}

hy_config hy_interpreter_config(const hy_row *row, const hy_bytes_header *header) {
    hy_config config = {.options = header->options};
    if (takes_child(row, header)) config.child = hy_child_allocator(&child);
    if (row_has(row, HY_TRAIT_FIXED_CAPACITY) || has_bounded_layer(row))
        config.capacity = shapes[header->shape].capacity;
    if (row_has(row, HY_TRAIT_FIXED_BLOCK)) {
        size_t block_size = shapes[header->shape].block_size;
        config.block_size = block_size ? block_size : row->default_block_size;
        config.block_align = hy_align_from_log2(shapes[header->shape].block_align_log2);
    }
    return config;
}

hy_bytes_bounds hy_interpreter_bounds(const hy_row *row, const hy_bytes_header *header) {
    hy_config config = hy_interpreter_config(row, header);
    return (hy_bytes_bounds){config.capacity, config.block_size};
}

/* Whether something refuses what is too large before memory is taken for it. A budget above the child
 * does not: it knows sizes, and an alignment may take gigabytes below it. */
static bool is_bounded(const hy_row *row, const hy_config *config) {
    bool on_given = config->child.vtable && row->default_child;
    return on_given || stands_on_region(row) || row_has(row, HY_TRAIT_REFUSES_ALL);
}

/* Whether a request may be made: it is small, or costs nothing because something bounds it. */
static bool affordable(uint64_t size, uint8_t align_log2) {
    bool bounded = run.bounded;
    if (!bounded && align_log2 > SERVED_ALIGN_LOG2_MAX && align_log2 <= run.greatest.log2) return false;
    if (hy_model_live_bytes() + size <= LIVE_MAX && size <= LIVE_MAX) return true;
    return size > (bounded ? HY_CHILD_REGION_BYTES : (size_t)PTRDIFF_MAX);
}

static bool child_refused(void) {
    return child.counts.refusals != run.refusals_before;
}

static uint64_t weight_of(uint64_t size, uint8_t align_log2) {
    uint64_t block = run.config.block_size > size ? run.config.block_size : size;
    return block + hy_align_bytes(hy_align_from_log2(align_log2)) + WEIGHT_OF_BLOCK;
}

/* The most that may lie unused behind a block: what rounds it up, or keeps the next one out of its granule.
 */
static uint64_t slack_behind(uint8_t align_log2) {
    size_t align = hy_align_bytes(hy_align_from_log2(align_log2));
    return (align > GRANULE_BYTES && align <= GRAIN_MAX ? align : GRANULE_BYTES) - 1;
}

/* The most that a request can take from a fixed capacity: its padding before it, and the slack behind. */
static uint64_t worst_case(uint64_t size, uint8_t align_log2) {
    uint64_t block = run.config.block_size > size ? run.config.block_size : size;
    return block + hy_align_bytes(hy_align_from_log2(align_log2)) - 1 + slack_behind(align_log2);
}

/* A composition over a layer of fixed capacity: what fits depends on every layer's overhead. */
static bool is_inside_capacity(void) {
    return run.row->stack && run.config.capacity;
}

/* The alignment up to which blocks of a fixed size are served. */
static hy_align block_align(void) {
    return run.config.block_align.log2 ? run.config.block_align : run.row->greatest_align;
}

/* Whether traits promise that a request is served as long as the child does not refuse. Rows that
 * were given options may refuse more; of them nothing is promised. */
static bool must_serve(uint64_t size, hy_align align) {
    if (has(HY_TRAIT_REFUSES_ALL) || run.config.options != 0) return false;
    if (hy_align_compare(align, run.greatest) > 0 || align.log2 > SERVED_ALIGN_LOG2_MAX) return false;
    if (has(HY_TRAIT_FIXED_BLOCK) &&
        (size > run.config.block_size || hy_align_compare(align, block_align()) > 0))
        return false;
    if (size <= run.room.size && align.log2 <= run.room.align_log2) return true;
    if (is_inside_capacity()) return false;
    if (!has(HY_TRAIT_FIXED_CAPACITY)) return size <= SERVED_MAX;
    return size <= run.config.capacity && run.spent + worst_case(size, align.log2) <= run.config.capacity;
}

static void expect_refusal_allowed(uint64_t size, hy_align align) {
    if (child_refused() || !must_serve(size, align)) return;
    hy_finding("liveness", "%ju bytes at 2^%u were refused although they fit", (uintmax_t)size, align.log2);
}

/* A refusal leaves what the row counts as it was. */
static void expect_unchanged(void) {
    hy_stats now;
    if (!run.counts || !hy_instance_stats(&run.instance, &now)) return;
    if (now.used_bytes == run.stats_before.used_bytes) return;
    hy_finding("refusal", "a refusal changed the bytes used from %zu to %zu", run.stats_before.used_bytes,
        now.used_bytes);
}

/* Whether a block that was served may be one. */
static void expect_served(const void *ptr, uint64_t size, hy_align align) {
    if (size == 0) {
        if (ptr != hy_zero_size_pointer(align)) hy_finding("zero", "a block of no bytes is at %p", ptr);
        return;
    }
    if (has(HY_TRAIT_REFUSES_ALL))
        hy_finding("refusal", "%ju bytes were served by a row that refuses all", (uintmax_t)size);
    if (hy_align_compare(align, run.greatest) > 0)
        hy_finding(
            "refusal", "alignment 2^%u was served, above the greatest 2^%u", align.log2, run.greatest.log2);
    if (has(HY_TRAIT_FIXED_CAPACITY) && size > run.config.capacity)
        hy_finding(
            "refusal", "%ju bytes were served from a capacity of %zu", (uintmax_t)size, run.config.capacity);
    if (child.counts.live_blocks > 0) run.on_child = true;
    if (run.on_child && !hy_child_contains(&child, ptr, size))
        hy_finding("outside", "block [%p, +%ju) is not inside what the child gave", ptr, (uintmax_t)size);
    if (run.row->owns && !run.row->owns(run.instance.state, ptr))
        hy_finding("outside", "the row does not own %p", ptr);
}

static void expect_zeroed(const unsigned char *bytes, uint64_t size) {
    for (uint64_t i = 0; i < size && i < ZEROED_LOOKED_AT; i++) {
        if (bytes[i]) hy_finding("zero", "byte %ju of a zeroed block is 0x%02x", (uintmax_t)i, bytes[i]);
    }
}

static void add_weight(uint64_t size, uint8_t align_log2) {
    run.weight += weight_of(size, align_log2);
    run.spent += worst_case(size, align_log2);
    if (run.weight > run.weight_peak) run.weight_peak = run.weight;
}

static bool capacity_changed(void) {
    hy_stats now;
    return run.counts && hy_instance_stats(&run.instance, &now) &&
           now.capacity_bytes != run.stats_before.capacity_bytes;
}

static void run_alloc(hy_op op) {
    hy_align align = hy_align_from_log2(op.align_log2);
    if (hy_model_at(op.slot)->live || !affordable(op.size, op.align_log2)) return;
    bool zeroed = op.flags & HY_OP_ZEROED;
    void *ptr = zeroed ? hy_alloc_array_zeroed(run.instance.allocator, op.size, 1, align)
                       : hy_alloc(run.instance.allocator, op.size, align);
    if (!ptr) {
        expect_refusal_allowed(op.size, align);
        expect_unchanged();
        return;
    }
    expect_served(ptr, op.size, align);
    if (zeroed) expect_zeroed(ptr, op.size);
    hy_model_add(op.slot, ptr, op.size, align);
    hy_model_note_used(op.slot, run.stats_before.used_bytes);
    run.serial = hy_model_at(op.slot)->serial;
    if (op.size == 0) return;
    if (capacity_changed()) run.changes_serial = run.serial; /* the rest of a chunk may count as used */
    run.top = run.serial;
    add_weight(op.size, op.align_log2);
}

/* Whether a block that ends makes room: the last one only where nothing of it was lost before. */
static bool gives_back(const hy_model_block *block, bool was_top) {
    /* Where a layer below has refused chunks, the one before the last block may lie in an older chunk. */
    bool last_counts =
        was_top && has(HY_TRAIT_FREE_LAST) && (block->serial == run.serial || !is_inside_capacity());
    return has(HY_TRAIT_REAL_FREE) || (last_counts && block->serial > run.shrunk_serial);
}

/* What a freed block's memory must serve next: where frees count, its own like. */
static void make_room(const hy_model_block *block, bool was_top) {
    if (!gives_back(block, was_top)) return;
    run.room.size = block->size;
    run.room.align_log2 = block->align_log2;
    uint64_t back = has(HY_TRAIT_REAL_FREE | HY_TRAIT_FIXED_BLOCK)
                        ? worst_case(block->size, block->align_log2)
                        : block->size;
    run.spent -= back < run.spent ? back : run.spent; /* of the others the padding may stay */
}

/* Where the row gives the last block's memory back, it counts no more than before that block. */
static void expect_given_back(const hy_model_block *block) {
    hy_stats now;
    bool comparable = run.counts && has(HY_TRAIT_FREE_LAST) && block->serial > run.changes_serial;
    if (!comparable || !hy_instance_stats(&run.instance, &now)) return;
    size_t padding =
        hy_align_bytes(hy_align_from_log2(block->align_log2)) - 1 + slack_behind(block->align_log2);
    if (now.used_bytes != SIZE_MAX && now.used_bytes > block->used_before &&
        now.used_bytes - block->used_before > padding)
        hy_finding("account", "%zu bytes are used after the newest block was freed, %zu were before it",
            now.used_bytes, block->used_before);
}

/* The block before the last one is now the last, if it is live and nothing was left between them. */
static void lower_top(const hy_model_block *ended) {
    hy_stats now;
    uint32_t newest = hy_model_newest();
    bool follows = newest != HY_MODEL_NO_SLOT && hy_model_at(newest)->serial == run.top - 1;
    bool clean = run.counts && hy_instance_stats(&run.instance, &now) && now.used_bytes == ended->used_before;
    run.top = follows && clean && has(HY_TRAIT_FREE_LAST) ? run.top - 1 : 0;
}

static void run_free(uint32_t slot) {
    hy_model_block block = *hy_model_at(slot);
    if (!block.live) return;
    hy_model_verify(slot);
    hy_model_remove(slot);
    hy_free(run.instance.allocator, (void *)block.address, block.size, hy_align_from_log2(block.align_log2));
    if (block.size == 0) return;
    if (has(HY_TRAIT_REAL_FREE)) run.weight -= weight_of(block.size, block.align_log2);
    bool was_top = block.serial == run.top;
    make_room(&block, was_top);
    if (was_top) {
        expect_given_back(&block);
        lower_top(&block);
    }
    hy_model_verify_near((void *)block.address);
}

/* A block lives with another size, perhaps elsewhere. */
static void block_changed(uint32_t slot, void *ptr, uint64_t size) {
    hy_model_block block = *hy_model_at(slot);
    expect_served(ptr, size, hy_align_from_log2(block.align_log2));
    if (block.size) {
        if (size) add_weight(size, block.align_log2);
        if (has(HY_TRAIT_REAL_FREE)) run.weight -= weight_of(block.size, block.align_log2);
    } else if (size) {
        add_weight(size, block.align_log2);
    }
    hy_model_change(slot, ptr, size);
    if ((uintptr_t)ptr != block.address) {
        run.top = run.serial = hy_model_at(slot)->serial;
        hy_model_note_used(slot, run.stats_before.used_bytes);
    }
    run.changes_serial = run.serial;
    if (size < block.size) run.shrunk_serial = run.serial;
}

/* What a block of no bytes does when its size is to change: only realloc makes one of it. */
static bool zero_rule_holds(hy_op_kind kind, uint64_t old_size, uint64_t new_size, bool served) {
    if (new_size == 0) return served;
    if (old_size == 0 && kind != HY_OP_REALLOC) return !served;
    return true;
}

static void *call_change(hy_op_kind kind, const hy_model_block *block, uint64_t size) {
    hy_allocator allocator = run.instance.allocator;
    void *ptr = (void *)block->address;
    hy_align align = hy_align_from_log2(block->align_log2);
    if (kind == HY_OP_REALLOC) return hy_realloc(allocator, ptr, block->size, size, align);
    if (kind == HY_OP_REMAP) return hy_remap(allocator, ptr, block->size, size, align);
    return hy_resize(allocator, ptr, block->size, size, align) ? ptr : NULL;
}

/* Whether the traits promise that the newest block grows in place. */
static bool must_grow(const hy_model_block *block, uint64_t size) {
    if (!has(HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_FIXED_CAPACITY) || run.config.options != 0) return false;
    if (is_inside_capacity()) return false;
    if (has(HY_TRAIT_FIXED_BLOCK) || size <= block->size || block->serial != run.top) return false;
    if (block->serial <= run.shrunk_serial) return false; /* what it gave up may be lost */
    return size <= run.config.capacity &&
           run.spent + (size - block->size) + slack_behind(block->align_log2) <= run.config.capacity;
}

static void change_was_refused(
    hy_op_kind kind, uint32_t slot, const hy_model_block *block, uint64_t size, bool must) {
    hy_model_verify(slot);
    expect_unchanged();
    if (kind == HY_OP_REALLOC) expect_refusal_allowed(size, hy_align_from_log2(block->align_log2));
    if (kind == HY_OP_RESIZE && must && !child_refused())
        hy_finding("liveness", "the newest block could not grow from %ju to %ju although they fit",
            (uintmax_t)block->size, (uintmax_t)size);
}

static void run_change(hy_op_kind kind, uint32_t slot, uint64_t size) {
    hy_model_block block = *hy_model_at(slot);
    if (!block.live || !affordable(size, block.align_log2)) return;
    if (size == 0) {
        hy_model_verify(slot);
        hy_model_remove(slot);
    }
    hy_model_verify_near((void *)block.address);
    bool must = must_grow(&block, size);
    void *ptr = call_change(kind, &block, size);
    if (!zero_rule_holds(kind, block.size, size, ptr != NULL))
        hy_finding("zero", "from %ju to %ju bytes was %s", (uintmax_t)block.size, (uintmax_t)size,
            ptr ? "served" : "refused");
    if (size == 0) {
        if (block.size && has(HY_TRAIT_REAL_FREE)) run.weight -= weight_of(block.size, block.align_log2);
        run.changes_serial = run.serial;
        run.top = 0;
        return;
    }
    if (!ptr)
        change_was_refused(kind, slot, &block, size, must);
    else
        block_changed(slot, ptr, size);
    hy_model_verify_near((void *)block.address);
}

/* After every block ended at once. */
static void expect_empty(hy_reset_mode mode, uint64_t limit, bool kept) {
    hy_stats now = {.used_bytes = 0, .capacity_bytes = SIZE_MAX};
    bool counts = run.counts && hy_instance_stats(&run.instance, &now);
    if (counts && now.used_bytes != 0 && now.used_bytes != SIZE_MAX)
        hy_finding("account", "%zu bytes are used after a reset", now.used_bytes);
    if (mode == HY_RESET_RETAIN_WITH_LIMIT && counts && now.capacity_bytes != SIZE_MAX &&
        now.capacity_bytes > limit && !has(HY_TRAIT_FIXED_CAPACITY))
        hy_finding(
            "account", "%zu bytes are kept by a reset to at most %ju", now.capacity_bytes, (uintmax_t)limit);
    size_t held = child.counts.live_bytes;
    bool frees_through = !run.row->stack; /* a layer below may keep what it gets back until its own reset */
    if (mode == HY_RESET_FREE_ALL && frees_through && held > run.child_bytes_at_start)
        hy_finding("leak", "%zu bytes of the child are held after a reset that frees all", held);
    if (!kept && !child_refused() && mode != HY_RESET_RETAIN_WITH_LIMIT && run.config.options == 0 &&
        !is_inside_capacity())
        hy_finding("liveness", "a reset could not keep its memory although the child did not refuse");
}

static void run_reset(uint64_t coded) {
    if (!has(HY_TRAIT_BULK_RESET)) return;
    hy_reset_mode mode = (hy_reset_mode)(coded & 3);
    hy_model_verify_all();
    hy_model_clear();
    bool kept = hy_instance_reset(&run.instance, mode, coded >> 2);
    expect_empty(mode, coded >> 2, kept);
    run.spent = run.weight = run.top = 0;
    run.changes_serial = run.serial;
}

static void expect_account(const hy_stats *now) {
    size_t used = now->used_bytes, capacity = now->capacity_bytes;
    if (used != SIZE_MAX) {
        if (used < hy_model_live_bytes())
            hy_finding("account", "%zu bytes are said to be used, %ju are live", used,
                (uintmax_t)hy_model_live_bytes());
        if (capacity != SIZE_MAX && used > capacity)
            hy_finding("account", "%zu bytes are used of a capacity of %zu", used, capacity);
        if (now->high_water_bytes < used)
            hy_finding("account", "high water %zu is below the %zu used", now->high_water_bytes, used);
        if (used && hy_model_live_bytes() == 0 && has(HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE))
            hy_finding("account", "%zu bytes are said to be used, nothing is live", used);
    }
    if (capacity == SIZE_MAX) return;
    if (has(HY_TRAIT_FIXED_CAPACITY) && !has(HY_TRAIT_FIXED_BLOCK) && capacity > run.config.capacity)
        hy_finding("account", "a capacity of %zu is said, %zu was given", capacity, run.config.capacity);
    if (run.on_child && capacity > child.counts.live_bytes)
        hy_finding(
            "account", "a capacity of %zu is said, the child gave %zu", capacity, child.counts.live_bytes);
}

/* Whether what the top layer gives back serves it again, and soon. An arena below another loses every chunk
 * that is not its newest until it is reset itself, so that no multiple bounds what it holds. */
static bool layers_reuse(const hy_row *row) {
    if (row_has(row, HY_TRAIT_QUARANTINES)) return false;
    for (size_t i = 1; row->stack && row->stack[i]; i++) {
        const hy_row *layer = hy_registry_near(row, row->stack[i]);
        if (!layer || !row_has(layer, HY_TRAIT_REAL_FREE) || row_has(layer, HY_TRAIT_QUARANTINES))
            return false;
    }
    return true;
}

static void expect_footprint(void) {
    if (!run.reuses) return;
    uint64_t layers = run.row->stack ? 2 : 1; /* each may round up */
    uint64_t factor = has(HY_TRAIT_BULK_RESET) ? FOOTPRINT_FACTOR_RESET : FOOTPRINT_FACTOR;
    uint64_t bound = layers * factor * (run.weight_peak + run.config.capacity) + FOOTPRINT_REST +
                     64 * run.config.block_size;
    size_t held = child.counts.live_bytes;
    if (held > bound && run.config.options == 0)
        hy_finding("footprint", "%zu bytes of the child are held; %ju are the most that was asked for", held,
            (uintmax_t)run.weight_peak);
}

/* After each step. */
static void check_row(void) {
    hy_stats now;
    if (run.counts && hy_instance_stats(&run.instance, &now)) expect_account(&now);
    expect_footprint();
    if (run.row->check && !hy_instance_check(&run.instance))
        hy_finding("structure", "the row's own check fails");
}

static void run_operation(hy_op op) {
    static const char *const names[HY_OP_KIND_COUNT] = {
        "alloc", "free", "realloc", "resize", "remap", "reset", "check", "thread end"};
    hy_fuzz_place_now.operation = names[op.kind];
    run.refusals_before = child.counts.refusals;
    run.stats_before.used_bytes = SIZE_MAX;
    if (run.counts) hy_instance_stats(&run.instance, &run.stats_before);
    switch ((hy_op_kind)op.kind) {
    case HY_OP_ALLOC:
        run_alloc(op);
        break;
    case HY_OP_FREE:
        run_free(op.slot);
        return; /* what was freed is the room that the next step may count on */
    case HY_OP_REALLOC:
    case HY_OP_RESIZE:
    case HY_OP_REMAP:
        run_change((hy_op_kind)op.kind, op.slot, op.size);
        break;
    case HY_OP_RESET:
        run_reset(op.size);
        break;
    case HY_OP_CHECK:
        hy_model_verify_all();
        break;
    case HY_OP_THREAD_END:
    case HY_OP_KIND_COUNT:
        break;
    }
    run.room.size = 0;
}

static void expect_drained(void) {
    const hy_child_block *kept = hy_child_lowest_live(&child);
    if (kept)
        hy_finding("leak", "%zu bytes at %p were not given back to the child (%zu blocks in all)", kept->size,
            (void *)kept->address, child.counts.live_blocks);
    hy_child_check_strays(&child);
}

/* What the row must give back by itself stays live; the rest is freed here. */
static void finish(void) {
    hy_fuzz_place_now.operation = "end";
    hy_model_verify_all();
    while (!has(HY_TRAIT_BULK_RESET) && hy_model_live_count() > 0) {
        uint32_t slot = hy_model_by_address(hy_model_live_count() - 1);
        run_free(slot);
        run.room.size = 0;
    }
    if (!has(HY_TRAIT_BULK_RESET)) check_row();
    hy_instance_destroy(&run.instance);
    expect_drained();
}

/* Above this a request must be refused: the row's own greatest alignment, what its blocks were asked
 * to have, or that of the child that it passes requests on to. */
static hy_align greatest_of(const hy_row *row, const hy_config *config) {
    if (row->align_from_child && row->default_child && config->child.vtable)
        return hy_align_from_log2(HY_ALIGN_LOG2_MAX);
    return hy_align_max(row->greatest_align, config->block_align);
}

static bool begin(const hy_row *row, const hy_bytes_header *header) {
    run.row = row;
    run.reuses = layers_reuse(row);
    run.config = hy_interpreter_config(row, header);
    run.bounded = is_bounded(row, &run.config);
    run.on_child = false;
    run.spent = run.weight = run.weight_peak = run.top = run.changes_serial = run.shrunk_serial = run.serial =
        0;
    run.room.size = 0;
    hy_fuzz_place_now = (hy_fuzz_place){row->name, "make", 0};
    hy_child_begin(&child, &header->faults);
    hy_model_begin();
    run.greatest = greatest_of(row, &run.config);
    if (!hy_instance_make(&run.instance, row, &run.config)) {
        if (child.counts.refusals == 0 && run.config.options == 0 && !is_inside_capacity())
            hy_finding("liveness", "an instance could not be made");
        expect_drained();
        return false;
    }
    hy_stats stats;
    run.counts = hy_instance_stats(&run.instance, &stats);
    run.child_bytes_at_start = child.counts.live_bytes;
    return true;
}

const hy_child *hy_interpreter_child(void) {
    return &child;
}

size_t hy_interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    if (!begin(row, header)) return 0;
    for (size_t i = 0; i < history->count; i++) {
        hy_fuzz_place_now.index = i;
        run_operation(history->ops[i]);
        check_row();
    }
    hy_fuzz_place_now.index = history->count;
    finish();
    return history->count;
}
