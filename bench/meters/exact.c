/* exact.c: what an allocator takes and keeps, counted and never estimated.
 *
 * Each cell is a fixed number of operations from a fixed seed over a child that always answers alike
 * (source.h). Two counting allocators stand around the one under test:
 *
 *   workload -> front -> counting -> allocator -> counting -> source
 *                        asked                    taken
 *
 * What is taken is compared with what was asked for after each call: that is what the front is for. The
 * rest are the allocator's own counters. Two runs of one build print the same lines, so a comparison
 * needs no tolerance. Every metric is better when it is smaller; one that the allocator does not count
 * is left out.
 *
 *   child_calls             calls of the child: allocs, resizes, remaps, frees
 *   child_peak_bytes        the most that was taken from the child at once
 *   beyond_live_bytes       the most that was taken beyond what was live at that moment
 *   after_free_bytes        still taken when everything has been freed (or reset)
 *   after_destroy_bytes     still taken when the allocator is gone: a leak of its own
 *   fragmentation_permille  taken per live byte, the worst look with at least 1 MiB live
 *   high_water_bytes, capacity_bytes, overhead_bytes, source_calls   from its own counters
 *   refused_count           requests that were refused
 */
#include "bench/meters.h"
#include "bench/meters/selection.h"
#include "bench/meters/source.h"
#include "bench/options.h"
#include <heapyard/counting.h>

/* A fragmentation ratio on a tiny live set says nothing. */
#define FRAGMENTATION_LIVE_MIN ((size_t)1 << 20)
/* The allocator's counters are read every so many calls. */
#define LOOK_CALLS 256

/* Stands between the workload and the allocator. Its instance is a copy whose allocator and row are
 * the front's. */
typedef struct front {
    hy_instance inner;
    hy_instance outer;
    hy_row row;
    hy_counting asked;
    const hy_counts *taken;
    size_t beyond_live_bytes;
    size_t fragmentation_permille;
    size_t looks_count;
    bool has_stats;
    hy_stats greatest; /* SIZE_MAX: not counted by the allocator */
} front;

static void keep_greatest(size_t *greatest, size_t value) {
    if (value != SIZE_MAX && (*greatest == SIZE_MAX || value > *greatest)) *greatest = value;
}

static void read_stats(front *self) {
    hy_stats stats;
    if (!hy_instance_stats(&self->inner, &stats)) return;
    self->has_stats = true;
    keep_greatest(&self->greatest.capacity_bytes, stats.capacity_bytes);
    keep_greatest(&self->greatest.overhead_bytes, stats.overhead_bytes);
    keep_greatest(&self->greatest.high_water_bytes, stats.high_water_bytes);
    keep_greatest(&self->greatest.calls_count, stats.calls_count);
}

static void look(front *self) {
    size_t taken = self->taken->live_bytes, live = self->asked.counts.live_bytes;
    if (taken > live && taken - live > self->beyond_live_bytes) self->beyond_live_bytes = taken - live;
    if (taken > 0 && live >= FRAGMENTATION_LIVE_MIN) {
        keep_greatest(&self->fragmentation_permille, (size_t)((__uint128_t)taken * 1000 / live));
    }
    if (self->looks_count++ % LOOK_CALLS == 0) read_stats(self);
}

static void *front_alloc(void *context, size_t size, hy_align align) {
    front *self = context;
    void *ptr = hy_counting_alloc(&self->asked, size, align);
    look(self);
    return ptr;
}

static bool front_resize(void *context, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    front *self = context;
    bool resized = hy_counting_resize(&self->asked, ptr, old_size, new_size, align);
    look(self);
    return resized;
}

static void *front_remap(void *context, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    front *self = context;
    void *moved = hy_counting_remap(&self->asked, ptr, old_size, new_size, align);
    look(self);
    return moved;
}

static void front_free(void *context, void *ptr, size_t size, hy_align align) {
    front *self = context;
    hy_counting_free(&self->asked, ptr, size, align);
    look(self);
}

static const hy_vtable front_vtable = {front_alloc, front_resize, front_remap, front_free};

/* A reset ends what is live without a call that could be counted. */
static bool front_reset(void *context, hy_reset_mode mode, size_t limit) {
    front *self = context;
    bool kept = hy_instance_reset(&self->inner, mode, limit);
    self->asked.counts.live_bytes = 0;
    look(self);
    return kept;
}

