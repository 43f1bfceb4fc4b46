/* refusals.h: fault injection for tests: which system calls fail.
 *
 * HY_TEST_SYSTEM="NAME ERRNO FIRST LAST …" makes the calls FIRST to LAST, counted from 1, of the function
 * NAME fail with ERRNO.
 */
#ifndef HEAPYARD_REFUSALS_H
#define HEAPYARD_REFUSALS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counts this call of `name`; true, with errno set, where it must fail. */
static inline bool refused(const char *name, unsigned *calls) {
    unsigned number = ++*calls, first, last;
    const char *at = getenv("HY_TEST_SYSTEM");
    char word[32];
    int why, length;
    while (at && sscanf(at, "%31s %d %u %u%n", word, &why, &first, &last, &length) == 4) {
        if (strcmp(word, name) == 0 && number >= first && number <= last) {
            errno = why;
            return true;
        }
        at += length;
    }
    return false;
}

#endif
