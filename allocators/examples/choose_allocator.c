/* choose_allocator.c: a tool whose allocator is chosen by a flag and passed down from main.
 *
 * Only main knows which allocator it is; all other functions take the two-word value and work with any. The
 * output is the same for each, only the source of the memory differs.
 *
 *   $ choose_allocator one two three
 *   three two one
 *   $ choose_allocator --allocator=arena one two three
 *   three two one
 *   $ choose_allocator --allocator=buffer one two three
 *   three two one
 *   $ choose_allocator --allocator=null one two three
 *   choose_allocator: out of memory
 *   [1]
 *   $ choose_allocator --allocator=cellar one
 *   choose_allocator: there is no allocator cellar; there are libc, page, arena, buffer, null
 *   [2]
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

/* The state of the allocators that have one. It is in main, so that it outlives every value made from it. */
typedef struct choices {
    hy_arena arena;
    hy_fixed_buffer fixed;
    char buffer[256];
} choices;

/* Finds an allocator by name. False: there is none. */
static bool choose(choices *all, const char *name, hy_allocator *out) {
    const struct {
        const char *name;
        hy_allocator allocator;
    } table[] = {
        {"libc", hy_libc()},
        {"page", hy_page()},
        {"arena", hy_arena_allocator(&all->arena)},
        {"buffer", hy_fixed_buffer_allocator(&all->fixed)},
        {"null", hy_null()},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) != 0) continue;
        *out = table[i].allocator;
        return true;
    }
    return false;
}

/* The words from last to first, with a blank between; freed by hy_free_sentinel with its length. */
static char *reversed(hy_allocator gpa, char *const *words, size_t count) {
    size_t length = count - 1;
    for (size_t i = 0; i < count; i++)
        length += strlen(words[i]);
    char *text = hy_alloc_sentinel(gpa, char, length, '\0'), *end = text;
    for (size_t i = count; text && i-- > 0;) {
        size_t word_length = strlen(words[i]);
        memcpy(end, words[i], word_length);
        end += word_length;
        if (i) *end++ = ' ';
    }
    return text;
}

static int run(hy_allocator gpa, char *const *words, size_t count) {
    char *text = reversed(gpa, words, count);
    if (!text) {
        fputs("choose_allocator: out of memory\n", stderr);
        return 1;
    }
    puts(text);
    hy_free_sentinel(gpa, text, strlen(text));
    return 0;
}

int main(int count, char **arguments) {
    static const char flag[] = "--allocator=";
    const char *name = "libc";
    char **words = arguments + 1;
    if (count > 1 && strncmp(*words, flag, sizeof flag - 1) == 0) name = *words++ + sizeof flag - 1;
    size_t words_count = (size_t)(arguments + count - words);
    if (words_count == 0) {
        fputs("usage: choose_allocator [--allocator=NAME] WORD …\n", stderr);
        return 2;
    }

    choices all = {.arena = HY_ARENA_INIT(hy_raw_libc())};
    hy_fixed_buffer_init(&all.fixed, all.buffer, sizeof all.buffer);
    hy_allocator chosen;
    int status = 2;
    if (choose(&all, name, &chosen)) {
        status = run(chosen, words, words_count);
    } else {
        fprintf(stderr, "choose_allocator: there is no allocator %s; ", name);
        fputs("there are libc, page, arena, buffer, null\n", stderr);
    }
    hy_fixed_buffer_deinit(&all.fixed);
    hy_arena_deinit(&all.arena);
    return status;
}
