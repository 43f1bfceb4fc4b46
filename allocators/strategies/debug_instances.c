/* debug_instances.c: a list with a mutex, and the sums of those that ended.
 *
 * An instance that is thread-safe is looked into under its own lock. One that is not may be at work in
 * another thread: its index is locked, so that nothing that is followed goes away, and what its record says
 * of the block is as it stands at that moment.
 */
#include "allocators/strategies/debug_instances.h"
#include "allocators/core/thread_number.h"
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_lock.h"
#include "allocators/strategies/debug_report.h"
#include <heapyard/libc.h>
#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    hy_debug *first;
    hy_debug_counts ended;
    pthread_once_t once;
    hy_debug process;
} instances = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

void hy_debug_instances_add(hy_debug *debug) {
    pthread_mutex_lock(&instances.lock);
    debug->previous_instance = NULL;
    debug->next_instance = instances.first;
    HY_ASSERT(instances.first != debug, "an instance is initialised twice without a deinit");
    if (instances.first) instances.first->previous_instance = debug;
    instances.first = debug;
    pthread_mutex_unlock(&instances.lock);
}

static void add_counts(hy_debug_counts *sum, const hy_debug_counts *counts) {
    sum->live_blocks += counts->live_blocks;
    sum->live_bytes += counts->live_bytes;
    sum->peak_bytes += counts->peak_bytes;
    sum->alloc_count += counts->alloc_count;
    sum->total_bytes += counts->total_bytes;
    sum->refused_count += counts->refused_count;
    sum->child_bytes += counts->child_bytes;
    sum->overhead_bytes += counts->overhead_bytes;
    sum->child_calls += counts->child_calls;
    for (unsigned i = 0; i < HY_DEBUG_CLASS_COUNT; i++)
        sum->found[i] += counts->found[i];
}

void hy_debug_instances_remove(hy_debug *debug) {
    pthread_mutex_lock(&instances.lock);
    HY_ASSERT(instances.first != NULL, "an instance ends that is not in the list");
    if (debug->previous_instance)
        debug->previous_instance->next_instance = debug->next_instance;
    else
        instances.first = debug->next_instance;
    if (debug->next_instance) debug->next_instance->previous_instance = debug->previous_instance;
    hy_debug_counts counts = hy_debug_counted(debug);
    counts.child_bytes = counts.overhead_bytes = 0; /* all memory goes back */
    add_counts(&instances.ended, &counts);
    pthread_mutex_unlock(&instances.lock);
}

static bool describe_in(hy_debug *debug, hy_debug_report *report) {
    hy_debug_chunk *chunk = hy_debug_index_find(&debug->index, report->address);
    if (!chunk) return false;
    report->owner = debug;
    report->owner_name = debug->config.name;
    size_t slot = hy_debug_slot_of(chunk, report->address);
    if (slot < chunk->fresh) hy_debug_report_block(report, debug, hy_debug_record_at(debug, chunk, slot));
    return true;
}

static bool look_into(hy_debug *debug, hy_debug_report *report) {
    bool locks = debug->config.thread_safe;
    if (locks) (void)hy_debug_enter(debug, hy_thread_number(), NULL);
    hy_debug_index_lock(debug);
    bool found = describe_in(debug, report);
    hy_debug_index_unlock(debug);
    if (locks) hy_debug_leave(debug);
    return found;
}

bool hy_debug_instances_describe(hy_debug_report *report) {
    bool found = false;
    pthread_mutex_lock(&instances.lock);
    for (hy_debug *debug = instances.first; debug && !found; debug = debug->next_instance) {
        if (debug != report->instance) found = look_into(debug, report);
    }
    pthread_mutex_unlock(&instances.lock);
    return found;
}

hy_debug_counts hy_debug_process_counted(void) {
    pthread_mutex_lock(&instances.lock);
    hy_debug_counts sum = instances.ended;
    for (hy_debug *debug = instances.first; debug; debug = debug->next_instance) {
        hy_debug_counts counts = hy_debug_counted(debug);
        add_counts(&sum, &counts);
    }
    pthread_mutex_unlock(&instances.lock);
    return sum;
}

size_t hy_debug_process_leaks(void) {
    return hy_debug_process_counted().live_blocks;
}

static size_t wrong_frees(const hy_debug_counts *counts) {
    return (size_t)(counts->found[HY_DEBUG_DOUBLE_FREE] + counts->found[HY_DEBUG_INVALID_FREE] +
                    counts->found[HY_DEBUG_FOREIGN_POINTER] + counts->found[HY_DEBUG_WRONG_INSTANCE]);
}

size_t hy_debug_double_frees(const hy_debug *debug) {
    hy_debug_counts counts = hy_debug_counted(debug);
    return wrong_frees(&counts);
}

size_t hy_debug_process_double_frees(void) {
    hy_debug_counts counts = hy_debug_process_counted();
    return wrong_frees(&counts);
}

size_t hy_debug_leaks(const hy_debug *debug) {
    return __atomic_load_n(&debug->counts.live_blocks, __ATOMIC_RELAXED);
}

hy_debug_counts hy_debug_counted(const hy_debug *debug) {
    const hy_debug_counts *from = &debug->counts;
    hy_debug_counts counts = {
        .live_blocks = __atomic_load_n(&from->live_blocks, __ATOMIC_RELAXED),
        .live_bytes = __atomic_load_n(&from->live_bytes, __ATOMIC_RELAXED),
        .peak_bytes = __atomic_load_n(&from->peak_bytes, __ATOMIC_RELAXED),
        .alloc_count = __atomic_load_n(&from->alloc_count, __ATOMIC_RELAXED),
        .total_bytes = __atomic_load_n(&from->total_bytes, __ATOMIC_RELAXED),
        .refused_count = __atomic_load_n(&from->refused_count, __ATOMIC_RELAXED),
        .child_bytes = __atomic_load_n(&from->child_bytes, __ATOMIC_RELAXED),
        .overhead_bytes = __atomic_load_n(&from->overhead_bytes, __ATOMIC_RELAXED),
        .child_calls = __atomic_load_n(&from->child_calls, __ATOMIC_RELAXED),
    };
    for (unsigned i = 0; i < HY_DEBUG_CLASS_COUNT; i++)
        counts.found[i] = __atomic_load_n(&from->found[i], __ATOMIC_RELAXED);
    return counts;
}

static void make_process_instance(void) {
    hy_debug_config config = hy_debug_defaults();
    config.name = "process";
    (void)hy_debug_init(&instances.process, hy_libc(), &config);
}

hy_debug *hy_debug_process(void) {
    pthread_once(&instances.once, make_process_instance);
    return &instances.process;
}
