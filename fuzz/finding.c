/* finding.c: the one place where a finding ends the process. */
#include "fuzz/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

hy_fuzz_place hy_fuzz_place_now = {"-", "start", 0};
bool hy_fuzz_is_told;

void hy_finding(const char *oracle, const char *format, ...) {
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "finding: %s: %s (row %s, operation %zu %s)\n", oracle, message, hy_fuzz_place_now.row,
        hy_fuzz_place_now.index, hy_fuzz_place_now.operation);
    fflush(stderr);
    abort();
}
