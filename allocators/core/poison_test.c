/* poison_test.c: that the tools themselves tell the misuse of memory which our allocators keep.
 *
 * Each misuse is one access through a pointer that its allocator has taken back, or beyond what it gave.
 * Built with AddressSanitizer, each runs in a child process, which the tool must end with a report of the
 * class. Otherwise this program runs itself once more under Valgrind, misuse after misuse with its name said
 * before, and looks for an error of Valgrind's behind each name.
 */
#include <heapyard/arena_shared.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>
#include <heapyard/typed.h>

#include "allocators/conformance/dies.h"

/* Where what was read goes, so that the read stays. */
static volatile char seen;

static _Alignas(64) char buffer[256];

static void arena_read_after_reset(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    char *text = hy_dupe_z(hy_arena_allocator(&arena), char, "request", 7);
    hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
    seen = text[0];
    hy_arena_deinit(&arena);
}

static void arena_write_after_restore(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    char *kept = hy_alloc(hy_arena_allocator(&arena), 8, HY_ALIGN_8);
    hy_arena_mark mark = hy_arena_save(&arena);
    volatile char *scratch = hy_alloc(hy_arena_allocator(&arena), 24, HY_ALIGN_8);
    hy_arena_restore(&arena, mark);
    scratch[23] = 1;
    hy_free(hy_arena_allocator(&arena), kept, 8, HY_ALIGN_8);
    hy_arena_deinit(&arena);
}

static void arena_overflow(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    volatile char *block = hy_alloc(hy_arena_allocator(&arena), 13, HY_ALIGN_8);
    block[13] = 1;
    hy_arena_deinit(&arena);
}

static void arena_read_of_a_freed_block(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    char *block = hy_alloc_zeroed(hy_arena_allocator(&arena), char, 16);
    char *newer = hy_alloc(hy_arena_allocator(&arena), 16, HY_ALIGN_8);
    hy_free_n(hy_arena_allocator(&arena), block, 16);
    seen = block[15];
    hy_free(hy_arena_allocator(&arena), newer, 16, HY_ALIGN_8);
    hy_arena_deinit(&arena);
}

static void arena_read_of_what_a_shrink_gave_up(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    char *block = hy_alloc_zeroed(hy_arena_allocator(&arena), char, 64);
    if (hy_resize(hy_arena_allocator(&arena), block, 64, 24, HY_ALIGN_1)) seen = block[24];
    hy_arena_deinit(&arena);
}

static void arena_shared_read_after_reset(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    char *text = hy_dupe_z(hy_arena_shared_allocator(&shared), char, "request", 7);
    hy_arena_shared_reset(&shared, HY_ARENA_RETAIN_CAPACITY, 0);
    seen = text[0];
    hy_arena_shared_deinit(&shared);
}

static void arena_shared_overflow(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    volatile char *block = hy_alloc(hy_arena_shared_allocator(&shared), 24, HY_ALIGN_8);
    block[24] = 1;
    hy_arena_shared_deinit(&shared);
}

static void arena_shared_read_of_a_freed_block(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    char *block = hy_alloc_zeroed(hy_arena_shared_allocator(&shared), char, 16);
    hy_free_n(hy_arena_shared_allocator(&shared), block, 16);
    seen = block[0];
    hy_arena_shared_deinit(&shared);
}

static void *fill_block(void *shared) {
    char *block = hy_alloc(hy_arena_shared_allocator(shared), 32, HY_ALIGN_8);
    if (block) memset(block, 1, 32);
    return block;
}

static void arena_shared_read_of_what_another_thread_made(void) {
    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    pthread_t thread;
    void *block = NULL;
    if (pthread_create(&thread, NULL, fill_block, &shared) != 0 || pthread_join(thread, &block) != 0) return;
    hy_arena_shared_reset(&shared, HY_ARENA_RETAIN_CAPACITY, 0);
    seen = ((char *)block)[31];
    hy_arena_shared_deinit(&shared);
}

static void pool_read_of_a_freed_block(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 48, HY_ALIGN_8, NULL) != HY_OK) return;
    char *block = hy_pool_create(&pool);
    memset(block, 1, 48);
    hy_pool_destroy(&pool, block);
    seen = block[40];
    hy_pool_deinit(&pool);
}

static void pool_overflow(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 48, HY_ALIGN_8, NULL) != HY_OK) return;
    volatile char *block = hy_alloc(hy_pool_allocator(&pool), 20, HY_ALIGN_8);
    block[20] = 1;
    hy_pool_deinit(&pool);
}

static void pool_write_after_reset(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_raw_libc(), 48, HY_ALIGN_8, NULL) != HY_OK) return;
    volatile char *block = hy_pool_create(&pool);
    hy_pool_reset(&pool, HY_ARENA_RETAIN_CAPACITY, 0);
    block[0] = 1;
    hy_pool_deinit(&pool);
}

static void fixed_buffer_read_after_reset(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    char *text = hy_dupe_z(hy_fixed_buffer_allocator(&fixed), char, "scratch", 7);
    hy_fixed_buffer_reset(&fixed);
    seen = text[0];
    hy_fixed_buffer_deinit(&fixed);
}

