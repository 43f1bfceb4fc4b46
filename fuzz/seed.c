/* seed.c: the language of seeds, a line at a time. */
#include "fuzz/seed.h"

#include "allocators/plugins.h"
#include "allocators/registry.h"
#include "fuzz/misuse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 6
#define LINE_MAX_BYTES 160

typedef struct line {
    size_t count;
    char *words[WORD_MAX];
    char text[LINE_MAX_BYTES];
} line;

typedef struct assembler {
    hy_bytes_header header;
    hy_bytes_writer writer;
    bool header_written;
    uint8_t *bytes;
    size_t capacity;
    hy_seed_error *error;
} assembler;

static bool fail(assembler *state, const char *what, const char *word) {
    snprintf(state->error->message, sizeof state->error->message, "%s: %s", what, word);
    return false;
}

static bool number_of(const char *text, uint64_t *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* A word such as capacity-8: the sum of a base's value and a signed distance. */
static bool relative(const char *word, const char *base, int64_t *distance) {
    size_t length = strlen(base);
    uint64_t number = 0;
    if (strncmp(word, base, length) != 0) return false;
    word += length;
    *distance = 0;
    if (*word == '\0') return true;
    if ((*word != '+' && *word != '-') || !number_of(word + 1, &number) || number > INT64_MAX) return false;
    *distance = *word == '-' ? -(int64_t)number : (int64_t)number;
    return true;
}

static bool power_of(const char *word, uint64_t *out) {
    char *rest;
    if (strncmp(word, "2^", 2) != 0) return false;
    unsigned long log2 = strtoul(word + 2, &rest, 10);
    int64_t distance = 0;
    if (log2 > 63 || (*rest && !relative(rest, "", &distance))) return false;
    *out = ((uint64_t)1 << log2) + (uint64_t)distance;
    return true;
}

static bool size_of(assembler *state, const char *word, uint64_t *size, hy_bytes_base *base) {
    int64_t distance;
    *base = HY_BYTES_ABSOLUTE;
    if (number_of(word, size) || power_of(word, size)) return true;
    if (relative(word, "max", &distance) && distance <= 0) {
        *size = UINT64_MAX + (uint64_t)distance;
        return true;
    }
    if (relative(word, "capacity", &distance))
        *base = HY_BYTES_CAPACITY;
    else if (relative(word, "block", &distance))
        *base = HY_BYTES_BLOCK;
    else if (relative(word, "room", &distance))
        *base = HY_BYTES_ROOM;
    if (*base == HY_BYTES_ABSOLUTE || distance < INT8_MIN || distance > INT8_MAX)
        return fail(state, "a size is N, 2^N+K, max-K, capacity+K, block+K or room+K (K to 127)", word);
    *size = (uint64_t)distance;
    return true;
}

static bool is(const line *in, size_t index, const char *word) {
    return index < in->count && strcmp(in->words[index], word) == 0;
}

static bool header_number(assembler *state, const line *in, size_t index, uint64_t limit, uint64_t *out) {
    if (state->header_written) return fail(state, "it must stand before the first operation", in->words[0]);
    if (index < in->count && number_of(in->words[index], out) && *out <= limit) return true;
    return fail(state, "it needs a number in its range", in->words[0]);
}

static bool child_line(assembler *state, const line *in) {
    hy_fault_policy *faults = &state->header.faults;
    uint64_t index = 0;
    if (is(in, 1, "grows")) return faults->grows = true;
    if (is(in, 1, "moves")) return faults->moves = true;
    if (is(in, 1, "once")) return faults->once = true;
    if (!is(in, 1, "refuses") || !header_number(state, in, 3, 127, &index))
        return fail(
            state, "a child grows, moves, refuses alloc|resize|remap INDEX (to 127), once", in->words[0]);
    if (is(in, 2, "alloc"))
        faults->alloc_refusal = (uint16_t)index;
    else if (is(in, 2, "resize"))
        faults->resize_refusal = (uint16_t)index;
    else if (is(in, 2, "remap"))
        faults->remap_refusal = (uint16_t)index;
    else
        return fail(state, "a child refuses alloc, resize or remap", in->words[2]);
    return true;
}

/* The two refusals of size changes share a bit of byte 0: where one is said, the other is at an index
 * that no history reaches. */
static void pair_refusals(hy_fault_policy *faults) {
    bool any = faults->resize_refusal != HY_BYTES_NEVER || faults->remap_refusal != HY_BYTES_NEVER;
    if (any && faults->resize_refusal == HY_BYTES_NEVER) faults->resize_refusal = 127;
    if (any && faults->remap_refusal == HY_BYTES_NEVER) faults->remap_refusal = 127;
}

static void begin_operations(assembler *state) {
    if (state->header_written) return;
    pair_refusals(&state->header.faults);
    hy_bytes_write_header(&state->writer, state->bytes, state->capacity, &state->header);
    state->header_written = true;
}

static bool write(assembler *state, hy_op op, hy_bytes_base base, const line *in) {
    begin_operations(state);
    return hy_bytes_write(&state->writer, op, base) ||
           fail(state, "not possible here (is the slot live? is there room?)", in->words[0]);
}

static bool has_operation(const hy_row *row, const char *name) {
    for (size_t i = 0; i < row->operation_count; i++) {
        if (strcmp(row->operations[i].name, name) == 0) return true;
    }
    return false;
}

/* Whether any row has an operation of that name, or it is a way of misuse. */
static bool is_operation(const char *name) {
    size_t count;
    for (unsigned i = 0; i < HY_MISUSE_COUNT; i++) {
        if (strcmp(hy_misuse_name((hy_misuse_kind)i), name) == 0) return true;
    }
    const hy_row *const *rows = hy_registry_rows(&count), *row;
    for (size_t i = 0; i < count; i++) {
        if (has_operation(rows[i], name)) return true;
    }
    for (size_t i = 0; (row = hy_plugins_chosen(i)) != NULL; i++) {
        if (has_operation(row, name)) return true;
    }
    return false;
}

static bool slot_of(assembler *state, const line *in, hy_op *op) {
    uint64_t slot;
    if (in->count < 2 || !number_of(in->words[1], &slot) || slot > UINT32_MAX)
        return fail(state, "it needs a slot", in->words[0]);
    op->slot = (uint32_t)slot;
    return true;
}

static bool alloc_line(assembler *state, const line *in) {
    hy_op op = {.kind = HY_OP_ALLOC, .align_log2 = 3};
    hy_bytes_base base;
    uint64_t size, align = 8;
    if (!slot_of(state, in, &op)) return false;
    if (in->count < 3) return fail(state, "it needs a slot and a size", in->words[0]);
    if (!size_of(state, in->words[2], &size, &base)) return false;
    size_t next = 3;
    if (is(in, next, "align")) {
        if (in->count < 5 || (!number_of(in->words[4], &align) && !power_of(in->words[4], &align)) ||
            !align || (align & (align - 1)))
            return fail(state, "an alignment is a power of two", in->words[in->count - 1]);
        next += 2;
    }
    if (is(in, next, "zeroed")) {
        op.flags = HY_OP_ZEROED;
        next++;
    }
    if (next != in->count) return fail(state, "not understood", in->words[next]);
    op.size = size;
    op.align_log2 = (uint8_t)__builtin_ctzll(align);
    return write(state, op, base, in);
}

static bool change_line(assembler *state, const line *in, hy_op_kind kind) {
    hy_op op = {.kind = kind & 0xF};
    hy_bytes_base base = HY_BYTES_ABSOLUTE;
    uint64_t size = 0;
    if (!slot_of(state, in, &op)) return false;
    if (in->count != (kind == HY_OP_FREE ? 2u : 3u))
        return fail(state, "it takes a slot, and a size unless it frees", in->words[0]);
    if (kind != HY_OP_FREE && !size_of(state, in->words[2], &size, &base)) return false;
    op.size = size;
    return write(state, op, base, in);
}

static bool reset_line(assembler *state, const line *in) {
    uint64_t limit = 0;
    hy_bytes_base base = HY_BYTES_ABSOLUTE;
    uint64_t mode = is(in, 1, "free_all") ? 0 : is(in, 1, "retain") ? 1 : is(in, 1, "limit") ? 2 : 3;
    if (mode == 3 || in->count != (mode == 2 ? 3u : 2u))
        return fail(state, "free_all, retain or limit SIZE", in->words[0]);
    if (mode == 2 && !size_of(state, in->words[2], &limit, &base)) return false;
    if (base != HY_BYTES_ABSOLUTE) return fail(state, "a limit is a number", in->words[2]);
    return write(state, (hy_op){.kind = HY_OP_RESET, .size = mode | limit << 2}, base, in);
}

static bool operation_line(assembler *state, const line *in) {
    hy_op op = {.kind = HY_OP_SPECIAL, .slot = HY_OP_TWIN};
    hy_bytes_base base;
    if (in->count != 2) return fail(state, "it takes a number", in->words[0]);
    if (!size_of(state, in->words[1], &op.size, &base)) return false;
    if (is(in, 0, "twin")) return write(state, op, base, in);
    begin_operations(state);
    return hy_bytes_write_named(&state->writer, in->words[0], op, base) ||
           fail(state, "there is no room", in->words[0]);
}

static bool assemble_line(assembler *state, const line *in) {
    uint64_t number;
    if (is(in, 0, "alloc")) return alloc_line(state, in);
    if (is(in, 0, "free")) return change_line(state, in, HY_OP_FREE);
    if (is(in, 0, "resize")) return change_line(state, in, HY_OP_RESIZE);
    if (is(in, 0, "remap")) return change_line(state, in, HY_OP_REMAP);
    if (is(in, 0, "realloc")) return change_line(state, in, HY_OP_REALLOC);
    if (is(in, 0, "reset")) return reset_line(state, in);
    if (is(in, 0, "check")) return write(state, (hy_op){.kind = HY_OP_CHECK}, HY_BYTES_ABSOLUTE, in);
    if (is(in, 0, "child")) return child_line(state, in);
    if (is(in, 0, "shape")) {
        if (!header_number(state, in, 1, HY_BYTES_SHAPES - 1, &number)) return false;
        state->header.shape = (uint8_t)number;
        return true;
    }
    if (is(in, 0, "options")) {
        if (!header_number(state, in, 1, UINT16_MAX, &number)) return false;
        state->header.options = (uint16_t)number;
        return true;
    }
    if (is(in, 0, "twin") || is_operation(in->words[0])) return operation_line(state, in);
    return fail(state, "no such line", in->words[0]);
}

/* The next line's words, without its comment. False: it is too long. */
static bool split(const char *text, size_t length, line *out) {
    out->count = 0;
    if (length >= sizeof out->text) return false;
    memcpy(out->text, text, length);
    out->text[length] = '\0';
    out->text[strcspn(out->text, "#\r")] = '\0';
    char *rest = out->text;
    for (char *word; (word = strtok_r(rest, " \t", &rest)) != NULL;) {
        if (out->count == WORD_MAX) return false;
        out->words[out->count++] = word;
    }
    return true;
}

size_t hy_seed_assemble(
    const char *text, size_t length, uint8_t *bytes, size_t capacity, hy_seed_error *error) {
    assembler state = {.bytes = bytes, .capacity = capacity, .error = error};
    state.header.faults = (hy_fault_policy){
        .alloc_refusal = HY_BYTES_NEVER, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = HY_BYTES_NEVER};
    *error = (hy_seed_error){0};
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line_length = end ? (size_t)(end - (text + at)) : length - at;
        line in;
        error->line++;
        if (!split(text + at, line_length, &in)) {
            snprintf(error->message, sizeof error->message, "the line is too long");
            return SIZE_MAX;
        }
        if (in.count && !assemble_line(&state, &in)) return SIZE_MAX;
        at += line_length + 1;
    }
    if (!state.header_written) hy_bytes_write_header(&state.writer, bytes, capacity, &state.header);
    return state.writer.size;
}

