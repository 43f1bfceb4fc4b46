/* history.h: a sequence of allocator calls as data.
 *
 * Recorder, trace files, replay, fuzzing and reproducers share this one form: an array of
 * operations of 16 bytes over numbered slots. A slot is a place that holds one block at a time; it is
 * written by an allocation and emptied by a free, and its number is used again, so that a replay's
 * table stays as small as the greatest number of blocks live at once. Two codecs stand beside it:
 * the fuzzers' bytes (bytes.h: total, any input is a history) and the trace file (trace_file.h:
 * checked, refuses what it isn't).
 */
#ifndef HEAPYARD_HISTORY_H
#define HEAPYARD_HISTORY_H

#include <heapyard/allocator.h>

typedef enum hy_op_kind {
    HY_OP_ALLOC,      /* slot becomes a block of size at align */
    HY_OP_FREE,       /* slot's block ends; size and align are those it lives with */
    HY_OP_REALLOC,    /* slot's block takes `size`; may move; on refusal it stays as it was */
    HY_OP_RESIZE,     /* slot's block takes `size` in place, or stays */
    HY_OP_REMAP,      /* slot's block takes `size`, may move, or stays */
    HY_OP_RESET,      /* bulk reset: size is the mode (low 2 bits) and the limit (the rest) */
    HY_OP_CHECK,      /* whole-structure check */
    HY_OP_THREAD_END, /* the thread has ended; slot and size are 0 */
    HY_OP_KIND_COUNT
} hy_op_kind;

/* What else is known of an operation. */
#define HY_OP_ZEROED 0x1u  /* ALLOC: calloc; the replay zeroes */
#define HY_OP_REFUSED 0x2u /* it was refused when recorded: the slot stays as it was, replays skip it */
#define HY_OP_SIZED 0x4u   /* FREE: the program gave the size itself */

typedef struct hy_op {
    uint8_t kind : 4;   /* hy_op_kind */
    uint8_t flags : 4;  /* HY_OP_… */
    uint8_t align_log2; /* of the block */
    uint16_t thread;    /* 0 is the first thread */
    uint32_t slot;
    uint64_t size; /* bytes: the new size; for FREE the size that the block lives with */
} hy_op;

_Static_assert(sizeof(hy_op) == 16, "an operation is 16 bytes: replay streams millions of them");

typedef struct hy_history {
    hy_op *ops;
    size_t count;
    size_t capacity;
    uint32_t slot_count;    /* slots used are 0 … slot_count - 1 */
    uint32_t thread_count;  /* threads used are 0 … thread_count - 1 */
    hy_allocator allocator; /* what ops come from */
} hy_history;

/* An empty history whose memory comes from `gpa` (must free). No memory is taken yet. */
void hy_history_init(hy_history *history, hy_allocator gpa);
void hy_history_deinit(hy_history *history);

/* Adds one operation and keeps slot_count and thread_count. False: out of memory, unchanged.
 * Amortised O(1). */
bool hy_history_append(hy_history *history, hy_op op);

/* Makes room for `count` operations in all. False: out of memory, unchanged. */
bool hy_history_reserve(hy_history *history, size_t count);

/* Whether every operation is legal where it stands: frees and size changes name a live slot with the
 * size and alignment it lives with, allocations an empty one. Writes the index of the first that isn't
 * to *bad; false with *bad 0 also where the check itself had no memory. O(count). */
bool hy_history_check(const hy_history *history, size_t *bad);

#endif
