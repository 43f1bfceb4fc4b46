/* call_tap.h: an allocator between the front door and a row, which notes what passes.
 *
 * The front door makes up to four calls of one (hy_realloc), and answers some itself; what a row tells is of
 * the calls that came to it. The tap keeps the last ones as they were made and answered, and how the child
 * below was asked meanwhile. Not thread-safe.
 */
#ifndef HEAPYARD_FUZZ_CALL_TAP_H
#define HEAPYARD_FUZZ_CALL_TAP_H

#include "allocators/conformance/child.h"
#include <heapyard/call.h>

#define HY_TAP_LAST 8 /* more than the front door makes of one call */

typedef struct hy_tapped_call {
    hy_call call;       /* thread and stamps are 0 */
    size_t child_calls; /* that the child saw meanwhile: all but frees */
    bool child_refused; /* one of them */
    hy_call child_call; /* the last of them, as it was made */
} hy_tapped_call;

typedef struct hy_call_tap {
    hy_allocator allocator;
    const hy_child *child;
    uint64_t count;                   /* of all calls */
    hy_tapped_call last[HY_TAP_LAST]; /* the i-th, from 0, at i % HY_TAP_LAST */
} hy_call_tap;

/* Begins with no call, over `allocator`. The tap must outlive what is returned. */
hy_allocator hy_call_tap_begin(hy_call_tap *tap, hy_allocator allocator, const hy_child *child);

static inline const hy_tapped_call *hy_call_tap_at(const hy_call_tap *tap, uint64_t index) {
    return &tap->last[index % HY_TAP_LAST];
}

#endif