static void fixed_buffer_overflow(void) {
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    volatile char *block = hy_alloc(hy_fixed_buffer_shared_allocator(&fixed), 24, HY_ALIGN_8);
    block[24] = 1;
    hy_fixed_buffer_deinit(&fixed);
}

static void bump_read_after_restore(void) {
    hy_bump bump;
    hy_bump_init(&bump, buffer, sizeof buffer);
    hy_bump_mark mark = hy_bump_save(&bump);
    char *text = hy_dupe_z(hy_bump_allocator(&bump), char, "scratch", 7);
    hy_bump_restore(&bump, mark);
    seen = text[0];
    hy_bump_deinit(&bump, buffer);
}

static const struct misuse {
    const char *name;
    void (*commit)(void);
    bool writes;
} misuses[] = {
    {"arena: read after reset", arena_read_after_reset, false},
    {"arena: write after restore", arena_write_after_restore, true},
    {"arena: overflow", arena_overflow, true},
    {"arena: read of a freed block", arena_read_of_a_freed_block, false},
    {"arena: read of what a shrink gave up", arena_read_of_what_a_shrink_gave_up, false},
    {"arena_shared: read after reset", arena_shared_read_after_reset, false},
    {"arena_shared: overflow", arena_shared_overflow, true},
    {"arena_shared: read of a freed block", arena_shared_read_of_a_freed_block, false},
    {"arena_shared: read of what another thread made", arena_shared_read_of_what_another_thread_made, false},
    {"pool: read of a freed block", pool_read_of_a_freed_block, false},
    {"pool: overflow", pool_overflow, true},
    {"pool: write after reset", pool_write_after_reset, true},
    {"fixed_buffer: read after reset", fixed_buffer_read_after_reset, false},
    {"fixed_buffer: overflow", fixed_buffer_overflow, true},
    {"bump: read after restore", bump_read_after_restore, false},
};

#define MISUSE_COUNT (sizeof misuses / sizeof misuses[0])

#if HY_ASAN
static void commit_all(void) {}

static void the_tools_tell_each_misuse(void **state) {
    (void)state;
    for (size_t i = 0; i < MISUSE_COUNT; i++) {
        char words[OUTPUT_MAX];
        int status = status_and_output(misuses[i].commit, words);
        if (!WIFEXITED(status) || WEXITSTATUS(status) == 0)
            fail_msg("%s: not told: wait status %d: %s", misuses[i].name, status, words);
        if (!strstr(words, "AddressSanitizer: use-after-poison"))
            fail_msg("%s: told as something else: %s", misuses[i].name, words);
        if (!strstr(words, misuses[i].writes ? "WRITE of size 1" : "READ of size 1"))
            fail_msg("%s: another access is told: %s", misuses[i].name, words);
    }
}

#elif HY_VALGRIND
/* Under Valgrind, which goes on after an error. */
static void commit_all(void) {
    for (size_t i = 0; i < MISUSE_COUNT; i++) {
        fprintf(stderr, "misuse: %s\n", misuses[i].name);
        misuses[i].commit();
    }
    fprintf(stderr, "misuse: none\n");
}

#define VALGRIND_ERRORS 9

static void under_valgrind(void) {
    char self[4096] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) _exit(1);
    execlp(
        "valgrind", "valgrind", "-q", "--error-exitcode=9", "--num-callers=4", self, "commit", (char *)NULL);
    _exit(127);
}

/* Each misuse has one error of its kind between its name and the next one's. */
static void find_errors(const char *words) {
    for (size_t i = 0; i < MISUSE_COUNT; i++) {
        const char *from = strstr(words, misuses[i].name);
        assert_non_null(from);
        const char *to = strstr(from, "misuse: ");
        const char *told =
            strstr(from, misuses[i].writes ? "Invalid write of size 1" : "Invalid read of size 1");
        assert_non_null(to);
        if (!told || told > to) fail_msg("%s: not told by Valgrind: %s", misuses[i].name, from);
        const char *next = strstr(told + 1, "Invalid ");
        if (next && next < to) fail_msg("%s: more than one error: %s", misuses[i].name, from);
    }
}

static void the_tools_tell_each_misuse(void **state) {
    (void)state;
    static char words[1 << 18];
    FILE *said = tmpfile();
    assert_non_null(said);
    int status = status_of_child(under_valgrind, fileno(said));
    rewind(said);
    words[fread(words, 1, sizeof words - 1, said)] = '\0';
    fclose(said);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 127) {
        print_message("not in this build: install valgrind\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), VALGRIND_ERRORS);
    find_errors(words);
}

#else
static void commit_all(void) {}

static void the_tools_tell_each_misuse(void **state) {
    (void)state;
    for (size_t i = 0; i < MISUSE_COUNT; i++)
        print_message("not committed: %s\n", misuses[i].name);
    print_message("not in this build: AddressSanitizer (-DHY_SANITIZE=address), Valgrind (install valgrind; "
                  "check level 1 or 2)\n");
    skip();
}

#endif

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "commit") == 0) {
        commit_all();
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_tools_tell_each_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
