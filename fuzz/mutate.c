/* mutate.c: a split of the input, and what is done with the pieces. */
#include "fuzz/mutate.h"

#include "fuzz/interpreter.h"
#include "fuzz/properties/history_run.h"
#include <string.h>

#define PIECES_MAX 1024
#define RUN_MAX 8u     /* operations that are taken together */
#define REPEATS_MAX 16 /* of one run */

/* Where the operations of an input begin: the first behind its header; behind the last stands the input's
 * end. */
typedef struct pieces {
    uint16_t at[PIECES_MAX + 1];
    size_t count;
} pieces;

/* ---- choices ---- */

static unsigned next_choice(unsigned *seed, unsigned below) {
    *seed = *seed * 1664525u + 1013904223u;
    return below ? (unsigned)((uint64_t)*seed * below >> 32) : 0;
}

/* ---- the split ---- */

static void split_records(const hy_property *property, const uint8_t *bytes, size_t size, pieces *out) {
    size_t at = property->record_bytes;
    while (at < size && out->count < PIECES_MAX) {
        out->at[out->count++] = (uint16_t)at;
        at += property->record ? property->record(bytes, size, at) : property->record_bytes;
    }
    out->at[out->count] = (uint16_t)(at < size ? at : size);
}

/* False: the target's inputs have no operations, or this one has none. */
static bool split(const hy_target *target, const uint8_t *bytes, size_t size, pieces *out) {
    const hy_property *property = target->property;
    out->count = 0;
    if (size == 0 || size > UINT16_MAX) return false;
    if (property->history_row)
        out->count = hy_history_split(property->history_row(target->row), bytes, size, out->at, PIECES_MAX);
    else if (property->record || property->record_bytes)
        split_records(property, bytes, size, out);
    return out->count > 0;
}

/* ---- what is done ---- */

typedef struct job {
    uint8_t *bytes;
    size_t size, capacity;
    pieces *pieces;
    unsigned seed;
    const char *letters; /* of the property; NULL: none */
} job;

/* Where some bytes mean more than others, one of those as often as any. */
static uint8_t draw_byte(job *self) {
    if (self->letters && next_choice(&self->seed, 2))
        return (uint8_t)self->letters[next_choice(&self->seed, (unsigned)strlen(self->letters))];
    return (uint8_t)next_choice(&self->seed, 256);
}

/* Bytes [from, to) of the operations from `first` on, `count` at most. */
static void choose_run(job *self, size_t *from, size_t *to) {
    size_t first = next_choice(&self->seed, (unsigned)self->pieces->count);
    size_t count = 1 + next_choice(&self->seed, RUN_MAX), last = first + count;
    *from = self->pieces->at[first];
    *to = self->pieces->at[last < self->pieces->count ? last : self->pieces->count];
}

/* The start of any operation, or the end. */
static size_t choose_border(job *self) {
    return self->pieces->at[next_choice(&self->seed, (unsigned)self->pieces->count + 1)];
}

static bool insert(job *self, size_t at, const uint8_t *bytes, size_t size) {
    if (size > self->capacity - self->size) return false;
    memmove(self->bytes + at + size, self->bytes + at, self->size - at);
    memcpy(self->bytes + at, bytes, size);
    self->size += size;
    return true;
}

static void cut(job *self, size_t from, size_t to) {
    memmove(self->bytes + from, self->bytes + to, self->size - to);
    self->size -= to - from;
}

static void drop_run(job *self) {
    size_t from, to;
    choose_run(self, &from, &to);
    cut(self, from, to);
}

/* A copy of a run somewhere else, or many of them behind it. */
static void copy_run(job *self, size_t times) {
    uint8_t copy[512];
    size_t from, to, at;
    choose_run(self, &from, &to);
    if (to - from > sizeof copy) return;
    memcpy(copy, self->bytes + from, to - from);
    at = times > 1 ? to : choose_border(self);
    while (times-- > 0 && insert(self, at, copy, to - from))
        continue;
}

