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

#if HY_HAS_FRAME_RULES
/* A function of one byte that is never called, with call frame information as given: what compilers seldom
 * or never write. A macro since only the assembler can place it. */
#define CODE(name, information)                                                                              \
    extern const char name[];                                                                                \
    __asm__(".pushsection .text\n" #name ":\n.cfi_startproc\n" information "\nnop\n.cfi_endproc\n"           \
            ".popsection\n")

CODE(plain, "");
CODE(address_extended, ".cfi_escape 0x05,16,1");
CODE(address_signed, ".cfi_escape 0x11,16,1");
CODE(address_restored, ".cfi_offset 16,-24\n.cfi_escape 0x06,16");
CODE(address_undefined, ".cfi_undefined 16");
CODE(address_kept, ".cfi_same_value 16");
CODE(address_in_register, ".cfi_register 16,3");
CODE(address_elsewhere, ".cfi_escape 0x10,16,1,0x30");
CODE(address_computed, ".cfi_escape 0x16,16,1,0x30");
CODE(address_too_far, ".cfi_offset 16,-16");
CODE(base_signed, ".cfi_escape 0x12,6,0x7e");
CODE(base_offset_signed, ".cfi_escape 0x13,0x7e");
CODE(base_negative, ".cfi_escape 0x13,0x02");
CODE(base_zero, ".cfi_def_cfa_offset 0");
CODE(base_large, ".cfi_escape 0x0e,0x80,0x80,0x80,0x80,0x08");
CODE(base_of_64_bits, ".cfi_escape 0x13,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0x7f");
CODE(base_overlong, ".cfi_escape 0x0e,0x90,0x80,0x80,0x80,0x80,0x80,0x80,0x80,0x80,0x80,0x00");
CODE(base_overlong_signed, ".cfi_escape 0x13,0xfe,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0xff,0x7f");
CODE(base_computed, ".cfi_escape 0x0f,1,0x30");
CODE(base_of_other_register, ".cfi_def_cfa_register 3");
CODE(pointer_saved, ".cfi_def_cfa_offset 32\n.cfi_offset 6,-16");
CODE(pointer_restored, ".cfi_offset 6,-16\n.cfi_escape 0x06,6");
CODE(pointer_restored_short, ".cfi_offset 6,-16\n.cfi_restore 6");
CODE(pointer_above, ".cfi_offset 6,16");
CODE(pointer_far, ".cfi_offset 6,-32776");
CODE(pointer_undefined, ".cfi_undefined 6");
CODE(other_register, ".cfi_offset 3,-16\n.cfi_escape 0x06,3");
CODE(remembered, ".cfi_remember_state\n.cfi_def_cfa_offset 32\n.cfi_restore_state");
CODE(recalled_unremembered, ".cfi_escape 0x0b");
CODE(remembered_too_often, ".cfi_escape 10,10,10,10,10,10,10,10,10");
CODE(advanced_behind, ".cfi_escape 0x04,1,0,0,0\n.cfi_def_cfa_offset 32");
CODE(advanced_short, ".cfi_escape 0x03,1,0\n.cfi_def_cfa_offset 32");
CODE(advanced_nowhere, ".cfi_escape 0x02,0\n.cfi_def_cfa_offset 32");
CODE(arguments, ".cfi_escape 0x2e,16");
CODE(location_set, ".cfi_escape 0x01,0,0,0,0,0,0,0,0");
CODE(signal_frame, ".cfi_signal_frame");
CODE(with_personality, ".cfi_personality 0x1b,plain");
CODE(with_wide_personality, ".cfi_personality 0x1c,plain");
CODE(with_tables, ".cfi_personality 0x1b,plain\n.cfi_lsda 0x1b,plain");
CODE(returned_by_other_register, ".cfi_return_column 3");

#define STEP(frame, pointer)                                                                                 \
    { .kind = HY_FRAME_RULE_STEP, .frame_offset = (frame), .pointer_offset = (pointer) }
