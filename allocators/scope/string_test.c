/* string_test.c: who owns what, in which order it goes and by how many allocations; refusals and edges. */
#include "allocators/conformance/dies.h"
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/recording.h>
#include <heapyard/string.h>
#include <heapyard/sweep.h>
#include <wchar.h>

static const hy_string empty = {NULL, 0, 0};

static void assert_string(hy_string string, const char *text) {
    assert_int_equal(string.len, strlen(text));
    assert_string_equal(hy_string_cstr(&string), text);
}

/* Bytes of a block beyond the string's own. */
#define BLOCK(len) ((len) + 2 * sizeof(void *) + 1)

static void static_strings_cost_nothing(void **state) {
    (void)state;
    HY_MANAGED_STRING literal = HY_STRING("hello");
    HY_MANAGED_STRING copy = empty, tail = empty, none = empty, named = hy_string_static("name");
    assert_false(hy_string_is_owned(literal));
    assert_int_equal(hy_string_copy(hy_null(), &copy, literal), HY_OK);
    assert_ptr_equal(copy.ptr, literal.ptr);
    assert_int_equal(hy_string_slice(hy_null(), &tail, literal, 2, 5), HY_OK);
    assert_string(tail, "llo");
    assert_int_equal(hy_string_concat(hy_null(), &none, empty, HY_STRING("")), HY_OK);
    assert_string(none, "");
    assert_string(named, "name");
    assert_string(hy_string_static(NULL), "");
}

static void an_owned_copy_has_bytes_of_its_own(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_allocator gpa = hy_counting_allocator(&counting);
    {
        HY_MANAGED_STRING owned = empty, copy = empty;
        assert_int_equal(hy_string_from(gpa, &owned, "hello", 5), HY_OK);
        assert_true(hy_string_is_owned(owned));
        assert_int_equal(hy_string_copy(gpa, &copy, owned), HY_OK);
        assert_ptr_not_equal(copy.ptr, owned.ptr);
        assert_int_equal(counting.counts.alloc_count, 2);
        assert_int_equal(counting.counts.live_bytes, 2 * BLOCK(5));
        hy_string_drop(&owned);
        assert_string(copy, "hello");
        assert_string(owned, "");
        hy_string_drop(&owned); /* nothing is left to drop */
    }
    assert_int_equal(counting.counts.live_bytes, 0);
}

/* The sizes that were freed, in order. */
typedef struct order {
    size_t sizes[8];
    size_t count;
} order;

static void note(void *context, const hy_call *call) {
    order *it = context;
    if (call->kind == HY_CALL_FREE && it->count < 8) it->sizes[it->count++] = call->old_size;
}

static hy_string moved(hy_allocator gpa) {
    HY_MANAGED_STRING first = empty, second = empty;
    assert_int_equal(hy_string_from(gpa, &first, "1", 1), HY_OK);
    assert_int_equal(hy_string_from(gpa, &second, "22", 2), HY_OK);
    return HY_MOVE(second);
}

static void strings_drop_in_reverse_order_and_move_on_return(void **state) {
    (void)state;
    order seen = {{0}, 0};
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), note, &seen);
    hy_allocator gpa = hy_recording_allocator(&recording);
    {
        HY_MANAGED_STRING first = empty, second = empty, third = empty;
        assert_int_equal(hy_string_from(gpa, &first, "1", 1), HY_OK);
        assert_int_equal(hy_string_from(gpa, &second, "22", 2), HY_OK);
        assert_int_equal(hy_string_from(gpa, &third, "333", 3), HY_OK);
    }
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen.sizes[i], BLOCK(3 - i));
    seen.count = 0;
    HY_MANAGED_STRING kept = moved(gpa);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.sizes[0], BLOCK(1));
    assert_string(kept, "22");
}

