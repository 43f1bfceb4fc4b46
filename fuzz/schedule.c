/* schedule.c: whose turn it is, what waits for what, and what is each thread's own. */
#include "fuzz/schedule.h"

#include "allocators/core/capture.h"
#include "allocators/core/schedule_points.h"
#include "allocators/core/thread_number.h"
#include "allocators/core/thread_slot_end.h"
#include "allocators/strategies/smp_cache.h"
#include "fuzz/fibre.h"
#include "fuzz/races.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 8
#define TOLD_MAX 300
#define LATE_NUMBER 64u /* allocators have places of their own for fewer threads */
#define TURN_MAX 2000u  /* points after which a fibre that only spins lets the others run */

/* The library's thread-local variables, as a fibre has them while it does not run. */
typedef struct locals {
    uint32_t slot;
    bool slot_is_ending;
    uint32_t number_plus_one;
    hy_smp_cache *smp_cache;
    hy_smp_thread_state smp_state;
    hy_stack_range stack_known;
    const void *values[KEYS];
} locals;

typedef struct member {
    hy_fibre fibre;
    locals own;
    uint32_t number_plus_one; /* the same in each run: numbers are never used again */
    uint32_t late_number_plus_one;
    bool is_suspended;       /* its stack is at the end of a run, ready for the next */
    bool is_over, is_ending; /* as a thread: its destructors run */
    const void *waits_for;   /* a lock or a word; NULL: it can run */
    const char *where;       /* where it stands */
} member;

bool hy_schedule_runs;

static struct {
    const hy_schedule *schedule;
    member members[HY_SCHEDULE_FIBRES];
    hy_fibre main;
    hy_fibre *arrived_from;
    locals main_locals;
    uint8_t order[HY_SCHEDULE_FIBRES];
    unsigned running;
    bool is_together; /* inside what no other thread may see half done */
    void (*once)(void);
    hy_schedule_result result;
    uint32_t points, next_event, next_change, turn_began, switches;
    size_t change;
    uintptr_t variables; /* where the running threads' own ones begin */
    size_t variables_bytes;
    size_t key_count;
    struct {
        pthread_key_t key;
        void (*destructor)(void *);
    } keys[KEYS];
} state;

/* ---- what is each thread's own ---- */

static void save_locals(locals *to) {
    to->slot = hy_thread_slot;
    to->slot_is_ending = hy_thread_slot_is_ending;
    to->number_plus_one = hy_thread_number_plus_one;
    to->smp_cache = hy_smp_own_cache;
    to->smp_state = hy_smp_own_state;
    to->stack_known = hy_stack_known;
}

static void load_locals(const locals *from) {
    hy_thread_slot = from->slot;
    hy_thread_slot_is_ending = from->slot_is_ending;
    hy_thread_number_plus_one = from->number_plus_one;
    hy_smp_own_cache = from->smp_cache;
    hy_smp_own_state = from->smp_state;
    hy_stack_known = from->stack_known;
}

static void begin_thread(member *self) {
    self->own = (locals){.slot_is_ending = state.schedule->are_late,
        .number_plus_one = state.schedule->are_late ? self->late_number_plus_one : self->number_plus_one,
        .smp_cache = &hy_smp_empty_cache,
        .stack_known = self->own.stack_known}; /* it is on the same one */
}

void hy_schedule_key_created(pthread_key_t key, void (*destructor)(void *)) {
    if (state.key_count == KEYS) abort();
    state.keys[state.key_count].key = key;
    state.keys[state.key_count++].destructor = destructor;
}

int hy_schedule_setspecific(pthread_key_t key, const void *value) {
    for (size_t i = 0; i < state.key_count; i++) {
        if (state.keys[i].key != key) continue;
        state.members[state.running].own.values[i] = value;
        return 0;
    }
    return EINVAL;
}

