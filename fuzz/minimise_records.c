/* minimise_records.c: attempts without some records, and with smaller bytes. */
#include "fuzz/minimise_records.h"

#include "fuzz/finding.h"
#include <stdlib.h>
#include <string.h>

#define TRY_SECONDS 20

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
    *state->verdict = verdict;
    memcpy(state->best->bytes, state->spare, size);
    state->best->size = size;
    return true;
}

/* Without `length` bytes, everywhere behind the header. True where something went. */
static bool drop_runs(search *state, size_t length) {
    hy_record_case *best = state->best;
    size_t record = best->target->property->record_bytes;
    bool dropped = false;
    for (size_t start = record; start + length <= best->size;) {
        memcpy(state->spare, best->bytes, start);
        memcpy(state->spare + start, best->bytes + start + length, best->size - start - length);
        if (takes(state, best->size - length))
            dropped = true;
        else
            start += length;
    }
    return dropped;
}

static void drop(search *state) {
    size_t record = state->best->target->property->record_bytes;
    for (size_t count = state->best->size / record / 2; count > 1; count /= 2)
        drop_runs(state, count * record);
    while (drop_runs(state, record) && state->attempts > 0)
        continue;
}

static bool try_byte(search *state, size_t at, uint8_t byte) {
    memcpy(state->spare, state->best->bytes, state->best->size);
    state->spare[at] = byte;
    return takes(state, state->best->size);
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
    failing->size -= failing->size > record ? failing->size % record : 0;
    search state = {failing, verdict, malloc(failing->size + 1), attempts};
    if (!state.spare) abort();
    drop(&state);
    shrink_bytes(&state);
    drop(&state);
    free(state.spare);
}

bool hy_record_case_print(FILE *out, const hy_record_case *failing, const hy_verdict *verdict) {
    size_t record = failing->target->property->record_bytes;
    fprintf(out, "# %s\n", verdict->line);
    for (size_t at = 0; at < failing->size; at++) {
        if (at % record == 0) fputs(at ? "\nbytes " : "bytes ", out);
        fprintf(out, "%02x", failing->bytes[at]);
    }
    return fputc('\n', out) != EOF;
}
