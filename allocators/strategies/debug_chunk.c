/* debug_chunk.c: where slots come from, and when their memory goes back.
 *
 * A bucket's first chunk has 4 KiB of slots and each further one twice as many, up to 128 KiB, so that a
 * small instance stays small and a large one asks its child seldom. Where the child refuses a chunk, half of
 * it is asked for, down to one slot.
 */
#include "allocators/strategies/debug_chunk.h"
#include "allocators/core/os.h"
#include "allocators/strategies/debug_guard.h"
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_lock.h"

#define SLOT_ALIGN HY_ALIGN_16
#define CHILD_ALIGN HY_ALIGN_8
#define FIRST_CHUNK_BYTES ((size_t)4096)

_Static_assert(
    (uint64_t)HY_DEBUG_SMALL_MAX *HY_DEBUG_CHUNK_MAX <= (uint64_t)1 << 32, "slots are found by an inverse");

static void *child_alloc(hy_debug *debug, size_t size, hy_align align) {
    hy_debug_add_64(&debug->counts.child_calls, 1);
    return debug->child.vtable->alloc(debug->child.self, size, align);
}

static void child_free(hy_debug *debug, void *ptr, size_t size, hy_align align) {
    hy_debug_add_64(&debug->counts.child_calls, 1);
    debug->child.vtable->free(debug->child.self, ptr, size, align);
}

static bool body_alloc(hy_debug *debug, hy_debug_chunk *chunk, size_t bytes, hy_align align) {
    size_t slack = hy_align_bytes(align) - hy_align_bytes(CHILD_ALIGN);
    chunk->body_bytes = bytes + slack;
    chunk->body_align = CHILD_ALIGN;
    chunk->body = child_alloc(debug, chunk->body_bytes, chunk->body_align);
    if (!chunk->body) return false;
    chunk->base =
        (char *)chunk->body + (hy_align_forward((uintptr_t)chunk->body, align) - (uintptr_t)chunk->body);
    chunk->end = chunk->base + bytes;
    hy_debug_add(&debug->counts.child_bytes, chunk->body_bytes);
    return true;
}

static size_t ledger_bytes(const hy_debug *debug, size_t count) {
    return sizeof(hy_debug_chunk) + count * debug->record_bytes;
}

void hy_debug_ledger_free(hy_debug *debug, hy_debug_chunk *chunk) {
    size_t bytes = ledger_bytes(debug, chunk->count);
    hy_debug_add(&debug->counts.overhead_bytes, 0 - bytes);
    child_free(debug, chunk, bytes, CHILD_ALIGN);
}

static void body_free(hy_debug *debug, hy_debug_chunk *chunk) {
    HY_ASSERT(chunk->body != NULL, "a chunk's memory is given back twice");
    HY_ASSERT(debug->counts.child_bytes >= chunk->body_bytes, "more goes back to the child than was taken");
    if (chunk->untouched) (void)hy_os_protect(chunk->base, (size_t)(chunk->end - chunk->base), true);
    chunk->untouched = false;
    hy_debug_open(chunk->base, chunk->end);
    hy_debug_add(&debug->counts.child_bytes, 0 - chunk->body_bytes);
    child_free(debug, chunk->body, chunk->body_bytes, chunk->body_align);
    chunk->body = NULL;
}

static void link_chunk(hy_debug_bucket *bucket, hy_debug_chunk *chunk) {
    chunk->previous = NULL;
    chunk->next = bucket->chunks;
    if (chunk->next) chunk->next->previous = chunk;
    bucket->chunks = chunk;
}

