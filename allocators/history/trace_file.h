/* trace_file.h: writes a history as a compact file, and reads it back with full verification.
 *
 *   ┌─────────┬─────────┬────────┬─────────────┬─────────┬─────────┬───
 *   │ magic 8 │ version │ length │ metadata    │ CRC-32  │ chunk 0 │ chunk 1 …
 *   └─────────┴─────────┴────────┴─────────────┴─────────┴─────────┴───
 *   chunk: "HYCK", operations, raw length of each column, packed length, CRC-32, packed columns (zstd)
 *
 * All numbers are little-endian, 32 bits. The metadata is text, one `key=value` per line, so that `head`
 * shows it. The magic holds a byte above 127, a carriage return and a line feed, so that damage by a
 * text-mode transfer is detected at once. The columns are encoded by trace_codec.h; traces of real
 * programs take one to two bytes per operation.
 *
 * Reading verifies everything and rejects, with the position, a file that is not a trace, is of another
 * version, truncated or damaged, or whose recording did not finish. In partial mode every intact chunk
 * before the damage is read. Any bytes are safe to read. Writing is atomic: the file appears under its
 * name when it is complete.
 */
#ifndef HEAPYARD_TRACE_FILE_H
#define HEAPYARD_TRACE_FILE_H

#include "allocators/history/buffer.h"
#include "allocators/history/history.h"

#define HY_TRACE_VERSION 1

typedef struct hy_trace_info {
    char program[256];   /* the executable's path */
    char command[1024];  /* the command line, blanks between arguments */
    char recorder[64];   /* what wrote the file: "heapyard 0.1.0", "import aosp" */
    char date[32];       /* ISO 8601, or empty */
    char end[128];       /* how the program ended: "exit", "exec", … */
    bool finished;       /* false: recording stopped early, the program may have continued */
    uint64_t op_count;   /* operations of the history in the file, including ends of threads */
    uint64_t call_count; /* reader: without ends of threads */
    uint32_t thread_count;
    uint32_t slot_count;
    uint64_t foreign_count; /* calls left out: on blocks that were allocated before the recording */
    uint64_t file_bytes;    /* reader: size of the file */
} hy_trace_info;

/* Why a file could not be read or written: one line that names the file, the position and the remedy. */
typedef struct hy_trace_error {
    char message[700];
    uint64_t op;     /* number of good operations before the error */
    uint64_t offset; /* of the error, in bytes */
    bool system;     /* a system call failed or memory ran out; the file itself may be good */
    bool full;       /* the disk is full (ENOSPC or EDQUOT) */
} hy_trace_error;

/* Writes the history to `path`. Uses these fields of `info`: program, command, recorder, date, end,
 * finished, foreign_count. False: see *error; a file that was at `path` before is unchanged. */
bool hy_trace_write(
    const char *path, const hy_history *history, const hy_trace_info *info, hy_trace_error *error);

/* The same on a full disk: overwrites the file `victim` (NULL: none; at least as large as the trace, in the
 * same file system), truncates it and renames it to `path`. The contents of `victim` are lost, at least in
 * part even where this fails: use it only for a file whose contents are in the history. */
bool hy_trace_write_over(const char *victim, const char *path, const hy_history *history,
    const hy_trace_info *info, hy_trace_error *error);

/* Appends what hy_trace_write would write to an initialised buffer. Requires: the history is legal, and each
 * of its operations has an encoding. False: out of memory. For fuzzing and tests. */
bool hy_trace_encode(const hy_history *history, const hy_trace_info *info, hy_buffer *out);

/* Reads a trace and its metadata into an empty, initialised history, by the history's allocator.
 * partial: accepts a truncated, damaged or unfinished file and reads its intact chunks; *error then says
 * where they end (an empty message: the file was complete).
 * False: *error says why; the history is empty. */
bool hy_trace_read(
    const char *path, bool partial, hy_history *history, hy_trace_info *info, hy_trace_error *error);

/* The same from bytes in memory, called `name` in messages. For fuzzing and tests. */
bool hy_trace_decode(const char *name, const void *bytes, size_t size, bool partial, hy_history *history,
    hy_trace_info *info, hy_trace_error *error);

#endif
