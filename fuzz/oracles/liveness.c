/* liveness.c: what fits is served, as long as the child does not refuse.
 *
 *   liveness   NULL or false although traits and promises say that the request fits; an instance that was not
 *              made; a reset that could not keep its memory
 *
 *   asked      the child was called for what a reservation, a reset that keeps all capacity, or the row's own
 *              figures said is there already
 *
 * Rows that were given options may refuse more; of them no more is promised than what an operation said.
 */
#include "fuzz/finding.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"

static struct {
    uint64_t spent; /* at worst taken from a fixed capacity since it was last empty */
    struct {
        uint64_t size; /* a request up to here must be served: the newest was just freed */
        uint8_t align_log2;
    } room;
    bool is_lowered; /* an operation set the capacity below what may be used: frees need make no room */
    bool is_limited; /* an operation gave the row a capacity, whether or not it has one by its traits */
    /* Of the block that is about to change: */
    bool must_grow;   /* by the capacity that was given */
    bool fits_behind; /* by what stats say is left: without asking the child */
    bool must_shrink;
    bool must_remap;
    uint64_t spent_at[HY_MARK_COUNT];
    struct {
        uint64_t count; /* of the next allocations, up to size and alignment, that ask no child */
        uint64_t size;
        uint8_t align_log2;
    } reserved;
    size_t live_before; /* blocks that have bytes, before a reset */
} state;

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    state.spent = state.room.size = state.reserved.count = 0;
    state.is_lowered = state.is_limited = false;
}

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    bool excused = run->child->counts.refusals != 0 || run->config.options != 0;
    if (!run->is_made && !excused && !hy_run_is_inside_capacity(run))
        hy_finding("liveness", "an instance could not be made");
}

/* The most that a request can take from a fixed capacity: its padding before it, and the slack behind. */
static uint64_t worst_case(const hy_run *run, uint64_t size, hy_align align) {
    return hy_run_block_bytes(run, size) + hy_align_bytes(align) - 1 + hy_run_slack_behind(align);
}

/* The alignment up to which blocks of a fixed size are served. */
static hy_align block_align(const hy_run *run) {
    return run->config.block_align.log2 ? run->config.block_align : run->row->greatest_align;
}

/* Whether a request is within what is left of a capacity that counts sizes of blocks and nothing else, as
 * that of a row does whose memory is its child's. */
static bool is_in_budget(const hy_run *run, uint64_t size) {
    bool counts_sizes =
        hy_run_has(run, HY_TRAIT_FIXED_CAPACITY) && run->promises.fit_grain && run->row->default_child;
    size_t used = run->before.used_bytes, capacity = run->config.capacity;
    return counts_sizes && size <= run->promises.served_bytes && used <= capacity && size <= capacity - used;
}

/* Whether a limit on what lives has room for a request. */
static bool is_in_limit(const hy_run *run, uint64_t size) {
    size_t used = run->before.used_bytes, limit = run->config.capacity;
    return !state.is_limited || (used <= limit && size <= limit - used);
}

/* Whether traits and promises say that a request is served as long as the child does not refuse. */
static bool must_serve(const hy_run *run, uint64_t size, hy_align align) {
    if (hy_run_has(run, HY_TRAIT_REFUSES_ALL) || run->config.options != 0) return false;
    if (hy_align_compare(align, run->greatest) > 0) return false;
    if (hy_align_compare(align, run->promises.served_align) > 0) return false;
    if (hy_run_has(run, HY_TRAIT_FIXED_BLOCK) &&
        (size > run->config.block_size || hy_align_compare(align, block_align(run)) > 0))
        return false;
    if (!state.is_lowered && size <= state.room.size && align.log2 <= state.room.align_log2) return true;
    if (hy_run_is_inside_capacity(run)) return false;
    if (is_in_budget(run, size)) return true;
    if (!hy_run_has(run, HY_TRAIT_FIXED_CAPACITY))
        return size <= run->promises.served_bytes && is_in_limit(run, size);
    size_t capacity = run->config.capacity;
    if (size > run->promises.served_bytes) return false; /* a budget may be greater than what is below */
    return size <= capacity && state.spent + worst_case(run, size, align) <= capacity;
}

