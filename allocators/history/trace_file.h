/* trace_file.h: a history as a compact file, checked when it is read.
 *
 *   ┌─────────┬─────────┬────────┬─────────────┬─────────┬─────────┬───
 *   │ magic 8 │ version │ length │ metadata    │ CRC-32  │ chunk 0 │ chunk 1 …
 *   └─────────┴─────────┴────────┴─────────────┴─────────┴─────────┴───
 *   chunk: "HYCK", operations, raw length of each column, packed length, CRC-32, packed columns (zstd)
 *
 * All numbers are little-endian, 32 bits. The metadata is text, one `key=value` a line, so that a
 * trace can be looked at with `head`. The magic holds a byte above 127, a carriage return and a
 * line feed, so that a file damaged by a text-mode transfer is known at once. The codec of the
 * columns is trace_codec.h's; real programs take one to two bytes an operation.
 *
 * Reading checks everything and refuses, with the place, what is not a trace, of another version,
 * cut, or damaged; and what its recorder could not finish. In partial mode whatever is whole is
 * taken. Any bytes are safe to read. Writing is atomic: the file appears under its name when it
 * is complete.
 */
#ifndef HEAPYARD_TRACE_FILE_H
#define HEAPYARD_TRACE_FILE_H

#include "allocators/history/history.h"

#define HY_TRACE_VERSION 1

typedef struct hy_trace_info {
    char program[256];   /* the executable's path */
    char command[1024];  /* the command line, blanks between arguments */
    char recorder[64];   /* who wrote it: "heapyard 0.1.0", "import aosp" */
    char date[32];       /* ISO 8601, or empty: a trace needs none */
    char end[128];       /* how it ended: "exit", "exec", … */
    bool finished;       /* false: the recorder was cut short, the program may have gone on */
    uint64_t op_count;   /* operations of the history in the file, ends of threads among them */
    uint64_t call_count; /* reader: without those */
    uint32_t thread_count;
    uint32_t slot_count;
    uint64_t foreign_count; /* frees and size changes of blocks that the recorder never saw, left out */
    uint64_t file_bytes;    /* reader: the whole file */
} hy_trace_info;

/* Why a file could not be read or written: one line that names the file, the place and the mend. */
typedef struct hy_trace_error {
    char message[700];
    uint64_t op;     /* operations that were good before the place */
    uint64_t offset; /* bytes */
    bool system;     /* the system or memory refused; the file itself may be good */
    bool full;       /* the system said that there is no room left to write to */
} hy_trace_error;

/* Writes the history under `path`. From `info` are taken: program, command, recorder, date, end,
 * finished, foreign_count. False: *error says why, and what stood under `path` before still stands. */
bool hy_trace_write(
    const char *path, const hy_history *history, const hy_trace_info *info, hy_trace_error *error);

/* The same on a disk that has no room left: writes over the file `victim` (NULL: none; at least as large as
 * the trace, in the same file system), cuts it to length and gives it the trace's name. What `victim` held is
 * lost, in part also where this fails: only for a file whose content is in the history. */
bool hy_trace_write_over(const char *victim, const char *path, const hy_history *history,
    const hy_trace_info *info, hy_trace_error *error);

/* Reads a trace into an empty, initialised history (its allocator serves), and its metadata.
 * partial: takes what is whole of a file that was cut, damaged or not finished; *error then says
 * where it ends (message empty: it was all there).
 * False: *error says why; the history is empty. */
bool hy_trace_read(
    const char *path, bool partial, hy_history *history, hy_trace_info *info, hy_trace_error *error);

/* The same from bytes in memory; `name` is what messages call them. For fuzzing and tests. */
bool hy_trace_decode(const char *name, const void *bytes, size_t size, bool partial, hy_history *history,
    hy_trace_info *info, hy_trace_error *error);

#endif
