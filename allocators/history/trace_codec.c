/* trace_codec.c: encodes operations as columns of bytes, and decodes them. */
#include "allocators/history/trace_codec.h"

#include "allocators/history/tracker.h"

#define TAG_FLAGS_SHIFT 3
#define TAG_THREAD 0x40u
#define TAG_ALIGN 0x80u

_Static_assert(HY_OP_SPECIAL == 8, "what a trace holds has a kind of three bits");
_Static_assert((HY_OP_ZEROED | HY_OP_REFUSED | HY_OP_SIZED) <= 7, "the flags are three bits of the tag");

void hy_trace_codec_init(hy_trace_codec *codec, hy_allocator gpa) {
    *codec = (hy_trace_codec){.gpa = gpa};
}

void hy_trace_codec_deinit(hy_trace_codec *codec) {
    hy_free_n(codec->gpa, codec->slots, codec->slot_capacity);
    hy_free_n(codec->gpa, codec->vacant, codec->vacant_capacity);
    hy_free_n(codec->gpa, codec->touched, codec->touch_capacity);
    *codec = (hy_trace_codec){.gpa = codec->gpa};
}

/* Reserves slots 0 … slot, and as many places for vacant ones. Each table has a capacity of its own, so
 * that one may keep its new size where growing the other fails. */
static bool reserve_slots(hy_trace_codec *codec, uint32_t slot) {
    uint32_t capacity = slot < 128 ? 256 : slot > UINT32_MAX / 2 ? UINT32_MAX : slot * 2;
    if (slot >= codec->slot_capacity) {
        hy_codec_slot *slots =
            hy_realloc_n(codec->gpa, hy_codec_slot, codec->slots, codec->slot_capacity, capacity);
        if (!slots) return false;
        memset(slots + codec->slot_capacity, 0, (capacity - codec->slot_capacity) * sizeof *slots);
        codec->slots = slots;
        codec->slot_capacity = capacity;
    }
    if (slot >= codec->vacant_capacity) {
        uint32_t *vacant =
            hy_realloc_n(codec->gpa, uint32_t, codec->vacant, codec->vacant_capacity, capacity);
        if (!vacant) return false;
        codec->vacant = vacant;
        codec->vacant_capacity = capacity;
    }
    return true;
}

/* Which fields an operation stores, by kind. */
static bool names_block(uint8_t kind) {
    return kind == HY_OP_FREE || kind == HY_OP_REALLOC || kind == HY_OP_RESIZE || kind == HY_OP_REMAP;
}

static bool has_size(uint8_t kind) {
    return kind == HY_OP_ALLOC || kind == HY_OP_REALLOC || kind == HY_OP_RESIZE || kind == HY_OP_REMAP ||
           kind == HY_OP_RESET;
}

/* Updates `slot` to its block after the operation. */
static void touch(hy_trace_codec *codec, uint32_t slot, hy_op op) {
    codec->slots[slot] = (hy_codec_slot){
        .size = op.size, .born = codec->touch_count++, .align_log2 = op.align_log2, .live = true};
}

bool hy_trace_can_encode(hy_op op) {
    return op.kind < HY_OP_SPECIAL && !(op.flags & HY_OP_OF_ROOM);
}

bool hy_trace_encode_op(hy_trace_codec *codec, hy_op op, hy_buffer columns[HY_TRACE_COLUMNS]) {
    if (!reserve_slots(codec, op.slot)) return false;
    bool other_thread = op.thread != codec->thread;
    bool other_align = op.kind == HY_OP_ALLOC && op.align_log2 != hy_malloc_align_log2(op.size);
    unsigned tag = op.kind | ((unsigned)op.flags << TAG_FLAGS_SHIFT);
    if (other_thread) tag |= TAG_THREAD;
    if (other_align) tag |= TAG_ALIGN;
    hy_buffer_byte(&columns[HY_TRACE_COLUMN_TAGS], (uint8_t)tag);
    if (other_thread) hy_buffer_varint(&columns[HY_TRACE_COLUMN_OTHERS], op.thread);
    if (other_align) hy_buffer_byte(&columns[HY_TRACE_COLUMN_OTHERS], op.align_log2);
    codec->thread = op.thread;

    if (has_size(op.kind)) hy_buffer_varint(&columns[HY_TRACE_COLUMN_SIZES], op.size);
    if (names_block(op.kind)) {
        hy_buffer_varint(&columns[HY_TRACE_COLUMN_AGES], codec->touch_count - 1 - codec->slots[op.slot].born);
    }
    if (op.kind == HY_OP_FREE)
        codec->slots[op.slot].live = false;
    else if (op.kind != HY_OP_RESET && has_size(op.kind) && !(op.flags & HY_OP_REFUSED))
        touch(codec, op.slot, op);
    for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
        if (columns[i].failed) return false;
    }
    return true;
}

