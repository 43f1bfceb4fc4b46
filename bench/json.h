/* json.h: what the bench needs to write JSON, one object a line. */
#ifndef HEAPYARD_BENCH_JSON_H
#define HEAPYARD_BENCH_JSON_H

#include <heapyard/config.h>
#include <stdio.h>

HY_BEGIN_DECLS

/* The text in quotes, escaped. */
void hy_json_string(FILE *out, const char *text);
/* "key":"text", with a comma before it unless `first`. */
void hy_json_text(FILE *out, const char *key, const char *text, bool first);
/* ,"key":value */
void hy_json_number(FILE *out, const char *key, uint64_t value);

HY_END_DECLS

#endif
