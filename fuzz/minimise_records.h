/* minimise_records.h: the smallest input of records (properties.h), or of bytes that are none, that still
 * shows the same bug. */
#ifndef HEAPYARD_FUZZ_MINIMISE_RECORDS_H
#define HEAPYARD_FUZZ_MINIMISE_RECORDS_H

#include "fuzz/minimise.h"
#include "fuzz/target.h"
#include <stdio.h>

typedef struct hy_record_case {
    const hy_target *target;
    uint8_t *bytes; /* owned by whoever made the case; it gets smaller in place */
    size_t size;
} hy_record_case;

/* How many records, or bytes, it has, its header aside. */
size_t hy_record_case_count(const hy_record_case *tried);

/* Runs a case in a process of its own; told: it says in words what it does (finding.h). */
void hy_record_case_try(const hy_record_case *tried, bool told, hy_verdict *verdict);

/* Leaves records out, then makes their bytes smaller, as long as the verdict's key stays `verdict->key`; at
 * most `attempts` runs. *verdict is then that of the smaller case. */
void hy_record_case_minimise(hy_record_case *failing, hy_verdict *verdict, size_t attempts);

/* As a seed (inputs.h): the finding, and a line of hexadecimal digits for each record or for 32 bytes. False:
 * not written. */
bool hy_record_case_print(FILE *out, const hy_record_case *failing, const hy_verdict *verdict);

#endif
