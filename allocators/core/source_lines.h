/* source_lines.h: file, line and inlined functions of an address, from the compiler's debugging information.
 */
#ifndef HEAPYARD_CORE_SOURCE_LINES_H
#define HEAPYARD_CORE_SOURCE_LINES_H

#include "allocators/core/object_symbols.h"
#include <heapyard/stack_trace.h>

/* What was read so far, to be begun and ended in one thread. */
typedef struct hy_source_lines {
    void *reader; /* NULL: nothing can be read */
    bool is_begun, is_shared;
} hy_source_lines;

/* Waits for nobody: where another thread has what the process keeps between reports, this one reads for
 * itself; inside a report of the same thread nothing is read. */
void hy_source_lines_begin(hy_source_lines *lines);
void hy_source_lines_end(hy_source_lines *lines);

/* Tells the sink the function at `call`, and before it those that were inlined there, as copies of `known`
 * with what was found; their index counts from that of `known`. Returns how many were told; 0: nothing is
 * known of the address. */
size_t hy_source_lines_find(hy_source_lines *lines, const hy_object *object, uintptr_t call,
    const hy_frame *known, hy_frame_sink sink, void *context);

/* A constant string for hy_stack_names. */
const char *hy_source_lines_names(void);

#endif
