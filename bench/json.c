/* json.c: what the bench needs to write JSON. */
#include "bench/json.h"

void hy_json_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < 0x20) {
            fprintf(out, "\\u%04x", *at);
        } else {
            fputc(*at, out);
        }
    }
    fputc('"', out);
}

void hy_json_text(FILE *out, const char *key, const char *text, bool first) {
    if (!first) fputc(',', out);
    hy_json_string(out, key);
    fputc(':', out);
    hy_json_string(out, text);
}

void hy_json_number(FILE *out, const char *key, uint64_t value) {
    fputc(',', out);
    hy_json_string(out, key);
    fprintf(out, ":%llu", (unsigned long long)value);
}
