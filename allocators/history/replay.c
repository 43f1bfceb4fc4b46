/* replay.c: compiles plans, and replays them in recorded order. */
#include "allocators/history/replay.h"

#include "allocators/history/step.h"
#include <heapyard/typed.h>
#include <time.h>

/* ---- plans ---- */

/* The state of a slot while a plan is built. */
typedef struct slot_state {
    uint64_t size;
    uint8_t align_log2;
    bool live;
} slot_state;

typedef struct builder {
    hy_plan *plan;
    size_t capacity;
    slot_state *slots;
    uint64_t live_bytes;
    uint64_t live_blocks;
} builder;

static bool add_step(builder *build, hy_step step) {
    hy_plan *plan = build->plan;
    if (plan->count == build->capacity) {
        size_t capacity = build->capacity * 2 + 256;
        hy_step *steps = hy_realloc_n(plan->gpa, hy_step, plan->steps, build->capacity, capacity);
        if (!steps) return false;
        plan->steps = steps;
        build->capacity = capacity;
    }
    plan->steps[plan->count++] = step;
    return true;
}

/* Updates the totals and maxima as the block of `slot` becomes `next`. */
static void account(builder *build, uint32_t slot, slot_state next) {
    hy_plan *plan = build->plan;
    slot_state *at = &build->slots[slot];
    build->live_bytes += (next.live ? next.size : 0) - (at->live ? at->size : 0);
    build->live_blocks += (uint64_t)next.live - (uint64_t)at->live;
    *at = next;
    if (build->live_bytes > plan->peak_bytes) plan->peak_bytes = build->live_bytes;
    if (build->live_blocks > plan->peak_blocks) plan->peak_blocks = build->live_blocks;
    if (next.live && next.size > plan->greatest_size) plan->greatest_size = next.size;
    if (next.live && next.align_log2 > plan->greatest_align.log2) plan->greatest_align.log2 = next.align_log2;
}

/* A reset becomes a free of every live block. */
static bool add_reset(builder *build) {
    for (uint32_t slot = 0; slot < build->plan->slot_count; slot++) {
        slot_state at = build->slots[slot];
        if (!at.live) continue;
        if (!add_step(build, hy_step_pack(HY_OP_FREE, 0, at.align_log2, slot, at.size, 0))) return false;
        account(build, slot, (slot_state){0});
    }
    return true;
}

static hy_error add_op(builder *build, hy_op op) {
    bool of_no_block = op.kind == HY_OP_CHECK || op.kind == HY_OP_THREAD_END || op.kind == HY_OP_SPECIAL;
    if (of_no_block || (op.flags & HY_OP_REFUSED)) return HY_OK;
    build->plan->operations++;
    if (op.kind == HY_OP_RESET) return add_reset(build) ? HY_OK : HY_OUT_OF_MEMORY;
    if (op.size > HY_STEP_SIZE_MAX) return HY_UNSUPPORTED;
    uint64_t old = op.kind == HY_OP_ALLOC || op.kind == HY_OP_FREE ? 0 : build->slots[op.slot].size;
    if (!add_step(build, hy_step_pack(op.kind, op.flags, op.align_log2, op.slot, op.size, old)))
        return HY_OUT_OF_MEMORY;
    account(build, op.slot,
        (slot_state){.size = op.size, .align_log2 = op.align_log2, .live = op.kind != HY_OP_FREE});
    return HY_OK;
}

hy_error hy_plan_make(hy_plan *plan, const hy_history *history, hy_allocator gpa, size_t *bad) {
    size_t ignored;
    if (!bad) bad = &ignored;
    *plan = (hy_plan){.gpa = gpa, .slot_count = history->slot_count, .thread_count = history->thread_count};
    if (!hy_history_check(history, bad)) return HY_INVALID;
    builder build = {.plan = plan, .slots = hy_alloc_zeroed(gpa, slot_state, history->slot_count)};
    if (!build.slots) return HY_OUT_OF_MEMORY;
    hy_error error = HY_OK;
    for (size_t i = 0; i < history->count && error == HY_OK; i++) {
        error = add_op(&build, history->ops[i]);
        *bad = i;
    }
    hy_free_n(gpa, build.slots, history->slot_count);
    hy_step *exact = hy_realloc_n(gpa, hy_step, plan->steps, build.capacity, plan->count);
    if (exact)
        plan->steps = exact;
    else if (error == HY_OK)
        error = HY_OUT_OF_MEMORY;
    if (error != HY_OK) hy_free_n(gpa, plan->steps, exact ? plan->count : build.capacity);
    if (error != HY_OK) *plan = (hy_plan){.gpa = gpa};
    return error;
}

