/* ownership.c: a block lies where the row says, and in memory that the row was given.
 *
 *   outside   a block does not lie inside memory that the child gave, or the row does not own it
 *   beyond    the row says that it owns a byte right beside what the child gave
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

static void served(const hy_run *run, const hy_run_call *call) {
    if (call->size == 0) return;
    if (run->on_child && !hy_child_contains(run->child, call->ptr, call->size))
        hy_finding("outside", "block [%p, +%ju) is not inside what the child gave", call->ptr,
            (uintmax_t)call->size);
    if (run->row->owns && !run->row->owns(run->instance.state, call->ptr))
        hy_finding("outside", "the row does not own %p", call->ptr);
}

/* Around each of the child's blocks lie bytes that it has given to nobody. */
static void look_beside(const hy_run *run, const hy_run_call *call) {
    if (call->kind != HY_OP_CHECK || !run->on_child || !run->row->owns) return;
    for (size_t i = 0; i < run->child->block_count; i++) {
        const hy_child_block *block = &run->child->blocks[i];
        const char *first = (const char *)block->address, *behind = first + block->size;
        if (!block->live) continue;
        if (run->row->owns(run->instance.state, behind))
            hy_finding("beyond", "the row owns %p, right behind what the child gave", (const void *)behind);
        if (run->row->owns(run->instance.state, first - 1))
            hy_finding(
                "beyond", "the row owns %p, right before what the child gave", (const void *)(first - 1));
    }
}

const hy_oracle hy_ownership_oracle = {
    .name = "ownership",
    .summary = "a block lies in memory that the child gave, and the row owns it",
    .on = {[HY_ON_SERVED] = served, [HY_ON_BEFORE] = look_beside},
};
