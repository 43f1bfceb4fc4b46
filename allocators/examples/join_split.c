/* join_split.c: two functions that work with any allocator, including one with too little memory.
 *
 * join puts a separator between words. rejoin splits a text at one byte and joins the pieces again with '-',
 * into allocated memory or into the caller's buffer. Neither depends on where its memory comes from, and both
 * return NULL, with nothing allocated, where it is not enough.
 *
 *   $ join_split
 *   libc:                zig-likes-allocators
 *   arena:               zig-likes-allocators
 *   32 bytes:            zig-likes-allocators
 *   8 bytes:             out of memory
 *   split on ',':        a-b--c
 *   split, nothing:      ""
 *   split, 3 bytes:      out of memory
 *   into 7 bytes:        a-b--c
 *   into 6 bytes:        does not fit
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

/* Copies a text without its zero byte; returns the end of the copy. */
static char *append(char *end, const char *text) {
    size_t length = strlen(text);
    memcpy(end, text, length);
    return end + length;
}

/* Joins the words with the separator; the result is freed by hy_free_sentinel with its length. */
static char *join(hy_allocator gpa, const char *separator, const char *const *words, size_t count) {
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += strlen(words[i]) + (i ? strlen(separator) : 0);

    char *joined = hy_alloc_sentinel(gpa, char, length, '\0');
    if (!joined) return NULL;
    char *end = joined;
    for (size_t i = 0; i < count; i++) {
        if (i) end = append(end, separator);
        end = append(end, words[i]);
    }
    return joined;
}

/* A piece of a text, which it does not own. */
typedef struct piece {
    const char *start;
    size_t length;
} piece;

static size_t count_pieces(const char *text, char separator) {
    size_t count = 1;
    for (; *text; text++)
        count += *text == separator;
    return count;
}

/* Lists the pieces between separators; freed by hy_free_n with *count. NULL: out of memory. */
static piece *split(hy_allocator gpa, const char *text, char separator, size_t *count) {
    size_t wanted = count_pieces(text, separator);
    piece *pieces = hy_alloc_n(gpa, piece, wanted);
    if (!pieces) return NULL;
    for (size_t i = 0; i < wanted; i++) {
        const char *end = strchr(text, separator);
        pieces[i] = (piece){text, end ? (size_t)(end - text) : strlen(text)};
        text = end ? end + 1 : text;
    }
    *count = wanted;
    return pieces;
}

/* Splits the text and joins the pieces with '-'. `scratch` is used only within this function. */
static char *rejoin(hy_allocator gpa, hy_allocator scratch, const char *text, char separator) {
    size_t count = 0;
    piece *pieces = split(scratch, text, separator, &count);
    if (!pieces) return NULL;
    char *joined = hy_alloc_sentinel(gpa, char, strlen(text), '\0');
    char *end = joined;
    for (size_t i = 0; joined && i < count; i++) {
        if (i) *end++ = '-';
        memcpy(end, pieces[i].start, pieces[i].length);
        end += pieces[i].length;
    }
    hy_free_n(scratch, pieces, count);
    return joined;
}

/* The same into the caller's buffer, without an allocator. NULL: it does not fit. */
static char *rejoin_into(char *buffer, size_t capacity, const char *text, char separator) {
    size_t length = strlen(text);
    if (length >= capacity) return NULL;
    memcpy(buffer, text, length + 1);
    for (size_t i = 0; i < length; i++) {
        if (buffer[i] == separator) buffer[i] = '-';
    }
    return buffer;
}

static const char *const words[] = {"zig", "likes", "allocators"};

static void show_join(const char *label, hy_allocator gpa) {
    char *joined = join(gpa, "-", words, 3);
    printf("%-20s %s\n", label, joined ? joined : "out of memory");
    if (joined) hy_free_sentinel(gpa, joined, strlen(joined));
}

static void show_rejoin(void) {
    char *joined = rejoin(hy_libc(), hy_libc(), "a,b,,c", ',');
    printf("%-20s %s\n", "split on ',':", joined ? joined : "out of memory");
    if (joined) hy_free_sentinel(hy_libc(), joined, strlen(joined));

    char *empty = rejoin(hy_libc(), hy_libc(), "", ',');
    printf("%-20s %s\n", "split, nothing:", empty && !*empty ? "\"\"" : "out of memory");
    if (empty) hy_free_sentinel(hy_libc(), empty, 0);

    char three[3];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, three, sizeof three);
    joined = rejoin(hy_fixed_buffer_allocator(&fixed), hy_libc(), "a,b,,c", ',');
    printf("%-20s %s\n", "split, 3 bytes:", joined ? joined : "out of memory");
    hy_fixed_buffer_deinit(&fixed);

    char seven[7];
    joined = rejoin_into(seven, sizeof seven, "a,b,,c", ',');
    printf("%-20s %s\n", "into 7 bytes:", joined ? joined : "does not fit");
    joined = rejoin_into(seven, 6, "a,b,,c", ',');
    printf("%-20s %s\n", "into 6 bytes:", joined ? joined : "does not fit");
}

int main(void) {
    show_join("libc:", hy_libc());

    hy_arena arena = HY_ARENA_INIT(hy_libc());
    show_join("arena:", hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);

    static char buffer[32];
    hy_fixed_buffer fixed = HY_FIXED_BUFFER_INIT(buffer);
    show_join("32 bytes:", hy_fixed_buffer_allocator(&fixed));
    hy_fixed_buffer_deinit(&fixed);

    hy_fixed_buffer_init(&fixed, buffer, 8);
    show_join("8 bytes:", hy_fixed_buffer_allocator(&fixed));
    hy_fixed_buffer_deinit(&fixed);

    show_rejoin();
    return 0;
}
