/* interpreter.h: runs a history on an instance of a row, before the eyes of all oracles that are switched on.
 *
 * What is claimed of a row follows from its traits and promises alone; see oracles.h and the files in
 * oracles/ for what is looked at.
 *
 * Requests that would really take much memory from the system (rows that stand on no child) are
 * passed over; huge ones cost nothing where a child or a capacity bounds them.
 */
#ifndef HEAPYARD_FUZZ_INTERPRETER_H
#define HEAPYARD_FUZZ_INTERPRETER_H

#include "allocators/conformance/child.h"
#include "allocators/registry.h"

/* Whether the claims hold of a row at all: floors may hand one block out twice. */
bool hy_interpreter_takes(const hy_row *row);

/* What an input's header makes of a row: its configuration, on the adversarial child where it takes one. */
hy_config hy_interpreter_config(const hy_row *row, const hy_bytes_header *header);
/* The bounds that sizes of its operations are relative to. */
hy_bytes_bounds hy_interpreter_bounds(const hy_row *row, const hy_bytes_header *header);

/* The child of the last run. */
const hy_child *hy_interpreter_child(void);

/* Runs the history over a fresh instance on the adversarial child; what is wrong ends the process.
 * Returns how many operations were run. */
size_t hy_interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history);

#endif
