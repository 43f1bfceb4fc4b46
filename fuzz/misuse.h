/* misuse.h: what is done wrong on purpose, once, as the last step of a run.
 *
 * Each way of misuse (hy_misuse_kind in plugin.h) is an operation without a function, which histories name as
 * they name a row's own: "free_again 35". Its number chooses the block and how exactly. What the row promises
 * to report of it (hy_row.reports) must be reported: the oracle misuse sees to that. A row that ends its
 * process is caught on the way out, or does it in a process of its own.
 */
#ifndef HEAPYARD_FUZZ_MISUSE_H
#define HEAPYARD_FUZZ_MISUSE_H

#include "fuzz/run.h"

/* Whether a row promises to report any misuse that can be tried in this build. */
bool hy_misuse_takes(const hy_row *row);

/* The row with an operation more for each misuse that it promises to report, made with those options only
 * that its reports allow. The same until another row is asked for. */
const hy_row *hy_misuse_row(const hy_row *row);

/* The names of all ways, by hy_misuse_kind; for an operation the way that it is. */
const char *hy_misuse_name(hy_misuse_kind misuse);
hy_misuse_kind hy_misuse_of(const hy_row_operation *operation);

/* Does what the call says, which is an operation without a function, and writes what came of it to *out.
 * True: then the instance is over, and only its end may follow. False: there was nothing to do it with, and
 * nothing has changed but a block that came and went. */
bool hy_misuse_commit(const hy_run *run, const hy_run_call *call, hy_misdeed *out);

#endif
