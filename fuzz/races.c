/* races.c: clocks of fibres, of what they synchronise by, and of the words they access.
 *
 *   race   two threads access the same bytes, one writes, and nothing orders the two
 *
 * A clock counts a fibre's releases. Whoever acquires what another fibre released comes to know that one's
 * clock; an access is ordered behind another fibre's if that one's clock of then is known by now.
 *
 *     words   | address / 4 | bytes | last write: fibre, clock | last read of each fibre: clock |
 *
 *     syncs   | address | clocks that it was released with |
 *
 * Both are hash tables; what another run has left in them counts as empty.
 */
#include "fuzz/races.h"

#include "allocators/core/schedule_points.h"
#include "allocators/core/thread_number.h"
#include "fuzz/fibre.h"
#include "fuzz/finding.h"
#include "fuzz/schedule.h"
#include <heapyard/stack_trace.h>
#include <stdio.h>
#include <string.h>

#define PLACE_BYTES 200
#define FIBRES HY_SCHEDULE_FIBRES
#define WORD_BYTES 4u
#define WORDS ((size_t)1 << 11)
#define SYNCS ((size_t)1 << 11)
#define ATOMICS 4u
#define PROBES 8 /* a table is looked through so far; then a word is forgotten */

typedef struct clocks {
    uint32_t of[FIBRES];
} clocks;

/* One access of a word. */
typedef struct trace {
    uint32_t clock; /* 0: none */
    uint8_t bytes;  /* a mask of the word's */
    bool is_atomic;
    const void *where;
} trace;

typedef struct word {
    uintptr_t number; /* address / WORD_BYTES */
    uint32_t run;     /* of another run: empty */
    uint32_t writer;
    trace write;
    trace reads[FIBRES];
} word;

typedef struct sync {
    uintptr_t address;
    uint32_t run;
    clocks released;
} sync;

static struct {
    bool judges;
    uint32_t run;
    clocks fibres[FIBRES];
    /* Atomic loads and stores that are under way: the compiler announces them as if they were plain. */
    struct {
        uintptr_t address;
        hy_access access;
    } atomics[ATOMICS];
    unsigned next_atomic;
    word words[WORDS];
    sync syncs[SYNCS];
} state;

static size_t hash(uintptr_t key) {
    return (size_t)(((uint64_t)key * 0x9E3779B97F4A7C15u) >> 40);
}

void hy_races_begin(bool judges) {
    state.judges = judges;
    state.run++;
    memset(state.atomics, 0, sizeof state.atomics);
    memset(state.fibres, 0, sizeof state.fibres);
    for (unsigned i = 0; i < FIBRES; i++)
        state.fibres[i].of[i] = 1;
}

/* ---- what synchronises ---- */

/* NULL: there is no room, and nothing can be said any more. Of what was never released, all clocks are 0. */
static sync *sync_at(uintptr_t address) {
    for (size_t i = 0, at = hash(address); i < SYNCS; i++, at++) {
        sync *found = &state.syncs[at % SYNCS];
        if (found->run == state.run && found->address == address) return found;
        if (found->run == state.run) continue;
        *found = (sync){.address = address, .run = state.run};
        return found;
    }
    state.judges = false;
    return NULL;
}

static void join(clocks *to, const clocks *from) {
    for (unsigned i = 0; i < FIBRES; i++)
        to->of[i] = to->of[i] > from->of[i] ? to->of[i] : from->of[i];
}

void hy_races_acquire(const volatile void *address) {
    const sync *found = state.judges && hy_schedule_runs ? sync_at((uintptr_t)address) : NULL;
    if (found) join(&state.fibres[hy_schedule_fibre()], &found->released);
}

void hy_races_release(const volatile void *address) {
    sync *found = state.judges && hy_schedule_runs ? sync_at((uintptr_t)address) : NULL;
    if (!found) return;
    clocks *own = &state.fibres[hy_schedule_fibre()];
    join(&found->released, own);
    own->of[hy_schedule_fibre()]++;
}