void hy_plan_destroy(hy_plan *plan) {
    hy_free_n(plan->gpa, plan->steps, plan->count);
    *plan = (hy_plan){.gpa = plan->gpa};
}

uint64_t hy_plan_checksum(const hy_plan *plan) {
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->count; i++) {
        /* Every tag written is read once: when its block changes size, is freed, or at the end. */
        if (hy_step_kind(plan->steps[i]) != HY_OP_FREE) sum += hy_tag_of(hy_step_size(plan->steps[i]));
    }
    return sum;
}

/* ---- replays ---- */

bool hy_replay_init(hy_replay *replay, const hy_plan *plan, hy_allocator subject, hy_allocator gpa) {
    *replay = (hy_replay){.plan = plan, .subject = subject, .gpa = gpa};
    replay->slots = hy_alloc_zeroed(gpa, void *, plan->slot_count);
    return replay->slots != NULL;
}

void hy_replay_deinit(hy_replay *replay) {
    hy_free_n(replay->gpa, replay->slots, replay->plan->slot_count);
    *replay = (hy_replay){0};
}

uint64_t hy_replay_run(hy_replay *replay, size_t first, size_t count) {
    const hy_plan *plan = replay->plan;
    if (first >= plan->count) return 0;
    const hy_step *step = plan->steps + first;
    const hy_step *end = count < plan->count - first ? step + count : plan->steps + plan->count;
    hy_allocator subject = replay->subject;
    void **slots = replay->slots;
    uint64_t sum = 0, refused = 0;
    for (; step < end; step++) {
        void **slot = &slots[hy_step_slot(*step)];
        unsigned kind = hy_step_kind(*step);
        if (kind == HY_OP_ALLOC) {
            *slot = hy_step_alloc(*step, subject, &refused);
        } else if (kind == HY_OP_FREE) {
            sum += hy_step_free(*step, subject, *slot);
            *slot = NULL;
        } else {
            *slot = hy_step_change(*step, subject, *slot, &sum, &refused);
        }
    }
    replay->refused += refused;
    return sum;
}

uint64_t hy_replay_free_all(hy_replay *replay, size_t steps_run) {
    const hy_plan *plan = replay->plan;
    size_t i = steps_run < plan->count ? steps_run : plan->count;
    uint64_t sum = 0;
    /* Backwards, the first step that names a slot is the last one that ran on it: it has the block's size. */
    while (i-- > 0) {
        void **slot = &replay->slots[hy_step_slot(plan->steps[i])];
        if (!*slot) continue;
        sum += hy_step_free(plan->steps[i], replay->subject, *slot);
        *slot = NULL;
    }
    return sum;
}

/* ---- the checked replay ---- */

typedef struct checked {
    hy_replay replay;
    hy_replay_result *result;
    uint8_t *patterns; /* by slot */
    uint64_t live_bytes;
    uint8_t next_pattern;
    bool contents;
} checked;

/* Fills the block after its tag with one byte value. */
static void fill(checked *run, uint32_t slot, void *block, uint64_t size) {
    if (!run->contents || size <= sizeof(uint64_t)) return;
    run->patterns[slot] = ++run->next_pattern;
    memset((char *)block + sizeof(uint64_t), run->next_pattern, size - sizeof(uint64_t));
}

static void verify(checked *run, uint32_t slot, const void *block, uint64_t size, uint64_t written) {
    if (hy_tag_read(block, written) != hy_tag_of(written)) {
        run->result->corrupt++;
        return;
    }
    if (!run->contents || size <= sizeof(uint64_t)) return;
    const uint8_t *bytes = (const uint8_t *)block + sizeof(uint64_t);
    uint64_t count = size - sizeof(uint64_t);
    bool same = bytes[0] == run->patterns[slot] && memcmp(bytes, bytes + 1, count - 1) == 0;
    if (!same) run->result->corrupt++;
}

