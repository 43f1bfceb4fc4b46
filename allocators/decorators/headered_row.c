/* headered_row.c: how the yards know headered. */
#include <heapyard/headered.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_headered *headered = hy_create(hy_libc(), hy_headered);
    if (!headered) return NULL;
    hy_headered_init(headered, config->child);
    *out = hy_headered_allocator(headered);
    return headered;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_headered *)instance);
}

static void tells_block(void *instance, const void *block, size_t *size, hy_align *align) {
    (void)instance;
    *size = hy_headered_size(block);
    *align = hy_headered_align(block);
}

/* ---- the functions that go without sizes, on a block of their own ---- */

static bool is_all(const unsigned char *bytes, unsigned char value, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != value) return false;
    return true;
}

/* An array of zeroes, or nothing; one whose size passes SIZE_MAX must be nothing. */
static bool zeroed(void *instance, size_t number, hy_mark *mark) {
    (void)mark;
    size_t count = number % 8 + 1, size = number / 8 % 64 + 2;
    void *wrapped = hy_headered_calloc(instance, SIZE_MAX / size + 1, size);
    void *block = hy_headered_calloc(instance, count, size);
    bool good = !wrapped && (!block || is_all(block, 0, count * size));
    hy_headered_free(instance, wrapped);
    hy_headered_free(instance, block);
    return good;
}

/* Whether AddressSanitizer reports a write right before the block. */
static bool is_closed(const void *block) {
#if HY_ASAN
    return __asan_address_is_poisoned((const char *)block - 1);
#else
    (void)block;
    return true;
#endif
}

/* A block of no bytes at any alignment up to a page, which may be freed, and grow. */
static bool nothing(void *instance, size_t number, hy_mark *mark) {
    (void)mark;
    hy_align align = hy_align_from_log2((uint8_t)(number % 13));
    void *block = hy_headered_aligned_alloc(instance, align, 0);
    if (!block || hy_headered_size(block) != 0) return false;
    hy_headered_free(instance, block);
    void *grown = hy_headered_realloc(instance, block, 1);
    bool good = !grown || hy_headered_size(grown) == 1;
    hy_headered_free(instance, grown);
    return good;
}

/* A block that changes its size without its caller knowing more than its address. */
static bool sizeless(void *instance, size_t number, hy_mark *mark) {
    (void)mark;
    hy_align align = hy_align_from_log2((uint8_t)(number % 9));
    size_t size = number / 9 % 200 + 1, new_size = number / 1800 % 200 + 1;
    size_t kept = size < new_size ? size : new_size;
    void *block = hy_headered_aligned_alloc(instance, align, size);
    if (!block) return true;
    memset(block, 0x5A, size);
    void *moved = hy_headered_realloc(instance, block, new_size);
    if (!moved) {
        bool same = hy_headered_size(block) == size && is_all(block, 0x5A, size);
        hy_headered_free(instance, block);
        return same;
    }
    bool good = hy_align_check_pointer(moved, align) && is_all(moved, 0x5A, kept) &&
                hy_headered_size(moved) == new_size && is_closed(moved) &&
                hy_headered_align(moved).log2 == align.log2 && is_closed(moved);
    hy_headered_free(instance, moved);
    return good;
}

static const hy_row_operation operations[] = {
    {"zeroed", HY_EFFECT_NONE, true, zeroed},
    {"sizeless", HY_EFFECT_NONE, true, sizeless},
    {"nothing", HY_EFFECT_NONE, true, nothing},
};
#if HY_CHECK >= 1
#define NOT_LIVE "must be a live block of a headered allocator"
static const hy_row_reports reports = {
    .says = {[HY_MISUSE_WRONG_SIZE] = "must be the size that the block lives with",
        [HY_MISUSE_HUGE_SIZE] = "must be the size that the block lives with",
        [HY_MISUSE_WRONG_ALIGN] = "must be the alignment that the block lives with",
        [HY_MISUSE_DOUBLE_FREE] = NOT_LIVE,
        [HY_MISUSE_INTERIOR] = NOT_LIVE,
        [HY_MISUSE_FOREIGN] = NOT_LIVE,
        [HY_MISUSE_RESIZE_FREED] = NOT_LIVE},
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_BEFORE),
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

const hy_row hy_headered_row = {
    .name = "headered",
    .group = HY_GROUP_DECORATOR,
    .summary = "size and alignment in front of each block, for callers who can't give them back",
    .header = "heapyard/headered.h",
    .keeps = (HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE) & ~HY_TRAIT_FIXED_BLOCK,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.footprint_factor = 1, .shrinks = true}, /* a block of the child for each of its own */
    .make = make,
    .destroy = destroy,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .tells_block = tells_block,
    .reports = REPORTS,
};
