/* interpreter.c: what a history does on an instance; what must hold of it is the oracles' affair. */
#include "fuzz/interpreter.h"

#include "fuzz/finding.h"
#include "fuzz/layers.h"
#include "fuzz/libc_tap.h"
#include "fuzz/marks.h"
#include "fuzz/misuse.h"
#include "fuzz/oracles.h"
#include "fuzz/os_tap.h"
#include <heapyard/typed.h>

#define LIVE_MAX ((uint64_t)512 << 10) /* bytes live at once */
#define TWIN_SIZE_MAX 4096             /* of a second instance's blocks */
#define UNBOUNDED_ALIGN_LOG2_MAX 16    /* asked of rows that would take the padding from the system */

/* What an input's two shape bits choose for the bounds of a row. 0: the row's default. */
static const struct {
    size_t capacity;
    size_t block_size;
    uint8_t block_align_log2;
} shapes[HY_BYTES_SHAPES] = {{4096, 0, 0}, {256, 24, 3}, {65536, 8, 0}, {1000, 100, 6}};

/* At a fixed address, so that runs are the same on every machine and in every process: inside what every
 * sanitizer's shadow covers, away from where the system puts anything. */
static hy_child child = {.place = (void *)(uintptr_t)0x7e9000000000};

static hy_run run = {.child = &child};
static bool bounded; /* see is_bounded */
static hy_config made_with;
static hy_call_tap tap;

const hy_child *hy_interpreter_child(void) {
    return &child;
}

static bool row_has(const hy_row *row, hy_traits traits) {
    return (row->traits & traits) == traits;
}

bool hy_interpreter_takes(const hy_row *row) {
    return !row->missing && !row_has(row, HY_TRAIT_FLOOR);
}

/* Whether a layer of a composition is bounded, though the whole does not say so. */
static bool has_bounded_layer(const hy_row *row) {
    const hy_layers *layers = hy_layers_of(row);
    for (size_t i = 0; i < layers->count; i++) {
        if (row_has(layers->rows[i], HY_TRAIT_FIXED_CAPACITY)) return true;
    }
    return false;
}

/* The layer below all others, and whether it hands out what it owns: a region of fixed capacity. */
static bool stands_on_region(const hy_row *row) {
    const hy_layers *layers = hy_layers_of(row);
    const hy_row *lowest = layers->count ? layers->rows[layers->count - 1] : row;
    return !lowest->default_child && row_has(lowest, HY_TRAIT_FIXED_CAPACITY);
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
    return (hy_bytes_bounds){config.capacity, config.block_size, row->operations, row->operation_count};
}

/* Whether something refuses what is too large before memory is taken for it. A budget above the child
 * does not: it knows sizes, and an alignment may take gigabytes below it. */
static bool is_bounded(const hy_row *row, const hy_config *config) {
    bool on_given = config->child.vtable && row->default_child;
    return on_given || stands_on_region(row) || row_has(row, HY_TRAIT_REFUSES_ALL);
}

/* Whether a request may be made: it is small, or costs nothing because something bounds it. */
static bool affordable(uint64_t size, uint8_t align_log2) {
    if (size > PTRDIFF_MAX) return true; /* no object is so large */
    if (!bounded && align_log2 > UNBOUNDED_ALIGN_LOG2_MAX && align_log2 <= run.greatest.log2) return false;
    if (hy_live_bytes() + size <= LIVE_MAX && size <= LIVE_MAX) return true;
    return size > (bounded ? HY_CHILD_REGION_BYTES : (size_t)PTRDIFF_MAX);
}

static const hy_stats no_stats = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};

static void read_stats(void) {
    if (!run.counts || !hy_instance_stats(&run.instance, &run.now)) run.now = no_stats;
}

/* A block came to lie at a new place. */
static void note_made(uint32_t slot) {
    run.newest.top = run.newest.last = hy_live_at(slot)->serial;
}

static void note_place(const hy_run_call *call) {
    if (call->size != 0 && child.counts.live_blocks > 0) run.on_child = true;
}

/* An array of two or of one, after one whose size wraps around to no more than that. */
static void alloc_zeroed(hy_run_call *call) {
    hy_allocator allocator = run.instance.allocator;
    size_t count = call->size % 2 ? 1 : 2, size = call->size / count;
    if (size > 1)
        call->overflowed = hy_alloc_array_zeroed(allocator, SIZE_MAX / size + 1, size, call->align) != NULL;
    call->ptr = hy_alloc_array_zeroed(allocator, count, size, call->align);
}

