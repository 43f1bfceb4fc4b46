/* debug_walk.c: leaks, scans, the walker, and the end.
 *
 * A hook may use the allocator: nothing is reported from inside. A walker that leaves to report has the
 * chunks pinned, so that none goes away under it; new ones are put before those that it walks.
 */
#include "allocators/strategies/debug_walk.h"
#include "allocators/strategies/debug_guard.h"
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_instances.h"
#include "allocators/strategies/debug_judge.h"
#include "allocators/strategies/debug_lock.h"

typedef size_t visitor(const hy_debug_call *call, hy_debug_chunk *chunk, hy_debug_record *record);

/* The sum of what `visit` returns over all records. Inside. */
static size_t visit_all(const hy_debug_call *call, visitor *visit) {
    hy_debug *debug = call->debug;
    size_t sum = 0;
    debug->pins++;
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        for (hy_debug_chunk *chunk = debug->buckets[i].chunks; chunk; chunk = chunk->next) {
            for (size_t slot = 0; slot < chunk->fresh; slot++)
                sum += visit(call, chunk, hy_debug_record_at(debug, chunk, slot));
        }
    }
    HY_ASSERT(debug->pins != 0, "a walk ends that did not pin the chunks");
    debug->pins--;
    return sum;
}

static size_t release(const hy_debug_call *call, hy_debug_chunk *chunk) {
    hy_debug *debug = call->debug;
    debug->pins++;
    for (size_t i = 0; i < chunk->fresh; i++)
        (void)hy_debug_examine(call, chunk, hy_debug_record_at(debug, chunk, i));
    debug->pins--;
    if (chunk->live > 0) return 0; /* while the hook ran */
    hy_debug_chunk_detach(debug, chunk);
    hy_debug_chunk_free(debug, chunk, debug->config.retain_metadata);
    HY_ASSERT_WALK(hy_debug_chunks_hold(debug));
    return 1;
}

void hy_debug_trim(const hy_debug_call *call, size_t keep) {
    hy_debug *debug = call->debug;
    while (debug->pins == 0 && debug->oldest_empty && debug->empty_bytes > keep)
        (void)release(call, debug->oldest_empty);
}

/* A call of the walker's own, with the caller's stack. */
static hy_debug_call begin(hy_debug *debug, const char *operation, const void *entry, hy_debug_stack *here) {
    hy_debug_capture(debug, entry, here);
    (void)hy_debug_enter(debug, here->thread, NULL);
    return (hy_debug_call){.debug = debug, .operation = operation, .here = here};
}

static void free_retained(hy_debug *debug) {
    while (debug->retained) {
        hy_debug_chunk *chunk = debug->retained;
        debug->retained = chunk->next;
        hy_debug_ledger_free(debug, chunk);
    }
}

HY_NOINLINE void hy_debug_flush_retained(hy_debug *debug) {
    hy_debug_stack here;
    hy_debug_call call = begin(debug, "flush", __builtin_frame_address(0), &here);
    hy_debug_trim(&call, 0);
    if (debug->pins == 0) free_retained(debug);
    hy_debug_leave(debug);
}

HY_NOINLINE size_t hy_debug_scan(hy_debug *debug) {
    hy_debug_stack here;
    hy_debug_call call = begin(debug, "scan", __builtin_frame_address(0), &here);
    size_t found = visit_all(&call, hy_debug_examine);
    hy_debug_leave(debug);
    return found;
}

static bool is_live(const hy_debug *debug, const hy_debug_record *record) {
    return record->state == HY_DEBUG_LIVE && record->seal == hy_debug_seal(debug, record);
}

static size_t report_leak(const hy_debug_call *call, hy_debug_chunk *chunk, hy_debug_record *record) {
    hy_debug *debug = call->debug;
    (void)chunk;
    if (!is_live(debug, record)) return 0;
    hy_debug_report report;
    hy_debug_report_begin(&report, HY_DEBUG_LEAK, call);
    hy_debug_report_block(&report, debug, record);
    report.address = report.block;
    bool is_reported = debug->config.hook || debug->leaks_printed++ < debug->config.leaks_printed;
    if (is_reported)
        hy_debug_deliver_inside(debug, &report);
    else
        __atomic_fetch_add(&debug->counts.found[HY_DEBUG_LEAK], 1, __ATOMIC_RELAXED);
    return 1;
}

static size_t report_leaks(const hy_debug_call *call) {
    hy_debug *debug = call->debug;
    debug->leaks_printed = 0;
    size_t leaks = visit_all(call, report_leak);
    if (!debug->config.hook && leaks > debug->config.leaks_printed) {
        fprintf(stderr, "heapyard: leak: and %zu blocks more, %zu bytes in all\n",
            leaks - debug->config.leaks_printed, debug->counts.live_bytes);
    }
    return leaks;
}

