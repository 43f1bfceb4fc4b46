/* semantics_test.c: what each function of the malloc family answers, and what it leaves in errno.
 *
 * The same program runs over glibc's malloc and over ours, linked in each way and preloaded
 * (tests.cmake). Where glibc gives another answer than the standards, its case says since when it agrees.
 */
#include "allocators/malloc/family.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HUGE_SIZE ((size_t)PTRDIFF_MAX + 1)
#define UNTOUCHED 12345
#define PAGE ((size_t)4096)

#pragma weak free_sized
#pragma weak free_aligned_sized

/* Where our malloc must be, it names itself in malloc_info. */
static bool is_ours(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_int_equal(malloc_info(0, file), 0);
    fclose(file);
    bool found = strstr(text, "heapyard") != NULL;
    free(text);
    return found;
}

/* minor: of glibc 2; 0: always. Ours agrees always. */
static bool agrees_since(int minor) {
    return is_ours() || atoi(gnu_get_libc_version() + 2) >= minor;
}

static void the_expected_malloc_is_there(void **state) {
    (void)state;
    const char *expected = getenv("HY_TEST_MALLOC");
    assert_non_null(expected);
    assert_int_equal(is_ours(), strcmp(expected, "heapyard") == 0);
}

/* ---- requests ---- */

typedef enum call {
    MALLOC,
    CALLOC,
    REALLOC,
    REALLOCARRAY,
    ALIGNED_ALLOC,
    POSIX_MEMALIGN,
    MEMALIGN,
    VALLOC,
    PVALLOC
} call;

/* posix_memalign gives its error to the caller, and leaves errno alone; glibc's sets it for want of memory.
 */
static bool is_errno_kept(int error) {
    return error != ENOMEM || is_ours();
}

/* The pointer, and the error where it is NULL: errno, or what posix_memalign returns. */
static void *perform(call which, size_t a, size_t b, int *error) {
    void *ptr = NULL;
    errno = UNTOUCHED;
    switch (which) {
    case MALLOC:
        ptr = malloc(a);
        break;
    case CALLOC:
        ptr = calloc(a, b);
        break;
    case REALLOC:
        ptr = realloc(NULL, a);
        break;
    case REALLOCARRAY:
        ptr = reallocarray(NULL, a, b);
        break;
    case ALIGNED_ALLOC:
        ptr = aligned_alloc(a, b);
        break;
    case MEMALIGN:
        ptr = memalign(a, b);
        break;
    case VALLOC:
        ptr = valloc(a);
        break;
    case PVALLOC:
        ptr = pvalloc(a);
        break;
    case POSIX_MEMALIGN: {
        void *out = &out;
        *error = posix_memalign(&out, a, b);
        if (is_errno_kept(*error)) assert_int_equal(errno, UNTOUCHED);
        if (*error) assert_ptr_equal(out, &out);
        return *error ? NULL : out;
    }
    }
    *error = ptr ? 0 : errno;
    if (ptr) assert_int_equal(errno, UNTOUCHED);
    return ptr;
}

typedef struct request {
    const char *name;
    call which;
    size_t a, b;
    int refusal; /* 0: it is served, at least so: */
    size_t align, usable;
    int agrees_since;
} request;

