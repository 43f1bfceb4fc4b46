/* heapyard/stack_trace.h: where a call came from.
 *
 * A capture keeps return addresses only; names are looked up when a report is printed. Frames that
 * lie inside the library are dropped from the front, however many decorators there are, so that a
 * trace begins at the caller of the front door. What captures, a debug allocator for example, leaves out
 * its own; those of what the call passed through on its way there are dropped at once by the shared
 * library. The static library's code lies among the program's: there they are captured, count as frames,
 * and are dropped when they are looked up, by debugging information or names, where libdw is linked.
 *
 *   void *frames[6];
 *   size_t count = hy_stack_capture(frames, 6);
 *   hy_stack_print(stderr, frames, count);
 *
 *       #0 0x55d8c0de51a3 in parse_line at src/parse.c:42 (/usr/bin/tool+0x11a2)
 *       #1 0x55d8c0de5b07 in main at src/tool.c:17 (/usr/bin/tool+0x1b06)
 *
 * Where the library was built with libdw and the program is linked to it, functions are named from the
 * symbol tables of the program and its libraries, static ones included unless they were stripped; file, line
 * and inlined functions come from their debugging information (-g). Elsewhere functions that the dynamic
 * linker knows are named: those that libraries export, and a program linked with -rdynamic. hy_stack_names
 * says which.
 */
#ifndef HEAPYARD_STACK_TRACE_H
#define HEAPYARD_STACK_TRACE_H

#include <heapyard/line_sink.h>
#include <stdio.h>

HY_BEGIN_DECLS

/* Writes up to `capacity` return addresses to `frames`, innermost first, and returns how many.
 * Walks frame pointers, two loads a frame; code built without them ends the trace early, and
 * never crashes it. Thread-safe, allocates nothing, async-signal-safe. */
HY_API size_t hy_stack_capture(void **frames, size_t capacity);

/* As hy_stack_capture by what the compiler wrote for exceptions, complete also through code without frame
 * pointers. The platform's unwinder does it, in some 150 ns a frame; where there is none, it is
 * hy_stack_capture. Thread-safe, does not call malloc; takes no lock on glibc 2.35 or later. */
HY_API size_t hy_stack_capture_full(void **frames, size_t capacity);

/* What is known of one frame. Strings live until the sink that was given them returns. */
typedef struct hy_frame {
    size_t index;           /* in the order of the trace, from 0; functions inlined count */
    void *address;          /* where the call returns to, as captured */
    const char *function;   /* NULL: not known */
    size_t function_offset; /* of the address from its function's start; 0 for an inlined one */
    const char *file;       /* of the call, as the compiler was given it; NULL: not known */
    unsigned line;          /* in the file; 0: not known */
    bool is_inlined;        /* into the function of the next frame, which has the same address */
    const char *object;     /* the program or library that it lies in; NULL: in none */
    size_t object_offset;   /* of the call in it */
} hy_frame;

/* Is told a frame; *frame and its strings live until it returns. */
typedef void (*hy_frame_sink)(void *context, const hy_frame *frame);

/* Looks the frames up and tells the sink each in turn, with the functions that were inlined into it
 * before it. At the front the library's own are left out, unless there are no others. Uses no
 * hy_allocator, and waits for no lock but, for a function that libdw does not know, the dynamic linker's:
 * it may be called from inside an allocator's report. File and line cost memory from malloc (libdw's);
 * where that malloc itself reports, the inner report has exported functions only. Not async-signal-safe.
 * Thread-safe. */
HY_API void hy_stack_resolve(void *const *frames, size_t count, hy_frame_sink sink, void *context);

/* Writes a frame as a line that ends in a newline, at most capacity - 1 bytes, and a NUL; returns how many
 * bytes without it. capacity: at least 2. */
HY_API size_t hy_frame_format(const hy_frame *frame, char *line, size_t capacity);

/* Prints one line for each frame that hy_stack_resolve tells: to a sink, a stream, or a descriptor. */
HY_API void hy_stack_print_to(hy_line_sink sink, void *context, void *const *frames, size_t count);
HY_API void hy_stack_print(FILE *stream, void *const *frames, size_t count);
HY_API void hy_stack_print_descriptor(int descriptor, void *const *frames, size_t count);

/* What traces show here: "function, file and line (libdw)", or "exported functions" and what to install
 * or link for more. A constant string. */
HY_API const char *hy_stack_names(void);

HY_END_DECLS

#endif
