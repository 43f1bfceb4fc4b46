/* debug.c: an allocator that reports what was done wrong, where, and where the block came from.
 *
 * For: tests, debug builds, a program that misbehaves; cheap enough to leave on. Not for: production where
 *   memory is scarce: a block of 64 bytes takes 96, and a record of 152 with the default stacks.
 * Algorithm: blocks of about a size share chunks of slots (debug_chunk.h); what describes a block, and the
 *   stacks of its allocation and of its free, stand in a record apart from it, sealed with a secret of the
 *   instance. An address finds its chunk in a hash of granules (debug_index.h), so a foreign one is
 * recognised without being touched.
 *
 *     slot  [guard|block             |guard]   live:  guards are the instance's canary, the block is its
 * user's [poison                        ]   freed: all of it, checked before it serves again
 *
 *   A freed slot goes to the end of its bucket's queue, and serves again only when more than
 *   config.quarantine_blocks wait behind one another. That is the detection's promise: a double free and a
 *   write after free are reported as long as fewer than that many blocks of the size have been freed since,
 * and its chunk was not among the oldest of more than config.retained_bytes of chunks without a live block.
 *   Realloc moves through alloc and free, never by remap, so that the old block is poisoned and watched.
 *
 * Fast paths: alloc: bucket by arithmetic, the oldest slot of the queue, poison looked at, fresh fill,
 * guards, record; free: one look-up, one comparison of the record, guards, poison. All that is wrong goes
 * another way (debug_judge.c), which may take its time. No call of the child, no system call, no atomic
 *   read-modify-write while the process has one thread.
 * Cost: O(size) for fills and looks, of a large block at both ends only (config.fill_bytes); a stack of 6
 * frames by frame pointers, twice a block. Overhead per block: 32 bytes of guards and up to an
 * eighth of rounding; 56 bytes of record + 16 a frame. Thread-safe: by choice, with a lock of its own
 * (debug_lock.h). Source: what is reported follows Zig's DebugAllocator and its successor; the quarantine is
 * AddressSanitizer's idea, a page a block Electric Fence's, records apart from blocks GWP-ASan's. Zig gives a
 * bucket's pages back as soon as it is empty; here empty chunks wait, so that a pair costs no system call.
 *
 * ASan and Valgrind: guards and never used memory are closed to them by default, freed slots are not: at
 * check level 2 the front door writes over what is freed, and a double free would end there, in their report,
 * where this allocator has three stacks to show for it and the program goes on. Late reads and writes of
 * freed memory find our poison then; to have them reported at the line, ask for HY_DEBUG_TOOLS_ALL.
 */
#include <heapyard/debug.h>

#include "allocators/core/os.h"
#include "allocators/core/random.h"
#include "allocators/strategies/debug_guard.h"
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_instances.h"
#include "allocators/strategies/debug_judge.h"
#include "allocators/strategies/debug_lock.h"
#include "allocators/strategies/debug_walk.h"

#define ALIVE 0x6465627567210A01u
#define QUARANTINE_BYTES ((size_t)64 << 10)
#define QUARANTINE_LEAST ((size_t)4)
#define FILL_LEAST ((size_t)64)

/* Buckets: slots of 16, 32 … 256 bytes, then eight sizes for each doubling. */
#define FINE_MAX ((size_t)256)
#define FINE_LOG2 4
#define FINE_COUNT 16
#define STEPS_LOG2 3

_Static_assert(FINE_COUNT + ((15 - 8) << STEPS_LOG2) == HY_DEBUG_LARGE, "each small size has a bucket");
_Static_assert(sizeof(hy_debug_record) == 56 || sizeof(void *) != 8, "the header says what a record costs");

HY_INLINE unsigned bucket_of(size_t need) {
    size_t last = need - 1;
    if (need <= FINE_MAX) return (unsigned)(last >> FINE_LOG2);
    unsigned log2 = 63u - (unsigned)__builtin_clzll((unsigned long long)last);
    unsigned step = (unsigned)(last >> (log2 - STEPS_LOG2)) & ((1u << STEPS_LOG2) - 1);
    return FINE_COUNT + ((log2 - 8) << STEPS_LOG2) + step;
}

static size_t stride_of(unsigned bucket) {
    if (bucket < FINE_COUNT) return (size_t)(bucket + 1) << FINE_LOG2;
    unsigned log2 = 8 + ((bucket - FINE_COUNT) >> STEPS_LOG2), step = (bucket - FINE_COUNT) & 7;
    return (size_t)(9 + step) << (log2 - STEPS_LOG2);
}