/* NULL: refused, nothing kept. */
static hy_debug_chunk *make_chunk(
    hy_debug *debug, unsigned bucket, size_t stride, size_t count, hy_align align) {
    hy_debug_chunk *chunk = child_alloc(debug, ledger_bytes(debug, count), CHILD_ALIGN);
    if (!chunk) return NULL;
    *chunk = (hy_debug_chunk){.stride = stride, .count = count, .bucket = bucket};
    hy_debug_add(&debug->counts.overhead_bytes, ledger_bytes(debug, count));
    if (count > 1) chunk->inverse = (((uint64_t)1 << 32) + stride - 1) / stride;
    if (!body_alloc(debug, chunk, stride * count, align)) {
        hy_debug_ledger_free(debug, chunk);
        return NULL;
    }
    if (!hy_debug_index_reserve(debug, stride * count)) {
        body_free(debug, chunk);
        hy_debug_ledger_free(debug, chunk);
        return NULL;
    }
    chunk->seal = hy_debug_chunk_seal(debug, chunk);
    hy_debug_index_insert(debug, chunk);
    link_chunk(&debug->buckets[bucket], chunk);
    hy_debug_close(debug, chunk->base, chunk->end);
    HY_ASSERT(hy_debug_index_find(&debug->index, chunk->end - 1) == chunk, "the index lacks a new chunk");
    HY_ASSERT_WALK(hy_debug_chunks_hold(debug));
    return chunk;
}

static size_t first_count(size_t stride) {
    return stride < FIRST_CHUNK_BYTES ? FIRST_CHUNK_BYTES / stride : 1;
}

/* Each chunk has twice the slots of the one before; where none is left, they begin anew. */
static bool add_chunk(hy_debug *debug, hy_debug_bucket *bucket) {
    unsigned number = (unsigned)(bucket - debug->buckets);
    if (!bucket->chunks) bucket->next_count = first_count(bucket->stride);
    for (size_t count = bucket->next_count; count > 0; count /= 2) {
        bucket->current = make_chunk(debug, number, bucket->stride, count, SLOT_ALIGN);
        if (!bucket->current) continue;
        if (count * 2 * bucket->stride <= HY_DEBUG_CHUNK_MAX - hy_align_bytes(SLOT_ALIGN))
            bucket->next_count = count * 2;
        return true;
    }
    return false;
}

static hy_debug_record *next_slot(hy_debug *debug, hy_debug_chunk *chunk) {
    HY_ASSERT(chunk->fresh < chunk->count, "a chunk whose slots were all used is to give another");
    hy_debug_record *record = hy_debug_record_at(debug, chunk, chunk->fresh);
    record->chunk = chunk;
    record->slot = chunk->base + chunk->fresh * chunk->stride;
    chunk->fresh++;
    return record;
}

hy_debug_record *hy_debug_take_fresh(hy_debug *debug, hy_debug_bucket *bucket) {
    if (!bucket->current || bucket->current->fresh == bucket->current->count) {
        bucket->current = NULL;
        if (!add_chunk(debug, bucket)) return NULL;
    }
    return next_slot(debug, bucket->current);
}

hy_debug_record *hy_debug_take_large(hy_debug *debug, size_t need) {
    hy_align align = debug->config.fault_on_use ? hy_align_from_bytes(hy_page_size()) : SLOT_ALIGN;
    size_t stride;
    if (!hy_align_forward_checked(need, align, &stride) || stride > PTRDIFF_MAX / 2) return NULL;
    hy_debug_chunk *chunk = make_chunk(debug, HY_DEBUG_LARGE, stride, 1, align);
    return chunk ? next_slot(debug, chunk) : NULL;
}

hy_debug_chunk *hy_debug_chunk_holding(
    const hy_debug *debug, const hy_debug_bucket *bucket, const hy_debug_record *record) {
    uintptr_t address = (uintptr_t)record;
    hy_debug_chunk *chunk = bucket->chunks;
    while (address - (uintptr_t)chunk->records >= chunk->count * debug->record_bytes)
        chunk = chunk->next;
    return chunk;
}

