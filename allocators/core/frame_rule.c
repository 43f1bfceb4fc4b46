/* frame_rule.c: reads the tables of call frame information, and keeps what it has read.
 *
 * Each object has a sorted index of its functions' entries (.eh_frame_hdr); an entry is a little program that
 * says, instruction by instruction, where the frame begins and where registers were saved. It is run up to
 * the call. Only what a walk needs is followed: the frame's begin, the frame pointer and the return address;
 * forms that compilers do not write for C and C++ (expressions, other registers) give no rule, and the
 * caller falls back on the platform's unwinder.
 *
 * What is kept: a table of the process, each place of two words that are written and read without a lock; the
 * first is the key mixed with the second, so that halves of two entries never pass for one.
 * Where a library was unloaded and another one loaded at its address, old rules may meet new code: the walk
 * then ends or shows a wrong frame; it stays inside the stack.
 *
 * Cost: a kept rule a few ns, a new one under a microsecond. Overhead: 64 KiB, as far as it is touched.
 * Source: DWARF 5, section 6.4; the Linux Standard Base on .eh_frame; caching rules after libunwind.
 */
#include <stddef.h>
#include <stdlib.h> /* __GLIBC__ */

#include "allocators/core/frame_rule.h"

#if HY_HAS_FRAME_RULES
#include <dlfcn.h>
#include <string.h>

/* DWARF's numbers of registers on x86-64. */
enum { FRAME_POINTER = 6, STACK_POINTER = 7, RETURN_ADDRESS = 16 };

#define PLACES_LOG2 12

typedef struct place {
    uint64_t mixed_key, rule;
} place;

static place places[1u << PLACES_LOG2];

/* A reader of bytes that ends at `end`; what lies behind reads as 0 and is remembered. */
typedef struct reader {
    const uint8_t *at, *end;
    bool is_bad;
} reader;

static const uint8_t *take_bytes(reader *r, size_t count) {
    static const uint8_t nothing[8];
    if ((size_t)(r->end - r->at) < count) {
        r->is_bad = true;
        r->at = r->end;
        return nothing;
    }
    r->at += count;
    return r->at - count;
}

static uint8_t take_u8(reader *r) {
    return *take_bytes(r, 1);
}

static uint16_t take_u16(reader *r) {
    uint16_t value;
    memcpy(&value, take_bytes(r, sizeof value), sizeof value);
    return value;
}

static uint32_t take_u32(reader *r) {
    uint32_t value;
    memcpy(&value, take_bytes(r, sizeof value), sizeof value);
    return value;
}

static uint64_t take_unsigned(reader *r) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = take_u8(r);
        if (shift < 64) value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
}

static int64_t take_signed(reader *r) {
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = take_u8(r);
        if (shift < 64) value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte >= 0x80) continue;
        bool is_negative = byte & 0x40 && shift + 7 < 64;
        return (int64_t)(is_negative ? value | ~(uint64_t)0 << (shift + 7) : value);
    }
}

/* Where a register of the caller is: unchanged, in the frame, or nowhere. */
typedef struct saved {
    enum { KEPT, SAVED, UNDEFINED, OTHERWISE } how;
    int64_t offset; /* from the frame's begin */
} saved;

typedef struct frame_state {
    uint64_t base_register;
    int64_t base_offset;
    saved pointer, address;
    bool has_other_base;
} frame_state;

#define REMEMBERED_MAX 8

/* The program of an entry while it runs. */
typedef struct program {
    reader code;
    uint64_t code_factor;
    int64_t data_factor;
    uintptr_t location, target;
    frame_state state, initial;
    frame_state remembered[REMEMBERED_MAX];
    size_t remembered_count;
    bool is_bad;
} program;

static void set_register(program *p, uint64_t number, saved value) {
    if (number == FRAME_POINTER) p->state.pointer = value;
    if (number == RETURN_ADDRESS) p->state.address = value;
}

