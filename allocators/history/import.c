/* import.c: parses lines of text into calls of the tracker. */
#include "allocators/history/import.h"

#include "allocators/history/tracker.h"
#include <ctype.h>
#include <heapyard/typed.h>
#include <inttypes.h>
#include <stdlib.h>

#define MEMALIGN_LEAST_LOG2 4
#define THREADS_MAX 65536u

/* `tids`: the log's thread ids, by our thread number. The search starts at the last one found, because
 * consecutive lines are mostly of one thread. */
typedef struct importer {
    hy_tracker tracker;
    uint64_t *tids;
    uint32_t thread_count;
    uint32_t thread_capacity;
    uint32_t last;
    hy_import_counts *counts;
} importer;

/* The rest of a line; `good` is false once parsing has failed. */
typedef struct text {
    const char *at;
    bool good;
} text;

static uint64_t number(text *in, int base) {
    while (*in->at == ' ' || *in->at == '\t')
        in->at++;
    if (base == 16) {
        in->good = in->good && in->at[0] == '0' && in->at[1] == 'x' && isxdigit((unsigned char)in->at[2]);
    } else {
        in->good = in->good && isdigit((unsigned char)in->at[0]);
    }
    if (!in->good) return 0;
    char *end;
    uint64_t value = strtoull(in->at, &end, base);
    in->at = end;
    return value;
}

static bool thread_of(importer *in, uint64_t tid, uint16_t *out) {
    for (uint32_t i = 0; i < in->thread_count; i++) {
        uint32_t at = (in->last + i) % in->thread_count;
        if (in->tids[at] != tid) continue;
        in->last = at;
        *out = (uint16_t)at;
        return true;
    }
    if (in->thread_count == THREADS_MAX) return false;
    if (in->thread_count == in->thread_capacity) {
        uint32_t capacity = in->thread_capacity * 2 + 16;
        uint64_t *tids = hy_realloc_n(in->tracker.gpa, uint64_t, in->tids, in->thread_capacity, capacity);
        if (!tids) return false;
        in->tids = tids;
        in->thread_capacity = capacity;
    }
    in->last = in->thread_count;
    in->tids[in->thread_count++] = tid;
    *out = (uint16_t)in->last;
    return true;
}

/* Skips `expected` where it is the next word; false where it is not. */
static bool word(text *in, const char *expected) {
    size_t length = strlen(expected);
    if (strncmp(in->at, expected, length) != 0 || isalnum((unsigned char)in->at[length])) return false;
    in->at += length;
    return true;
}

typedef enum outcome { GOOD, MALFORMED, NO_MEMORY } outcome;

static outcome allocation(
    importer *in, uint16_t thread, uint64_t address, uint64_t size, uint8_t log2, uint8_t flags) {
    bool good = address == 0 ? hy_tracker_refused(&in->tracker, thread, size, log2)
                             : hy_tracker_alloc(&in->tracker, thread, address, size, log2, flags);
    return good ? GOOD : NO_MEMORY;
}

static outcome call_malloc(importer *in, uint16_t thread, text *line) {
    uint64_t address = number(line, 16);
    uint64_t size = number(line, 10);
    return line->good ? allocation(in, thread, address, size, hy_malloc_align_log2(size), 0) : MALFORMED;
}

static outcome call_calloc(importer *in, uint16_t thread, text *line) {
    uint64_t address = number(line, 16);
    uint64_t count = number(line, 10);
    uint64_t size = number(line, 10);
    uint64_t total;
    if (!line->good || HY_MUL_OVERFLOWS(count, size, &total)) return MALFORMED;
    return allocation(in, thread, address, total, hy_malloc_align_log2(total), HY_OP_ZEROED);
}

static outcome call_memalign(importer *in, uint16_t thread, text *line) {
    uint64_t address = number(line, 16);
    uint64_t bytes = number(line, 10);
    uint64_t size = number(line, 10);
    hy_align align;
    if (!line->good || !hy_align_try(bytes, &align)) return MALFORMED;
    return allocation(
        in, thread, address, size, align.log2 < MEMALIGN_LEAST_LOG2 ? MEMALIGN_LEAST_LOG2 : align.log2, 0);
}

