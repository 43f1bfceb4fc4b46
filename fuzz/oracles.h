/* oracles.h: table 4: what looks at a run, each a file in oracles/.
 *
 * An oracle sees each thing that happens and ends the process by a finding (finding.h) where it must
 * not be so. It keeps its own state, one for the process, knows no other oracle and changes nothing in the
 * run. Each can be switched off or run alone, so that it can be shown what it alone finds.
 *
 * Adding one is its file and a line in oracles.def.
 */
#ifndef HEAPYARD_FUZZ_ORACLES_H
#define HEAPYARD_FUZZ_ORACLES_H

#include "fuzz/run.h"

/* What happens in a run, in this order. What comes with each beside the run is said behind it. */
typedef enum hy_event {
    HY_ON_BEGIN,  /* it begins, and the instance is not made yet: NULL */
    HY_ON_MADE,   /* the instance was made, or refused (run->is_made): NULL */
    HY_ON_BEFORE, /* a call is about to be made, as far as it is known; or a look at all blocks: kind CHECK */
    HY_ON_SERVED, /* a block came to be, or lives with another size: the record has it as it is now */
    HY_ON_REFUSED, /* a block did not come to be, or did not change */
    HY_ON_ENDED,   /* a block was freed, or made one of no bytes (refused: ptr is NULL): the record has it not
                    */
    HY_ON_RESET,   /* all blocks ended at once */
    HY_ON_SPECIAL, /* an operation of the row's own was called: the record has what lives on */
    HY_ON_MISUSED, /* something was done wrong on purpose (run->misdeed); nothing follows */
    HY_ON_STEP,    /* an operation of the history is over, whether or not it led to a call: NULL */
    HY_ON_END,     /* the instance was destroyed, or was never made: NULL */
    HY_EVENT_COUNT
} hy_event;

typedef void hy_oracle_function(const hy_run *run, const hy_run_call *call);

typedef struct hy_oracle {
    const char *name;                       /* [a-z_]+ */
    const char *summary;                    /* one line, no full stop */
    hy_oracle_function *on[HY_EVENT_COUNT]; /* NULL where it has nothing to look at */
} hy_oracle;

/* The table, whether switched on or off. */
const hy_oracle *const *hy_oracles(size_t *count);

/* Switches oracles on and off by a list of names with commas between them: "model,liveness" leaves these two
 * alone, "-footprint" all but that one. NULL or "": all. False, with one line in `error` that names all there
 * are: one is unknown; nothing changes then. At the start all are on. */
bool hy_oracles_choose(const char *names, char *error, size_t error_bytes);

/* Whether the oracle of that name is on, for runs that are not an interpreter's. */
bool hy_oracles_has(const char *name);

/* For whoever runs: what happens, to all that are on, in the order of the table. */
void hy_oracles_see(hy_event event, const hy_run *run, const hy_run_call *call);

#endif
