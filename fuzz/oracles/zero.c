/* zero.c: what holds of blocks of no bytes, and of bytes that must be zero.
 *
 * The front door keeps these rules for all rows, so that what is found here is its fault.
 *
 *   zero   a block of no bytes lies elsewhere than its alignment says; resize or remap made a block of one
 *          that had no bytes, or refused to make one of no bytes; zeroed memory is not zero
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

#define LOOKED_AT 4096

static void expect_zeroed(const unsigned char *bytes, uint64_t size) {
    for (uint64_t i = 0; i < size && i < LOOKED_AT; i++) {
        if (bytes[i]) hy_finding("zero", "byte %ju of a zeroed block is 0x%02x", (uintmax_t)i, bytes[i]);
    }
}

static void served(const hy_run *run, const hy_run_call *call) {
    (void)run;
    bool was_empty = call->before.live && call->before.size == 0;
    if (was_empty && call->kind != HY_OP_REALLOC)
        hy_finding("zero", "from 0 to %ju bytes was served", (uintmax_t)call->size);
    if (call->size == 0 && call->ptr != hy_zero_size_pointer(call->align))
        hy_finding("zero", "a block of no bytes is at %p", call->ptr);
    if (call->zeroed) expect_zeroed(call->ptr, call->size);
}

static void ended(const hy_run *run, const hy_run_call *call) {
    (void)run;
    if (call->kind == HY_OP_FREE || call->ptr) return;
    hy_finding("zero", "from %ju to 0 bytes was refused", (uintmax_t)call->before.size);
}

const hy_oracle hy_zero_oracle = {
    .name = "zero",
    .summary = "blocks of no bytes and zeroed ones are what they must be",
    .on = {[HY_ON_SERVED] = served, [HY_ON_ENDED] = ended},
};
