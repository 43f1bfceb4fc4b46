/* marks.h: what lived when an instance's marks were taken, and what of it lives on after a restore.
 *
 * A few marks by number, beside the record of live blocks (live_blocks.h). One set for the process.
 */
#ifndef HEAPYARD_FUZZ_MARKS_H
#define HEAPYARD_FUZZ_MARKS_H

#include <heapyard/plugin.h>

#define HY_MARK_COUNT 4

/* Forgets all marks: a run begins, or a reset went behind them. O(1). */
void hy_marks_clear(void);

/* The number that a history's number stands for, and its row's part. */
static inline size_t hy_mark_index(uint64_t number) {
    return number % HY_MARK_COUNT;
}

hy_mark *hy_mark_at(size_t index);

/* The row's part was written: from here on it is valid. O(live). */
void hy_mark_taken(size_t index);

/* Whether it may be restored. */
bool hy_mark_is_valid(size_t index);

/* A live block has a new size where it is. O(1). */
void hy_marks_note_size(uint32_t slot, uint64_t size);

/* The row went back to the mark: in the record of live blocks, those made or moved since end, and those that
 * grew since have the least size that they had from then on. Later marks are not valid any more. O(live^2).
 */
void hy_mark_restored(size_t index);

#endif