/* In the order of the keys, as glibc does; false: none had a value. */
static bool run_a_round_of_destructors(void) {
    const void **values = state.members[state.running].own.values;
    bool any = false;
    for (size_t i = 0; i < state.key_count; i++) {
        void *value = (void *)(uintptr_t)values[i];
        values[i] = NULL;
        if (!value || !state.keys[i].destructor) continue;
        state.keys[i].destructor(value);
        any = true;
    }
    return any;
}

/* What destructors leave has rounds of its own, as often as POSIX promises. last: see hy_schedule_end_thread.
 */
static void run_destructors(void (*last)(void)) {
    member *self = &state.members[state.running];
    self->is_ending = true;
    for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS; round++) {
        bool any = run_a_round_of_destructors();
        if (last) last();
        if (!any && !last) break;
    }
    self->is_ending = false;
}

void hy_schedule_pause(void) {
    hy_schedule_runs = false;
}

void hy_schedule_resume(void) {
    hy_schedule_runs = true;
}

bool hy_schedule_ends(void) {
    bool ends = false;
    for (unsigned i = 0; i < state.schedule->fibre_count; i++)
        ends = ends || (!state.members[i].is_over && state.members[i].is_ending);
    return ends;
}

/* The variables that each thread has of its own lie side by side in the block that the thread running all
 * fibres has for them, and nothing that threads share lies between. */
static void find_variables(void) {
    const struct {
        const void *place;
        size_t size;
    } variables[] = {
        {&hy_thread_slot, sizeof hy_thread_slot},
        {&hy_thread_slot_is_ending, sizeof hy_thread_slot_is_ending},
        {&hy_thread_number_plus_one, sizeof hy_thread_number_plus_one},
        {&hy_smp_own_cache, sizeof hy_smp_own_cache},
        {&hy_smp_own_state, sizeof hy_smp_own_state},
        {&hy_stack_known, sizeof hy_stack_known},
        {&errno, sizeof errno},
    };
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        uintptr_t start = (uintptr_t)variables[i].place, end = start + variables[i].size;
        if (start < low) low = start;
        if (end > high) high = end;
    }
    state.variables = low;
    state.variables_bytes = high - low;
}

bool hy_schedule_is_own(uintptr_t address) {
    const hy_fibre *fibre = &state.members[state.running].fibre;
    return address - (uintptr_t)fibre->stack < fibre->stack_bytes ||
           address - state.variables < state.variables_bytes;
}

void hy_schedule_end_thread(void (*last)(void)) {
    if (!hy_schedule_runs) return;
    member *self = &state.members[state.running];
    run_destructors(last);
    begin_thread(self);
    load_locals(&self->own);
}

/* ---- whose turn it is ---- */

static bool can_run(unsigned fibre) {
    return !state.members[fibre].is_over && !state.members[fibre].waits_for;
}

/* The first in the order that can run; HY_SCHEDULE_FIBRES: none. */
static unsigned first(void) {
    for (unsigned i = 0; i < state.schedule->fibre_count; i++) {
        if (can_run(state.order[i])) return state.order[i];
    }
    return HY_SCHEDULE_FIBRES;
}

static void put(unsigned fibre, bool front) {
    unsigned count = state.schedule->fibre_count, at = 0;
    while (state.order[at] != fibre)
        at++;
    if (front) {
        memmove(&state.order[1], &state.order[0], at);
        state.order[0] = (uint8_t)fibre;
    } else {
        memmove(&state.order[at], &state.order[at + 1], count - 1 - at);
        state.order[count - 1] = (uint8_t)fibre;
    }
}

static void tell_switch(unsigned to) {
    if (state.switches >= TOLD_MAX) return;
    const member *from = &state.members[state.running];
    const char *why = from->is_over ? "it has ended" : from->waits_for ? "it waits" : "it could go on";
    fprintf(stderr, "// point %u: thread %u stands at %s (%s); thread %u goes on from %s\n", state.points,
        state.running, from->where, why, to, state.members[to].where);
}

/* Where all stand that can't go on. */
static void tell_end(hy_schedule_result result) {
    for (unsigned i = 0; i < state.schedule->fibre_count && result != HY_SCHEDULE_DONE; i++) {
        const member *left = &state.members[i];
        if (left->is_over) continue;
        fprintf(stderr, "// thread %u %s at %s\n", i, left->waits_for ? "waits" : "still runs", left->where);
    }
}

