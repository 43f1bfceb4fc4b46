/* thirty_two_bytes.c: a buffer that fills up, as in a guide to Zig's allocators.
 *
 * Out of memory is an ordinary result: the program continues, and after a reset the whole buffer is free.
 *
 *   $ thirty_two_bytes
 *   8 bytes: at 0
 *   8 bytes: at 8
 *   8 bytes: at 16
 *   16 bytes: out of memory
 *   used: 24 of 32
 *   after reset, 32 bytes: at 0
 *   joined: zig-likes-allocators
 *   joined in 8 bytes: out of memory
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

static void take(hy_fixed_buffer *fixed, size_t size) {
    char *ptr = hy_alloc_n(hy_fixed_buffer_allocator(fixed), char, size);
    if (ptr) {
        printf("%zu bytes: at %td\n", size, ptr - (char *)hy_fixed_buffer_base(fixed));
    } else {
        printf("%zu bytes: out of memory\n", size);
    }
}

/* Joins the words, growing the text word by word. NULL: out of memory, nothing is left allocated. */
static char *join(hy_allocator gpa, char separator, const char *const *words, size_t count) {
    char *text = NULL;
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        size_t more = strlen(words[i]) + 1;
        char *grown = hy_realloc_n(gpa, char, text, length, length + more);
        if (!grown) {
            hy_free_n(gpa, text, length);
            return NULL;
        }
        text = grown;
        memcpy(text + length, words[i], more - 1);
        length += more;
        text[length - 1] = separator;
    }
    if (text) text[length - 1] = '\0';
    return text;
}

int main(void) {
    static char buffer[32];
    static hy_fixed_buffer fixed = HY_FIXED_BUFFER_INIT(buffer);
    for (int i = 0; i < 3; i++)
        take(&fixed, 8);
    take(&fixed, 16);
    printf("used: %zu of %zu\n", hy_fixed_buffer_used(&fixed), hy_fixed_buffer_capacity(&fixed));
    hy_fixed_buffer_reset(&fixed);
    printf("after reset, ");
    take(&fixed, 32);

    static const char *const words[] = {"zig", "likes", "allocators"};
    hy_fixed_buffer_reset(&fixed);
    char *joined = join(hy_fixed_buffer_allocator(&fixed), '-', words, 3);
    printf("joined: %s\n", joined ? joined : "out of memory");
    hy_fixed_buffer_deinit(&fixed);

    hy_fixed_buffer_init(&fixed, buffer, 8);
    joined = join(hy_fixed_buffer_allocator(&fixed), '-', words, 3);
    printf("joined in 8 bytes: %s\n", joined ? joined : "out of memory");
    hy_fixed_buffer_deinit(&fixed);
    return 0;
}
