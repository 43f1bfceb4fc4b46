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
#include <signal.h>
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

#define BESIDE_BYTES ((size_t)1 << 21)

/* Runs in the lower half of one mapping, whose upper half goes away. */
static void *capture_beside_a_hole(void *upper) {
    void *frames[FRAMES];
    size_t count = hy_stack_capture(frames, FRAMES);
    if (count == 0 || munmap(upper, BESIDE_BYTES) != 0) return NULL;
    count = capture_with_frame_pointer((uintptr_t)upper + 64, frames);
    return count == 1 ? upper : NULL;
}

static void what_lies_behind_a_threads_stack_is_not_read(void **state) {
    (void)state;
    char *stack = mmap(NULL, 2 * BESIDE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    pthread_attr_t attributes;
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, BESIDE_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attributes, capture_beside_a_hole, stack + BESIDE_BYTES), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, stack + BESIDE_BYTES);
    pthread_attr_destroy(&attributes);
    munmap(stack, BESIDE_BYTES);
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

/* Lines are there where the build has libdw. */
static bool has_lines(void) {
    return strstr(hy_stack_names(), "line (libdw)") != NULL;
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
    if (has_lines()) assert_non_null(strstr(text, " in printing_names_each_frame"));
    assert_non_null(strstr(text, "libcmocka"));
    free(text);
}

typedef struct kept {
    size_t count;
    hy_frame frames[FRAMES];
    char function[FRAMES][64], file[FRAMES][256], object[FRAMES][256];
} kept;

static void keep_frame(void *context, const hy_frame *frame) {
    kept *k = context;
    assert_int_equal(frame->index, k->count);
    if (k->count == FRAMES) return;
    size_t i = k->count++;
    k->frames[i] = *frame;
    snprintf(k->function[i], sizeof k->function[i], "%s", frame->function ? frame->function : "");
    snprintf(k->file[i], sizeof k->file[i], "%s", frame->file ? frame->file : "");
    snprintf(k->object[i], sizeof k->object[i], "%s", frame->object ? frame->object : "");
}

static bool is_among(void *const *frames, size_t count, uintptr_t function) {
    for (size_t i = 0; i < count; i++) {
        if (lies_in(frames[i], function)) return true;
    }
    return false;
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

/* Linked statically, the library's frames are told from the program's by what is known of their functions. */
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
    assert_true(is_among(failing.frames, failing.frame_count, (uintptr_t)allocate_through));
    kept k = {0};
    hy_stack_resolve(failing.frames, failing.frame_count, keep_frame, &k);
    assert_true(k.count > 1);
    if (!has_lines()) return;
    assert_string_equal(k.function[0], "allocate_through");
    assert_true(lies_in(k.frames[0].address, (uintptr_t)allocate_through));
}

static int inlined_line;

