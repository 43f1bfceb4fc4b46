/* instance_per_call.c: a debug allocator for each call of a native function, as Zigler has on the Erlang VM.
 *
 * A runtime that calls native code wants to know which call leaked. An instance is a struct and a few
 * kilobytes, so each call gets one of its own, whose deinit reports leaks; detect_leaks reports them at any
 * time before.
 *
 *   $ instance_per_call
 *   while a block lives: a leak
 *   after its free: none
 *   arena over debug: [0, 1, 2, 3]
 *   sum of [1, 2, 3]: 6
 *   slice of 3: [0, 1, 2]
 *   calls that leaked: 0 of 4
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Suppresses reports on standard error: the return value of deinit is enough here. */
static void ignore_report(void *context, const hy_debug_report *report) {
    (void)context, (void)report;
}

/* The numbers from 0, freed by hy_free_n. NULL: out of memory. */
static int *count_up(hy_allocator gpa, size_t count) {
    int *numbers = hy_alloc_n(gpa, int, count);
    for (size_t i = 0; numbers && i < count; i++)
        numbers[i] = (int)i;
    return numbers;
}

static void print(const char *label, const int *numbers, size_t count) {
    printf("%s: [", label);
    for (size_t i = 0; numbers && i < count; i++)
        printf(i ? ", %d" : "%d", numbers[i]);
    puts("]");
}

static void detects_leaks_before_deinit(hy_debug *debug) {
    hy_allocator gpa = hy_debug_allocator(debug);
    char *block = hy_alloc_n(gpa, char, 100);
    printf("while a block lives: %s\n", hy_debug_detect_leaks(debug) ? "a leak" : "none");
    hy_free_n(gpa, block, 100);
    printf("after its free: %s\n", hy_debug_detect_leaks(debug) ? "a leak" : "none");
}

static void uses_an_arena(hy_debug *debug) {
    hy_arena arena = HY_ARENA_INIT(hy_debug_allocator(debug));
    print("arena over debug", count_up(hy_arena_allocator(&arena), 4), 4);
    hy_arena_deinit(&arena);
}

static void sums(hy_debug *debug) {
    hy_allocator gpa = hy_debug_allocator(debug);
    const int given[] = {1, 2, 3};
    int *numbers = hy_dupe(gpa, int, given, 3);
    if (!numbers) return;
    printf("sum of [1, 2, 3]: %d\n", numbers[0] + numbers[1] + numbers[2]);
    hy_free_n(gpa, numbers, 3);
}

static void fills_a_slice(hy_debug *debug) {
    int *slice = count_up(hy_debug_allocator(debug), 3);
    print("slice of 3", slice, 3);
    hy_free_n(hy_debug_allocator(debug), slice, 3);
}

/* Calls the function with an instance of its own; returns whether it leaked. */
static bool call(void (*function)(hy_debug *)) {
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.hook = ignore_report;
    if (hy_debug_init(&debug, hy_libc(), &config) != HY_OK) return true;
    function(&debug);
    return hy_debug_deinit(&debug, NULL) == HY_LEAK;
}

int main(void) {
    int leaked = call(detects_leaks_before_deinit) + call(uses_an_arena) + call(sums) + call(fills_a_slice);
    printf("calls that leaked: %d of 4\n", leaked);
    return 0;
}
