/* sweep.c: every allocation fails once.
 *
 * For: tests of any code that takes an allocator. Not for: code that allocates from several threads, or
 *   differently from run to run.
 * Algorithm: a failing allocator over the child, made anew for each run; index n is refused in run n.
 *   Cost: n + 1 runs of n allocations. Source: Zig's checkAllAllocationFailures, SQLite's malloc tests.
 */
#include <heapyard/sweep.h>

/* Blocks are counted here because a failing allocator counts calls, those that the child refused too. */
typedef struct run {
    hy_failing failing;
    uint64_t live_blocks;
} run;

static void *run_alloc(void *self, size_t size, hy_align align) {
    run *r = self;
    void *ptr = hy_failing_alloc(&r->failing, size, align);
    if (ptr) r->live_blocks++;
    return ptr;
}

static void run_free(void *self, void *ptr, size_t size, hy_align align) {
    run *r = self;
    r->live_blocks--;
    hy_failing_free(&r->failing, ptr, size, align);
}

static const hy_vtable run_vtable = {run_alloc, hy_refuse_resize, hy_refuse_remap, run_free};

static hy_error run_once(
    run *r, hy_sweep_function function, hy_allocator child, void *argument, uint64_t fail_index) {
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = fail_index;
    hy_failing_init(&r->failing, child, &options);
    r->live_blocks = 0;
    return function((hy_allocator){r, &run_vtable}, argument);
}

/* What a run shows, the gravest first: a leak is reported even where the error was passed on. */
static hy_sweep_result judge(const run *r, hy_error returned, uint64_t fail_index) {
    bool was_refused = r->failing.induced_count > 0;
    if (fail_index != HY_FAILING_NEVER && !was_refused) return HY_SWEEP_NOT_DETERMINISTIC;
    if (r->live_blocks != 0) return HY_SWEEP_LEAK;
    if (was_refused) return returned == HY_OUT_OF_MEMORY ? HY_SWEEP_OK : HY_SWEEP_SWALLOWED;
    return returned == HY_OK ? HY_SWEEP_OK : HY_SWEEP_FAILS_WITHOUT;
}

static void write_report(hy_sweep_report *report, const run *r, hy_error returned, uint64_t fail_index) {
    report->result = judge(r, returned, fail_index);
    report->fail_index = fail_index;
    report->returned = returned;
    report->leaked_blocks = r->live_blocks;
    report->leaked_bytes = r->failing.allocated_bytes - r->failing.freed_bytes;
    report->frame_count = r->failing.frame_count;
    memcpy(report->frames, r->failing.frames, sizeof report->frames);
}

hy_sweep_result hy_check_all_allocation_failures(
    hy_sweep_function function, hy_allocator child, void *argument, hy_sweep_report *report) {
    run r;
    hy_error returned = run_once(&r, function, child, argument, HY_FAILING_NEVER);
    write_report(report, &r, returned, HY_FAILING_NEVER);
    report->alloc_count = r.failing.alloc_index;
    for (uint64_t index = 0; index < report->alloc_count && report->result == HY_SWEEP_OK; index++) {
        returned = run_once(&r, function, child, argument, index);
        write_report(report, &r, returned, index);
    }
    return report->result;
}

const char *hy_sweep_result_string(hy_sweep_result result) {
    static const char *const words[HY_SWEEP_RESULT_COUNT] = {
        [HY_SWEEP_OK] = "every refusal is passed on and nothing leaks",
        [HY_SWEEP_FAILS_WITHOUT] = "it fails although nothing was refused",
        [HY_SWEEP_LEAK] = "blocks are live after it returned",
        [HY_SWEEP_SWALLOWED] = "out of memory was swallowed",
        [HY_SWEEP_NOT_DETERMINISTIC] = "it does not make the same allocations each time",
    };
    return (unsigned)result < HY_SWEEP_RESULT_COUNT ? words[result] : "unknown result";
}

void hy_sweep_print(const hy_sweep_report *report, FILE *stream) {
    if (report->result == HY_SWEEP_OK) return;
    fprintf(stream, "sweep: %s\n  returned: %s\n", hy_sweep_result_string(report->result),
        hy_error_string(report->returned));
    if (report->leaked_blocks) {
        fprintf(stream, "  live: %ju bytes in %ju blocks\n", (uintmax_t)report->leaked_bytes,
            (uintmax_t)report->leaked_blocks);
    }
    if (report->fail_index == HY_FAILING_NEVER) {
        fprintf(stream, "  in the run where nothing was refused\n");
        return;
    }
    fprintf(stream, "  in the run where allocation %ju of %ju was refused, at:\n",
        (uintmax_t)report->fail_index + 1, (uintmax_t)report->alloc_count);
    hy_stack_print(stream, report->frames, report->frame_count);
}
