/* spool_reader.h: reads the spool of a recorded process into a history. */
#ifndef HEAPYARD_SPOOL_READER_H
#define HEAPYARD_SPOOL_READER_H

#include "allocators/history/trace_file.h"
#include "allocators/trace/recorder/spool.h"

/* Reads a spool into an empty, initialised history, and the program's metadata into *info;
 * info->finished and info->end say whether the recording is complete.
 * `header`: a copy of the spool's, for its pid. False: *error says why (not a spool, can't be read). */
bool hy_spool_read(const char *path, hy_history *history, hy_trace_info *info, hy_spool_header *header,
    hy_trace_error *error);

#endif
