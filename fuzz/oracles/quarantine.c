/* quarantine.c: a freed block rests as long as its row promises before its memory serves again.
 *
 *   reused   a block lies on one that was freed too short a while ago
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

#define RESTING_MAX 64
#define SMALL_MAX 2048
#define SMALL_ALIGN_LOG2_MAX 6
#define OVERHEAD_MAX 128 /* what a block can take beside its bytes, at most twice over */

typedef struct resting {
    uintptr_t address, end;
    uint64_t until;  /* the number of the free after which it may serve again */
    size_t refusals; /* of the child, when it was freed: one more, and it may serve at once */
} resting;

static struct {
    const hy_row_reports *reports; /* NULL: there is nothing to look at */
    uint64_t freed;
    resting blocks[RESTING_MAX]; /* the newest, by their number */
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

static void ended(const hy_run *run, const hy_run_call *call) {
    if (state.reports && call->before.size != 0) rest(run, &call->before);
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
    bool is_new = !call->before.live || (uintptr_t)call->ptr != call->before.address;
    if (is_new) look(run, call);
    if (is_new && call->before.live && call->before.size != 0) rest(run, &call->before);
}

const hy_oracle hy_quarantine_oracle = {
    .name = "quarantine",
    .summary = "a freed block rests as long as its row promises before it serves again",
    .on = {[HY_ON_BEGIN] = begin, [HY_ON_ENDED] = ended, [HY_ON_SERVED] = served},
};