void hy_debug_queue(hy_debug *debug, hy_debug_record *record) {
    hy_debug_bucket *bucket = &debug->buckets[record->chunk->bucket];
    HY_ASSERT(record->state == HY_DEBUG_FREED, "a block that is not free is queued");
    HY_ASSERT((bucket->waiting == 0) == (bucket->newest == NULL), "a queue's count differs from its links");
    record->next = NULL;
    record->previous = bucket->newest;
    if (bucket->newest)
        bucket->newest->next = record;
    else
        bucket->oldest = record;
    bucket->newest = record;
    bucket->waiting++;
}

void hy_debug_unqueue(hy_debug *debug, hy_debug_record *record) {
    hy_debug_bucket *bucket = &debug->buckets[record->chunk->bucket];
    HY_ASSERT(record->state == HY_DEBUG_FREED, "a block that is not free is taken from a queue");
    HY_ASSERT(bucket->waiting != 0, "a block is taken from an empty queue");
    if (record->previous)
        record->previous->next = record->next;
    else
        bucket->oldest = record->next;
    if (record->next)
        record->next->previous = record->previous;
    else
        bucket->newest = record->previous;
    bucket->waiting--;
    HY_ASSERT((bucket->waiting == 0) == (bucket->oldest == NULL), "a queue's count differs from its links");
}

void hy_debug_chunk_emptied(hy_debug *debug, hy_debug_chunk *chunk) {
    HY_ASSERT(!chunk->empty, "a chunk becomes empty twice");
    HY_ASSERT(chunk->live == 0, "a chunk with live blocks becomes empty");
    chunk->empty = true;
    chunk->next_empty = NULL;
    chunk->previous_empty = debug->newest_empty;
    if (debug->newest_empty)
        debug->newest_empty->next_empty = chunk;
    else
        debug->oldest_empty = chunk;
    debug->newest_empty = chunk;
    debug->empty_bytes += chunk->body_bytes;
}

void hy_debug_chunk_used(hy_debug *debug, hy_debug_chunk *chunk) {
    HY_ASSERT(chunk->empty, "a chunk that is not empty leaves the queue of empty ones");
    HY_ASSERT(debug->empty_bytes >= chunk->body_bytes, "the empty chunks' sum is less than one of them");
    chunk->empty = false;
    if (chunk->previous_empty)
        chunk->previous_empty->next_empty = chunk->next_empty;
    else
        debug->oldest_empty = chunk->next_empty;
    if (chunk->next_empty)
        chunk->next_empty->previous_empty = chunk->previous_empty;
    else
        debug->newest_empty = chunk->previous_empty;
    debug->empty_bytes -= chunk->body_bytes;
}

void hy_debug_chunk_detach(hy_debug *debug, hy_debug_chunk *chunk) {
    hy_debug_bucket *bucket = &debug->buckets[chunk->bucket];
    HY_ASSERT(chunk->live == 0, "a chunk with live blocks is to go back");
    HY_ASSERT(debug->pins == 0, "a chunk is to go back while somebody walks over the chunks");
    for (size_t i = 0; i < chunk->fresh && chunk->bucket != HY_DEBUG_LARGE; i++) {
        hy_debug_record *record = hy_debug_record_at(debug, chunk, i);
        if (record->state == HY_DEBUG_FREED) hy_debug_unqueue(debug, record);
    }
    if (chunk->empty) hy_debug_chunk_used(debug, chunk);
    if (bucket->current == chunk) bucket->current = NULL;
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        bucket->chunks = chunk->next;
    if (chunk->next) chunk->next->previous = chunk->previous;
    hy_debug_index_remove(debug, chunk);
    HY_ASSERT(
        hy_debug_index_find(&debug->index, chunk->base) == NULL, "the index keeps a chunk that goes back");
}

void hy_debug_chunk_free(hy_debug *debug, hy_debug_chunk *chunk, bool retain) {
    body_free(debug, chunk);
    if (retain) {
        chunk->next = debug->retained;
        debug->retained = chunk;
    } else {
        hy_debug_ledger_free(debug, chunk);
    }
}

