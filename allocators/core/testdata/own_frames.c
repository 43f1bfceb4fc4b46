/* own_frames.c: a program that own_frames_test.py builds in many forms: what its allocations leave behind is
 * told by a debug allocator, or by one that fails, under whatever its calls pass through on their way there.
 *
 *   own_frames          for each stack of allocators its name, then the trace of an allocation from
 * user_function own_frames misuse   ends by a refused precondition in user_function
 */
#include <heapyard/arena.h>
#include <heapyard/arena_shared.h>
#include <heapyard/counting.h>
#include <heapyard/debug.h>
#include <heapyard/failing.h>
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/limited.h>
#include <heapyard/logging.h>
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>
#include <heapyard/recording.h>
#include <heapyard/stack_fallback.h>
#include <heapyard/thread_safe.h>
#include <heapyard/validating.h>
#include <heapyard/wide_align.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64 };

static hy_debug debug;

static __attribute__((noinline)) void user_function(const hy_allocator *volatile allocator) {
    void *block = hy_alloc(*allocator, SIZE, HY_ALIGN_64);
    __asm__ volatile("" : : "r"(block) : "memory");
}

/* The arena is known here, so that its functions are called directly. */
static __attribute__((noinline)) void user_function_of_arena(hy_arena *arena) {
    void *block = hy_arena_alloc(arena, SIZE, HY_ALIGN_16);
    __asm__ volatile("" : : "r"(block) : "memory");
}

static void print_text(void *context, const hy_debug_report *report) {
    (void)context;
    hy_stack_print_descriptor(1, report->allocated.frames, report->allocated.count);
}

static hy_allocator begin(const char *name) {
    hy_debug_config config = hy_debug_defaults();
    config.stack_trace_frames = 16;
    config.hook = print_text;
    printf("%s\n", name);
    fflush(stdout);
    if (hy_debug_init(&debug, hy_libc(), &config) != HY_OK) abort();
    return hy_debug_allocator(&debug);
}

static void end(void) {
    (void)hy_debug_deinit(&debug, NULL);
}

/* The allocator stands on the debug one. */
static void allocate(hy_allocator allocator) {
    user_function(&allocator);
    end();
}

static void ignore_line(void *context, const char *line, size_t size) {
    (void)context, (void)line, (void)size;
}

static void ignore_call(void *context, const hy_call *call) {
    (void)context, (void)call;
}

static void through_strategies(void) {
    allocate(begin("debug"));
    hy_arena arena = HY_ARENA_INIT(begin("arena"));
    allocate(hy_arena_allocator(&arena));
    hy_arena known = HY_ARENA_INIT(begin("arena, called directly"));
    user_function_of_arena(&known);
    end();
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(begin("arena_shared"));
    allocate(hy_arena_shared_allocator(&shared));
    hy_pool pool;
    if (hy_pool_init(&pool, begin("pool"), SIZE, HY_ALIGN_64, NULL) != HY_OK) abort();
    allocate(hy_pool_allocator(&pool));
}

static void through_decorators(void) {
    hy_counting counting = HY_COUNTING_INIT(begin("counting"));
    allocate(hy_counting_allocator(&counting));
    hy_headered headered = HY_HEADERED_INIT(begin("headered"));
    allocate(hy_headered_allocator(&headered));
    hy_limited limited = HY_LIMITED_INIT(begin("limited"), 1 << 20);
    allocate(hy_limited_allocator(&limited));
    hy_logging logging = HY_LOGGING_INIT(begin("logging"), ignore_line, NULL, NULL);
    allocate(hy_logging_allocator(&logging));
    hy_recording recording;
    hy_recording_init(&recording, begin("recording"), ignore_call, NULL);
    allocate(hy_recording_allocator(&recording));
    static char buffer[16];
    hy_stack_fallback fallback;
    hy_stack_fallback_init(&fallback, buffer, sizeof buffer, begin("stack_fallback"));
    allocate(hy_stack_fallback_allocator(&fallback));
    hy_thread_safe thread_safe = HY_THREAD_SAFE_INIT(begin("thread_safe"));
    allocate(hy_thread_safe_allocator(&thread_safe));
    hy_validating validating = HY_VALIDATING_INIT(begin("validating"));
    allocate(hy_validating_allocator(&validating));
    hy_wide_align wide;
    hy_wide_align_init(&wide, begin("wide_align"), HY_ALIGN_16);
    allocate(hy_wide_align_allocator(&wide));
}

static void through_several(void) {
    hy_counting counting = HY_COUNTING_INIT(begin("arena over headered over logging over counting"));
    hy_logging logging = HY_LOGGING_INIT(hy_counting_allocator(&counting), ignore_line, NULL, NULL);
    hy_headered headered = HY_HEADERED_INIT(hy_logging_allocator(&logging));
    hy_arena arena = HY_ARENA_INIT(hy_headered_allocator(&headered));
    allocate(hy_arena_allocator(&arena));
}

static void to_failing(void) {
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 0;
    hy_failing_init(&failing, hy_raw_libc(), &options);
    hy_counting counting = HY_COUNTING_INIT(hy_failing_allocator(&failing));
    hy_allocator allocator = hy_counting_allocator(&counting);
    printf("counting over failing\n");
    fflush(stdout);
    user_function(&allocator);
    hy_stack_print_descriptor(1, failing.frames, failing.frame_count);
}

static __attribute__((noinline)) void user_function_that_errs(hy_debug *never_begun) {
    hy_debug_free(never_begun, never_begun, SIZE, HY_ALIGN_16);
    __asm__ volatile("");
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "misuse") == 0) user_function_that_errs(&debug);
    through_strategies();
    through_decorators();
    through_several();
    to_failing();
    return 0;
}
