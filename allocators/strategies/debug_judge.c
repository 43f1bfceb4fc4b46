/* debug_judge.c: finds out what is wrong, and what may be done all the same.
 *
 * The front door at check level 2 writes its fill over what is freed before we see the call. After a double
 * free, or a free with too large a size, the bytes that it wrote are not taken for a second finding: where
 * they are exactly its fill, they are mended and not reported.
 */
#include "allocators/strategies/debug_judge.h"
#include "allocators/strategies/debug_guard.h"
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_instances.h"
#include "allocators/strategies/debug_lock.h"

void hy_debug_chunk_broken(const hy_debug *debug, const void *ptr) {
    fprintf(stderr,
        "heapyard: corrupted metadata: the head of the chunk around %p, in the debug allocator %s\n", ptr,
        debug->config.name ? debug->config.name : "");
    hy_corrupted("hy_debug", "its own memory was written; nothing more can be known of its blocks");
}

static hy_debug_report *add(hy_debug_findings *findings, hy_debug_class class_of_finding,
    const hy_debug_call *call, const hy_debug_record *record) {
    hy_debug_report *report = &findings->list[findings->count++];
    hy_debug_report_begin(report, class_of_finding, call);
    if (record) hy_debug_report_block(report, call->debug, record);
    return report;
}

static bool is_fill(const char *from, const char *to) {
    while (from < to && (uint8_t)*from == HY_FILL_BYTE)
        from++;
    return from == to;
}

/* Takes the front door's fill in [from, to) for what it is. */
static void mend_fill(uint64_t pattern, char *from, char *to) {
    if (from >= to || !is_fill(from, to)) return;
    for (; from < to; from++)
        *from = (char)hy_debug_pattern_byte(pattern, from);
}

static void check_guard(hy_debug_findings *findings, hy_debug_class class_of_finding,
    const hy_debug_call *call, const hy_debug_record *record, char *from, const char *to) {
    uint64_t canary = call->debug->canary;
    if (hy_debug_intact(canary, from, to)) return;
    hy_debug_report_damage(add(findings, class_of_finding, call, record), record, canary, from, to);
    hy_debug_stamp(canary, from, to);
}

static void check_guards(
    hy_debug_findings *findings, const hy_debug_call *call, const hy_debug_record *record) {
    if (!call->debug->config.safety) return;
    char *block = hy_debug_block(record);
    check_guard(findings, HY_DEBUG_UNDERFLOW, call, record, record->slot, block);
    check_guard(findings, HY_DEBUG_OVERFLOW, call, record, block + record->size, hy_debug_slot_end(record));
}

static void retire(hy_debug *debug, hy_debug_record *record) {
    record->state = HY_DEBUG_RETIRED;
    record->seal = hy_debug_seal(debug, record);
}

static bool is_sound(const hy_debug *debug, const hy_debug_record *record) {
    return record->seal == hy_debug_seal(debug, record);
}

/* What lives, and what waits, from the records that can be believed. */
static void recount(hy_debug *debug, hy_debug_chunk *chunk, size_t *blocks, size_t *bytes) {
    chunk->live = 0;
    for (size_t i = 0; i < chunk->fresh; i++) {
        hy_debug_record *record = hy_debug_record_at(debug, chunk, i);
        if (!is_sound(debug, record)) continue;
        if (record->state == HY_DEBUG_LOST) chunk->live++;
        if (record->state == HY_DEBUG_LIVE) {
            chunk->live++;
            *blocks += 1;
            *bytes += record->size;
        } else if (record->state == HY_DEBUG_FREED && chunk->bucket != HY_DEBUG_LARGE) {
            hy_debug_queue(debug, record);
        }
    }
    if (chunk->live == 0 && !chunk->empty) hy_debug_chunk_emptied(debug, chunk);
    if (chunk->live > 0 && chunk->empty) hy_debug_chunk_used(debug, chunk);
}

/* What the record said can't be believed. Its links may be as broken, so the queues and counts are made anew.
 * O(blocks). */
