/* posix_program.c: prints the program. */
#include "fuzz/properties/posix_program.h"

#include <string.h>

static const char includes[] =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <errno.h>\n#include <malloc.h>\n#include <stdint.h>\n"
    "#include <stdio.h>\n#include <stdlib.h>\n\n";

static const char helpers[] =
    "static void *b[16];  /* the blocks */\n"
    "static size_t n[16]; /* how much of each was written */\n\n"
    "static unsigned char byte_of(int slot, size_t at) {\n"
    "    return (unsigned char)(slot * 29 + 1 + at * 7 + (at >> 8) * 13);\n}\n\n"
    "/* Writes all that is usable. */\n"
    "static void fill(int slot, size_t size) {\n"
    "    unsigned char *bytes = b[slot];\n"
    "    n[slot] = bytes ? USABLE(bytes, size) : 0;\n"
    "    for (size_t i = 0; i < n[slot]; i++)\n        bytes[i] = byte_of(slot, i);\n}\n\n"
    "/* What realloc gave, or the block as it was where it was refused. */\n"
    "static void moved(int slot, void *to, size_t size) {\n"
    "    if (!to && size) return;\n"
    "    b[slot] = to;\n    if (!to) n[slot] = 0;\n    if (n[slot] > size) n[slot] = size;\n}\n\n"
    "static int has_changed(void) {\n"
    "    for (int slot = 0; slot < 16; slot++) {\n"
    "        const unsigned char *bytes = b[slot];\n"
    "        for (size_t i = 0; bytes && i < n[slot]; i++)\n"
    "            if (bytes[i] != byte_of(slot, i)) return 1;\n    }\n    return 0;\n}\n\n"
    "static int is_dirty(const unsigned char *bytes, size_t size) {\n"
    "    for (size_t i = 0; i < size; i++)\n        if (bytes[i]) return 1;\n    return 0;\n}\n\n"
    "static int overlaps(int slot, size_t size) {\n"
    "    size = USABLE(b[slot], size);\n"
    "    for (int other = 0; other < 16; other++) {\n"
    "        uintptr_t one = (uintptr_t)b[slot], two = (uintptr_t)b[other];\n"
    "        if (other != slot && two && one < two + (n[other] ? n[other] : 1) && two < one + (size ? size : "
    "1)) "
    "return 1;\n    }\n    return 0;\n}\n\n";

static const char live[] = "static size_t live(void) {\n    return mallinfo2().uordblks;\n}\n\n";

static const char *prefix(hy_posix_function function) {
    return hy_posix_is_glibcs(function) ? "" : "lib_";
}

/* ---- functions that are looked up ---- */

static void print_parameters(FILE *out, hy_posix_function function) {
    bool takes = hy_posix_is_end(function) || hy_posix_is_move(function);
    const char *comma = takes ? ", " : "";
    fputs(takes ? "void *" : "", out);
    for (const char *at = hy_posix_passed(function); *at; at++) {
        fprintf(out, "%s%s", comma, *at == 't' ? "const void *" : strchr("fz", *at) ? "int" : "size_t");
        comma = ", ";
    }
}

/* Whether a function of that name is called before call `end`. */
static bool is_called(const hy_posix_program *program, const char *name, size_t end) {
    for (size_t i = 0; i < end; i++) {
        if (strcmp(hy_posix_name(program->calls[i].function), name) == 0) return true;
    }
    return false;
}

static void print_functions(FILE *out, const hy_posix_program *program, bool declares) {
    for (size_t i = 0; i < program->count; i++) {
        hy_posix_function function = program->calls[i].function;
        const char *name = hy_posix_name(function);
        if (hy_posix_is_glibcs(function) || is_called(program, name, i)) continue;
        if (declares) {
            fprintf(out, "static %s(*lib_%s)(", hy_posix_is_end(function) ? "void " : "void *", name);
            print_parameters(out, function);
            fputs(");\n", out);
            continue;
        }
        fprintf(out,
            "    *(void **)&lib_%s = dlsym(RTLD_DEFAULT, \"%s\");\n"
            "    if (!lib_%s) return fputs(\"%s is not there: LD_PRELOAD the library\\n\", stderr), 2;\n",
            name, name, name, name);
    }
}

/* ---- calls ---- */