/* clang-format off */
static const request requests[] = {
    {"malloc(0)", MALLOC, 0, 0, 0, 16, 0, 0},
    {"malloc(1)", MALLOC, 1, 0, 0, 16, 1, 0},
    {"malloc(8)", MALLOC, 8, 0, 0, 16, 8, 0},
    {"malloc(15)", MALLOC, 15, 0, 0, 16, 15, 0},
    {"malloc(24)", MALLOC, 24, 0, 0, 16, 24, 0},
    {"malloc(1024)", MALLOC, 1024, 0, 0, 16, 1024, 0},
    {"malloc(1025)", MALLOC, 1025, 0, 0, 16, 1025, 0},
    {"malloc(32 KiB)", MALLOC, 32 << 10, 0, 0, 16, 32 << 10, 0},
    {"malloc(32 KiB + 1)", MALLOC, (32 << 10) + 1, 0, 0, 16, (32 << 10) + 1, 0},
    {"malloc(10 MB)", MALLOC, 10000000, 0, 0, 16, 10000000, 0},
    {"malloc(PTRDIFF_MAX)", MALLOC, PTRDIFF_MAX, 0, ENOMEM, 0, 0, 0},
    {"malloc(PTRDIFF_MAX + 1)", MALLOC, HUGE_SIZE, 0, ENOMEM, 0, 0, 0},
    {"malloc(SIZE_MAX - 15)", MALLOC, SIZE_MAX - 15, 0, ENOMEM, 0, 0, 0},
    {"malloc(SIZE_MAX)", MALLOC, SIZE_MAX, 0, ENOMEM, 0, 0, 0},
    {"calloc(0, 0)", CALLOC, 0, 0, 0, 16, 0, 0},
    {"calloc(0, 8)", CALLOC, 0, 8, 0, 16, 0, 0},
    {"calloc(3, 100)", CALLOC, 3, 100, 0, 16, 300, 0},
    {"calloc(SIZE_MAX, 2)", CALLOC, SIZE_MAX, 2, ENOMEM, 0, 0, 0},
    {"calloc(2^32, 2^32)", CALLOC, (size_t)1 << 32, (size_t)1 << 32, ENOMEM, 0, 0, 0},
    {"calloc(2^32 + 1, 2^32)", CALLOC, ((size_t)1 << 32) + 1, (size_t)1 << 32, ENOMEM, 0, 0, 0},
    {"calloc(1, PTRDIFF_MAX + 1)", CALLOC, 1, HUGE_SIZE, ENOMEM, 0, 0, 0},
    {"realloc(NULL, 0)", REALLOC, 0, 0, 0, 16, 0, 0},
    {"realloc(NULL, 100)", REALLOC, 100, 0, 0, 16, 100, 0},
    {"realloc(NULL, SIZE_MAX)", REALLOC, SIZE_MAX, 0, ENOMEM, 0, 0, 0},
    {"reallocarray(NULL, 7, 11)", REALLOCARRAY, 7, 11, 0, 16, 77, 0},
    {"reallocarray(NULL, SIZE_MAX, 3)", REALLOCARRAY, SIZE_MAX, 3, ENOMEM, 0, 0, 0},
    {"aligned_alloc(1, 10)", ALIGNED_ALLOC, 1, 10, 0, 16, 10, 0},
    {"aligned_alloc(64, 1)", ALIGNED_ALLOC, 64, 1, 0, 64, 1, 0},
    {"aligned_alloc(64, 0)", ALIGNED_ALLOC, 64, 0, 0, 64, 0, 0},
    {"aligned_alloc(4096, 4096)", ALIGNED_ALLOC, 4096, 4096, 0, 4096, 4096, 0},
    {"aligned_alloc(2 MiB, 100)", ALIGNED_ALLOC, 2 << 20, 100, 0, 2 << 20, 100, 0},
    {"aligned_alloc(0, 10)", ALIGNED_ALLOC, 0, 10, EINVAL, 0, 0, 38},
    {"aligned_alloc(24, 48)", ALIGNED_ALLOC, 24, 48, EINVAL, 0, 0, 38},
    {"aligned_alloc(SIZE_MAX, 1)", ALIGNED_ALLOC, SIZE_MAX, 1, EINVAL, 0, 0, 0},
    {"aligned_alloc(64, SIZE_MAX)", ALIGNED_ALLOC, 64, SIZE_MAX, ENOMEM, 0, 0, 0},
    {"aligned_alloc(64, SIZE_MAX - 63)", ALIGNED_ALLOC, 64, SIZE_MAX - 63, ENOMEM, 0, 0, 0},
    {"aligned_alloc(4096, PTRDIFF_MAX)", ALIGNED_ALLOC, 4096, PTRDIFF_MAX, ENOMEM, 0, 0, 0},
    {"aligned_alloc(2^62, 1)", ALIGNED_ALLOC, (size_t)1 << 62, 1, ENOMEM, 0, 0, 0},
    {"aligned_alloc(2^63, 1)", ALIGNED_ALLOC, (size_t)1 << 63, 1, ENOMEM, 0, 0, 0},
    {"posix_memalign(8, 10)", POSIX_MEMALIGN, 8, 10, 0, 16, 10, 0},
    {"posix_memalign(32, 33)", POSIX_MEMALIGN, 32, 33, 0, 32, 33, 0},
    {"posix_memalign(64, 0)", POSIX_MEMALIGN, 64, 0, 0, 64, 0, 0},
    {"posix_memalign(128, 1000)", POSIX_MEMALIGN, 128, 1000, 0, 128, 1000, 0},
    {"posix_memalign(1 MiB, 3)", POSIX_MEMALIGN, 1 << 20, 3, 0, 1 << 20, 3, 0},
    {"posix_memalign(0, 1)", POSIX_MEMALIGN, 0, 1, EINVAL, 0, 0, 0},
    {"posix_memalign(4, 1)", POSIX_MEMALIGN, 4, 1, EINVAL, 0, 0, 0},
    {"posix_memalign(12, 1)", POSIX_MEMALIGN, 12, 1, EINVAL, 0, 0, 0},
    {"posix_memalign(24, 1)", POSIX_MEMALIGN, 24, 1, EINVAL, 0, 0, 0},
    {"posix_memalign(SIZE_MAX, 1)", POSIX_MEMALIGN, SIZE_MAX, 1, EINVAL, 0, 0, 0},
    {"posix_memalign(16, SIZE_MAX)", POSIX_MEMALIGN, 16, SIZE_MAX, ENOMEM, 0, 0, 0},
    {"posix_memalign(4096, SIZE_MAX)", POSIX_MEMALIGN, 4096, SIZE_MAX, ENOMEM, 0, 0, 0},
    {"posix_memalign(2^62, 1)", POSIX_MEMALIGN, (size_t)1 << 62, 1, ENOMEM, 0, 0, 0},
    {"memalign(0, 10)", MEMALIGN, 0, 10, 0, 16, 10, 0},
    {"memalign(3, 10)", MEMALIGN, 3, 10, 0, 16, 10, 0},
    {"memalign(17, 10)", MEMALIGN, 17, 10, 0, 32, 10, 0},
    {"memalign(100, 500)", MEMALIGN, 100, 500, 0, 128, 500, 0},
    {"memalign(8192, 1)", MEMALIGN, 8192, 1, 0, 8192, 1, 0},
    {"memalign(5000, 1)", MEMALIGN, 5000, 1, 0, 8192, 1, 0},
    {"memalign(2^63 + 1, 1)", MEMALIGN, ((size_t)1 << 63) + 1, 1, EINVAL, 0, 0, 0},
    {"memalign(2^63, 1)", MEMALIGN, (size_t)1 << 63, 1, ENOMEM, 0, 0, 0},
    {"memalign(64, SIZE_MAX)", MEMALIGN, 64, SIZE_MAX, ENOMEM, 0, 0, 0},
    {"valloc(0)", VALLOC, 0, 0, 0, PAGE, 0, 0},
    {"valloc(1)", VALLOC, 1, 0, 0, PAGE, 1, 0},
    {"valloc(SIZE_MAX)", VALLOC, SIZE_MAX, 0, ENOMEM, 0, 0, 0},
    {"pvalloc(0)", PVALLOC, 0, 0, 0, PAGE, 0, 0},
    {"pvalloc(1)", PVALLOC, 1, 0, 0, PAGE, PAGE, 0},
    {"pvalloc(4097)", PVALLOC, 4097, 0, 0, PAGE, 2 * PAGE, 0},
    {"pvalloc(-1)", PVALLOC, SIZE_MAX, 0, ENOMEM, 0, 0, 0},
    {"pvalloc(PTRDIFF_MAX)", PVALLOC, PTRDIFF_MAX, 0, ENOMEM, 0, 0, 0},
};
/* clang-format on */