/* Whether the traits promise that a block grows in place: the newest, where all of it is left. */
static bool must_grow(const hy_run *run, const hy_run_call *call) {
    const hy_live_block *block = &call->before;
    bool promised = hy_run_has(run, HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_FIXED_CAPACITY) &&
                    !hy_run_has(run, HY_TRAIT_FIXED_BLOCK) && run->config.options == 0;
    if (!promised || hy_run_is_inside_capacity(run)) return false;
    if (call->size <= block->size || !call->of_top) return false;
    if (block->serial <= run->newest.shrunk) return false; /* what it gave up may be lost */
    size_t capacity = run->config.capacity;
    uint64_t more = call->size - block->size + hy_run_slack_behind(call->align);
    return call->size <= capacity && state.spent + more <= capacity;
}

/* Whether a size, rounded up, is within what the row says is left of what it holds. */
static bool is_in_room(const hy_run *run, uint64_t size) {
    size_t grain = run->promises.fit_grain, room = hy_run_room(run);
    if (grain == 0 || room == SIZE_MAX || size > room) return false;
    return (size + grain - 1) / grain * grain <= room;
}

/* Whether the newest block would grow into what is left behind it. */
static bool fits_behind(const hy_run *run, const hy_run_call *call) {
    const hy_live_block *block = &call->before;
    if (!hy_run_has(run, HY_TRAIT_GROW_IN_PLACE) || hy_run_has(run, HY_TRAIT_FIXED_BLOCK)) return false;
    if (!hy_run_is_last(run, call) || call->size <= block->size) return false;
    return is_in_room(run, call->size - block->size);
}

/* Whether a request is covered by what was reserved. */
static bool is_reserved(uint64_t size, hy_align align) {
    return state.reserved.count > 0 && size <= state.reserved.size && align.log2 <= state.reserved.align_log2;
}

static void reserve(uint64_t count, uint64_t size, hy_align align) {
    state.reserved.count = count;
    state.reserved.size = size;
    state.reserved.align_log2 = align.log2;
}

/* Whether a request fits exactly into what the row says is left. */
static bool fits(const hy_run *run, uint64_t size, hy_align align) {
    return hy_align_bytes(align) <= run->promises.fit_grain && is_in_room(run, size);
}

static size_t count_with_bytes(void) {
    size_t count = 0;
    for (size_t i = 0; i < hy_live_count(); i++)
        count += hy_live_at(hy_live_by_address(i))->size != 0;
    return count;
}

static void before(const hy_run *run, const hy_run_call *call) {
    if (call->kind == HY_OP_RESET) state.live_before = count_with_bytes();
    bool in_place = call->kind == HY_OP_RESIZE && call->before.size != 0;
    state.must_grow = in_place && must_grow(run, call);
    state.fits_behind = in_place && fits_behind(run, call);
    bool remaps = run->promises.remaps && call->kind == HY_OP_REMAP && call->before.size != 0;
    state.must_remap = remaps && call->size != 0 && call->size <= run->promises.served_bytes;
    state.must_shrink =
        in_place && run->promises.shrinks && call->size != 0 && call->size <= call->before.size;
}

/* What is known to be there is handed out as it is. */
static void expect_ready(const hy_run *run, const hy_run_call *call) {
    bool reserved = is_reserved(call->size, call->align);
    if (!reserved && !fits(run, call->size, call->align)) return;
    if (!call->ptr)
        hy_finding("liveness", "%ju bytes at 2^%u were refused although %s", (uintmax_t)call->size,
            call->align.log2, reserved ? "they were reserved" : "so much is left");
    if (hy_run_child_calls(run) != 0)
        hy_finding("asked", "%ju bytes at 2^%u took %zu calls of the child although %s",
            (uintmax_t)call->size, call->align.log2, hy_run_child_calls(run),
            reserved ? "they were reserved" : "so much is left");
}

