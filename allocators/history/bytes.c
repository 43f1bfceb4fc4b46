/* bytes.c: the total decoder, and the encoder for histories written as text. */
#include "allocators/history/bytes.h"

#include <string.h>

/* The low nibble of an operation's byte: what it does. */
enum {
    WHAT_ALLOC = 0, /* and 1, 2 */
    WHAT_AGAIN = 3, /* same size and alignment as the last allocation */
    WHAT_FREE = 4,  /* and 5 */
    WHAT_RESIZE = 6,
    WHAT_REMAP = 7,
    WHAT_REALLOC = 8,
    WHAT_RESIZE_TOO = 9,
    WHAT_REALLOC_TOO = 10,
    WHAT_RESET = 11,
    WHAT_CHECK = 12, /* or an operation of the row's own, as the argument says */
    WHAT_ZEROED = 13,
    WHAT_BURST_ALLOC = 14,
    WHAT_BURST_FREE = 15
};

/* Size codes: the first byte of a size. */
enum {
    SIZE_POWERS = 160, /* below: linear, 1 … 160 */
    SIZE_U16 = 224,
    SIZE_EIGHTHS = 236,
    SIZE_NEAR_ROOM = 240,
    SIZE_NEAR_MAX = 244,
    SIZE_NEAR_HALF,
    SIZE_NEAR_2_40,
    SIZE_NEAR_CAPACITY,
    SIZE_NEAR_BLOCK,
    SIZE_NEAR_HALF_CAPACITY,
    SIZE_U32,
    SIZE_U64,
    SIZE_NEAR_MAX_PAGE,
    SIZE_NEAR_2_32,
    SIZE_NEAR_QUARTER,
    SIZE_ZERO
};

/* Alignments that an argument encodes, as log2; for the argument past the last one a byte follows. */
#define ALIGN_BYTE_FOLLOWS 15
static const uint8_t align_log2s[ALIGN_BYTE_FOLLOWS] = {3, 0, 1, 2, 4, 5, 6, 7, 12, 16, 3, 4, 3, 4, 0};

/* The argument of WHAT_CHECK: below, nothing but a check. */
enum {
    SPECIAL_TWIN = 7,
    SPECIAL_FIRST = 8,  /* and up to SPECIAL_NAMED: the first operations of the row */
    SPECIAL_NAMED = 15, /* a byte follows: an index, or a name's code */
    NAME_CODES = 128    /* and above */
};

/* Options in the low nibble of byte 0, the child's fault policy in the high one. */
#define SHAPE_BITS 0x03u
#define OPTIONS_LOW 0x04u
#define OPTIONS_HIGH 0x08u
#define FAULTS_GROWS 0x10u
#define FAULTS_MOVES 0x20u
#define FAULTS_ALLOC_REFUSES 0x40u
#define FAULTS_RESIZE_REFUSES 0x80u
#define REFUSAL_ONCE 0x80u

typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
} reader;

static uint8_t next(reader *from) {
    return from->at < from->end ? *from->at++ : 0;
}

static uint64_t next_number(reader *from, unsigned bytes) {
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)next(from) << (8 * i);
    return number;
}

static uint16_t next_refusal(reader *from, hy_fault_policy *faults) {
    uint8_t byte = next(from);
    if (byte & REFUSAL_ONCE) faults->once = true;
    return byte & 0x7F;
}

size_t hy_bytes_decode_header(const uint8_t *bytes, size_t size, hy_bytes_header *header) {
    reader from = {bytes, bytes + size};
    uint8_t first = next(&from);
    hy_fault_policy faults = {
        .grows = first & FAULTS_GROWS,
        .moves = first & FAULTS_MOVES,
        .alloc_refusal = HY_BYTES_NEVER,
        .resize_refusal = HY_BYTES_NEVER,
        .remap_refusal = HY_BYTES_NEVER,
    };
    *header = (hy_bytes_header){.shape = first & SHAPE_BITS, .mask = next(&from)};
    if (first & OPTIONS_LOW) header->options = next(&from);
    if (first & OPTIONS_HIGH) header->options |= (uint16_t)(next(&from) << 8);
    if (first & FAULTS_ALLOC_REFUSES) faults.alloc_refusal = next_refusal(&from, &faults);
    if (first & FAULTS_RESIZE_REFUSES) {
        faults.resize_refusal = next_refusal(&from, &faults);
        faults.remap_refusal = next_refusal(&from, &faults);
    }
    header->faults = faults;
    return (size_t)(from.at - bytes);
}