hy_debug_config hy_debug_defaults(void) {
    return (hy_debug_config){
        .stack_trace_frames = 6,
        .safety = true,
        .thread_safe = true,
        .tools = HY_DEBUG_TOOLS_GUARDS,
        .fresh_byte = 0xAA,
        .freed_byte = 0xDD,
        .fill_bytes = HY_DEBUG_SMALL_MAX,
        .memory_limit = SIZE_MAX,
        .quarantine_blocks = 64,
        .retained_bytes = (size_t)1 << 20,
        .leaks_printed = 100,
    };
}

const char *hy_debug_config_problem(const hy_debug_config *config) {
    if (config->stack_trace_frames > HY_DEBUG_FRAMES_MAX) return "stack_trace_frames is more than 32";
    if (config->full_unwinder && config->stack_trace_frames == 0)
        return "full_unwinder has no stack_trace_frames";
    if ((unsigned)config->tools > HY_DEBUG_TOOLS_ALL) return "tools is none of hy_debug_tools";
    if (config->memory_limit == 0) return "memory_limit is 0, so nothing could be allocated";
    if (config->never_unmap && !config->safety)
        return "never_unmap keeps freed memory, which nobody looks at without safety";
    if (config->fault_on_use && !config->safety) return "fault_on_use contradicts safety = false";
    if (config->safety && config->fresh_byte == config->freed_byte)
        return "fresh_byte and freed_byte are the same";
    if (config->fill_bytes < FILL_LEAST) return "fill_bytes is less than 64";
    if (config->hook_context && !config->hook) return "hook_context has no hook";
    return NULL;
}

HY_COLD static uint64_t make_canary(const hy_debug_config *config, uint64_t number) {
    uint8_t bytes[sizeof number];
    memcpy(bytes, &number, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] |= 0x80;
        while (bytes[i] == 0xFF || bytes[i] == HY_FILL_BYTE || bytes[i] == config->fresh_byte ||
               bytes[i] == config->freed_byte)
            bytes[i] = (uint8_t)((bytes[i] + 0x13) | 0x80);
    }
    memcpy(&number, bytes, sizeof number);
    return number;
}

static size_t quarantine_of(const hy_debug_config *config, size_t stride) {
    if (config->never_unmap) return SIZE_MAX;
    if (!config->safety) return 0;
    size_t fit = QUARANTINE_BYTES / stride;
    if (fit < QUARANTINE_LEAST) fit = QUARANTINE_LEAST;
    return config->quarantine_blocks < fit ? config->quarantine_blocks : fit;
}

static void start_buckets(hy_debug *debug) {
    for (unsigned i = 0; i < HY_DEBUG_LARGE; i++) {
        hy_debug_bucket *bucket = &debug->buckets[i];
        bucket->stride = stride_of(i);
        bucket->quarantine = quarantine_of(&debug->config, bucket->stride);
    }
}

hy_error hy_debug_init(hy_debug *debug, hy_allocator child, const hy_debug_config *config) {
    static uint64_t sequence;
    hy_require_child(child, "hy_debug_init");
    memset(debug, 0, sizeof *debug);
    debug->child = child;
    debug->config = config ? *config : hy_debug_defaults();
    if (debug->config.never_unmap) debug->config.fill_bytes = SIZE_MAX;
    const char *problem = hy_debug_config_problem(&debug->config);
    if (problem) {
        fprintf(stderr, "heapyard: hy_debug_init: %s\n", problem);
        return HY_INVALID;
    }
    /* They are to differ from instance to instance, no more. */
    uint64_t numbers = (uintptr_t)debug + __atomic_add_fetch(&sequence, 0x1000003, __ATOMIC_RELAXED);
    debug->secret = hy_random_next(&numbers);
    debug->canary = make_canary(&debug->config, hy_random_next(&numbers));
    debug->record_bytes = sizeof(hy_debug_record) + 2 * debug->config.stack_trace_frames * sizeof(void *);
    start_buckets(debug);
    debug->alive = ALIVE;
    hy_debug_instances_add(debug);
    return HY_OK;
}

static void refuse(hy_debug *debug) {
    hy_debug_add_64(&debug->counts.refused_count, 1);
}

/* What a slot must have; false: no memory is that large. */
HY_INLINE bool find_need(size_t size, hy_align align, size_t *need) {
    size_t slack = hy_align_bytes(align) > HY_DEBUG_GUARD ? hy_align_bytes(align) - HY_DEBUG_GUARD : 0;
    return !HY_ADD_OVERFLOWS(size, slack + 2 * HY_DEBUG_GUARD, need);
}

