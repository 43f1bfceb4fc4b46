/* failing.c: refuses on purpose.
 *
 * For: tests of what a program does when memory ends; the sweep over every allocation. Not for: limits
 *   in bytes, nor many threads.
 * Algorithm: one running index a kind, compared with the next one that needs a look; only behind that
 *   comparison come the options, the random numbers (SplitMix64) and the stack capture.
 * Cost: a call through the vtable, an addition and a comparison. Overhead per block: none. Thread-safe: no.
 * Source: Zig's FailingAllocator; the probability from SQLite's fault simulators.
 */
#include "allocators/core/capture.h"
#include "allocators/core/random.h"
#include <heapyard/failing.h>

#if HY_CHECK >= 1
/* For a message: what no whole number can say becomes the greatest one. */
static uintmax_t percent_of(double probability) {
    return probability >= 0.0 && probability < 0x1p32 ? (uintmax_t)(probability * 100) : UINTMAX_MAX;
}
#endif

void hy_failing_init(hy_failing *failing, hy_allocator child, const hy_failing_options *options) {
    static const hy_failing_options defaults = HY_FAILING_DEFAULTS;
    hy_require_child(child, "hy_failing_init");
    memset(failing, 0, sizeof *failing);
    failing->child = child;
    failing->options = options ? *options : defaults;
    double probability = failing->options.probability;
    HY_REQUIRE(probability >= 0.0 && probability <= 1.0, "hy_failing_init", percent_of(probability),
        "a probability of 0 to 100 percent");
    failing->next_alloc = probability > 0.0 ? 0 : failing->options.fail_alloc_at;
    failing->next_resize = probability > 0.0 ? 0 : failing->options.fail_resize_at;
    failing->random = failing->options.seed;
    HY_ASSERT(failing->next_alloc <= failing->options.fail_alloc_at, "the slow path would miss a refusal");
    HY_ASSERT(failing->next_resize <= failing->options.fail_resize_at, "the slow path would miss a refusal");
}

/* Uniform over 0 … 1, 1 excluded. */
static double next_random(hy_failing *failing) {
    return (double)(hy_random_next(&failing->random) >> 11) * 0x1p-53;
}

/* entry: the frame of the public function that was called. */
static bool refuses(hy_failing *failing, const void *entry, uint64_t index, uint64_t fail_at) {
    bool by_index = failing->options.once ? index == fail_at : index >= fail_at;
    bool by_chance =
        failing->options.probability > 0.0 && next_random(failing) < failing->options.probability;
    if (!by_index && !by_chance) return false;
    failing->induced_count++;
    failing->frame_count = hy_stack_capture_from(entry, failing->frames, HY_FAILING_FRAMES);
    HY_ASSERT(failing->frame_count <= HY_FAILING_FRAMES, "a stack has more frames than there is room for");
    HY_ASSERT(failing->induced_count <= failing->alloc_index + failing->resize_index,
        "more calls were refused than were made");
    return true;
}

bool hy_failing_refuses_alloc(hy_failing *failing, uint64_t index) {
    return refuses(failing, __builtin_frame_address(0), index, failing->options.fail_alloc_at);
}

bool hy_failing_refuses_resize(hy_failing *failing, uint64_t index) {
    return refuses(failing, __builtin_frame_address(0), index, failing->options.fail_resize_at);
}

void hy_failing_print(const hy_failing *failing, FILE *stream) {
    if (failing->induced_count == 0) return;
    fprintf(stream, "induced out of memory at:\n");
    hy_stack_print(stream, failing->frames, failing->frame_count);
}
