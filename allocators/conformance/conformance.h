/* conformance.h: the contract as executable checks over (row, instance).
 *
 * For those who write an allocator: give your row to hy_conformance_run with each check that applies to
 * it, and read what is wrong.
 *
 *   size_t count;
 *   const hy_conformance_check *checks = hy_conformance_checks(&count);
 *   for (size_t i = 0; i < count; i++) {
 *       char why[HY_CONFORMANCE_WHY];
 *       if (!hy_conformance_applies(&checks[i], row)) continue;
 *       if (hy_conformance_run(&checks[i], row, why)) continue;
 *       printf("%s: %s: %s\n", row->name, checks[i].name, why);
 *       break;
 *   }
 *
 * Which checks apply follows from the row's traits. A row that stands on a child is made over its default
 * child with a counter between them; after every check all blocks are freed, the instance is destroyed,
 * and everything must have come back to the child.
 */
#ifndef HEAPYARD_CONFORMANCE_H
#define HEAPYARD_CONFORMANCE_H

#include "allocators/conformance/blocks.h"
#include "allocators/registry.h"
#include <heapyard/counting.h>

#define HY_CONFORMANCE_WHY 256

/* What a check works with: an instance of the row, its live blocks, and the counter below it. */
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

typedef struct hy_conformance_check {
    const char *name;    /* [a-z0-9_]+ */
    const char *what;    /* what must hold, in a phrase */
    hy_traits needs;     /* all of these */
    hy_traits needs_one; /* at least one of these; 0: no such need */
    hy_traits excludes;  /* none of these */
    bool needs_child;    /* the row stands on a child */
    /* True: it holds. False: c->why says what doesn't. */
    bool (*run)(hy_conformance *c);
} hy_conformance_check;

const hy_conformance_check *hy_conformance_checks(size_t *count);

bool hy_conformance_applies(const hy_conformance_check *check, const hy_row *row);

/* Makes an instance of the row, runs the check, frees what is live, destroys it and looks whether the
 * child got everything back. False: `why` (HY_CONFORMANCE_WHY bytes) says what is wrong; an instance that
 * failed may be broken, and stays behind untouched to the end of the process. Ask no more of that row.
 * Not thread-safe. */
bool hy_conformance_run(const hy_conformance_check *check, const hy_row *row, char *why);

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
