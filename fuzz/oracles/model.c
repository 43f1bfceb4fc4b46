/* model.c: every live byte is what was written there, and belongs to one block.
 *
 * A block is filled when it begins or grows, with a content that follows from a key of its own. It is looked
 * at before it ends or changes, at its neighbours after each step, and at all when asked:
 *
 *   overlap     a block lies on another, or wraps around the end of memory
 *   alignment   an address is no multiple of what was asked
 *   content     a byte of a live block is not what was written there
 *   poisoned    a live block is not addressable (ASan builds)
 *
 * Blocks of up to WHOLE bytes are filled whole; of greater ones both ends and a window at each power of two,
 * so that a step costs the same whatever the size.
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"

#define WHOLE 2048
#define END_BYTES 512   /* at either end of a block that is not filled whole */
#define WINDOW_BYTES 32 /* at each power of two in between */

/* The model's own touches are checked for poison once a range, not once a word. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

/* By slot: from which key the content of its block follows. */
static uint64_t keys[HY_BYTES_SLOT_MAX];

/* The word of a content at a multiple of 8. */
static inline uint64_t word_at(uint64_t key, uint64_t offset) {
    return (key + offset) * 0x9E3779B97F4A7C15u;
}

UNCHECKED static void fill_words(unsigned char *bytes, uint64_t key, uint64_t from, uint64_t to) {
    while (to - from >= 8) {
        uint64_t word = word_at(key, from);
        __builtin_memcpy(bytes + from, &word, sizeof word);
        from += 8;
    }
    uint64_t word = word_at(key, from);
    for (; from < to; from++, word >>= 8)
        *(volatile unsigned char *)(bytes + from) = (unsigned char)word;
}

/* The offset of the first byte that differs, or `to`. */
UNCHECKED static uint64_t compare_words(
    const unsigned char *bytes, uint64_t key, uint64_t from, uint64_t to) {
    while (to - from >= 8) {
        uint64_t word;
        __builtin_memcpy(&word, bytes + from, sizeof word);
        if (word != word_at(key, from)) break;
        from += 8;
    }
    for (; from < to; from++) {
        unsigned char byte = *(const volatile unsigned char *)(bytes + from);
        if (byte != (unsigned char)(word_at(key, from & ~(uint64_t)7) >> (8 * (from & 7)))) return from;
    }
    return to;
}

static void require_addressable(const hy_live_block *block, uint64_t from, uint64_t to) {
    (void)block, (void)from, (void)to;
#if HY_ASAN
    void *bad = __asan_region_is_poisoned((void *)(block->address + from), to - from);
    if (bad) {
        hy_finding("poisoned", "byte %zu of a live block of %ju at %p is not addressable",
            (size_t)((uintptr_t)bad - block->address), (uintmax_t)block->size, (void *)block->address);
    }
#endif
}

/* What is done to each range of a slot's block that carries content: bytes [from, to). */
typedef void range_function(uint32_t slot, uint64_t from, uint64_t to);

static void visit_clipped(uint32_t slot, uint64_t from, uint64_t to, uint64_t limit, range_function *visit) {
    if (to > limit) to = limit;
    if (from >= to) return;
    require_addressable(hy_live_at(slot), from, to);
    visit(slot, from, to);
}

/* The ranges of a block of `size` that carry content, as far as `limit`. All begin at multiples of 8. */
static void visit_content(uint32_t slot, uint64_t size, uint64_t limit, range_function *visit) {
    if (size <= WHOLE) {
        visit_clipped(slot, 0, size, limit, visit);
        return;
    }
    visit_clipped(slot, 0, END_BYTES, limit, visit);
    for (uint64_t at = 1024; at + WINDOW_BYTES < size - END_BYTES; at *= 2)
        visit_clipped(slot, at - 8, at + WINDOW_BYTES - 8, limit, visit);
    visit_clipped(slot, (size - END_BYTES) & ~(uint64_t)7, size, limit, visit);
}

static void fill_range(uint32_t slot, uint64_t from, uint64_t to) {
    fill_words((unsigned char *)hy_live_at(slot)->address, keys[slot], from, to);
}