static void print_header(FILE *out, const hy_bytes_header *header) {
    const hy_fault_policy *faults = &header->faults;
    if (header->shape) fprintf(out, "shape %u\n", header->shape);
    if (header->options) fprintf(out, "options 0x%x\n", header->options);
    if (faults->grows) fputs("child grows\n", out);
    if (faults->moves) fputs("child moves\n", out);
    if (faults->once) fputs("child once\n", out);
    if (faults->alloc_refusal != HY_BYTES_NEVER)
        fprintf(out, "child refuses alloc %u\n", faults->alloc_refusal);
    if (faults->resize_refusal != HY_BYTES_NEVER)
        fprintf(out, "child refuses resize %u\n", faults->resize_refusal);
    if (faults->remap_refusal != HY_BYTES_NEVER)
        fprintf(out, "child refuses remap %u\n", faults->remap_refusal);
}

static void print_size(FILE *out, uint64_t size, bool of_room) {
    if (of_room)
        fprintf(out, size ? " room%+" PRId64 : " room", (int64_t)size);
    else if (size > UINT64_MAX - 4096)
        fprintf(out, " max-%" PRIu64, UINT64_MAX - size);
    else
        fprintf(out, " %" PRIu64, size);
}

static void print_reset(FILE *out, uint64_t coded) {
    static const char *const modes[] = {"free_all", "retain", "limit"};
    fprintf(out, "reset %s", modes[coded & 3]);
    if ((coded & 3) == 2) print_size(out, coded >> 2, false);
}