static void restore_register(program *p, uint64_t number) {
    if (number == FRAME_POINTER) p->state.pointer = p->initial.pointer;
    if (number == RETURN_ADDRESS) p->state.address = p->initial.address;
}

static void set_base(program *p, uint64_t number, int64_t offset) {
    p->state.base_register = number;
    p->state.base_offset = offset;
    p->state.has_other_base = false;
}

static void remember(program *p) {
    if (p->remembered_count == REMEMBERED_MAX)
        p->is_bad = true;
    else
        p->remembered[p->remembered_count++] = p->state;
}

static void recall(program *p) {
    if (p->remembered_count == 0)
        p->is_bad = true;
    else
        p->state = p->remembered[--p->remembered_count];
}

static void skip_block(program *p) {
    uint64_t size = take_unsigned(&p->code);
    (void)take_bytes(&p->code, size);
}

enum {
    SET_LOCATION = 0x01,
    ADVANCE_1,
    ADVANCE_2,
    ADVANCE_4,
    OFFSET_EXTENDED,
    RESTORE_EXTENDED,
    MARK_UNDEFINED,
    MARK_KEPT,
    IN_REGISTER,
    REMEMBER,
    RECALL,
    BASE,
    BASE_REGISTER,
    BASE_OFFSET,
    BASE_EXPRESSION,
    EXPRESSION,
    OFFSET_EXTENDED_SIGNED,
    BASE_SIGNED,
    BASE_OFFSET_SIGNED,
    VALUE_EXPRESSION = 0x16,
    ARGUMENTS_SIZE = 0x2E,
    ADVANCE = 0x40,
    OFFSET = 0x80,
    RESTORE = 0xC0
};

/* Instructions that say where a register is. False: it is none of these. */
static bool run_register(program *p, uint8_t code) {
    uint64_t number;
    switch (code) {
    case OFFSET_EXTENDED:
        number = take_unsigned(&p->code);
        set_register(p, number, (saved){SAVED, (int64_t)take_unsigned(&p->code) * p->data_factor});
        return true;
    case OFFSET_EXTENDED_SIGNED:
        number = take_unsigned(&p->code);
        set_register(p, number, (saved){SAVED, take_signed(&p->code) * p->data_factor});
        return true;
    case RESTORE_EXTENDED:
        restore_register(p, take_unsigned(&p->code));
        return true;
    case MARK_UNDEFINED:
        set_register(p, take_unsigned(&p->code), (saved){UNDEFINED, 0});
        return true;
    case MARK_KEPT:
        set_register(p, take_unsigned(&p->code), (saved){KEPT, 0});
        return true;
    case IN_REGISTER:
        set_register(p, take_unsigned(&p->code), (saved){OTHERWISE, 0});
        (void)take_unsigned(&p->code);
        return true;
    case EXPRESSION:
    case VALUE_EXPRESSION:
        set_register(p, take_unsigned(&p->code), (saved){OTHERWISE, 0});
        skip_block(p);
        return true;
    default:
        return false;
    }
}

/* Instructions that say where the frame begins. False: it is none of these. */
static bool run_base(program *p, uint8_t code) {
    uint64_t number;
    switch (code) {
    case BASE:
        number = take_unsigned(&p->code);
        set_base(p, number, (int64_t)take_unsigned(&p->code));
        return true;
    case BASE_SIGNED:
        number = take_unsigned(&p->code);
        set_base(p, number, take_signed(&p->code) * p->data_factor);
        return true;
    case BASE_REGISTER:
        set_base(p, take_unsigned(&p->code), p->state.base_offset);
        return true;
    case BASE_OFFSET:
        p->state.base_offset = (int64_t)take_unsigned(&p->code);
        return true;
    case BASE_OFFSET_SIGNED:
        p->state.base_offset = take_signed(&p->code) * p->data_factor;
        return true;
    case BASE_EXPRESSION:
        p->state.has_other_base = true;
        skip_block(p);
        return true;
    default:
        return false;
    }
}

