/* quarantine.c: a freed block rests as long as its row promises before its memory serves again, and not much
 * longer.
 *
 *   reused    a block lies on one that was freed too short a while ago
 *   hoarded   more of the child is held than what lives and what rests can account for
 *
 * Of each size so many slots are needed at most: as many as lived at once, and as many as rest. A row may
 * round sizes up and take slots by chunks, so it has a multiple of that.
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"
#include <string.h>

#define RESTING_MAX 64
#define SMALL_MAX 2048
#define SMALL_ALIGN_LOG2_MAX 6
#define OVERHEAD_MAX 128 /* what a block can take beside its bytes, at most twice over */
#define KINDS ((size_t)256)
#define KIND_BYTES 16
#define KIND_OVERHEAD 64      /* guards around a block */
#define SLOTS_MORE 5          /* that rest of a size, however large it is */
#define KIND_FIRST_BYTES 2048 /* what the first block of a size takes room for */
#define HOARD_FACTOR 4
#define HOARD_BYTES ((uint64_t)16 << 10)

typedef struct resting {
    uintptr_t address, end;
    uint64_t until;  /* the number of the free after which it may serve again */
    size_t refusals; /* of the child, when it was freed: one more, and it may serve at once */
} resting;

/* Blocks of one size and alignment. */
typedef struct kind {
    uint64_t bytes; /* of one, with all that it can take; 0: the place is free */
    uint64_t live, peak, freed;
} kind;

static struct {
    const hy_row_reports *reports; /* NULL: there is nothing to look at */
    uint64_t freed;
    resting blocks[RESTING_MAX]; /* the newest, by their number */
    kind kinds[KINDS];
    uint64_t accounted; /* bytes of all kinds */
    bool has_too_many;  /* kinds */
    bool frees_large;   /* blocks that lie in memory of their own */
} state;

static void begin(const hy_run *run, const hy_run_call *call) {
    const hy_row_reports *reports = run->row->reports;
    (void)call;
    /* Memory that went back to a child other than ours may come from there again, and soon. */
    bool is_on_ours = run->config.child.vtable && !run->row->stack;
    bool rests = reports && reports->rest_count && run->config.options == 0;
    state.reports = is_on_ours && rests ? reports : NULL;
    for (size_t i = 0; state.reports && i < RESTING_MAX; i++)
        state.blocks[i] = (resting){0};
    state.freed = 0;
    if (state.reports) memset(state.kinds, 0, sizeof state.kinds);
    state.accounted = 0;
    state.has_too_many = state.frees_large = false;
}

/* How many frees it rests for at least: in bytes, each may be as large as what this one takes. */
static uint64_t rest_of(uint64_t size) {
    uint64_t in_bytes = state.reports->rest_bytes / (2 * (size + OVERHEAD_MAX));
    uint64_t count = state.reports->rest_count < RESTING_MAX ? state.reports->rest_count : RESTING_MAX;
    return in_bytes < count ? in_bytes : count;
}

static void rest(const hy_run *run, const hy_live_block *block) {
    resting *place = &state.blocks[++state.freed % RESTING_MAX];
    *place = (resting){0};
    if (block->most_size > SMALL_MAX || block->align_log2 > SMALL_ALIGN_LOG2_MAX) return;
    place->address = block->address;
    place->end = block->address + block->size;
    place->until = state.freed + rest_of(block->most_size);
    place->refusals = run->child->counts.refusals;
}

/* ---- what can be needed of each size ---- */

static kind *kind_of(uint64_t size, uint8_t align_log2) {
    uint64_t align = (uint64_t)1 << align_log2;
    uint64_t bytes = (size / KIND_BYTES + 1) * KIND_BYTES + align + KIND_OVERHEAD;
    for (size_t i = 0, at = (size_t)(bytes / KIND_BYTES); i < KINDS; i++, at++) {
        kind *found = &state.kinds[at % KINDS];
        if (found->bytes == bytes) return found;
        if (found->bytes) continue;
        found->bytes = bytes;
        return found;
    }
    state.has_too_many = true;
    return NULL;
}

static uint64_t bytes_of(const kind *of) {
    if (of->peak == 0) return 0;
    bool rests = of->bytes <= state.reports->rest_bytes; /* larger ones go back soon */
    uint64_t rest = rests ? state.reports->rest_bytes / of->bytes + SLOTS_MORE : 0;
    if (rest > state.reports->rest_count) rest = state.reports->rest_count;
    return KIND_FIRST_BYTES + of->bytes * (of->peak + (of->freed < rest ? of->freed : rest));
}

static void count(uint64_t size, uint8_t align_log2, int64_t blocks) {
    kind *of = kind_of(size, align_log2);
    if (!of) return;
    state.accounted -= bytes_of(of);
    of->live += (uint64_t)blocks;
    if (blocks < 0) of->freed++;
    if (of->live > of->peak) of->peak = of->live;
    state.accounted += bytes_of(of);
    if (blocks < 0 && of->bytes > SMALL_MAX) state.frees_large = true;
}

/* What a row has for its own records may grow for a request that is refused. */
static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    size_t own = run->now.overhead_bytes, held = run->child->counts.live_bytes;
    if (!state.reports || state.has_too_many || own == SIZE_MAX || held < own) return;
    uint64_t bound = HOARD_FACTOR * state.accounted + HOARD_BYTES;
    if (state.frees_large) bound += state.reports->retained_bytes;
    if (held - own > bound)
        hy_finding("hoarded", "%zu bytes of the child are held for blocks, what lives and rests needs %ju",
            held - own, (uintmax_t)state.accounted);
}

static void ended(const hy_run *run, const hy_run_call *call) {
    if (!state.reports || call->before.size == 0) return;
    rest(run, &call->before);
    count(call->before.size, call->before.align_log2, -1);
}

static void look(const hy_run *run, const hy_run_call *call) {
    uintptr_t start = (uintptr_t)call->ptr, end = start + call->size;
    for (size_t i = 0; i < RESTING_MAX; i++) {
        const resting *place = &state.blocks[i];
        if (start >= place->end || end <= place->address || state.freed >= place->until) continue;
        if (place->refusals != run->child->counts.refusals) continue;
        hy_finding("reused", "block [%p, +%ju) lies on one that was freed, to rest for %ju frees more",
            call->ptr, (uintmax_t)call->size, (uintmax_t)(place->until - state.freed));
    }
}

static void served(const hy_run *run, const hy_run_call *call) {
    if (!state.reports || call->size == 0) return;
    count(call->size, call->align.log2, 1);
    if (call->before.live && call->before.size != 0) count(call->before.size, call->before.align_log2, -1);
    bool is_new = !call->before.live || (uintptr_t)call->ptr != call->before.address;
    if (is_new) look(run, call);
    if (is_new && call->before.live && call->before.size != 0) rest(run, &call->before);
}

const hy_oracle hy_quarantine_oracle = {
    .name = "quarantine",
    .summary = "a freed block rests as long as its row promises before it serves again, not much longer",
    .on = {[HY_ON_BEGIN] = begin, [HY_ON_ENDED] = ended, [HY_ON_SERVED] = served, [HY_ON_STEP] = step},
};
