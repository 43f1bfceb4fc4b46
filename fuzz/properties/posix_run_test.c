/* posix_run_test.c: a sound family passes, each planted fault is found by drawn bytes as what it is, and a
 * finding prints the program that shows it.
 */
#include "fuzz/properties/posix_run.h"

#include "fuzz/finding.h"
#include "fuzz/minimise.h"
#include "fuzz/properties/posix_program.h"
#include <errno.h>
#include <heapyard/align.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define INPUTS 2000
#define INPUT_BYTES 96
#define REGION_BYTES ((size_t)1 << 30)

typedef enum fault {
    FAULT_NONE,
    FAULT_OVERLAPS,
    FAULT_MISALIGNS,
    FAULT_DIRTY,
    FAULT_SHORT,
    FAULT_NO_ERRNO,
    FAULT_FREE_SETS_ERRNO,
    FAULT_SIZED_FREE_SETS_ERRNO,
    FAULT_PRODUCT_WRAPS,
    FAULT_REFUSES,
    FAULT_LOSES_BYTES,
    FAULT_REFUSAL_SCRIBBLES,
    FAULT_REALLOC_TO_NOTHING_SERVES,
    FAULT_OUT_IS_TOUCHED,
    FAULT_ANY_ALIGNMENT,
    FAULT_SUCCESS_SETS_ERRNO,
    FAULT_ROUNDS_DOWN,
    FAULT_LEAKS,
    FAULT_FIGURES,
} fault;

/* Bumps through a region, a block's size before it, and takes nothing back. */
static struct {
    fault fault;
    char *region;
    size_t used;
    size_t live; /* bytes in blocks that are not freed */
} planted;

static size_t *size_of(void *ptr) {
    return (size_t *)ptr - 1;
}

static void *refuse(int error) {
    if (planted.fault != FAULT_NO_ERRNO) errno = error;
    return NULL;
}

static void *take(size_t align, size_t size) {
    if (size > PTRDIFF_MAX || align > REGION_BYTES) return refuse(ENOMEM);
    if (planted.fault == FAULT_REFUSES && size > 1000 && size < 5000) return refuse(ENOMEM);
    size_t shift = planted.fault == FAULT_MISALIGNS && align > 64 ? 16 : 0;
    uintptr_t base = (uintptr_t)planted.region;
    size_t start = hy_align_forward(base + planted.used + 16, hy_align_from_bytes(align < 16 ? 16 : align)) -
                   base + shift;
    if (size > REGION_BYTES || start > REGION_BYTES - size) return refuse(ENOMEM);
    planted.used = start + (planted.fault == FAULT_OVERLAPS && size > 40 ? size - 40 : size);
    char *ptr = planted.region + start;
    *size_of(ptr) = size;
    planted.live += size;
    if (planted.fault == FAULT_SUCCESS_SETS_ERRNO) errno = 0;
    return ptr;
}

static void give(void *ptr) {
    if (ptr) planted.live -= *size_of(ptr);
}

static size_t planted_live(void) {
    return planted.live;
}

static void *planted_malloc(size_t size) {
    return take(16, size);
}

static void *planted_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) && planted.fault != FAULT_PRODUCT_WRAPS)
        return refuse(ENOMEM);
    char *ptr = take(16, bytes);
    if (ptr && bytes && planted.fault == FAULT_DIRTY) ptr[bytes - 1] = 1;
    return ptr;
}

static void planted_free(void *ptr) {
    give(ptr);
    if (ptr && planted.fault == FAULT_FREE_SETS_ERRNO) errno = 0;
}

static void planted_free_sized(void *ptr, size_t size) {
    (void)size;
    give(ptr);
    if (ptr && planted.fault == FAULT_SIZED_FREE_SETS_ERRNO) errno = 0;
}

static void *planted_realloc(void *ptr, size_t size) {
    if (ptr && size == 0 && planted.fault != FAULT_REALLOC_TO_NOTHING_SERVES) {
        give(ptr);
        return NULL;
    }
    void *moved = take(16, size);
    if (!moved && ptr && *size_of(ptr) && planted.fault == FAULT_REFUSAL_SCRIBBLES) *(char *)ptr ^= 1;
    if (!moved || !ptr) return moved;
    size_t kept = *size_of(ptr) < size ? *size_of(ptr) : size;
    memcpy(moved, ptr, planted.fault == FAULT_LOSES_BYTES ? kept / 2 : kept);
    if (planted.fault != FAULT_LEAKS) give(ptr);
    return moved;
}

static size_t planted_usable(void *ptr) {
    if (!ptr) return 0;
    return *size_of(ptr) - (planted.fault == FAULT_SHORT && *size_of(ptr) ? 1 : 0);
}

static int planted_posix_memalign(void **out, size_t align, size_t size) {
    if (planted.fault == FAULT_OUT_IS_TOUCHED) *out = NULL;
    if (planted.fault == FAULT_ANY_ALIGNMENT && align == 0) align = 16;
    if (align < 8 || (align & (align - 1))) return EINVAL;
    int before = errno;
    void *ptr = take(align, size);
    errno = before;
    if (!ptr) return ENOMEM;
    *out = ptr;
    return 0;
}

