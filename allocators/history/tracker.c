/* tracker.c: the hash table of live addresses. */
#include "allocators/history/tracker.h"

#include <heapyard/typed.h>

void hy_tracker_init(hy_tracker *tracker, hy_history *history, hy_allocator gpa) {
    *tracker = (hy_tracker){.history = history, .gpa = gpa};
}

void hy_tracker_deinit(hy_tracker *tracker) {
    hy_free_n(tracker->gpa, tracker->table, tracker->capacity);
    hy_free_n(tracker->gpa, tracker->vacant, tracker->vacant_capacity);
    hy_free_n(tracker->gpa, tracker->pending, tracker->pending_count);
    *tracker = (hy_tracker){.gpa = tracker->gpa};
}

/* The home place of an address. The low bits of the product are dropped, because aligned addresses leave
 * them zero. */
static size_t home(const hy_tracker *tracker, uint64_t address) {
    return (size_t)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & (tracker->capacity - 1);
}

/* The place of the address, or the empty one where it would be inserted. The table is never full. */
static size_t place_of(const hy_tracker *tracker, uint64_t address) {
    size_t at = home(tracker, address);
    while (tracker->table[at].address != 0 && tracker->table[at].address != address) {
        at = (at + 1) & (tracker->capacity - 1);
    }
    return at;
}

static hy_tracked *find(hy_tracker *tracker, uint64_t address) {
    if (tracker->capacity == 0) return NULL;
    hy_tracked *at = &tracker->table[place_of(tracker, address)];
    return at->address != 0 ? at : NULL;
}

static bool grow(hy_tracker *tracker) {
    hy_tracked *old = tracker->table;
    size_t old_capacity = tracker->capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 1024;
    hy_tracked *table = hy_alloc_zeroed(tracker->gpa, hy_tracked, capacity);
    if (!table) return false;
    tracker->table = table;
    tracker->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].address != 0) table[place_of(tracker, old[i].address)] = old[i];
    }
    hy_free_n(tracker->gpa, old, old_capacity);
    return true;
}

static bool insert(hy_tracker *tracker, hy_tracked block) {
    if (tracker->live_count * 2 >= tracker->capacity && !grow(tracker)) return false;
    tracker->table[place_of(tracker, block.address)] = block;
    tracker->live_count++;
    return true;
}

/* Removes a block and moves later ones of its probe sequence up, so that no tombstones are needed. */
static void remove_block(hy_tracker *tracker, hy_tracked *block) {
    size_t mask = tracker->capacity - 1;
    size_t gap = (size_t)(block - tracker->table);
    for (size_t at = (gap + 1) & mask; tracker->table[at].address != 0; at = (at + 1) & mask) {
        size_t from_home = (at - home(tracker, tracker->table[at].address)) & mask;
        if (from_home < ((at - gap) & mask)) continue;
        tracker->table[gap] = tracker->table[at];
        gap = at;
    }
    tracker->table[gap].address = 0;
    tracker->live_count--;
}

static bool vacate(hy_tracker *tracker, uint32_t slot) {
    if (tracker->vacant_count == tracker->vacant_capacity) {
        uint32_t capacity = tracker->vacant_capacity ? tracker->vacant_capacity * 2 : 256;
        uint32_t *vacant =
            hy_realloc_n(tracker->gpa, uint32_t, tracker->vacant, tracker->vacant_capacity, capacity);
        if (!vacant) return false;
        tracker->vacant = vacant;
        tracker->vacant_capacity = capacity;
    }
    tracker->vacant[tracker->vacant_count++] = slot;
    return true;
}

static bool append(
    hy_tracker *tracker, hy_op_kind kind, uint8_t flags, uint16_t thread, const hy_tracked *block) {
    hy_op op = {.kind = (uint8_t)kind & 15u,
        .flags = flags & 15u,
        .align_log2 = block->align_log2,
        .thread = thread,
        .slot = block->slot,
        .size = block->size};
    return hy_history_append(tracker->history, op);
}

/* Records a free, whether it was seen or is only inferred. */
static bool end_block(hy_tracker *tracker, uint16_t thread, hy_tracked *block, uint8_t flags) {
    hy_tracked ended = *block;
    remove_block(tracker, block);
    return append(tracker, HY_OP_FREE, flags, thread, &ended) && vacate(tracker, ended.slot);
}

