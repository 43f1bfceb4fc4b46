/* managed_strings.c: static and owned strings, copies, moves, and the order in which they go.
 *
 *   $ managed_strings
 *   static: hello (0 allocations)
 *   its copy shares the bytes: yes
 *   joined: hello, world (1 allocation)
 *   its copy shares the bytes: no (2 allocations)
 *   moved: made inside
 *   words: zig nim c (9 bytes)
 *   dropped: 3 2 1
 *   live: 0 bytes
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

static hy_string made_inside(hy_allocator gpa) {
    HY_MANAGED_STRING text = HY_STRING("made ");
    if (hy_string_append(gpa, &text, HY_STRING("inside")) != HY_OK) return HY_STRING("out of memory");
    return HY_MOVE(text);
}

static hy_error copies(hy_counting *count) {
    hy_allocator gpa = hy_counting_allocator(count);
    hy_error error;
    HY_MANAGED_STRING hello = HY_STRING("hello"), shared = HY_STRING(""), joined = HY_STRING("");
    if ((error = hy_string_copy(gpa, &shared, hello)) != HY_OK) return error;
    printf("static: %s (%d allocations)\n", hy_string_cstr(&hello), (int)count->counts.alloc_count);
    printf("its copy shares the bytes: %s\n", shared.ptr == hello.ptr ? "yes" : "no");
    if ((error = hy_string_concat(gpa, &joined, hello, HY_STRING(", world"))) != HY_OK) return error;
    printf("joined: %s (%d allocation)\n", hy_string_cstr(&joined), (int)count->counts.alloc_count);
    if ((error = hy_string_copy(gpa, &shared, joined)) != HY_OK) return error;
    printf("its copy shares the bytes: %s (%d allocations)\n", shared.ptr == joined.ptr ? "yes" : "no",
        (int)count->counts.alloc_count);
    return HY_OK;
}

static hy_error words(hy_allocator gpa) {
    hy_error error;
    HY_MANAGED_STRING_LIST list = {0};
    HY_MANAGED_STRING text = HY_STRING("");
    if ((error = hy_string_split(gpa, &list, HY_STRING("zig,nim,c"), HY_STRING(","))) != HY_OK) return error;
    if ((error = hy_string_join(gpa, &text, list.items, list.count, HY_STRING(" "))) != HY_OK) return error;
    printf("words: %s (%zu bytes)\n", hy_string_cstr(&text), text.len);
    return HY_OK;
}

/* A string whose end is seen. */
typedef struct seen {
    hy_string string;
} seen;

static void seen_drop(seen *it) {
    printf(" %s", hy_string_cstr(&it->string));
    hy_string_drop(&it->string);
}

static void in_reverse_order(void) {
    printf("dropped:");
    HY_MANAGED(seen_drop) seen first = {HY_STRING("1")}, second = {HY_STRING("2")};
    HY_MANAGED(seen_drop) seen third = {HY_STRING("3")};
    (void)first, (void)second, (void)third;
}

int main(void) {
    hy_counting count = HY_COUNTING_INIT(hy_libc());
    hy_error error = copies(&count);
    if (error == HY_OK) {
        HY_MANAGED_STRING moved = made_inside(hy_counting_allocator(&count));
        printf("moved: %s\n", hy_string_cstr(&moved));
        error = words(hy_counting_allocator(&count));
    }
    in_reverse_order();
    printf("\nlive: %zu bytes\n", count.counts.live_bytes);
    return error == HY_OK ? 0 : 1;
}
