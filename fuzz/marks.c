/* marks.c: the marks, and sizes by slot. */
#include "fuzz/marks.h"

#include "fuzz/live_blocks.h"

static struct {
    uint64_t taken_count;
    struct {
        hy_mark of_row;
        uint64_t order;                    /* in which marks were taken, from 1; 0: not valid */
        uint64_t serial;                   /* of the last block that was made before */
        uint64_t sizes[HY_BYTES_SLOT_MAX]; /* of blocks that are older: the least since */
    } marks[HY_MARK_COUNT];
} state;

void hy_marks_clear(void) {
    for (size_t i = 0; i < HY_MARK_COUNT; i++)
        state.marks[i].order = 0;
}

hy_mark *hy_mark_at(size_t index) {
    return &state.marks[index].of_row;
}

void hy_mark_taken(size_t index) {
    state.marks[index].order = ++state.taken_count;
    state.marks[index].serial = hy_live_serial();
    for (size_t i = 0; i < hy_live_count(); i++) {
        uint32_t slot = hy_live_by_address(i);
        state.marks[index].sizes[slot] = hy_live_at(slot)->size;
    }
}

bool hy_mark_is_valid(size_t index) {
    return state.marks[index].order != 0;
}

void hy_marks_note_size(uint32_t slot, uint64_t size) {
    for (size_t i = 0; i < HY_MARK_COUNT; i++) {
        if (size < state.marks[i].sizes[slot]) state.marks[i].sizes[slot] = size;
    }
}

void hy_mark_restored(size_t index) {
    for (size_t i = 0; i < HY_MARK_COUNT; i++) {
        if (state.marks[i].order > state.marks[index].order) state.marks[i].order = 0;
    }
    for (size_t i = hy_live_count(); i-- > 0;) {
        uint32_t slot = hy_live_by_address(i);
        const hy_live_block *block = hy_live_at(slot);
        if (block->serial > state.marks[index].serial)
            hy_live_remove(slot);
        else if (block->size > state.marks[index].sizes[slot])
            hy_live_change(slot, (void *)block->address, state.marks[index].sizes[slot], block->used_before);
    }
}