HY_INLINE bool is_within_limit(const hy_debug *debug, size_t more) {
    size_t live = debug->counts.live_bytes, limit = debug->config.memory_limit;
    return live <= limit && more <= limit - live;
}

/* The oldest slot can't serve: reports why. False: meanwhile others took what the limit still allowed. */
HY_COLD static bool pass_over(hy_debug *debug, const hy_debug_bucket *bucket, const hy_debug_call *call) {
    hy_debug_chunk *chunk = hy_debug_chunk_holding(debug, bucket, bucket->oldest);
    (void)hy_debug_examine(call, chunk, bucket->oldest);
    return is_within_limit(debug, call->size);
}

/* The slot that has waited longest, or one that was never used, as the quarantine says; NULL: refused. What
 * was written into a freed one is reported, and the next one taken. */
HY_INLINE hy_debug_record *take_small(hy_debug *debug, hy_debug_bucket *bucket, const hy_debug_call *call) {
    for (;;) {
        hy_debug_record *record = bucket->oldest;
        if (bucket->waiting <= bucket->quarantine) {
            hy_debug_record *fresh = hy_debug_take_fresh(debug, bucket);
            if (fresh) return fresh;
            if (!record || debug->config.never_unmap) return NULL;
        }
        bool serves = record->seal == hy_debug_seal(debug, record);
        if (HY_LIKELY(serves)) {
            hy_debug_open(record->slot, record->slot + bucket->stride);
            serves = !debug->config.safety || hy_debug_poison_holds(debug, record);
        }
        if (HY_LIKELY(serves)) {
            hy_debug_unqueue(debug, record);
            return record;
        }
        if (!pass_over(debug, bucket, call)) return NULL;
    }
}

static void count_more(hy_debug *debug, size_t bytes) {
    hy_debug_counts *counts = &debug->counts;
    size_t live = counts->live_bytes + bytes;
    __atomic_store_n(&counts->live_bytes, live, __ATOMIC_RELAXED);
    if (live > counts->peak_bytes) __atomic_store_n(&counts->peak_bytes, live, __ATOMIC_RELAXED);
    hy_debug_add_64(&counts->total_bytes, bytes);
}

HY_INLINE char *hand_out(
    hy_debug *debug, hy_debug_record *record, size_t size, hy_align align, const hy_debug_stack *here) {
    hy_debug_chunk *chunk = record->chunk;
    record->size = size;
    record->align_log2 = align.log2;
    record->state = HY_DEBUG_LIVE;
    record->alloc_thread = here->thread;
    record->alloc_frames = (uint8_t)here->count;
    record->free_frames = 0;
    memcpy(record->frames, here->frames, here->count * sizeof here->frames[0]);
    record->seal = hy_debug_seal(debug, record);
    if (chunk->empty) hy_debug_chunk_used(debug, chunk);
    chunk->live++;
    hy_debug_add(&debug->counts.live_blocks, 1);
    hy_debug_add_64(&debug->counts.alloc_count, 1);
    count_more(debug, size);

    char *block = hy_debug_block(record), *end = record->slot + chunk->stride;
    HY_ASSERT(hy_align_check_pointer(block, align), "a block is not aligned as asked");
    HY_ASSERT(
        (size_t)(end - block) >= size + HY_DEBUG_GUARD, "a slot has no room for the guard behind its block");
    HY_ASSERT(chunk->live <= chunk->fresh, "more blocks live in a chunk than it has slots in use");
    hy_debug_open(record->slot, end);
    if (debug->config.safety) {
        hy_debug_stamp(debug->canary, record->slot, block);
        hy_debug_fill(debug, debug->config.fresh_byte, block, block + size);
        hy_debug_stamp(debug->canary, block + size, end);
    }
    if (debug->config.tools != HY_DEBUG_TOOLS_NONE) hy_mark_undefined(block, size);
    hy_debug_close_guards(debug, record);
    return block;
}

static hy_debug_record *take(hy_debug *debug, size_t need, const hy_debug_call *call) {
    if (HY_LIKELY(need <= HY_DEBUG_SMALL_MAX && !debug->config.fault_on_use))
        return take_small(debug, &debug->buckets[bucket_of(need)], call);
    return hy_debug_take_large(debug, need);
}

static void require_alive(const hy_debug *debug, const char *function) {
    (void)debug, (void)function;
    HY_REQUIRE(
        debug->alive == ALIVE, function, (uintptr_t)debug, "a debug allocator between init and deinit");
}

