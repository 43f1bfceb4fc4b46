/* conformance_main.c: the conformance suite in WebAssembly: over the rows of rows.def, and over stacks on the
 * module's own memory.
 *
 *     conformance [NAME…]         all, or only these
 *
 * Prints a line for each check that fails, and ends with the counts. Exit codes: 0 all hold, 1 one does not,
 * 2 there is no such name.
 */
#include "allocators/registry.h"
#include <heapyard/conformance.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *stack[3];
} stacks[] = {
    {"arena_over_wasm_linear", {"arena", "wasm_linear"}},
    {"pool_over_wasm_linear", {"pool", "wasm_linear"}},
    {"wide_align_over_wasm_linear", {"wide_align", "wasm_linear"}},
};
#define STACKS (sizeof stacks / sizeof *stacks)

static struct { size_t checks, held, failed; } counts;

static void tell(void *context, const hy_row *row, const hy_conformance_check *check, const char *why) {
    (void)context;
    counts.checks++;
    if (why) printf("%s: %s: %s\n", row->name, check->name, why);
}

static bool is_wanted(const char *name, int count, char **names) {
    for (int i = 1; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return count == 1;
}

static void judge(const hy_row *row) {
    size_t *counted = hy_conformance_run_row(row, tell, NULL) ? &counts.held : &counts.failed;
    ++*counted;
}

int main(int count, char **names) {
    size_t row_count;
    const hy_row *const *rows = hy_registry_rows(&row_count);
    for (size_t i = 0; i < row_count; i++)
        if (is_wanted(rows[i]->name, count, names)) judge(rows[i]);
    for (size_t i = 0; i < STACKS; i++) {
        hy_row row;
        hy_registry_compose(stacks[i].stack, stacks[i].name, &row);
        if (is_wanted(row.name, count, names)) judge(&row);
    }
    if (counts.held + counts.failed < (size_t)count - 1) {
        fprintf(stderr, "conformance: one of these rows is not in allocators/wasm/rows.def\n");
        return 2;
    }
    printf("%zu rows hold, %zu do not: %zu checks\n", counts.held, counts.failed, counts.checks);
    return counts.failed != 0;
}
