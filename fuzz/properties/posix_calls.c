/* posix_calls.c: the language of calls, and C. */
#include "fuzz/properties/posix_calls.h"

#include <string.h>

/* By function. arguments: 'n' a count, 's' a size, 'a' an alignment, in the order in which C has them. */
static const struct {
    char letter;
    const char *name;
    const char *arguments;
} functions[HY_POSIX_FUNCTIONS] = {
    [HY_POSIX_MALLOC] = {'m', "malloc", "s"},
    [HY_POSIX_CALLOC] = {'c', "calloc", "ns"},
    [HY_POSIX_REALLOC] = {'r', "realloc", "s"},
    [HY_POSIX_REALLOCARRAY] = {'R', "reallocarray", "ns"},
    [HY_POSIX_ALIGNED_ALLOC] = {'a', "aligned_alloc", "as"},
    [HY_POSIX_MEMALIGN_OUT] = {'p', "posix_memalign", "as"},
    [HY_POSIX_MEMALIGN] = {'g', "memalign", "as"},
    [HY_POSIX_VALLOC] = {'v', "valloc", "s"},
    [HY_POSIX_PVALLOC] = {'w', "pvalloc", "s"},
    [HY_POSIX_FREE] = {'f', "free", ""},
    [HY_POSIX_FREE_SIZED] = {'F', "free_sized", ""},
    [HY_POSIX_FREE_ALIGNED_SIZED] = {'A', "free_aligned_sized", ""},
    [HY_POSIX_USABLE_SIZE] = {'u', "malloc_usable_size", ""},
    [HY_POSIX_TRIM] = {'t', "malloc_trim", ""},
};

static const struct {
    char letter;
    size_t size;
} bases[] = {
    {'0', 0},
    {'1', 1},
    {'8', 8},
    {'x', 16},
    {'i', 128},
    {'t', 512},
    {'k', 1024},
    {'p', 4096},
    {'q', 8192},
    {'b', (size_t)32 << 10},
    {'l', (size_t)64 << 10},
    {'n', (size_t)256 << 10},
    {'m', (size_t)1 << 20},
    {'r', (size_t)1 << 32},
    {'y', (size_t)1 << 46},
    {'h', (size_t)1 << 47},
    {'D', PTRDIFF_MAX},
    {'S', SIZE_MAX},
};

const char *hy_posix_name(hy_posix_function function) {
    return functions[function].name;
}

/* ---- bytes to calls ---- */

/* The next byte that is no blank and in no comment; false: the end. */
static bool next(hy_posix_reader *reader, uint8_t *byte) {
    bool is_comment = false;
    while (reader->at < reader->end) {
        *byte = *reader->at++;
        if (*byte == '#') is_comment = true;
        if (!is_comment && *byte > ' ') return true;
        if (*byte == '\n') is_comment = false;
    }
    *byte = 0;
    return false;
}

static size_t read_base(uint8_t byte, const hy_posix_sizes *sizes, unsigned slot) {
    if (byte == '=') return sizes->asked[slot];
    if (byte == 'U') return sizes->usable[slot];
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        if (bases[i].letter == byte) return bases[i].size;
    }
    return (size_t)byte * 64;
}

/* Wraps around at either end, as what a program works out does. */
static size_t read_size(hy_posix_reader *reader, const hy_posix_sizes *sizes, unsigned slot) {
    uint8_t base, distance;
    next(reader, &base);
    next(reader, &distance);
    size_t size = read_base(base, sizes, slot);
    if (distance == 0 || distance == '.') return size;
    if (distance == '+') return size + 1;
    if (distance == '-') return size - 1;
    if (distance >= '0' && distance <= '9') return size + (size_t)(distance - '0') * 16;
    return size + (size_t)(ptrdiff_t)(int8_t)distance;
}

static size_t read_align(hy_posix_reader *reader) {
    uint8_t byte;
    next(reader, &byte);
    if (byte >= 'a' && byte <= 'z') return (size_t)1 << (byte - 'a');
    if (byte >= 'A' && byte <= 'L') return (size_t)1 << (52 + byte - 'A');
    if (byte == 'S') return SIZE_MAX;
    return byte >= '0' && byte <= '9' ? (size_t)(byte - '0') : byte;
}