void hy_races_acquire_all(void) {
    clocks *own = &state.fibres[hy_schedule_fibre()];
    for (unsigned i = 0; i < FIBRES; i++)
        join(own, &state.fibres[i]);
}

hy_race_time hy_races_now(void) {
    unsigned self = hy_schedule_fibre();
    return (hy_race_time){self, state.fibres[self].of[self]};
}

bool hy_races_knows(hy_race_time time) {
    return !state.judges || !hy_schedule_runs ||
           time.clock <= state.fibres[hy_schedule_fibre()].of[time.fibre];
}

/* AddressSanitizer's. */
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
    void (*freed)(const volatile void *)) __attribute__((weak));

static const char heap; /* of the process */

void hy_races_malloc_gives(void) {
    hy_races_acquire(&heap);
}

void hy_races_malloc_takes(void) {
    hy_races_release(&heap);
}

static void allocated(const volatile void *ptr, size_t size) {
    (void)ptr, (void)size;
    hy_races_malloc_gives();
}

static void freed(const volatile void *ptr) {
    (void)ptr;
    hy_races_malloc_takes();
}

bool hy_races_sees_malloc(void) {
    static int installed; /* -1: it can't be */
    if (!installed && __sanitizer_install_malloc_and_free_hooks)
        installed = __sanitizer_install_malloc_and_free_hooks(allocated, freed) > 0 ? 1 : -1;
    return installed > 0;
}

