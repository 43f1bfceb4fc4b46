/* schedule_run.c: what threads do with their slots, and what is looked at after each call and when all meet.
 *
 *   overlap, contents   two live blocks share bytes; a block lost what was written (oracle model)
 *   race                two accesses that nothing orders (races.h)
 *   told                what a row tells of bytes is not what was live
 *   kept                a reset has kept more than its limit, or less than it says
 *   account, structure, leak   as in conform, when no thread runs
 *   promise, liveness   likewise: other blocks are told to live than do; what never is refused was
 *   deadlock, endless   threads wait for each other, or one never comes to an end
 *   fork                the child did not end well
 */
#include "fuzz/properties/schedule_run.h"

#include "allocators/peers/peers.h"
#include "fuzz/finding.h"
#include "fuzz/interpreter.h"
#include "fuzz/layers.h"
#include "fuzz/libc_tap.h"
#include "fuzz/oracles.h"
#include "fuzz/properties/schedule_child.h"
#include "fuzz/races.h"
#include "fuzz/wait_for.h"
#include <heapyard/thread_slot.h>
#include <heapyard/typed.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAST_BYTES 48 /* of the block that a thread has while it ends */
/* Of a block: who has one is a writer of its first bytes, where an allocator keeps a link. */
#define TOUCHED_BYTES 8
/* What a limit that is shared out loses at most, by less than 8 bytes for each thread that there can be. */
#define SLOT_ROUNDING ((size_t)8 * HY_THREAD_SLOTS)
#define CHILD_SECONDS 10 /* of a forked process, against a lock that nobody will give back */

typedef enum slot_state { EMPTY, BUSY, LIVE } slot_state;

typedef struct slot {
    slot_state state; /* BUSY: some thread is in a call with it */
    uint8_t pattern;
    hy_align align;
    char *ptr;
    size_t size;
    size_t surely; /* bytes that are its own in any case: fewer while a call may give some away */
} slot;

static struct {
    const hy_row *row;
    hy_config config;
    hy_instance instance;
    hy_schedule_program program;
    size_t begin, end; /* the steps until the next meeting */
    slot slots[HY_SCHEDULE_SLOTS];
    uint8_t last_pattern;
    unsigned inside;               /* threads in a call */
    size_t live_bytes, peak_bytes; /* of blocks that no call is made with */
    bool has_reset;
    size_t done;
    bool forks, has_forked, is_forked;
    bool looks_at_model;
    char places[HY_SCHEDULE_STEP_MAX][32]; /* names of steps, for what is told */
} run;

bool hy_schedule_takes(const hy_row *row) {
#ifdef HY_SCHEDULES
    return hy_interpreter_takes(row) && row->traits & HY_TRAIT_THREAD_SAFE && !(row->traits & HY_TRAIT_PEER);
#else
    (void)row;
    return false;
#endif
}

/* ---- blocks ---- */

static bool is_all(const char *ptr, size_t size, uint8_t byte) {
    return size == 0 || ((uint8_t)ptr[0] == byte && memcmp(ptr, ptr + 1, size - 1) == 0);
}

/* Whether the row's code is not of this build: that of a plugin, of a library. Its locks and accesses
 * announce nothing: what they order can't be seen, and whoever came in while it held one would wait for ever.
 */
static bool is_from_elsewhere(const hy_row *row) {
    return strchr(row->name, '@') || hy_peer_has_library(row);
}

/* What a thread does with a block is one access to it, as far as races go. */
static void touch(const slot *block, size_t size, hy_access access) {
    hy_races_access(access, block->ptr, size < TOUCHED_BYTES ? size : TOUCHED_BYTES, NULL);
}

static void check_contents(const slot *block, size_t size) {
    if (run.looks_at_model && !is_all(block->ptr, size, block->pattern))
        hy_finding("contents", "block %zu of %zu bytes at %p has lost what was written there",
            (size_t)(block - run.slots), block->size, (void *)block->ptr);
    touch(block, size, HY_READS);
}