static void print_arguments(FILE *out, const hy_posix_call *call, const char *comma) {
    for (const char *at = hy_posix_passed(call->function); *at; at++) {
        fputs(comma, out);
        comma = ", ";
        if (*at == 't')
            fputs("\"\"", out);
        else if (*at == 'f' || *at == 'z')
            fprintf(out, "%d", hy_posix_flags(call->align) | (*at == 'z' ? HY_POSIX_FLAG_ZERO : 0));
        else
            fprintf(out, "%zuu", *at == 'a' ? call->align : *at == 'n' ? call->count : call->size);
    }
}

static void print_call(FILE *out, const hy_posix_call *call) {
    unsigned slot = call->slot;
    bool moves = hy_posix_is_move(call->function), ends = hy_posix_is_end(call->function);
    bool asks = call->function == HY_POSIX_USABLE_SIZE;
    if (call->function == HY_POSIX_TRIM) {
        fputs("malloc_trim(0);\n", out);
        return;
    }
    if (call->function == HY_POSIX_MEMALIGN_OUT)
        fprintf(out, "e = posix_memalign(&b[%u]", slot);
    else if (moves || ends || asks)
        fprintf(out, "%s%s%s(b[%u]", moves ? "q = " : "", prefix(call->function),
            hy_posix_name(call->function), slot);
    else
        fprintf(out, "b[%u] = %s%s(", slot, prefix(call->function), hy_posix_name(call->function));
    print_arguments(out, call, moves || ends || call->function == HY_POSIX_MEMALIGN_OUT ? ", " : "");
    if (ends)
        fprintf(out, "), b[%u] = NULL;\n", slot);
    else if (moves)
        fprintf(out, "); moved(%u, q, %zuu);\n", slot, call->count * call->size);
    else
        fputs(");\n", out);
}

static void print_wrong(FILE *out, const hy_posix_program *program) {
    fprintf(out, "    if (%s) return puts(\"wrong: %s\"), 1;\n", program->wrong, program->finding);
}

static void print_last(FILE *out, const hy_posix_program *program, const hy_posix_call *call) {
    if (program->wrong && program->before_too) print_wrong(out, program);
    if (program->wrong) fprintf(out, "    before = b[%u], errno = 12345;\n", call->slot);
    fputs("    ", out);
    print_call(out, call);
    if (program->wrong) print_wrong(out, program);
}

static void print_calls(FILE *out, const hy_posix_program *program) {
    for (size_t i = 0; i < program->count; i++) {
        const hy_posix_call *call = &program->calls[i];
        if (i + 1 == program->count) {
            print_last(out, program, call);
            return;
        }
        fputs("    ", out);
        print_call(out, call);
        bool gives = !hy_posix_is_end(call->function) && call->function != HY_POSIX_TRIM &&
                     call->function != HY_POSIX_USABLE_SIZE;
        if (gives) fprintf(out, "    fill(%u, %zuu);\n", call->slot, call->count * call->size);
    }
}

void hy_posix_print(FILE *out, const hy_posix_program *program) {
    fprintf(out, "/* %s\n%s * gcc -o reproducer reproducer.c && ", program->finding,
        program->build ? program->build : "");
    if (program->library) fprintf(out, "LD_PRELOAD=%s ", program->library);
    fputs("./reproducer   # 1 or a signal: it is still so */\n", out);
    fputs(includes, out);
    fprintf(out, "#define USABLE(ptr, size) (%s)\n\n",
        program->has_no_usable_size ? "size" : "malloc_usable_size(ptr)");
    fputs(helpers, out);
    if (program->counts_live) fputs(live, out);
    print_functions(out, program, true);
    fputs("\nint main(void) {\n    void *q, *before;\n    int e;\n    (void)q, (void)before, (void)e;\n"
          "    (void)fill, (void)moved, (void)has_changed, (void)is_dirty, (void)overlaps;\n",
        out);
    if (program->counts_live) fputs("    size_t live_before = live();\n    (void)live_before;\n", out);
    print_functions(out, program, false);
    if (program->rounds > 1)
        fprintf(out, "    for (int round = 0; round < %u; round++) {\n", program->rounds);
    print_calls(out, program);
    if (program->rounds > 1)
        fprintf(out, "    for (int slot = 0; slot < 16; slot++)\n        %sb[slot] = NULL;\n    }\n",
            program->keeps_blocks ? "" : "free(b[slot]), ");
    fputs("    return 0;\n}\n", out);
}
