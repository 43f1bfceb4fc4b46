/* oom.c: where the child refuses, nothing has changed: what was refused is served when it is asked for again.
 *
 * Each operation that may be refused stands twice. Of a history whose header has its child refuse nothing,
 * each call of the child is refused in turn, as many as cost little; else the one that the header says.
 */
#include "fuzz/interpreter.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"
#include <heapyard/libc.h>
#include <stdlib.h>

#define SWEPT_OPERATIONS_MAX 4000 /* of all runs of an input together */

static hy_history doubled;

static bool may_be_refused(hy_op op) {
    return op.kind == HY_OP_ALLOC || op.kind == HY_OP_REALLOC || op.kind == HY_OP_RESIZE ||
           op.kind == HY_OP_REMAP;
}

static const hy_history *with_retries(const hy_history *history) {
    if (!doubled.allocator.vtable) hy_history_init(&doubled, hy_libc());
    doubled.count = 0;
    bool whole = true;
    for (size_t i = 0; i < history->count; i++) {
        whole = whole && hy_history_append(&doubled, history->ops[i]);
        if (may_be_refused(history->ops[i])) whole = whole && hy_history_append(&doubled, history->ops[i]);
    }
    if (!whole) abort();
    return &doubled;
}

static bool refuses(const hy_fault_policy *faults) {
    return faults->alloc_refusal != HY_BYTES_NEVER || faults->resize_refusal != HY_BYTES_NEVER ||
           faults->remap_refusal != HY_BYTES_NEVER;
}

/* Runs it again with each call of the child refused, once. */
static size_t sweep(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    const hy_child_counts *counts = &hy_interpreter_child()->counts;
    const size_t calls[] = {counts->alloc_calls, counts->resize_calls, counts->remap_calls};
    hy_bytes_header refusing = *header;
    uint16_t *const indices[] = {
        &refusing.faults.alloc_refusal, &refusing.faults.resize_refusal, &refusing.faults.remap_refusal};
    size_t operations = 0;
    refusing.faults.once = true;
    for (size_t kind = 0; kind < sizeof calls / sizeof calls[0]; kind++) {
        for (size_t n = 0; n < calls[kind] && operations < SWEPT_OPERATIONS_MAX; n++) {
            *indices[kind] = (uint16_t)n;
            operations += hy_interpret(row, &refusing, history);
        }
        *indices[kind] = HY_BYTES_NEVER;
    }
    return operations;
}

static size_t interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    const hy_history *twice = with_retries(history);
    size_t operations = hy_interpret(row, header, twice);
    return refuses(&header->faults) ? operations : operations + sweep(row, header, twice);
}

static bool applies(const hy_row *row) {
    return hy_interpreter_takes(row) && row->default_child && !row->stack;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run_by(interpret, row, bytes, size);
}

const hy_property hy_oom_property = {
    .name = "oom",
    .summary =
        "where the child refuses, nothing changes, and what was refused is served when asked for again",
    .over_rows = true,
    .applies = applies,
    .run = run,
    .history_row = hy_history_own_row,
    .interpret = interpret,
};
