/* oom_test.c: what goes wrong after a refusal, and only then, is found by asking again. */
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include "fuzz/properties.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef enum fault { SOUND, GIVES_UP, KEEPS_HALF } fault;

/* Hands its child's blocks on, with a record beside each. */
static struct {
    hy_allocator child;
    fault fault;
    bool was_refused;
} planted;

#define RECORD_BYTES 8

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (planted.was_refused && planted.fault == GIVES_UP) return NULL;
    void *record = hy_alloc(planted.child, RECORD_BYTES, HY_ALIGN_8);
    void *block = record ? hy_alloc(planted.child, size, align) : NULL;
    planted.was_refused |= block == NULL;
    if (block || planted.fault != KEEPS_HALF) hy_free(planted.child, record, RECORD_BYTES, HY_ALIGN_8);
    return block;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    hy_free(planted.child, ptr, size, align);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    planted.child = config->child;
    planted.fault = *(const fault *)row->data;
    planted.was_refused = false;
    *out = (hy_allocator){&planted, &vtable};
    return &planted;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

typedef struct attempt {
    fault fault;
    const char *property;
    const char *oracles;
} attempt;

static void run_attempt(const void *argument) {
    const attempt *tried = argument;
    char error[200];
    const hy_row row = {.name = "planted",
        .group = HY_GROUP_STRATEGY,
        .summary = "hands its child's blocks on",
        .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
        .greatest_align = {HY_ALIGN_LOG2_MAX},
        .default_child = "libc",
        .make = make,
        .destroy = destroy,
        .data = &tried->fault};
    static const uint8_t two_blocks[] = {0, 0, 0, 40, 0, 50};
    if (!hy_oracles_choose(tried->oracles, error, sizeof error)) abort();
    hy_property_find(tried->property)->run(&row, two_blocks, sizeof two_blocks);
}

static void expect(fault wrong, const char *property, const char *oracles, const char *wanted) {
    const attempt tried = {wrong, property, oracles};
    hy_verdict verdict;
    hy_verdict_of(run_attempt, &tried, 20, &verdict);
    if (strcmp(verdict.key, wanted) != 0)
        fail_msg("%s with \"%s\": found \"%s\", wanted \"%s\"", property, oracles, verdict.line, wanted);
}

static void a_row_that_gives_up_is_found_by_asking_again(void **state) {
    (void)state;
    expect(SOUND, "oom", "", "");
    expect(GIVES_UP, "conform", "", "");
    expect(GIVES_UP, "oom", "", "finding: liveness");
    expect(GIVES_UP, "oom", "-liveness", "");
}

static void what_a_refusal_leaves_behind_is_found_at_once(void **state) {
    (void)state;
    expect(KEEPS_HALF, "conform", "", "");
    expect(KEEPS_HALF, "oom", "", "finding: refusal");
    expect(KEEPS_HALF, "oom", "-refusal", "finding: leak");
    expect(KEEPS_HALF, "oom", "-refusal,-drain", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_gives_up_is_found_by_asking_again),
        cmocka_unit_test(what_a_refusal_leaves_behind_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