static void move_run(job *self) {
    uint8_t copy[512];
    size_t from, to, at;
    choose_run(self, &from, &to);
    at = choose_border(self);
    if (to - from > sizeof copy || (at > from && at < to)) return;
    memcpy(copy, self->bytes + from, to - from);
    cut(self, from, to);
    (void)insert(self, at >= to ? at - (to - from) : at, copy, to - from);
}

/* A new operation, of bytes that are drawn. */
static void insert_new(job *self) {
    uint8_t drawn[4];
    for (size_t i = 0; i < sizeof drawn; i++)
        drawn[i] = draw_byte(self);
    (void)insert(self, choose_border(self), drawn, 2 + next_choice(&self->seed, 3));
}

/* A number for a row's own operation: mostly a small one, often one about a power of two, and now and then
 * half of all there are, for which some rows keep what they do seldom. */
static uint64_t draw_number(job *self) {
    unsigned manner = next_choice(&self->seed, 16);
    if (manner == 0) return SIZE_MAX / 2 + 1;
    if (manner < 11) return next_choice(&self->seed, 256);
    return ((uint64_t)1 << next_choice(&self->seed, 63)) + next_choice(&self->seed, 3) - 1;
}

/* One of the row's own operations, any of them as often as any other: of bytes that are drawn the eighth one
 * is far more seldom than the first. Half of them go to the end, which is where a misuse must stand. */
static void insert_own(job *self, const hy_row *row) {
    uint8_t written[16];
    hy_bytes_writer writer = {.bytes = written, .capacity = sizeof written};
    const char *name = row->operations[next_choice(&self->seed, (unsigned)row->operation_count)].name;
    hy_op op = {.kind = HY_OP_SPECIAL, .size = draw_number(self)};
    size_t at = next_choice(&self->seed, 2) ? choose_border(self) : self->pieces->at[self->pieces->count];
    if (hy_bytes_write_named(&writer, name, op, HY_BYTES_ABSOLUTE))
        (void)insert(self, at, written, writer.size);
}

/* One operand becomes another: often one of the highest, which mean edges, or that of another operation. */
static void change_operand(job *self) {
    size_t index = next_choice(&self->seed, (unsigned)self->pieces->count);
    size_t from = self->pieces->at[index], to = self->pieces->at[index + 1];
    if (to - from < 2) return;
    size_t at = from + 1 + next_choice(&self->seed, (unsigned)(to - from - 1));
    unsigned manner = next_choice(&self->seed, 4);
    if (manner == 0 && !self->letters)
        self->bytes[at] = (uint8_t)(160 + next_choice(&self->seed, 96));
    else if (manner == 1)
        self->bytes[at] += (uint8_t)(next_choice(&self->seed, 2) ? 1 : 255);
    else if (manner != 3)
        self->bytes[at] = draw_byte(self);
    else
        self->bytes[at] = self->bytes[next_choice(&self->seed, (unsigned)self->size)];
}

size_t hy_mutate(const hy_target *target, uint8_t *bytes, size_t size, size_t capacity, unsigned seed) {
    static pieces found;
    if (!split(target, bytes, size, &found)) return 0;
    const hy_property *property = target->property;
    job self = {bytes, size, capacity, &found, seed, property->letters};
    const hy_row *row = property->history_row ? property->history_row(target->row) : NULL;
    switch (next_choice(&self.seed, 8)) {
    case 0:
        drop_run(&self);
        break;
    case 1:
        copy_run(&self, 1);
        break;
    case 2:
        copy_run(&self, 2 + next_choice(&self.seed, REPEATS_MAX));
        break;
    case 3:
        move_run(&self);
        break;
    case 4:
        insert_new(&self);
        break;
    case 5:
        if (row && row->operation_count > 0)
            insert_own(&self, row);
        else
            insert_new(&self);
        break;
    default:
        change_operand(&self);
    }
    return self.size;
}
