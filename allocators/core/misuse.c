/* misuse.c: the messages that end a program which broke a rule.
 *
 * They are written with one write(2) from a buffer on the stack: the heap may be what is broken. What costs
 * memory from malloc, the stack's files and lines, comes after.
 *
 * Stack traces are referred to weakly: a program that links the static library and has no other use for them
 * (no debug allocator, for example) gets messages without a stack, and is spared the code for it.
 */
#include "allocators/core/capture.h"
#include "allocators/core/os.h"
#include <heapyard/check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma weak hy_stack_capture_from
#pragma weak hy_stack_print_descriptor

#define FRAMES_SHOWN 16

static void print_stack(const void *entry) {
    void *frames[FRAMES_SHOWN];
    if (!hy_stack_capture_from || !hy_stack_print_descriptor) return;
    hy_stack_print_descriptor(STDERR_FILENO, frames, hy_stack_capture_from(entry, frames, FRAMES_SHOWN));
}

/* entry: the frame of the function that was called to end the program. */
HY_PRINTF(2, 3) HY_NORETURN static void end_with(const void *entry, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)hy_os_write(STDERR_FILENO, line, strlen(line));
    print_stack(entry);
    abort();
}

#define RULE_BROKEN "heapyard: %s: got %ju (0x%jx), must be %s\n"

void hy_misuse(const char *function, uintmax_t value, const char *rule) {
    end_with(__builtin_frame_address(0), RULE_BROKEN, function, value, value, rule);
}

void hy_tell_invalid(const char *function, uintmax_t value, const char *rule) {
    fprintf(stderr, RULE_BROKEN, function, value, value, rule);
}

void hy_corrupted(const char *function, const char *message) {
    end_with(__builtin_frame_address(0), "heapyard: %s: %s\n", function, message);
}

void hy_fatal(const char *what) {
    fprintf(stderr, "fatal: %s\n", what);
    fflush(stderr);
    abort();
}