static void fail_request(const request *it, const char *what) {
    fail_msg("%s: %s", it->name, what);
}

static void check_served(const request *it, void *ptr, void *other) {
    if (!ptr || !other) fail_request(it, "refused");
    if (ptr == other) fail_request(it, "gave one block twice");
    if ((uintptr_t)ptr % it->align || (uintptr_t)other % it->align) fail_request(it, "not aligned");
    size_t usable = malloc_usable_size(ptr);
    if (usable < it->usable) fail_request(it, "less usable than asked for");
    if (usable <= (1 << 20)) memset(ptr, 0xA5, usable);
}

static void each_request_is_answered(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const request *it = &requests[i];
        if (!agrees_since(it->agrees_since)) continue;
        int error, other_error;
        void *ptr = perform(it->which, it->a, it->b, &error);
        void *other = perform(it->which, it->a, it->b, &other_error);
        if (error != it->refusal) fail_msg("%s: error %d, expected %d", it->name, error, it->refusal);
        if (!it->refusal) check_served(it, ptr, other);
        errno = UNTOUCHED;
        free(ptr);
        free(other);
        if (errno != UNTOUCHED) fail_request(it, "free changed errno");
    }
}

/* ---- sizes ---- */

/* A byte that depends on both, so that a stray write is seen. */
static unsigned char mark(size_t number) {
    return (unsigned char)(number * 31 + 7);
}

static void every_size_is_a_block_of_its_own(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static unsigned char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_true(malloc_usable_size(blocks[i]) >= i);
        memset(blocks[i], mark(i), malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t usable = malloc_usable_size(blocks[i]);
        for (size_t at = 0; at < usable; at++)
            assert_int_equal(blocks[i][at], mark(i));
        free(blocks[i]);
    }
}

static void calloc_gives_zeroes(void **state) {
    (void)state;
    for (size_t size = 1; size < (4 << 20); size = size * 3 / 2 + 1) {
        unsigned char *used = malloc(size);
        memset(used, 0xFF, size);
        free(used);
        unsigned char *zeroed = calloc(1, size);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(zeroed[at], 0);
        free(zeroed);
    }
}

static void sizes_of_nothing(void **state) {
    (void)state;
    assert_int_equal(malloc_usable_size(NULL), 0);
    errno = UNTOUCHED;
    free(NULL);
    assert_int_equal(errno, UNTOUCHED);
}