static void print_operation(FILE *out, hy_op op, const hy_bytes_bounds *bounds) {
    static const char *const names[HY_OP_KIND_COUNT] = {
        "alloc", "free", "realloc", "resize", "remap", "reset", "check", "end", "twin"};
    bool on_block = op.kind != HY_OP_RESET && op.kind != HY_OP_CHECK && op.kind != HY_OP_SPECIAL;
    if (op.kind == HY_OP_RESET)
        print_reset(out, op.size);
    else if (op.kind == HY_OP_SPECIAL && op.slot != HY_OP_TWIN)
        fputs(bounds->operations[op.slot].name, out);
    else
        fputs(names[op.kind], out);
    if (on_block) fprintf(out, " %u", op.slot);
    if ((on_block && op.kind != HY_OP_FREE) || op.kind == HY_OP_SPECIAL)
        print_size(out, op.size, op.flags & HY_OP_OF_ROOM);
    if (op.kind == HY_OP_ALLOC && op.align_log2 != 3)
        fprintf(out, " align %" PRIu64, (uint64_t)1 << op.align_log2);
    if (op.kind == HY_OP_ALLOC && op.flags & HY_OP_ZEROED) fputs(" zeroed", out);
    fputc('\n', out);
}

void hy_seed_print(
    FILE *out, const hy_bytes_header *header, const hy_bytes_bounds *bounds, const hy_history *history) {
    print_header(out, header);
    for (size_t i = 0; i < history->count; i++)
        print_operation(out, history->ops[i], bounds);
}