/* Spelled out: coverage builds inline nothing that says HY_INLINE. */
__attribute__((__always_inline__)) static inline size_t capture_inlined(void **frames, size_t capacity) {
    inlined_line = __LINE__ + 1;
    size_t count = hy_stack_capture(frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}

static void frames_are_told_with_file_and_line(void **state) {
    (void)state;
    void *frames[2];
    int line = __LINE__ + 1;
    size_t count = capture_inlined(frames, 2);
    kept k = {0};
    hy_stack_resolve(frames, count, keep_frame, &k);
    assert_true(k.count >= 2);
    assert_ptr_equal(k.frames[0].address, frames[0]);
    assert_non_null(strstr(k.object[0], "stack_trace_test"));
    if (!has_lines()) {
        assert_int_equal(k.frames[0].line, 0);
        return;
    }
    assert_string_equal(k.function[0], "capture_inlined");
    assert_true(k.frames[0].is_inlined);
    assert_int_equal(k.frames[0].line, inlined_line);
    assert_string_equal(k.function[1], "frames_are_told_with_file_and_line");
    assert_false(k.frames[1].is_inlined);
    assert_int_equal(k.frames[1].line, line);
    assert_ptr_equal(k.frames[1].address, frames[0]);
    assert_non_null(strstr(k.file[1], "core/stack_trace_test.c"));
}

static void what_is_no_code_has_its_address_alone(void **state) {
    (void)state;
    void *frames[] = {NULL, &frames, (void *)UINTPTR_MAX};
    kept k = {0};
    hy_stack_resolve(frames, 3, keep_frame, &k);
    assert_int_equal(k.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(k.frames[i].address, frames[i]);
        assert_null(k.frames[i].object);
        assert_string_equal(k.function[i], "");
    }
}

static void a_line_is_cut_off_where_it_has_no_room(void **state) {
    (void)state;
    hy_frame frame = {.index = 3,
        .address = (void *)0x1234,
        .function = "parse",
        .function_offset = 0x20,
        .object = "/usr/bin/tool",
        .object_offset = 0x99};
    char line[200];
    size_t whole = hy_frame_format(&frame, line, sizeof line);
    assert_int_equal(whole, strlen(line));
    assert_string_equal(line, "    #3 0x1234 in parse+0x20 (/usr/bin/tool+0x99)\n");
    frame.file = "parse.c";
    frame.line = 42;
    hy_frame_format(&frame, line, sizeof line);
    assert_string_equal(line, "    #3 0x1234 in parse at parse.c:42 (/usr/bin/tool+0x99)\n");
    frame.is_inlined = true;
    hy_frame_format(&frame, line, sizeof line);
    assert_string_equal(line, "    #3 0x1234 in parse at parse.c:42 (inlined)\n");
    for (size_t capacity = 2; capacity < 60; capacity++) {
        memset(line, 'x', sizeof line);
        size_t size = hy_frame_format(&frame, line, capacity);
        assert_true(size < capacity && size == strlen(line));
        assert_int_equal(line[size - 1], '\n');
        assert_int_equal(line[capacity], 'x');
    }
}

static void count_line(void *context, const char *line, size_t size) {
    assert_int_equal(strlen(line), size);
    assert_int_equal(line[size - 1], '\n');
    ++*(size_t *)context;
}

static void sinks_streams_and_descriptors_are_told_the_same(void **state) {
    (void)state;
    void *frames[FRAMES];
    size_t count = hy_stack_capture(frames, FRAMES), lines = 0;
    hy_stack_print_to(count_line, &lines, frames, count);
    assert_true(lines >= count);
    char *text = text_of(frames, count), read_back[1 << 14] = "";
    FILE *file = tmpfile();
    hy_stack_print_descriptor(fileno(file), frames, count);
    rewind(file);
    assert_int_equal(fread(read_back, 1, sizeof read_back - 1, file), strlen(text));
    assert_string_equal(read_back, text);
    fclose(file);
    free(text);
}

/* The innermost printing has what it can; it neither waits nor recurs. */
static void print_again(void *context, const hy_frame *frame) {
    void *address = frame->address;
    kept inner = {0};
    hy_stack_resolve(&address, 1, keep_frame, &inner);
    assert_int_equal(inner.frames[0].line, 0);
    ++*(size_t *)context;
}

static void a_sink_may_print_too(void **state) {
    (void)state;
    void *frames[2];
    size_t count = hy_stack_capture(frames, 2), told = 0;
    hy_stack_resolve(frames, count, print_again, &told);
    assert_true(told >= count);
    kept k = {0};
    hy_stack_resolve(frames, 1, keep_frame, &k);
    if (has_lines()) assert_int_not_equal(k.frames[0].line, 0);
}

static void *print_often(void *argument) {
    void *frames[4];
    for (int i = 0; i < 20; i++) {
        kept k = {0};
        hy_stack_resolve(frames, hy_stack_capture(frames, 4), keep_frame, &k);
        if (!has_lines()) continue;
        assert_string_equal(k.function[0], "print_often");
        assert_int_not_equal(k.frames[0].line, 0);
    }
    return argument;
}

static void threads_print_at_once(void **state) {
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, print_often, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static struct {
    size_t quick_count, full_count;
    void *quick[FRAMES], *full[FRAMES];
} in_handler;

static HY_NOINLINE void capture_in_handler(int number) {
    (void)number;
    in_handler.quick_count = hy_stack_capture(in_handler.quick, FRAMES);
    in_handler.full_count = hy_stack_capture_full(in_handler.full, FRAMES);
}

static HY_NOINLINE void raise_here(void) {
    raise(SIGUSR1);
    __asm__ volatile("");
}

static void a_handler_on_its_own_stack_is_walked(void **state) {
    (void)state;
    static _Alignas(16) char memory[1 << 16];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory}, before;
    struct sigaction action = {.sa_handler = capture_in_handler, .sa_flags = SA_ONSTACK}, old;
    assert_int_equal(sigaltstack(&stack, &before), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    raise_here();
    assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
    assert_int_equal(sigaltstack(&before, NULL), 0);
    assert_true(in_handler.quick_count >= 1);
#if !HY_TSAN /* whose own handler stands between */
    assert_true(lies_in(in_handler.quick[0], (uintptr_t)capture_in_handler));
    assert_true(lies_in(in_handler.full[0], (uintptr_t)capture_in_handler));
    assert_true(is_among(in_handler.full, in_handler.full_count, (uintptr_t)raise_here));
#endif
    void *frames[FRAMES];
    assert_true(capture_here(frames, FRAMES) >= 3);
    assert_true(lies_in(frames[0], (uintptr_t)capture_here));
}

/* qsort calls back through code of the C library, which has no frame pointers: the walk by them may end
 * there, the full one goes through. */
static int compare_and_capture(const void *left, const void *right) {
    (void)left, (void)right;
    in_handler.quick_count = hy_stack_capture(in_handler.quick, FRAMES);
    in_handler.full_count = hy_stack_capture_full(in_handler.full, FRAMES);
    return 0;
}

static HY_NOINLINE void sort_here(void) {
    int numbers[2] = {1, 2};
    qsort(numbers, 2, sizeof numbers[0], compare_and_capture);
    __asm__ volatile("");
}

static void code_without_frame_pointers_is_survived(void **state) {
    (void)state;
    sort_here();
    assert_true(in_handler.quick_count >= 1);
    assert_true(lies_in(in_handler.quick[0], (uintptr_t)compare_and_capture));
    assert_true(is_among(in_handler.full, in_handler.full_count, (uintptr_t)sort_here));
}

static void printing_takes_nothing_from_the_allocator(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_failing failing;
    hy_failing_options options = HY_FAILING_DEFAULTS;
    options.fail_alloc_at = 0;
    hy_failing_init(&failing, hy_counting_allocator(&counting), &options);
    hy_allocator top = hy_failing_allocator(&failing);
    assert_null(allocate_through(&top));
    char *text = text_of(failing.frames, failing.frame_count);
    if (has_lines()) assert_non_null(strstr(text, "allocate_through"));
    free(text);
    assert_int_equal(counting.counts.alloc_count + counting.counts.alloc_refused_count, 0);
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
        cmocka_unit_test(what_lies_behind_a_threads_stack_is_not_read),
#endif
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(printing_names_each_frame),
        cmocka_unit_test(frames_are_told_with_file_and_line),
        cmocka_unit_test(what_is_no_code_has_its_address_alone),
        cmocka_unit_test(a_line_is_cut_off_where_it_has_no_room),
        cmocka_unit_test(sinks_streams_and_descriptors_are_told_the_same),
        cmocka_unit_test(a_sink_may_print_too),
        cmocka_unit_test(threads_print_at_once),
        cmocka_unit_test(a_handler_on_its_own_stack_is_walked),
        cmocka_unit_test(code_without_frame_pointers_is_survived),
        cmocka_unit_test(printing_takes_nothing_from_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