/* The slots as they would be if every decoded operation were served. */
typedef struct decoder {
    reader from;
    hy_bytes_bounds bounds;
    uint8_t mask;
    hy_history *history;
    bool whole;   /* false once an append has failed */
    bool of_room; /* the size that was read last is a distance from what is left */
    uint64_t last_size;
    uint8_t last_align_log2;
    uint32_t fresh; /* the first slot that was never used */
    uint32_t empty_count;
    uint32_t live_count;
    uint16_t empty[HY_BYTES_SLOT_MAX]; /* freed slots, a stack: the top is used next */
    uint16_t live[HY_BYTES_SLOT_MAX];  /* in order of allocation */
    uint64_t size[HY_BYTES_SLOT_MAX];
    uint8_t align_log2[HY_BYTES_SLOT_MAX];
    bool is_of_room[HY_BYTES_SLOT_MAX]; /* the size is such a distance */
} decoder;

static uint64_t near_to(decoder *state, uint64_t base) {
    return base + (uint64_t)(int64_t)(int8_t)next(&state->from);
}

/* Sizes beyond 16 bits, and sizes near a bound. */
static uint64_t rare_size(decoder *state, uint8_t code) {
    switch (code) {
    case SIZE_NEAR_MAX:
        return SIZE_MAX - next(&state->from);
    case SIZE_NEAR_HALF:
        return near_to(state, SIZE_MAX / 2 + 1);
    case SIZE_NEAR_2_40:
        return near_to(state, (uint64_t)1 << 40);
    case SIZE_NEAR_CAPACITY:
        return near_to(state, state->bounds.capacity);
    case SIZE_NEAR_BLOCK:
        return near_to(state, state->bounds.block_size);
    case SIZE_NEAR_HALF_CAPACITY:
        return near_to(state, state->bounds.capacity / 2);
    case SIZE_U32:
        return next_number(&state->from, 4);
    case SIZE_U64:
        return next_number(&state->from, 8);
    case SIZE_NEAR_MAX_PAGE:
        return near_to(state, SIZE_MAX - 4096);
    case SIZE_NEAR_2_32:
        return near_to(state, (uint64_t)1 << 32);
    case SIZE_NEAR_QUARTER:
        return near_to(state, SIZE_MAX / 4 + 1);
    default:
        return 0;
    }
}

/* Where classes of sizes end: a power of two and some eighths of it, or a byte more. */
static uint64_t eighths(unsigned byte) {
    uint64_t power = (uint64_t)8 << (byte & 15);
    return power + power / 8 * (byte >> 4 & 7) + (byte >> 7);
}

static uint64_t next_size(decoder *state) {
    uint8_t code = next(&state->from);
    state->of_room = false;
    if (state->mask & HY_BYTES_WITHOUT_LARGE) code %= SIZE_POWERS;
    if (code < SIZE_POWERS) return code + 1u;
    if (code < SIZE_U16) {
        unsigned step = code - SIZE_POWERS;
        return ((uint64_t)1 << (step / 3)) + step % 3 - 1;
    }
    if (code < SIZE_EIGHTHS) return next_number(&state->from, 2);
    if (code < SIZE_NEAR_ROOM) return eighths(next(&state->from));
    state->of_room = code < SIZE_NEAR_MAX;
    if (state->of_room) return near_to(state, 0);
    return rare_size(state, code);
}

static uint8_t next_align(decoder *state, unsigned argument) {
    uint8_t log2 =
        argument < ALIGN_BYTE_FOLLOWS ? align_log2s[argument] : next(&state->from) & HY_ALIGN_LOG2_MAX;
    return state->mask & HY_BYTES_WITHOUT_ALIGN ? 3 : log2;
}

static unsigned room_flag(const decoder *state) {
    return state->of_room ? HY_OP_OF_ROOM : 0;
}

static void append(decoder *state, hy_op op) {
    if (!hy_history_append(state->history, op)) state->whole = false;
}

static void end_block(decoder *state, uint32_t index) {
    uint16_t slot = state->live[index];
    append(state, (hy_op){.kind = HY_OP_FREE,
                      .align_log2 = state->align_log2[slot],
                      .slot = slot,
                      .size = state->size[slot]});
    state->live_count--;
    memmove(
        &state->live[index], &state->live[index + 1], (state->live_count - index) * sizeof state->live[0]);
    state->empty[state->empty_count++] = slot;
}

