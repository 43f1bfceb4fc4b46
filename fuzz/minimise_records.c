/* minimise_records.c: attempts without some records, and with smaller bytes. */
#include "fuzz/minimise_records.h"

#include "fuzz/finding.h"
#include <stdlib.h>
#include <string.h>

#define TRY_SECONDS 20
#define LINE_BYTES 32 /* of what has no records, on a line of a seed */

typedef struct attempt {
    const hy_record_case *tried;
    bool told;
} attempt;

static void run(const void *argument) {
    const attempt *self = argument;
    hy_target target = *self->tried->target;
    hy_fuzz_is_told = self->told;
    hy_target_run(&target, self->tried->bytes, self->tried->size);
}

void hy_record_case_try(const hy_record_case *tried, bool told, hy_verdict *verdict) {
    attempt self = {tried, told};
    hy_verdict_of(run, &self, TRY_SECONDS, verdict);
}

typedef struct search {
    hy_record_case *best;
    hy_verdict *verdict;
    uint8_t *spare;
    size_t attempts;
} search;

/* Whether the candidate in `spare` fails alike; it is then the best. */
static bool takes(search *state, size_t size) {
    if (state->attempts == 0) return false;
    state->attempts--;
    hy_record_case candidate = {state->best->target, state->spare, size};
    hy_verdict verdict;
    hy_record_case_try(&candidate, false, &verdict);
    if (strcmp(verdict.key, state->verdict->key) != 0) return false;
    if (state->best->target->property->skips_known &&
        !hy_finding_is_same_kind(verdict.line, state->verdict->line))
        return false;
    *state->verdict = verdict;
    memcpy(state->best->bytes, state->spare, size);
    state->best->size = size;
    return true;
}

/* Where the record at `at` ends: behind one byte where the property knows of none. */
static size_t record_end(const hy_record_case *tried, size_t at) {
    const hy_property *property = tried->target->property;
    size_t length = property->record         ? property->record(tried->bytes, tried->size, at)
                    : property->record_bytes ? property->record_bytes
                                             : 1;
    return length < tried->size - at ? at + length : tried->size;
}

static size_t header_bytes(const hy_record_case *tried) {
    size_t header = tried->target->property->record_bytes;
    return header < tried->size ? header : tried->size;
}

size_t hy_record_case_count(const hy_record_case *tried) {
    size_t count = 0;
    for (size_t at = header_bytes(tried); at < tried->size; at = record_end(tried, at))
        count++;
    return count;
}

/* Without `count` records, everywhere behind the header. True where something went. */
static bool drop_runs(search *state, size_t count) {
    hy_record_case *best = state->best;
    bool dropped = false;
    for (size_t start = header_bytes(best); start < best->size;) {
        size_t end = start;
        for (size_t i = 0; i < count && end < best->size; i++)
            end = record_end(best, end);
        memcpy(state->spare, best->bytes, start);
        memcpy(state->spare + start, best->bytes + end, best->size - end);
        if (takes(state, best->size - (end - start)))
            dropped = true;
        else
            start = end;
    }
    return dropped;
}

static void drop(search *state) {
    for (size_t count = hy_record_case_count(state->best) / 2; count > 1; count /= 2)
        drop_runs(state, count);
    while (drop_runs(state, 1) && state->attempts > 0)
        continue;
}

static bool try_byte(search *state, size_t at, uint8_t byte) {
    memcpy(state->spare, state->best->bytes, state->best->size);
    state->spare[at] = byte;
    return takes(state, state->best->size);
}

/* Of a language that is read as text, what means the least there. */
static void simplify_bytes(search *state) {
    for (size_t at = 0; at < state->best->size && state->attempts > 0; at++) {
        uint8_t byte = state->best->bytes[at];
        if (byte != '0' && byte != '.' && !try_byte(state, at, '0')) (void)try_byte(state, at, '.');
    }
}

static void shrink_bytes(search *state) {
    for (size_t at = 0; at < state->best->size && state->attempts > 0; at++) {
        if (state->best->bytes[at] == 0 || try_byte(state, at, 0)) continue;
        for (uint8_t less = state->best->bytes[at] / 2; less > 0; less /= 2)
            (void)try_byte(state, at, (uint8_t)(state->best->bytes[at] - less));
    }
}

void hy_record_case_minimise(hy_record_case *failing, hy_verdict *verdict, size_t attempts) {
    size_t record = failing->target->property->record_bytes;
    if (record) failing->size -= failing->size > record ? failing->size % record : 0;
    search state = {failing, verdict, malloc(failing->size + 1), attempts};
    if (!state.spare) abort();
    drop(&state);
    if (failing->target->property->record)
        simplify_bytes(&state);
    else
        shrink_bytes(&state);
    drop(&state);
    free(state.spare);
}

bool hy_record_case_print(FILE *out, const hy_record_case *failing, const hy_verdict *verdict) {
    const hy_property *property = failing->target->property;
    bool has_records = property->record || property->record_bytes;
    size_t at = 0, end = header_bytes(failing);
    fprintf(out, "# %s\n", verdict->line);
    while (at < failing->size) {
        if (end == at) end = has_records ? record_end(failing, at) : at + LINE_BYTES;
        if (end > failing->size) end = failing->size;
        fputs("bytes ", out);
        while (at < end)
            fprintf(out, "%02x", failing->bytes[at++]);
        fputc('\n', out);
    }
    return !ferror(out);
}
