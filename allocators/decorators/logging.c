/* logging.c: one line for every call.
 *
 * For: seeing what a piece of code asks of its allocator, while it runs. Not for: figures (counting), nor for
 *   traces to be replayed (recording).
 * Algorithm: the child's call, then a line formatted on the stack, then the sink, once.
 * Cost: snprintf and the sink. Overhead per block: none. Thread-safe where child and sink are.
 * Source: Zig's LoggingAllocator.
 */
#include <heapyard/logging.h>
#include <stdarg.h>
#include <stdio.h>

/* Of the longest: scope, remap, two addresses, three sizes of at most 20 digits. */
#define LINE_BYTES (HY_LOGGING_SCOPE_MAX + 160)

void hy_logging_init(
    hy_logging *logging, hy_allocator child, hy_line_sink sink, void *context, const char *scope) {
    hy_require_child(child, "hy_logging_init");
    HY_REQUIRE(sink != NULL, "hy_logging_init", 0, "a sink");
    *logging = (hy_logging)HY_LOGGING_INIT(child, sink, context, scope);
}

HY_PRINTF(2, 3) static void write_line(const hy_logging *logging, const char *format, ...) {
    char line[LINE_BYTES];
    int size = 0;
    if (logging->scope) {
        size = snprintf(line, sizeof line, "%.*s: ", HY_LOGGING_SCOPE_MAX, logging->scope);
    }
    va_list arguments;
    va_start(arguments, format);
    size += vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    logging->sink(logging->context, line, (size_t)size);
}

static bool is_told(const hy_logging *logging, bool was_refused) {
    return was_refused || !logging->refusals_only;
}

void *hy_logging_alloc(void *self, size_t size, hy_align align) {
    const hy_logging *logging = self;
    void *ptr = logging->child.vtable->alloc(logging->child.self, size, align);
    if (!is_told(logging, !ptr)) return ptr;
    if (ptr)
        write_line(logging, "alloc %zu align %zu -> %p\n", size, hy_align_bytes(align), ptr);
    else
        write_line(logging, "alloc %zu align %zu -> refused\n", size, hy_align_bytes(align));
    return ptr;
}

bool hy_logging_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_logging *logging = self;
    bool done = logging->child.vtable->resize(logging->child.self, ptr, old_size, new_size, align);
    if (!is_told(logging, !done)) return done;
    write_line(logging, "resize %p %zu to %zu align %zu -> %s\n", ptr, old_size, new_size,
        hy_align_bytes(align), done ? "done" : "refused");
    return done;
}

/* The old address is only printed: after the child's answer it may be another's. */
void *hy_logging_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_logging *logging = self;
    uintptr_t old = (uintptr_t)ptr;
    void *moved = logging->child.vtable->remap(logging->child.self, ptr, old_size, new_size, align);
    if (!is_told(logging, !moved)) return moved;
    if (moved)
        write_line(logging, "remap 0x%zx %zu to %zu align %zu -> %p\n", (size_t)old, old_size, new_size,
            hy_align_bytes(align), moved);
    else
        write_line(logging, "remap 0x%zx %zu to %zu align %zu -> refused\n", (size_t)old, old_size, new_size,
            hy_align_bytes(align));
    return moved;
}

void hy_logging_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_logging *logging = self;
    if (is_told(logging, false)) {
        write_line(logging, "free %p %zu align %zu\n", ptr, size, hy_align_bytes(align));
    }
    logging->child.vtable->free(logging->child.self, ptr, size, align);
}
