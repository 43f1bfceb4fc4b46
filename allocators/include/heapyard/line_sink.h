/* heapyard/line_sink.h: where the library's text goes.
 *
 * Stack traces, logs and reports are handed to a function, one line a call, so that a program decides
 * what becomes of them. For a FILE there is a ready one:
 *
 *   hy_logging_init(&logging, hy_libc(), hy_line_to_file, stderr, "parser");
 */
#ifndef HEAPYARD_LINE_SINK_H
#define HEAPYARD_LINE_SINK_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* Takes one line. line: `size` bytes that end in a newline, then a NUL that is not counted; they live until
 * the function returns. context: what the caller gave along. */
typedef void (*hy_line_sink)(void *context, const char *line, size_t size);

/* Sinks for a `FILE *` as context, and for an `int *` that holds a file descriptor. Each writes the line
 * with one call, so that lines of several threads do not mix. What can't be written is lost. The one
 * for descriptors is async-signal-safe and leaves errno alone. */
HY_API void hy_line_to_file(void *file, const char *line, size_t size);
HY_API void hy_line_to_descriptor(void *descriptor, const char *line, size_t size);

HY_END_DECLS

#endif
