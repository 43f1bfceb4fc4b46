/* json_test.c: what is written is JSON, whatever the texts hold. */
#include "allocators/json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What `write` prints, in memory; the caller frees it. */
static char *printed(void (*write)(hy_json *json, const void *context), const void *context) {
    char *text;
    size_t size;
    hy_json json = {.out = open_memstream(&text, &size)};
    assert_non_null(json.out);
    write(&json, context);
    assert_int_equal(fclose(json.out), 0);
    return text;
}

static void assert_prints(
    void (*write)(hy_json *json, const void *context), const void *context, const char *expected) {
    char *text = printed(write, context);
    assert_string_equal(text, expected);
    free(text);
}

static void write_text(hy_json *json, const void *text) {
    hy_json_text(json, NULL, text);
}

static void write_member(hy_json *json, const void *key) {
    hy_json_begin(json, NULL, '{');
    hy_json_bool(json, key, true);
    hy_json_end(json, '}');
}

#define REPLACED "\\ufffd"

static void test_texts_are_escaped(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } texts[] = {
        {"", "\"\""}, {"arena@head size=64;window=10", "\"arena@head size=64;window=10\""},
        {"a\"b", "\"a\\\"b\""}, {"a\\b", "\"a\\\\b\""},
        {"\n\t\r\b\x01\x1f", "\"\\u000a\\u0009\\u000d\\u0008\\u0001\\u001f\""},
        {"\x7f </script>", "\"\\u007f </script>\""},
        {"\u00e4 \u20ac \U0001F4C8", "\"\u00e4 \u20ac \U0001F4C8\""},
        {"\xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf", "\"\xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf\""},
        {"a\xff", "\"a" REPLACED "\""},
        {"\x80\xbf", "\"" REPLACED REPLACED "\""},                           /* continuations of nothing */
        {"\xc3", "\"" REPLACED "\""},                                        /* cut off by the end */
        {"\xe2\x82\"", "\"" REPLACED REPLACED "\\\"\""},                     /* cut off by a quote */
        {"\xc0\x80", "\"" REPLACED REPLACED "\""},                           /* NUL in two bytes */
        {"\xc1\xbf", "\"" REPLACED REPLACED "\""},                           /* a longer form of one byte */
        {"\xe0\x9f\xbf", "\"" REPLACED REPLACED REPLACED "\""},              /* of two */
        {"\xf0\x8f\xbf\xbf", "\"" REPLACED REPLACED REPLACED REPLACED "\""}, /* of three */
        {"\xed\xa0\x80", "\"" REPLACED REPLACED REPLACED "\""},              /* a surrogate */
        {"\xf4\x90\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""}, /* beyond U+10FFFF */
        {"\xf8\x88\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""}, /* five bytes and more */
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_prints(write_text, texts[i].text, texts[i].expected);
        char member[128];
        snprintf(member, sizeof member, "{%s:true}", texts[i].expected);
        assert_prints(write_member, texts[i].text, member);
    }
}

static void write_nested(hy_json *json, const void *context) {
    (void)context;
    hy_json_begin(json, NULL, '{');
    hy_json_begin(json, "empty", '[');
    hy_json_end(json, ']');
    hy_json_begin(json, "rows", '[');
    for (uint64_t i = 0; i < 2; i++) {
        hy_json_begin(json, NULL, '{');
        hy_json_number(json, "number", i);
        hy_json_text(json, "text", "x");
        hy_json_end(json, '}');
    }
    hy_json_end(json, ']');
    hy_json_bool(json, "whole", false);
    hy_json_end(json, '}');
    assert_true(hy_json_line_end(json));
    hy_json_number(json, NULL, 7);
    assert_true(hy_json_line_end(json));
}

static void test_commas_stand_between_values(void **state) {
    (void)state;
    assert_prints(write_nested, NULL,
        "{\"empty\":[],\"rows\":[{\"number\":0,\"text\":\"x\"},{\"number\":1,\"text\":\"x\"}],\"whole\":"
        "false}\n"
        "7\n");
}

static void write_numbers(hy_json *json, const void *context) {
    (void)context;
    hy_json_begin(json, NULL, '[');
    hy_json_number(json, NULL, UINT64_MAX);
    hy_json_checksum(json, NULL, 0xabc);
    hy_json_real(json, NULL, 2.0 / 3, 6);
    hy_json_real(json, NULL, 1e300, 7);
    hy_json_real(json, NULL, (double)NAN, 7);
    hy_json_real(json, NULL, -(double)INFINITY, 7);
    hy_json_end(json, ']');
}

static void test_numbers_are_json_s(void **state) {
    (void)state;
    assert_prints(
        write_numbers, NULL, "[18446744073709551615,\"0000000000000abc\",0.666667,1e+300,null,null]");
}

static void test_a_line_that_was_not_written_is_reported(void **state) {
    (void)state;
    hy_json json = {.out = fopen("/dev/full", "we")};
    if (!json.out) skip();
    hy_json_text(&json, NULL, "lost");
    assert_false(hy_json_line_end(&json));
    fclose(json.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_commas_stand_between_values),
        cmocka_unit_test(test_numbers_are_json_s),
        cmocka_unit_test(test_a_line_that_was_not_written_is_reported),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