bool hy_debug_chunk_resize(hy_debug *debug, hy_debug_chunk *chunk, size_t need) {
    HY_ASSERT(chunk->count == 1, "a chunk of several slots is to be resized");
    size_t stride, slack = (size_t)(chunk->base - chunk->body), bytes;
    if (!hy_align_forward_checked(need, SLOT_ALIGN, &stride) || stride > PTRDIFF_MAX / 2) return false;
    bytes = stride + hy_align_bytes(SLOT_ALIGN) - hy_align_bytes(CHILD_ALIGN);
    if (slack + stride > bytes || !hy_debug_index_reserve(debug, stride)) return false;
    hy_debug_add_64(&debug->counts.child_calls, 1);
    if (!debug->child.vtable->resize(debug->child.self, chunk->body, chunk->body_bytes, bytes, CHILD_ALIGN)) {
        return false;
    }
    hy_debug_index_remove(debug, chunk);
    hy_debug_add(&debug->counts.child_bytes, bytes - chunk->body_bytes);
    chunk->body_bytes = bytes;
    chunk->stride = stride;
    chunk->end = chunk->base + stride;
    hy_debug_index_insert(debug, chunk);
    HY_ASSERT(chunk->end <= chunk->body + chunk->body_bytes, "a chunk ends behind its memory");
    HY_ASSERT_WALK(hy_debug_chunks_hold(debug));
    return true;
}

#if HY_WALKS
static bool index_finds(const hy_debug *debug, const hy_debug_chunk *chunk) {
    return hy_debug_index_find(&debug->index, chunk->base) == chunk &&
           hy_debug_index_find(&debug->index, chunk->end - 1) == chunk;
}

/* The bytes of a list's chunks, of its empty ones and of all, and its live blocks; false: its links or a
 * chunk's head do not hold. */
static bool sum_list(
    const hy_debug *debug, unsigned bucket, size_t *live, size_t *empty_bytes, size_t *child_bytes) {
    const hy_debug_chunk *previous = NULL;
    for (const hy_debug_chunk *chunk = debug->buckets[bucket].chunks; chunk; chunk = chunk->next) {
        if (chunk->seal != hy_debug_chunk_seal(debug, chunk) || chunk->previous != previous) return false;
        if (chunk->bucket != bucket || chunk->fresh > chunk->count || chunk->live > chunk->fresh)
            return false;
        if ((chunk->empty && chunk->live != 0) || !index_finds(debug, chunk)) return false;
        *live += chunk->live;
        *child_bytes += chunk->body_bytes;
        if (chunk->empty) *empty_bytes += chunk->body_bytes;
        previous = chunk;
    }
    return true;
}

bool hy_debug_chunks_hold(const hy_debug *debug) {
    size_t live = 0, empty_bytes = 0, child_bytes = 0;
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        if (!sum_list(debug, i, &live, &empty_bytes, &child_bytes)) return false;
    }
    return live >= debug->counts.live_blocks && empty_bytes == debug->empty_bytes &&
           child_bytes == debug->counts.child_bytes;
}
#endif

static bool record_holds(const hy_debug *debug, hy_debug_chunk *chunk, size_t slot) {
    const hy_debug_record *record = hy_debug_record_at(debug, chunk, slot);
    return record->chunk == chunk && record->slot == chunk->base + slot * chunk->stride &&
           record->seal == hy_debug_seal(debug, record);
}

bool hy_debug_chunk_check(const hy_debug *debug, hy_debug_chunk *chunk) {
    if (chunk->seal != hy_debug_chunk_seal(debug, chunk) || chunk->fresh > chunk->count) return false;
    size_t live = 0;
    for (size_t i = 0; i < chunk->fresh; i++) {
        if (!record_holds(debug, chunk, i)) return false;
        uint8_t state = hy_debug_record_at(debug, chunk, i)->state;
        live += state == HY_DEBUG_LIVE || state == HY_DEBUG_LOST;
    }
    return live == chunk->live && chunk->empty == (live == 0);
}
