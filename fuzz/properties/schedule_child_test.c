/* schedule_child_test.c: a planted decorator for threads with one bug at a time: each is found by its oracle,
 * not with that one off, and nothing is found without a bug.
 *
 * The subject has a budget, tells of its calls, keeps what lives in a list for its reset, and calls its child
 * under a lock, or, where its child is for threads, without.
 */
#include "allocators/core/schedule_points.h"

#include "fuzz/properties/schedule_run.h"

#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BUDGET 100u
#define BLOCKS 32u

typedef enum bug {
    SOUND,
    CHILD_UNLOCKED,
    CREDIT_EARLY,   /* what a block took is given back before the child has the block */
    CREDIT_RELAXED, /* and to a thread that may not see that it has */
    TOLD_LATE,
    PEAK_FORGOTTEN,
    KEEPS_MORE, /* than the limit of a reset */
    KEEPS_LESS  /* than it says */
} bug;

static struct {
    bug bug;
    bool is_serial;
    hy_allocator child;
    pthread_mutex_t lock;
    size_t used, peak, capacity;
    uint64_t call_count;
    hy_call calls[HY_TOLD_LAST];
    struct {
        void *ptr;
        size_t size;
        hy_align align;
    } live[BLOCKS];
} subject = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool charge(size_t size) {
    size_t used = __atomic_load_n(&subject.used, __ATOMIC_RELAXED);
    do {
        if (size > BUDGET || used > BUDGET - size) return false;
    } while (!__atomic_compare_exchange_n(
        &subject.used, &used, used + size, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    if (used + size > subject.peak) subject.peak = used + size;
    return true;
}

static void credit(size_t size) {
    if (subject.bug == CREDIT_RELAXED)
        __atomic_fetch_sub(&subject.used, size, __ATOMIC_RELAXED);
    else
        __atomic_fetch_sub(&subject.used, size, __ATOMIC_RELEASE);
}

static void enter(void) {
    if (subject.is_serial && subject.bug != CHILD_UNLOCKED) pthread_mutex_lock(&subject.lock);
}

static void leave(void) {
    if (subject.is_serial && subject.bug != CHILD_UNLOCKED) pthread_mutex_unlock(&subject.lock);
}

static void *find(const void *ptr) {
    for (size_t i = 0; i < BLOCKS; i++) {
        if (subject.live[i].ptr == ptr) return &subject.live[i];
    }
    return NULL;
}

static void keep(void *old, void *ptr, size_t size, hy_align align) {
    for (size_t i = 0; i < BLOCKS; i++) {
        if (subject.live[i].ptr != old) continue;
        subject.live[i].ptr = ptr;
        subject.live[i].size = size;
        subject.live[i].align = align;
        return;
    }
}

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (!find(NULL) || !charge(size)) return NULL;
    enter();
    void *ptr = subject.child.vtable->alloc(subject.child.self, size, align);
    leave();
    if (!ptr) {
        credit(size);
        return NULL;
    }
    keep(NULL, ptr, size, align);
    subject.capacity += size;
    return ptr;
}

static void tell_free(void *ptr) {
    subject.calls[subject.call_count++ % HY_TOLD_LAST] = (hy_call){.kind = HY_CALL_FREE, .ptr = ptr};
}

static void end(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    keep(ptr, NULL, 0, align);
    if (subject.bug != TOLD_LATE) tell_free(ptr);
    if (subject.bug == CREDIT_EARLY) credit(size);
    enter();
    subject.child.vtable->free(subject.child.self, ptr, size, align);
    leave();
    if (subject.bug != CREDIT_EARLY) credit(size);
    if (subject.bug == TOLD_LATE) tell_free(ptr);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, end};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    subject.is_serial = !(row->keeps & HY_TRAIT_THREAD_SAFE);
    subject.child = config->child;
    subject.used = subject.peak = subject.capacity = 0;
    subject.call_count = 0;
    memset(subject.live, 0, sizeof subject.live);
    *out = (hy_allocator){&subject, &vtable};
    return &subject;
}

static void destroy(const hy_row *row, void *state) {
    (void)row, (void)state;
}

static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    for (size_t i = 0; i < BLOCKS; i++) {
        if (subject.live[i].ptr) end(state, subject.live[i].ptr, subject.live[i].size, subject.live[i].align);
    }
    bool keeps = mode != HY_RESET_FREE_ALL && subject.bug != KEEPS_LESS;
    size_t most = mode == HY_RESET_RETAIN_WITH_LIMIT && subject.bug != KEEPS_MORE ? limit : SIZE_MAX;
    subject.capacity = !keeps ? 0 : subject.capacity < most ? subject.capacity : most;
    return true;
}

