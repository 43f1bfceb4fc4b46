/* posix_calls.c: the language of calls, and C. */
#include "fuzz/properties/posix_calls.h"

#include <heapyard/align.h>
#include <string.h>

/* What becomes of the block in the call's slot. */
typedef enum form { GIVES, GIVES_OUT, MOVES, TAKES, ASKS, HAS_NO_SLOT } form;

/* By function. Arguments in the order in which C has them, the block's own aside: 'n' a count, 's' a size,
 * 'a' an alignment, 'f' an alignment as jemalloc's flags, 'z' likewise with the bit for zeroed memory, 't'
 * C++'s nothrow. `read` are those that the input has. */
static const struct {
    char letter;
    const char *name;
    const char *read;
    const char *passed;
    form form;
    bool is_glibcs; /* declared by its headers */
} functions[HY_POSIX_FUNCTIONS] = {
    [HY_POSIX_MALLOC] = {'m', "malloc", "s", "s", GIVES, true},
    [HY_POSIX_CALLOC] = {'c', "calloc", "ns", "ns", GIVES, true},
    [HY_POSIX_REALLOC] = {'r', "realloc", "s", "s", MOVES, true},
    [HY_POSIX_REALLOCARRAY] = {'R', "reallocarray", "ns", "ns", MOVES, true},
    [HY_POSIX_ALIGNED_ALLOC] = {'a', "aligned_alloc", "as", "as", GIVES, true},
    [HY_POSIX_MEMALIGN_OUT] = {'p', "posix_memalign", "as", "as", GIVES_OUT, true},
    [HY_POSIX_MEMALIGN] = {'g', "memalign", "as", "as", GIVES, true},
    [HY_POSIX_VALLOC] = {'v', "valloc", "s", "s", GIVES, true},
    [HY_POSIX_PVALLOC] = {'w', "pvalloc", "s", "s", GIVES, true},
    [HY_POSIX_FREE] = {'f', "free", "", "", TAKES, true},
    [HY_POSIX_FREE_SIZED] = {'F', "free_sized", "", "s", TAKES, false},
    [HY_POSIX_FREE_ALIGNED_SIZED] = {'A', "free_aligned_sized", "", "as", TAKES, false},
    [HY_POSIX_USABLE_SIZE] = {'u', "malloc_usable_size", "", "", ASKS, true},
    [HY_POSIX_TRIM] = {'t', "malloc_trim", "", "", HAS_NO_SLOT, true},
    [HY_POSIX_MALLOCX] = {'J', "mallocx", "sa", "sf", GIVES, false},
    [HY_POSIX_MALLOCX_ZERO] = {'j', "mallocx", "sa", "sz", GIVES, false},
    [HY_POSIX_RALLOCX] = {'K', "rallocx", "sa", "sf", MOVES, false},
    [HY_POSIX_SDALLOCX] = {'X', "sdallocx", "", "sf", TAKES, false},
    [HY_POSIX_MI_MALLOC_ALIGNED] = {'M', "mi_malloc_aligned", "sa", "sa", GIVES, false},
    [HY_POSIX_MI_ZALLOC_ALIGNED] = {'Z', "mi_zalloc_aligned", "sa", "sa", GIVES, false},
    [HY_POSIX_MI_REALLOC_ALIGNED] = {'N', "mi_realloc_aligned", "sa", "sa", MOVES, false},
    [HY_POSIX_MI_FREE_SIZE] = {'Y', "mi_free_size", "", "s", TAKES, false},
    [HY_POSIX_MI_FREE_SIZE_ALIGNED] = {'y', "mi_free_size_aligned", "", "sa", TAKES, false},
    [HY_POSIX_TC_FREE_SIZED] = {'T', "tc_free_sized", "", "s", TAKES, false},
    [HY_POSIX_NEW_ALIGNED] = {'W', "_ZnwmSt11align_val_tRKSt9nothrow_t", "sa", "sat", GIVES, false},
    [HY_POSIX_END] = {'!', "free", "", "", HAS_NO_SLOT, true},
    [HY_POSIX_DELETE_ALIGNED] = {'D', "_ZdlPvmSt11align_val_t", "", "sa", TAKES, false},
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

bool hy_posix_is_end(hy_posix_function function) {
    return functions[function].form == TAKES;
}

bool hy_posix_is_move(hy_posix_function function) {
    return functions[function].form == MOVES;
}

const char *hy_posix_passed(hy_posix_function function) {
    return functions[function].passed;
}

bool hy_posix_is_glibcs(hy_posix_function function) {
    return functions[function].is_glibcs;
}

int hy_posix_flags(size_t align) {
    return align > 1 ? __builtin_ctzll(align) : 0;
}

const char *hy_posix_name(hy_posix_function function) {
    return functions[function].name;
}

/* ---- bytes to calls ---- */

/* To the next byte that is no blank and in no comment; false: there is none. */
static bool skip(hy_posix_reader *reader) {
    bool is_comment = false;
    for (; reader->at < reader->end; reader->at++) {
        uint8_t byte = *reader->at;
        if (byte == '#') is_comment = true;
        if (!is_comment && byte > ' ') return true;
        if (byte == '\n') is_comment = false;
    }
    return false;
}

/* The next byte of a call; 0 where it is cut off. */
static void next(hy_posix_reader *reader, uint8_t *byte) {
    *byte = skip(reader) && *reader->at != '!' ? *reader->at++ : 0;
}

#define FIRST_OF_ALIGN 0xE0 /* from here on a base means the last alignment */

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
    bool is_align = base == 'A' || base >= FIRST_OF_ALIGN;
    size_t size = is_align ? reader->align : read_base(base, sizes, slot);
    if (distance == 0 || distance == '.') return size;
    if (distance == '+') return size + 1;
    if (distance == '-') return size - 1;
    if (distance >= '0' && distance <= '9') return size + (size_t)(distance - '0') * 16;
    if (is_align) return size; /* exactly that one is where libraries take another way */
    return size + (size_t)(ptrdiff_t)(int8_t)distance;
}

