/* frame_rule_test.c: the walk by kept rules sees what the platform's unwinder sees, through code of every
 * kind. */
#include "allocators/core/frame_rule.h"
#include "allocators/core/unwinder.h"
#include <alloca.h>
#include <dlfcn.h>
#include <heapyard/stack_trace.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FRAMES = 32 };

typedef struct list {
    size_t count;
    void *frames[FRAMES];
} list;

static bool take(void *context, uintptr_t return_address) {
    list *l = context;
    l->frames[l->count++] = (void *)return_address;
    return l->count < FRAMES;
}

/* Both walks from here: all but the place in this function must be the same. */
static HY_NOINLINE void compare_here(void) {
    list ours = {0}, theirs = {0};
    if (!hy_unwind(take, &theirs)) skip();
    ours.count = hy_stack_capture_full(ours.frames, FRAMES);
    __asm__ volatile("");
    assert_true(theirs.count > 3);
    assert_int_equal(ours.count, theirs.count);
    for (size_t i = 1; i < ours.count; i++)
        assert_ptr_equal(ours.frames[i], theirs.frames[i]);
}

/* Every frame but the last of a stack has a rule where the platform is known. */
static HY_NOINLINE void all_places_have_rules(void) {
    list l = {0};
    l.count = hy_stack_capture_full(l.frames, FRAMES);
    __asm__ volatile("");
    for (size_t i = 0; HY_HAS_FRAME_RULES && i < l.count; i++)
        assert_int_not_equal(hy_frame_rule_at((uintptr_t)l.frames[i]).kind, HY_FRAME_RULE_UNKNOWN);
}

static void from_a_test(void **state) {
    (void)state;
    compare_here();
    compare_here();                                    /* the second time by what is kept */
    if (!HY_TSAN && !HY_ASAN) all_places_have_rules(); /* frames of theirs need not have any */
}

static int compare_and_walk(const void *left, const void *right) {
    compare_here();
    return *(const int *)left - *(const int *)right;
}

static void through_the_c_library(void **state) {
    (void)state;
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof numbers[0], compare_and_walk);
    assert_non_null(bsearch(&numbers[2], numbers, 3, sizeof numbers[0], compare_and_walk));
}

#if defined(__GNUC__) && !defined(__clang__)
#define WITHOUT_FRAME_POINTER __attribute__((optimize("omit-frame-pointer"), noinline))
#else
#define WITHOUT_FRAME_POINTER HY_NOINLINE
#endif

static WITHOUT_FRAME_POINTER void with_a_large_frame(void) {
    volatile char bytes[5000];
    bytes[4999] = 1;
    compare_here();
    bytes[0] = bytes[4999];
}

static WITHOUT_FRAME_POINTER int with_many_registers(int a, int b, int c, int d, int e, int f, int g, int h) {
    with_a_large_frame();
    return a + b * c - d * e + f * g - h;
}

static WITHOUT_FRAME_POINTER void with_a_frame_that_grows(size_t size) {
    volatile char *bytes = alloca(size);
    bytes[0] = 1;
    with_many_registers((int)size, 2, 3, 4, 5, 6, 7, bytes[0]);
    bytes[size - 1] = 2;
}

static void through_code_without_frame_pointers(void **state) {
    (void)state;
    with_a_large_frame();
    for (size_t size = 1; size < 3000; size += 77)
        with_a_frame_that_grows(size);
}

static HY_NOINLINE void recur(int depth) {
    if (depth > 0)
        recur(depth - 1);
    else
        compare_here();
    __asm__ volatile("");
}

static void as_deep_as_there_is_room(void **state) {
    (void)state;
    for (int depth = 0; depth < 2 * FRAMES; depth += 3)
        recur(depth);
}

static void *walk_in_thread(void *argument) {
    for (int i = 0; i < 200; i++)
        recur(i % 8);
    return argument;
}

static void in_threads_at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, walk_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void walk_in_handler(int number) {
    (void)number;
    compare_here();
}

static void through_a_signal_handler(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = walk_in_handler}, before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

static void what_is_no_code_has_no_rule(void **state) {
    (void)state;
    static const char data[64] = "not code";
    const uintptr_t places[] = {0, 1, 4096, UINTPTR_MAX, (uintptr_t)data + 8, (uintptr_t)&state};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(hy_frame_rule_at(places[i]).kind, HY_FRAME_RULE_UNKNOWN);
        assert_int_equal(hy_frame_rule_at(places[i]).kind, HY_FRAME_RULE_UNKNOWN);
    }
}

/* Whatever bytes of a program's code an address stands for: a rule is read or none is. */
static void any_place_in_code_is_taken(void **state) {
    (void)state;
    uintptr_t begin = (uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
    size_t steps = 0;
    for (uintptr_t place = begin; place < begin + (1 << 16); place++)
        steps += hy_frame_rule_at(place).kind == HY_FRAME_RULE_STEP;
    if (HY_HAS_FRAME_RULES) assert_true(steps > 1 << 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_test),
        cmocka_unit_test(through_the_c_library),
        cmocka_unit_test(through_code_without_frame_pointers),
        cmocka_unit_test(as_deep_as_there_is_room),
        cmocka_unit_test(in_threads_at_once),
        cmocka_unit_test(through_a_signal_handler),
        cmocka_unit_test(what_is_no_code_has_no_rule),
        cmocka_unit_test(any_place_in_code_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
