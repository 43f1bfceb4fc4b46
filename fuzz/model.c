/* model.c: the map, and the content of blocks. */
#include "fuzz/model.h"

#include "fuzz/finding.h"
#include <string.h>

#define SLOT_MAX HY_BYTES_SLOT_MAX
#define END_BYTES 512   /* at either end of a block that is not filled whole */
#define WINDOW_BYTES 32 /* at each power of two in between */

/* The model's own touches are checked for poison once a range, not once a word. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

static struct {
    uint64_t serial;
    uint64_t live_bytes;
    size_t live_count;
    uint16_t order[SLOT_MAX]; /* live slots of non-zero size and others, by address */
    hy_model_block blocks[SLOT_MAX];
} model;

void hy_model_begin(void) {
    hy_model_clear();
    model.serial = 0;
}

void hy_model_clear(void) {
    for (size_t i = 0; i < model.live_count; i++)
        model.blocks[model.order[i]].live = false;
    model.live_count = 0;
    model.live_bytes = 0;
}

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

static void require_addressable(const hy_model_block *block, uint64_t from, uint64_t to) {
    (void)block, (void)from, (void)to;
#if HY_ASAN
    void *bad = __asan_region_is_poisoned((void *)(block->address + from), to - from);
    if (bad) {
        hy_finding("poisoned", "byte %zu of a live block of %ju at %p is not addressable",
            (size_t)((uintptr_t)bad - block->address), (uintmax_t)block->size, (void *)block->address);
    }
#endif
}

/* What is done to each range of a block that carries content: bytes [from, to) below `limit`. */
typedef void range_function(const hy_model_block *block, uint64_t from, uint64_t to);

static void visit_clipped(
    const hy_model_block *block, uint64_t from, uint64_t to, uint64_t limit, range_function *visit) {
    if (to > limit) to = limit;
    if (from >= to) return;
    require_addressable(block, from, to);
    visit(block, from, to);
}

/* The ranges of a block of `size` that carry content, as far as `limit`. All begin at multiples of 8. */
static void visit_content(const hy_model_block *block, uint64_t size, uint64_t limit, range_function *visit) {
    if (size <= HY_MODEL_WHOLE) {
        visit_clipped(block, 0, size, limit, visit);
        return;
    }
    visit_clipped(block, 0, END_BYTES, limit, visit);
    for (uint64_t at = 1024; at + WINDOW_BYTES < size - END_BYTES; at *= 2)
        visit_clipped(block, at - 8, at + WINDOW_BYTES - 8, limit, visit);
    visit_clipped(block, (size - END_BYTES) & ~(uint64_t)7, size, limit, visit);
}

static void fill_range(const hy_model_block *block, uint64_t from, uint64_t to) {
    fill_words((unsigned char *)block->address, block->key, from, to);
}

static void verify_range(const hy_model_block *block, uint64_t from, uint64_t to) {
    uint64_t differs = compare_words((const unsigned char *)block->address, block->key, from, to);
    if (differs == to) return;
    hy_finding("content", "byte %ju of block %td (%ju bytes at %p) was changed", (uintmax_t)differs,
        block - model.blocks, (uintmax_t)block->size, (void *)block->address);
}

void hy_model_verify(uint32_t slot) {
    const hy_model_block *block = &model.blocks[slot];
    visit_content(block, block->size, block->size, verify_range);
}

void hy_model_verify_all(void) {
    for (size_t i = 0; i < model.live_count; i++)
        hy_model_verify(model.order[i]);
}

/* How many live blocks begin below an address. */
static size_t count_below(uintptr_t address) {
    size_t low = 0, high = model.live_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model.blocks[model.order[middle]].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void hy_model_verify_near(const void *ptr) {
    size_t at = count_below((uintptr_t)ptr);
    for (size_t i = at ? at - 1 : 0; i < model.live_count && i <= at + 1; i++)
        hy_model_verify(model.order[i]);
}

/* Two live blocks share no byte. Blocks of no bytes share none with anything. */
static void check_overlap(uint32_t slot, uint32_t other) {
    const hy_model_block *mine = &model.blocks[slot], *theirs = &model.blocks[other];
    if (mine->size == 0 || theirs->size == 0) return;
    if (mine->address >= theirs->address + theirs->size || theirs->address >= mine->address + mine->size)
        return;
    hy_finding("overlap", "block %u [%p, +%ju) lies on block %u [%p, +%ju)", slot, (void *)mine->address,
        (uintmax_t)mine->size, other, (void *)theirs->address, (uintmax_t)theirs->size);
}

static void insert(uint32_t slot) {
    const hy_model_block *block = &model.blocks[slot];
    if (!hy_align_check(block->address, hy_align_from_log2(block->align_log2)))
        hy_finding("alignment", "block %u at %p was asked for at a multiple of 2^%u", slot,
            (void *)block->address, block->align_log2);
    if (block->size > UINTPTR_MAX - block->address)
        hy_finding("overlap", "block %u [%p, +%ju) passes the end of memory", slot, (void *)block->address,
            (uintmax_t)block->size);
    size_t at = count_below(block->address);
    if (at > 0) check_overlap(slot, model.order[at - 1]);
    if (at < model.live_count) check_overlap(slot, model.order[at]);
    memmove(&model.order[at + 1], &model.order[at], (model.live_count - at) * sizeof model.order[0]);
    model.order[at] = (uint16_t)slot;
    model.live_count++;
    model.live_bytes += block->size;
}

static void take_out(uint32_t slot) {
    size_t at = count_below(model.blocks[slot].address);
    while (model.order[at] != slot)
        at++;
    model.live_count--;
    memmove(&model.order[at], &model.order[at + 1], (model.live_count - at) * sizeof model.order[0]);
    model.live_bytes -= model.blocks[slot].size;
}

void hy_model_add(uint32_t slot, void *ptr, uint64_t size, hy_align align) {
    hy_model_block *block = &model.blocks[slot];
    uint64_t serial = ++model.serial;
    *block = (hy_model_block){(uintptr_t)ptr, size, serial << 20, serial, 0, align.log2, true};
    insert(slot);
    visit_content(block, size, size, fill_range);
}

void hy_model_remove(uint32_t slot) {
    take_out(slot);
    model.blocks[slot].live = false;
}

void hy_model_change(uint32_t slot, void *ptr, uint64_t new_size) {
    hy_model_block *block = &model.blocks[slot];
    uint64_t old_size = block->size;
    take_out(slot);
    if (block->address != (uintptr_t)ptr) block->serial = ++model.serial;
    block->address = (uintptr_t)ptr;
    block->size = new_size;
    insert(slot);
    visit_content(block, old_size, old_size < new_size ? old_size : new_size, verify_range);
    visit_content(block, new_size, new_size, fill_range);
}

const hy_model_block *hy_model_at(uint32_t slot) {
    return &model.blocks[slot];
}

size_t hy_model_live_count(void) {
    return model.live_count;
}

uint64_t hy_model_live_bytes(void) {
    return model.live_bytes;
}

uint32_t hy_model_newest(void) {
    uint32_t newest = HY_MODEL_NO_SLOT;
    uint64_t serial = 0;
    for (size_t i = 0; i < model.live_count; i++) {
        const hy_model_block *block = &model.blocks[model.order[i]];
        if (block->serial <= serial || block->size == 0) continue;
        serial = block->serial;
        newest = model.order[i];
    }
    return newest;
}

uint32_t hy_model_by_address(size_t index) {
    return model.order[index];
}

void hy_model_note_used(uint32_t slot, size_t used_before) {
    model.blocks[slot].used_before = used_before;
}