static void check_overlap(const slot *block) {
    uintptr_t start = (uintptr_t)block->ptr, end = start + block->size;
    if (start & (hy_align_bytes(block->align) - 1))
        hy_finding("align", "%p is no multiple of %zu", (void *)block->ptr, hy_align_bytes(block->align));
    for (size_t i = 0; i < HY_SCHEDULE_SLOTS; i++) {
        const slot *other = &run.slots[i];
        uintptr_t at = (uintptr_t)other->ptr;
        if (other == block || other->surely == 0 || at >= end || start >= at + other->surely) continue;
        hy_finding("overlap", "block %zu [%p, %p) lies on block %zu [%p, %p)", (size_t)(block - run.slots),
            (void *)start, (void *)end, i, (void *)at, (void *)(at + other->surely));
    }
}

/* Whoever takes a block from a slot knows what was done by whoever put it there. */
static void give_block(slot *block) {
    hy_races_release(block);
    block->state = LIVE;
    run.live_bytes += block->size;
    if (run.live_bytes > run.peak_bytes) run.peak_bytes = run.live_bytes;
}

/* A call returned the block: it is looked at, and filled. */
static void take_block(slot *block, char *ptr, size_t size) {
    block->ptr = ptr;
    block->size = size;
    if (run.looks_at_model) check_overlap(block);
    block->surely = size;
    block->pattern = ++run.last_pattern | 1;
    touch(block, size, HY_WRITES);
    memset(ptr, block->pattern, size);
    give_block(block);
}

/* ---- steps ---- */

/* The first slot from the step's own on that is in this state; NULL: none. */
static slot *find_slot(const hy_schedule_step *step, slot_state state) {
    for (unsigned i = 0; i < HY_SCHEDULE_SLOTS; i++) {
        unsigned at = (step->slot + i) % HY_SCHEDULE_SLOTS;
        if (run.slots[at].state != state) continue;
        if (hy_fuzz_is_told) hy_schedule_print_step(step, at);
        return &run.slots[at];
    }
    return NULL;
}

static void allocate(const hy_schedule_step *step) {
    slot *block = find_slot(step, EMPTY);
    if (!block) return;
    *block = (slot){.state = BUSY, .align = hy_align_from_log2(step->align_log2)};
    bool zeroed = step->argument & 1;
    hy_allocator allocator = run.instance.allocator;
    char *ptr = zeroed ? hy_alloc_array_zeroed(allocator, step->size, 1, block->align)
                       : hy_alloc(allocator, step->size, block->align);
    if (!ptr) {
        block->state = EMPTY;
        return;
    }
    if (zeroed && run.looks_at_model && !is_all(ptr, step->size, 0))
        hy_finding("contents", "block %zu of %u bytes at %p is not zeroed", (size_t)(block - run.slots),
            step->size, (void *)ptr);
    take_block(block, ptr, step->size);
}

static void take_from_slot(slot *block) {
    hy_races_acquire(block);
    check_contents(block, block->size);
    block->state = BUSY;
    run.live_bytes -= block->size;
}

static void end_block(slot *block) {
    if (!block || block->state != LIVE) return;
    take_from_slot(block);
    block->surely = 0;
    hy_free(run.instance.allocator, block->ptr, block->size, block->align);
    block->state = EMPTY;
}

static char *call_change(const hy_schedule_step *step, const slot *block) {
    hy_allocator allocator = run.instance.allocator;
    if (step->kind == HY_SCHEDULE_RESIZE) {
        bool changed = hy_resize(allocator, block->ptr, block->size, step->size, block->align);
        return changed ? block->ptr : NULL;
    }
    return step->argument & 1 ? hy_realloc(allocator, block->ptr, block->size, step->size, block->align)
                              : hy_remap(allocator, block->ptr, block->size, step->size, block->align);
}

static void change(const hy_schedule_step *step) {
    slot *block = find_slot(step, LIVE);
    if (!block) return;
    size_t common = step->size < block->size ? step->size : block->size;
    take_from_slot(block);
    block->surely = step->kind == HY_SCHEDULE_RESIZE ? common : 0;
    char *ptr = call_change(step, block);
    if (ptr) {
        block->ptr = ptr;
        check_contents(block, common);
        take_block(block, ptr, step->size);
        return;
    }
    check_contents(block, block->size);
    block->surely = block->size;
    give_block(block);
}

/* In the child: the other threads are gone. Where one had gone into a call meanwhile, while handlers of
 * pthread_atfork waited, nothing is promised. */
static void go_on_in_child(void) {
    if (run.inside > 0 || hy_schedule_ends()) _exit(0);
    alarm(CHILD_SECONDS);
    run.is_forked = true;
    hy_schedule_forked();
}

