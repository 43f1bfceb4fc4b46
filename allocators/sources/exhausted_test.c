/* exhausted_test.c: rows where the system has no memory left: making an instance is refused whole, however
 * far it came, and works once there is memory again.
 *
 * Each row has a child process of its own, whose address space may not grow and whose heap was used up. Then
 * memory comes back block by block, and the row is made after each.
 */
#include "allocators/conformance/dies.h"
#include "allocators/registry.h"

enum { STEPS = 4000 };

static const hy_row *tested;

/* Blocks of the heap, each pointing to the one taken before it: the greatest are at the bottom. */
typedef struct held {
    struct held *before;
} held;

static held *use_heap_up(void) {
    held *top = NULL;
    for (size_t size = (size_t)1 << 20; size >= sizeof(held); size /= 2) {
        held *next;
        while ((next = malloc(size))) {
            next->before = top;
            top = next;
        }
    }
    return top;
}

static held *give_one_back(held *top) {
    held *before = top->before;
    free(top);
    return before;
}

static void let_grow(size_t bytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
}

/* The address space of this process in bytes; 0 where the system doesn't tell. */
static size_t address_space(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Ends with 0 where the row was refused at first, and made in the end; 1 and 2 say what failed. */
static void make_with_too_little(void) {
    hy_instance instance;
    size_t space = address_space();
    let_grow(space);
    held *top = use_heap_up();
    bool refused = !hy_instance_make(&instance, tested, NULL), made = !refused;
    for (size_t step = 0; step < STEPS && !made; step++) {
        if (top)
            top = give_one_back(top);
        else
            let_grow(space += (size_t)16 << 10);
        made = hy_instance_make(&instance, tested, NULL);
    }
    let_grow(RLIM_INFINITY);
    if (!made) made = hy_instance_make(&instance, tested, NULL);
    if (made) hy_instance_destroy(&instance);
    _exit(!refused ? 1 : !made ? 2 : 0);
}

static bool needs_memory(const hy_row *row) {
    return !row->missing && !(row->traits & (HY_TRAIT_PEER | HY_TRAIT_REFUSES_ALL));
}

static void making_a_row_is_refused_whole(void **state) {
    (void)state;
    if (HY_ASAN || HY_TSAN || address_space() == 0) skip();
    size_t count, refused = 0;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (!needs_memory(rows[i])) continue;
        tested = rows[i];
        char words[OUTPUT_MAX];
        int status = status_and_output(make_with_too_little, words);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
            fail_msg("%s: wait status %d; it said: %s", tested->name, status, words);
        }
        refused += WEXITSTATUS(status) == 0;
    }
    assert_true(refused > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(making_a_row_is_refused_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
