/* heapyard/logging.h: one line for every call that passes through to a child.
 *
 *   hy_logging logging = HY_LOGGING_INIT(hy_libc(), hy_line_to_file, stderr, "parser");
 *   parse(hy_logging_allocator(&logging), input);
 *
 *   parser: alloc 100 align 8 -> 0x55d8c0de52a0
 *   parser: resize 0x55d8c0de52a0 100 to 5000 align 8 -> refused
 *   parser: remap 0x55d8c0de52a0 100 to 5000 align 8 -> refused
 *   parser: alloc 5000 align 8 -> 0x55d8c0de5400
 *   parser: free 0x55d8c0de52a0 100 align 8
 *
 * Sizes and alignments are in bytes. Calls are logged after the child has answered, a free before the child
 * ends the block, so that the lines of one thread never show an address live twice. The sink gets each line
 * with one call in the caller's thread (see line_sink.h for ready ones); it must not allocate through this
 * allocator, and its errno is the caller's.
 *
 * Owns nothing and takes no memory: there is nothing to end. Errors: the child's refusals. Thread-safe where
 * child and sink are; both sinks of line_sink.h are, and keep each line in one piece. Cost: a line is
 * formatted on the stack, and the sink's own; with refusals_only two comparisons for the rest.
 * Greatest alignment, order of frees, growing in place: the child's.
 * Modelled on Zig's LoggingAllocator.
 */
#ifndef HEAPYARD_LOGGING_H
#define HEAPYARD_LOGGING_H

#include <heapyard/allocator.h>
#include <heapyard/line_sink.h>

HY_BEGIN_DECLS

/* The scope's name is cut off after this many bytes. */
#define HY_LOGGING_SCOPE_MAX 64

/* A logging allocator: fields are for the functions below. */
typedef struct hy_logging {
    hy_allocator child; /* where the blocks come from; must outlive this */
    hy_line_sink sink;
    void *context;      /* handed to the sink; not owned */
    const char *scope;  /* stands before each line; NULL: nothing does. Not copied */
    bool refusals_only; /* log only what is refused: false; to be set while no thread allocates */
} hy_logging;

/* line_sink: not NULL. A macro because it must be an initialiser of static storage. */
#define HY_LOGGING_INIT(child_allocator, line_sink, sink_context, scope_name)                                \
    { (child_allocator), (line_sink), (sink_context), (scope_name), false }

/* The same at run time. sink: not NULL. */
HY_API void hy_logging_init(
    hy_logging *logging, hy_allocator child, hy_line_sink sink, void *context, const char *scope);

/* As the vtable's slots; `self` is an hy_logging. */
HY_API void *hy_logging_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_logging_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_logging_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_logging_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_logging_vtable = {
    hy_logging_alloc, hy_logging_resize, hy_logging_remap, hy_logging_free};

/* The allocator's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_logging_allocator(hy_logging *logging) {
    hy_allocator allocator = {logging, &hy_logging_vtable};
    return allocator;
}

HY_END_DECLS

#endif
