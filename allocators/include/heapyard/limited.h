/* heapyard/limited.h: a budget of bytes over a child.
 *
 *   hy_limited limited = HY_LIMITED_INIT(hy_libc(), 64 << 20);
 *   parse(hy_limited_allocator(&limited), input);   // out of memory at 64 MiB, whatever the input says
 *
 * A request that would take what is handed out above the limit is refused, and the child is not asked;
 * all else goes to the child. Counted are the bytes as their users asked for them: what a child adds of
 * its own (chunks of an arena, headers) is bounded by a limit below that child instead.
 * The account is exact after any mix of refusals, the child's and our own: `used` is the sum of the sizes
 * that live. The limit may be changed at any time; one below `used` ends no block, and refuses until
 * enough was freed.
 *
 *   hy_limited         for one thread at a time: plain counters
 *   hy_limited_shared  for many: one atomic account, charged before the child is asked and discharged
 *                      after it has taken a block back, so that the child never holds more than the limit.
 *                      While a request is under way that the child is going to refuse, its bytes count
 *                      for the others too. Thread-safe where the child is.
 *
 * Errors: NULL or false where the limit or the child refuses; nothing has changed then. Sums can't wrap.
 * Giving back more bytes than are handed out is misuse, reported at check level 1 and above.
 * Owns nothing: there is nothing to end. Greatest alignment, order of frees, growing in place: the child's.
 * A reset of the child goes past it: call hy_limited_forget after one.
 */
#ifndef HEAPYARD_LIMITED_H
#define HEAPYARD_LIMITED_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* For one thread at a time. */
typedef struct hy_limited {
    hy_allocator child; /* where the blocks come from; must outlive this */
    size_t limit_bytes; /* as set; used_bytes may be above it after it was lowered */
    size_t used_bytes;  /* handed out and not freed */
    size_t peak_bytes;  /* the greatest used_bytes so far */
} hy_limited;

/* limit_in_bytes: SIZE_MAX for none. A macro because it must be an initialiser of static storage. */
#define HY_LIMITED_INIT(child_allocator, limit_in_bytes)                                                     \
    { (child_allocator), (limit_in_bytes), 0, 0 }

/* Starts with nothing used. limit_bytes: SIZE_MAX for none. O(1). */
HY_INLINE void hy_limited_init(hy_limited *limited, hy_allocator child, size_t limit_bytes) {
    hy_require_child(child, "hy_limited_init");
    hy_limited fresh = HY_LIMITED_INIT(child, limit_bytes);
    *limited = fresh;
}

/* The bytes that may be handed out at once. O(1), as all queries below. */
HY_INLINE size_t hy_limited_limit(const hy_limited *limited) {
    return limited->limit_bytes;
}

/* The bytes that are handed out. */
HY_INLINE size_t hy_limited_used(const hy_limited *limited) {
    return limited->used_bytes;
}

/* The most bytes that were handed out at once. */
HY_INLINE size_t hy_limited_peak(const hy_limited *limited) {
    return limited->peak_bytes;
}

/* Another limit from now on. Below what is used, no block ends; growth is refused. */
HY_INLINE void hy_limited_set_limit(hy_limited *limited, size_t limit_bytes) {
    limited->limit_bytes = limit_bytes;
}

/* All blocks have ended at once, by a reset of the child. The peak stays. */
HY_INLINE void hy_limited_forget(hy_limited *limited) {
    limited->used_bytes = 0;
}

/* Whether so many more bytes fit; writes what is then used. */
HY_INLINE bool hy_limited_fits(const hy_limited *limited, size_t more, size_t *sum) {
    return HY_LIKELY(!HY_ADD_OVERFLOWS(limited->used_bytes, more, sum) && *sum <= limited->limit_bytes);
}

/* Enters what is used after growth. */
HY_INLINE void hy_limited_charge(hy_limited *limited, size_t used_bytes) {
    HY_ASSERT(used_bytes >= limited->used_bytes, "growth lowers what is used");
    limited->used_bytes = used_bytes;
    if (used_bytes > limited->peak_bytes) limited->peak_bytes = used_bytes;
    HY_ASSERT(limited->used_bytes <= limited->limit_bytes, "growth passes the limit");
}

/* Enters that so many bytes were given back. */
HY_INLINE void hy_limited_discharge(hy_limited *limited, size_t bytes, const char *function) {
    (void)function;
    HY_REQUIRE(bytes <= limited->used_bytes, function, bytes,
        "at most the bytes that a limited allocator has handed out (is the block its own, of that size?)");
    limited->used_bytes -= bytes;
    HY_ASSERT(limited->used_bytes <= limited->peak_bytes, "more is used than the peak");
}