/* Before a new block is recorded at the address: a block still tracked there must have been freed unseen. */
static bool clear_address(hy_tracker *tracker, uint16_t thread, uint64_t address) {
    hy_tracked *stale = find(tracker, address);
    if (!stale) return true;
    tracker->missed_count++;
    return end_block(tracker, thread, stale, 0);
}

static uint32_t next_slot(const hy_tracker *tracker) {
    return tracker->vacant_count > 0 ? tracker->vacant[tracker->vacant_count - 1] : tracker->slot_count;
}

bool hy_tracker_alloc(hy_tracker *tracker, uint16_t thread, uint64_t address, uint64_t size,
    uint8_t align_log2, uint8_t flags) {
    if (!clear_address(tracker, thread, address)) return false;
    hy_tracked block = {
        .address = address, .size = size, .slot = next_slot(tracker), .align_log2 = align_log2};
    if (!insert(tracker, block) || !append(tracker, HY_OP_ALLOC, flags, thread, &block)) return false;
    if (tracker->vacant_count > 0)
        tracker->vacant_count--;
    else
        tracker->slot_count++;
    return true;
}

bool hy_tracker_refused(hy_tracker *tracker, uint16_t thread, uint64_t size, uint8_t align_log2) {
    hy_tracked none = {.size = size, .slot = next_slot(tracker), .align_log2 = align_log2};
    return append(tracker, HY_OP_ALLOC, HY_OP_REFUSED, thread, &none);
}

bool hy_tracker_free(hy_tracker *tracker, uint16_t thread, uint64_t address, uint8_t flags) {
    hy_tracked *block = find(tracker, address);
    if (block) return end_block(tracker, thread, block, flags);
    tracker->foreign_count++;
    return true;
}

static bool reserve_pending(hy_tracker *tracker, uint16_t thread) {
    if (thread < tracker->pending_count) return true;
    uint32_t count = (uint32_t)thread * 2 + 16;
    hy_pending *pending =
        hy_realloc_n(tracker->gpa, hy_pending, tracker->pending, tracker->pending_count, count);
    if (!pending) return false;
    memset(pending + tracker->pending_count, 0, (count - tracker->pending_count) * sizeof *pending);
    tracker->pending = pending;
    tracker->pending_count = count;
    return true;
}

bool hy_tracker_change_begin(hy_tracker *tracker, uint16_t thread, uint64_t address) {
    if (!reserve_pending(tracker, thread)) return false;
    hy_tracked *block = find(tracker, address);
    tracker->pending[thread].active = block != NULL;
    if (!block) {
        tracker->foreign_count++;
        return true;
    }
    tracker->pending[thread].block = *block;
    remove_block(tracker, block);
    return true;
}

/* The call returned NULL: it was refused, or, for size 0, freed the block. */
static bool change_returned_null(
    hy_tracker *tracker, uint16_t thread, hy_op_kind kind, uint64_t size, hy_tracked block) {
    if (size == 0) {
        return append(tracker, HY_OP_FREE, 0, thread, &block) && vacate(tracker, block.slot);
    }
    if (!insert(tracker, block)) return false;
    block.size = size;
    return append(tracker, kind, HY_OP_REFUSED, thread, &block);
}

bool hy_tracker_change_end(
    hy_tracker *tracker, uint16_t thread, hy_op_kind kind, uint64_t address, uint64_t size) {
    if (!reserve_pending(tracker, thread)) return false;
    hy_pending *pending = &tracker->pending[thread];
    bool known = pending->active;
    hy_tracked block = pending->block;
    pending->active = false;
    if (address == 0) return !known || change_returned_null(tracker, thread, kind, size, block);
    if (!known) return hy_tracker_alloc(tracker, thread, address, size, hy_malloc_align_log2(size), 0);
    if (!clear_address(tracker, thread, address)) return false;
    block.address = address;
    block.size = size;
    return insert(tracker, block) && append(tracker, kind, 0, thread, &block);
}

bool hy_tracker_thread_end(hy_tracker *tracker, uint16_t thread) {
    return hy_history_append(tracker->history, (hy_op){.kind = HY_OP_THREAD_END, .thread = thread});
}
