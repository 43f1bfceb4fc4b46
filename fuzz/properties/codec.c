/* codec.c: what an input decodes to is a legal history, and printing it as a seed and assembling that gives
 * the same history again. As C it prints, too.
 *
 *   byte 0   the row that it is for: 0 … 3 (`bounds`)
 */
#include "allocators/history/bytes.h"
#include "allocators/history/print_c.h"
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include "fuzz/seed.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdlib.h>
#include <string.h>

#define OPERATION_MAX (HY_BYTES_OPERATION_MAX + 64) /* the last one before the limit may be a burst */
#define ASSEMBLED_MAX 65536
#define TEXT_MAX ((size_t)1 << 17)

static const hy_row_operation operations[] = {{.name = "save"}, {.name = "restore"}, {.name = "set_limit"}};

static const hy_bytes_bounds bounds[] = {
    {0},
    {.capacity = 4096, .block_size = 48},
    {.operations = operations, .operation_count = 3},
    {.capacity = 100000, .block_size = 1, .operations = operations, .operation_count = 1},
};

static struct {
    hy_history history, again;
    char text[TEXT_MAX];
    uint8_t assembled[ASSEMBLED_MAX];
} state;

static void reserve(hy_history *history) {
    if (history->ops) return;
    hy_history_init(history, hy_libc());
    if (!hy_history_reserve(history, OPERATION_MAX)) abort();
}

/* As text in a buffer; its length. */
static size_t print(char text[TEXT_MAX], const hy_bytes_header *header, const hy_bytes_bounds *row,
    const hy_history *history) {
    FILE *out = fmemopen(text, TEXT_MAX, "w");
    if (!out) abort();
    hy_seed_print(out, header, row, history);
    long size = ftell(out);
    bool whole = !ferror(out) && fclose(out) == 0;
    if (!whole || size < 0)
        hy_finding("codec", "a history of %zu operations can't be printed", history->count);
    return (size_t)size;
}

static void expect_same_header(const hy_bytes_header *one, const hy_bytes_header *other) {
    const hy_fault_policy *f = &one->faults, *g = &other->faults;
    if (one->shape != other->shape || one->options != other->options)
        hy_finding("codec", "shape %d, options %d came back as %d, %d", one->shape, one->options,
            other->shape, other->options);
    bool refuses = f->alloc_refusal != HY_BYTES_NEVER || f->resize_refusal != HY_BYTES_NEVER ||
                   f->remap_refusal != HY_BYTES_NEVER;
    if (f->grows != g->grows || f->moves != g->moves || (refuses && f->once != g->once) ||
        f->alloc_refusal != g->alloc_refusal || f->resize_refusal != g->resize_refusal ||
        f->remap_refusal != g->remap_refusal)
        hy_finding("codec", "the child's faults came back changed");
}

static void expect_same(const hy_history *one, const hy_history *other) {
    size_t count = one->count < HY_BYTES_OPERATION_MAX ? one->count : HY_BYTES_OPERATION_MAX;
    if (other->count < count) hy_finding("codec", "%zu operations came back of %zu", other->count, count);
    if (one->count <= HY_BYTES_OPERATION_MAX && other->count > count)
        hy_finding("codec", "%zu operations came back of %zu", other->count, count);
    for (size_t i = 0; i < count; i++) {
        const hy_op *op = &one->ops[i], *again = &other->ops[i];
        if (op->kind != again->kind || op->flags != again->flags || op->align_log2 != again->align_log2 ||
            op->slot != again->slot || op->size != again->size)
            hy_finding("codec", "operation %zu (kind %d, size %ju) came back changed (kind %d, size %ju)", i,
                op->kind, (uintmax_t)op->size, again->kind, (uintmax_t)again->size);
    }
}

/* The text of history and header, assembled and decoded into state.again. */
static void assemble(size_t text_size, const hy_bytes_bounds *row, hy_bytes_header *header) {
    hy_seed_error error;
    size_t size = hy_seed_assemble(state.text, text_size, state.assembled, ASSEMBLED_MAX, &error);
    if (size == SIZE_MAX)
        hy_finding("codec", "what was printed is no seed: line %u: %s", error.line, error.message);
    size_t taken = hy_bytes_decode_header(state.assembled, size, header);
    if (!hy_bytes_decode(state.assembled + taken, size - taken, header, *row, &state.again)) abort();
}

static void expect_c(const hy_bytes_header *header, const hy_history *history) {
    static const hy_row row = {.name = "codec", .summary = "none"};
    hy_print_job job = {.row = &row, .faults = header->faults, .history = history, .finding = "none"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    bool printed = hy_print_c(out, &job);
    fclose(out);
    if (!printed || size < 2 || strcmp(text + size - 2, "}\n") != 0)
        hy_finding("codec", "a history of %zu operations does not print as C", history->count);
    free(text);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    hy_bytes_header header, again;
    (void)row;
    if (size == 0) return 0;
    const hy_bytes_bounds *bound = &bounds[bytes[0] & 3];
    bool prints_c = bytes[0] & 4;
    reserve(&state.history);
    reserve(&state.again);
    bytes++, size--;
    size_t taken = hy_bytes_decode_header(bytes, size, &header);
    if (!hy_bytes_decode(bytes + taken, size - taken, &header, *bound, &state.history)) abort();
    size_t bad;
    if (!hy_history_check(&state.history, &bad)) hy_finding("codec", "operation %zu is not legal", bad);
    size_t text_size = print(state.text, &header, bound, &state.history);
    assemble(text_size, bound, &again);
    expect_same_header(&header, &again);
    expect_same(&state.history, &state.again);
    if (prints_c) expect_c(&header, &state.history);
    return state.history.count;
}

const hy_property hy_codec_property = {
    .name = "codec",
    .summary = "bytes decode to a legal history, which its text as a seed gives again, and which prints as C",
    .over_rows = false,
    .run = run,
};
