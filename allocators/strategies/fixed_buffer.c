/* fixed_buffer.c: blocks from a buffer that the caller has already.
 *
 * For: an upper bound known beforehand; code that must not touch the heap; a stack frame's scratch.
 * Not for: sizes that depend on input, unless refusing is an answer.
 * Algorithm: a bump whose newest block can be freed and resized.
 *
 *   buffer |block|block|pad|block|newest|          |
 *          ^base       ^   ^padded      ^next      ^end
 *                      ^before
 *
 * The newest block is recognised by its end. Padding can't fool that test: it belongs to the block behind it,
 * and goes when that block goes. Only the newest padding is known (to remember more would cost every block a
 * header); older ones stay until reset.
 *
 * Sizes are rounded up to the alignment, if that is 16 or less: while blocks are aligned alike, each begins
 * where the one before it ends, and the short path has no address to round and no padding to note.
 *
 * The shared view changes `next` alone, by compare-and-swap, and notes the newest block's padding in its
 * upper bits. A free or resize that finds another end there lost the race to a newer block, and is then no
 * longer about the newest one. A live block's end stands there only while it is the newest, whatever came
 * and went in between: the swap is right also where the word is the same for the second time.
 *
 * Cost: O(1); shared, O(1) and retries while other threads win. Overhead: alignment only.
 * Thread-safe: by choice of the view.
 * Source: Zig's FixedBufferAllocator, both views; its sums wrap and its padding stays, ours don't.
 */
#include <heapyard/fixed_buffer.h>

void hy_fixed_buffer_init_options(
    hy_fixed_buffer *fixed, void *buffer, size_t size, hy_fixed_buffer_options options) {
    HY_REQUIRE(hy_is_addressable(buffer, size), "hy_fixed_buffer_init", size,
        "the size of a buffer that lies in the address space");
    fixed->base = (uintptr_t)buffer;
    fixed->end = fixed->base + size;
    fixed->next = fixed->base;
    fixed->options = options;
    fixed->before = 0;
    hy_fixed_buffer_reset(fixed);
    hy_poison(buffer, size);
    HY_ASSERT(hy_fixed_buffer_used(fixed) == 0, "a buffer begins with bytes in use");
}

void hy_fixed_buffer_init(hy_fixed_buffer *fixed, void *buffer, size_t size) {
    hy_fixed_buffer_init_options(fixed, buffer, size, (hy_fixed_buffer_options){false});
}

void hy_fixed_buffer_deinit(hy_fixed_buffer *fixed) {
    hy_unpoison((void *)fixed->base, hy_fixed_buffer_capacity(fixed));
    *fixed = (hy_fixed_buffer){0};
}

/* The shared view's word: where the next block may start, and how much padding the block before it has.
 * What is too much to be noted is kept until reset. */
static uintptr_t pack(uintptr_t next, uintptr_t padding) {
#ifdef HY_FIXED_BUFFER_ADDRESS_BITS
    if (padding <= UINTPTR_MAX >> HY_FIXED_BUFFER_ADDRESS_BITS)
        return next | padding << HY_FIXED_BUFFER_ADDRESS_BITS;
#endif
    (void)padding;
    return next;
}

static uintptr_t address_of(uintptr_t word) {
    return word & HY_FIXED_BUFFER_ADDRESS_MASK;
}

static uintptr_t padding_of(uintptr_t word) {
#ifdef HY_FIXED_BUFFER_ADDRESS_BITS
    return word >> HY_FIXED_BUFFER_ADDRESS_BITS;
#else
    return word & 0;
#endif
}

bool hy_fixed_buffer_check(const hy_fixed_buffer *fixed) {
    uintptr_t next = address_of(fixed->next), padding = padding_of(fixed->next);
    if (padding != 0 && fixed->view == HY_FIXED_BUFFER_PLAIN) return false;
    bool in_order = fixed->base <= fixed->before && fixed->before < fixed->padded && fixed->padded < next;
    return fixed->base <= next && next <= fixed->end && padding <= next - fixed->base &&
           (in_order || fixed->padded == (fixed->options.fatal ? UINTPTR_MAX : 0)) &&
           fixed->view <= HY_FIXED_BUFFER_SHARED;
}