static void lose(hy_debug *debug, hy_debug_chunk *chunk, hy_debug_record *record) {
    size_t blocks = 0, bytes = 0, slot = (size_t)((char *)record - chunk->records) / debug->record_bytes;
    *record = (hy_debug_record){.chunk = chunk, .slot = chunk->base + slot * chunk->stride};
    record->state = HY_DEBUG_LOST;
    record->seal = hy_debug_seal(debug, record);
    for (unsigned i = 0; i < HY_DEBUG_CLASSES_OF_SIZE; i++) {
        hy_debug_bucket *bucket = &debug->buckets[i];
        bucket->oldest = bucket->newest = NULL;
        bucket->waiting = 0;
        for (hy_debug_chunk *other = bucket->chunks; other; other = other->next)
            recount(debug, other, &blocks, &bytes);
    }
    __atomic_store_n(&debug->counts.live_blocks, blocks, __ATOMIC_RELAXED);
    __atomic_store_n(&debug->counts.live_bytes, bytes, __ATOMIC_RELAXED);
}

/* A freed block is freed or resized again. */
static void judge_freed(
    const hy_debug_call *call, hy_debug_record *record, bool concurrent, hy_debug_findings *findings) {
    char *block = hy_debug_block(record);
    hy_debug_class found = call->is_free ? HY_DEBUG_DOUBLE_FREE : HY_DEBUG_USE_AFTER_FREE;
    if (call->ptr != block) found = HY_DEBUG_INVALID_FREE;
    if (concurrent && call->ptr == block) found = HY_DEBUG_CONCURRENT_USE;
    add(findings, found, call, record);
    if (!call->is_free || call->ptr != block || record->chunk->untouched || !call->debug->config.safety)
        return;
    char *end = hy_debug_slot_end(record);
    if (call->size > (size_t)(end - block)) return;
    hy_debug_open(record->slot, end);
    mend_fill(hy_debug_repeat(call->debug->config.freed_byte), block, block + call->size);
    hy_debug_close_freed(call->debug, record->slot, end);
}

bool hy_debug_judge(
    const hy_debug_call *call, hy_debug_record *record, bool concurrent, hy_debug_findings *findings) {
    hy_debug *debug = call->debug;
    if (!is_sound(debug, record)) {
        lose(debug, hy_debug_index_find(&debug->index, call->ptr), record);
        add(findings, HY_DEBUG_CORRUPTED_METADATA, call, NULL);
        return false;
    }
    if (record->state == HY_DEBUG_LOST) {
        add(findings, HY_DEBUG_CORRUPTED_METADATA, call, NULL);
        return false;
    }
    if (record->state != HY_DEBUG_LIVE) {
        judge_freed(call, record, concurrent, findings);
        return false;
    }
    char *block = hy_debug_block(record);
    if (call->ptr != block) {
        add(findings, HY_DEBUG_INVALID_FREE, call, record);
        hy_debug_close_guards(debug, record);
        return false;
    }
    hy_debug_open_guards(record);
    if (concurrent) add(findings, HY_DEBUG_CONCURRENT_USE, call, record);
    if (call->align.log2 != record->align_log2) add(findings, HY_DEBUG_ALIGNMENT_MISMATCH, call, record);
    if (call->size != record->size) {
        add(findings, HY_DEBUG_SIZE_MISMATCH, call, record);
        size_t room = (size_t)(hy_debug_slot_end(record) - block);
        if (call->is_free && debug->config.safety)
            mend_fill(debug->canary, block + record->size, block + (call->size < room ? call->size : room));
    }
    check_guards(findings, call, record);
    return true;
}

/* The record of a block whose memory went back; NULL: none. */
static hy_debug_record *retained_record(const hy_debug *debug, const char *ptr) {
    for (hy_debug_chunk *chunk = debug->retained; chunk; chunk = chunk->next) {
        if (ptr < chunk->base || ptr >= chunk->end) continue;
        size_t slot = hy_debug_slot_of(chunk, ptr);
        if (slot < chunk->fresh) return hy_debug_record_at(debug, chunk, slot);
    }
    return NULL;
}

