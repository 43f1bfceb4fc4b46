/* seed.h: a fuzzer's input as text that people write and review.
 *
 *   # an arena's newest block grows, then another one does not
 *   shape 1                      the row's capacity and block size, 0 … 3
 *   options 0x2                  the row's option bits
 *   child grows                  faults: grows, moves, once,
 *   child refuses alloc 3        refuses alloc|resize|remap INDEX
 *   alloc 0 64 align 16          slot, size, alignment (8 where none is said), zeroed
 *   alloc 1 capacity-8           sizes: N, 0xN, 2^N, 2^N+K, max-K, capacity+K, block-K, and room+K: what
 *                                the instance's stats say is left when it comes to that
 *   resize 0 80                  and remap, realloc
 *   free 1
 *   reset retain                 free_all, retain, limit SIZE
 *   check
 *   save 0                       an operation of the row's own (hy_row.operations) and its number; rows that
 *                                have none of that name check instead
 *   free_again 35                something done wrong on purpose (misuse.h), the last that happens; likewise
 *   twin 100                     another instance has blocks of up to so many bytes, and ends
 *
 * An input of a property that takes no histories is lines of "bytes 0011aaff" and nothing else (inputs.h).
 *
 * Slots are any numbers below 2^32; one holds one block at a time.
 */
#ifndef HEAPYARD_FUZZ_SEED_H
#define HEAPYARD_FUZZ_SEED_H

#include "allocators/history/bytes.h"
#include <stdio.h>

typedef struct hy_seed_error {
    unsigned line; /* 0: not of a line */
    char message[120];
} hy_seed_error;

/* Text to bytes. Writes at most `capacity` bytes and returns how many; SIZE_MAX where the text is not
 * one, with *error. O(text + operations · live). */
size_t hy_seed_assemble(
    const char *text, size_t length, uint8_t *bytes, size_t capacity, hy_seed_error *error);

/* A header and a history, decoded with these bounds, as text. */
void hy_seed_print(
    FILE *out, const hy_bytes_header *header, const hy_bytes_bounds *bounds, const hy_history *history);

#endif