HY_COLD void hy_fixed_buffer_enter(hy_fixed_buffer *fixed, hy_fixed_buffer_view view) {
    uint32_t unused = HY_FIXED_BUFFER_UNUSED;
    bool noted = __atomic_compare_exchange_n(
        &fixed->view, &unused, (uint32_t)view, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (!noted && unused != (uint32_t)view) {
        hy_misuse(
            "hy_fixed_buffer_allocator", unused, "used through one of its two views between two resets");
    }
}

/* NULL, or with options.fatal the end of the program. */
static HY_COLD void *exhausted(const hy_fixed_buffer *fixed) {
    if (fixed->options.fatal) hy_fatal("fixed buffer exhausted");
    return NULL;
}

/* Where the block after one begins: behind it, or at the buffer's end. */
static uintptr_t stop_within(const hy_fixed_buffer *fixed, uintptr_t start, size_t size, hy_align align) {
    if (!hy_fixed_buffer_rounds(align)) align = HY_ALIGN_1;
    uintptr_t stop = hy_fixed_buffer_stop(fixed, start, size, align), end = fixed->end;
    return stop > end || stop < start ? end : stop;
}

HY_NOINLINE void *hy_fixed_buffer_alloc_slow(hy_fixed_buffer *fixed, size_t size, hy_align align) {
    uintptr_t next = fixed->next, end = fixed->end, start;
    HY_ASSERT(hy_fixed_buffer_check(fixed), "the buffer's words do not agree before an allocation");
    if (!hy_bump_start(next, align, &start) || start > end || size > end - start) return exhausted(fixed);
    if (start != next && !fixed->options.fatal) {
        fixed->padded = start;
        fixed->before = next;
    }
    fixed->next = stop_within(fixed, start, size, align);
    HY_ASSERT(fixed->next - start >= size, "a block ends behind the next one's start");
    HY_ASSERT(hy_fixed_buffer_check(fixed), "the buffer's words do not agree after an allocation");
    hy_unpoison((void *)start, size);
    return (void *)start;
}

HY_NOINLINE void hy_fixed_buffer_free_slow(
    hy_fixed_buffer *fixed, uintptr_t start, size_t size, hy_align align) {
    if (fixed->options.fatal || stop_within(fixed, start, size, align) != fixed->next) return;
    HY_ASSERT(start >= fixed->padded, "the newest block begins below the newest padding");
    fixed->next = start == fixed->padded ? fixed->before : start;
    if (start == fixed->padded) fixed->padded = 0;
    HY_ASSERT(hy_fixed_buffer_check(fixed), "the buffer's words do not agree after a free");
}

/* Marks for ASan and Valgrind a block's new size. */
static void mark_resized(void *ptr, size_t old_size, size_t new_size) {
    if (new_size > old_size) {
        hy_unpoison((char *)ptr + old_size, new_size - old_size);
    } else {
        hy_poison((char *)ptr + new_size, old_size - new_size);
    }
}

HY_SLOT bool hy_fixed_buffer_resize(
    hy_fixed_buffer *fixed, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_PLAIN);
    hy_fixed_buffer_require(fixed, ptr, old_size, "hy_fixed_buffer_resize");
    HY_ASSERT(new_size != 0, "a block is resized to no bytes");
    uintptr_t start = (uintptr_t)ptr;
    if (stop_within(fixed, start, old_size, align) == fixed->next) {
        if (new_size > fixed->end - start) return false;
        if (!fixed->options.fatal || new_size > old_size)
            fixed->next = stop_within(fixed, start, new_size, align);
        HY_ASSERT(hy_fixed_buffer_check(fixed), "the buffer's words do not agree after a resize");
    } else if (new_size > old_size) {
        return false;
    }
    mark_resized(ptr, old_size, new_size);
    return true;
}

static uintptr_t load(const hy_fixed_buffer *fixed) {
    return __atomic_load_n(&fixed->next, __ATOMIC_RELAXED);
}

/* Acquire: what its former owner wrote into a block happened before it was freed, and is seen.
 * Release: what this one wrote happens before the next one has it. */
