/* drain.c: what was taken from the child, the system and the process's heap goes back to them.
 *
 *   leak   after the end, or after a reset that frees all, the child has not everything back; or not what was
 *          taken since a mark that was restored, or by another instance; or after the end, more addresses are
 *          mapped than before, or more of malloc's bytes are held
 *
 * Rows that keep memory when their instances have ended, as they say themselves, are asked of the child
 * alone. Of malloc's bytes AddressSanitizer tells, and libc_tap.h
 * of what is served in its place.
 */
#include "fuzz/finding.h"
#include "fuzz/layers.h"
#include "fuzz/libc_tap.h"
#include "fuzz/marks.h"
#include "fuzz/oracles.h"
#include "fuzz/os_tap.h"

#if HY_ASAN
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc has the function and no header for it */
#endif

static size_t bytes_at_start; /* that the child gave for the instance itself */

/* Of the process, before the instance was made. */
static struct {
    bool claimed;
    hy_os_tap os;
    size_t heap_bytes;
} outside;

static size_t heap_bytes(void) {
#if HY_ASAN
    return __sanitizer_get_current_allocated_bytes() + hy_libc_tap_bytes();
#else
    return 0;
#endif
}

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)call;
    const hy_layers *layers = hy_layers_of(run->row);
    outside.claimed = !run->row->promises.keeps_memory;
    for (size_t i = 0; i < layers->count; i++)
        outside.claimed = outside.claimed && !layers->rows[i]->promises.keeps_memory;
    outside.os = hy_os_tap_read();
    outside.heap_bytes = heap_bytes();
}

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    bytes_at_start = run->child->counts.live_bytes;
}

/* A layer below the top may keep what it gets back until its own reset. */
static void reset(const hy_run *run, const hy_run_call *call) {
    size_t held = run->child->counts.live_bytes;
    if (call->mode != HY_RESET_FREE_ALL || run->row->stack || held <= bytes_at_start) return;
    hy_finding("leak", "%zu bytes of the child are held after a reset that frees all", held);
}

static size_t bytes_before;             /* the step */
static size_t blocks_at[HY_MARK_COUNT]; /* of the child, when the mark was taken */

static void before(const hy_run *run, const hy_run_call *call) {
    (void)call;
    bytes_before = run->child->counts.live_bytes;
}

static void special(const hy_run *run, const hy_run_call *call) {
    size_t blocks = run->child->counts.live_blocks, bytes = run->child->counts.live_bytes;
    if (!call->operation && bytes != bytes_before)
        hy_finding("leak", "another instance came and went: %zu bytes of the child are held, %zu before",
            bytes, bytes_before);
    if (!call->operation || !call->kept) return;
    if (call->operation->effect == HY_EFFECT_MARK) blocks_at[call->mark] = blocks;
    if (call->operation->effect != HY_EFFECT_RESTORE || run->row->stack) return;
    if (blocks > blocks_at[call->mark])
        hy_finding("leak", "%zu blocks of the child are held after a restore, %zu were at the mark", blocks,
            blocks_at[call->mark]);
}

static void check_outside(void) {
    hy_os_tap os = hy_os_tap_read();
    size_t heap = heap_bytes();
    if (!outside.claimed) return;
    if (os.refusals == outside.os.refusals && os.mapped_bytes != outside.os.mapped_bytes)
        hy_finding("leak", "%zu bytes of addresses are mapped after the end, %zu were before the start",
            os.mapped_bytes, outside.os.mapped_bytes);
    if (heap > outside.heap_bytes)
        hy_finding("leak",
            "%zu bytes of the process's heap are held after the end, %zu were before the start", heap,
            outside.heap_bytes);
}

static void end(const hy_run *run, const hy_run_call *call) {
    (void)call;
    check_outside();
    const hy_child_block *kept = hy_child_lowest_live(run->child);
    if (!kept) return;
    hy_finding("leak", "%zu bytes at %p were not given back to the child (%zu blocks in all)", kept->size,
        (void *)kept->address, run->child->counts.live_blocks);
}

const hy_oracle hy_drain_oracle = {
    .name = "drain",
    .summary = "what was taken from the child, the system and malloc goes back to them",
    .on = {[HY_ON_BEGIN] = begin,
        [HY_ON_MADE] = made,
        [HY_ON_BEFORE] = before,
        [HY_ON_RESET] = reset,
        [HY_ON_SPECIAL] = special,
        [HY_ON_END] = end},
};
