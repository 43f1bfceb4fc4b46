/* limited.c: a budget of bytes over a child.
 *
 * For: inputs that choose how much memory they cost, plug-ins, tests of what happens at the limit.
 *   Not for: what a child takes from its own child; there the limit goes below it (an arena over limited).
 * Algorithm: one account. For one thread it is entered after the child has answered, so that a refusal has
 *   nothing to undo. For many the bytes are taken by compare-and-swap before the child is asked, so that no
 * two requests pass the same gap, and put back where the child refuses; what is freed is put back only once
 *   the child has it, so that no other thread's request meets a child that still holds the old block:
 *
 *     alloc:  used += size (or refused)  ->  child.alloc  ->  refused: used -= size
 *     free:                                  child.free   ->           used -= size
 *
 * Cost: a call through the vtable, an addition and a comparison; for many threads an atomic
 *   read-modify-write on a line that they share. Overhead per block: none.
 * Thread-safe: hy_limited no, hy_limited_shared where the child is.
 * Source: the budget of Zig's DebugAllocator, made a layer of its own and exact where the child refuses.
 */
#include <heapyard/limited.h>

/* The limit may have been lowered below what is used. */
bool hy_limited_check(const hy_limited *limited) {
    return limited->used_bytes <= limited->peak_bytes;
}

void hy_limited_shared_init(hy_limited_shared *limited, hy_allocator child, size_t limit_bytes) {
    hy_require_child(child, "hy_limited_shared_init");
    *limited = (hy_limited_shared){.child = child, .limit_bytes = limit_bytes};
}

size_t hy_limited_shared_limit(const hy_limited_shared *limited) {
    return __atomic_load_n(&limited->limit_bytes, __ATOMIC_RELAXED);
}

size_t hy_limited_shared_used(const hy_limited_shared *limited) {
    return __atomic_load_n(&limited->used_bytes, __ATOMIC_RELAXED);
}

size_t hy_limited_shared_peak(const hy_limited_shared *limited) {
    return __atomic_load_n(&limited->peak_bytes, __ATOMIC_RELAXED);
}

void hy_limited_shared_set_limit(hy_limited_shared *limited, size_t limit_bytes) {
    __atomic_store_n(&limited->limit_bytes, limit_bytes, __ATOMIC_RELAXED);
}

void hy_limited_shared_forget(hy_limited_shared *limited) {
    __atomic_store_n(&limited->used_bytes, 0, __ATOMIC_RELAXED);
}

static HY_NOINLINE void raise_peak(hy_limited_shared *limited, size_t used) {
    size_t peak = __atomic_load_n(&limited->peak_bytes, __ATOMIC_RELAXED);
    while (used > peak && !__atomic_compare_exchange_n(
                              &limited->peak_bytes, &peak, used, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

/* Takes the bytes from the budget and writes what is then used. False: they don't fit. The order of acquire
 * and release makes what a thread freed before its bytes came back be freed for the thread that takes them.
 */
HY_INLINE bool charge(hy_limited_shared *limited, size_t bytes, size_t *sum) {
    size_t used = __atomic_load_n(&limited->used_bytes, __ATOMIC_RELAXED);
    do {
        if (HY_UNLIKELY(HY_ADD_OVERFLOWS(used, bytes, sum))) return false;
        if (HY_UNLIKELY(*sum > __atomic_load_n(&limited->limit_bytes, __ATOMIC_RELAXED))) return false;
    } while (HY_UNLIKELY(!__atomic_compare_exchange_n(
        &limited->used_bytes, &used, *sum, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)));
    return true;
}

HY_INLINE void discharge(hy_limited_shared *limited, size_t bytes, const char *function) {
    size_t used = __atomic_fetch_sub(&limited->used_bytes, bytes, __ATOMIC_RELEASE);
    (void)function, (void)used;
    HY_REQUIRE(bytes <= used, function, bytes,
        "at most the bytes that a limited allocator has handed out (is the block its own, of that size?)");
}

/* What was charged is handed out, or the child refused it. */
HY_INLINE void settle(hy_limited_shared *limited, size_t bytes, size_t sum, bool served) {
    HY_ASSERT(sum >= bytes, "what is used after a charge is less than the charge");
    if (HY_UNLIKELY(!served))
        discharge(limited, bytes, "hy_limited_shared");
    else if (HY_UNLIKELY(sum > __atomic_load_n(&limited->peak_bytes, __ATOMIC_RELAXED)))
        raise_peak(limited, sum);
}

void *hy_limited_shared_alloc(void *self, size_t size, hy_align align) {
    hy_limited_shared *limited = self;
    size_t sum;
    if (!charge(limited, size, &sum)) return NULL;
    void *ptr = limited->child.vtable->alloc(limited->child.self, size, align);
    settle(limited, size, sum, ptr != NULL);
    return ptr;
}

bool hy_limited_shared_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_limited_shared *limited = self;
    bool grows = new_size > old_size;
    size_t sum = 0;
    if (grows && !charge(limited, new_size - old_size, &sum)) return false;
    bool done = limited->child.vtable->resize(limited->child.self, ptr, old_size, new_size, align);
    if (grows) settle(limited, new_size - old_size, sum, done);
    if (!grows && done) discharge(limited, old_size - new_size, "hy_resize");
    return done;
}

void *hy_limited_shared_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_limited_shared *limited = self;
    bool grows = new_size > old_size;
    size_t sum = 0;
    if (grows && !charge(limited, new_size - old_size, &sum)) return NULL;
    void *moved = limited->child.vtable->remap(limited->child.self, ptr, old_size, new_size, align);
    if (grows) settle(limited, new_size - old_size, sum, moved != NULL);
    if (!grows && moved) discharge(limited, old_size - new_size, "hy_remap");
    return moved;
}

void hy_limited_shared_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_limited_shared *limited = self;
    limited->child.vtable->free(limited->child.self, ptr, size, align);
    discharge(limited, size, "hy_free");
}