static void run_other(program *p, uint8_t code) {
    switch (code) {
    case 0: /* fills up */
        break;
    case ADVANCE_1:
        p->location += take_u8(&p->code) * p->code_factor;
        break;
    case ADVANCE_2:
        p->location += take_u16(&p->code) * p->code_factor;
        break;
    case ADVANCE_4:
        p->location += take_u32(&p->code) * p->code_factor;
        break;
    case REMEMBER:
        remember(p);
        break;
    case RECALL:
        recall(p);
        break;
    case ARGUMENTS_SIZE:
        (void)take_unsigned(&p->code);
        break;
    default: /* SET_LOCATION among them, which compilers do not write */
        p->is_bad = true;
        break;
    }
}

/* Runs until the code's end, or until what follows holds only behind the target. */
static void run(program *p) {
    while (p->code.at < p->code.end && p->location <= p->target && !p->is_bad) {
        uint8_t code = take_u8(&p->code);
        uint8_t low = code & 0x3F;
        if ((code & 0xC0) == ADVANCE)
            p->location += low * p->code_factor;
        else if ((code & 0xC0) == OFFSET)
            set_register(p, low, (saved){SAVED, (int64_t)take_unsigned(&p->code) * p->data_factor});
        else if ((code & 0xC0) == RESTORE)
            restore_register(p, low);
        else if (!run_register(p, low) && !run_base(p, low))
            run_other(p, low);
    }
    p->is_bad |= p->code.is_bad;
}

/* Addresses are written as 32 bits from where they stand; no others are read. */
#define FROM_HERE 0x1B
/* In the index: as 32 bits from the index's begin. */
#define FROM_INDEX 0x3B
#define COUNT_OF_32_BITS 0x03

/* What follows a length of 32 bits, which is 0 at the end of a table and all ones for a longer form. */
static bool open_entry(const uint8_t *entry, reader *r) {
    uint32_t size;
    memcpy(&size, entry, sizeof size);
    *r = (reader){entry + sizeof size, entry + sizeof size + size, false};
    return size != 0 && size != UINT32_MAX;
}

/* What an entry has in common with others: the factors, and the instructions that come first. */
static bool read_common(const uint8_t *common, program *p, bool *has_augmentation) {
    reader r;
    if (!open_entry(common, &r)) return false;
    (void)take_u32(&r);
    uint8_t version = take_u8(&r);
    const char *letters = (const char *)r.at;
    while (take_u8(&r) != 0) {
    }
    p->code_factor = take_unsigned(&r);
    p->data_factor = take_signed(&r);
    uint64_t address_register = version == 1 ? take_u8(&r) : take_unsigned(&r);
    if (address_register != RETURN_ADDRESS || strchr(letters, 'S')) return false;
    *has_augmentation = letters[0] == 'z';
    if (!*has_augmentation) return false; /* how addresses are written is not said */
    uint64_t size = take_unsigned(&r);
    reader data = r;
    (void)take_bytes(&r, size);
    data.end = r.at;
    for (const char *letter = letters + 1; *letter && *letter != 'R'; letter++) {
        if (*letter == 'P')
            (void)take_bytes(&data, (take_u8(&data) & 0x07) == 0x03 ? 4 : 8);
        else if (*letter == 'L')
            (void)take_u8(&data);
        else
            return false;
    }
    uint8_t address_form = take_u8(&data);
    p->code = r;
    return address_form == FROM_HERE && !data.is_bad && !r.is_bad;
}

/* The state of the frame at p->target by the entry that should hold it. */
static bool read_entry(const uint8_t *entry, program *p) {
    reader r;
    if (!open_entry(entry, &r)) return false;
    const uint8_t *here = r.at;
    uint32_t back = take_u32(&r);
    bool has_augmentation;
    if (!read_common(here - back, p, &has_augmentation)) return false;
    here = r.at;
    uintptr_t begin = (uintptr_t)here + (uintptr_t)(intptr_t)(int32_t)take_u32(&r);
    uint32_t size = take_u32(&r);
    if (p->target - begin >= size) return false;
    uint64_t augmentation_size = take_unsigned(&r);
    (void)take_bytes(&r, augmentation_size);
    p->location = begin;
    run(p);
    p->initial = p->state;
    p->code = r;
    if (!p->is_bad) run(p);
    return !p->is_bad && !r.is_bad;
}

