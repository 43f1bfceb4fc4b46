/* heapyard/sweep.h: runs a function with its first allocation failing, then its second, and so on.
 *
 *   static hy_error load(hy_allocator gpa, void *path) { … }
 *   hy_sweep_report report;
 *   if (hy_check_all_allocation_failures(load, hy_libc(), "file", &report) != HY_SWEEP_OK) {
 *       hy_sweep_print(&report, stderr);
 *   }
 *
 * One run counts the allocations; then there is one run for each of them, in which it is refused (and
 * every later one too). After a refusal the function must free what it took and return
 * HY_OUT_OF_MEMORY. Resizes and remaps are refused in all runs, the counting one included, so that
 * whether a block could grow in place never changes how many allocations follow.
 */
#ifndef HEAPYARD_SWEEP_H
#define HEAPYARD_SWEEP_H

#include <heapyard/error.h>
#include <heapyard/failing.h>

HY_BEGIN_DECLS

/* What is swept: does its work with `gpa` (must free) and says how it went. It must do the same each
 * time: no random numbers, no state kept from run to run. */
typedef hy_error (*hy_sweep_function)(hy_allocator gpa, void *argument);

/* What a sweep found first. */
typedef enum hy_sweep_result {
    HY_SWEEP_OK = 0,            /* every refusal was answered with HY_OUT_OF_MEMORY, and nothing leaked */
    HY_SWEEP_FAILS_WITHOUT,     /* it fails although nothing is refused */
    HY_SWEEP_LEAK,              /* blocks were live after it returned */
    HY_SWEEP_SWALLOWED,         /* it returned HY_OK, or another error, after a refusal */
    HY_SWEEP_NOT_DETERMINISTIC, /* it made fewer allocations than in the counting run */
    HY_SWEEP_RESULT_COUNT
} hy_sweep_result;

/* Where it found it. */
typedef struct hy_sweep_report {
    hy_sweep_result result;
    uint64_t alloc_count; /* of the counting run */
    uint64_t fail_index;  /* of the run that went wrong; HY_FAILING_NEVER: the counting run */
    hy_error returned;    /* what it returned there */
    uint64_t leaked_bytes;
    uint64_t leaked_blocks;
    size_t frame_count; /* where the refusal was induced; 0 in the counting run */
    void *frames[HY_FAILING_FRAMES];
} hy_sweep_report;

/* Sweeps `function` over memory from `child` and stops at the first thing that is wrong, which *report
 * (never NULL) describes. Thread-safe where the function is. Cost: allocations + 1 runs. */
HY_API hy_sweep_result hy_check_all_allocation_failures(
    hy_sweep_function function, hy_allocator child, void *argument, hy_sweep_report *report);

/* A constant phrase; never NULL. */
HY_API const char *hy_sweep_result_string(hy_sweep_result result);

/* Prints what went wrong, at which index, and where the refusal was induced; nothing for HY_SWEEP_OK. */
HY_API void hy_sweep_print(const hy_sweep_report *report, FILE *stream);

HY_END_DECLS

#endif