/* An allocation takes of what was reserved; what it does not cover, and another change, may take all. */
static void take_reserved(const hy_run_call *call) {
    if (call->kind == HY_OP_ALLOC && is_reserved(call->size, call->align))
        state.reserved.count--;
    else
        state.reserved.count = 0;
}

static void served(const hy_run *run, const hy_run_call *call) {
    if (call->kind == HY_OP_ALLOC && call->size != 0) expect_ready(run, call);
    if (call->kind == HY_OP_RESIZE && state.fits_behind && hy_run_child_calls(run) != 0)
        hy_finding("asked", "the newest block took %zu calls of the child to grow into what is left",
            hy_run_child_calls(run));
    if (call->size != 0) take_reserved(call);
    if (call->size != 0) state.spent += worst_case(run, call->size, call->align);
}

/* What must change and did not. */
static void check_changes(const hy_run *run, const hy_run_call *call) {
    if (state.fits_behind)
        hy_finding("liveness", "the newest block could not grow from %ju to %ju although so much is left",
            (uintmax_t)call->before.size, (uintmax_t)call->size);
    if (hy_run_child_refused(run)) return;
    if (state.must_grow)
        hy_finding("liveness", "the newest block could not grow from %ju to %ju although they fit",
            (uintmax_t)call->before.size, (uintmax_t)call->size);
    if (state.must_remap)
        hy_finding("liveness", "a block was not remapped from %ju to %ju", (uintmax_t)call->before.size,
            (uintmax_t)call->size);
    if (state.must_shrink)
        hy_finding("liveness", "a block could not shrink from %ju to %ju in place",
            (uintmax_t)call->before.size, (uintmax_t)call->size);
}

static void refused(const hy_run *run, const hy_run_call *call) {
    if (call->kind == HY_OP_ALLOC) expect_ready(run, call);
    if (call->kind == HY_OP_RESIZE || call->kind == HY_OP_REMAP) check_changes(run, call);
    if (hy_run_child_refused(run)) return;
    bool allocates = call->kind == HY_OP_ALLOC || call->kind == HY_OP_REALLOC;
    if (allocates && must_serve(run, call->size, call->align))
        hy_finding("liveness", "%ju bytes at 2^%u were refused although they fit", (uintmax_t)call->size,
            call->align.log2);
}

/* Whether a block that ends makes room: the last one only where nothing of it was lost before. */
static bool gives_back(const hy_run *run, const hy_run_call *call) {
    /* Where a layer below bounds the capacity, what rests takes part of it, and a block that lay in a place
     * beside it gives nothing back to it. */
    if (hy_run_has(run, HY_TRAIT_REAL_FREE)) return !hy_run_is_inside_capacity(run);
    if (!call->of_top || !hy_run_has(run, HY_TRAIT_FREE_LAST)) return false;
    /* Where a layer below has refused chunks, the one before the last block may lie in an older chunk. */
    if (call->before.serial != run->newest.last && hy_run_is_inside_capacity(run)) return false;
    return call->before.serial > run->newest.shrunk;
}

/* What a freed block's memory must serve next: where frees count, its own like. */
static void ended(const hy_run *run, const hy_run_call *call) {
    uint64_t size = call->before.size;
    if (call->kind != HY_OP_FREE || size == 0 || !gives_back(run, call)) return;
    state.room.size = size;
    state.room.align_log2 = call->align.log2;
    uint64_t back = hy_run_has(run, HY_TRAIT_REAL_FREE | HY_TRAIT_FIXED_BLOCK)
                        ? worst_case(run, size, call->align)
                        : size; /* of the others the padding may stay */
    state.spent -= back < state.spent ? back : state.spent;
}