static void each_result_is_one_allocation(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    hy_allocator gpa = hy_counting_allocator(&counting);
    HY_MANAGED_STRING text = empty, part = empty, line = empty;
    assert_int_equal(hy_string_concat(gpa, &text, HY_STRING("hello, "), HY_STRING("world")), HY_OK);
    assert_string(text, "hello, world");
    assert_int_equal(counting.counts.alloc_count, 1);
    assert_int_equal(hy_string_slice(gpa, &part, text, 7, 12), HY_OK);
    assert_string(part, "world");
    assert_int_equal(counting.counts.alloc_count, 2);
    assert_int_equal(hy_string_format(gpa, &line, "%s %d", hy_string_cstr(&part), 42), HY_OK);
    assert_string(line, "world 42");
    assert_int_equal(counting.counts.alloc_count, 3);
    assert_int_equal(hy_string_format(gpa, &line, "%0*d", 1000, 7), HY_OK);
    assert_int_equal(line.len, 1000);
    assert_int_equal(line.ptr[999], '7');
    assert_int_equal(counting.counts.alloc_count, 4);
    const hy_string three[] = {HY_STRING("a"), HY_STRING(""), HY_STRING("c")};
    assert_int_equal(hy_string_join(gpa, &line, three, 3, HY_STRING(", ")), HY_OK);
    assert_string(line, "a, , c");
    assert_int_equal(counting.counts.alloc_count, 5);
    assert_int_equal(counting.counts.live_bytes, BLOCK(12) + BLOCK(5) + BLOCK(6));
}

static void appending_many_is_few_allocations(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_MANAGED_STRING text = HY_STRING("x");
    for (int i = 0; i < 10000; i++)
        assert_int_equal(hy_string_append(hy_counting_allocator(&counting), &text, HY_STRING("y")), HY_OK);
    assert_int_equal(text.len, 10001);
    assert_true(counting.counts.alloc_count < 40);
    size_t allocs = (size_t)counting.counts.alloc_count, cap = text.cap;
    while (text.len < cap)
        assert_int_equal(hy_string_append(hy_null(), &text, HY_STRING("z")), HY_OK);
    assert_int_equal(counting.counts.alloc_count, allocs);
}

static void a_string_can_be_appended_to_itself(void **state) {
    (void)state;
    HY_MANAGED_STRING text = HY_STRING("ab");
    for (int i = 0; i < 3; i++)
        assert_int_equal(hy_string_append(hy_libc(), &text, text), HY_OK);
    assert_string(text, "abababababababab");
    const hy_string inner = {text.ptr + 1, 3, 0}; /* "bab", which moves with the block */
    assert_int_equal(hy_string_append(hy_libc(), &text, inner), HY_OK);
    assert_string(text, "ababababababababbab");
    assert_int_equal(hy_string_slice(hy_libc(), &text, text, 0, 16), HY_OK);
    assert_int_equal(hy_string_concat(hy_libc(), &text, text, HY_STRING("!")), HY_OK);
    assert_string(text, "abababababababab!");
    assert_int_equal(hy_string_slice(hy_libc(), &text, text, 14, 17), HY_OK);
    assert_string(text, "ab!");
    assert_int_equal(hy_string_copy(hy_libc(), &text, text), HY_OK);
    assert_string(text, "ab!");
}

static void bytes_are_left_alone(void **state) {
    (void)state;
    HY_MANAGED_STRING zeroes = HY_STRING("a\0b"), utf8 = HY_STRING("\xC3\xA9t\xC3\xA9"), both = empty;
    assert_int_equal(zeroes.len, 3);
    assert_int_equal(hy_string_concat(hy_libc(), &both, zeroes, utf8), HY_OK);
    assert_int_equal(both.len, 8);
    assert_memory_equal(both.ptr, "a\0b\xC3\xA9t\xC3\xA9", 9);
    assert_int_equal(strlen(hy_string_cstr(&both)), 1);
    assert_int_equal(hy_string_find(both, HY_STRING("b\xC3"), 0), 2);
    assert_true(hy_string_compare(HY_STRING("a\0b"), HY_STRING("a\0c")) < 0);
}

/* A struct with strings, and what it owes to be managed. */
typedef struct record {
    hy_string key, value;
} record;

static void record_drop(record *it) {
    hy_string_drop(&it->value);
    hy_string_drop(&it->key);
}

