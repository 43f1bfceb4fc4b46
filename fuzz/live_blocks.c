/* live_blocks.c: the slots, and their order by address. */
#include "fuzz/live_blocks.h"

#include <string.h>

#define SLOT_MAX HY_BYTES_SLOT_MAX

static struct {
    uint64_t serial;
    uint64_t bytes;
    size_t count;
    uint16_t order[SLOT_MAX]; /* live slots by address, those of no bytes too */
    hy_live_block blocks[SLOT_MAX];
} live;

void hy_live_begin(void) {
    hy_live_clear();
    live.serial = 0;
}

void hy_live_clear(void) {
    for (size_t i = 0; i < live.count; i++)
        live.blocks[live.order[i]].live = false;
    live.count = 0;
    live.bytes = 0;
}

size_t hy_live_count_below(uintptr_t address) {
    size_t low = 0, high = live.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (live.blocks[live.order[middle]].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(uint32_t slot) {
    size_t at = hy_live_count_below(live.blocks[slot].address);
    memmove(&live.order[at + 1], &live.order[at], (live.count - at) * sizeof live.order[0]);
    live.order[at] = (uint16_t)slot;
    live.count++;
    live.bytes += live.blocks[slot].size;
}

static void take_out(uint32_t slot) {
    size_t at = hy_live_count_below(live.blocks[slot].address);
    while (live.order[at] != slot)
        at++;
    live.count--;
    memmove(&live.order[at], &live.order[at + 1], (live.count - at) * sizeof live.order[0]);
    live.bytes -= live.blocks[slot].size;
}

void hy_live_add(uint32_t slot, void *ptr, uint64_t size, hy_align align, size_t used_before) {
    live.blocks[slot] =
        (hy_live_block){(uintptr_t)ptr, size, size, ++live.serial, used_before, align.log2, true};
    insert(slot);
}

void hy_live_remove(uint32_t slot) {
    take_out(slot);
    live.blocks[slot].live = false;
}

void hy_live_change(uint32_t slot, void *ptr, uint64_t new_size, size_t used_before) {
    hy_live_block *block = &live.blocks[slot];
    take_out(slot);
    if (block->address != (uintptr_t)ptr) {
        block->serial = ++live.serial;
        block->used_before = used_before;
        block->most_size = 0;
    }
    if (new_size > block->most_size) block->most_size = new_size;
    block->address = (uintptr_t)ptr;
    block->size = new_size;
    insert(slot);
}

const hy_live_block *hy_live_at(uint32_t slot) {
    return &live.blocks[slot];
}

size_t hy_live_count(void) {
    return live.count;
}

uint64_t hy_live_bytes(void) {
    return live.bytes;
}

uint64_t hy_live_serial(void) {
    return live.serial;
}

uint32_t hy_live_newest(void) {
    uint32_t newest = HY_LIVE_NO_SLOT;
    uint64_t serial = 0;
    for (size_t i = 0; i < live.count; i++) {
        const hy_live_block *block = &live.blocks[live.order[i]];
        if (block->serial <= serial || block->size == 0) continue;
        serial = block->serial;
        newest = live.order[i];
    }
    return newest;
}

uint32_t hy_live_by_address(size_t index) {
    return live.order[index];
}