static void leave_to_main(hy_schedule_result result) {
    if (state.schedule->is_told) tell_end(result);
    hy_fibre *from = &state.members[state.running].fibre;
    state.result = result;
    hy_schedule_runs = false;
    load_locals(&state.main_locals);
    hy_fibre_switch(from, &state.main);
}

static void switch_to(unsigned to) {
    member *from = &state.members[state.running];
    if (state.schedule->is_told) tell_switch(to);
    state.switches++;
    save_locals(&from->own);
    state.running = to;
    state.turn_began = state.points;
    load_locals(&state.members[to].own);
    state.arrived_from = &from->fibre;
    hy_fibre_switch(&from->fibre, &state.members[to].fibre);
}

/* Where the running fibre can't go on. */
static void give_way(void) {
    unsigned to = first();
    if (to == HY_SCHEDULE_FIBRES)
        leave_to_main(HY_SCHEDULE_DEADLOCK);
    else if (to != state.running)
        switch_to(to);
}

static void plan_next_event(void) {
    uint32_t turn_ends = state.turn_began + TURN_MAX;
    state.next_event = state.next_change < turn_ends ? state.next_change : turn_ends;
}

static void plan_next_change(void) {
    const hy_schedule *schedule = state.schedule;
    state.next_change = UINT32_MAX;
    if (state.change < schedule->change_count)
        state.next_change = state.points + schedule->changes[state.change].after + 1;
}

HY_COLD static void at_event(void) {
    if (state.points >= HY_SCHEDULE_POINT_MAX) leave_to_main(HY_SCHEDULE_ENDLESS);
    if (state.points >= state.next_change) {
        hy_schedule_change change = state.schedule->changes[state.change++];
        if (change.to == HY_SCHEDULE_BACK)
            put(state.running, false);
        else
            put(change.to % state.schedule->fibre_count, true);
        plan_next_change();
    } else if (state.points - state.turn_began >= TURN_MAX) {
        put(state.running, false);
        state.turn_began = state.points;
    }
    give_way();
    plan_next_event();
}

void hy_schedule_point(const char *where) {
    state.members[state.running].where = where;
    if (HY_LIKELY(++state.points < state.next_event) || state.is_together) return;
    at_event();
}

void hy_schedule_step_begins(const char *where) {
    if (hy_schedule_runs) hy_schedule_point(where);
}

void hy_schedule_yield(const char *where) {
    state.members[state.running].where = where;
    if (++state.points >= HY_SCHEDULE_POINT_MAX) leave_to_main(HY_SCHEDULE_ENDLESS);
    put(state.running, false);
    give_way();
    plan_next_event();
}

/* ---- locks ---- */

static void wait_for(const void *what) {
    state.members[state.running].waits_for = what;
    give_way();
    plan_next_event();
}

/* Those that wait for it can run, and look again; at most so many of them. */
static void wake(const void *what, unsigned most) {
    for (unsigned i = 0; i < state.schedule->fibre_count && most; i++) {
        member *waiting = &state.members[state.order[i]];
        if (waiting->waits_for != what) continue;
        waiting->waits_for = NULL;
        most--;
    }
}

int hy_schedule_mutex_lock(pthread_mutex_t *mutex, const char *where) {
    hy_schedule_point(where);
    int failed;
    while ((failed = pthread_mutex_trylock(mutex)) == EBUSY)
        wait_for(mutex);
    hy_races_acquire(mutex);
    return failed;
}

int hy_schedule_mutex_unlock(pthread_mutex_t *mutex, const char *where) {
    wake(mutex, HY_SCHEDULE_FIBRES);
    hy_races_release(mutex);
    int failed = (pthread_mutex_unlock)(mutex);
    hy_schedule_point(where);
    return failed;
}

static void run_once(void) {
    state.once();
    state.once = NULL;
}

