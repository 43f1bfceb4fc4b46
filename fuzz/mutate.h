/* mutate.h: changes to an input at the borders of its operations, for engines.
 *
 * An engine knows bytes. A byte that it inserts into the middle of an operation gives every byte behind it
 * another meaning, so most of what it tries has little to do with what it began with. Here whole operations
 * are left out, repeated and moved, and single operands become others.
 */
#ifndef HEAPYARD_FUZZ_MUTATE_H
#define HEAPYARD_FUZZ_MUTATE_H

#include "fuzz/target.h"

/* Changes an input of `size` bytes in place; `capacity` bytes are there. Returns its size now; 0: the
 * target's inputs have no operations, or it has none. All choices come from `seed`. */
size_t hy_mutate(const hy_target *target, uint8_t *bytes, size_t size, size_t capacity, unsigned seed);

#endif
