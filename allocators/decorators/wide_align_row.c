/* wide_align_row.c: how the yards know wide_align. */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/wide_align.h>

/* Options of the row: bits 0-2: the child's greatest alignment as init is told: 0 16 bytes, which all
 * children that it may stand on have; n 2^(n-1). */
static hy_align greatest_of(uint32_t options) {
    unsigned chosen = options & 7;
    return chosen == 0 || chosen > 5 ? HY_ALIGN_16 : hy_align_from_log2(chosen - 1);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_wide_align *wide = hy_create(hy_libc(), hy_wide_align);
    if (!wide) return NULL;
    hy_wide_align_init(wide, config->child, greatest_of(config->options));
    *out = hy_wide_align_allocator(wide);
    return wide;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_wide_align *)instance);
}

#if HY_CHECK >= 1
#define NOT_LIVE "must be a live block, with the size and alignment that it lives with"

/* Blocks that the child aligns are its own. */
static bool covers(void *instance, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    (void)misuse, (void)ptr, (void)size;
    return hy_align_compare(align, ((const hy_wide_align *)instance)->greatest) > 0;
}

static const hy_row_reports reports = {
    .says = {[HY_MISUSE_WRONG_SIZE] = NOT_LIVE,
        [HY_MISUSE_HUGE_SIZE] = NOT_LIVE,
        [HY_MISUSE_DOUBLE_FREE] = NOT_LIVE,
        [HY_MISUSE_RESIZE_FREED] = NOT_LIVE,
        [HY_MISUSE_FOREIGN] = NOT_LIVE},
    .poisoned = HY_MISUSE_BIT(HY_MISUSE_WRITE_BEFORE) | HY_MISUSE_BIT(HY_MISUSE_WRITE_PAST),
    .covers = covers,
};
#define REPORTS &reports
#else
#define REPORTS NULL
#endif

/* What a fixed capacity still has room for can't be told from sizes alone, and a fixed block has no room
 * for the overhead. */
const hy_row hy_wide_align_row = {
    .name = "wide_align",
    .group = HY_GROUP_DECORATOR,
    .summary = "any alignment over a child that has only a small one",
    .header = "heapyard/wide_align.h",
    .keeps = (HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE) & ~(HY_TRAIT_FIXED_BLOCK | HY_TRAIT_FIXED_CAPACITY),
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "raw_libc",
    .promises = {.footprint_factor = 1, .shrinks = true}, /* a block of the child for each of its own */
    .make = make,
    .destroy = destroy,
    .reports = REPORTS,
};