static hy_posix_function function_of(uint8_t byte) {
    for (unsigned i = 0; i < HY_POSIX_FUNCTIONS; i++) {
        if (functions[i].letter == byte) return (hy_posix_function)i;
    }
    return (hy_posix_function)(byte % HY_POSIX_FUNCTIONS);
}

static unsigned slot_of(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return 10u + byte - 'a';
    return byte % HY_POSIX_SLOTS;
}

bool hy_posix_read(hy_posix_reader *reader, const hy_posix_sizes *sizes, hy_posix_call *out) {
    uint8_t byte;
    if (!next(reader, &byte)) return false;
    *out = (hy_posix_call){.function = function_of(byte), .count = 1};
    if (out->function == HY_POSIX_TRIM) return true;
    next(reader, &byte);
    out->slot = slot_of(byte);
    for (const char *argument = functions[out->function].arguments; *argument; argument++) {
        if (*argument == 'a')
            out->align = read_align(reader);
        else if (*argument == 'n')
            out->count = read_size(reader, sizes, out->slot);
        else
            out->size = read_size(reader, sizes, out->slot);
    }
    return true;
}

/* ---- calls to C ---- */

static void print_arguments(FILE *out, const hy_posix_call *call) {
    for (const char *argument = functions[call->function].arguments; *argument; argument++) {
        size_t value = *argument == 'a' ? call->align : *argument == 'n' ? call->count : call->size;
        fprintf(out, "%s%zuu", argument == functions[call->function].arguments ? "" : ", ", value);
    }
}

static void print_call(FILE *out, const hy_posix_call *call) {
    const char *name = functions[call->function].name;
    unsigned slot = call->slot;
    switch (call->function) {
    case HY_POSIX_MALLOC:
    case HY_POSIX_CALLOC:
    case HY_POSIX_ALIGNED_ALLOC:
    case HY_POSIX_MEMALIGN:
    case HY_POSIX_VALLOC:
    case HY_POSIX_PVALLOC:
        fprintf(out, "b[%u] = %s(", slot, name);
        break;
    case HY_POSIX_REALLOC:
    case HY_POSIX_REALLOCARRAY:
        fprintf(out, "q = %s(b[%u], ", name, slot);
        break;
    case HY_POSIX_MEMALIGN_OUT:
        fprintf(out, "e = %s(&b[%u], ", name, slot);
        break;
    case HY_POSIX_FREE_SIZED:
        fprintf(out, "%s(b[%u], %zuu), b[%u] = NULL", name, slot, call->size, slot);
        break;
    case HY_POSIX_FREE_ALIGNED_SIZED:
        fprintf(out, "%s(b[%u], %zuu, %zuu), b[%u] = NULL", name, slot, call->align, call->size, slot);
        break;
    case HY_POSIX_FREE:
        fprintf(out, "%s(b[%u]), b[%u] = NULL", name, slot, slot);
        break;
    case HY_POSIX_USABLE_SIZE:
        fprintf(out, "%s(b[%u])", name, slot);
        break;
    default:
        fprintf(out, "%s(0)", name);
    }
    print_arguments(out, call);
    fputs(functions[call->function].arguments[0] ? ");" : ";", out);
    if (call->function != HY_POSIX_REALLOC && call->function != HY_POSIX_REALLOCARRAY) return;
    bool ends = call->size == 0 || call->count == 0;
    fprintf(out, ends ? " b[%u] = q;" : " if (q) b[%u] = q;", slot);
}

void hy_posix_print(FILE *out, const hy_posix_call *calls, size_t count, const char *finding) {
    fputs("#define _GNU_SOURCE\n#include <malloc.h>\n#include <stdlib.h>\n\n"
          "void free_sized(void *, size_t);\nvoid free_aligned_sized(void *, size_t, size_t);\n\n"
          "int main(void) {\n    void *b[16] = {0}, *q;\n    int e;\n    (void)q, (void)e;\n",
        out);
    for (size_t i = 0; i < count; i++) {
        fputs("    ", out);
        print_call(out, &calls[i]);
        fputc('\n', out);
    }
    fprintf(out, "    /* %s */\n}\n", finding);
}
