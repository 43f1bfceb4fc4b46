/* finding.c: the one place where a finding ends the process. */
#include "fuzz/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND_BYTES 200
#define KINDS 128

hy_fuzz_place hy_fuzz_place_now = {"-", "start", 0};
bool hy_fuzz_is_told;
unsigned hy_fuzz_rounds = 1;
bool hy_fuzz_keeps_blocks;

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

/* ---- kinds that are known ---- */

static struct {
    char kinds[KINDS][KIND_BYTES];
    size_t count;
} known;

/* Letters alone, so that what differs in numbers and addresses is of one kind. */
static void read_kind(const char *text, size_t size, char kind[KIND_BYTES]) {
    size_t filled = 0;
    for (size_t at = 0; at < size && filled + 1 < KIND_BYTES; at++) {
        if (text[at] == '0' && at + 1 < size && text[at + 1] == 'x')
            at += 1 + strspn(text + at + 2, "0123456789abcdef");
        else if ((text[at] | 0x20) >= 'a' && (text[at] | 0x20) <= 'z')
            kind[filled++] = text[at];
    }
    kind[filled] = '\0';
}

/* The kind of a finding's line; false: it is no such line. */
static bool read_line_kind(const char *line, char kind[KIND_BYTES]) {
    static const char mark[] = "finding: ";
    const char *start = strstr(line, mark);
    if (!start) return false;
    start += strlen(mark);
    const char *end = strstr(start, " (row ");
    read_kind(start, end ? (size_t)(end - start) : strlen(start), kind);
    return true;
}

bool hy_finding_is_same_kind(const char *line, const char *other) {
    char kind[KIND_BYTES], other_kind[KIND_BYTES];
    bool told = read_line_kind(line, kind), other_told = read_line_kind(other, other_kind);
    return told && other_told ? strcmp(kind, other_kind) == 0 : told == other_told;
}

bool hy_finding_read_known(const char *path) {
    char line[1024];
    FILE *file = fopen(path, "re");
    if (!file) return false;
    known.count = 0;
    while (known.count < KINDS && fgets(line, sizeof line, file))
        known.count += read_line_kind(line, known.kinds[known.count]);
    bool good = !ferror(file);
    fclose(file);
    return good;
}

bool hy_finding_is_known(const char *oracle, const char *message) {
    char text[2 * KIND_BYTES], kind[KIND_BYTES];
    if (known.count == 0) return false;
    int size = snprintf(text, sizeof text, "%s: %s", oracle, message);
    read_kind(text, size < (int)sizeof text ? (size_t)size : sizeof text - 1, kind);
    for (size_t i = 0; i < known.count; i++) {
        if (strcmp(known.kinds[i], kind) == 0) return true;
    }
    return false;
}