static outcome call_realloc(importer *in, uint16_t thread, text *line) {
    uint64_t address = number(line, 16);
    uint64_t old = number(line, 16);
    uint64_t size = number(line, 10);
    if (!line->good) return MALFORMED;
    if (old == 0) return allocation(in, thread, address, size, hy_malloc_align_log2(size), 0);
    bool good = hy_tracker_change_begin(&in->tracker, thread, old) &&
                hy_tracker_change_end(&in->tracker, thread, HY_OP_REALLOC, address, size);
    return good ? GOOD : NO_MEMORY;
}

static outcome call_free(importer *in, uint16_t thread, text *line) {
    uint64_t address = number(line, 16);
    if (!line->good) return MALFORMED;
    if (address == 0) {
        in->counts->null_frees++;
        return GOOD;
    }
    return hy_tracker_free(&in->tracker, thread, address, 0) ? GOOD : NO_MEMORY;
}

static outcome call_thread_done(importer *in, uint16_t thread, text *line) {
    (void)number(line, 16);
    if (!line->good) return MALFORMED;
    return hy_tracker_thread_end(&in->tracker, thread) ? GOOD : NO_MEMORY;
}

static outcome import_line(importer *in, const char *line) {
    text rest = {.at = line, .good = true};
    uint64_t tid = number(&rest, 10);
    if (!rest.good || *rest.at != ':') return MALFORMED;
    rest.at++;
    while (*rest.at == ' ')
        rest.at++;
    uint16_t thread;
    if (!thread_of(in, tid, &thread)) return NO_MEMORY;
    outcome result = MALFORMED;
    if (word(&rest, "malloc"))
        result = call_malloc(in, thread, &rest);
    else if (word(&rest, "free"))
        result = call_free(in, thread, &rest);
    else if (word(&rest, "realloc"))
        result = call_realloc(in, thread, &rest);
    else if (word(&rest, "calloc"))
        result = call_calloc(in, thread, &rest);
    else if (word(&rest, "memalign"))
        result = call_memalign(in, thread, &rest);
    else if (word(&rest, "thread_done"))
        result = call_thread_done(in, thread, &rest);
    while (isspace((unsigned char)*rest.at))
        rest.at++;
    return result == GOOD && *rest.at != 0 ? MALFORMED : result;
}

bool hy_import_memory_replay(
    FILE *in, const char *name, hy_history *history, hy_import_counts *counts, hy_trace_error *error) {
    *counts = (hy_import_counts){0};
    *error = (hy_trace_error){0};
    importer state = {.counts = counts};
    hy_tracker_init(&state.tracker, history, history->allocator);
    char *line = NULL;
    size_t capacity = 0;
    outcome result = GOOD;
    while (result == GOOD && getline(&line, &capacity, in) >= 0) {
        counts->lines++;
        if (line[0] != '\n') result = import_line(&state, line);
    }
    if (result == MALFORMED) {
        line[strcspn(line, "\r\n")] = 0;
        (void)snprintf(error->message, sizeof error->message,
            "%s:%" PRIu64 ": not `TID: ACTION POINTER ARGUMENTS`, as in `12: malloc 0x7f00 32`: %.80s", name,
            counts->lines, line);
    } else if (result == NO_MEMORY || ferror(in)) {
        error->system = true;
        (void)snprintf(error->message, sizeof error->message, "%s:%" PRIu64 ": %s", name, counts->lines,
            result == NO_MEMORY ? "out of memory, or more than 65,536 threads" : "can't be read further");
    }
    free(line);
    counts->foreign = state.tracker.foreign_count;
    counts->missed = state.tracker.missed_count;
    hy_free_n(history->allocator, state.tids, state.thread_capacity);
    hy_tracker_deinit(&state.tracker);
    if (error->message[0]) history->count = 0;
    return !error->message[0];
}
