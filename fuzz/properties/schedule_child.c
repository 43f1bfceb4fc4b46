/* schedule_child.c: calls of the child, and what they show of who makes them. */
#include "fuzz/properties/schedule_child.h"

#include "fuzz/finding.h"
#include "fuzz/layers.h"
#include "fuzz/oracles.h"
#include "fuzz/races.h"
#include "fuzz/schedule.h"

#define FREED_MAX 256 /* until threads meet; what is freed after that counts as known */

static hy_child child = {.place = (void *)(uintptr_t)0x7ea000000000};

static struct {
    const hy_instance *instance;
    bool is_serial;       /* no two threads may call it at once */
    uint64_t budget;      /* HY_TOLD_NOT: there is none */
    bool tells_of_frees;  /* before they are made */
    uint64_t calls_count; /* what a call changes, for races */
    struct {
        hy_race_time time;
        size_t bytes;
    } freed[FREED_MAX];
    size_t freed_count;
} state;

/* Whether the row, or a layer of it, is for threads by itself, not because its child is. The lowest layer
 * gives way to a child that is given where it needs none (registry.h). */
static bool is_serial(const hy_row *row) {
    const hy_layers *layers = hy_layers_of(row);
    for (size_t i = 0; i < layers->count; i++) {
        const hy_row *layer = layers->rows[i];
        bool stays = i + 1 < layers->count || layer->default_child;
        if (stays && layer->traits & ~layer->keeps & HY_TRAIT_THREAD_SAFE) return true;
    }
    return layers->count == 0 && row->traits & ~row->keeps & HY_TRAIT_THREAD_SAFE;
}

static void begin_call(void) {
    hy_schedule_step_begins("a call of the child");
    if (!state.is_serial) return;
    state.calls_count++;
    hy_races_access(HY_WRITES, &state.calls_count, sizeof state.calls_count, __builtin_return_address(0));
}

/* What another thread freed is free for this one when it knows of it; and then for all, since others may have
 * been granted theirs before. */
static size_t unknown_bytes(void) {
    size_t unknown = 0, kept = 0;
    for (size_t i = 0; i < state.freed_count; i++) {
        if (hy_races_knows(state.freed[i].time)) continue;
        unknown += state.freed[i].bytes;
        state.freed[kept++] = state.freed[i];
    }
    state.freed_count = kept;
    return unknown;
}

static void check_budget(void) {
    if (state.budget == HY_TOLD_NOT) return;
    size_t live = child.counts.live_bytes, unknown = unknown_bytes();
    if (live + unknown > state.budget)
        hy_finding("budget", "%zu bytes of the child are live and %zu are not known to be free, of %zu", live,
            unknown, (size_t)state.budget);
}

static void note_freed(size_t bytes) {
    if (state.budget == HY_TOLD_NOT || state.freed_count == FREED_MAX) return;
    state.freed[state.freed_count].time = hy_races_now();
    state.freed[state.freed_count++].bytes = bytes;
}

static void check_told(const void *ptr) {
    if (!state.tells_of_frees) return;
    hy_told told;
    hy_instance_tell(state.instance, &told);
    uint64_t count = told.numbers[HY_TOLD_CALLS];
    for (uint64_t i = count > HY_TOLD_LAST ? count - HY_TOLD_LAST : 0; i < count; i++) {
        const hy_call *call = &told.calls[i % HY_TOLD_LAST];
        if (call->kind == HY_CALL_FREE && call->ptr == ptr) return;
    }
    hy_finding("late", "the child ends a block at %p, and no free of it was told", ptr);
}

static const hy_vtable *below(void) {
    return hy_child_allocator(&child).vtable;
}

static void *alloc(void *self, size_t size, hy_align align) {
    begin_call();
    void *ptr = below()->alloc(self, size, align);
    check_budget();
    return ptr;
}

static void changed(size_t old_size, size_t new_size) {
    if (new_size < old_size) note_freed(old_size - new_size);
    check_budget();
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    begin_call();
    bool done = below()->resize(self, ptr, old_size, new_size, align);
    if (done) changed(old_size, new_size);
    return done;
}

static void *remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    begin_call();
    void *moved = below()->remap(self, ptr, old_size, new_size, align);
    if (moved) changed(old_size, new_size);
    return moved;
}

static void end(void *self, void *ptr, size_t size, hy_align align) {
    check_told(ptr);
    begin_call();
    below()->free(self, ptr, size, align);
    note_freed(size);
}

hy_allocator hy_schedule_child_begin(const hy_row *row, const hy_fault_policy *faults) {
    static const hy_vtable vtable = {alloc, resize, remap, end};
    hy_child_begin(&child, faults);
    state.instance = NULL;
    state.is_serial = is_serial(row);
    state.budget = HY_TOLD_NOT;
    state.tells_of_frees = false;
    state.freed_count = 0;
    return (hy_allocator){&child, &vtable};
}

/* A composition's layers tell of calls that are not its child's. */
void hy_schedule_child_watch(const hy_instance *instance) {
    state.instance = instance;
    if (instance->row->stack || !instance->row->tells || !hy_oracles_has("promise")) return;
    hy_told told;
    hy_instance_tell(instance, &told);
    if (!told.passes_on) return;
    state.budget = told.numbers[HY_TOLD_BUDGET_BYTES];
    state.tells_of_frees = told.calls && !told.refusals_only;
}

void hy_schedule_child_meet(void) {
    state.freed_count = 0;
}

const hy_child_counts *hy_schedule_child_counts(void) {
    return &child.counts;
}