static void run_alloc(hy_op op) {
    if (hy_live_at(op.slot)->live || !affordable(op.size, op.align_log2)) return;
    hy_run_call call = {.kind = HY_OP_ALLOC,
        .zeroed = op.flags & HY_OP_ZEROED,
        .slot = op.slot,
        .size = op.size,
        .align = hy_align_from_log2(op.align_log2)};
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    if (call.zeroed)
        alloc_zeroed(&call);
    else
        call.ptr = hy_alloc(run.instance.allocator, op.size, call.align);
    read_stats();
    if (!call.ptr) {
        hy_oracles_see(HY_ON_REFUSED, &run, &call);
        return;
    }
    hy_live_add(op.slot, call.ptr, op.size, call.align, run.before.used_bytes);
    run.newest.last = hy_live_at(op.slot)->serial;
    if (op.size != 0) {
        note_made(op.slot);
        /* The rest of a chunk may count as used. */
        if (run.now.capacity_bytes != run.before.capacity_bytes) run.newest.changed = run.newest.last;
    }
    note_place(&call);
    hy_oracles_see(HY_ON_SERVED, &run, &call);
}

/* The block before the last one is now the last, if it is live and nothing was left between them. */
static void lower_top(const hy_live_block *ended) {
    uint32_t newest = hy_live_newest();
    bool follows = newest != HY_LIVE_NO_SLOT && hy_live_at(newest)->serial == run.newest.top - 1;
    bool clean = run.counts && run.now.used_bytes == ended->used_before;
    run.newest.top = follows && clean && hy_run_has(&run, HY_TRAIT_FREE_LAST) ? run.newest.top - 1 : 0;
}

static hy_run_call call_of(hy_op_kind kind, uint32_t slot, uint64_t size) {
    const hy_live_block *block = hy_live_at(slot);
    return (hy_run_call){.kind = kind,
        .of_top = block->serial == run.newest.top,
        .slot = slot,
        .size = size,
        .align = hy_align_from_log2(block->align_log2),
        .before = *block};
}

static void run_free(uint32_t slot) {
    if (!hy_live_at(slot)->live) return;
    hy_run_call call = call_of(HY_OP_FREE, slot, 0);
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    hy_live_remove(slot);
    hy_free(run.instance.allocator, (void *)call.before.address, call.before.size, call.align);
    read_stats();
    hy_oracles_see(HY_ON_ENDED, &run, &call);
    if (call.of_top && call.before.size != 0) lower_top(&call.before);
}

static void *call_change(const hy_run_call *call) {
    hy_allocator allocator = run.instance.allocator;
    void *ptr = (void *)call->before.address;
    uint64_t old_size = call->before.size, size = call->size;
    if (call->kind == HY_OP_REALLOC) return hy_realloc(allocator, ptr, old_size, size, call->align);
    if (call->kind == HY_OP_REMAP) return hy_remap(allocator, ptr, old_size, size, call->align);
    return hy_resize(allocator, ptr, old_size, size, call->align) ? ptr : NULL;
}

/* Of the last block itself, in place and in the same chunk, no more is lost than before; of all others, it
 * may be. */
static void note_change(const hy_run_call *call) {
    bool is_last = call->of_top && call->before.serial == run.newest.last;
    bool stays =
        (uintptr_t)call->ptr == call->before.address && run.now.capacity_bytes == run.before.capacity_bytes;
    if (!is_last || !stays)
        run.newest.changed = run.newest.last;
    else if (run.newest.changed < run.newest.last - 1)
        run.newest.changed = run.newest.last - 1;
}

static void block_changed(const hy_run_call *call) {
    hy_live_change(call->slot, call->ptr, call->size, run.before.used_bytes);
    if ((uintptr_t)call->ptr != call->before.address)
        note_made(call->slot);
    else
        hy_marks_note_size(call->slot, call->size);
    note_change(call);
    if (call->size < call->before.size) run.newest.shrunk = run.newest.last;
    note_place(call);
    hy_oracles_see(HY_ON_SERVED, &run, call);
}

static void run_change(hy_op op) {
    const hy_live_block *block = hy_live_at(op.slot);
    if (!block->live || !affordable(op.size, block->align_log2)) return;
    hy_run_call call = call_of((hy_op_kind)op.kind, op.slot, op.size);
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    if (op.size == 0) hy_live_remove(op.slot);
    call.ptr = call_change(&call);
    read_stats();
    if (op.size == 0) {
        run.newest.changed = run.newest.last;
        run.newest.top = 0;
        hy_oracles_see(HY_ON_ENDED, &run, &call);
    } else if (call.ptr) {
        block_changed(&call);
    } else {
        hy_oracles_see(HY_ON_REFUSED, &run, &call);
    }
}

static void look_at_all(void) {
    hy_oracles_see(HY_ON_BEFORE, &run, &(hy_run_call){.kind = HY_OP_CHECK});
}