HY_SLOT HY_NOINLINE void *hy_debug_alloc(void *self, size_t size, hy_align align) {
    hy_debug *debug = self;
    if (HY_UNLIKELY(debug->alive != ALIVE)) return NULL;
    hy_debug_stack here;
    hy_debug_capture(debug, __builtin_frame_address(0), &here);
    hy_debug_call call = {debug, "alloc", false, NULL, size, align, &here};
    bool concurrent = hy_debug_enter(debug, here.thread, NULL);
    if (HY_UNLIKELY(concurrent)) hy_debug_judge_concurrent_caller(&call);
    size_t need;
    char *block = NULL;
    hy_debug_record *record = NULL;
    if (HY_LIKELY(is_within_limit(debug, size) && find_need(size, align, &need)))
        record = take(debug, need, &call);
    if (HY_LIKELY(record != NULL))
        block = hand_out(debug, record, size, align, &here);
    else
        refuse(debug);
    hy_debug_leave(debug);
    return block;
}

/* The record of the slot that an address lies in; NULL: it lies in none that was ever used. */
HY_INLINE hy_debug_record *find(hy_debug *debug, const void *ptr) {
    hy_debug_chunk *chunk = hy_debug_index_find(&debug->index, ptr);
    if (HY_UNLIKELY(!chunk)) return NULL;
    if (HY_UNLIKELY(chunk->seal != hy_debug_chunk_seal(debug, chunk))) hy_debug_chunk_broken(debug, ptr);
    size_t slot = hy_debug_slot_of(chunk, ptr);
    return slot < chunk->fresh ? hy_debug_record_at(debug, chunk, slot) : NULL;
}

/* Whether a call names a live block of ours as it lives, and nothing is wrong with it. Its guards are open
 * afterwards where it lives. */
HY_INLINE bool is_plain(const hy_debug_call *call, const hy_debug_record *record) {
    const hy_debug *debug = call->debug;
    if (record->seal != hy_debug_seal(debug, record) || record->state != HY_DEBUG_LIVE) return false;
    hy_debug_open_guards(record);
    if (debug->config.safety && !hy_debug_guards_hold(debug, record)) return false;
    return hy_debug_block(record) == call->ptr && record->size == call->size &&
           record->align_log2 == call->align.log2;
}

/* The pages of a large block's chunk can't be touched from now on. */
static bool close_pages(const hy_debug *debug, hy_debug_chunk *chunk) {
    if (!debug->config.fault_on_use) return false;
    size_t bytes = (size_t)(chunk->end - chunk->base);
    hy_os_discard(chunk->base, bytes);
    chunk->untouched = hy_os_protect(chunk->base, bytes, false);
    return chunk->untouched;
}

HY_INLINE void take_back(const hy_debug_call *call, hy_debug_record *record) {
    hy_debug *debug = call->debug;
    hy_debug_chunk *chunk = record->chunk;
    const hy_debug_stack *here = call->here;
    char *end = record->slot + chunk->stride;
    HY_ASSERT(record->state == HY_DEBUG_LIVE, "a block is taken back that does not live");
    HY_ASSERT(chunk->live != 0, "a block is taken back from a chunk without live ones");
    HY_ASSERT(debug->counts.live_bytes >= record->size, "a block is larger than all live ones together");
    record->state = HY_DEBUG_FREED;
    record->free_thread = here->thread;
    record->free_frames = (uint8_t)here->count;
    memcpy(record->frames + debug->config.stack_trace_frames, here->frames,
        here->count * sizeof here->frames[0]);
    record->seal = hy_debug_seal(debug, record);
    hy_debug_add(&debug->counts.live_blocks, (size_t)-1);
    hy_debug_add(&debug->counts.live_bytes, 0 - record->size);

    hy_debug_open(record->slot, end);
    if (debug->config.safety && !close_pages(debug, chunk)) {
        hy_debug_fill(debug, debug->config.freed_byte, record->slot, end);
        hy_debug_close_freed(debug, record->slot, end);
    }
    if (chunk->bucket != HY_DEBUG_LARGE) hy_debug_queue(debug, record);
    if (--chunk->live > 0) return;
    hy_debug_chunk_emptied(debug, chunk);
    if (HY_UNLIKELY(debug->empty_bytes > debug->config.retained_bytes) && !debug->config.never_unmap)
        hy_debug_trim(call, debug->config.retained_bytes);
}

/* Reports what was found by judging, once outside. */
static void deliver(hy_debug *debug, const hy_debug_findings *findings) {
    for (size_t i = 0; i < findings->count; i++)
        hy_debug_deliver(debug, &findings->list[i]);
}

/* A free with something wrong about it. Inside on entry, outside on return. */
HY_COLD static void free_wrongly(const hy_debug_call *call, hy_debug_record *record, bool concurrent) {
    hy_debug_findings findings = {.count = 0};
    if (!record) {
        hy_debug_judge_unknown(call, concurrent);
        return;
    }
    if (hy_debug_judge(call, record, concurrent, &findings)) take_back(call, record);
    hy_debug_leave(call->debug);
    deliver(call->debug, &findings);
}