static void begin_block(decoder *state, uint64_t size, uint8_t align_log2, unsigned flags) {
    if (state->live_count == HY_BYTES_SLOT_MAX) end_block(state, 0);
    uint16_t slot = state->empty_count ? state->empty[--state->empty_count] : (uint16_t)state->fresh++;
    append(state,
        (hy_op){
            .kind = HY_OP_ALLOC, .flags = flags & 0xF, .align_log2 = align_log2, .slot = slot, .size = size});
    state->live[state->live_count++] = slot;
    state->size[slot] = size;
    state->is_of_room[slot] = flags & HY_OP_OF_ROOM;
    if (!state->is_of_room[slot]) state->last_size = size;
    state->align_log2[slot] = state->last_align_log2 = align_log2;
}

/* The live block that an argument's low two bits choose. Requires: at least one is live. */
static uint32_t choose(decoder *state, unsigned argument) {
    uint32_t last = state->live_count - 1;
    unsigned manner = argument & 3;
    if (manner == 0 || state->mask & HY_BYTES_WITHOUT_CHOICE) return last;
    return manner == 1 ? 0 : next(&state->from) % state->live_count;
}

/* The new size of a block of `size`; an argument's high two bits choose how it is derived. */
static uint64_t changed_size(decoder *state, unsigned argument, uint64_t size) {
    state->of_room = false;
    switch (argument >> 2) {
    case 0:
        return next_size(state);
    case 1:
        return size + 1 + next(&state->from);
    case 2: {
        uint64_t less = 1u + next(&state->from);
        return size > less ? size - less : 0;
    }
    default:
        return size * 2;
    }
}

static void change_block(decoder *state, hy_op_kind kind, unsigned argument) {
    uint16_t slot = state->live[choose(state, argument)];
    uint64_t old_size = state->is_of_room[slot] ? state->last_size : state->size[slot];
    uint64_t size = changed_size(state, argument, old_size);
    append(state, (hy_op){.kind = kind & 0xF,
                      .flags = room_flag(state) & 0xF,
                      .align_log2 = state->align_log2[slot],
                      .slot = slot,
                      .size = size});
    state->size[slot] = size;
    state->is_of_room[slot] = state->of_room;
}

static void reset(decoder *state, unsigned argument) {
    uint64_t mode = argument % 3, limit = mode == 2 ? next_size(state) & (SIZE_MAX >> 2) : 0;
    append(state, (hy_op){.kind = HY_OP_RESET, .size = mode | limit << 2});
    while (state->live_count > 0)
        state->empty[state->empty_count++] = state->live[--state->live_count];
}

static void special(decoder *state, uint32_t operation) {
    uint64_t number = next_size(state);
    append(state,
        (hy_op){.kind = HY_OP_SPECIAL, .flags = room_flag(state) & 0xF, .slot = operation, .size = number});
}

/* The row's operation that a name's code means; its count where there is none. */
static size_t find_named(const decoder *state, uint8_t code) {
    size_t i = 0;
    while (i < state->bounds.operation_count && hy_bytes_name_code(state->bounds.operations[i].name) != code)
        i++;
    return i;
}

/* The name's code, or an index, that follows; on a row without that name, its number is read over. */
static void named(decoder *state) {
    uint8_t code = next(&state->from);
    size_t count = state->bounds.operation_count;
    size_t operation = code < NAME_CODES ? (count ? code % count : 0) : find_named(state, code);
    if (operation < count) {
        special(state, (uint32_t)operation);
        return;
    }
    if (code >= NAME_CODES) (void)next_size(state);
    append(state, (hy_op){.kind = HY_OP_CHECK});
}

static void check_or_special(decoder *state, unsigned argument) {
    size_t count = state->bounds.operation_count;
    if (argument == SPECIAL_NAMED)
        named(state);
    else if (argument == SPECIAL_TWIN)
        special(state, HY_OP_TWIN);
    else if (argument >= SPECIAL_FIRST && count > 0)
        special(state, (uint32_t)((argument - SPECIAL_FIRST) % count));
    else
        append(state, (hy_op){.kind = HY_OP_CHECK});
}