/* Resizes the block and verifies that its contents are kept. Does not use hy_step_change, because the
 * contents must be compared before the new tag is written. */
static void change_checked(checked *run, hy_step step, void **slot) {
    hy_replay_result *result = run->result;
    uint64_t size = hy_step_size(step), old = hy_step_old_size(step);
    uint32_t number = hy_step_slot(step);
    if (*slot) {
        verify(run, number, *slot, old, old);
        run->live_bytes -= old;
    }
    uint64_t kept = old < size ? old : size;
    uint8_t head[sizeof(uint64_t)] = {0};
    /* Where the block was too small for a whole tag, only its first byte was written. */
    uint64_t written = old < sizeof head ? 1 : sizeof head;
    uint64_t head_size = kept < written ? kept : written;
    if (*slot) memcpy(head, *slot, head_size);
    bool had = *slot != NULL;
    void *moved = had ? hy_realloc(run->replay.subject, *slot, old, size, hy_step_align(step)) : NULL;
    if (had && !moved) hy_free(run->replay.subject, *slot, old, hy_step_align(step));
    if (!moved) result->refused++;
    *slot = moved;
    if (!moved) return;
    if (memcmp(head, moved, head_size) != 0)
        result->corrupt++;
    else if (kept > sizeof head) {
        hy_tag_write(moved, kept, kept);
        verify(run, number, moved, kept, kept);
    }
    hy_tag_write(moved, size, old);
    fill(run, number, moved, size);
    run->live_bytes += size;
}

static void step_checked(checked *run, hy_step step) {
    uint32_t number = hy_step_slot(step);
    void **slot = &run->replay.slots[number];
    uint64_t size = hy_step_size(step);
    switch (hy_step_kind(step)) {
    case HY_OP_ALLOC:
        *slot = hy_step_alloc(step, run->replay.subject, &run->result->refused);
        if (!*slot) break;
        if (!hy_align_check_pointer(*slot, hy_step_align(step))) run->result->corrupt++;
        fill(run, number, *slot, size);
        run->live_bytes += size;
        break;
    case HY_OP_FREE:
        if (!*slot) break;
        verify(run, number, *slot, size, size);
        run->live_bytes -= size;
        run->result->checksum += hy_step_free(step, run->replay.subject, *slot);
        *slot = NULL;
        break;
    default:
        if (*slot) run->result->checksum += hy_tag_read(*slot, hy_step_old_size(step));
        change_checked(run, step, slot);
        break;
    }
    if (run->live_bytes > run->result->peak_bytes) run->result->peak_bytes = run->live_bytes;
}

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool hy_replay_exact(
    const hy_plan *plan, hy_allocator subject, hy_allocator gpa, bool contents, hy_replay_result *result) {
    *result = (hy_replay_result){0};
    checked run = {.result = result, .contents = contents};
    run.patterns = hy_alloc_zeroed(gpa, uint8_t, plan->slot_count);
    if (!run.patterns || !hy_replay_init(&run.replay, plan, subject, gpa)) {
        hy_free_n(gpa, run.patterns, plan->slot_count);
        return false;
    }
    uint64_t start = now_ns();
    for (size_t i = 0; i < plan->count; i++)
        step_checked(&run, plan->steps[i]);
    result->elapsed_ns = now_ns() - start;
    result->checksum += hy_replay_free_all(&run.replay, plan->count);
    result->operations = plan->operations;
    hy_replay_deinit(&run.replay);
    hy_free_n(gpa, run.patterns, plan->slot_count);
    return true;
}

bool hy_replay_timed(const hy_plan *plan, hy_allocator subject, hy_allocator gpa, hy_replay_result *result) {
    *result = (hy_replay_result){.operations = plan->operations, .peak_bytes = plan->peak_bytes};
    hy_replay replay;
    if (!hy_replay_init(&replay, plan, subject, gpa)) return false;
    uint64_t start = now_ns();
    result->checksum = hy_replay_run(&replay, 0, plan->count);
    result->elapsed_ns = now_ns() - start;
    result->checksum += hy_replay_free_all(&replay, plan->count);
    result->refused = replay.refused;
    hy_replay_deinit(&replay);
    return true;
}