/* The slot that the next allocation will take. */
static uint32_t next_slot(const hy_trace_codec *codec) {
    return codec->vacant_count > 0 ? codec->vacant[codec->vacant_count - 1] : codec->slot_count;
}

static bool append_touch(hy_trace_codec *codec, uint32_t slot) {
    if (codec->touch_count == codec->touch_capacity) {
        size_t capacity = codec->touch_capacity ? codec->touch_capacity * 2 : 1024;
        uint32_t *touched =
            hy_realloc_n(codec->gpa, uint32_t, codec->touched, codec->touch_capacity, capacity);
        if (!touched) return false;
        codec->touched = touched;
        codec->touch_capacity = capacity;
    }
    codec->touched[codec->touch_count] = slot;
    return true;
}

static hy_decode_result decode_alloc(hy_trace_codec *codec, hy_op *op) {
    uint32_t slot = next_slot(codec);
    op->slot = slot;
    if (op->flags & HY_OP_REFUSED) return HY_DECODED;
    if (slot == UINT32_MAX) return HY_DECODE_CORRUPT;
    if (!reserve_slots(codec, slot) || !append_touch(codec, slot)) return HY_DECODE_NO_MEMORY;
    if (codec->vacant_count > 0)
        codec->vacant_count--;
    else
        codec->slot_count++;
    touch(codec, slot, *op);
    return HY_DECODED;
}

static hy_decode_result decode_named(hy_trace_codec *codec, uint64_t age, hy_op *op) {
    if (age >= codec->touch_count) return HY_DECODE_CORRUPT;
    uint64_t born = codec->touch_count - 1 - age;
    uint32_t slot = codec->touched[born];
    hy_codec_slot *at = &codec->slots[slot];
    if (!at->live || at->born != born) return HY_DECODE_CORRUPT;
    op->slot = slot;
    op->align_log2 = at->align_log2;
    if (op->kind == HY_OP_FREE) {
        op->size = at->size;
        at->live = false;
        codec->vacant[codec->vacant_count++] = slot;
        return HY_DECODED;
    }
    if (op->flags & HY_OP_REFUSED) return HY_DECODED;
    if (!append_touch(codec, slot)) return HY_DECODE_NO_MEMORY;
    touch(codec, slot, *op);
    return HY_DECODED;
}

static void empty_all(hy_trace_codec *codec) {
    for (uint32_t i = 0; i < codec->slot_count; i++)
        codec->slots[i].live = false;
    codec->slot_count = 0;
    codec->vacant_count = 0;
}

hy_decode_result hy_trace_decode_op(hy_trace_codec *codec, hy_cursor columns[HY_TRACE_COLUMNS], hy_op *op) {
    uint8_t tag = hy_cursor_byte(&columns[HY_TRACE_COLUMN_TAGS]);
    *op = (hy_op){.kind = tag & 7, .flags = (tag >> TAG_FLAGS_SHIFT) & 7};
    if (tag & TAG_THREAD) {
        uint64_t thread = hy_cursor_varint(&columns[HY_TRACE_COLUMN_OTHERS]);
        if (thread > UINT16_MAX) return HY_DECODE_CORRUPT;
        codec->thread = (uint16_t)thread;
    }
    if (tag & TAG_ALIGN) {
        op->align_log2 = hy_cursor_byte(&columns[HY_TRACE_COLUMN_OTHERS]);
        if (op->kind != HY_OP_ALLOC || op->align_log2 > HY_ALIGN_LOG2_MAX) return HY_DECODE_CORRUPT;
    }
    op->thread = codec->thread;
    if (has_size(op->kind)) op->size = hy_cursor_varint(&columns[HY_TRACE_COLUMN_SIZES]);
    if (op->kind == HY_OP_ALLOC && !(tag & TAG_ALIGN)) op->align_log2 = hy_malloc_align_log2(op->size);
    uint64_t age = names_block(op->kind) ? hy_cursor_varint(&columns[HY_TRACE_COLUMN_AGES]) : 0;
    for (int i = 0; i < HY_TRACE_COLUMNS; i++) {
        if (columns[i].failed) return HY_DECODE_CORRUPT;
    }
    switch ((hy_op_kind)op->kind) {
    case HY_OP_ALLOC:
        return decode_alloc(codec, op);
    case HY_OP_FREE:
    case HY_OP_REALLOC:
    case HY_OP_RESIZE:
    case HY_OP_REMAP:
        return decode_named(codec, age, op);
    case HY_OP_RESET:
        empty_all(codec);
        break;
    case HY_OP_CHECK:
    case HY_OP_THREAD_END:
    case HY_OP_SPECIAL: /* impossible, as the next: kind was read from three bits */
    case HY_OP_KIND_COUNT:
        break;
    }
    return HY_DECODED;
}