static bool is_off(const decoder *state, unsigned what) {
    static const uint8_t groups[16] = {
        [WHAT_FREE] = HY_BYTES_WITHOUT_FREE,
        [WHAT_FREE + 1] = HY_BYTES_WITHOUT_FREE,
        [WHAT_RESIZE] = HY_BYTES_WITHOUT_RESIZE,
        [WHAT_REMAP] = HY_BYTES_WITHOUT_REMAP,
        [WHAT_REALLOC] = HY_BYTES_WITHOUT_REALLOC,
        [WHAT_RESIZE_TOO] = HY_BYTES_WITHOUT_RESIZE,
        [WHAT_REALLOC_TOO] = HY_BYTES_WITHOUT_REALLOC,
        [WHAT_RESET] = HY_BYTES_WITHOUT_RESET,
        [WHAT_BURST_FREE] = HY_BYTES_WITHOUT_FREE,
    };
    return (state->mask & groups[what]) != 0;
}

/* Whether an operation works on a live block. */
static bool needs_block(unsigned what) {
    return (what >= WHAT_FREE && what < WHAT_RESET) || what == WHAT_BURST_FREE;
}

static void burst(decoder *state, unsigned what, unsigned argument) {
    if (what == WHAT_BURST_ALLOC) {
        for (unsigned i = 0; i < argument + 2; i++)
            begin_block(state, state->last_size, state->last_align_log2, 0);
        return;
    }
    for (unsigned i = 0; i <= (argument & 7) && state->live_count > 0; i++)
        end_block(state, argument & 8 ? 0 : state->live_count - 1);
}

static void decode_operation(decoder *state) {
    static const uint8_t kinds[16] = {
        [WHAT_RESIZE] = HY_OP_RESIZE,
        [WHAT_RESIZE_TOO] = HY_OP_RESIZE,
        [WHAT_REMAP] = HY_OP_REMAP,
        [WHAT_REALLOC] = HY_OP_REALLOC,
        [WHAT_REALLOC_TOO] = HY_OP_REALLOC,
    };
    uint8_t byte = next(&state->from);
    unsigned what = byte & 0xF, argument = byte >> 4;
    if (is_off(state, what) || (needs_block(what) && state->live_count == 0)) what = WHAT_ALLOC;
    switch (what) {
    case WHAT_AGAIN:
        begin_block(state, state->last_size, state->last_align_log2, 0);
        break;
    case WHAT_FREE:
    case WHAT_FREE + 1:
        end_block(state, choose(state, argument));
        break;
    case WHAT_RESIZE:
    case WHAT_REMAP:
    case WHAT_REALLOC:
    case WHAT_RESIZE_TOO:
    case WHAT_REALLOC_TOO:
        change_block(state, (hy_op_kind)kinds[what], argument);
        break;
    case WHAT_RESET:
        reset(state, argument);
        break;
    case WHAT_CHECK:
        check_or_special(state, argument);
        break;
    case WHAT_BURST_ALLOC:
    case WHAT_BURST_FREE:
        burst(state, what, argument);
        break;
    default: {
        uint8_t align_log2 = next_align(state, argument);
        uint64_t block_size = next_size(state);
        begin_block(
            state, block_size, align_log2, room_flag(state) | (what == WHAT_ZEROED ? HY_OP_ZEROED : 0));
    }
    }
}

static void start(decoder *state, const uint8_t *bytes, size_t size, const hy_bytes_header *header,
    hy_bytes_bounds bounds, hy_history *history) {
    state->from = (reader){bytes, bytes + size};
    state->bounds = bounds;
    state->mask = header->mask;
    state->history = history;
    state->whole = true;
    state->of_room = false;
    state->last_size = 16;
    state->last_align_log2 = 3;
    state->fresh = state->empty_count = state->live_count = 0;
    history->count = 0;
    history->slot_count = 0;
    history->thread_count = 0;
}

static bool goes_on(const decoder *state) {
    return state->from.at < state->from.end && state->history->count < HY_BYTES_OPERATION_MAX && state->whole;
}

bool hy_bytes_decode(const uint8_t *bytes, size_t size, const hy_bytes_header *header, hy_bytes_bounds bounds,
    hy_history *history) {
    decoder state;
    start(&state, bytes, size, header, bounds, history);
    while (goes_on(&state))
        decode_operation(&state);
    return state.whole;
}