static void *planted_memalign(size_t align, size_t size) {
    if (align > SIZE_MAX / 2 + 1) return refuse(EINVAL);
    size_t power = 16;
    while (power < align)
        power *= 2;
    return take(planted.fault == FAULT_ROUNDS_DOWN && power > align ? power / 2 : power, size);
}

static bool planted_figures_hold(void) {
    return planted.fault != FAULT_FIGURES;
}

static int planted_trim(size_t keep) {
    (void)keep;
    return 0;
}

static const hy_posix_family family = {
    .name = "planted",
    .keeps_errno = true,
    .rounds_align = true,
    .live_bytes = planted_live,
    .figures_hold = planted_figures_hold,
    .trim = planted_trim,
    .malloc = planted_malloc,
    .calloc = planted_calloc,
    .realloc = planted_realloc,
    .free = planted_free,
    .usable_size = planted_usable,
    .posix_memalign = planted_posix_memalign,
    .memalign = planted_memalign,
    .free_sized = planted_free_sized,
};

/* ---- */

static size_t run_fresh(const uint8_t *bytes, size_t size) {
    planted.used = planted.live = 0;
    size_t made = hy_posix_run(&family, bytes, size);
    madvise(planted.region, planted.used, MADV_DONTNEED);
    return made;
}

/* Letters that mean something are drawn as often as all others together. */
static void run_many(const void *argument) {
    static const char words[] = "mcrRpfFu01238xkpb=UDSr.+-9gi";
    uint64_t seed = 1;
    (void)argument;
    for (int i = 0; i < INPUTS; i++) {
        uint8_t bytes[INPUT_BYTES];
        for (size_t at = 0; at < sizeof bytes; at++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[at] =
                seed >> 63 ? (uint8_t)words[(seed >> 40) % (sizeof words - 1)] : (uint8_t)(seed >> 48);
        }
        run_fresh(bytes, sizeof bytes);
    }
}

static const struct {
    fault fault;
    const char *key;
} expectations[] = {
    {FAULT_NONE, ""},
    {FAULT_OVERLAPS, "finding: overlap"},
    {FAULT_MISALIGNS, "finding: align"},
    {FAULT_DIRTY, "finding: zero"},
    {FAULT_SHORT, "finding: usable"},
    {FAULT_NO_ERRNO, "finding: errno"},
    {FAULT_FREE_SETS_ERRNO, "finding: errno"},
    {FAULT_SIZED_FREE_SETS_ERRNO, "finding: errno"},
    {FAULT_PRODUCT_WRAPS, "finding: answer"},
    {FAULT_REFUSES, "finding: answer"},
    {FAULT_LOSES_BYTES, "finding: contents"},
    {FAULT_REFUSAL_SCRIBBLES, "finding: contents"},
    {FAULT_REALLOC_TO_NOTHING_SERVES, "finding: answer"},
    {FAULT_OUT_IS_TOUCHED, "finding: out"},
    {FAULT_ANY_ALIGNMENT, "finding: answer"},
    {FAULT_SUCCESS_SETS_ERRNO, "finding: errno"},
    {FAULT_ROUNDS_DOWN, "finding: align"},
    {FAULT_LEAKS, "finding: lost"},
    {FAULT_FIGURES, "finding: figures"},
};

static void test_each_planted_fault_is_found(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        hy_verdict verdict;
        planted.fault = expectations[i].fault;
        hy_verdict_of(run_many, NULL, 60, &verdict);
        if (strcmp(verdict.key, expectations[i].key) != 0) fail_msg("fault %zu: %s", i, verdict.line);
    }
    planted.fault = FAULT_NONE;
}

/* ---- the language ---- */

static void test_letters_are_calls(void **unused) {
    (void)unused;
    static const char text[] = "c3 x+k9 # a comment m0 k.\n a b mS- R1 =.U- p2 iA. M3 A+i f";
    static const hy_posix_call expected[] = {
        {HY_POSIX_CALLOC, 3, 17, 1024 + 9 * 16, 0},
        {HY_POSIX_ALIGNED_ALLOC, 11, 1, SIZE_MAX - 1, 4096},
        {HY_POSIX_REALLOCARRAY, 1, 100, 127, 0},
        {HY_POSIX_MEMALIGN_OUT, 2, 1, 256, 256},
        {HY_POSIX_MI_MALLOC_ALIGNED, 3, 1, 257, 256},
        {HY_POSIX_FREE, 0, 1, 0, 0},
    };
    static const hy_posix_sizes sizes = {.asked = {0, 100}, .usable = {0, 128}};
    hy_posix_reader reader = {(const uint8_t *)text, (const uint8_t *)text + sizeof text - 1, 0};
    hy_posix_call call;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(hy_posix_read(&reader, &sizes, &call));
        assert_int_equal(call.function, expected[i].function);
        assert_int_equal(call.slot, expected[i].slot);
        assert_int_equal(call.count, expected[i].count);
        assert_int_equal(call.size, expected[i].size);
        assert_int_equal(call.align, expected[i].align);
    }
    assert_false(hy_posix_read(&reader, &sizes, &call));
}