static void run_reset(uint64_t coded) {
    if (!hy_run_has(&run, HY_TRAIT_BULK_RESET)) return;
    hy_run_call call = {.kind = HY_OP_RESET, .mode = (hy_reset_mode)(coded & 3), .size = coded >> 2};
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    hy_live_clear();
    hy_marks_clear();
    call.kept = hy_instance_reset(&run.instance, call.mode, call.size);
    read_stats();
    run.newest.top = 0;
    run.newest.changed = run.newest.last;
    hy_oracles_see(HY_ON_RESET, &run, &call);
}

/* Whether an operation may be called: what it takes is small, or bounded; its mark is one. */
static bool may_operate(const hy_run_call *call) {
    uint64_t bytes = call->size;
    switch (call->operation->effect) {
    case HY_EFFECT_BLOCKS:
        if (HY_MUL_OVERFLOWS(bytes, run.config.block_size, &bytes)) bytes = UINT64_MAX;
        return affordable(bytes, 0);
    case HY_EFFECT_ROOM:
        return affordable(bytes, 0);
    case HY_EFFECT_RESTORE:
        return hy_mark_is_valid(call->mark);
    case HY_EFFECT_NONE:
    case HY_EFFECT_CAPACITY:
    case HY_EFFECT_MARK:
        break;
    }
    return true;
}

/* What holds from now on of marks, bounds and the newest block. */
static void note_operated(const hy_run_call *call) {
    hy_effect effect = call->operation->effect;
    if (effect == HY_EFFECT_MARK) hy_mark_taken(call->mark);
    if (effect == HY_EFFECT_RESTORE) hy_mark_restored(call->mark);
    if (effect == HY_EFFECT_CAPACITY) run.config.capacity = call->size;
    bool moved =
        run.now.used_bytes != run.before.used_bytes || run.now.capacity_bytes != run.before.capacity_bytes;
    if (effect != HY_EFFECT_RESTORE && !moved) return;
    run.newest.top = 0;
    run.newest.changed = run.newest.last;
}

/* The last step of the run. */
static void run_misuse(const hy_run_call *call) {
    look_at_all();
    run.is_over = hy_misuse_commit(&run, call, &run.misdeed);
    if (run.misdeed.is_done) hy_oracles_see(HY_ON_MISUSED, &run, call);
}

static void run_special(uint32_t operation, uint64_t number) {
    if (operation >= run.row->operation_count) return;
    hy_run_call call = {.kind = HY_OP_SPECIAL,
        .size = number,
        .operation = &run.row->operations[operation],
        .mark = hy_mark_index(number)};
    hy_fuzz_place_now.operation = call.operation->name;
    if (!call.operation->run) {
        run_misuse(&call);
        return;
    }
    if (!may_operate(&call)) return;
    bool marks = call.operation->effect == HY_EFFECT_MARK || call.operation->effect == HY_EFFECT_RESTORE;
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    call.kept = hy_instance_operate(&run.instance, operation, number, marks ? hy_mark_at(call.mark) : NULL);
    read_stats();
    if (call.kept) note_operated(&call);
    hy_oracles_see(HY_ON_SPECIAL, &run, &call);
}

/* Blocks of a second instance: filled, one of them freed, the others its own to end. */
static void use_twin(hy_instance *twin, uint64_t size) {
    const hy_align aligns[] = {HY_ALIGN_8, HY_ALIGN_1, HY_ALIGN_16};
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) {
        void *block = hy_alloc(twin->allocator, size, aligns[i]);
        if (!block) continue;
        memset(block, 0xA5, size);
        if (i == 1 || !row_has(run.row, HY_TRAIT_BULK_RESET))
            hy_free(twin->allocator, block, size, aligns[i]);
    }
    if (run.row->reset) (void)hy_instance_reset(twin, HY_RESET_RETAIN_CAPACITY, 0);
}

/* What one instance does is nothing to the blocks of another. */
static void run_twin(uint64_t number) {
    hy_run_call call = {.kind = HY_OP_SPECIAL, .size = number % TWIN_SIZE_MAX + 1};
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
    hy_instance twin;
    call.kept = hy_instance_make(&twin, run.row, &made_with);
    if (call.kept) {
        use_twin(&twin, call.size);
        hy_instance_destroy(&twin);
    }
    read_stats();
    hy_oracles_see(HY_ON_SPECIAL, &run, &call);
}

/* What is left: of a budget, or of what the row holds. */
static size_t left(void) {
    const hy_stats *stats = &run.before;
    bool fixed = row_has(run.row, HY_TRAIT_FIXED_CAPACITY) && run.config.capacity >= stats->used_bytes;
    size_t capacity = fixed ? run.config.capacity : stats->capacity_bytes;
    return capacity == SIZE_MAX || capacity < stats->used_bytes ? 0 : capacity - stats->used_bytes;
}

