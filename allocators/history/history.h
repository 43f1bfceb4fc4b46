/* history.h: a sequence of allocator calls as data.
 *
 * Recorder, trace files, replay, fuzzing and reproducers share this one form: an array of
 * operations of 16 bytes over numbered slots. A slot holds one block at a time: an allocation fills it, a
 * free empties it, and its number is reused, so that a replay's table is no larger than the greatest
 * number of blocks live at once. There are two codecs: the fuzzers' bytes (bytes.h: total, any input
 * decodes) and the trace file (trace_file.h: checked, rejects anything that is not a valid trace).
 */
#ifndef HEAPYARD_HISTORY_H
#define HEAPYARD_HISTORY_H

#include <heapyard/allocator.h>

typedef enum hy_op_kind {
    HY_OP_ALLOC,      /* slot becomes a block of size at align */
    HY_OP_FREE,       /* slot's block is freed; size and align are the block's own */
    HY_OP_REALLOC,    /* slot's block changes to `size`, may move; unchanged where refused */
    HY_OP_RESIZE,     /* slot's block changes to `size` in place; unchanged where refused */
    HY_OP_REMAP,      /* slot's block changes to `size`, may move; unchanged where refused */
    HY_OP_RESET,      /* bulk reset: size is the mode (low 2 bits) and the limit (the rest) */
    HY_OP_CHECK,      /* check of the allocator's whole structure */
    HY_OP_THREAD_END, /* the thread has ended; slot and size are 0 */
    HY_OP_SPECIAL, /* an operation of the row's own: slot is its number, or HY_OP_TWIN, size its argument */
    HY_OP_KIND_COUNT
} hy_op_kind;

/* Flags of an operation. */
#define HY_OP_ZEROED 0x1u  /* ALLOC: calloc; the replay zeroes */
#define HY_OP_REFUSED 0x2u /* refused when recorded: the slot is unchanged, replays skip the operation */
#define HY_OP_SIZED 0x4u   /* FREE: the program passed the size itself */
#define HY_OP_OF_ROOM 0x8u /* size is a signed distance from what the instance's stats say is left */

/* SPECIAL: another instance of the row is made, has blocks of up to `size` bytes, and is destroyed. */
#define HY_OP_TWIN UINT32_MAX

typedef struct hy_op {
    uint8_t kind : 4;   /* hy_op_kind */
    uint8_t flags : 4;  /* HY_OP_… */
    uint8_t align_log2; /* of the block */
    uint16_t thread;    /* 0 is the first thread */
    uint32_t slot;
    uint64_t size; /* bytes: the new size; for FREE the block's size */
} hy_op;

_Static_assert(sizeof(hy_op) == 16, "an operation is 16 bytes: replay streams millions of them");

typedef struct hy_history {
    hy_op *ops;
    size_t count;
    size_t capacity;
    uint32_t slot_count;    /* slots used are 0 … slot_count - 1 */
    uint32_t thread_count;  /* threads used are 0 … thread_count - 1 */
    hy_allocator allocator; /* owns ops */
} hy_history;

/* An empty history whose memory comes from `gpa` (must free). No memory is taken yet. */
void hy_history_init(hy_history *history, hy_allocator gpa);
void hy_history_deinit(hy_history *history);

/* Appends one operation and updates slot_count and thread_count. False: out of memory, unchanged.
 * Amortised O(1). */
bool hy_history_append(hy_history *history, hy_op op);

/* Reserves capacity for `count` operations in total. False: out of memory, unchanged. */
bool hy_history_reserve(hy_history *history, size_t count);

/* Whether every operation is legal at its position: frees and size changes name a live slot with the
 * block's own size and alignment, allocations name an empty slot. SPECIAL is legal anywhere. Writes the index
 * of the first illegal operation to *bad; also false, with *bad 0, where the check itself had no memory.
 * O(count). */
bool hy_history_check(const hy_history *history, size_t *bad);

#endif