static bool acquires(int order) {
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool releases(int order) {
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* ---- what is accessed ---- */

/* The word, or a fresh one; where there is no room near its place, one of those there is forgotten. */
static word *word_at(uintptr_t number) {
    size_t at = hash(number);
    for (size_t i = 0; i < PROBES; i++) {
        word *found = &state.words[(at + i) % WORDS];
        if (found->run == state.run && found->number == number) return found;
        if (found->run == state.run) continue;
        *found = (word){.number = number, .run = state.run};
        return found;
    }
    word *forgotten = &state.words[at % WORDS];
    *forgotten = (word){.number = number, .run = state.run};
    return forgotten;
}

/* Functions that were inlined there come before those that they are part of. */
static void name_place(void *argument, const hy_frame *frame) {
    char *out = argument;
    size_t used = strlen(out);
    const char *name = frame->file ? strrchr(frame->file, '/') : NULL, *between = used ? " in " : "";
    if (frame->function && frame->file)
        snprintf(out + used, PLACE_BYTES - used, "%s%s (%s:%u)", between, frame->function,
            name ? name + 1 : frame->file, frame->line);
    else
        snprintf(out + used, PLACE_BYTES - used, "%s%s+0x%zx", between, frame->object ? frame->object : "",
            frame->object_offset);
}

static const char *describe(const void *where, char *out) {
    void *place = (char *)(uintptr_t)where;
    out[0] = '\0';
    if (!where) return "a thread with its block";
    hy_stack_resolve(&place, 1, name_place, out);
    return out;
}

HY_COLD static void tell(
    const char *does, const void *where, unsigned other, const char *did, const trace *earlier) {
    unsigned self = hy_schedule_fibre();
    char here[PLACE_BYTES], there[PLACE_BYTES];
    hy_schedule_runs = false; /* what follows is no thread's */
    hy_finding("race", "thread %u %s what thread %u %s, and nothing orders the two: %s, and %s", self, does,
        other, did, describe(where, here), describe(earlier->where, there));
}

/* Whether an earlier access of another fibre touches the same bytes and is not known to lie behind. */
static bool races(const trace *earlier, unsigned by, const trace *now) {
    const clocks *known = &state.fibres[hy_schedule_fibre()];
    return earlier->clock > known->of[by] && earlier->bytes & now->bytes &&
           !(earlier->is_atomic && now->is_atomic);
}

static void access_word(hy_access access, uintptr_t number, trace now) {
    unsigned self = hy_schedule_fibre();
    word *of = word_at(number);
    bool writes = access == HY_WRITES;
    if (of->writer != self && races(&of->write, of->writer, &now))
        tell(writes ? "writes" : "reads", now.where, of->writer, "wrote", &of->write);
    for (unsigned i = 0; i < FIBRES && writes; i++) {
        if (i != self && races(&of->reads[i], i, &now)) tell("writes", now.where, i, "read", &of->reads[i]);
    }
    if (writes) {
        of->write = now;
        of->writer = self;
    } else {
        of->reads[self] = now;
    }
}

static void access_all(hy_access access, uintptr_t address, size_t size, bool is_atomic, const void *where) {
    if (hy_schedule_is_own(address)) return;
    trace now = {.clock = state.fibres[hy_schedule_fibre()].of[hy_schedule_fibre()],
        .is_atomic = is_atomic,
        .where = where};
    for (uintptr_t at = address, end = address + size; at < end;) {
        uintptr_t next = (at / WORD_BYTES + 1) * WORD_BYTES, stop = next < end ? next : end;
        now.bytes = (uint8_t)(((1u << (stop - at)) - 1) << at % WORD_BYTES);
        access_word(access, at / WORD_BYTES, now);
        at = next;
    }
}

void hy_races_access(hy_access access, const void *address, size_t size, const void *where) {
    if (!hy_schedule_runs || !state.judges) return;
    access_all(access, (uintptr_t)address, size, false, where);
}

/* ---- what announces itself ---- */

/* A store begins what its readers may rely on anew; what changes a value goes on with it. */
static void publish(const volatile void *address, hy_schedule_access kind, int order) {
    sync *found = sync_at((uintptr_t)address);
    if (!found) return;
    if (kind == HY_SCHEDULE_STORES) memset(&found->released, 0, sizeof found->released);
    if (releases(order)) hy_races_release(address);
}

void hy_schedule_accesses(const volatile void *address, size_t size, hy_schedule_access kind, int order) {
    if (!state.judges) return;
    bool reads = kind == HY_SCHEDULE_LOADS || kind == HY_SCHEDULE_CHANGES_NOT;
    access_all(reads ? HY_READS : HY_WRITES, (uintptr_t)address, size, true, __builtin_return_address(0));
    if (kind != HY_SCHEDULE_STORES && acquires(order)) hy_races_acquire(address);
    if (!reads) publish(address, kind, order);
    if (kind != HY_SCHEDULE_LOADS && kind != HY_SCHEDULE_STORES) return;
    unsigned at = state.next_atomic++ % ATOMICS;
    state.atomics[at].address = (uintptr_t)address;
    state.atomics[at].access = reads ? HY_READS : HY_WRITES;
}

static bool is_atomic_under_way(hy_access access, uintptr_t address) {
    for (size_t i = 0; i < ATOMICS; i++) {
        if (state.atomics[i].address != address || state.atomics[i].access != access) continue;
        state.atomics[i].address = 0;
        return true;
    }
    return false;
}

static void plain(hy_access access, const void *address, size_t size, const void *where) {
    if (HY_LIKELY(!hy_schedule_runs) || !state.judges || is_atomic_under_way(access, (uintptr_t)address))
        return;
    access_all(access, (uintptr_t)address, size, false, where);
}

/* What clang calls before each load and store; the number is of bytes. */
#define HY_TRACED(size)                                                                                      \
    void __sanitizer_cov_load##size(const void *address);                                                    \
    void __sanitizer_cov_store##size(const void *address);                                                   \
    void __sanitizer_cov_load##size(const void *address) {                                                   \
        plain(HY_READS, address, size, __builtin_return_address(0));                                         \
    }                                                                                                        \
    void __sanitizer_cov_store##size(const void *address) {                                                  \
        plain(HY_WRITES, address, size, __builtin_return_address(0));                                        \
    }

HY_TRACED(1)
HY_TRACED(2)
HY_TRACED(4)
HY_TRACED(8)
HY_TRACED(16)