/* ---- realloc ---- */

static void check_content(const unsigned char *block, size_t size, size_t number) {
    for (size_t at = 0; at < size; at++)
        assert_int_equal(block[at], mark(number + at));
}

static void realloc_keeps_what_fits(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 15, 100, 99, 1024, 1025, 1024, 30000, 32768, 32769, 100000,
        99999, 5000000, 5000001, 40000, 32000, 3000, 200, 3};
    size_t old_size = 0;
    unsigned char *block = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        block = realloc(block, sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        check_content(block, old_size < sizes[i] ? old_size : sizes[i], 5);
        for (size_t at = 0; at < sizes[i]; at++)
            block[at] = mark(5 + at);
        old_size = sizes[i];
    }
    free(block);
}

static void realloc_takes_aligned_blocks(void **state) {
    (void)state;
    for (size_t align = 16; align <= (1 << 16); align *= 2) {
        unsigned char *block = memalign(align, 50);
        for (size_t at = 0; at < 50; at++)
            block[at] = mark(at);
        block = realloc(block, 5000);
        check_content(block, 50, 0);
        block = realloc(block, 50000);
        check_content(block, 50, 0);
        free(block);
    }
}

static void realloc_to_nothing_frees(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) { /* 10 GB, if it did not */
        void *block = malloc(100000);
        assert_non_null(block);
        errno = UNTOUCHED;
        assert_null(realloc(block, 0));
        assert_int_equal(errno, UNTOUCHED);
    }
}

static void a_failed_realloc_keeps_the_block(void **state) {
    (void)state;
    static const size_t absurd[] = {PTRDIFF_MAX, HUGE_SIZE, SIZE_MAX - 4096, SIZE_MAX};
    for (size_t size = 1; size < 1000000; size *= 7) {
        unsigned char *block = malloc(size);
        for (size_t at = 0; at < size; at++)
            block[at] = mark(at);
        for (size_t i = 0; i < 4; i++) {
            errno = UNTOUCHED;
            assert_null(realloc(block, absurd[i]));
            assert_int_equal(errno, ENOMEM);
        }
        errno = UNTOUCHED;
        assert_null(reallocarray(block, SIZE_MAX / 2, 3));
        assert_int_equal(errno, ENOMEM);
        check_content(block, size, 0);
        free(block);
    }
}

/* ---- sized frees ---- */

static void sized_frees_end_blocks(void **state) {
    (void)state;
    if (!free_sized || !free_aligned_sized) skip();
    errno = UNTOUCHED;
    free_sized(NULL, 100);
    free_aligned_sized(NULL, 64, 100);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 100000; size = size < 5000 ? size + 1 : size * 2) {
            void *block = malloc(size), *zeroed = calloc(size, 1),
                 *moved = realloc(malloc(size * 2 + 1), size + 1);
            void *aligned = aligned_alloc(64, size), *far = aligned_alloc(16384, size);
            free_sized(block, size);
            free_sized(zeroed, size);
            free_sized(moved, size + 1);
            free_aligned_sized(aligned, 64, size);
            free_aligned_sized(far, 16384, size);
        }
    }
    assert_int_equal(errno, UNTOUCHED);
    assert_true(malloc_trim(0) >= 0); /* which looks at every block that was freed */
}

/* ---- what tells of the heap ---- */

static void information_is_sensible(void **state) {
    (void)state;
    char *block = malloc(1000000);
    struct mallinfo2 wide = mallinfo2();
    assert_true(wide.uordblks + wide.hblkhd >= 1000000);
    assert_true(wide.arena + wide.hblkhd >= 1000000);
    free(block);
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 1 << 20), 1);
    assert_int_equal(malloc_info(1, stdout), EINVAL);
}

static void trim_gives_memory_back(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc(10000);
        memset(blocks[i], 1, 10000);
    }
    void *last = malloc(10000);
    for (size_t i = 0; i < COUNT; i++)
        free(blocks[i]);
    errno = UNTOUCHED;
    int trimmed = malloc_trim(0);
    if (is_ours()) assert_int_equal(errno, UNTOUCHED);
    assert_int_equal(trimmed, 1);
    free(last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_expected_malloc_is_there),
        cmocka_unit_test(each_request_is_answered),
        cmocka_unit_test(every_size_is_a_block_of_its_own),
        cmocka_unit_test(calloc_gives_zeroes),
        cmocka_unit_test(sizes_of_nothing),
        cmocka_unit_test(realloc_keeps_what_fits),
        cmocka_unit_test(realloc_takes_aligned_blocks),
        cmocka_unit_test(realloc_to_nothing_frees),
        cmocka_unit_test(a_failed_realloc_keeps_the_block),
        cmocka_unit_test(sized_frees_end_blocks),
        cmocka_unit_test(information_is_sensible),
        cmocka_unit_test(trim_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
