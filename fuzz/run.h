/* run.h: a history's run on an instance, as oracles see it: what was made, and what each step asked and got.
 *
 * The interpreter writes it, oracles read it. What an oracle remembers from step to step is its own.
 */
#ifndef HEAPYARD_FUZZ_RUN_H
#define HEAPYARD_FUZZ_RUN_H

#include "allocators/conformance/child.h"
#include "allocators/registry.h"
#include "fuzz/call_tap.h"
#include "fuzz/live_blocks.h"

/* What is known of the block that was made last. Serials are those of live_blocks.h; "up to" a serial means
 * blocks that lay where they lie before it. */
typedef struct hy_newest {
    uint64_t last;    /* the block that was made last, live or not */
    uint64_t top;     /* the block that is live and has nothing behind it; 0: not known */
    uint64_t shrunk;  /* blocks up to here have seen one shrink */
    uint64_t changed; /* blocks up to here have seen another one change, or a reset */
} hy_newest;

/* What came of a misuse on purpose (misuse.h). */
typedef struct hy_misdeed {
    bool is_done; /* false: no block lent itself to it */
    hy_misuse_kind misuse;
    bool is_poisoned;   /* of a write: AddressSanitizer sees it */
    bool was_passed_on; /* the child was called wrongly */
    bool has_ended;     /* the process wanted to end by abort */
    const char *words;  /* what it said on standard error then */
} hy_misdeed;

typedef struct hy_run {
    const hy_row *row;
    hy_config config;
    hy_child *child;      /* given to the instance where its configuration says so */
    hy_align greatest;    /* above this alignment a request must be refused */
    hy_promises promises; /* the row's, with defaults filled in */
    bool is_made;         /* false: it was refused, and the run is over */
    hy_instance instance;
    bool counts;            /* the row gives stats */
    bool on_child;          /* its blocks lie in the child's */
    hy_op_kind kind;        /* of this step */
    size_t refusals_before; /* of the child, before this step */
    size_t calls_before;    /* of the child, likewise */
    hy_stats before, now;   /* the row's stats before this step and after its last call; SIZE_MAX: none */
    hy_newest newest;
    const hy_call_tap *tap; /* on the instance's four functions; NULL: the row tells nothing of calls */
    bool is_over;           /* by misuse: nothing more is known of the instance */
    hy_misdeed misdeed;
} hy_run;

/* A call on the instance, and what came of it. */
typedef struct hy_run_call {
    hy_op_kind kind;
    bool zeroed;        /* ALLOC: its bytes must be 0 */
    bool of_top;        /* it is of the block that was newest.top before it */
    bool kept;          /* RESET, SPECIAL: what it returned */
    bool overflowed;    /* ALLOC, zeroed: an array whose size passes SIZE_MAX was served before */
    hy_reset_mode mode; /* RESET */
    uint32_t slot;
    uint64_t size; /* that was asked for; FREE: 0; RESET: the limit; SPECIAL: the number */
    hy_align align;
    hy_live_block before;              /* the block as it was; ALLOC: not live */
    void *ptr;                         /* the block, for RESIZE too; NULL: refused, or it is FREE */
    const hy_row_operation *operation; /* SPECIAL: the row's; NULL: another instance lived and ended */
    size_t mark;                       /* SPECIAL: its index, where it takes or restores one */
} hy_run_call;

static inline bool hy_run_has(const hy_run *run, hy_traits traits) {
    return (run->row->traits & traits) == traits;
}

/* Whether the child refused a call in this step. */
static inline bool hy_run_child_refused(const hy_run *run) {
    return run->child->counts.refusals != run->refusals_before;
}

/* How often the child was called in this step. */
static inline size_t hy_run_child_calls(const hy_run *run) {
    return hy_child_calls(run->child) - run->calls_before;
}

/* What the row said was left before this step's call, of what it holds; SIZE_MAX: it did not. */
static inline size_t hy_run_room(const hy_run *run) {
    const hy_stats *stats = &run->before;
    if (stats->capacity_bytes == SIZE_MAX || stats->used_bytes > stats->capacity_bytes) return SIZE_MAX;
    return stats->capacity_bytes - stats->used_bytes;
}

/* A composition over a layer of fixed capacity: what fits depends on every layer's overhead. */
static inline bool hy_run_is_inside_capacity(const hy_run *run) {
    return run->row->stack && run->config.capacity;
}

/* What a request is at least to a row of fixed blocks. */
static inline uint64_t hy_run_block_bytes(const hy_run *run, uint64_t size) {
    return run->config.block_size > size ? run->config.block_size : size;
}

/* Whether a call, about to be made, is of a block that certainly ends where what is handed out ends. One that
 * was not made last may lie in an older chunk, which is full. */
static inline bool hy_run_is_last(const hy_run *run, const hy_run_call *call) {
    uint64_t serial = call->before.serial;
    if (!call->of_top || serial <= run->newest.shrunk) return false;
    return serial == run->newest.last || serial > run->newest.changed;
}

#define HY_RUN_GRANULE (HY_ASAN ? 8u : 1u) /* ASan knows granules of 8 bytes */
#define HY_RUN_GRAIN_MAX 16u /* a row may round a size up to its alignment, if that is no more */

/* The most that may lie unused behind a block: what rounds it up, or keeps the next one out of its
 * granule. */
static inline uint64_t hy_run_slack_behind(hy_align align) {
    size_t bytes = hy_align_bytes(align);
    return (bytes > HY_RUN_GRANULE && bytes <= HY_RUN_GRAIN_MAX ? bytes : HY_RUN_GRANULE) - 1;
}

#endif
