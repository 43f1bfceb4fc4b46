/* stack_trace_test.c: a trace begins at the caller of the library, whatever lies in between, and no stack
 * can make the walk crash. */
#include <errno.h>
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/recording.h>
#include <heapyard/stack_trace.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

enum { FRAMES = 32 };

/* Whether the frame lies in the function, whose code is shorter than this. */
static bool lies_in(const void *frame, uintptr_t function) {
    return (uintptr_t)frame - function < 4096;
}

static HY_NOINLINE size_t capture_here(void **frames, size_t capacity) {
    size_t count = hy_stack_capture(frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}

static HY_NOINLINE size_t capture_full_here(void **frames, size_t capacity) {
    size_t count = hy_stack_capture_full(frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}

static void begins_at_the_caller(void **state) {
    (void)state;
    void *frames[FRAMES];
    assert_true(capture_here(frames, FRAMES) >= 3);
    assert_true(lies_in(frames[0], (uintptr_t)capture_here));
    assert_true(capture_full_here(frames, FRAMES) >= 3);
    assert_true(lies_in(frames[0], (uintptr_t)capture_full_here));
}

static void both_ways_agree(void **state) {
    (void)state;
    void *quick[4], *full[4];
    size_t quick_count = hy_stack_capture(quick, 4);
    size_t full_count = hy_stack_capture_full(full, 4);
    assert_true(quick_count >= 2 && full_count >= 2);
    assert_ptr_equal(quick[1], full[1]);
}

static void capacity_is_kept(void **state) {
    (void)state;
    void *frames[3] = {NULL, NULL, &frames};
    assert_int_equal(hy_stack_capture(frames, 0), 0);
    assert_null(frames[0]);
    assert_int_equal(hy_stack_capture(frames, 2), 2);
    assert_int_equal(hy_stack_capture_full(frames, 1), 1);
    assert_ptr_equal(frames[2], &frames);
}

static void ignore_call(void *context, const hy_call *call) {
    (void)context, (void)call;
}

/* The vtable is opaque here, so that nothing is inlined. */
static HY_NOINLINE void *allocate_through(hy_allocator *volatile allocator) {
    void *ptr = hy_alloc(*allocator, 100, HY_ALIGN_8);
    __asm__ volatile("" ::: "memory");
    return ptr;
}

static void decorators_are_left_out(void **state) {
    (void)state;
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 0;
    hy_failing_init(&failing, hy_libc(), &options);
    hy_counting counting = HY_COUNTING_INIT(hy_failing_allocator(&failing));
    hy_headered headered = HY_HEADERED_INIT(hy_counting_allocator(&counting));
    hy_recording recording;
    hy_recording_init(&recording, hy_headered_allocator(&headered), ignore_call, NULL);
    hy_allocator top = hy_recording_allocator(&recording);
    assert_null(allocate_through(&top));
    assert_true(failing.frame_count > 1);
    assert_true(lies_in(failing.frames[0], (uintptr_t)allocate_through));
}

static void *capture_in_thread(void *argument) {
    size_t count = hy_stack_capture(argument, FRAMES);
    __asm__ volatile("" ::: "memory");
    return (void *)count;
}

static void threads_have_stacks_too(void **state) {
    (void)state;
    void *frames[FRAMES], *count = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, capture_in_thread, frames), 0);
    assert_int_equal(pthread_join(thread, &count), 0);
    assert_true((size_t)count >= 1);
    assert_true(lies_in(frames[0], (uintptr_t)capture_in_thread));
}

static struct {
    ucontext_t back, fibre;
    size_t count;
    void *frames[FRAMES];
} fibres;

static void fibre_main(void) {
    fibres.count = hy_stack_capture(fibres.frames, FRAMES);
    swapcontext(&fibres.fibre, &fibres.back);
}

/* The stack ends at a page that can't be read. */
static void a_fibres_stack_is_not_left(void **state) {
    (void)state;
#if HY_TSAN
    skip(); /* it would have to be told of every switch */
#endif
    size_t size = 1 << 16, guard = 4096;
    char *stack = mmap(NULL, size + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    assert_int_equal(mprotect(stack + size, guard, PROT_NONE), 0);
    assert_int_equal(getcontext(&fibres.fibre), 0);
    fibres.fibre.uc_stack.ss_sp = stack;
    fibres.fibre.uc_stack.ss_size = size;
    fibres.fibre.uc_link = NULL;
    makecontext(&fibres.fibre, fibre_main, 0);
    for (int round = 0; round < 2; round++) {
        fibres.count = 0;
        if (round == 0)
            assert_int_equal(swapcontext(&fibres.back, &fibres.fibre), 0);
        else
            fibres.count = hy_stack_capture(fibres.frames, FRAMES);
        assert_true(fibres.count >= 1);
    }
    munmap(stack, size + guard);
}

#if defined(__x86_64__)
/* Captures while the frame pointer holds what code without frame pointers may have put there. */
static HY_NOINLINE size_t capture_with_frame_pointer(uintptr_t value, void **frames) {
    size_t count;
    __asm__ volatile("pushq %%rbp\n\t"
                     "movq %[value], %%rbp\n\t"
                     "movq %[frames], %%rdi\n\t"
                     "movq %[capacity], %%rsi\n\t"
                     "movq %%rsp, %%rbx\n\t"
                     "subq $256, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "call *%[capture]\n\t"
                     "movq %%rbx, %%rsp\n\t"
                     "popq %%rbp\n\t"
                     : "=a"(count)
                     : [value] "r"(value), [frames] "r"(frames), [capacity] "r"((size_t)FRAMES),
                     [capture] "r"(hy_stack_capture)
                     : "rbx", "rdi", "rsi", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    return count;
}

static void garbage_in_the_register_is_not_followed(void **state) {
    (void)state;
    void *frames[FRAMES];
    uintptr_t here = (uintptr_t)frames;
    const uintptr_t values[] = {0, 1, 8, 4096, UINTPTR_MAX, UINTPTR_MAX - 7, here + 1, here - 4096,
        here & ~(uintptr_t)15, (uintptr_t)&capture_here, (uintptr_t)1 << 62};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        size_t count = capture_with_frame_pointer(values[i], frames);
        assert_true(count >= 1 && count <= FRAMES);
    }
}
#endif

static void errno_survives(void **state) {
    (void)state;
    void *frames[FRAMES];
    pthread_t thread;
    errno = EAGAIN;
    hy_stack_capture(frames, FRAMES);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(pthread_create(&thread, NULL, capture_in_thread, frames), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* What is printed, which the caller frees. */
static char *text_of(void *const *frames, size_t count) {
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    hy_stack_print(stream, frames, count);
    fclose(stream);
    return text;
}

static void printing_names_each_frame(void **state) {
    (void)state;
    void *frames[FRAMES];
    size_t count = hy_stack_capture(frames, FRAMES);
    char *text = text_of(frames, count);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_true(lines >= count);
    assert_non_null(strstr(text, "stack_trace_test+0x"));
    assert_non_null(strstr(text, "    #0 0x"));
    assert_non_null(strstr(text, " in printing_names_each_frame"));
    assert_non_null(strstr(text, "libcmocka"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_at_the_caller),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(capacity_is_kept),
        cmocka_unit_test(decorators_are_left_out),
        cmocka_unit_test(threads_have_stacks_too),
        cmocka_unit_test(a_fibres_stack_is_not_left),
#if defined(__x86_64__)
        cmocka_unit_test(garbage_in_the_register_is_not_followed),
#endif
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(printing_names_each_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