HY_SLOT HY_NOINLINE void hy_debug_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_debug *debug = self;
    require_alive(debug, "hy_debug_free");
    hy_debug_stack here;
    hy_debug_capture(debug, __builtin_frame_address(0), &here);
    hy_debug_call call = {debug, "free", true, ptr, size, align, &here};
    bool concurrent = hy_debug_enter(debug, here.thread, ptr);
    hy_debug_record *record = find(debug, ptr);
    if (HY_LIKELY(record && !concurrent && is_plain(&call, record))) {
        take_back(&call, record);
        hy_debug_leave(debug);
    } else {
        free_wrongly(&call, record, concurrent);
    }
}

/* Room for new_size where the block lies; the record is unchanged. */
static bool make_room(hy_debug *debug, hy_debug_record *record, size_t new_size) {
    hy_debug_chunk *chunk = record->chunk;
    size_t before = (size_t)(hy_debug_block(record) - record->slot), need;
    if (HY_ADD_OVERFLOWS(new_size, before + HY_DEBUG_GUARD, &need)) return false;
    if (chunk->bucket != HY_DEBUG_LARGE || debug->config.fault_on_use) return need <= chunk->stride;
    if (need <= chunk->stride && need >= chunk->stride - chunk->stride / 8) return true;
    return hy_debug_chunk_resize(debug, chunk, need);
}

/* Inside; the guards are open. */
static bool change_size(hy_debug *debug, hy_debug_record *record, size_t new_size) {
    size_t old_size = record->size;
    size_t more = new_size > old_size ? new_size - old_size : 0;
    if (!is_within_limit(debug, more) || !make_room(debug, record, new_size)) return false;
    char *block = hy_debug_block(record), *end = hy_debug_slot_end(record);
    hy_debug_open(block + (more ? old_size : new_size), end);
    HY_ASSERT((size_t)(end - block) >= new_size + HY_DEBUG_GUARD, "a resized block reaches into its guard");
    record->size = new_size;
    record->seal = hy_debug_seal(debug, record);
    if (debug->config.safety) {
        hy_debug_fill(debug, debug->config.fresh_byte, block + old_size, block + old_size + more);
        hy_debug_stamp(debug->canary, block + new_size, end);
    }
    if (debug->config.tools != HY_DEBUG_TOOLS_NONE) hy_mark_undefined(block + old_size, more);
    if (more)
        count_more(debug, more);
    else
        hy_debug_add(&debug->counts.live_bytes, new_size - old_size);
    return true;
}

static bool resize(const hy_debug_call *call, bool concurrent, size_t new_size) {
    hy_debug *debug = call->debug;
    hy_debug_record *record = find(debug, call->ptr);
    if (HY_UNLIKELY(!record)) {
        hy_debug_judge_unknown(call, concurrent);
        return false;
    }
    hy_debug_findings findings;
    findings.count = 0;
    bool may = true;
    if (HY_UNLIKELY(concurrent || !is_plain(call, record)))
        may = hy_debug_judge(call, record, concurrent, &findings);
    bool changed = may && change_size(debug, record, new_size);
    if (may) hy_debug_close_guards(debug, record);
    if (may && !changed) refuse(debug);
    hy_debug_leave(debug);
    deliver(debug, &findings);
    return changed;
}

/* The stack is only wanted where something is wrong, but then it must be there. */
static bool resize_as(const char *operation, const void *entry, hy_debug *debug, void *ptr, size_t old_size,
    size_t new_size, hy_align align) {
    require_alive(debug, "hy_debug_resize");
    hy_debug_stack here;
    hy_debug_capture(debug, entry, &here);
    hy_debug_call call = {debug, operation, false, ptr, old_size, align, &here};
    return resize(&call, hy_debug_enter(debug, here.thread, ptr), new_size);
}

HY_NOINLINE bool hy_debug_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return resize_as("resize", __builtin_frame_address(0), self, ptr, old_size, new_size, align);
}

HY_NOINLINE void *hy_debug_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return resize_as("remap", __builtin_frame_address(0), self, ptr, old_size, new_size, align) ? ptr : NULL;
}

bool hy_debug_owns(hy_debug *debug, const void *ptr) {
    (void)hy_debug_enter(debug, hy_thread_number(), NULL);
    bool owned = hy_debug_index_find(&debug->index, ptr) != NULL;
    hy_debug_leave(debug);
    return owned;
}
