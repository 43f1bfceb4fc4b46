/* differ.c: two rows that are promised to be alike answer one history alike.
 *
 * Which: a row and the one that it is a form of; and a decorator over a strategy, and that strategy alone,
 * where the decorator hands all calls on. The upper byte of the input's options chooses the strategy, the
 * lower one is the strategy's options. In what the two are alike is the rows' own to say.
 */
#include "fuzz/interpreter.h"
#include "fuzz/outcomes.h"
#include "fuzz/properties.h"
#include "fuzz/properties/history_run.h"
#include <stdlib.h>
#include <string.h>

#define STRATEGIES_MAX 32
#define TWINS_MAX 2 /* instances at a time */

/* A decorator over a strategy, as a row: the strategy's, but that calls go through the decorator. */
static struct {
    const hy_row *decorator, *strategy;
    size_t count;
    struct {
        void *below, *above; /* the strategy's state, which is the row's, and the decorator's */
    } made[TWINS_MAX];
} decorated;

static void *make_decorated(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_allocator allocator;
    if (decorated.count == TWINS_MAX) abort();
    void *below = decorated.strategy->make(decorated.strategy, config, &allocator);
    if (!below) return NULL;
    const hy_config above = {.child = allocator};
    void *state = decorated.decorator->make(decorated.decorator, &above, out);
    if (!state) abort(); /* its struct comes from libc */
    decorated.made[decorated.count].below = below;
    decorated.made[decorated.count++].above = state;
    return below;
}

/* The last that was made is the first to end. */
static void destroy_decorated(const hy_row *row, void *instance) {
    (void)row, (void)instance;
    void *above = decorated.made[--decorated.count].above;
    decorated.decorator->destroy(decorated.decorator, above);
    decorated.strategy->destroy(decorated.strategy, decorated.made[decorated.count].below);
}

/* Strategies whose memory is the child's: in both runs they find it as it was. */
static size_t list_strategies(const hy_row *strategies[STRATEGIES_MAX]) {
    size_t row_count, count = 0;
    const hy_row *const *rows = hy_registry_rows(&row_count);
    for (size_t i = 0; i < row_count && count < STRATEGIES_MAX; i++) {
        bool on_child = rows[i]->default_child || rows[i]->traits & HY_TRAIT_FIXED_CAPACITY;
        if (rows[i]->group == HY_GROUP_STRATEGY && on_child && hy_interpreter_takes(rows[i]))
            strategies[count++] = rows[i];
    }
    return count;
}

/* The history decodes for the decorator, so what the strategy's header offers is not in it. */
static size_t run_over_strategy(const hy_row *row, hy_bytes_header header, const hy_history *history) {
    static const hy_row *strategies[STRATEGIES_MAX];
    static size_t count;
    if (!count) count = list_strategies(strategies);
    const hy_row *strategy = strategies[(header.options >> 8) % count];
    header.options &= 0xFF;
    hy_row plain = *strategy;
    plain.operation_count = 0;
    hy_outcomes_now = (hy_outcomes){HY_OUTCOMES_KEEP, row->alike | HY_LIKE_STATS, strategy->name};
    size_t operations = hy_interpret(&plain, &header, history);
    hy_row over = plain;
    over.make = make_decorated;
    over.destroy = destroy_decorated;
    decorated.decorator = row;
    decorated.strategy = strategy;
    hy_outcomes_now.use = HY_OUTCOMES_COMPARE;
    return operations + hy_interpret(&over, &header, history);
}

static bool have_same_operations(const hy_row *left, const hy_row *right) {
    bool same = left->operation_count == right->operation_count;
    for (size_t i = 0; same && i < left->operation_count; i++)
        same = strcmp(left->operations[i].name, right->operations[i].name) == 0;
    return same;
}

static size_t run_forms(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    hy_row plain = *hy_registry_near(row, row->form_of), form = *row;
    if (!have_same_operations(&plain, &form)) plain.operation_count = form.operation_count = 0;
    hy_outcomes_now = (hy_outcomes){HY_OUTCOMES_KEEP, row->alike, plain.name};
    size_t operations = hy_interpret(&plain, header, history);
    hy_outcomes_now.use = HY_OUTCOMES_COMPARE;
    return operations + hy_interpret(&form, header, history);
}

static size_t interpret(const hy_row *row, const hy_bytes_header *header, const hy_history *history) {
    size_t operations = 0;
    if (row->form_of) operations += run_forms(row, header, history);
    if (row->alike & HY_LIKE_CHILD) operations += run_over_strategy(row, *header, history);
    hy_outcomes_now.use = HY_OUTCOMES_NONE;
    return operations;
}

/* A composition's top says what it says, but of other layers. */
static bool applies(const hy_row *row) {
    if (!hy_interpreter_takes(row) || row->stack) return false;
    const hy_row *plain = row->form_of ? hy_registry_near(row, row->form_of) : NULL;
    return (plain && hy_interpreter_takes(plain)) || (!row->form_of && row->alike & HY_LIKE_CHILD);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    return hy_history_run_by(interpret, row, bytes, size);
}

const hy_property hy_differ_property = {
    .name = "differ",
    .summary = "rows that are promised to be alike answer one history alike",
    .over_rows = true,
    .applies = applies,
    .run = run,
    .history_row = hy_history_own_row,
    .interpret = interpret,
};