static hy_error record_copy(hy_allocator gpa, record *out, const record *it) {
    HY_MANAGED(record_drop) record copy = {{NULL, 0, 0}, {NULL, 0, 0}};
    hy_error error = hy_string_copy(gpa, &copy.key, it->key);
    if (error == HY_OK) error = hy_string_copy(gpa, &copy.value, it->value);
    if (error != HY_OK) return error;
    record_drop(out);
    *out = HY_MOVE(copy);
    return HY_OK;
}

static void structs_of_strings_drop_and_copy_all_of_them(void **state) {
    (void)state;
    order seen = {{0}, 0};
    hy_recording recording;
    hy_recording_init(&recording, hy_libc(), note, &seen);
    hy_counting counting = HY_COUNTING_INIT(hy_recording_allocator(&recording));
    hy_allocator gpa = hy_counting_allocator(&counting);
    {
        HY_MANAGED(record_drop) record one = {HY_STRING("static"), {NULL, 0, 0}};
        HY_MANAGED(record_drop) record two = {{NULL, 0, 0}, {NULL, 0, 0}};
        assert_int_equal(hy_string_from(gpa, &one.value, "owned", 5), HY_OK);
        assert_int_equal(record_copy(gpa, &two, &one), HY_OK);
        assert_int_equal(counting.counts.alloc_count, 2); /* the static one is shared */
        assert_ptr_equal(two.key.ptr, one.key.ptr);
        assert_ptr_not_equal(two.value.ptr, one.value.ptr);
        assert_int_equal(record_copy(hy_null(), &two, &one), HY_OUT_OF_MEMORY);
        assert_string(two.value, "owned");
        assert_int_equal(hy_string_append(gpa, &two.key, HY_STRING("!!")), HY_OK);
        seen.count = 0;
    }
    /* The last declared first, and in it the last field first. */
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.sizes[0], BLOCK(5));
    assert_int_equal(seen.sizes[1], BLOCK(8));
    assert_int_equal(seen.sizes[2], BLOCK(5));
    assert_int_equal(counting.counts.live_bytes, 0);
}

static void comparing_is_by_bytes(void **state) {
    (void)state;
    const hy_string in_order[] = {empty, HY_STRING("a"), HY_STRING("aa"), HY_STRING("b"), HY_STRING("\xC3")};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            int sign = hy_string_compare(in_order[i], in_order[j]);
            assert_int_equal((sign > 0) - (sign < 0), (i > j) - (i < j));
            assert_int_equal(hy_string_equal(in_order[i], in_order[j]), i == j);
        }
    }
    assert_true(hy_string_equal(empty, HY_STRING("")));
}

static void finding_stays_within(void **state) {
    (void)state;
    hy_string text = HY_STRING("abcabc");
    assert_int_equal(hy_string_find(text, HY_STRING("abc"), 0), 0);
    assert_int_equal(hy_string_find(text, HY_STRING("abc"), 1), 3);
    assert_int_equal(hy_string_find(text, HY_STRING("abc"), 4), SIZE_MAX);
    assert_int_equal(hy_string_find(text, HY_STRING("c"), 5), 5);
    assert_int_equal(hy_string_find(text, HY_STRING(""), 6), 6);
    assert_int_equal(hy_string_find(text, HY_STRING(""), 7), SIZE_MAX);
    assert_int_equal(hy_string_find(text, HY_STRING("abcabcd"), 0), SIZE_MAX);
    assert_int_equal(hy_string_find(empty, HY_STRING("a"), 0), SIZE_MAX);
    assert_int_equal(hy_string_find(empty, empty, 0), 0);
}