static void test_calls_print_as_c(void **unused) {
    (void)unused;
    static const hy_posix_call calls[] = {
        {HY_POSIX_CALLOC, 3, 17, 4, 0},
        {HY_POSIX_REALLOC, 3, 1, 100, 0},
        {HY_POSIX_REALLOCARRAY, 3, 0, 8, 0},
        {HY_POSIX_MEMALIGN_OUT, 1, 1, 5, 64},
        {HY_POSIX_MI_MALLOC_ALIGNED, 2, 1, 6, 32},
        {HY_POSIX_SDALLOCX, 2, 1, 6, 32},
        {HY_POSIX_FREE, 1, 1, 0, 0},
        {HY_POSIX_FREE_ALIGNED_SIZED, 2, 1, 6, 32},
        {HY_POSIX_TRIM, 0, 1, 0, 0},
    };
    static const char *const lines[] = {
        "b[3] = calloc(17u, 4u);\n",
        "q = realloc(b[3], 100u); moved(3, q, 100u);\n",
        "q = reallocarray(b[3], 0u, 8u); moved(3, q, 0u);\n",
        "e = posix_memalign(&b[1], 64u, 5u);\n",
        "b[2] = lib_mi_malloc_aligned(6u, 32u);\n",
        "lib_sdallocx(b[2], 6u, 5), b[2] = NULL;\n",
        "free(b[1]), b[1] = NULL;\n",
        "lib_free_aligned_sized(b[2], 32u, 6u), b[2] = NULL;\n",
        "malloc_trim(0);\n    if (1) return puts(\"wrong: it is wrong\"), 1;\n",
        "static void *(*lib_mi_malloc_aligned)(size_t, size_t);\n",
        "static void (*lib_sdallocx)(void *, size_t, int);\n",
    };
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    hy_posix_print(out,
        &(hy_posix_program){
            .calls = calls, .count = sizeof calls / sizeof calls[0], .finding = "it is wrong", .wrong = "1"});
    fclose(out);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!strstr(text, lines[i])) fail_msg("%s is not in %s", lines[i], text);
    }
    free(text);
}

/* ---- what is known ---- */

static void read_known(const char *text) {
    char path[] = "/tmp/posix_run_test_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    assert_true(hy_finding_read_known(path));
    unlink(path);
}

/* Past what is known, the next fault is found. */
static void test_a_known_kind_is_passed_over(void **unused) {
    (void)unused;
    hy_verdict verdict;
    planted.fault = FAULT_NO_ERRNO;
    read_known(
        "posix: finding: errno: malloc refused with error 1 instead of ENOMEM (row x, operation 3 malloc)\n"
        "finding: errno: calloc refused with error 1 instead of ENOMEM (row x, operation 3 calloc)\n"
        "finding: errno: realloc refused with error 1 instead of ENOMEM (row x, operation 3 realloc)\n"
        "finding: errno: memalign refused with error 1 instead of EINVAL (row x, operation 3 memalign)\n"
        "finding: errno: memalign refused with error 1 instead of ENOMEM (row x, operation 3 memalign)\n");
    hy_verdict_of(run_many, NULL, 60, &verdict);
    if (verdict.key[0]) fail_msg("%s", verdict.line);
    planted.fault = FAULT_MISALIGNS;
    hy_verdict_of(run_many, NULL, 60, &verdict);
    assert_string_equal(verdict.key, "finding: align");
    read_known("finding: align: posix_memalign gave 7 bytes at 0xff, not aligned to 8\n"
               "finding: align: memalign gave 7 bytes at 0xff, not aligned to 8\n"
               "finding: align: a block of no bytes (0xab) is not aligned to 1 (row x, operation 1 "
               "posix_memalign)\n");
    hy_verdict_of(run_many, NULL, 60, &verdict);
    if (verdict.key[0]) fail_msg("%s", verdict.line);
    planted.fault = FAULT_NONE;
    read_known("");
    assert_true(
        hy_finding_is_same_kind("x: finding: align: 7 at 0xab (row x)", "finding: align: 12 at 0x1 (row y)"));
    assert_false(
        hy_finding_is_same_kind("finding: align: 7 at 0xab (row x)", "finding: usable: 7 at 0xab (row x)"));
    assert_false(hy_finding_read_known("/no/such/file"));
}

static void test_records_are_calls(void **unused) {
    (void)unused;
    static const char text[] = "m0x. # one\nf0 t";
    assert_int_equal(hy_posix_record((const uint8_t *)text, sizeof text - 1, 0), 4);
    assert_int_equal(hy_posix_record((const uint8_t *)text, sizeof text - 1, 4), 9);
    assert_int_equal(hy_posix_record((const uint8_t *)text, sizeof text - 1, 13), 2);
}

int main(void) {
    planted.region =
        mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (planted.region == MAP_FAILED) return EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_planted_fault_is_found),
        cmocka_unit_test(test_letters_are_calls),
        cmocka_unit_test(test_calls_print_as_c),
        cmocka_unit_test(test_records_are_calls),
        cmocka_unit_test(test_a_known_kind_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
