/* misuse.c: the messages that end a program which broke a rule.
 *
 * They are written with one write(2) from a buffer on the stack: the heap may be what is broken. What costs
 * memory from malloc, the stack's files and lines, comes after.
 */
#include "allocators/core/os.h"
#include <heapyard/check.h>
#include <heapyard/stack_trace.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_SHOWN 16

HY_NORETURN static void end_with(const char *format, ...) HY_PRINTF(1, 2);

HY_NORETURN static void end_with(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    hy_os_write(STDERR_FILENO, line, strlen(line));

    void *frames[FRAMES_SHOWN];
    hy_stack_print_descriptor(STDERR_FILENO, frames, hy_stack_capture(frames, FRAMES_SHOWN));
    abort();
}

#define RULE_BROKEN "heapyard: %s: got %ju (0x%jx), must be %s\n"

void hy_misuse(const char *function, uintmax_t value, const char *rule) {
    end_with(RULE_BROKEN, function, value, value, rule);
}

void hy_tell_invalid(const char *function, uintmax_t value, const char *rule) {
    fprintf(stderr, RULE_BROKEN, function, value, value, rule);
}

void hy_corrupted(const char *function, const char *message) {
    end_with("heapyard: %s: %s\n", function, message);
}

void hy_fatal(const char *what) {
    fprintf(stderr, "fatal: %s\n", what);
    fflush(stderr);
    abort();
}