static void splitting_and_joining_are_inverse(void **state) {
    (void)state;
    static const char *const texts[] = {"", ",", "a", "a,b", ",a,,b,", "abc", ",,,"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        HY_MANAGED_STRING owned = empty, again = empty;
        HY_MANAGED_STRING_LIST parts = {NULL, 0, {NULL, NULL}};
        assert_int_equal(hy_string_from(hy_libc(), &owned, texts[i], strlen(texts[i])), HY_OK);
        assert_int_equal(hy_string_split(hy_libc(), &parts, owned, HY_STRING(",")), HY_OK);
        assert_int_equal(
            hy_string_split(hy_libc(), &parts, hy_string_static(texts[i]), HY_STRING(",")), HY_OK);
        assert_int_equal(hy_string_join(hy_libc(), &again, parts.items, parts.count, HY_STRING(",")), HY_OK);
        assert_string(again, texts[i]);
    }
    HY_MANAGED_STRING_LIST parts = {NULL, 0, {NULL, NULL}};
    assert_int_equal(hy_string_split(hy_libc(), &parts, HY_STRING(",a,,b"), HY_STRING(",")), HY_OK);
    assert_int_equal(parts.count, 4);
    assert_string(parts.items[1], "a");
    assert_string(parts.items[2], "");
    assert_int_equal(hy_string_split(hy_libc(), &parts, HY_STRING("aXXXb"), HY_STRING("XX")), HY_OK);
    assert_int_equal(parts.count, 2);
    assert_string(parts.items[1], "Xb");
    assert_int_equal(hy_string_split(hy_libc(), &parts, HY_STRING("a"), empty), HY_INVALID);
    assert_int_equal(parts.count, 2); /* as it was */
}

static void lengths_near_the_end_are_refused(void **state) {
    (void)state;
    /* No such bytes are there; nothing reads them, since the length is refused before. */
    const hy_string huge = {"x", SIZE_MAX, 0}, half = {"x", SIZE_MAX / 2 + 1, 0};
    const hy_string most = {"x", HY_STRING_LEN_MAX, 0}, more = {"x", HY_STRING_LEN_MAX + 1, 0};
    HY_MANAGED_STRING out = HY_STRING("kept");
    assert_int_equal(hy_string_concat(hy_libc(), &out, huge, HY_STRING("y")), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_concat(hy_libc(), &out, half, half), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_concat(hy_libc(), &out, more, empty), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_concat(hy_null(), &out, most, empty), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_append(hy_libc(), &out, huge), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_append(hy_libc(), &out, more), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_reserve(hy_libc(), &out, SIZE_MAX), HY_OUT_OF_MEMORY);
    assert_string(out, "kept");
    assert_int_equal(hy_string_append(hy_libc(), &out, HY_STRING("!")), HY_OK);
    assert_int_equal(hy_string_append(hy_libc(), &out, huge), HY_OUT_OF_MEMORY);
    assert_int_equal(hy_string_reserve(hy_libc(), &out, SIZE_MAX), HY_OUT_OF_MEMORY);
    assert_string(out, "kept!");
    assert_int_equal(hy_string_slice(hy_libc(), &out, HY_STRING("abc"), 2, 1), HY_INVALID);
    assert_int_equal(hy_string_slice(hy_libc(), &out, HY_STRING("abc"), 1, 4), HY_INVALID);
    assert_string(out, "kept!");
}

static void what_makes_no_sense_is_invalid(void **state) {
    (void)state;
    HY_MANAGED_STRING out = HY_STRING("kept"), none = empty;
    assert_int_equal(hy_string_format(hy_libc(), &out, "%lc", (wint_t)0x7FFFFFFF), HY_INVALID);
    assert_string(out, "kept");
    /* Nothing is something, too. */
    assert_int_equal(hy_string_join(hy_null(), &none, NULL, 0, HY_STRING(",")), HY_OK);
    assert_int_equal(hy_string_slice(hy_null(), &none, empty, 0, 0), HY_OK);
    assert_int_equal(hy_string_format(hy_null(), &none, "%s", ""), HY_OK);
    assert_int_equal(hy_string_copy(hy_null(), &none, empty), HY_OK);
    assert_string(none, "");
    /* Separators whose lengths pass what a size can tell; nothing reads them. */
    const hy_string huge = {"x", SIZE_MAX / 2, 0}, three[] = {empty, empty, HY_STRING("a")};
    assert_int_equal(hy_string_join(hy_libc(), &out, three, 3, huge), HY_OUT_OF_MEMORY);
    const hy_string four[] = {empty, empty, empty, empty};
    assert_int_equal(hy_string_join(hy_libc(), &out, four, 4, huge), HY_OUT_OF_MEMORY);
    assert_string(out, "kept");
}

