/* statistics.c: two passes over the operations; the second one stops at the peak. */
#include "allocators/history/statistics.h"

#include <heapyard/typed.h>

/* The state of a slot. */
typedef struct block {
    uint64_t size;
    uint64_t born; /* number of allocations before this one */
    uint16_t thread;
    bool live;
} block;

/* Exact sizes are counted below this; greater ones rarely repeat. */
#define EXACT_MAX 65536u

static void count_alloc(hy_statistics *out, hy_op op, uint64_t *exact) {
    out->allocs++;
    out->zeroed += (op.flags & HY_OP_ZEROED) != 0;
    out->aligned += op.align_log2 > 4;
    out->requested_bytes += op.size;
    out->size_counts[hy_statistics_class(op.size)]++;
    if (op.size < EXACT_MAX) exact[op.size]++;
}

static void count_free(hy_statistics *out, hy_op op, const block *at) {
    uint64_t age = out->allocs - at->born - 1;
    out->frees++;
    out->sized_frees += (op.flags & HY_OP_SIZED) != 0;
    out->cross_thread_frees += at->thread != op.thread;
    out->next_frees += age == 0;
    out->lifetimes[hy_statistics_class(age)]++;
}

/* Replaces the block of a slot by `next`, and updates the totals of live bytes and blocks. */
static void update_slot(hy_statistics *out, block *at, block next) {
    out->end_bytes += (next.live ? next.size : 0) - (at->live ? at->size : 0);
    out->end_blocks += (uint64_t)next.live - (uint64_t)at->live;
    *at = next;
}

static void empty_all(hy_statistics *out, block *slots, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        update_slot(out, &slots[i], (block){0});
}

static void count_op(hy_statistics *out, const hy_history *history, hy_op op, block *slots, uint64_t *exact) {
    block *at = op.slot < history->slot_count ? &slots[op.slot] : NULL;
    if (op.kind == HY_OP_THREAD_END) {
        out->thread_ends++;
        return;
    }
    out->operations++;
    if (op.flags & HY_OP_REFUSED) {
        out->refused++;
    } else if (op.kind == HY_OP_ALLOC) {
        update_slot(
            out, at, (block){.size = op.size, .born = out->allocs, .thread = op.thread, .live = true});
        count_alloc(out, op, exact);
    } else if (op.kind == HY_OP_FREE) {
        count_free(out, op, at);
        update_slot(out, at, (block){0});
    } else if (op.kind == HY_OP_RESET) {
        empty_all(out, slots, history->slot_count);
    } else if (op.kind != HY_OP_CHECK && op.kind != HY_OP_SPECIAL) {
        out->reallocs++;
        block next = *at;
        next.size = op.size;
        update_slot(out, at, next);
    }
}

static void find_peak(hy_statistics *out, const hy_history *history, block *slots, uint64_t *exact) {
    for (size_t i = 0; i < history->count; i++) {
        count_op(out, history, history->ops[i], slots, exact);
        if (out->end_blocks > out->peak_blocks) out->peak_blocks = out->end_blocks;
        if (out->end_bytes <= out->peak_bytes) continue;
        out->peak_bytes = out->end_bytes;
        out->peak_bytes_at = i;
    }
}

/* The bytes live at the peak by size, by a second run up to the peak. */
static void count_peak_sizes(hy_statistics *out, const hy_history *history, block *slots, uint64_t *exact) {
    hy_statistics scratch = {0};
    memset(slots, 0, history->slot_count * sizeof *slots);
    for (size_t i = 0; i < history->count && i <= out->peak_bytes_at; i++) {
        count_op(&scratch, history, history->ops[i], slots, exact);
    }
    for (uint32_t i = 0; i < history->slot_count; i++) {
        if (slots[i].live) out->size_peak_bytes[hy_statistics_class(slots[i].size)] += slots[i].size;
    }
}

static void find_top(hy_statistics *out, uint64_t *exact) {
    for (int rank = 0; rank < HY_STATISTICS_TOP; rank++) {
        uint64_t best = 0;
        for (uint64_t size = 1; size < EXACT_MAX; size++) {
            if (exact[size] > exact[best]) best = size;
        }
        out->top[rank] = (hy_top_size){.size = best, .count = exact[best]};
        exact[best] = 0;
    }
}

bool hy_statistics_make(hy_statistics *out, const hy_history *history) {
    *out = (hy_statistics){.threads = history->thread_count};
    hy_allocator gpa = history->allocator;
    block *slots = hy_alloc_zeroed(gpa, block, history->slot_count);
    uint64_t *exact = hy_alloc_zeroed(gpa, uint64_t, EXACT_MAX);
    bool good = slots && exact;
    if (good) {
        find_peak(out, history, slots, exact);
        find_top(out, exact);
        count_peak_sizes(out, history, slots, exact);
    }
    hy_free_n(gpa, slots, history->slot_count);
    hy_free_n(gpa, exact, EXACT_MAX);
    return good;
}
