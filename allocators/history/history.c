/* history.c: the array of operations, and the check that it is a legal history. */
#include "allocators/history/history.h"

#include <heapyard/typed.h>

void hy_history_init(hy_history *history, hy_allocator gpa) {
    *history = (hy_history){.allocator = gpa};
}

void hy_history_deinit(hy_history *history) {
    hy_free_n(history->allocator, history->ops, history->capacity);
    *history = (hy_history){.allocator = history->allocator};
}

bool hy_history_reserve(hy_history *history, size_t count) {
    if (count <= history->capacity) return true;
    hy_op *ops = hy_realloc_n(history->allocator, hy_op, history->ops, history->capacity, count);
    if (!ops) return false;
    history->ops = ops;
    history->capacity = count;
    return true;
}

bool hy_history_append(hy_history *history, hy_op op) {
    if (history->count == history->capacity) {
        size_t doubled = history->capacity ? history->capacity * 2 : 256;
        if (!hy_history_reserve(history, doubled)) return false;
    }
    history->ops[history->count++] = op;
    if (op.kind != HY_OP_SPECIAL && op.slot >= history->slot_count) history->slot_count = op.slot + 1;
    if (op.thread >= history->thread_count) history->thread_count = op.thread + 1u;
    return true;
}

/* The state of a slot while a history is checked. */
typedef struct slot {
    uint64_t size;
    uint8_t align_log2;
    bool live;
} slot;

/* Applies one operation to the slots; false where it is not legal there. */
static bool apply(slot *slots, uint32_t slot_count, hy_op op) {
    bool has_slot = op.slot < slot_count;
    if (!has_slot) return op.kind == HY_OP_SPECIAL;
    slot *at = &slots[op.slot];
    switch ((hy_op_kind)op.kind) {
    case HY_OP_ALLOC:
        if (at->live || op.align_log2 > HY_ALIGN_LOG2_MAX) return false;
        if (!(op.flags & HY_OP_REFUSED)) *at = (slot){op.size, op.align_log2, true};
        return true;
    case HY_OP_FREE:
        if (!at->live || at->size != op.size || at->align_log2 != op.align_log2) return false;
        at->live = false;
        return true;
    case HY_OP_REALLOC:
    case HY_OP_RESIZE:
    case HY_OP_REMAP:
        if (!at->live || at->align_log2 != op.align_log2) return false;
        if (!(op.flags & HY_OP_REFUSED)) at->size = op.size;
        return true;
    case HY_OP_RESET:
        for (uint32_t i = 0; i < slot_count; i++)
            slots[i].live = false;
        return true;
    case HY_OP_CHECK:
    case HY_OP_THREAD_END:
    case HY_OP_SPECIAL:
        return true;
    case HY_OP_KIND_COUNT:
        break;
    }
    return false;
}

bool hy_history_check(const hy_history *history, size_t *bad) {
    *bad = 0;
    slot *slots = hy_alloc_zeroed(history->allocator, slot, history->slot_count);
    if (!slots) return false;
    size_t i = 0;
    while (i < history->count && apply(slots, history->slot_count, history->ops[i]))
        i++;
    hy_free_n(history->allocator, slots, history->slot_count);
    *bad = i;
    return i == history->count;
}
