/* compose.c: a stack of layers keeps what follows from the promises of each.
 *
 * The row is the top of the stack. The header's options choose up to three layers below it, from all that
 * stand on others; each has its own options by default. A layer that can't stand on what is below is left
 * out: what asks for more than it was asked for can't stand on blocks of one size.
 */
#include "fuzz/properties/compose.h"

#include "allocators/registry.h"
#include "fuzz/interpreter.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"
#include <stdio.h>
#include <string.h>

#define LAYER_MAX 3
#define CANDIDATE_MAX 64

static struct {
    size_t count;
    const hy_row *candidates[CANDIDATE_MAX]; /* in the order of the table */
    const char *stack[LAYER_MAX + 2];        /* of the row that was composed last, from the top */
    char name[160];
    hy_row row;
    const hy_row *top;
    uint16_t options;
} state;

static bool is_layer(const hy_row *row) {
    bool stands_on_others = row->default_child && !row->stack && !row->origin;
    return hy_interpreter_takes(row) && stands_on_others &&
           (row->group == HY_GROUP_STRATEGY || row->group == HY_GROUP_DECORATOR);
}

static void list_candidates(void) {
    size_t count;
    const hy_row *const *rows = hy_registry_rows(&count);
    for (size_t i = 0; i < count && state.count < CANDIDATE_MAX; i++)
        if (is_layer(rows[i])) state.candidates[state.count++] = rows[i];
}

/* Whether a layer asks what is below it for no more than it is asked for itself. */
static bool can_stand_on(const hy_row *layer, const hy_row *below) {
    return !(below->traits & HY_TRAIT_FIXED_BLOCK) || layer->keeps & HY_TRAIT_FIXED_BLOCK;
}

/* Puts a layer on what is there, first the lowest; stack[at] is where the one below begins. */
static void put(const hy_row *layer, size_t *at) {
    hy_row below;
    if (*at < LAYER_MAX + 1) {
        hy_registry_compose(&state.stack[*at], "below", &below);
        if (!can_stand_on(layer, &below)) return;
    }
    state.stack[--*at] = layer->name;
}

static void name_stack(void) {
    size_t used = 0;
    for (size_t i = 0; state.stack[i]; i++) {
        int more =
            snprintf(state.name + used, sizeof state.name - used, "%s%s", i ? "_over_" : "", state.stack[i]);
        used += (size_t)more;
    }
}

const hy_row *hy_compose_row(const hy_row *top, uint16_t options) {
    if (state.top == top && state.options == options) return &state.row;
    if (state.count == 0) list_candidates();
    size_t at = LAYER_MAX + 1;
    unsigned rest = options;
    state.stack[at] = NULL;
    for (size_t i = 0; i < LAYER_MAX; i++, rest /= (unsigned)state.count + 1) {
        size_t chosen = rest % (state.count + 1);
        if (chosen != 0) put(state.candidates[chosen - 1], &at);
    }
    state.top = NULL;
    size_t before = at;
    put(top, &at);
    if (at == before) return NULL;
    memmove(state.stack, &state.stack[at], (LAYER_MAX + 2 - at) * sizeof state.stack[0]);
    name_stack();
    hy_registry_compose(state.stack, state.name, &state.row);
    state.top = top;
    state.options = options;
    return &state.row;
}

static size_t interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    const hy_row *composed = hy_compose_row(row, header->options);
    hy_bytes_header plain = *header;
    plain.options = 0;
    return composed ? hy_interpret(composed, &plain, history) : 0;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run_by(interpret, row, bytes, size);
}

const hy_property hy_compose_property = {
    .name = "compose",
    .summary = "a stack of layers keeps what follows from the promises of each",
    .over_rows = true,
    .applies = is_layer,
    .run = run,
    .history_row = hy_history_own_row,
    .interpret = interpret,
};
