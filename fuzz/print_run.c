/* print_run.c: the program's first comment, its data and its call. */
#include "fuzz/print_run.h"

#include "fuzz/interpreter.h"
#include "fuzz/seed.h"
#include <inttypes.h>
#include <string.h>

bool hy_run_program_is_for(const hy_property *property, const hy_row *row) {
    bool has_row = row != NULL && row->origin == NULL;
    return has_row && (property->interpret || property->history_row(row) != row);
}

/* The plain program keeps a model of the blocks, looks at statistics, and has a child that bumps. */
bool hy_run_program_is_needed(const hy_verdict *verdict) {
    static const char *const kinds[] = {
        "overlap", "content", "zero", "liveness", "leak", "account", "footprint"};
    static const char *const unseen[] = {"addresses are mapped", "heap are held", "gave up", "used up",
        "to grow into", "were counted", "are told of"};
    static const char finding[] = "finding: ";
    if (strncmp(verdict->key, finding, sizeof finding - 1) != 0) return false; /* it ends any program */
    bool is_seen = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        is_seen |= strcmp(verdict->key + sizeof finding - 1, kinds[i]) == 0;
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++)
        is_seen &= !strstr(verdict->line, unseen[i]);
    return !is_seen;
}

/* What each of them needs, and what those of bytes need beside it. */
static const char files_of_histories[] = "       allocators/history/history.c allocators/history/bytes.c";
static const char files_of_bytes[] =
    "       $(find allocators/scope allocators/history -maxdepth 1 -name '*.c' ! -name '*_test.c') \\\n"
    " *       allocators/plugins.c fuzz/seed.c";

static void print_comment(FILE *out, const char *property, const char *finding, const char *files) {
    fprintf(out,
        "/* A reproducer of heapyard's fuzzers: ends with the finding while the bug is there.\n *\n"
        " *   %s\n *\n * From the project's root:\n",
        finding);
    fprintf(out,
        " *   gcc -std=gnu17 -D_GNU_SOURCE -DHY_CHECK=2 -DHY_WALK=1 -DHY_SMP_SMALL=1 -g \\\n"
        " *       -fsanitize=address,undefined -Iallocators/include -Iallocators/plugin/include \\\n"
        " *       -Iallocators/conformance/include -I. THIS.c \\\n"
        " *       $(find allocators/core allocators/sources allocators/strategies allocators/decorators \\\n"
        " *           allocators/peers fuzz/oracles -maxdepth 1 -name '*.c' ! -name '*_test.c') \\\n"
        " *       allocators/registry.c allocators/conformance/child.c \\\n"
        " *%s \\\n"
        " *       fuzz/interpreter.c fuzz/call_tap.c fuzz/finding.c fuzz/layers.c fuzz/live_blocks.c \\\n"
        " *       fuzz/libc_tap.c fuzz/liar.c fuzz/marks.c fuzz/misuse.c fuzz/oracles.c \\\n"
        " *       fuzz/os_region.c fuzz/os_tap.c fuzz/properties/history_run.c \\\n"
        " *       fuzz/properties/%s.c -Wl,@fuzz/os_tap.options -lpthread -ldl%s\n */\n",
        files, property, files == files_of_bytes ? " -lzstd" : "");
}

/* For people. */
static void print_words(FILE *out, const hy_run_program *program) {
    const hy_row *row = program->property->history_row(program->row);
    hy_bytes_bounds bounds = hy_interpreter_bounds(row, program->header);
    fprintf(out, "#if 0 /* in words */\n");
    hy_seed_print(out, program->header, &bounds, program->history);
    fprintf(out, "#endif\n\n");
}

static void print_header(FILE *out, const hy_bytes_header *header) {
    const hy_fault_policy *faults = &header->faults;
    fprintf(out,
        "    const hy_bytes_header header = {.shape = %u, .options = 0x%x, .mask = 0x%x,\n        .faults = "
        "{.grows "
        "= %d, .moves = %d, .once = %d,\n            .alloc_refusal = %u, .resize_refusal = %u, "
        ".remap_refusal = "
        "%u}};\n",
        header->shape, header->options, header->mask, faults->grows, faults->moves, faults->once,
        faults->alloc_refusal, faults->resize_refusal, faults->remap_refusal);
}

static void print_operations(FILE *out, const hy_history *history) {
    fprintf(out, "static hy_op operations[] = {\n");
    for (size_t i = 0; i < history->count; i++) {
        hy_op op = history->ops[i];
        fprintf(out,
            "    {.kind = %u, .flags = %u, .align_log2 = %u, .slot = %" PRIu32 "u, .size = %" PRIu64 "u},\n",
            op.kind, op.flags, op.align_log2, op.slot, op.size);
    }
    fprintf(out, "    {.kind = HY_OP_CHECK}};\n\n");
}

bool hy_run_program_print(FILE *out, const hy_run_program *program) {
    const char *name = program->property->name;
    print_comment(out, name, program->finding, files_of_histories);
    fprintf(out, "#include \"allocators/registry.h\"\n#include \"fuzz/interpreter.h\"\n"
                 "#include \"fuzz/properties.h\"\n\n");
    print_words(out, program);
    print_operations(out, program->history);
    fprintf(out, "extern const hy_property hy_%s_property;\n\nint main(void) {\n", name);
    print_header(out, program->header);
    fprintf(
        out, "    const hy_history history = {.ops = operations, .count = %zu};\n", program->history->count);
    fprintf(out, "    const hy_property *property = &hy_%s_property;\n", name);
    fprintf(out, "    const hy_row *row = property->history_row(hy_registry_find(\"%s\"));\n",
        program->row->name);
    fprintf(out, "    (property->interpret ? property->interpret : hy_interpret)(row, &header, &history);\n"
                 "    return 0;\n}\n");
    return fflush(out) == 0 && !ferror(out);
}

static void print_bytes(FILE *out, const uint8_t *bytes, size_t size) {
    fprintf(out, "static const unsigned char input[] = {");
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%s0x%02x,", i % 16 ? " " : "\n    ", bytes[i]);
    fprintf(out, "\n    0}; /* one more than there are, since there may be none */\n\n");
}

bool hy_bytes_program_print(
    FILE *out, const hy_target *target, const uint8_t *bytes, size_t size, const char *finding) {
    const char *name = target->property->name;
    print_comment(out, name, finding, files_of_bytes);
    fprintf(out, "#include \"allocators/registry.h\"\n#include \"fuzz/properties.h\"\n\n");
    print_bytes(out, bytes, size);
    fprintf(out, "extern const hy_property hy_%s_property;\n\nint main(void) {\n", name);
    if (target->row)
        fprintf(out, "    const hy_row *row = hy_registry_find(\"%s\");\n", target->row->name);
    else
        fprintf(out, "    const hy_row *row = NULL;\n");
    fprintf(out, "    hy_%s_property.run(row, input, sizeof input - 1);\n    return 0;\n}\n", name);
    return fflush(out) == 0 && !ferror(out);
}
