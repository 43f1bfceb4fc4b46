/* debug_judge.h: what is wrong with a call that is not plainly right.
 *
 * The fast paths ask one question, whether everything is as it should be; these functions find out what is
 * not. They may take their time. A call may be wrong in several ways: each is reported.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_JUDGE_H
#define HEAPYARD_STRATEGIES_DEBUG_JUDGE_H

#include "allocators/strategies/debug_report.h"

/* Size, alignment, both guards, concurrent use. */
#define HY_DEBUG_FINDINGS_MAX 5

typedef struct hy_debug_findings {
    size_t count;
    hy_debug_report list[HY_DEBUG_FINDINGS_MAX];
} hy_debug_findings;

/* Judges a call on a record of ours: writes what is wrong, mends the guards, and returns whether the block
 * is live and the call's own, so that the call may be done with the size and alignment of the record. A
 * record whose seal is broken is lost. Inside; the guards of a live block are open. */
HY_COLD bool hy_debug_judge(
    const hy_debug_call *call, hy_debug_record *record, bool concurrent, hy_debug_findings *findings);

/* Reports a call on an address that no chunk of ours holds. Inside on entry, outside on return. */
HY_COLD void hy_debug_judge_unknown(const hy_debug_call *call, bool concurrent);

/* Reports a call that found another thread inside an instance that is not thread-safe. */
HY_COLD void hy_debug_judge_concurrent_caller(const hy_debug_call *call);

/* Looks at a slot on its own account: the guards of a live one, the poison of a freed one. Reports what was
 * written, leaving and entering again, and mends it; a freed slot that was written is retired. Returns the
 * number of findings. Inside. */
size_t hy_debug_examine(const hy_debug_call *call, hy_debug_chunk *chunk, hy_debug_record *record);

/* Ends the program: a chunk's head is broken, so nothing can be known of its slots. */
HY_NORETURN HY_COLD void hy_debug_chunk_broken(const hy_debug *debug, const void *ptr);

#endif