static void wait_for_child(pid_t process) {
    int status = hy_wait_for(process);
    if (status == 0) return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        hy_finding("fork", "the child does not come to an end");
    hy_finding("fork", "the child did not end well: status %d", status);
}

/* A call of a row from elsewhere is one step: the child's points bring nobody in. */
static void begin_call(void) {
    if (is_from_elsewhere(run.row)) hy_schedule_pause();
}

static void end_call(void) {
    if (is_from_elsewhere(run.row)) hy_schedule_resume();
}

/* Once in a run, since it is what costs most, and while no other thread is in a call. */
static void fork_once(void) {
    if (!run.forks || run.has_forked || run.inside > 0 || hy_schedule_ends()) return;
    run.has_forked = true;
    hy_races_acquire_all();
    begin_call();
    pid_t process = fork();
    end_call();
    if (process == 0)
        go_on_in_child();
    else if (process > 0)
        wait_for_child(process);
}

/* Who ends last in a thread that ends may find no cache any more. */
static void use_last(void) {
    begin_call();
    void *ptr = hy_alloc(run.instance.allocator, LAST_BYTES, HY_ALIGN_8);
    if (ptr) hy_free(run.instance.allocator, ptr, LAST_BYTES, HY_ALIGN_8);
    end_call();
}

static void end_thread(const hy_schedule_step *step) {
    if (step->argument & 1)
        fork_once();
    else
        hy_schedule_end_thread(step->argument & 2 ? use_last : NULL);
}

static void call(const hy_schedule_step *step) {
    run.inside++;
    begin_call();
    if (step->kind == HY_SCHEDULE_ALLOC) allocate(step);
    if (step->kind == HY_SCHEDULE_FREE) end_block(find_slot(step, LIVE));
    if (step->kind == HY_SCHEDULE_RESIZE || step->kind == HY_SCHEDULE_REMAP) change(step);
    end_call();
    run.inside--;
}

static void run_step(size_t index) {
    static const char *const names[HY_SCHEDULE_KIND_COUNT] = {
        "alloc", "free", "resize", "remap", "switch", "thread end", "meet", "switch"};
    const hy_schedule_step *step = &run.program.steps[index];
    hy_schedule_step_begins(run.places[index]);
    hy_fuzz_place_now.index = index;
    hy_fuzz_place_now.operation = names[step->kind];
    if (step->kind == HY_SCHEDULE_END) {
        if (hy_fuzz_is_told) hy_schedule_print_step(step, 0);
        end_thread(step);
    } else {
        call(step);
    }
    run.done++;
}

static void run_thread(void *argument, unsigned thread) {
    (void)argument;
    for (size_t i = run.begin; i < run.end; i++) {
        const hy_schedule_step *step = &run.program.steps[i];
        if (step->thread == thread && step->kind != HY_SCHEDULE_SWITCH) run_step(i);
    }
}

/* ---- when no thread runs ---- */

static void check_used(void) {
    hy_stats stats;
    if (!hy_oracles_has("accounting") || !hy_instance_stats(&run.instance, &stats)) return;
    size_t live = 0, used = stats.used_bytes;
    for (size_t i = 0; i < HY_SCHEDULE_SLOTS; i++)
        live += run.slots[i].state == LIVE ? run.slots[i].size : 0;
    if (used == SIZE_MAX) return;
    if (used < live) hy_finding("account", "%zu bytes are said to be used, %zu are live", used, live);
    if (stats.capacity_bytes != SIZE_MAX && used > stats.capacity_bytes)
        hy_finding("account", "%zu bytes are used of a capacity of %zu", used, stats.capacity_bytes);
    if (stats.high_water_bytes < used)
        hy_finding("account", "high water %zu is below the %zu used", stats.high_water_bytes, used);
    hy_traits frees = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE;
    if (used && live == 0 && !run.is_forked && (run.row->traits & frees) == frees)
        hy_finding("account", "%zu bytes are said to be used, nothing is live", used);
}

