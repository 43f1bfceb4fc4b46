/* refusal.c: what must be refused is, and a refusal changes nothing.
 *
 *   refusal   an alignment above the row's greatest, a row that refuses all, or a size above a fixed
 *             capacity or above any object's was served, or an array whose size overflows; or what the row
 *             counts changed by a refusal
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static void check_overflow(const hy_run_call *call) {
    if (call->overflowed) hy_finding("refusal", "an array whose size passes SIZE_MAX was served");
}

static void served(const hy_run *run, const hy_run_call *call) {
    check_overflow(call);
    if (call->size == 0) return;
    if (call->size > PTRDIFF_MAX)
        hy_finding("refusal", "%ju bytes were served, more than any object has", (uintmax_t)call->size);
    if (hy_run_has(run, HY_TRAIT_REFUSES_ALL))
        hy_finding("refusal", "%ju bytes were served by a row that refuses all", (uintmax_t)call->size);
    if (hy_align_compare(call->align, run->greatest) > 0)
        hy_finding("refusal", "alignment 2^%u was served, above the greatest 2^%u", call->align.log2,
            run->greatest.log2);
    bool grew = !call->before.live || call->size > call->before.size;
    if (hy_run_has(run, HY_TRAIT_FIXED_CAPACITY) && grew && call->size > run->config.capacity)
        hy_finding("refusal", "%ju bytes were served from a capacity of %zu", (uintmax_t)call->size,
            run->config.capacity);
}

static void special(const hy_run *run, const hy_run_call *call) {
    bool changed = run->now.used_bytes != run->before.used_bytes ||
                   run->now.capacity_bytes != run->before.capacity_bytes;
    if (call->operation && !call->kept && changed)
        hy_finding("refusal", "%s was refused and changed what is used or there", call->operation->name);
}

static size_t held_before; /* of the child */

static void before(const hy_run *run, const hy_run_call *call) {
    (void)call;
    held_before = run->child->counts.live_bytes;
}

/* A row's own records may grow for a call that is refused in the end; of layers below no more is known. */
static void check_held(const hy_run *run) {
    size_t grown = run->child->counts.live_bytes - held_before;
    size_t own = run->now.overhead_bytes - run->before.overhead_bytes;
    if (grown == 0 || grown == own || run->row->stack) return;
    hy_finding("refusal", "a refusal changed the bytes held of the child from %zu to %zu", held_before,
        run->child->counts.live_bytes);
}

static void refused(const hy_run *run, const hy_run_call *call) {
    check_overflow(call);
    check_held(run);
    if (run->now.used_bytes == run->before.used_bytes) return;
    hy_finding("refusal", "a refusal changed the bytes used from %zu to %zu", run->before.used_bytes,
        run->now.used_bytes);
}

const hy_oracle hy_refusal_oracle = {
    .name = "refusal",
    .summary = "what must be refused is, and a refusal changes nothing",
    .on = {[HY_ON_BEFORE] = before,
        [HY_ON_SERVED] = served,
        [HY_ON_REFUSED] = refused,
        [HY_ON_SPECIAL] = special},
};