/* Everything that allocates, once. */
static hy_error use_all(hy_allocator gpa, void *argument) {
    (void)argument;
    hy_error error;
    HY_MANAGED_STRING text = HY_STRING("one"), part = empty;
    HY_MANAGED_STRING_LIST list = {NULL, 0, {NULL, NULL}};
    if ((error = hy_string_append(gpa, &text, HY_STRING(",two,"))) != HY_OK) return error;
    if ((error = hy_string_append(gpa, &text, text)) != HY_OK) return error;
    if ((error = hy_string_copy(gpa, &part, text)) != HY_OK) return error;
    if ((error = hy_string_concat(gpa, &part, part, text)) != HY_OK) return error;
    if ((error = hy_string_slice(gpa, &part, part, 1, 9)) != HY_OK) return error;
    if ((error = hy_string_split(gpa, &list, text, HY_STRING(","))) != HY_OK) return error;
    if ((error = hy_string_join(gpa, &text, list.items, list.count, part)) != HY_OK) return error;
    if ((error = hy_string_format(gpa, &text, "%s%s", "a", hy_string_cstr(&part))) != HY_OK) return error;
    return hy_string_reserve(gpa, &text, 1000);
}

static void each_refusal_is_told_and_nothing_leaks(void **state) {
    (void)state;
    hy_sweep_report report;
    hy_check_all_allocation_failures(use_all, hy_libc(), NULL, &report);
    hy_sweep_print(&report, stderr);
    assert_int_equal(report.result, HY_SWEEP_OK);
    assert_true(report.alloc_count >= 10);
}

static void a_refused_concat_leaves_its_operands(void **state) {
    (void)state;
    HY_MANAGED_STRING left = empty, right = empty;
    assert_int_equal(hy_string_from(hy_libc(), &left, "left", 4), HY_OK);
    assert_int_equal(hy_string_from(hy_libc(), &right, "right", 5), HY_OK);
    assert_int_equal(hy_string_concat(hy_null(), &left, left, right), HY_OUT_OF_MEMORY);
    assert_string(left, "left");
    assert_string(right, "right");
    hy_failing failing;
    hy_failing_init(&failing, hy_libc(), NULL);
    HY_MANAGED_STRING grown = empty;
    assert_int_equal(hy_string_from(hy_failing_allocator(&failing), &grown, "g", 1), HY_OK);
    hy_failing_init(&failing, hy_libc(), &(hy_failing_options){.fail_alloc_at = 0, .fail_resize_at = 0});
    assert_int_equal(hy_string_append(hy_libc(), &grown, right), HY_OUT_OF_MEMORY);
    assert_string(grown, "g");
}

static void the_ambient_allocator_serves(void **state) {
    (void)state;
    hy_counting counting = HY_COUNTING_INIT(hy_libc());
    HY_MANAGED_STRING text = HY_STRING("a");
    HY_USING(hy_counting_allocator(&counting)) {
        assert_int_equal(hy_string_append(hy_ambient(), &text, HY_STRING("b")), HY_OK);
    }
    /* Grown and dropped by whoever made it, whatever is ambient now. */
    assert_int_equal(hy_string_append(hy_ambient(), &text, HY_STRING("cdefgh")), HY_OK);
    assert_true(counting.counts.live_bytes > 0);
    hy_string_drop(&text);
    assert_int_equal(counting.counts.live_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_strings_cost_nothing),
        cmocka_unit_test(an_owned_copy_has_bytes_of_its_own),
        cmocka_unit_test(strings_drop_in_reverse_order_and_move_on_return),
        cmocka_unit_test(each_result_is_one_allocation),
        cmocka_unit_test(appending_many_is_few_allocations),
        cmocka_unit_test(a_string_can_be_appended_to_itself),
        cmocka_unit_test(bytes_are_left_alone),
        cmocka_unit_test(structs_of_strings_drop_and_copy_all_of_them),
        cmocka_unit_test(comparing_is_by_bytes),
        cmocka_unit_test(finding_stays_within),
        cmocka_unit_test(splitting_and_joining_are_inverse),
        cmocka_unit_test(lengths_near_the_end_are_refused),
        cmocka_unit_test(what_makes_no_sense_is_invalid),
        cmocka_unit_test(each_refusal_is_told_and_nothing_leaks),
        cmocka_unit_test(a_refused_concat_leaves_its_operands),
        cmocka_unit_test(the_ambient_allocator_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
