/* debug_chunk.h: slots of one size in a piece of the child's memory, and the records of what they hold.
 *
 *   ledger (from the child)  [chunk|record 0|record 1|record 2| … ]      56 bytes and the frames each
 *   body   (from the child)  [ slot 0      | slot 1      | slot 2      | … ]      one stride each
 *   a slot                   [guard >= 16|block as asked|guard >= 16, to the slot's end]
 *
 * Records lie apart from blocks, where a write past a block does not reach them. A slot that was freed waits
 * in its bucket's queue, oldest first, until it serves again. A chunk without a live block waits in the
 * instance's queue of empty chunks, oldest first, until there are too many bytes of them.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_CHUNK_H
#define HEAPYARD_STRATEGIES_DEBUG_CHUNK_H

#include <heapyard/debug.h>

/* The least that lies before and behind a block. */
#define HY_DEBUG_GUARD ((size_t)16)
/* The greatest slot that shares a chunk, and the greatest chunk of such slots. */
#define HY_DEBUG_SMALL_MAX ((size_t)32 << 10)
#define HY_DEBUG_CHUNK_MAX ((size_t)128 << 10)
/* The bucket of the chunks that hold one slot, of any size. */
#define HY_DEBUG_LARGE (HY_DEBUG_CLASSES_OF_SIZE - 1)

typedef enum hy_debug_state {
    HY_DEBUG_LIVE = 0x11,
    HY_DEBUG_FREED = 0x22,   /* waits in its bucket's queue; a large one only in its chunk */
    HY_DEBUG_RETIRED = 0x33, /* freed, and damaged since: never serves again */
    HY_DEBUG_LOST = 0x44     /* its record was damaged; it may still be in use, and keeps its chunk */
} hy_debug_state;

typedef struct hy_debug_record {
    struct hy_debug_record *next, *previous; /* in the queue */
    struct hy_debug_chunk *chunk;
    char *slot;
    size_t size;
    uint32_t seal; /* over what describes the block, mixed with the instance's secret */
    uint32_t alloc_thread, free_thread;
    uint8_t state, align_log2, alloc_frames, free_frames;
    void *frames[]; /* of the allocation, then of the free; config.stack_trace_frames each */
} hy_debug_record;

typedef struct hy_debug_chunk {
    uint64_t seal;
    struct hy_debug_chunk *next, *previous;             /* in the bucket; retained ones by next alone */
    struct hy_debug_chunk *next_empty, *previous_empty; /* oldest first */
    char *body;                                         /* as the child gave it; NULL: given back */
    size_t body_bytes;
    hy_align body_align;
    char *base, *end; /* of the slots */
    size_t stride;
    uint64_t inverse; /* 2^32 / stride, rounded up; 0 for one slot */
    size_t count;
    size_t fresh; /* slots below were used at least once and have a record */
    size_t live;  /* blocks that live, and lost ones */
    unsigned bucket;
    bool empty;     /* waits in the queue of empty chunks */
    bool untouched; /* its pages can't be touched */
    _Alignas(hy_debug_record) char records[];
} hy_debug_chunk;

HY_INLINE uint64_t hy_debug_chunk_seal(const hy_debug *debug, const hy_debug_chunk *chunk) {
    return debug->secret ^ (uintptr_t)chunk ^ ((uint64_t)(uintptr_t)chunk->base << 16);
}

HY_INLINE hy_debug_record *hy_debug_record_at(const hy_debug *debug, hy_debug_chunk *chunk, size_t slot) {
    return (hy_debug_record *)(void *)(chunk->records + slot * debug->record_bytes);
}

/* The slot that an address inside the chunk belongs to. A small chunk's offsets are below 2^17 and its
 * strides at most 2^15, so the product with the rounded inverse has the right upper half. */
HY_INLINE size_t hy_debug_slot_of(const hy_debug_chunk *chunk, const void *ptr) {
    return (size_t)(((uint64_t)((const char *)ptr - chunk->base) * chunk->inverse) >> 32);
}

HY_INLINE char *hy_debug_block(const hy_debug_record *record) {
    size_t mask = ((size_t)1 << record->align_log2) - 1;
    char *first = record->slot + HY_DEBUG_GUARD;
    return first + ((0 - (uintptr_t)first) & mask);
}

HY_INLINE char *hy_debug_slot_end(const hy_debug_record *record) {
    return record->slot + record->chunk->stride;
}

/* A slot that was never used, with its record. NULL: the child refuses. */
hy_debug_record *hy_debug_take_fresh(hy_debug *debug, hy_debug_bucket *bucket);

/* A slot in a chunk of its own, with room for `need` bytes, whole pages with config.fault_on_use. */
hy_debug_record *hy_debug_take_large(hy_debug *debug, size_t need);

/* The chunk that holds a record whose own word on it can't be believed. O(chunks of the bucket). */
hy_debug_chunk *hy_debug_chunk_holding(
    const hy_debug *debug, const hy_debug_bucket *bucket, const hy_debug_record *record);

/* To the end of its bucket's queue, and out of it. */
void hy_debug_queue(hy_debug *debug, hy_debug_record *record);
void hy_debug_unqueue(hy_debug *debug, hy_debug_record *record);

/* Its last live block was freed; its first one since is handed out. */
void hy_debug_chunk_emptied(hy_debug *debug, hy_debug_chunk *chunk);
void hy_debug_chunk_used(hy_debug *debug, hy_debug_chunk *chunk);

/* Takes a chunk out of every list and of the index: it is the caller's alone then. */
void hy_debug_chunk_detach(hy_debug *debug, hy_debug_chunk *chunk);

/* Gives a detached chunk's body back to the child, and its ledger too unless `retain`. */
void hy_debug_chunk_free(hy_debug *debug, hy_debug_chunk *chunk, bool retain);
/* Gives back a retained ledger, or one whose body went back. */
void hy_debug_ledger_free(hy_debug *debug, hy_debug_chunk *chunk);

/* Changes the only slot's size in place to hold `need` bytes. False: the child refuses. */
bool hy_debug_chunk_resize(hy_debug *debug, hy_debug_chunk *chunk, size_t need);

/* Whether the chunks agree with each other, with the index and with the sums. Neither records nor slots are
 * looked at, which the user may have damaged: that is for a report. Only where HY_WALKS. O(chunks). */
bool hy_debug_chunks_hold(const hy_debug *debug);

/* Whether the chunk agrees with itself and with its records. */
bool hy_debug_chunk_check(const hy_debug *debug, hy_debug_chunk *chunk);

#endif
