/* check.h: the state and helpers of a conformance check. The suite's interface is <heapyard/conformance.h>.
 */
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
    uint8_t max_align_log2; /* alignments up to this are requested */
    bool has_child;
    hy_instance child;            /* of the row's default child */
    hy_counting_shared counter;   /* between the row and its child */
    char *why;                    /* HY_CONFORMANCE_WHY bytes */
    struct hy_conformance *older; /* the list of failed checks, which are never freed */
} hy_conformance;

/* For checks: writes the message to c->why and returns false. */
bool hy_conformance_fail(hy_conformance *c, const char *format, ...) HY_PRINTF(2, 3);

/* For checks: verifies all live blocks, and the row's own structure. */
bool hy_conformance_holds(hy_conformance *c);

/* A macro because it returns from the check. */
#define HY_EXPECT(c, condition, ...)                                                                         \
    do {                                                                                                     \
        if (!(condition)) return hy_conformance_fail((c), __VA_ARGS__);                                      \
    } while (0)

#endif