/* What a reset that keeps capacity has ready: as many blocks of one size as lived, or one of all bytes, up to
 * the limit. */
static void reserve_kept(const hy_run *run, const hy_run_call *call) {
    state.reserved.count = 0;
    bool limited = call->mode == HY_RESET_RETAIN_WITH_LIMIT;
    if (!call->kept || !(limited || call->mode == HY_RESET_RETAIN_CAPACITY)) return;
    size_t grain = run->promises.fit_grain, bytes = run->before.capacity_bytes;
    if (limited && call->size < bytes) bytes = call->size;
    if (hy_run_has(run, HY_TRAIT_FIXED_BLOCK)) {
        if (!limited) reserve(state.live_before, run->config.block_size, block_align(run));
    } else if (grain && run->before.capacity_bytes != SIZE_MAX)
        reserve(1, bytes / grain * grain, hy_align_from_log2((uint8_t)__builtin_ctzl(grain)));
}

/* What was made ready and not taken since is ready still. */
static void expect_still_ready(const hy_run *run, const hy_run_call *call) {
    hy_effect effect = call->operation->effect;
    bool ready = effect == HY_EFFECT_BLOCKS ? call->size <= state.reserved.count
                                            : effect == HY_EFFECT_ROOM && is_reserved(call->size, HY_ALIGN_8);
    if (!ready || call->size == 0) return;
    if (!call->kept && !hy_run_child_refused(run))
        hy_finding("liveness", "%s of %ju was refused although as much was ready", call->operation->name,
            (uintmax_t)call->size);
    if (hy_run_child_calls(run) != 0)
        hy_finding("asked", "%s of %ju took %zu calls of the child although as much was ready",
            call->operation->name, (uintmax_t)call->size, hy_run_child_calls(run));
}

static void special(const hy_run *run, const hy_run_call *call) {
    if (!call->operation) return;
    expect_still_ready(run, call);
    if (!call->kept) {
        if (call->operation->certain && !hy_run_child_refused(run))
            hy_finding("liveness", "%s was refused, which never is", call->operation->name);
        return;
    }
    switch (call->operation->effect) {
    case HY_EFFECT_ROOM:
        reserve(1, call->size, HY_ALIGN_8);
        break;
    case HY_EFFECT_BLOCKS:
        reserve(call->size, run->config.block_size, block_align(run));
        break;
    case HY_EFFECT_MARK:
        state.spent_at[call->mark] = state.spent;
        break;
    case HY_EFFECT_RESTORE:
        state.reserved.count = 0;
        if (state.spent > state.spent_at[call->mark]) state.spent = state.spent_at[call->mark];
        break;
    case HY_EFFECT_CAPACITY:
        state.is_lowered = call->size < state.spent;
        state.is_limited = true;
        break;
    case HY_EFFECT_NONE:
        break;
    }
}

static void reset(const hy_run *run, const hy_run_call *call) {
    reserve_kept(run, call);
    state.spent = 0;
    bool excused = hy_run_child_refused(run) || run->config.options != 0 || hy_run_is_inside_capacity(run);
    if (!call->kept && call->mode != HY_RESET_RETAIN_WITH_LIMIT && !excused)
        hy_finding("liveness", "a reset could not keep its memory although the child did not refuse");
}

/* What was freed is the room that the next step may count on, and no later one. */
static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    if (run->kind != HY_OP_FREE) state.room.size = 0;
}

const hy_oracle hy_liveness_oracle = {
    .name = "liveness",
    .summary = "what fits is served, as long as the child does not refuse",
    .on = {[HY_ON_BEGIN] = begin,
        [HY_ON_MADE] = made,
        [HY_ON_BEFORE] = before,
        [HY_ON_SERVED] = served,
        [HY_ON_REFUSED] = refused,
        [HY_ON_ENDED] = ended,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_STEP] = step},
};
