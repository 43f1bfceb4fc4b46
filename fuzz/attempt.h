/* attempt.h: for tests: a seed on a row, by a property and with some oracles, in a process of its own. */
#ifndef HEAPYARD_FUZZ_ATTEMPT_H
#define HEAPYARD_FUZZ_ATTEMPT_H

#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include "fuzz/properties.h"
#include "fuzz/seed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct attempt {
    const char *property;
    const hy_row *row;
    const char *oracles; /* as --oracles takes them */
    const char *seed;
} attempt;

static inline void run_attempt(const void *argument) {
    const attempt *tried = argument;
    uint8_t bytes[4096];
    char text[256];
    hy_seed_error error;
    size_t size = hy_seed_assemble(tried->seed, strlen(tried->seed), bytes, sizeof bytes, &error);
    if (size == SIZE_MAX || !hy_oracles_choose(tried->oracles, text, sizeof text)) {
        fprintf(stderr, "fatal: line %u: %s\n", error.line, error.message);
        exit(1);
    }
    hy_property_find(tried->property)->run(tried->row, bytes, size);
}

/* wanted: the key of the finding; "" none. */
static inline void expect(attempt tried, const char *wanted) {
    hy_verdict verdict;
    hy_verdict_of(run_attempt, &tried, 20, &verdict);
    if (strcmp(verdict.key, wanted) != 0)
        fail_msg("%s with \"%s\" found \"%s\" (%s), wanted \"%s\"", tried.row->name, tried.oracles,
            verdict.key, verdict.line, wanted);
}

#endif
