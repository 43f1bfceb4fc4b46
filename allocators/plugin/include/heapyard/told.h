/* heapyard/told.h: what an instance of a row tells of the calls that went through it.
 *
 * A decorator's promise beyond the contract is what it says of its calls: how many, how many bytes, which
 * one fails, what was logged or recorded. A row's function `tells` writes what its allocator says, as that
 * allocator's own functions say it; fuzzers keep a tally of their own and compare. A row writes what it
 * tells, and leaves the rest as it is. The layout belongs to HY_PLUGIN_ABI.
 */
#ifndef HEAPYARD_TOLD_H
#define HEAPYARD_TOLD_H

#include <heapyard/call.h>

HY_BEGIN_DECLS

/* Numbers, of calls of the vtable since the instance was made. */
typedef enum hy_told_number {
    HY_TOLD_ALLOCS, /* served; likewise the next three */
    HY_TOLD_RESIZES,
    HY_TOLD_REMAPS,
    HY_TOLD_FREES,
    HY_TOLD_REFUSED_ALLOCS,
    HY_TOLD_REFUSED_RESIZES,
    HY_TOLD_REFUSED_REMAPS,
    HY_TOLD_ALLOC_CALLS,  /* served or refused */
    HY_TOLD_CHANGE_CALLS, /* resizes and remaps, served or refused */
    HY_TOLD_LIVE_BLOCKS,
    HY_TOLD_LIVE_BYTES,
    HY_TOLD_PEAK_BYTES,   /* the greatest live bytes so far, see hy_told.peak_slack */
    HY_TOLD_TOTAL_BYTES,  /* of all blocks, and of what blocks grew by */
    HY_TOLD_BACK_BYTES,   /* of all that was freed, and of what blocks shrank by */
    HY_TOLD_BUDGET_BYTES, /* config.capacity less live bytes, at least 0: no more can be served */
    HY_TOLD_OWN_REFUSALS, /* calls refused that its child was not asked for, budgets aside */
    HY_TOLD_FINDINGS,     /* misuse found: none, as long as there is none */
    HY_TOLD_CALLS,        /* calls that were told one by one, see hy_told.calls */
    HY_TOLD_NUMBER_COUNT
} hy_told_number;

/* A number that is not told. */
#define HY_TOLD_NOT UINT64_MAX
/* Sizes are told by so many powers of two, and so many of the last calls are kept. */
#define HY_TOLD_BUCKETS 65
#define HY_TOLD_LAST 8
/* The kind of a call that can't be made out. */
#define HY_TOLD_GARBLED ((hy_call_kind)(HY_CALL_FREE + 1))

/* Which calls are refused on purpose, by their index among those of their kind: 0 is the first. */
typedef struct hy_told_failure {
    uint64_t alloc_at;  /* HY_TOLD_NOT: none */
    uint64_t change_at; /* of resizes and remaps, counted together */
    bool once;          /* only that one, not all that follow */
    bool by_chance;     /* others, too */
} hy_told_failure;

/* All that a row may tell. */
typedef struct hy_told {
    uint64_t numbers[HY_TOLD_NUMBER_COUNT];
    /* Blocks served by size: bucket b has those of 2^(b-1) < size <= 2^b bytes. The first is HY_TOLD_NOT
     * where sizes are not told. */
    uint64_t sizes[HY_TOLD_BUCKETS];
    uint64_t peak_slack; /* the peak may be told too low by less than so much for each thread */
    hy_told_failure failure;
    /* A block of up to so many bytes at alignment 1 is served without the child; HY_TOLD_NOT: not told. */
    uint64_t room_bytes;
    /* Each call but a refusal on purpose is one call of the child's, and its answer is the child's. */
    bool passes_on;
    /* The last calls that were told one by one: the i-th, from 0, at i % HY_TOLD_LAST. thread and stamps that
     * are not told are UINT32_MAX and UINT64_MAX; a call that can't be made out has the kind HY_TOLD_GARBLED.
     */
    const hy_call *calls;
    bool refusals_only; /* only what is refused is told so */
    bool takes_long;    /* to tell: it is asked for now and then */
} hy_told;

/* Nothing is told. */
HY_INLINE void hy_told_clear(hy_told *told) {
    memset(told->numbers, 0xFF, sizeof told->numbers);
    told->sizes[0] = told->room_bytes = HY_TOLD_NOT;
    told->peak_slack = 0;
    told->failure.alloc_at = told->failure.change_at = HY_TOLD_NOT;
    told->failure.once = told->failure.by_chance = false;
    told->passes_on = told->refusals_only = told->takes_long = false;
    told->calls = NULL;
}

HY_END_DECLS

#endif
