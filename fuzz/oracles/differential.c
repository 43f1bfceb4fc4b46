/* differential.c: a row answers a history as another one did, as far as the two are promised to be alike.
 *
 *   differs   one serves what the other refused, at another place, or says that another amount is used
 *
 * Where no equal places are promised, the two ask their child differently, and what it refuses is no
 * difference, nor what is refused because of what lies behind a block; nor are sizes that follow from how
 * much a row says is left. From there on the two go ways of their own, and nothing more is compared.
 */
#include "fuzz/finding.h"
#include "fuzz/oracles.h"
#include "fuzz/outcomes.h"

#define OUTCOME_MAX (HY_BYTES_OPERATION_MAX + 128) /* operations of an input, and the end */

hy_outcomes hy_outcomes_now;

typedef enum answer { ANSWER_NONE, ANSWER_REFUSED, ANSWER_SERVED } answer;

typedef struct outcome {
    answer answer;
    bool child_refused;
    bool in_place; /* a resize or remap, which may be refused for reasons of place */
    bool stepped;  /* the figures are those after it */
    uint64_t size; /* that was asked for */
    uintptr_t place;
    size_t used_bytes, capacity_bytes;
} outcome;

static struct {
    outcome made;
    outcome kept[OUTCOME_MAX];
    size_t kept_count; /* those behind are empty */
    bool has_parted;   /* the two go ways of their own */
} state;

static void begin(const hy_run *run, const hy_run_call *call) {
    (void)run, (void)call;
    state.has_parted = false;
    if (hy_outcomes_now.use != HY_OUTCOMES_KEEP) return;
    memset(state.kept, 0, state.kept_count * sizeof state.kept[0]);
    state.kept_count = 0;
}

/* Some are alike only as long as every block lives on. */
static void part_at_end(void) {
    if (hy_outcomes_now.alike & HY_LIKE_UNTIL_END) state.has_parted = true;
}

/* That of the operation that is being run; NULL: of none. */
static outcome *of_operation(void) {
    size_t index = hy_fuzz_place_now.index;
    if (hy_outcomes_now.use == HY_OUTCOMES_NONE || index >= OUTCOME_MAX || state.has_parted) return NULL;
    if (hy_outcomes_now.use == HY_OUTCOMES_KEEP && index >= state.kept_count) state.kept_count = index + 1;
    return &state.kept[index];
}

static void compare(const outcome *kept, const outcome *its, const char *what) {
    uint32_t alike = hy_outcomes_now.alike;
    const char *other = hy_outcomes_now.other;
    bool excused = !(alike & HY_LIKE_PLACES) && (kept->child_refused || its->child_refused || its->in_place);
    if ((kept->answer != its->answer && excused) || kept->size != its->size) {
        state.has_parted = true;
        return;
    }
    if (kept->answer != its->answer && alike & HY_LIKE_SERVED)
        hy_finding("differs", "%s was %s, %s %s it", what,
            its->answer == ANSWER_SERVED ? "served" : "refused", other,
            kept->answer == ANSWER_SERVED ? "served" : "refused");
    if (kept->place != its->place && kept->answer == its->answer && alike & HY_LIKE_PLACES)
        hy_finding("differs", "%s lies at 0x%jx, with %s at 0x%jx", what, (uintmax_t)its->place, other,
            (uintmax_t)kept->place);
}

static void answered(
    const hy_run *run, const hy_run_call *call, bool served, uintptr_t place, const char *what) {
    outcome *kept = of_operation();
    if (!kept) return;
    outcome its = {.answer = served ? ANSWER_SERVED : ANSWER_REFUSED,
        .child_refused = hy_run_child_refused(run),
        .in_place = call->kind == HY_OP_RESIZE || call->kind == HY_OP_REMAP,
        .size = call->size,
        .place = place};
    if (hy_outcomes_now.use == HY_OUTCOMES_KEEP)
        *kept = its;
    else if (kept->answer != ANSWER_NONE)
        compare(kept, &its, what);
}

static void made(const hy_run *run, const hy_run_call *call) {
    (void)call;
    outcome its = {.answer = run->is_made ? ANSWER_SERVED : ANSWER_REFUSED,
        .child_refused = run->child->counts.refusals != 0};
    if (hy_outcomes_now.use == HY_OUTCOMES_KEEP) state.made = its;
    if (hy_outcomes_now.use == HY_OUTCOMES_COMPARE) compare(&state.made, &its, "the instance");
}

static void served(const hy_run *run, const hy_run_call *call) {
    bool moved = call->before.live && (uintptr_t)call->ptr != call->before.address;
    answered(run, call, true, (uintptr_t)call->ptr, "the block");
    if (moved || call->size < call->before.size) part_at_end();
}

static void refused(const hy_run *run, const hy_run_call *call) {
    answered(run, call, false, 0, "the block");
}

static void ended(const hy_run *run, const hy_run_call *call) {
    (void)run;
    if (call->before.size != 0) part_at_end();
}

static void kept_or_not(const hy_run *run, const hy_run_call *call) {
    bool resets = call->kind == HY_OP_RESET;
    answered(run, call, call->kept, 0, resets ? "the reset" : "the operation");
    if (resets) part_at_end();
}

static void step(const hy_run *run, const hy_run_call *call) {
    (void)call;
    outcome *kept = of_operation();
    if (!kept) return;
    size_t used = run->now.used_bytes, capacity = run->now.capacity_bytes;
    if (hy_outcomes_now.use == HY_OUTCOMES_KEEP) {
        kept->stepped = true;
        kept->used_bytes = used;
        kept->capacity_bytes = capacity;
    } else if (kept->stepped && hy_outcomes_now.alike & HY_LIKE_STATS &&
               (kept->used_bytes != used || kept->capacity_bytes != capacity)) {
        hy_finding("differs", "%zu bytes are used of %zu, with %s %zu of %zu", used, capacity,
            hy_outcomes_now.other, kept->used_bytes, kept->capacity_bytes);
    }
}

const hy_oracle hy_differential_oracle = {
    .name = "differential",
    .summary = "a row answers as another one does that it is promised to be like",
    .on = {[HY_ON_BEGIN] = begin,
        [HY_ON_MADE] = made,
        [HY_ON_SERVED] = served,
        [HY_ON_REFUSED] = refused,
        [HY_ON_ENDED] = ended,
        [HY_ON_RESET] = kept_or_not,
        [HY_ON_SPECIAL] = kept_or_not,
        [HY_ON_STEP] = step},
};
