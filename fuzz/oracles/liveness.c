/* liveness.c: what fits is served, as long as the child does not refuse.
 *
 *   liveness   NULL although traits and promises say that the request fits; an instance that was not made; a
 *              reset that could not keep its memory
 *
 * Rows that were given options may refuse more; of them nothing is promised.
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static struct {
    uint64_t spent; /* at worst taken from a fixed capacity since it was last empty */
    struct {
        uint64_t size; /* a request up to here must be served: the newest was just freed */
        uint8_t align_log2;
    } room;
    bool must_grow; /* the block that is about to change */
} state;

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    state.spent = state.room.size = 0;
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

/* Whether traits and promises say that a request is served as long as the child does not refuse. */
static bool must_serve(const hy_run *run, uint64_t size, hy_align align) {
    if (hy_run_has(run, HY_TRAIT_REFUSES_ALL) || run->config.options != 0) return false;
    if (hy_align_compare(align, run->greatest) > 0) return false;
    if (hy_align_compare(align, run->promises.served_align) > 0) return false;
    if (hy_run_has(run, HY_TRAIT_FIXED_BLOCK) &&
        (size > run->config.block_size || hy_align_compare(align, block_align(run)) > 0))
        return false;
    if (size <= state.room.size && align.log2 <= state.room.align_log2) return true;
    if (hy_run_is_inside_capacity(run)) return false;
    if (!hy_run_has(run, HY_TRAIT_FIXED_CAPACITY)) return size <= run->promises.served_bytes;
    size_t capacity = run->config.capacity;
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

static void before(const hy_run *run, const hy_run_call *call) {
    state.must_grow = call->kind == HY_OP_RESIZE && must_grow(run, call);
}

static void served(const hy_run *run, const hy_run_call *call) {
    if (call->size != 0) state.spent += worst_case(run, call->size, call->align);
}

static void refused(const hy_run *run, const hy_run_call *call) {
    if (hy_run_child_refused(run)) return;
    bool allocates = call->kind == HY_OP_ALLOC || call->kind == HY_OP_REALLOC;
    if (allocates && must_serve(run, call->size, call->align))
        hy_finding("liveness", "%ju bytes at 2^%u were refused although they fit", (uintmax_t)call->size,
            call->align.log2);
    if (state.must_grow)
        hy_finding("liveness", "the newest block could not grow from %ju to %ju although they fit",
            (uintmax_t)call->before.size, (uintmax_t)call->size);
}

/* Whether a block that ends makes room: the last one only where nothing of it was lost before. */
static bool gives_back(const hy_run *run, const hy_run_call *call) {
    if (hy_run_has(run, HY_TRAIT_REAL_FREE)) return true;
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

static void reset(const hy_run *run, const hy_run_call *call) {
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
        [HY_ON_STEP] = step},
};