static size_t read_any_align(hy_posix_reader *reader) {
    uint8_t byte;
    next(reader, &byte);
    if (byte >= 'a' && byte <= 'z') return (size_t)1 << (byte - 'a');
    if (byte >= 'A' && byte <= 'L') return (size_t)1 << (52 + byte - 'A');
    if (byte == 'S') return SIZE_MAX;
    return byte >= '0' && byte <= '9' ? (size_t)(byte - '0') : byte;
}

static size_t read_align(hy_posix_reader *reader) {
    size_t align = read_any_align(reader);
    if (hy_is_power_of_two(align)) reader->align = align;
    return align;
}

static hy_posix_function function_of(uint8_t byte) {
    for (unsigned i = 0; i < HY_POSIX_FUNCTIONS; i++) {
        if (functions[i].letter == byte) return (hy_posix_function)i;
    }
    return (hy_posix_function)(byte % HY_POSIX_MALLOCX); /* what every library may have */
}

static unsigned slot_of(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return 10u + byte - 'a';
    return byte % HY_POSIX_SLOTS;
}

bool hy_posix_read(hy_posix_reader *reader, const hy_posix_sizes *sizes, hy_posix_call *out) {
    uint8_t byte;
    if (!skip(reader)) return false;
    byte = *reader->at++;
    *out = (hy_posix_call){.function = function_of(byte), .count = 1};
    if (functions[out->function].form == HAS_NO_SLOT) return true;
    next(reader, &byte);
    out->slot = slot_of(byte);
    for (const char *argument = functions[out->function].read; *argument; argument++) {
        if (*argument == 'a')
            out->align = read_align(reader);
        else if (*argument == 'n')
            out->count = read_size(reader, sizes, out->slot);
        else
            out->size = read_size(reader, sizes, out->slot);
    }
    return true;
}
