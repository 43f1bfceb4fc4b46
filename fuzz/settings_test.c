/* settings_test.c: property settings finds what is wrong under one option alone: blocks that are not kept,
 * what the row itself says, what ends the process while it may not speak, and memory that stays with an
 * instance whose child refused.
 */
#include "fuzz/attempt.h"
#include <heapyard/poison.h>
#include <heapyard/settings.h>
#include <stdlib.h>

enum { PLAIN, SHARES_BLOCKS, KEEPS_HALF, SAYS_SO, ABORTS, READS_POISONED };

static char shared[4096];

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)align;
    return size <= sizeof shared ? shared : NULL;
}

static void forget(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)ptr, (void)size, (void)align;
}

static const hy_vtable one_block_vtable = {alloc, hy_refuse_resize, hy_refuse_remap, forget};

static void end_hushed(uint8_t option, const hy_settings *from) {
    static char poisoned[16];
    char *volatile at = poisoned; /* of an array itself the compiler looks at nothing */
    if (option < ABORTS) return;
    from->hush(true);
    fprintf(stderr, "heapyard: planted: the row says why\n");
    if (option == ABORTS) abort();
    hy_poison(poisoned, sizeof poisoned);
    *at = 1;
    hy_unpoison(poisoned, sizeof poisoned);
    from->hush(false);
}

/* An instance is two of the child's blocks; its option is what is wrong with it. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t option = hy_settings_byte(from);
    end_hushed(option, from);
    void *first = hy_alloc(child, 64, HY_ALIGN_8), *second = first ? hy_alloc(child, 64, HY_ALIGN_8) : NULL;
    hy_allocator made = option == SHARES_BLOCKS ? (hy_allocator){shared, &one_block_vtable} : child;
    const char *wrong = second ? hy_settings_use(made, from) : NULL;
    if (second) hy_free(child, second, 64, HY_ALIGN_8);
    if (first && (second || option != KEEPS_HALF)) hy_free(child, first, 64, HY_ALIGN_8);
    return option == SAYS_SO ? "an option is refused that the header allows" : wrong;
}

/* The child's call that is refused, 0 none; the option; then two blocks, and their ends. */
typedef struct trial {
    uint8_t bytes[8];
    const char *finding;
} trial;

static void run_trial(const void *argument) {
    const hy_row row = {.name = "planted", .settings = settings};
    const trial *tried = argument;
    hy_property_find("settings")->run(&row, tried->bytes, sizeof tried->bytes);
}

static void what_is_wrong_under_one_option_is_found(void **state) {
    (void)state;
    static const trial trials[] = {
        {{0, PLAIN, 0, 8, 1, 8, 0, 1}, ""},
        {{2, PLAIN, 0, 8, 1, 8, 0, 1}, ""},
        {{0, SHARES_BLOCKS, 0, 8, 1, 8, 0, 1}, "finding: settings"},
        {{0, KEEPS_HALF, 0, 8, 1, 8, 0, 1}, ""},
        {{2, KEEPS_HALF, 0, 8, 1, 8, 0, 1}, "finding: leak"},
        {{0, SAYS_SO, 0, 8, 1, 8, 0, 1}, "finding: settings"},
        {{0, ABORTS, 0, 8, 1, 8, 0, 1}, "heapyard: planted"},
        {{0, READS_POISONED, 0, 8, 1, 8, 0, 1}, HY_ASAN ? "ERROR: AddressSanitizer: use-after-poison" : ""},
    };
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        hy_verdict verdict;
        hy_verdict_of(run_trial, &trials[i], 20, &verdict);
        if (strcmp(verdict.key, trials[i].finding) != 0)
            fail_msg("trial %zu found \"%s\" (%s)", i, verdict.key, verdict.line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_wrong_under_one_option_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