/* Puts the front before `inner`, which it now holds. */
static void front_start(front *self, const hy_instance *inner, const hy_counts *taken) {
    *self = (front){.inner = *inner, .row = *inner->row, .taken = taken};
    hy_counting_init(&self->asked, inner->allocator);
    self->fragmentation_permille = SIZE_MAX;
    self->greatest = (hy_stats){SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    if (self->row.reset) self->row.reset = front_reset;
    self->row.direct = NULL;
    self->outer = *inner;
    self->outer.row = &self->row;
    self->outer.state = self;
    self->outer.allocator = (hy_allocator){self, &front_vtable};
}

typedef struct outcome {
    uint64_t operations;
    uint64_t checksum;
    size_t after_free_bytes;
} outcome;

static bool run_workload(
    front *self, const hy_selection *selection, const hy_subject *subject, outcome *result) {
    const hy_workload *workload = subject->workload;
    hy_session *session = hy_session_open(workload, subject->cell->params, 1, selection->seed, &self->outer);
    if (!session) return false;
    session->verify = true;
    for (uint64_t i = 0; i < selection->epochs; i++) {
        uint64_t done = 0;
        result->checksum = result->checksum * 31 + workload->epoch(session, selection->operations, &done);
        result->operations += done;
    }
    workload->free_all(session);
    look(self);
    read_stats(self);
    result->after_free_bytes = self->taken->live_bytes;
    workload->end(session);
    return true;
}

static uint64_t calls_of(const hy_counts *counts) {
    return counts->alloc_count + counts->resize_count + counts->remap_count + counts->free_count +
           counts->alloc_refused_count + counts->resize_refused_count + counts->remap_refused_count;
}

/* SIZE_MAX: it is not known. */
static void write_metric(hy_json *json, const char *name, size_t value) {
    if (value != SIZE_MAX) hy_json_number(json, name, value);
}

static void print_outcome(const hy_subject *subject, const front *self, const outcome *result) {
    hy_json json = hy_subject_begin(subject, "exact");
    hy_json_number(&json, "operations", result->operations);
    hy_json_checksum(&json, "checksum", result->checksum);
    hy_json_begin(&json, "metrics", '{');
    if (calls_of(self->taken)) {
        hy_json_number(&json, "child_calls", calls_of(self->taken));
        write_metric(&json, "child_peak_bytes", self->taken->peak_bytes);
        write_metric(&json, "beyond_live_bytes", self->beyond_live_bytes);
        write_metric(&json, "after_free_bytes", result->after_free_bytes);
        write_metric(&json, "after_destroy_bytes", self->taken->live_bytes);
    }
    write_metric(&json, "fragmentation_permille", self->fragmentation_permille);
    if (self->has_stats) {
        write_metric(&json, "high_water_bytes", self->greatest.high_water_bytes);
        write_metric(&json, "capacity_bytes", self->greatest.capacity_bytes);
        write_metric(&json, "overhead_bytes", self->greatest.overhead_bytes);
        write_metric(&json, "source_calls", self->greatest.calls_count);
    }
    hy_json_number(&json, "refused_count", self->asked.counts.alloc_refused_count);
    hy_json_end(&json, '}');
    hy_subject_end(&json);
}

static bool run_cell(void *context, const hy_subject *subject) {
    const hy_selection *selection = context;
    hy_steady_source source;
    bool made = hy_steady_source_init(&source);
    hy_counting taken;
    hy_counting_init(&taken, hy_steady_source_allocator(&source));
    hy_instance instance;
    front self;
    outcome result = {0};
    bool good = made && hy_subject_make(subject, hy_counting_allocator(&taken), &instance);
    if (good) {
        front_start(&self, &instance, &taken.counts);
        good = run_workload(&self, selection, subject, &result);
        hy_instance_destroy(&instance);
    }
    if (good) {
        print_outcome(subject, &self, &result);
    } else {
        hy_subject_print_failed(subject, "exact");
    }
    hy_steady_source_deinit(&source);
    return good;
}

static int run(int argc, char **argv) {
    hy_selection selection = {
        .command = "exact", .tier = HY_TIER_QUICK, .operations = 8192, .epochs = 3, .seed = 1};
    if (!hy_selection_parse(&selection, argc, argv)) return HY_EXIT_USAGE;
    return hy_selection_each(&selection, run_cell, &selection);
}

const hy_meter hy_exact_meter = {
    .name = "exact",
    .summary = "what allocators take from a child and keep, counted: one line of JSON a cell",
    .run = run,
};
