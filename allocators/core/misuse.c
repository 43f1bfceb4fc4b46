/* misuse.c: the messages that end a program which broke a rule.
 *
 * They are written with one write(2) from a buffer on the stack: the heap may be what is broken.
 */
#include <heapyard/check.h>
#include <heapyard/stack_trace.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAMES_SHOWN 16

HY_NORETURN static void end_with(const char *format, ...) HY_PRINTF(1, 2);

HY_NORETURN static void end_with(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs(line, stderr);

    void *frames[FRAMES_SHOWN];
    hy_stack_print(stderr, frames, hy_stack_capture(frames, FRAMES_SHOWN));
    fflush(stderr);
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