static bool stats(void *state, hy_stats *out) {
    (void)state;
    *out = (hy_stats){subject.capacity, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    return true;
}

static void tells(void *state, hy_told *out) {
    (void)state;
    out->numbers[HY_TOLD_BUDGET_BYTES] = BUDGET - subject.used;
    out->numbers[HY_TOLD_PEAK_BYTES] = subject.bug == PEAK_FORGOTTEN ? 0 : subject.peak;
    out->numbers[HY_TOLD_CALLS] = subject.call_count;
    out->calls = subject.calls;
    out->passes_on = true;
}

#define TRAITS (HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_BULK_RESET)

static const hy_row serial_row = {
    .name = "serial",
    .group = HY_GROUP_DECORATOR,
    .summary = "planted, for threads over any child",
    .traits = TRAITS,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .stats = stats,
    .tells = tells,
};

static const hy_row shared_row = {
    .name = "shared",
    .group = HY_GROUP_DECORATOR,
    .summary = "planted, for threads over a child for threads",
    .traits = TRAITS,
    .keeps = HY_TRAIT_THREAD_SAFE,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .reset = reset,
    .stats = stats,
    .tells = tells,
};

/* One thread has 60 bytes and gives them back, then the other one has 60; then all meet, and a reset keeps
 * all, or at most 16 bytes (schedule_program.h). */
static const uint8_t input[] = {0, 0, 0, 0, 0x00, 0x30, 59, 0, 0x01, 0, 0, 0, 0x08, 0x31, 59, 0, 0x26, 0, 0,
    0, 0x08, 0x31, 59, 0, 0x66, 0, 0, 0};
#define BEFORE_RESETS ((size_t)16)
/* Two threads have 40 bytes each, and nothing that the first one did is known to the second. */
static const uint8_t two[] = {0, 0, 0, 0, 0x00, 0x30, 39, 0, 0x08, 0x31, 39, 0};

typedef struct attempt {
    const hy_row *row;
    const char *oracles;
    const uint8_t *input;
    size_t size;
} attempt;

static void run_attempt(const void *argument) {
    const attempt *self = argument;
    char error[200];
    if (!hy_oracles_choose(self->oracles, error, sizeof error)) abort();
    hy_schedule_run_input(self->row, self->input, self->size, false);
}

/* wanted: the key of the finding; "" none. */
static void tried(
    bug what, const hy_row *row, const char *oracles, const uint8_t *bytes, size_t size, const char *wanted) {
    hy_verdict verdict;
    attempt self = {row, oracles, bytes, size};
    subject.bug = what;
    hy_verdict_of(run_attempt, &self, 20, &verdict);
    assert_string_equal(verdict.key, wanted);
}

static void without_a_bug_nothing_is_found(void **state) {
    (void)state;
    tried(SOUND, &serial_row, "", input, sizeof input, "");
    tried(SOUND, &shared_row, "", input, sizeof input, "");
}

static void a_child_that_two_threads_call_at_once_is_a_race(void **state) {
    (void)state;
    tried(CHILD_UNLOCKED, &serial_row, "", two, sizeof two, "finding: race");
    tried(CHILD_UNLOCKED, &serial_row, "-race", two, sizeof two, "");
    tried(CHILD_UNLOCKED, &shared_row, "", two, sizeof two, "");
}

static void what_is_over_its_budget_for_a_moment_is_found(void **state) {
    (void)state;
    tried(CREDIT_EARLY, &shared_row, "", input, BEFORE_RESETS, "finding: budget");
    tried(CREDIT_RELAXED, &shared_row, "", input, BEFORE_RESETS, "finding: budget");
    tried(CREDIT_RELAXED, &shared_row, "-promise", input, BEFORE_RESETS, "");
}

static void a_free_that_is_told_late_is_found(void **state) {
    (void)state;
    tried(TOLD_LATE, &shared_row, "", input, BEFORE_RESETS, "finding: late");
    tried(TOLD_LATE, &shared_row, "-promise", input, BEFORE_RESETS, "");
}

static void a_peak_below_what_was_live_is_found(void **state) {
    (void)state;
    tried(PEAK_FORGOTTEN, &shared_row, "", input, BEFORE_RESETS, "finding: told");
    tried(PEAK_FORGOTTEN, &shared_row, "-promise", input, BEFORE_RESETS, "");
}

static void a_reset_that_keeps_something_else_is_found(void **state) {
    (void)state;
    tried(KEEPS_MORE, &shared_row, "", input, sizeof input, "finding: kept");
    tried(KEEPS_LESS, &shared_row, "", input, sizeof input, "finding: kept");
    tried(KEEPS_LESS, &shared_row, "-footprint", input, sizeof input, "");
    tried(KEEPS_MORE, &shared_row, "-footprint", input, sizeof input, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bug_nothing_is_found),
        cmocka_unit_test(a_child_that_two_threads_call_at_once_is_a_race),
        cmocka_unit_test(what_is_over_its_budget_for_a_moment_is_found),
        cmocka_unit_test(a_free_that_is_told_late_is_found),
        cmocka_unit_test(a_peak_below_what_was_live_is_found),
        cmocka_unit_test(a_reset_that_keeps_something_else_is_found),
    };
    /* ThreadSanitizer follows no fibres of others. */
    return HY_TSAN ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
