/* debug_row.h: what debug's reports mean to those who misuse it on purpose: for its rows, and those of
 * what stands on it.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_ROW_H
#define HEAPYARD_STRATEGIES_DEBUG_ROW_H

#include <heapyard/debug.h>
#include <heapyard/plugin.h>

/* All that is counted. */
#define HY_DEBUG_REPORTS                                                                                     \
    (HY_MISUSE_BIT(HY_MISUSE_WRONG_SIZE) | HY_MISUSE_BIT(HY_MISUSE_HUGE_SIZE) |                              \
        HY_MISUSE_BIT(HY_MISUSE_WRONG_ALIGN) | HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE) |                        \
        HY_MISUSE_BIT(HY_MISUSE_INTERIOR) | HY_MISUSE_BIT(HY_MISUSE_FOREIGN) |                               \
        HY_MISUSE_BIT(HY_MISUSE_WRONG_INSTANCE) | HY_MISUSE_BIT(HY_MISUSE_RESIZE_FREED) |                    \
        HY_MISUSE_BIT(HY_MISUSE_WRITE_PAST) | HY_MISUSE_BIT(HY_MISUSE_WRITE_BEFORE) |                        \
        HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED) | HY_MISUSE_BIT(HY_MISUSE_LEAK))

/* What a freed block waits for with the defaults: so many frees, or so many bytes. */
#define HY_DEBUG_REST_COUNT 64
#define HY_DEBUG_REST_BYTES ((size_t)64 << 10)
#define HY_DEBUG_RETAINED_BYTES ((size_t)1 << 20)

/* The misuse that a report of that class may be about. */
static inline hy_misuses hy_debug_meaning(hy_debug_class found) {
    static const hy_misuses meanings[HY_DEBUG_CLASS_COUNT] = {
        [HY_DEBUG_LEAK] = HY_MISUSE_BIT(HY_MISUSE_LEAK),
        [HY_DEBUG_DOUBLE_FREE] = HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE),
        [HY_DEBUG_USE_AFTER_FREE] = HY_MISUSE_BIT(HY_MISUSE_RESIZE_FREED),
        [HY_DEBUG_INVALID_FREE] = HY_MISUSE_BIT(HY_MISUSE_INTERIOR),
        [HY_DEBUG_FOREIGN_POINTER] = HY_MISUSE_BIT(HY_MISUSE_FOREIGN),
        [HY_DEBUG_WRONG_INSTANCE] = HY_MISUSE_BIT(HY_MISUSE_WRONG_INSTANCE),
        [HY_DEBUG_SIZE_MISMATCH] = HY_MISUSE_BIT(HY_MISUSE_WRONG_SIZE) | HY_MISUSE_BIT(HY_MISUSE_HUGE_SIZE),
        [HY_DEBUG_ALIGNMENT_MISMATCH] = HY_MISUSE_BIT(HY_MISUSE_WRONG_ALIGN),
        [HY_DEBUG_OVERFLOW] = HY_MISUSE_BIT(HY_MISUSE_WRITE_PAST),
        [HY_DEBUG_UNDERFLOW] = HY_MISUSE_BIT(HY_MISUSE_WRITE_BEFORE),
        [HY_DEBUG_WRITE_AFTER_FREE] = HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED),
    };
    return meanings[found];
}

/* Whether the misuse is covered: of what is freed, that of small blocks is, as a large one's memory goes back
 * to the child soon; without safety writes are not. */
static inline bool hy_debug_covers(
    void *instance, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    const hy_misuses of_freed = HY_MISUSE_BIT(HY_MISUSE_DOUBLE_FREE) | HY_MISUSE_BIT(HY_MISUSE_RESIZE_FREED) |
                                HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED);
    const hy_misuses writes = HY_MISUSE_BIT(HY_MISUSE_WRITE_PAST) | HY_MISUSE_BIT(HY_MISUSE_WRITE_BEFORE) |
                              HY_MISUSE_BIT(HY_MISUSE_WRITE_FREED);
    const hy_debug *debug = (const hy_debug *)instance;
    (void)ptr;
    if (!debug->config.safety && HY_MISUSE_BIT(misuse) & writes) return false;
    return (size <= 2048 && align.log2 <= 6) || !(HY_MISUSE_BIT(misuse) & of_freed);
}

#endif
