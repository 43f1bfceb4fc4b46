/* smp_release.c: what a build without checks does, by the word on the command line: misuses that it tells
 * when blocks come back to the slabs, and statistics as JSON. usage: smp_release NAME */
#include <heapyard/smp.h>
#include <heapyard/smp_stats.h>
#include <stdio.h>
#include <string.h>

static char foreign[64];

static void free_twice(void) {
    void *kept = hy_smp_alloc(64, HY_ALIGN_8), *block = hy_smp_alloc(64, HY_ALIGN_8);
    (void)kept;
    hy_smp_free(block, 64, HY_ALIGN_8);
    hy_smp_free(block, 64, HY_ALIGN_8);
}

static void free_with_wrong_size(void) {
    hy_smp_free(hy_smp_alloc(64, HY_ALIGN_8), 128, HY_ALIGN_8);
}

static void free_foreign(void) {
    (void)!hy_smp_alloc(64, HY_ALIGN_8);
    hy_smp_free(foreign, 64, HY_ALIGN_8);
}

static void free_inside(void) {
    hy_smp_free((char *)hy_smp_alloc(64, HY_ALIGN_8) + 8, 64, HY_ALIGN_8);
}

static void free_large_twice(void) {
    void *before = hy_smp_alloc(100000, HY_ALIGN_8), *block = hy_smp_alloc(100000, HY_ALIGN_8);
    void *kept = hy_smp_alloc(100000, HY_ALIGN_8);
    (void)kept;
    hy_smp_free(before, 100000, HY_ALIGN_8);
    hy_smp_free(block, 100000, HY_ALIGN_8);
    hy_smp_free(block, 100000, HY_ALIGN_8);
}

static void free_large_foreign(void) {
    hy_smp_free(foreign, 100000, HY_ALIGN_8);
}

static void free_unsized_foreign(void) {
    hy_smp_heap_free_unsized(&hy_smp_process_heap, foreign);
}

static void print_json(void) {
    for (size_t size = 8; size <= 50000; size += size / 3 + 1) {
        char *block = hy_smp_alloc(size, HY_ALIGN_8);
        block[0] = 1;
    }
    hy_smp_print_stats_json(&hy_smp_process_heap, hy_line_to_file, stdout);
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    {"free_twice", free_twice},
    {"free_with_wrong_size", free_with_wrong_size},
    {"free_foreign", free_foreign},
    {"free_inside", free_inside},
    {"free_large_twice", free_large_twice},
    {"free_large_foreign", free_large_foreign},
    {"free_unsized_foreign", free_unsized_foreign},
    {"print_json", print_json},
    {"print_empty_json", NULL},
};

int main(int count, char **words) {
    for (size_t i = 0; count == 2 && i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(words[1], all[i].name) != 0) continue;
        if (all[i].run)
            all[i].run();
        else
            hy_smp_print_stats_json(&hy_smp_process_heap, hy_line_to_file, stdout);
        (void)hy_smp_trim(&hy_smp_process_heap);
        return 0;
    }
    fprintf(stderr, "smp_release: no such case\n");
    return 2;
}
