/* properties.h: table 3: what is claimed of allocators, each claim a file in properties/.
 *
 * A property takes a fuzzer's bytes and a row and ends the process (finding.h) where the claim does
 * not hold. The hunts take every property over every row that it applies to.
 */
#ifndef HEAPYARD_FUZZ_PROPERTIES_H
#define HEAPYARD_FUZZ_PROPERTIES_H

#include "allocators/history/bytes.h"
#include <heapyard/plugin.h>

typedef struct hy_property {
    const char *name;
    const char *summary; /* one line, no full stop */
    bool over_rows;      /* false: it needs no row, and runs once */
    bool must_fail;      /* the canary: hunts pass it over, tests demand that it is found */
    bool skips_known;    /* it goes on behind findings of kinds that are known (finding.h) */
    bool (*applies)(const hy_row *row);
    /* Further rows, which only a command that names one takes; NULL: none. */
    bool (*applies_when_named)(const hy_row *row);
    /* Runs one input. row: NULL where over_rows is false. Returns the operations that were run. */
    size_t (*run)(const hy_row *row, const uint8_t *bytes, size_t size);
    /* For the minimiser: the row whose history the bytes are; NULL: the bytes are no history. */
    const hy_row *(*history_row)(const hy_row *row);
    /* Runs a decoded history; NULL: hy_interpret does. */
    size_t (*interpret)(const hy_row *row, const hy_bytes_header *header, const hy_history *history);
    /* Likewise: the bytes are records of so many bytes, the first a header, and each can be left out; the
     * property tells its run where hy_fuzz_is_told (finding.h). 0: they are not. */
    size_t record_bytes;
    /* Likewise, of bytes whose records differ in length and have no header: the bytes of the one at
     * bytes[at], 1 at least; NULL: record_bytes says it. */
    size_t (*record)(const uint8_t *bytes, size_t size, size_t at);
    /* The bytes that a language of letters gives a meaning of their own, for the mutator; NULL: all bytes are
     * alike. */
    const char *letters;
    /* What ends an input, so that others may follow it in the same bytes; NULL: nothing does. */
    const char *mark;
    const char *row_source; /* the file of that row, where the registry has no such row; NULL: it has */
} hy_property;

/* The table. */
const hy_property *const *hy_properties(size_t *count);

/* The property of that name; NULL where there is none. */
const hy_property *hy_property_find(const char *name);

#endif
