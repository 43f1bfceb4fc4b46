/* json.c: writes JSON, one value a line. */
#include "allocators/json.h"
#include <math.h>

/* Code points need at least so many bytes; a longer form of a smaller one is not UTF-8. */
static const uint32_t utf8_least[] = {0, 0, 0x80, 0x800, 0x10000};

static bool is_code_point(uint32_t code, size_t length) {
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code >= utf8_least[length] && code <= 0x10FFFF && !surrogate;
}

/* The bytes of the character that begins here; 0 where none does. The NUL at the end of the text is no
 * continuation, so that nothing is read beyond it. */
static size_t utf8_length(const unsigned char *at) {
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC0 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                    : at[0] < 0xF8 ? 4
                                   : 0;
    if (length < 2) return length;
    uint32_t code = at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    return is_code_point(code, length) ? length : 0;
}

static void write_quoted(FILE *out, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', out);
    while (*at) {
        size_t length = utf8_length(at);
        if (length == 0) {
            fputs("\\ufffd", out);
        } else if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7F) { /* DEL too: a terminal would act on it */
            fprintf(out, "\\u%04x", *at);
        } else {
            fwrite(at, 1, length, out);
        }
        at += length ? length : 1;
    }
    fputc('"', out);
}

/* What stands before a value; another one may follow it. */
static void start_value(hy_json *json, const char *key) {
    if (json->after_value) fputc(',', json->out);
    if (key) {
        write_quoted(json->out, key);
        fputc(':', json->out);
    }
    json->after_value = true;
}

void hy_json_begin(hy_json *json, const char *key, char bracket) {
    start_value(json, key);
    fputc(bracket, json->out);
    json->after_value = false;
}

void hy_json_end(hy_json *json, char bracket) {
    fputc(bracket, json->out);
    json->after_value = true;
}

void hy_json_text(hy_json *json, const char *key, const char *text) {
    start_value(json, key);
    write_quoted(json->out, text);
}

void hy_json_number(hy_json *json, const char *key, uint64_t value) {
    start_value(json, key);
    fprintf(json->out, "%llu", (unsigned long long)value);
}

void hy_json_real(hy_json *json, const char *key, double value, int digits) {
    start_value(json, key);
    if (isfinite(value)) {
        fprintf(json->out, "%.*g", digits, value);
    } else {
        fputs("null", json->out);
    }
}

void hy_json_bool(hy_json *json, const char *key, bool value) {
    start_value(json, key);
    fputs(value ? "true" : "false", json->out);
}

void hy_json_checksum(hy_json *json, const char *key, uint64_t checksum) {
    start_value(json, key);
    fprintf(json->out, "\"%016llx\"", (unsigned long long)checksum);
}

bool hy_json_line_end(hy_json *json) {
    fputc('\n', json->out);
    json->after_value = false;
    return fflush(json->out) == 0 && !ferror(json->out);
}
