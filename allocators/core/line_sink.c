/* line_sink.c: the two sinks that every program needs. */
#include "allocators/core/os.h"
#include <heapyard/line_sink.h>
#include <stdio.h>

void hy_line_to_file(void *file, const char *line, size_t size) {
    fwrite(line, 1, size, file);
}

void hy_line_to_descriptor(void *descriptor, const char *line, size_t size) {
    (void)hy_os_write(*(const int *)descriptor, line, size);
}