/* What is told of blocks and bytes, against what lives now that all threads had what they asked for. */
static void check_told(void) {
    if (!run.row->tells || !hy_oracles_has("promise")) return;
    hy_told told;
    hy_instance_tell(&run.instance, &told);
    uint64_t blocks = 0, its = told.numbers[HY_TOLD_LIVE_BLOCKS];
    for (size_t i = 0; i < HY_SCHEDULE_SLOTS; i++)
        blocks += run.slots[i].state == LIVE && run.slots[i].size > 0;
    if (its != HY_TOLD_NOT && its != blocks)
        hy_finding(
            "promise", "%ju blocks are told to live, there are %ju", (uintmax_t)its, (uintmax_t)blocks);
    if (run.is_forked || run.has_reset) return;
    uint64_t live = told.numbers[HY_TOLD_LIVE_BYTES], peak = told.numbers[HY_TOLD_PEAK_BYTES];
    if (live != HY_TOLD_NOT && live != run.live_bytes)
        hy_finding("told", "%ju bytes are said to be live, %zu are", (uintmax_t)live, run.live_bytes);
    uint64_t slack = told.peak_slack * run.program.thread_count;
    if (peak != HY_TOLD_NOT && peak + slack < run.peak_bytes)
        hy_finding("told", "the peak is said to be %ju bytes, it was %zu", (uintmax_t)peak, run.peak_bytes);
}

/* An operation of the row's own that changes no block. In the child of a fork it may not keep what it
 * promises: what other threads had at hand is lost there. */
static void operate(const hy_schedule_step *step) {
    if (run.row->operation_count == 0) return;
    size_t index = step->slot % run.row->operation_count;
    const hy_row_operation *operation = &run.row->operations[index];
    if (operation->effect != HY_EFFECT_NONE || !operation->run) return;
    if (hy_fuzz_is_told) fprintf(stderr, "// %s %u\n", operation->name, step->size);
    hy_fuzz_place_now.operation = operation->name;
    bool kept = hy_instance_operate(&run.instance, index, step->size, NULL);
    if (!kept && operation->certain && !run.is_forked && hy_oracles_has("liveness"))
        hy_finding("liveness", "%s was refused, which never is", operation->name);
}

static void meet(void) {
    hy_fuzz_place_now.operation = "meet";
    hy_schedule_child_meet();
    for (size_t i = 0; i < HY_SCHEDULE_SLOTS; i++) {
        if (run.slots[i].state == LIVE) check_contents(&run.slots[i], run.slots[i].size);
    }
    check_used();
    check_told();
    if (hy_oracles_has("structure") && run.row->check && !run.row->check(run.instance.state))
        hy_finding("structure", "the row's own check fails");
}

static void check_reset(hy_reset_mode mode, size_t limit, bool kept, size_t capacity_before) {
    hy_stats stats;
    if (!hy_oracles_has("footprint") || !hy_instance_stats(&run.instance, &stats)) return;
    if (stats.capacity_bytes == SIZE_MAX || run.row->traits & HY_TRAIT_FIXED_CAPACITY) return;
    if (mode == HY_RESET_RETAIN_WITH_LIMIT && stats.capacity_bytes > limit)
        hy_finding("kept", "a reset that keeps %zu bytes has kept %zu", limit, stats.capacity_bytes);
    size_t least = limit < capacity_before ? limit : capacity_before, rounding = SLOT_ROUNDING;
    if (mode == HY_RESET_RETAIN_WITH_LIMIT && kept && stats.capacity_bytes + rounding < least)
        hy_finding("kept", "a reset says that it has kept up to %zu bytes, it has %zu of %zu", limit,
            stats.capacity_bytes, capacity_before);
    if (mode == HY_RESET_RETAIN_CAPACITY && kept && stats.capacity_bytes < capacity_before)
        hy_finding("kept", "a reset says that it has kept %zu bytes, it has %zu", capacity_before,
            stats.capacity_bytes);
}

static void reset(const hy_schedule_step *step) {
    if (!(run.row->traits & HY_TRAIT_BULK_RESET)) return;
    static const hy_reset_mode modes[4] = {
        HY_RESET_RETAIN_CAPACITY, HY_RESET_RETAIN_WITH_LIMIT, HY_RESET_FREE_ALL, HY_RESET_RETAIN_WITH_LIMIT};
    hy_reset_mode mode = modes[step->argument >> 1];
    size_t limit = (size_t)step->size * 16;
    static const char *const kept_words[] = {"nothing", "all", "all up to a limit"};
    if (hy_fuzz_is_told) fprintf(stderr, "// a reset that keeps %s\n", kept_words[mode]);
    memset(run.slots, 0, sizeof run.slots);
    run.live_bytes = 0;
    run.has_reset = true;
    hy_stats before = {.capacity_bytes = 0};
    (void)hy_instance_stats(&run.instance, &before);
    bool kept = hy_instance_reset(&run.instance, mode, mode == HY_RESET_RETAIN_WITH_LIMIT ? limit : 0);
    check_reset(mode, limit, kept, before.capacity_bytes);
    meet();
}

