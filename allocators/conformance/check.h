/* check.h: what a check of the conformance suite works with. See <heapyard/conformance.h> for its users. */
#ifndef HEAPYARD_CONFORMANCE_CHECK_H
#define HEAPYARD_CONFORMANCE_CHECK_H

#include "allocators/conformance/blocks.h"
#include "allocators/registry.h"
#include <heapyard/conformance.h>
#include <heapyard/counting.h>

/* An instance of the row, its live blocks, and the counter below it. */
typedef struct hy_conformance {
    const hy_row *row;
    hy_instance instance;
    hy_blocks blocks;
    size_t max_size;        /* requests up to this must be served while little is live */
    uint8_t max_align_log2; /* alignments up to this are asked for */
    bool has_child;
    hy_instance child;            /* of the row's default child */
    hy_counting_shared counter;   /* between the row and it */
    char *why;                    /* HY_CONFORMANCE_WHY bytes */
    struct hy_conformance *older; /* where the check failed: what failed before it */
} hy_conformance;

/* For checks: writes why, returns false. */
bool hy_conformance_fail(hy_conformance *c, const char *format, ...) HY_PRINTF(2, 3);

/* For checks: the blocks hold, and so does the row's own structure. */
bool hy_conformance_holds(hy_conformance *c);

/* A macro because it returns from the check. */
#define HY_EXPECT(c, condition, ...)                                                                         \
    do {                                                                                                     \
        if (!(condition)) return hy_conformance_fail((c), __VA_ARGS__);                                      \
    } while (0)

#endif