int hy_schedule_once(pthread_once_t *once, void (*function)(void)) {
    state.is_together = true;
    state.once = function;
    int failed = (pthread_once)(once, run_once);
    state.is_together = false;
    if (state.once)
        hy_races_acquire(once);
    else
        hy_races_release(once);
    return failed;
}

void hy_schedule_system(bool takes) {
    static const char system;
    takes ? hy_races_acquire(&system) : hy_races_release(&system);
}

void hy_schedule_wait(uint32_t *word, uint32_t value) {
    if (*word == value) wait_for(word);
}

void hy_schedule_wake(uint32_t *word) {
    wake(word, 1);
}

/* ---- runs ---- */

HY_NORETURN static void live(void) {
    hy_fibre_arrived(&state.members[state.running].fibre, state.arrived_from);
    for (;;) {
        member *self = &state.members[state.running];
        state.schedule->body(state.schedule->argument, state.running);
        self->where = "its end";
        run_destructors(NULL);
        self->is_over = self->is_suspended = true;
        bool all = true;
        for (unsigned i = 0; i < state.schedule->fibre_count; i++)
            all = all && state.members[i].is_over;
        if (all)
            leave_to_main(HY_SCHEDULE_DONE);
        else
            give_way();
        /* The next run. */
    }
}

/* A number that no thread has, and at least so much. */
static uint32_t take_number(uint32_t least) {
    uint32_t taken;
    do {
        hy_thread_number_plus_one = 0;
        taken = hy_thread_number_take();
    } while (taken < least);
    hy_thread_number_plus_one = state.main_locals.number_plus_one;
    return taken;
}

static void number_members(bool are_late) {
    for (unsigned i = 0; i < HY_SCHEDULE_FIBRES && !state.members[i].number_plus_one; i++)
        state.members[i].number_plus_one = take_number(0) + 1;
    for (unsigned i = 0; i < HY_SCHEDULE_FIBRES && are_late && !state.members[i].late_number_plus_one; i++)
        state.members[i].late_number_plus_one = take_number(LATE_NUMBER) + 1;
}

static void begin_member(unsigned number) {
    member *self = &state.members[number];
    if (!self->is_suspended && !hy_fibre_begin(&self->fibre, live)) abort();
    self->is_suspended = self->is_over = self->is_ending = false;
    self->waits_for = NULL;
    self->where = "its beginning";
    begin_thread(self);
    state.order[number] = (uint8_t)((number + state.schedule->rotation) % state.schedule->fibre_count);
}

hy_schedule_result hy_schedule_run(const hy_schedule *schedule) {
    state.schedule = schedule;
    state.points = state.turn_began = state.switches = 0;
    state.change = 0;
    state.is_together = false;
    hy_races_begin(schedule->seeks_races);
    (void)hy_thread_number(); /* the caller's own, before any fibre's */
    find_variables();
    save_locals(&state.main_locals);
    number_members(schedule->are_late);
    for (unsigned i = 0; i < schedule->fibre_count; i++)
        begin_member(i);
    plan_next_change();
    plan_next_event();
    state.running = state.order[0];
    hy_schedule_runs = true;
    load_locals(&state.members[state.running].own);
    state.arrived_from = &state.main;
    if (schedule->is_told) fprintf(stderr, "// thread %u begins\n", state.running);
    hy_fibre_switch(&state.main, &state.members[state.running].fibre);
    return state.result;
}

/* The thread that runs them all goes on as a new one: what it had, the library has taken over. */
void hy_schedule_forked(void) {
    state.main_locals = (locals){.number_plus_one = state.main_locals.number_plus_one,
        .smp_cache = &hy_smp_empty_cache,
        .stack_known = state.main_locals.stack_known};
    for (unsigned i = 0; i < state.schedule->fibre_count; i++) {
        if (i != state.running) state.members[i].is_over = true;
    }
}

unsigned hy_schedule_fibre(void) {
    return hy_schedule_runs ? state.running : 0;
}

uint32_t hy_schedule_switches(void) {
    return state.switches;
}
