/* print_run_test.c: what is printed of a run is built by gcc alone, and ends well where nothing is wrong. */
#include "fuzz/print_run.h"

#include "allocators/registry.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The call in its first comment, as one line of a shell. */
static void read_command(const char *text, char *command, size_t bytes) {
    const char *at = strstr(text, "gcc "), *end = strstr(text, "*/");
    size_t used = 0;
    assert_non_null(at);
    assert_true(end > at);
    for (; at < end && used + 1 < bytes; at++) {
        bool is_margin = *at == '\n' || *at == '\\' || (*at == '*' && at[-1] == ' ' && at[-2] == '\n');
        command[used++] = is_margin ? ' ' : *at;
    }
    command[used] = '\0';
}

static void cut(char *command, const char *word) {
    char *at = strstr(command, word);
    assert_non_null(at);
    memset(at, ' ', strlen(word));
}

static void print(const char *property, const char *row, char **text) {
    size_t size;
    hy_op ops[] = {
        {.kind = HY_OP_ALLOC, .size = 64, .align_log2 = 3}, {.kind = HY_OP_SPECIAL, .slot = 0, .size = 1}};
    const hy_history history = {.ops = ops, .count = 2};
    const hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER,
                                        .resize_refusal = HY_BYTES_NEVER,
                                        .remap_refusal = HY_BYTES_NEVER}};
    const hy_run_program program = {
        hy_property_find(property), hy_registry_find(row), &header, &history, "finding: none"};
    assert_true(hy_run_program_is_for(program.property, program.row));
    FILE *out = open_memstream(text, &size);
    assert_true(hy_run_program_print(out, &program));
    fclose(out);
}

/* Whether it is built by its own call and ends well; without sanitizers, which take longer than all else
 * here. */
static void expect_runs(char *text) {
    char folder[] = "/tmp/print_run_XXXXXX", command[4096], line[8192], path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run.c", folder);
    read_command(text, command, sizeof command);
    cut(command, "THIS.c");
    cut(command, "-fsanitize=address,undefined");
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    fclose(out);
    free(text);
    snprintf(line, sizeof line, "cd %s && %s %s -o %s/run && %s/run", HY_ROOT, command, path, folder, folder);
    assert_int_equal(system(line), 0);
    snprintf(line, sizeof line, "rm -r %s", folder);
    assert_int_equal(system(line), 0);
}

static void a_printed_run_is_built_by_gcc_alone(void **state) {
    (void)state;
    char *text;
    print("misuse", "debug_plain", &text);
    expect_runs(text);
}

static void so_is_one_of_bytes_that_are_no_history(void **state) {
    (void)state;
    static const uint8_t bytes[] = {255, 0, 0, 1, 0};
    hy_target target = {.property = hy_property_find("handles")};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_true(hy_bytes_program_print(out, &target, bytes, sizeof bytes, "finding: none"));
    fclose(out);
    assert_non_null(strstr(text, "0xff, 0x00, 0x00, 0x01, 0x00,"));
    expect_runs(text);
}

/* Of a property that is a row's own history there is a program without the yard. */
static void others_are_printed_otherwise(void **state) {
    (void)state;
    const hy_row *row = hy_registry_find("debug");
    assert_false(hy_run_program_is_for(hy_property_find("conform"), row));
    assert_true(hy_run_program_is_for(hy_property_find("compose"), row));
    assert_true(hy_run_program_is_for(hy_property_find("oom"), row));
}

/* What the plain program looks for is shown by it; the rest by the yard's own files. */
static void what_only_oracles_see_needs_the_yard(void **state) {
    (void)state;
    static const struct {
        const char *key, *line;
        bool is_needed;
    } findings[] = {
        {"finding: overlap", "finding: overlap: a block lies on another", false},
        {"finding: content", "finding: content: a byte was changed", false},
        {"finding: leak", "finding: leak: 8 bytes of the child", false},
        {"finding: leak", "finding: leak: 4096 bytes of addresses are mapped after the end", true},
        {"finding: alignment", "finding: alignment: block 9 was asked for at a multiple of 2^13", true},
        {"finding: promise", "finding: promise: the child was asked", true},
        {"finding: refusal", "finding: refusal: a refusal changed the bytes held", true},
        {"finding: hoarded", "finding: hoarded: 9 bytes are held", true},
        {"heapyard: hy_pool_free", "heapyard: hy_pool_free: not a block", false},
        {"signal 11 (Segmentation fault)", "signal 11 (Segmentation fault)", false},
    };
    for (size_t i = 0; i < sizeof findings / sizeof findings[0]; i++) {
        hy_verdict verdict = {0};
        snprintf(verdict.key, sizeof verdict.key, "%s", findings[i].key);
        snprintf(verdict.line, sizeof verdict.line, "%s", findings[i].line);
        if (hy_run_program_is_needed(&verdict) != findings[i].is_needed) fail_msg("%s", findings[i].line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_printed_run_is_built_by_gcc_alone),
        cmocka_unit_test(so_is_one_of_bytes_that_are_no_history),
        cmocka_unit_test(what_only_oracles_see_needs_the_yard),
        cmocka_unit_test(others_are_printed_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