static void verify_range(uint32_t slot, uint64_t from, uint64_t to) {
    const hy_live_block *block = hy_live_at(slot);
    uint64_t differs = compare_words((const unsigned char *)block->address, keys[slot], from, to);
    if (differs == to) return;
    hy_finding("content", "byte %ju of block %u (%ju bytes at %p) was changed", (uintmax_t)differs, slot,
        (uintmax_t)block->size, (void *)block->address);
}

static void verify(uint32_t slot) {
    uint64_t size = hy_live_at(slot)->size;
    visit_content(slot, size, size, verify_range);
}

static void verify_all(void) {
    for (size_t i = 0; i < hy_live_count(); i++)
        verify(hy_live_by_address(i));
}

/* The blocks before and behind the place of an address, itself included. */
static void verify_near(uintptr_t address) {
    size_t at = hy_live_count_below(address), count = hy_live_count();
    for (size_t i = at ? at - 1 : 0; i < count && i <= at + 1; i++)
        verify(hy_live_by_address(i));
}

/* Two live blocks share no byte. Blocks of no bytes share none with anything. */
static void check_overlap(uint32_t slot, uint32_t other) {
    const hy_live_block *mine = hy_live_at(slot), *theirs = hy_live_at(other);
    if (mine->size == 0 || theirs->size == 0) return;
    if (mine->address >= theirs->address + theirs->size || theirs->address >= mine->address + mine->size)
        return;
    hy_finding("overlap", "block %u [%p, +%ju) lies on block %u [%p, +%ju)", slot, (void *)mine->address,
        (uintmax_t)mine->size, other, (void *)theirs->address, (uintmax_t)theirs->size);
}

static void check_place(uint32_t slot) {
    const hy_live_block *block = hy_live_at(slot);
    if (!hy_align_check(block->address, hy_align_from_log2(block->align_log2)))
        hy_finding("alignment", "block %u at %p was asked for at a multiple of 2^%u", slot,
            (void *)block->address, block->align_log2);
    if (block->size > UINTPTR_MAX - block->address)
        hy_finding("overlap", "block %u [%p, +%ju) passes the end of memory", slot, (void *)block->address,
            (uintmax_t)block->size);
    size_t at = hy_live_count_below(block->address);
    if (at > 0) check_overlap(slot, hy_live_by_address(at - 1));
    if (at + 1 < hy_live_count()) check_overlap(slot, hy_live_by_address(at + 1));
}

static void before(const hy_run *run, const hy_run_call *call) {
    (void)run;
    if (call->kind == HY_OP_RESET || call->kind == HY_OP_CHECK || call->kind == HY_OP_SPECIAL)
        verify_all();
    else if (call->kind == HY_OP_FREE)
        verify(call->slot);
    else if (call->before.live)
        verify_near(call->before.address);
}

static void served(const hy_run *run, const hy_run_call *call) {
    (void)run;
    check_place(call->slot);
    if (call->kind == HY_OP_ALLOC) {
        keys[call->slot] = hy_live_at(call->slot)->serial << 20;
        visit_content(call->slot, call->size, call->size, fill_range);
        return;
    }
    uint64_t old_size = call->before.size;
    visit_content(call->slot, old_size, old_size < call->size ? old_size : call->size, verify_range);
    visit_content(call->slot, call->size, call->size, fill_range);
    verify_near(call->before.address);
}

static void refused(const hy_run *run, const hy_run_call *call) {
    (void)run;
    if (call->before.live) verify_near(call->before.address);
}

static void ended(const hy_run *run, const hy_run_call *call) {
    (void)run;
    verify_near(call->before.address);
}

static void special(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    verify_all();
}

const hy_oracle hy_model_oracle = {
    .name = "model",
    .summary = "every live byte is what was written there, and belongs to one block",
    .on = {[HY_ON_BEFORE] = before,
        [HY_ON_SERVED] = served,
        [HY_ON_REFUSED] = refused,
        [HY_ON_ENDED] = ended,
        [HY_ON_SPECIAL] = special},
};