/* The entry points, as in the vtable; direct use saves the indirect call. `self` is an hy_limited. Each
 * is the child's call plus an addition and a comparison. Not thread-safe. */
HY_INLINE void *hy_limited_alloc(void *self, size_t size, hy_align align) {
    hy_limited *limited = (hy_limited *)self;
    size_t sum;
    if (!hy_limited_fits(limited, size, &sum)) return NULL;
    void *ptr = limited->child.vtable->alloc(limited->child.self, size, align);
    if (HY_LIKELY(ptr)) hy_limited_charge(limited, sum);
    return ptr;
}

/* Growth needs room below the limit; shrinking never does. */
HY_INLINE bool hy_limited_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_limited *limited = (hy_limited *)self;
    bool grows = new_size > old_size;
    size_t sum = 0;
    if (grows && !hy_limited_fits(limited, new_size - old_size, &sum)) return false;
    if (!limited->child.vtable->resize(limited->child.self, ptr, old_size, new_size, align)) return false;
    if (grows)
        hy_limited_charge(limited, sum);
    else
        hy_limited_discharge(limited, old_size - new_size, "hy_resize");
    return true;
}

/* As hy_limited_resize: a block that moves is counted once, though the child may hold both for a moment. */
HY_INLINE void *hy_limited_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_limited *limited = (hy_limited *)self;
    bool grows = new_size > old_size;
    size_t sum = 0;
    if (grows && !hy_limited_fits(limited, new_size - old_size, &sum)) return NULL;
    void *moved = limited->child.vtable->remap(limited->child.self, ptr, old_size, new_size, align);
    if (!moved) return NULL;
    if (grows)
        hy_limited_charge(limited, sum);
    else
        hy_limited_discharge(limited, old_size - new_size, "hy_remap");
    return moved;
}

/* Gives the block to the child and its bytes back to the budget. */
HY_INLINE void hy_limited_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_limited *limited = (hy_limited *)self;
    hy_limited_discharge(limited, size, "hy_free");
    limited->child.vtable->free(limited->child.self, ptr, size, align);
}

/* The four above. */
static const hy_vtable hy_limited_vtable = {
    hy_limited_alloc, hy_limited_resize, hy_limited_remap, hy_limited_free};

/* The value to hand out. The struct must outlive it. */
HY_INLINE hy_allocator hy_limited_allocator(hy_limited *limited) {
    hy_allocator allocator = {limited, &hy_limited_vtable};
    return allocator;
}

/* Whether the account holds together. O(1). */
HY_API bool hy_limited_check(const hy_limited *limited);

/* For many threads. The counters are written by all of them: read them with the functions below. */
typedef struct hy_limited_shared {
    hy_allocator child;                                        /* thread-safe; must outlive this */
    size_t limit_bytes;                                        /* as set */
    size_t used_bytes __attribute__((aligned(HY_CACHE_LINE))); /* handed out, or asked of the child */
    size_t peak_bytes;                                         /* the greatest used_bytes so far */
} hy_limited_shared;

/* Starts with nothing used. limit_bytes: SIZE_MAX for none. Before any other thread sees it. */
HY_API void hy_limited_shared_init(hy_limited_shared *limited, hy_allocator child, size_t limit_bytes);

/* As those of hy_limited, from any thread. */
HY_API size_t hy_limited_shared_limit(const hy_limited_shared *limited);
HY_API size_t hy_limited_shared_used(const hy_limited_shared *limited);
HY_API size_t hy_limited_shared_peak(const hy_limited_shared *limited);
HY_API void hy_limited_shared_set_limit(hy_limited_shared *limited, size_t limit_bytes);

/* As hy_limited_forget; not while another thread allocates. */
HY_API void hy_limited_shared_forget(hy_limited_shared *limited);

/* As the vtable's slots: the child's call and one atomic read-modify-write, which costs more where
 * several threads allocate at once. Thread-safe where the child is. */
HY_API void *hy_limited_shared_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_limited_shared_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_limited_shared_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_limited_shared_free(void *self, void *ptr, size_t size, hy_align align);

/* The four above. */
static const hy_vtable hy_limited_shared_vtable = {
    hy_limited_shared_alloc, hy_limited_shared_resize, hy_limited_shared_remap, hy_limited_shared_free};

/* The value to hand out. The struct must outlive it. */
HY_INLINE hy_allocator hy_limited_shared_allocator(hy_limited_shared *limited) {
    hy_allocator allocator = {limited, &hy_limited_shared_vtable};
    return allocator;
}

HY_END_DECLS

#endif