size_t hy_bytes_split(const uint8_t *bytes, size_t size, const hy_bytes_header *header,
    hy_bytes_bounds bounds, hy_history *history, uint16_t *at, size_t max) {
    decoder state;
    size_t count = 0;
    start(&state, bytes, size < UINT16_MAX ? size : UINT16_MAX, header, bounds, history);
    while (goes_on(&state) && count < max) {
        at[count++] = (uint16_t)(state.from.at - bytes);
        decode_operation(&state);
    }
    at[count] = (uint16_t)(state.from.at - bytes);
    return count;
}

static bool put(hy_bytes_writer *writer, unsigned byte) {
    if (writer->size == writer->capacity) return false;
    writer->bytes[writer->size++] = (uint8_t)byte;
    return true;
}

static bool put_number(hy_bytes_writer *writer, unsigned code, uint64_t number, unsigned bytes) {
    bool room = put(writer, code);
    for (unsigned i = 0; i < bytes; i++)
        room = put(writer, (unsigned)(number >> (8 * i)) & 0xFF) && room;
    return room;
}

static unsigned refusal_byte(uint16_t index, bool once) {
    return (index & 0x7Fu) | (once ? REFUSAL_ONCE : 0);
}

void hy_bytes_write_header(
    hy_bytes_writer *writer, uint8_t *bytes, size_t capacity, const hy_bytes_header *header) {
    const hy_fault_policy *faults = &header->faults;
    bool alloc_refuses = faults->alloc_refusal != HY_BYTES_NEVER;
    bool resize_refuses = faults->resize_refusal != HY_BYTES_NEVER || faults->remap_refusal != HY_BYTES_NEVER;
    *writer = (hy_bytes_writer){.bytes = bytes, .capacity = capacity};
    put(writer, (header->shape & SHAPE_BITS) | (header->options & 0xFF ? OPTIONS_LOW : 0) |
                    (header->options >> 8 ? OPTIONS_HIGH : 0) | (faults->grows ? FAULTS_GROWS : 0) |
                    (faults->moves ? FAULTS_MOVES : 0) | (alloc_refuses ? FAULTS_ALLOC_REFUSES : 0) |
                    (resize_refuses ? FAULTS_RESIZE_REFUSES : 0));
    put(writer, header->mask);
    if (header->options & 0xFF) put(writer, header->options & 0xFF);
    if (header->options >> 8) put(writer, header->options >> 8);
    if (alloc_refuses) put(writer, refusal_byte(faults->alloc_refusal, faults->once));
    if (resize_refuses) {
        put(writer, refusal_byte(faults->resize_refusal, faults->once));
        put(writer, refusal_byte(faults->remap_refusal, faults->once));
    }
}

static bool write_size(hy_bytes_writer *writer, uint64_t size, hy_bytes_base base) {
    if (base == HY_BYTES_ROOM) return put_number(writer, SIZE_NEAR_ROOM, size, 1);
    if (base == HY_BYTES_CAPACITY) return put_number(writer, SIZE_NEAR_CAPACITY, size, 1);
    if (base == HY_BYTES_BLOCK) return put_number(writer, SIZE_NEAR_BLOCK, size, 1);
    if (size == 0) return put(writer, SIZE_ZERO);
    if (size <= SIZE_POWERS) return put(writer, (unsigned)size - 1);
    for (unsigned step = 0; step < SIZE_U16 - SIZE_POWERS; step++) {
        if (size == ((uint64_t)1 << (step / 3)) + step % 3 - 1) return put(writer, SIZE_POWERS + step);
    }
    if (size <= UINT16_MAX) return put_number(writer, SIZE_U16, size, 2);
    if (size >= SIZE_MAX - UINT8_MAX) return put_number(writer, SIZE_NEAR_MAX, SIZE_MAX - size, 1);
    if (size <= UINT32_MAX) return put_number(writer, SIZE_U32, size, 4);
    return put_number(writer, SIZE_U64, size, 8);
}

static bool write_alloc(hy_bytes_writer *writer, hy_op op, hy_bytes_base base) {
    unsigned argument = 0;
    while (argument < ALIGN_BYTE_FOLLOWS && align_log2s[argument] != op.align_log2)
        argument++;
    bool room = put(writer, (op.flags & HY_OP_ZEROED ? WHAT_ZEROED : WHAT_ALLOC) | argument << 4);
    if (argument == ALIGN_BYTE_FOLLOWS) room = put(writer, op.align_log2) && room;
    return write_size(writer, op.size, base) && room;
}

