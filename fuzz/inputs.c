/* inputs.c: reading inputs. */
#include "fuzz/inputs.h"

#include "fuzz/seed.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ASSEMBLED_MAX 65536

static bool complain(const char *path, const char *why) {
    fprintf(stderr, "heapyard-replay: %s: %s\n", path, why);
    return false;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* A file's bytes, malloc'ed; NULL where it can't be read. */
static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rbe");
    if (!file) return NULL;
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    *size = 0;
    do {
        capacity = capacity ? capacity * 2 : 4096;
        uint8_t *more = realloc(bytes, capacity);
        if (!more) abort();
        bytes = more;
        *size += fread(bytes + *size, 1, capacity - *size, file);
    } while (*size == capacity);
    bool bad = ferror(file) != 0;
    fclose(file);
    if (!bad) return bytes;
    free(bytes);
    return NULL;
}

static int digit_of(char character) {
    const char *digits = "0123456789abcdef", *at = character ? strchr(digits, character) : NULL;
    return at ? (int)(at - digits) : -1;
}

#define BYTES "bytes "

/* Appends the bytes of a line's digits; false: they are none. */
static bool append_digits(const uint8_t *at, const uint8_t *end, uint8_t *bytes, size_t *filled) {
    for (; at < end; at += 2) {
        int high = digit_of((char)at[0]), low = end - at > 1 ? digit_of((char)at[1]) : -1;
        if (high < 0 || low < 0) return false;
        bytes[(*filled)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The text of a seed that says its bytes itself, overwritten by them. SIZE_MAX: it is no such seed, *line is
 * 0 and it is unchanged; or *line is wrong. */
static size_t assemble_bytes(uint8_t *bytes, size_t size, unsigned *line) {
    const size_t word = strlen(BYTES);
    size_t filled = 0;
    bool has_bytes = false;
    *line = 1;
    for (uint8_t *at = bytes, *end; at < bytes + size; at = end + 1, ++*line) {
        end = memchr(at, '\n', (size_t)(bytes + size - at));
        if (!end) end = bytes + size;
        if (end == at || *at == '#') continue;
        bool is_bytes = (size_t)(end - at) >= word && memcmp(at, BYTES, word) == 0;
        if (!is_bytes && !has_bytes) break;
        if (!is_bytes || !append_digits(at + word, end, bytes, &filled)) return SIZE_MAX;
        has_bytes = true;
    }
    if (has_bytes) return filled;
    *line = 0;
    return SIZE_MAX;
}

/* A seed's text replaced by its bytes. */
static bool assemble(const char *path, hy_input *input) {
    unsigned line;
    size_t given = assemble_bytes(input->bytes, input->size, &line);
    if (given != SIZE_MAX) input->size = given;
    if (given != SIZE_MAX) return true;
    if (line) {
        fprintf(stderr, "heapyard-replay: %s:%u: bytes are pairs of hexadecimal digits, and nothing else\n",
            path, line);
        free(input->bytes);
        return false;
    }
    uint8_t *assembled = malloc(ASSEMBLED_MAX);
    hy_seed_error error;
    if (!assembled) abort();
    size_t size = hy_seed_assemble((const char *)input->bytes, input->size, assembled, ASSEMBLED_MAX, &error);
    free(input->bytes);
    input->bytes = assembled;
    input->size = size;
    if (size != SIZE_MAX) return true;
    fprintf(stderr, "heapyard-replay: %s:%u: %s\n", path, error.line, error.message);
    free(assembled);
    return false;
}

static bool add_file(hy_inputs *inputs, const char *path) {
    hy_input input = {0};
    input.bytes = read_file(path, &input.size);
    if (!input.bytes) return complain(path, strerror(errno));
    if (ends_with(path, ".txt") && !assemble(path, &input)) return false;
    if (inputs->count == inputs->capacity) {
        inputs->capacity = inputs->capacity ? inputs->capacity * 2 : 64;
        inputs->items = realloc(inputs->items, inputs->capacity * sizeof inputs->items[0]);
        if (!inputs->items) abort();
    }
    input.path = strdup(path);
    inputs->items[inputs->count++] = input;
    return true;
}

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.' && strncmp(entry->d_name, "README", 6) != 0;
}

static bool add_folder(hy_inputs *inputs, const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, is_input, alphasort);
    if (count < 0) return complain(path, strerror(errno));
    bool good = true;
    for (int i = 0; i < count; i++) {
        char *below;
        if (asprintf(&below, "%s/%s", path, entries[i]->d_name) < 0) abort();
        good = good && hy_inputs_add(inputs, below);
        free(below);
        free(entries[i]);
    }
    free(entries);
    return good;
}

bool hy_inputs_add(hy_inputs *inputs, const char *path) {
    struct stat what;
    if (stat(path, &what) != 0) return complain(path, strerror(errno));
    return S_ISDIR(what.st_mode) ? add_folder(inputs, path) : add_file(inputs, path);
}

void hy_inputs_free(hy_inputs *inputs) {
    for (size_t i = 0; i < inputs->count; i++) {
        free(inputs->items[i].path);
        free(inputs->items[i].bytes);
    }
    free(inputs->items);
    *inputs = (hy_inputs){0};
}
