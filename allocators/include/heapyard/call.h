/* heapyard/call.h: a call of an allocator's four functions as data, for whoever is told of calls. */
#ifndef HEAPYARD_CALL_H
#define HEAPYARD_CALL_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* Which of the four functions was called. */
typedef enum hy_call_kind { HY_CALL_ALLOC, HY_CALL_RESIZE, HY_CALL_REMAP, HY_CALL_FREE } hy_call_kind;

/* One call, and what came of it. */
typedef struct hy_call {
    hy_call_kind kind;
    uint32_t thread; /* 0 is the first thread that the library saw; never used again */
    hy_align align;
    bool refused;
    void *ptr;       /* the block before the call; NULL for ALLOC */
    void *result;    /* the block after it; NULL for FREE and where refused */
    size_t old_size; /* of the block before the call; 0 for ALLOC */
    size_t new_size; /* asked for; 0 for FREE */
    uint64_t began;  /* stamp taken before the child's call */
    uint64_t ended;  /* stamp taken after it; of a FREE, which is passed on before, equal to began */
} hy_call;

HY_END_DECLS

#endif
