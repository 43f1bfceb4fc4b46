/* footprint.c: the row holds no more of the child than a multiple of what it was ever asked for.
 *
 *   footprint   it does: memory that was freed is not used again, or far more is taken than is needed
 *
 * The multiple is the row's promise (heapyard/plugin.h). A layer below may lose what it gets back until it is
 * reset itself, so that no multiple bounds what a stack on it holds; of those nothing is claimed.
 */
#include "fuzz/finding.h"
#include "fuzz/layers.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"

#define WEIGHT_OF_BLOCK 64 /* what any row may add to a block beside its alignment */
#define REST_BYTES ((uint64_t)16 << 10)
#define REST_BLOCKS 64

static struct {
    bool claimed;
    uint64_t weight; /* of what is live, or for rows that don't reuse, of all since a reset */
    uint64_t peak;
    uint64_t capacity;                 /* that the instance was made with */
    uint64_t reserved;                 /* by operations, since a reset */
    uint64_t weight_at[HY_MARK_COUNT]; /* when the mark was taken */
} state;

/* Whether what the top layer gives back serves it again, and soon. */
static bool layers_reuse(const hy_row *row) {
    if (row->traits & HY_TRAIT_QUARANTINES) return false;
    const hy_layers *layers = hy_layers_of(row);
    for (size_t i = 1; i < layers->count; i++) {
        hy_traits traits = layers->rows[i]->traits;
        if (!(traits & HY_TRAIT_REAL_FREE) || traits & HY_TRAIT_QUARANTINES) return false;
    }
    return true;
}

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)call;
    state.claimed = run->config.options == 0 && layers_reuse(run->row);
    state.weight = state.peak = state.reserved = 0;
    state.capacity = run->config.capacity;
}

static uint64_t weight_of(const hy_run *run, uint64_t size, hy_align align) {
    return hy_run_block_bytes(run, size) + hy_align_bytes(align) + WEIGHT_OF_BLOCK;
}

/* Blocks of no bytes weigh nothing. */
static void give_back(const hy_run *run, const hy_run_call *call) {
    if (call->before.size != 0 && hy_run_has(run, HY_TRAIT_REAL_FREE))
        state.weight -= weight_of(run, call->before.size, call->align);
}

static void note_peak(void) {
    if (state.weight + state.reserved > state.peak) state.peak = state.weight + state.reserved;
}

static void served(const hy_run *run, const hy_run_call *call) {
    if (call->size != 0) state.weight += weight_of(run, call->size, call->align);
    note_peak();
    if (call->before.live) give_back(run, call);
}

static void reset(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    state.weight = state.reserved = 0;
}

/* Room that was asked for ahead counts as if it were a block. */
static void special(const hy_run *run, const hy_run_call *call) {
    if (!call->operation || !call->kept) return;
    hy_effect effect = call->operation->effect;
    if (effect == HY_EFFECT_ROOM) state.reserved += weight_of(run, call->size, HY_ALIGN_8);
    if (effect == HY_EFFECT_BLOCKS)
        state.reserved += call->size * weight_of(run, run->config.block_size, run->config.block_align);
    if (effect == HY_EFFECT_MARK) state.weight_at[call->mark] = state.weight;
    if (effect == HY_EFFECT_RESTORE && !hy_run_has(run, HY_TRAIT_REAL_FREE))
        state.weight = state.weight_at[call->mark];
    note_peak();
}

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (!state.claimed) return;
    uint64_t asked = state.peak + state.capacity;
    uint64_t bound =
        run->promises.footprint_factor * asked + REST_BYTES + REST_BLOCKS * run->config.block_size;
    size_t held = run->child->counts.live_bytes;
    if (held > bound)
        hy_finding("footprint", "%zu bytes of the child are held; %ju are the most that was asked for", held,
            (uintmax_t)state.peak);
}

const hy_oracle hy_footprint_oracle = {
    .name = "footprint",
    .summary = "no more of the child is held than a multiple of what was ever asked for",
    .on = {[HY_ON_BEGIN] = begin,
        [HY_ON_SERVED] = served,
        [HY_ON_ENDED] = give_back,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_STEP] = step},
};
