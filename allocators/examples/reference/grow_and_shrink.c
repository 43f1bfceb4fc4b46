/* grow_and_shrink.c: grows ABCD to eight bytes and shrinks it to three, as in a guide to Zig's allocators.
 *
 * resize works in place or not at all, and the caller keeps the length; realloc moves the block where it
 * must. The contents are the same either way, so the output is the same on an allocator that can resize (a
 * buffer), one that may (libc) and one that never can (the wrapper that refuses each resize and remap).
 *
 *   $ grow_and_shrink
 *   buffer: ABCD, ABCDabcd, ABC
 *   libc: ABCD, ABCDabcd, ABC
 *   never in place: ABCD, ABCDabcd, ABC
 *   buffer full: ABCD, out of memory, ABCD is still there
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

static void grow_and_shrink(const char *label, hy_allocator gpa) {
    char *text = hy_dupe(gpa, char, "ABCD", 4);
    if (!text) return;
    printf("%s: %.4s, ", label, text);

    char *longer = hy_realloc_n(gpa, char, text, 4, 8);
    if (!longer) {
        printf("out of memory, %.4s is still there\n", text);
        hy_free_n(gpa, text, 4);
        return;
    }
    memcpy(longer + 4, "abcd", 4);
    printf("%.8s, ", longer);

    size_t length = hy_resize_n(gpa, longer, 8, 3) ? 3 : 8;
    printf("%.3s\n", longer);
    hy_free_n(gpa, longer, length);
}

int main(void) {
    static char buffer[16];
    static hy_fixed_buffer fixed = HY_FIXED_BUFFER_INIT(buffer);
    grow_and_shrink("buffer", hy_fixed_buffer_allocator(&fixed));
    grow_and_shrink("libc", hy_libc());

    hy_failing failing;
    hy_failing_options never_in_place = HY_FAILING_DEFAULTS;
    never_in_place.fail_resize_at = 0;
    hy_failing_init(&failing, hy_libc(), &never_in_place);
    grow_and_shrink("never in place", hy_failing_allocator(&failing));

    hy_fixed_buffer_deinit(&fixed);
    hy_fixed_buffer_init(&fixed, buffer, 6);
    grow_and_shrink("buffer full", hy_fixed_buffer_allocator(&fixed));
    hy_fixed_buffer_deinit(&fixed);
    return 0;
}
