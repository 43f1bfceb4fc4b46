/* heapyard/conformance.h: the contract as executable checks, for those who write an allocator.
 *
 * Describe the allocator by a row (heapyard/plugin.h), and each check that applies to it is run:
 *
 *   static void tell(void *context, const hy_row *row, const hy_conformance_check *check, const char *why) {
 *       (void)context;
 *       if (why) printf("%s: %s: %s\n", row->name, check->name, why);
 *   }
 *
 *   int main(void) {
 *       return hy_conformance_run_row(&my_row, tell, NULL) ? 0 : 1;
 *   }
 *
 * It is a library of its own, for test programs: heapyard::conformance in CMake, heapyard-conformance for
 * pkg-config. It brings the static library and all of heapyard's rows along, so that default_child and
 * stack of a row may name any of them, or another row of its own plugin.
 *
 * What a row must know:
 *  - Which checks apply follows from the row's traits alone: promise what holds for every instance.
 *  - A row that stands on a child (default_child) is made over it with a counter between them. After every
 *    check all blocks are freed, the instance is destroyed, and everything must have come back to the child.
 *  - The traits and greatest_align of a row that passes its child's on are those that it has over its default
 *    child. Only heapyard's own registry computes them; a row from elsewhere types them.
 *  - Requests are of at most 64 KiB, or default_block_size, or default_capacity / 16; alignments of at most
 *    2^14, or greatest_align. So much must be served while little is live.
 *  - Where the row has check, owns, stats or reset, these are called between the steps.
 *
 * Compile both the allocator and its tests with -DHY_CHECK=2 and the sanitizers, too: the checks see what was
 * written to a block, not what was read from where.
 */
#ifndef HEAPYARD_CONFORMANCE_H
#define HEAPYARD_CONFORMANCE_H

#include <heapyard/plugin.h>

HY_BEGIN_DECLS

#define HY_CONFORMANCE_WHY 256 /* bytes that a failed check may say */

struct hy_conformance;

/* One promise of the contract. */
typedef struct hy_conformance_check {
    const char *name;    /* [a-z0-9_]+ */
    const char *what;    /* what must hold, in a phrase */
    hy_traits needs;     /* all of these */
    hy_traits needs_one; /* at least one of these; 0: no such need */
    hy_traits excludes;  /* none of these */
    bool needs_child;    /* the row stands on a child */
    /* The check itself; hy_conformance_run calls it. */
    bool (*run)(struct hy_conformance *c);
} hy_conformance_check;

/* All checks, in the order in which they are best run: the first that fails says most. The array lives for
 * the whole process. */
const hy_conformance_check *hy_conformance_checks(size_t *count);

/* Whether the row's traits ask for the check. */
bool hy_conformance_applies(const hy_conformance_check *check, const hy_row *row);

/* Makes an instance of the row, runs the check, frees what is live, destroys it and looks whether the
 * child got everything back. False: `why` (HY_CONFORMANCE_WHY bytes) says what is wrong; an instance that
 * failed may be broken, and stays behind untouched to the end of the process. Ask no more of that row.
 * Not thread-safe. */
bool hy_conformance_run(const hy_conformance_check *check, const hy_row *row, char *why);

/* What hy_conformance_run_row tells: the check that was run, and why it failed or NULL. */
typedef void (*hy_conformance_listener)(
    void *context, const hy_row *row, const hy_conformance_check *check, const char *why);

/* Runs every check that applies to the row up to the first that fails, and tells of each. True: all hold,
 * and there was one. listener may be NULL. Not thread-safe. */
bool hy_conformance_run_row(const hy_row *row, hy_conformance_listener listener, void *context);

HY_END_DECLS

#endif