void hy_debug_judge_unknown(const hy_debug_call *call, bool concurrent) {
    hy_debug *debug = call->debug;
    hy_debug_report report;
    hy_debug_report_begin(&report, HY_DEBUG_FOREIGN_POINTER, call);
    const hy_debug_record *record = retained_record(debug, call->ptr);
    bool is_ours = hy_debug_index_find(&debug->index, call->ptr) != NULL;
    if (is_ours) {
        report.class_of_finding = HY_DEBUG_INVALID_FREE;
    } else if (record) {
        report.class_of_finding = call->is_free ? HY_DEBUG_DOUBLE_FREE : HY_DEBUG_USE_AFTER_FREE;
        hy_debug_report_block(&report, debug, record);
        if (report.block != call->ptr) report.class_of_finding = HY_DEBUG_INVALID_FREE;
    }
    if (concurrent) report.class_of_finding = HY_DEBUG_CONCURRENT_USE;
    hy_debug_leave(debug);
    /* Memory that went back may be another instance's by now: then that is what matters. */
    hy_debug_report other;
    hy_debug_report_begin(&other, HY_DEBUG_WRONG_INSTANCE, call);
    bool is_others = !is_ours && !concurrent && hy_debug_instances_describe(&other);
    hy_debug_deliver(debug, is_others ? &other : &report);
}

void hy_debug_judge_concurrent_caller(const hy_debug_call *call) {
    hy_debug_report report;
    hy_debug_report_begin(&report, HY_DEBUG_CONCURRENT_USE, call);
    hy_debug_deliver_inside(call->debug, &report);
}

static size_t examine_live(const hy_debug_call *call, hy_debug_record *record) {
    hy_debug_findings findings = {.count = 0};
    hy_debug_open_guards(record);
    check_guards(&findings, call, record);
    hy_debug_close_guards(call->debug, record);
    for (size_t i = 0; i < findings.count; i++)
        hy_debug_deliver_inside(call->debug, &findings.list[i]);
    return findings.count;
}

static size_t examine_freed(const hy_debug_call *call, hy_debug_record *record) {
    hy_debug *debug = call->debug;
    if (!debug->config.safety || record->chunk->untouched) return 0;
    char *end = hy_debug_slot_end(record);
    uint64_t poison = hy_debug_repeat(debug->config.freed_byte);
    hy_debug_open(record->slot, end);
    if (hy_debug_poison_holds(debug, record)) {
        hy_debug_close_freed(debug, record->slot, end);
        return 0;
    }
    hy_debug_report report;
    hy_debug_report_begin(&report, HY_DEBUG_WRITE_AFTER_FREE, call);
    hy_debug_report_block(&report, debug, record);
    hy_debug_gap gap = hy_debug_gap_in(debug, record->slot, end);
    bool at_front = !hy_debug_intact(poison, record->slot, gap.from);
    hy_debug_report_damage(
        &report, record, poison, at_front ? record->slot : gap.to, at_front ? gap.from : end);
    hy_debug_fill(debug, debug->config.freed_byte, record->slot, end);
    hy_debug_close_freed(debug, record->slot, end);
    if (record->state == HY_DEBUG_FREED && record->chunk->bucket != HY_DEBUG_LARGE)
        hy_debug_unqueue(debug, record);
    retire(debug, record);
    hy_debug_deliver_inside(debug, &report);
    return 1;
}

size_t hy_debug_examine(const hy_debug_call *call, hy_debug_chunk *chunk, hy_debug_record *record) {
    if (!is_sound(call->debug, record)) {
        hy_debug_report report;
        hy_debug_report_begin(&report, HY_DEBUG_CORRUPTED_METADATA, call);
        lose(call->debug, chunk, record);
        report.address = record->slot + HY_DEBUG_GUARD;
        hy_debug_deliver_inside(call->debug, &report);
        return 1;
    }
    if (record->state == HY_DEBUG_LOST) return 0;
    if (record->state != HY_DEBUG_LIVE) return examine_freed(call, record);
    return examine_live(call, record);
}