HY_NOINLINE size_t hy_debug_detect_leaks(hy_debug *debug) {
    hy_debug_stack here;
    hy_debug_call call = begin(debug, "detect_leaks", __builtin_frame_address(0), &here);
    size_t leaks = report_leaks(&call);
    hy_debug_leave(debug);
    return leaks;
}

static bool bucket_holds(const hy_debug *debug, const hy_debug_bucket *bucket) {
    size_t waiting = 0;
    const hy_debug_record *before = NULL;
    for (const hy_debug_record *record = bucket->oldest; record; record = record->next, waiting++) {
        if (record->previous != before || record->state != HY_DEBUG_FREED || waiting > bucket->waiting)
            return false;
        if (&debug->buckets[record->chunk->bucket] != bucket) return false;
        before = record;
    }
    return waiting == bucket->waiting && bucket->newest == before;
}

static bool slot_holds(const hy_debug *debug, const hy_debug_record *record) {
    if (!debug->config.safety || record->chunk->untouched || record->state == HY_DEBUG_LOST) return true;
    const char *end = hy_debug_slot_end(record);
    bool holds;
    if (record->state == HY_DEBUG_LIVE) {
        hy_debug_open_guards(record);
        holds = hy_debug_guards_hold(debug, record);
        hy_debug_close_guards(debug, record);
    } else {
        hy_debug_open(record->slot, end);
        holds = hy_debug_poison_holds(debug, record);
        hy_debug_close_freed(debug, record->slot, end);
    }
    return holds;
}

static bool chunk_holds(const hy_debug *debug, hy_debug_chunk *chunk, size_t *blocks, size_t *bytes) {
    if (!hy_debug_chunk_check(debug, chunk)) return false;
    if (hy_debug_index_find(&debug->index, chunk->base) != chunk) return false;
    if (hy_debug_index_find(&debug->index, chunk->end - 1) != chunk) return false;
    for (size_t i = 0; i < chunk->fresh; i++) {
        const hy_debug_record *record = hy_debug_record_at(debug, chunk, i);
        if (!slot_holds(debug, record)) return false;
        if (record->state != HY_DEBUG_LIVE) continue;
        *blocks += 1;
        *bytes += record->size;
    }
    return true;
}

/* Queues are followed through records, so these are looked at first. */
static bool holds(const hy_debug *debug) {
    size_t live_blocks = 0, live_bytes = 0, empty_bytes = 0, child_bytes = 0;
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        for (hy_debug_chunk *chunk = debug->buckets[i].chunks; chunk; chunk = chunk->next) {
            if (chunk->bucket != i || !chunk_holds(debug, chunk, &live_blocks, &live_bytes)) return false;
            child_bytes += chunk->body_bytes;
            if (chunk->empty) empty_bytes += chunk->body_bytes;
        }
    }
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        if (!bucket_holds(debug, &debug->buckets[i])) return false;
    }
    return live_blocks == debug->counts.live_blocks && live_bytes == debug->counts.live_bytes &&
           empty_bytes == debug->empty_bytes && child_bytes == debug->counts.child_bytes &&
           live_bytes <= debug->config.memory_limit;
}

bool hy_debug_check(hy_debug *debug) {
    (void)hy_debug_enter(debug, hy_thread_number(), NULL);
    bool result = holds(debug);
    hy_debug_leave(debug);
    return result;
}

static void free_all(hy_debug *debug) {
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        hy_debug_chunk *chunk = debug->buckets[i].chunks;
        while (chunk) {
            hy_debug_chunk *next = chunk->next;
            hy_debug_chunk_free(debug, chunk, false);
            chunk = next;
        }
    }
    free_retained(debug);
    hy_debug_index_free(debug);
}

static hy_error end(hy_debug *debug, size_t *leaks) {
    size_t live = debug->counts.live_blocks;
    if (leaks) *leaks = live;
    if (debug->alive) {
        hy_debug_instances_remove(debug);
        free_all(debug);
    }
    debug->alive = 0;
    return live ? HY_LEAK : HY_OK;
}

HY_NOINLINE hy_error hy_debug_deinit(hy_debug *debug, size_t *leaks) {
    if (debug->alive) {
        hy_debug_stack here;
        hy_debug_call call = begin(debug, "deinit", __builtin_frame_address(0), &here);
        (void)visit_all(&call, hy_debug_examine);
        (void)report_leaks(&call);
        hy_debug_leave(debug);
    }
    return end(debug, leaks);
}

hy_error hy_debug_deinit_quietly(hy_debug *debug, size_t *leaks) {
    return end(debug, leaks);
}