/* The operation's byte with the argument that selects the block at `index`; the index itself follows where
 * the argument alone (last, first) does not select it. */
static bool write_choice(hy_bytes_writer *writer, unsigned what, uint32_t index) {
    if (index == writer->live_count - 1) return put(writer, what);
    if (index == 0) return put(writer, what | 1u << 4);
    return put(writer, what | 2u << 4) && put(writer, index);
}

static uint32_t index_of(const hy_bytes_writer *writer, uint32_t slot) {
    uint32_t index = 0;
    while (index < writer->live_count && writer->live[index] != slot)
        index++;
    return index;
}

static void forget(hy_bytes_writer *writer, uint32_t index) {
    writer->live_count--;
    memmove(&writer->live[index], &writer->live[index + 1],
        (writer->live_count - index) * sizeof writer->live[0]);
}

static bool write_special(hy_bytes_writer *writer, hy_op op, hy_bytes_base base) {
    bool is_twin = op.slot == HY_OP_TWIN, is_first = op.slot < SPECIAL_NAMED - SPECIAL_FIRST;
    unsigned argument = is_twin ? SPECIAL_TWIN : is_first ? SPECIAL_FIRST + op.slot : SPECIAL_NAMED;
    bool room = is_twin || op.slot < NAME_CODES;
    room = room && put(writer, WHAT_CHECK | argument << 4);
    if (argument == SPECIAL_NAMED) room = room && put(writer, op.slot);
    return room && write_size(writer, op.size, base);
}

static bool write_operation(hy_bytes_writer *writer, hy_op op, hy_bytes_base base, uint32_t index) {
    switch ((hy_op_kind)op.kind) {
    case HY_OP_ALLOC:
        return write_alloc(writer, op, base);
    case HY_OP_FREE:
        return write_choice(writer, WHAT_FREE, index);
    case HY_OP_REALLOC:
        return write_choice(writer, WHAT_REALLOC, index) && write_size(writer, op.size, base);
    case HY_OP_RESIZE:
        return write_choice(writer, WHAT_RESIZE, index) && write_size(writer, op.size, base);
    case HY_OP_REMAP:
        return write_choice(writer, WHAT_REMAP, index) && write_size(writer, op.size, base);
    case HY_OP_RESET: {
        bool room = put(writer, WHAT_RESET | (unsigned)(op.size & 3) << 4);
        return (op.size & 3) == 2 ? room && write_size(writer, op.size >> 2, base) : room;
    }
    case HY_OP_CHECK:
        return put(writer, WHAT_CHECK);
    case HY_OP_SPECIAL:
        return write_special(writer, op, base);
    default:
        return false;
    }
}

bool hy_bytes_write(hy_bytes_writer *writer, hy_op op, hy_bytes_base base) {
    uint32_t index = index_of(writer, op.slot);
    bool is_live = index < writer->live_count;
    bool on_block = op.kind != HY_OP_RESET && op.kind != HY_OP_CHECK && op.kind != HY_OP_SPECIAL;
    if (op.flags & HY_OP_OF_ROOM) base = HY_BYTES_ROOM;
    if (on_block && is_live == (op.kind == HY_OP_ALLOC)) return false;
    if (op.kind == HY_OP_ALLOC && writer->live_count == HY_BYTES_SLOT_MAX) return false;
    size_t before = writer->size;
    if (!write_operation(writer, op, base, index)) {
        writer->size = before;
        return false;
    }
    if (op.kind == HY_OP_ALLOC) writer->live[writer->live_count++] = op.slot;
    if (op.kind == HY_OP_FREE) forget(writer, index);
    if (op.kind == HY_OP_RESET) writer->live_count = 0;
    return true;
}

uint8_t hy_bytes_name_code(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return (uint8_t)(NAME_CODES | (hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24));
}

bool hy_bytes_write_named(hy_bytes_writer *writer, const char *name, hy_op op, hy_bytes_base base) {
    size_t before = writer->size;
    if (op.flags & HY_OP_OF_ROOM) base = HY_BYTES_ROOM;
    if (put(writer, WHAT_CHECK | SPECIAL_NAMED << 4) && put(writer, hy_bytes_name_code(name)) &&
        write_size(writer, op.size, base))
        return true;
    writer->size = before;
    return false;
}
