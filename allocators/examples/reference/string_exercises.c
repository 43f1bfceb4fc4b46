/* string_exercises.c: the exercises on strings of a guide to Zig's allocators, with managed strings.
 *
 * joinSep puts a separator between words, splitJoin splits a text at one byte and joins the parts again with
 * '-'. join_split.c does the same by hand: here no path has anything to free, and out of memory leaves
 * nothing behind.
 *
 *   $ string_exercises
 *   libc: zig-likes-allocators, a-b--c
 *   arena: zig-likes-allocators, a-b--c
 *   8 bytes: out of memory, out of memory
 *   greeting: hello, zig (10 bytes), shared: no
 *   point: (x=7, y=-3), 11 bytes from the bracket on
 *   live at the end: 0 bytes
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

static hy_error join_sep(hy_allocator gpa, hy_string *out) {
    const hy_string words[] = {HY_STRING("zig"), HY_STRING("likes"), HY_STRING("allocators")};
    return hy_string_join(gpa, out, words, 3, HY_STRING("-"));
}

static hy_error split_join(hy_allocator gpa, hy_string *out) {
    HY_MANAGED_STRING_LIST parts = {0};
    hy_error error = hy_string_split(gpa, &parts, HY_STRING("a,b,,c"), HY_STRING(","));
    return error == HY_OK ? hy_string_join(gpa, out, parts.items, parts.count, HY_STRING("-")) : error;
}

static const char *text_of(hy_error error, const hy_string *string) {
    return error == HY_OK ? hy_string_cstr(string) : hy_error_string(error);
}

static void both(const char *label, hy_allocator gpa) {
    HY_MANAGED_STRING joined = {0}, again = {0};
    hy_error join_error = join_sep(gpa, &joined), split_error = split_join(gpa, &again);
    printf("%s: %s, %s\n", label, text_of(join_error, &joined), text_of(split_error, &again));
}

static hy_error greet(hy_allocator gpa) {
    HY_MANAGED_STRING greeting = HY_STRING("hello"), copy = {0}, point = {0};
    hy_error error = hy_string_append(gpa, &greeting, HY_STRING(", zig"));
    if (error == HY_OK) error = hy_string_copy(gpa, &copy, greeting);
    if (error == HY_OK) error = hy_string_format(gpa, &point, "point: (x=%d, y=%d)", 7, -3);
    if (error != HY_OK) return error;
    printf("greeting: %s (%zu bytes), shared: %s\n", hy_string_cstr(&greeting), greeting.len,
        copy.ptr == greeting.ptr ? "yes" : "no");
    hy_error sliced = hy_string_slice(gpa, &copy, point, 7, point.len);
    if (sliced == HY_OK) printf("%s, %zu bytes from the bracket on\n", hy_string_cstr(&point), copy.len);
    return sliced;
}

int main(void) {
    hy_counting count = HY_COUNTING_INIT(hy_libc());
    both("libc", hy_counting_allocator(&count));
    hy_arena arena = HY_ARENA_INIT(hy_counting_allocator(&count));
    both("arena", hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);
    char eight[8];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, eight, sizeof eight);
    both("8 bytes", hy_fixed_buffer_allocator(&fixed));
    hy_error error = greet(hy_counting_allocator(&count));
    printf("live at the end: %zu bytes\n", count.counts.live_bytes);
    return error == HY_OK ? 0 : 1;
}
