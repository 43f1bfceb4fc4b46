/* json.h: writes JSON, one value a line.
 *
 *   hy_json json = {.out = stdout};
 *   hy_json_begin(&json, NULL, '{');
 *   hy_json_text(&json, "row", "arena");
 *   hy_json_begin(&json, "sizes", '[');
 *   hy_json_number(&json, NULL, 16);
 *   hy_json_end(&json, ']');
 *   hy_json_end(&json, '}');
 *   hy_json_line_end(&json);                      {"row":"arena","sizes":[16]}
 *
 * Every value takes a key: the member's name in an object, NULL in an array and at the top. The commas
 * between values are written here. What is printed is valid whatever the texts hold: quotes, backslashes
 * and control characters are escaped, and a byte that is not part of UTF-8 becomes U+FFFD, the
 * replacement character. That brackets match, and that keys are given where they belong, is the caller's
 * part.
 */
#ifndef HEAPYARD_JSON_H
#define HEAPYARD_JSON_H

#include <heapyard/config.h>
#include <stdio.h>

HY_BEGIN_DECLS

typedef struct hy_json {
    FILE *out;
    bool after_value; /* the next value needs a comma before it */
} hy_json;

/* Opens an object by '{', an array by '['. */
void hy_json_begin(hy_json *json, const char *key, char bracket);
/* Closes it by '}' or ']'. */
void hy_json_end(hy_json *json, char bracket);
void hy_json_text(hy_json *json, const char *key, const char *text);
void hy_json_number(hy_json *json, const char *key, uint64_t value);
/* A number with so many significant digits; null where it is infinite or not a number. */
void hy_json_real(hy_json *json, const char *key, double value, int digits);
void hy_json_bool(hy_json *json, const char *key, bool value);
/* A checksum is a text of 16 hexadecimal digits: readers that take numbers for doubles would round it. */
void hy_json_checksum(hy_json *json, const char *key, uint64_t checksum);
/* Ends the line and flushes it, so that a crash later on does not take it away. False: it could not be
 * written whole, and errno says why. */
bool hy_json_line_end(hy_json *json);

HY_END_DECLS

#endif