/* The size that an operation asks for: some follow from what is left. Where a size_t is too small for it, the
 * greatest. */
static uint64_t resolved_size(hy_op op) {
    uint64_t size = op.flags & HY_OP_OF_ROOM ? left() + op.size : op.size;
    return (size_t)size == size ? size : SIZE_MAX;
}

static void run_operation(hy_op op) {
    static const char *const names[HY_OP_KIND_COUNT] = {
        "alloc", "free", "realloc", "resize", "remap", "reset", "check", "thread end", "twin"};
    hy_fuzz_place_now.operation = names[op.kind];
    run.kind = (hy_op_kind)op.kind;
    run.refusals_before = child.counts.refusals;
    run.calls_before = hy_child_calls(&child);
    run.before = run.now;
    op.size = resolved_size(op);
    switch (run.kind) {
    case HY_OP_ALLOC:
        run_alloc(op);
        break;
    case HY_OP_FREE:
        run_free(op.slot);
        break;
    case HY_OP_REALLOC:
    case HY_OP_RESIZE:
    case HY_OP_REMAP:
        run_change(op);
        break;
    case HY_OP_RESET:
        run_reset(op.size);
        break;
    case HY_OP_CHECK:
        look_at_all();
        break;
    case HY_OP_SPECIAL:
        if (op.slot == HY_OP_TWIN)
            run_twin(op.size);
        else
            run_special(op.slot, op.size);
        break;
    case HY_OP_THREAD_END:
    case HY_OP_KIND_COUNT:
        break;
    }
    if (!run.is_over) hy_oracles_see(HY_ON_STEP, &run, NULL);
}

/* What the row must give back by itself stays live; the rest is freed here. */
static void finish(void) {
    hy_fuzz_place_now.operation = "end";
    look_at_all();
    if (!hy_run_has(&run, HY_TRAIT_BULK_RESET)) {
        run.kind = HY_OP_FREE;
        while (hy_live_count() > 0)
            run_free(hy_live_by_address(hy_live_count() - 1));
        hy_oracles_see(HY_ON_STEP, &run, NULL);
    }
    hy_instance_destroy(&run.instance);
}

/* Above this a request must be refused: the row's own greatest alignment, what its blocks were asked
 * to have, or that of the child that it passes requests on to. */
static hy_align greatest_of(const hy_row *row, const hy_config *config) {
    if (row->align_from_child && row->default_child && config->child.vtable)
        return hy_align_from_log2(HY_ALIGN_LOG2_MAX);
    return hy_align_max(row->greatest_align, config->block_align);
}

/* Where no oracle wants to know of the child's misuse, it goes on. */
static void pass_over(const char *kind, const char *format, ...) {
    (void)kind, (void)format;
}

static void begin(const hy_row *row, const hy_bytes_header *header) {
    run = (hy_run){.row = row,
        .config = hy_interpreter_config(row, header),
        .child = &child,
        .promises = hy_registry_promises(row),
        .before = no_stats,
        .now = no_stats};
    made_with = run.config;
    run.greatest = greatest_of(row, &run.config);
    bounded = is_bounded(row, &run.config);
    hy_fuzz_place_now = (hy_fuzz_place){row->name, "make", 0};
    child.report = pass_over;
    hy_libc_tap_begin();
    hy_child_begin(&child, &header->faults);
    hy_live_begin();
    hy_marks_clear();
    hy_oracles_see(HY_ON_BEGIN, &run, NULL);
    hy_layers_restart(row);
    hy_os_tap_run(&child.counts.refusals);
    run.is_made = hy_instance_make(&run.instance, row, &made_with);
    run.counts = run.is_made && hy_instance_stats(&run.instance, &run.now);
    if (!run.counts) run.now = no_stats;
    if (run.is_made && (row->tells || row->tells_block)) {
        run.instance.allocator = hy_call_tap_begin(&tap, run.instance.allocator, &child);
        run.tap = &tap;
    }
    hy_oracles_see(HY_ON_MADE, &run, NULL);
}

/* What the run leaves behind ends with it and not with the next one: to an engine it is this input's. */
static size_t end(size_t operations) {
    hy_layers_restart(run.row);
    hy_libc_tap_end();
    return operations;
}

size_t hy_interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    begin(row, header);
    size_t count = run.is_made ? history->count : 0;
    for (size_t i = 0; i < count; i++) {
        hy_fuzz_place_now.index = i;
        run_operation(history->ops[i]);
        if (run.is_over) {
            hy_instance_destroy(&run.instance);
            hy_os_tap_run(NULL);
            return end(i + 1);
        }
    }
    hy_fuzz_place_now.index = count;
    if (run.is_made) finish();
    hy_os_tap_run(NULL);
    hy_oracles_see(HY_ON_END, &run, NULL);
    return end(count);
}
