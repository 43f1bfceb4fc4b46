/* trace_codec.h: operations as four columns of bytes, the contents of a trace file's chunk.
 *
 * An operation is one byte in the column of tags, and further bytes only where the tag is not enough:
 *
 *   tags     bits 0-2 kind, 3-5 flags, 6 thread differs from the last, 7 alignment is not malloc's
 *   sizes    varint, for allocations, size changes and resets
 *   ages     varint, for operations on a live block: how many blocks were made or resized since it was
 *   others   varint of the thread where bit 6 is set; byte of log2 of the alignment where bit 7 is set
 *
 * A free names its block by age because programs free young blocks: most ages are a few bits, and
 * repeat. The size and alignment of a free are those of its block, so they aren't stored. An allocation
 * stores no slot: it takes the slot freed last, or a new one. Slots are thereby renumbered on the first
 * writing; a history that was read keeps its numbers when it is written again.
 *
 * Columns rather than records, because zstd packs bytes of one kind better. The state is carried over from
 * chunk to chunk. Cost: O(1) per operation; memory: 4 bytes per allocation and 24 per slot.
 */
#ifndef HEAPYARD_TRACE_CODEC_H
#define HEAPYARD_TRACE_CODEC_H

#include "allocators/history/buffer.h"
#include "allocators/history/history.h"

enum {
    HY_TRACE_COLUMN_TAGS,
    HY_TRACE_COLUMN_SIZES,
    HY_TRACE_COLUMN_AGES,
    HY_TRACE_COLUMN_OTHERS,
    HY_TRACE_COLUMNS
};

/* The state of a slot, the same in writer and reader. */
typedef struct hy_codec_slot {
    uint64_t size;
    uint64_t born; /* number of the touch (allocation or size change) that was its last */
    uint8_t align_log2;
    bool live;
} hy_codec_slot;

/* The state of one direction over one file. */
typedef struct hy_trace_codec {
    hy_codec_slot *slots;
    uint32_t slot_capacity;
    uint32_t slot_count;
    uint32_t *touched; /* reader: the slot of each touch */
    size_t touch_capacity;
    uint64_t touch_count;
    uint32_t *vacant; /* reader: freed slots, the last one on top */
    uint32_t vacant_count;
    uint32_t vacant_capacity;
    uint16_t thread;
    hy_allocator gpa;
} hy_trace_codec;

void hy_trace_codec_init(hy_trace_codec *codec, hy_allocator gpa);
void hy_trace_codec_deinit(hy_trace_codec *codec);

/* Whether an operation has an encoding: SPECIAL has none, and no size that follows from an instance. */
bool hy_trace_can_encode(hy_op op);

/* Appends `op`, which has an encoding, to the columns. The history must be legal (hy_history_check). False:
 * out of memory. */
bool hy_trace_encode_op(hy_trace_codec *codec, hy_op op, hy_buffer columns[HY_TRACE_COLUMNS]);

typedef enum hy_decode_result { HY_DECODED, HY_DECODE_CORRUPT, HY_DECODE_NO_MEMORY } hy_decode_result;

/* Decodes one operation from the columns. Safe for any bytes: those that encode no legal operation give
 * HY_DECODE_CORRUPT. */
hy_decode_result hy_trace_decode_op(hy_trace_codec *codec, hy_cursor columns[HY_TRACE_COLUMNS], hy_op *op);

#endif