#define STEP_BY_POINTER(frame)                                                                               \
    { .kind = HY_FRAME_RULE_STEP, .frame_offset = (frame), .by_frame_pointer = true }
#define LAST                                                                                                 \
    { .kind = HY_FRAME_RULE_LAST }
#define UNKNOWN                                                                                              \
    { .kind = HY_FRAME_RULE_UNKNOWN }

static void each_instruction_is_read(void **state) {
    (void)state;
    const struct {
        const char *code, *name;
        hy_frame_rule rule;
    } cases[] = {
        {plain, "plain", STEP(8, 0)},
        {address_extended, "address_extended", STEP(8, 0)},
        {address_signed, "address_signed", STEP(8, 0)},
        {address_restored, "address_restored", STEP(8, 0)},
        {address_undefined, "address_undefined", LAST},
        {address_kept, "address_kept", UNKNOWN},
        {address_in_register, "address_in_register", UNKNOWN},
        {address_elsewhere, "address_elsewhere", UNKNOWN},
        {address_computed, "address_computed", UNKNOWN},
        {address_too_far, "address_too_far", UNKNOWN},
        {base_signed, "base_signed", STEP_BY_POINTER(16)},
        {base_offset_signed, "base_offset_signed", STEP(16, 0)},
        {base_negative, "base_negative", UNKNOWN},
        {base_zero, "base_zero", UNKNOWN},
        {base_large, "base_large", UNKNOWN},
        {base_of_64_bits, "base_of_64_bits", STEP(8, 0)},
        {base_overlong, "base_overlong", STEP(16, 0)},
        {base_overlong_signed, "base_overlong_signed", STEP(16, 0)},
        {base_computed, "base_computed", UNKNOWN},
        {base_of_other_register, "base_of_other_register", UNKNOWN},
        {pointer_saved, "pointer_saved", STEP(32, -16)},
        {pointer_restored, "pointer_restored", STEP(8, 0)},
        {pointer_restored_short, "pointer_restored_short", STEP(8, 0)},
        {pointer_above, "pointer_above", UNKNOWN},
        {pointer_far, "pointer_far", UNKNOWN},
        {pointer_undefined, "pointer_undefined", UNKNOWN},
        {other_register, "other_register", STEP(8, 0)},
        {remembered, "remembered", STEP(8, 0)},
        {recalled_unremembered, "recalled_unremembered", UNKNOWN},
        {remembered_too_often, "remembered_too_often", UNKNOWN},
        {advanced_behind, "advanced_behind", STEP(8, 0)},
        {advanced_short, "advanced_short", STEP(8, 0)},
        {advanced_nowhere, "advanced_nowhere", STEP(32, 0)},
        {arguments, "arguments", STEP(8, 0)},
        {location_set, "location_set", UNKNOWN},
        {signal_frame, "signal_frame", UNKNOWN},
        {with_personality, "with_personality", STEP(8, 0)},
        {with_wide_personality, "with_wide_personality", STEP(8, 0)},
        {with_tables, "with_tables", STEP(8, 0)},
        {returned_by_other_register, "returned_by_other_register", UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hy_frame_rule rule = hy_frame_rule_at((uintptr_t)cases[i].code + 1), wanted = cases[i].rule;
        if (rule.kind != wanted.kind || rule.frame_offset != wanted.frame_offset ||
            rule.pointer_offset != wanted.pointer_offset ||
            rule.by_frame_pointer != wanted.by_frame_pointer) {
            print_error("%s: kind %d, frame %d, pointer %d, by frame pointer %d\n", cases[i].name, rule.kind,
                rule.frame_offset, rule.pointer_offset, rule.by_frame_pointer);
            fail();
        }
    }
}
#endif

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
#if HY_HAS_FRAME_RULES
        cmocka_unit_test(each_instruction_is_read),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
