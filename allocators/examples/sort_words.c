/* sort_words.c: a command-line tool that frees nothing but its arena.
 *
 * It runs once and exits, so individual frees would be wasted work. It allocates everything from one arena
 * over whole pages, and calls deinit at the end only so that leak checkers report nothing.
 *
 *   $ sort_words pear fig apple fig
 *   apple
 *   fig
 *   pear
 *   $ sort_words
 *   usage: sort_words WORD …
 *   [2]
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *left, const void *right) {
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

/* Copies the words, sorts them and removes duplicates; *count is updated. Frees nothing, even on failure. */
static char **sorted(hy_allocator arena, char *const *words, size_t *count) {
    char **copies = hy_alloc_n(arena, char *, *count);
    if (!copies) return NULL;
    for (size_t i = 0; i < *count; i++) {
        copies[i] = hy_dupe_z(arena, char, words[i], strlen(words[i]));
        if (!copies[i]) return NULL;
    }
    qsort(copies, *count, sizeof *copies, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < *count; i++) {
        if (strcmp(copies[i], copies[kept - 1]) != 0) copies[kept++] = copies[i];
    }
    *count = kept;
    return copies;
}

int main(int count, char **arguments) {
    if (count < 2) {
        fputs("usage: sort_words WORD …\n", stderr);
        return 2;
    }
    hy_arena arena = HY_ARENA_INIT(hy_page());
    size_t words_count = (size_t)count - 1;
    char **words = sorted(hy_arena_allocator(&arena), arguments + 1, &words_count);
    for (size_t i = 0; words && i < words_count; i++)
        puts(words[i]);
    hy_arena_deinit(&arena);
    return words ? 0 : 1;
}
