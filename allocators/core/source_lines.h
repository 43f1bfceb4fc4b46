/* source_lines.h: function, file and line of an address, and what was inlined there, from symbol tables and
 * the compiler's debugging information.
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

/* Finds the function at `call` in the object's own symbol table, which has static ones too. False: there is
 * no such table, or no such function in it; nothing is written. */
bool hy_source_lines_symbol(
    hy_source_lines *lines, const hy_object *object, uintptr_t call, hy_symbol *symbol);

typedef enum hy_unit_owner { HY_UNIT_UNKNOWN, HY_UNIT_LIBRARY, HY_UNIT_OTHER } hy_unit_owner;

/* Whose the function at `call` is, by the file that it was written in; what is inlined there does not count.
 */
hy_unit_owner hy_source_lines_owner(hy_source_lines *lines, const hy_object *object, uintptr_t call);

/* Tells the sink the function at `call`, and before it those that were inlined there, as copies of `known`
 * with what was found; their index counts from that of `known`. Returns how many were told; 0: nothing is
 * known of the address. */
size_t hy_source_lines_find(hy_source_lines *lines, const hy_object *object, uintptr_t call,
    const hy_frame *known, hy_frame_sink sink, void *context);

/* A constant string for hy_stack_names. */
const char *hy_source_lines_names(void);

#endif