static bool seeks_races(const hy_row *row) {
    if (!hy_oracles_has("race") || is_from_elsewhere(row)) return false;
    return hy_races_sees_malloc() || row->default_child;
}

static void run_until_meeting(hy_schedule_change *changes) {
    hy_schedule schedule = {.fibre_count = run.program.thread_count,
        .body = run_thread,
        .rotation = run.program.rotation,
        .changes = changes,
        .is_told = hy_fuzz_is_told,
        .are_late = run.program.are_late,
        .seeks_races = seeks_races(run.row)};
    for (size_t i = run.begin; i < run.end; i++) {
        const hy_schedule_step *step = &run.program.steps[i];
        if (step->kind != HY_SCHEDULE_SWITCH) continue;
        uint8_t to = step->argument & 4 ? HY_SCHEDULE_BACK : step->thread;
        changes[schedule.change_count++] = (hy_schedule_change){step->size, to};
    }
    hy_schedule_result result = hy_schedule_run(&schedule);
    if (result == HY_SCHEDULE_DEADLOCK) hy_finding("deadlock", "threads wait for each other");
    if (result == HY_SCHEDULE_ENDLESS) hy_finding("endless", "threads do not come to an end");
    meet();
}

static void begin(const hy_row *row, bool forks) {
    run.row = row;
    run.config = hy_interpreter_config(row, &run.program.header);
    hy_allocator child = hy_schedule_child_begin(row, &run.program.header.faults);
    if (run.config.child.vtable) run.config.child = child;
    run.begin = run.end = 0;
    memset(run.slots, 0, sizeof run.slots);
    run.last_pattern = 0;
    run.inside = 0;
    run.live_bytes = run.peak_bytes = 0;
    run.has_reset = false;
    run.done = 0;
    run.forks = forks;
    run.has_forked = run.is_forked = false;
    run.looks_at_model = hy_oracles_has("model");
    hy_fuzz_place_now = (hy_fuzz_place){row->name, "make", 0};
    hy_layers_restart(row);
}

static void name_steps(void) {
    static bool is_named;
    for (size_t i = 0; i < HY_SCHEDULE_STEP_MAX && !is_named; i++)
        snprintf(run.places[i], sizeof run.places[i], "the beginning of step %zu", i);
    is_named = true;
}

/* What is live is given back. A forked child has no more to say than that it came so far. */
static void finish(void) {
    hy_fuzz_place_now.operation = "end";
    for (size_t i = 0; i < HY_SCHEDULE_SLOTS; i++)
        end_block(&run.slots[i]);
    meet();
    if (run.is_forked) _exit(0);
    hy_instance_destroy(&run.instance);
    size_t left = hy_schedule_child_counts()->live_blocks;
    if (left && hy_oracles_has("drain"))
        hy_finding("leak", "%zu blocks were not given back to the child", left);
}

static size_t run_input(const hy_row *row, const uint8_t *bytes, size_t size, bool forks) {
    hy_schedule_change changes[HY_SCHEDULE_STEP_MAX];
    hy_schedule_decode(bytes, size, &run.program);
    begin(row, forks);
    name_steps();
    if (!hy_instance_make(&run.instance, row, &run.config)) return 0;
    if (run.config.child.vtable) hy_schedule_child_watch(&run.instance);
    size_t count = run.program.step_count;
    while (run.begin < count) {
        while (run.end < count && run.program.steps[run.end].kind != HY_SCHEDULE_MEET)
            run.end++;
        run_until_meeting(changes);
        const hy_schedule_step *step = &run.program.steps[run.end];
        if (run.end < count && step->argument & 2) operate(step);
        if (run.end < count && step->argument & 1) reset(step);
        run.begin = ++run.end;
    }
    finish();
    return run.done;
}

/* What a run leaves behind ends with it and not with the next one: to an engine it is this input's. */
size_t hy_schedule_run_input(const hy_row *row, const uint8_t *bytes, size_t size, bool forks) {
    hy_libc_tap_begin();
    size_t done = run_input(row, bytes, size, forks);
    hy_layers_restart(row);
    hy_libc_tap_end();
    return done;
}
