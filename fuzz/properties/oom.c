/* oom.c: where the child or the system refuses, nothing has changed: what was refused is served when it is
 * asked for again.
 *
 * Each operation that may be refused stands twice. Of a history whose header has its child refuse nothing,
 * each call of the child is refused in turn, as many as cost little; else the one that the header says.
 * Likewise the calls of the system; the header says which where a row stands on no child.
 */
#include "fuzz/interpreter.h"
#include "fuzz/layers.h"
#include "fuzz/os_tap.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"
#include <heapyard/libc.h>
#include <stdlib.h>

#define SWEPT_OPERATIONS_MAX 4000 /* of all runs of an input together */
#define SYSTEM_OPERATIONS_MAX 500 /* the same where the system refuses, which costs more */
#define LONG_OPERATIONS 64        /* of more, not all are run where the system refuses */
#define RUN_OPERATIONS 20         /* what such a run costs beside its operations */

static hy_history doubled;

static bool may_be_refused(hy_op op) {
    return op.kind == HY_OP_ALLOC || op.kind == HY_OP_REALLOC || op.kind == HY_OP_RESIZE ||
           op.kind == HY_OP_REMAP;
}

static const hy_history *with_retries(const hy_history *history) {
    if (!doubled.allocator.vtable) hy_history_init(&doubled, hy_libc());
    doubled.count = 0;
    bool whole = hy_history_reserve(&doubled, 2 * history->capacity);
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

static size_t interpret_refusing(
    const hy_row *row, const hy_bytes_header *header, const hy_history *history, size_t call, bool once) {
    hy_os_tap_refuse(call, once);
    size_t operations = hy_interpret(row, header, history);
    hy_os_tap_refuse(SIZE_MAX, true);
    return operations;
}

/* Calls of the system that an instance costs of which nothing is asked, or, where it begins anew for each
 * run, one byte: the same for each history. */
static size_t calls_of_none(const hy_row *row, const hy_bytes_header *header) {
    hy_op first[] = {{.kind = HY_OP_ALLOC, .size = 1}};
    const hy_history none = {.ops = first, .count = row->restart ? 1 : 0};
    (void)hy_interpret(row, header, &none);
    return hy_os_tap_calls();
}

/* A number that differs where the histories do. */
static size_t hash_of(const hy_history *history) {
    uint64_t hash = history->count;
    for (size_t i = 0; i < history->count; i++) {
        const hy_op *op = &history->ops[i];
        hash = (hash ^ op->size ^ (uint64_t)op->kind << 40 ^ (uint64_t)op->slot << 48) * 0x9E3779B97F4A7C15u;
    }
    return (size_t)(hash >> 32);
}

/* The same with each of so many calls of the system, alone and with all after it, but for those that every
 * history begins with; where these are too many, with some of them, from the first to the last. Histories
 * that are much alike have others of them refused. */
static size_t sweep_calls(
    const hy_row *row, const hy_bytes_header *header, const hy_history *history, size_t calls) {
    size_t first = calls == 0 ? 0 : calls_of_none(row, header), operations = 0;
    if (first >= calls) return 0;
    size_t affordable = SYSTEM_OPERATIONS_MAX / (history->count + RUN_OPERATIONS) + 1;
    size_t step = (2 * (calls - first) / affordable) | 1; /* odd: of both ways in turn */
    for (size_t n = 2 * first + hash_of(history) % step; n < 2 * calls; n += step)
        operations += interpret_refusing(row, header, history, n / 2, n % 2 == 0);
    return operations;
}

/* Of a long history a beginning: for the price of one of its runs, ten calls of that are refused. */
static size_t sweep_system(
    const hy_row *row, const hy_bytes_header *header, const hy_history *history, size_t calls) {
    hy_history beginning = *history;
    if (calls == 0 || history->count <= LONG_OPERATIONS) return sweep_calls(row, header, history, calls);
    beginning.count = LONG_OPERATIONS >> hash_of(history) % 3;
    size_t operations = hy_interpret(row, header, &beginning);
    return operations + sweep_calls(row, header, &beginning, hy_os_tap_calls());
}

static size_t interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    const hy_history *twice = with_retries(history);
    size_t refused = header->faults.alloc_refusal;
    if (!row->default_child && refused != HY_BYTES_NEVER)
        return interpret_refusing(row, header, twice, refused, header->faults.once);
    size_t operations = hy_interpret(row, header, twice), calls = hy_os_tap_calls();
    if (refuses(&header->faults)) return operations;
    operations += sweep(row, header, twice);
    return operations + sweep_system(row, header, twice, calls);
}

/* Whether it asks the system for pages, as one block shows. */
static bool asks_system(const hy_row *row) {
    size_t refusals = 0;
    hy_instance instance;
    hy_layers_restart(row);
    hy_os_tap_run(&refusals);
    if (hy_instance_make(&instance, row, &(hy_config){0})) {
        hy_free(instance.allocator, hy_alloc(instance.allocator, 1, HY_ALIGN_1), 1, HY_ALIGN_1);
        hy_instance_destroy(&instance);
    }
    hy_os_tap_run(NULL);
    return hy_os_tap_calls() > 0;
}

static bool applies(const hy_row *row) {
    return hy_interpreter_takes(row) && !row->stack && (row->default_child || asks_system(row));
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run_by(interpret, row, bytes, size);
}

const hy_property hy_oom_property = {
    .name = "oom",
    .summary = "where the child or the system refuses, nothing changes, and what was refused is served when "
               "asked for again",
    .over_rows = true,
    .applies = applies,
    .run = run,
    .history_row = hy_history_own_row,
    .interpret = interpret,
};