static bool swap(hy_fixed_buffer *fixed, uintptr_t *word, uintptr_t wanted) {
    return __atomic_compare_exchange_n(&fixed->next, word, wanted, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

HY_SLOT void *hy_fixed_buffer_shared_alloc(hy_fixed_buffer *fixed, size_t size, hy_align align) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_SHARED);
    uintptr_t word = load(fixed), end = fixed->end, start, stop;
    if (end > HY_FIXED_BUFFER_ADDRESS_MASK) return exhausted(fixed);
    do {
        if (!hy_bump_start(address_of(word), align, &start) || HY_ADD_OVERFLOWS(start, size, &stop) ||
            stop > end) {
            return exhausted(fixed);
        }
        HY_ASSERT(address_of(word) >= fixed->base, "the shared view's next byte lies before the buffer");
    } while (!swap(fixed, &word, pack(hy_bump_after(stop, end), start - address_of(word))));
    hy_unpoison((void *)start, size);
    return (void *)start;
}

HY_SLOT void hy_fixed_buffer_shared_free(hy_fixed_buffer *fixed, void *ptr, size_t size) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_SHARED);
    hy_fixed_buffer_require(fixed, ptr, size, "hy_fixed_buffer_shared_free");
    uintptr_t start = (uintptr_t)ptr, after = hy_bump_after(start + size, fixed->end), word = load(fixed);
    /* Poisoned before it is given back: afterwards another thread may own it. */
    hy_poison(ptr, size);
    if (fixed->options.fatal) return;
    while (address_of(word) == after) {
        HY_ASSERT(padding_of(word) <= start - fixed->base, "a block's padding begins before the buffer");
        if (swap(fixed, &word, pack(start - padding_of(word), 0))) return;
    }
}

bool hy_fixed_buffer_shared_resize(hy_fixed_buffer *fixed, void *ptr, size_t old_size, size_t new_size) {
    hy_fixed_buffer_use(fixed, HY_FIXED_BUFFER_SHARED);
    hy_fixed_buffer_require(fixed, ptr, old_size, "hy_fixed_buffer_shared_resize");
    uintptr_t start = (uintptr_t)ptr, end = fixed->end, word = load(fixed);
    bool grows = new_size > old_size, swapped = false;
    if (new_size > end - start) return false;
    HY_ASSERT(new_size != 0, "a block is resized to no bytes");
    uintptr_t before = hy_bump_after(start + old_size, end), after = hy_bump_after(start + new_size, end);
    if (!grows) mark_resized(ptr, old_size, new_size);
    if (!grows && fixed->options.fatal) return true;
    while (!swapped && address_of(word) == before)
        swapped = swap(fixed, &word, pack(after, padding_of(word)));
    if (grows && swapped) mark_resized(ptr, old_size, new_size);
    return swapped || !grows;
}

/* The two alignments that C's own types need, as constants: to round to one is two instructions, where it
 * takes seven to round to any. A virtual pair was a tenth slower without. */
HY_SLOT void *hy_fixed_buffer_slot_alloc(void *self, size_t size, hy_align align) {
    if (HY_UNLIKELY(size > PTRDIFF_MAX)) return exhausted(self);
    if (HY_LIKELY(align.log2 == 4)) return hy_fixed_buffer_alloc(self, size, HY_ALIGN_16);
    if (HY_LIKELY(align.log2 == 3)) return hy_fixed_buffer_alloc(self, size, HY_ALIGN_8);
    return hy_fixed_buffer_alloc(self, size, align);
}

bool hy_fixed_buffer_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_fixed_buffer_resize(self, ptr, old_size, new_size, align);
}

void *hy_fixed_buffer_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_fixed_buffer_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

HY_SLOT void hy_fixed_buffer_slot_free(void *self, void *ptr, size_t size, hy_align align) {
#if HY_CHECK == 0
    HY_ASSUME(size <= PTRDIFF_MAX); /* where it is checked, it may be anything */
#endif
    if (HY_LIKELY(align.log2 == 4)) {
        hy_fixed_buffer_free(self, ptr, size, HY_ALIGN_16);
    } else if (HY_LIKELY(align.log2 == 3)) {
        hy_fixed_buffer_free(self, ptr, size, HY_ALIGN_8);
    } else {
        hy_fixed_buffer_free(self, ptr, size, align);
    }
}

void *hy_fixed_buffer_shared_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_fixed_buffer_shared_alloc(self, size, align);
}

bool hy_fixed_buffer_shared_slot_resize(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_fixed_buffer_shared_resize(self, ptr, old_size, new_size);
}

void *hy_fixed_buffer_shared_slot_remap(
    void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_fixed_buffer_shared_resize(self, ptr, old_size, new_size) ? ptr : NULL;
}

void hy_fixed_buffer_shared_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    hy_fixed_buffer_shared_free(self, ptr, size);
}