/* Both from the index's begin. */
typedef struct index_line {
    int32_t begin, entry;
} index_line;

/* The last entry of the object's index that begins at or below the address. */
static const uint8_t *find_entry(uintptr_t address) {
    struct dl_find_object object;
    if (_dl_find_object((void *)address, &object) != 0 || !object.dlfo_eh_frame) return NULL;
    const uint8_t *index = object.dlfo_eh_frame;
    bool is_known_form =
        index[0] == 1 && index[1] == FROM_HERE && index[2] == COUNT_OF_32_BITS && index[3] == FROM_INDEX;
    if (!is_known_form) return NULL;
    uint32_t count;
    memcpy(&count, index + 8, sizeof count);
    const index_line *table = (const index_line *)(const void *)(index + 12);
    int64_t wanted = (int64_t)(address - (uintptr_t)index);
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table[middle].begin <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : index + table[low - 1].entry;
}

static hy_frame_rule rule_of(const frame_state *state) {
    const hy_frame_rule unknown = {.kind = HY_FRAME_RULE_UNKNOWN};
    if (state->address.how == UNDEFINED) return (hy_frame_rule){.kind = HY_FRAME_RULE_LAST};
    bool is_plain =
        state->address.how == SAVED && state->address.offset == -(int64_t)sizeof(void *) &&
        !state->has_other_base &&
        (state->base_register == FRAME_POINTER || state->base_register == STACK_POINTER) &&
        state->base_offset > 0 && state->base_offset <= INT32_MAX &&
        (state->pointer.how == KEPT ||
            (state->pointer.how == SAVED && state->pointer.offset < 0 && state->pointer.offset >= INT16_MIN));
    if (!is_plain) return unknown;
    return (hy_frame_rule){
        .kind = HY_FRAME_RULE_STEP,
        .by_frame_pointer = state->base_register == FRAME_POINTER,
        .frame_offset = (int32_t)state->base_offset,
        .pointer_offset = (int16_t)(state->pointer.how == SAVED ? state->pointer.offset : 0),
    };
}

/* A call may be its function's last instruction: one byte before the address to return to is still the call.
 */
HY_COLD static hy_frame_rule read_rule(uintptr_t return_address) {
    program p = {.target = return_address - 1};
    const uint8_t *entry = find_entry(p.target);
    bool is_read = entry && read_entry(entry, &p);
    return is_read ? rule_of(&p.state) : (hy_frame_rule){.kind = HY_FRAME_RULE_UNKNOWN};
}

_Static_assert(sizeof(hy_frame_rule) == sizeof(uint64_t), "a rule is kept as one word");

hy_frame_rule hy_frame_rule_at(uintptr_t return_address) {
    place *p = &places[return_address * 0x9E3779B97F4A7C15u >> (64 - PLACES_LOG2)];
    uint64_t word = __atomic_load_n(&p->rule, __ATOMIC_RELAXED);
    uint64_t mixed_key = __atomic_load_n(&p->mixed_key, __ATOMIC_RELAXED);
    hy_frame_rule rule;
    if (HY_LIKELY((mixed_key ^ word) == return_address)) {
        memcpy(&rule, &word, sizeof rule);
        return rule;
    }
    rule = read_rule(return_address);
    memcpy(&word, &rule, sizeof word);
    __atomic_store_n(&p->rule, word, __ATOMIC_RELAXED);
    __atomic_store_n(&p->mixed_key, return_address ^ word, __ATOMIC_RELAXED);
    return rule;
}

#else

hy_frame_rule hy_frame_rule_at(uintptr_t return_address) {
    (void)return_address;
    return (hy_frame_rule){.kind = HY_FRAME_RULE_UNKNOWN};
}

#endif
