/* schedule_run_test.c: planted races: each is found within a second, not with the oracle off, and not where
 * the bug is mended; what is found is minimised, told in words and found again.
 *
 * The subject hands out blocks of one size from a list of free ones, as libraries do in some way or other:
 *
 *   next[i]  the free block behind block i        head  the first free block (and a count against ABA)
 */
#include "allocators/core/schedule_points.h"

#include "fuzz/properties/schedule_run.h"

#include "allocators/core/random.h"
#include "fuzz/minimise_records.h"
#include "fuzz/oracles.h"
#include "fuzz/races.h"
#include <heapyard/plugin.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCKS 16u
#define BLOCK_BYTES 256u
#define NONE BLOCKS

typedef enum bug {
    LOCKED_LIST, /* none: a list with a lock */
    TAGGED_LIST, /* none: a list without a lock, and a count in its head */
    LOST_LOCK,
    LATE_LINK, /* a block is published before its link is written */
    ABA,
    LOCK_ORDER,
    LOST_WAKE,    /* sleeps on a word that has changed meanwhile */
    RACY_COUNT,   /* load, add, store */
    RACY_TOLD,    /* likewise, of the blocks that it tells */
    REFUSES_REST, /* an operation of its own */
    PLAIN_COUNT,  /* counted outside the lock */
    RELAXED_PUSH, /* what was written to a block is not ordered before whoever gets it next */
    KEEPS_LESS,   /* than its reset says */
    CHILD_FORGETS /* in a child of fork all blocks are free */
} bug;

static struct {
    bug bug;
    pthread_mutex_t lock, second;
    uint64_t head; /* low half: block; upper half: count, where it is one */
    uint32_t next[BLOCKS];
    size_t used, live;
    pid_t process;
    uint32_t word; /* LOST_WAKE: 0 free, 1 held */
} list = {.lock = PTHREAD_MUTEX_INITIALIZER, .second = PTHREAD_MUTEX_INITIALIZER};

static _Alignas(4096) char blocks[BLOCKS][BLOCK_BYTES];

/* What clang announces of plain accesses; other compilers do not. */
static void announce(hy_access access, const void *address, size_t size) {
    hy_races_access(access, address, size, NULL);
}

static uint64_t tag_of(uint64_t head) {
    return list.bug == TAGGED_LIST || list.bug == RELAXED_PUSH ? (head >> 32) + 1 : 0;
}

static bool swap_head(uint64_t *expected, uint32_t block) {
    uint64_t wanted = tag_of(*expected) << 32 | block;
    return __atomic_compare_exchange_n(
        &list.head, expected, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static bool swap_head_relaxed(uint64_t *expected, uint32_t block) {
    uint64_t wanted = tag_of(*expected) << 32 | block;
    return __atomic_compare_exchange_n(
        &list.head, expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static uint32_t pop(void) {
    uint64_t head = __atomic_load_n(&list.head, __ATOMIC_ACQUIRE);
    for (;;) {
        uint32_t block = (uint32_t)head;
        if (block == NONE) return NONE;
        uint32_t next = __atomic_load_n(&list.next[block], __ATOMIC_RELAXED);
        if (swap_head(&head, next)) return block;
    }
}

static void push(uint32_t block) {
    uint64_t head = __atomic_load_n(&list.head, __ATOMIC_ACQUIRE);
    do {
        if (list.bug != LATE_LINK) __atomic_store_n(&list.next[block], (uint32_t)head, __ATOMIC_RELAXED);
    } while (list.bug == RELAXED_PUSH ? !swap_head_relaxed(&head, block) : !swap_head(&head, block));
    if (list.bug == LATE_LINK) __atomic_store_n(&list.next[block], (uint32_t)head, __ATOMIC_RELAXED);
}

/* The same for one thread at a time: plain loads and stores, which others see between them. */
static uint32_t pop_alone(void) {
    if (list.bug == LOCKED_LIST) announce(HY_WRITES, list.next, sizeof list.next);
    uint32_t block = (uint32_t)__atomic_load_n(&list.head, __ATOMIC_RELAXED);
    if (block != NONE) __atomic_store_n(&list.head, list.next[block], __ATOMIC_RELAXED);
    return block;
}

static void push_alone(uint32_t block) {
    if (list.bug == LOCKED_LIST) announce(HY_WRITES, list.next, sizeof list.next);
    list.next[block] = (uint32_t)__atomic_load_n(&list.head, __ATOMIC_RELAXED);
    __atomic_store_n(&list.head, block, __ATOMIC_RELAXED);
}

static void enter(bool frees) {
    if (list.bug == LOST_LOCK) return;
    if (list.bug == LOST_WAKE) {
        while (__atomic_exchange_n(&list.word, 1, __ATOMIC_ACQUIRE) != 0) {
            hy_schedule_at("the word");
            uint32_t seen = __atomic_load_n(&list.word, __ATOMIC_RELAXED);
            if (hy_schedule_is_on()) hy_schedule_wait(&list.word, seen);
        }
        return;
    }
    bool inverted = list.bug == LOCK_ORDER && frees;
    pthread_mutex_lock(inverted ? &list.second : &list.lock);
    if (list.bug == LOCK_ORDER) pthread_mutex_lock(inverted ? &list.lock : &list.second);
}

static void leave(void) {
    if (list.bug == LOST_LOCK) return;
    if (list.bug == LOST_WAKE) {
        __atomic_store_n(&list.word, 0, __ATOMIC_RELEASE);
        if (hy_schedule_is_on()) hy_schedule_wake(&list.word);
        return;
    }
    if (list.bug == LOCK_ORDER) pthread_mutex_unlock(&list.second);
    pthread_mutex_unlock(&list.lock);
}

static bool has_lock(void) {
    return list.bug != TAGGED_LIST && list.bug != RELAXED_PUSH && list.bug != ABA && list.bug != LATE_LINK;
}

static void count(size_t amount) {
    if (list.bug == RACY_COUNT) {
        size_t used = __atomic_load_n(&list.used, __ATOMIC_RELAXED);
        __atomic_store_n(&list.used, used + amount, __ATOMIC_RELAXED);
    } else if (list.bug == PLAIN_COUNT) {
        announce(HY_READS, &list.used, sizeof list.used);
        announce(HY_WRITES, &list.used, sizeof list.used);
        list.used += amount;
    } else {
        __atomic_fetch_add(&list.used, amount, __ATOMIC_RELAXED);
    }
}

static void count_live(size_t amount) {
    if (list.bug == RACY_TOLD) {
        size_t live = __atomic_load_n(&list.live, __ATOMIC_RELAXED);
        __atomic_store_n(&list.live, live + amount, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_add(&list.live, amount, __ATOMIC_RELAXED);
    }
}

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (size > BLOCK_BYTES || align.log2 > 8) return NULL;
    if (list.bug == CHILD_FORGETS && getpid() != list.process) {
        count(size);
        count_live(1);
        return blocks[0];
    }
    if (has_lock()) enter(false);
    uint32_t block = has_lock() ? pop_alone() : pop();
    if (has_lock()) leave();
    if (block == NONE) return NULL;
    count(size);
    count_live(1);
    return blocks[block];
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)align;
    if (new_size > BLOCK_BYTES) return false;
    count(new_size - old_size);
    return true;
}

static void give(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)align;
    uint32_t block = (uint32_t)((size_t)((char *)ptr - blocks[0]) / BLOCK_BYTES);
    count((size_t)0 - size);
    count_live((size_t)0 - 1);
    if (has_lock()) enter(true);
    if (has_lock())
        push_alone(block);
    else
        push(block);
    if (has_lock()) leave();
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, give};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)config;
    list.bug = *(const bug *)row->data;
    list.head = 0;
    list.used = list.live = 0;
    list.word = 0;
    list.process = getpid();
    for (uint32_t i = 0; i < BLOCKS; i++)
        list.next[i] = i + 1;
    *out = (hy_allocator){&list, &vtable};
    return &list;
}

static void destroy(const hy_row *row, void *state) {
    (void)row, (void)state;
}

static bool stats(void *state, hy_stats *out) {
    (void)state;
    *out = (hy_stats){SIZE_MAX, list.used, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    return true;
}

/* With resets, it holds as much as it says that it keeps, or nothing. */
static size_t capacity;

static bool stats_of_resets(void *state, hy_stats *out) {
    bool good = stats(state, out);
    if (list.used > capacity) capacity = sizeof blocks; /* it has grown again */
    out->capacity_bytes = capacity;
    return good;
}

static bool reset(void *state, hy_reset_mode mode, size_t limit) {
    list.head = 0;
    list.used = list.live = 0;
    for (uint32_t i = 0; i < BLOCKS; i++)
        list.next[i] = i + 1;
    bool frees_all = mode == HY_RESET_FREE_ALL || list.bug == KEEPS_LESS;
    (void)state;
    capacity = frees_all ? 0 : mode == HY_RESET_RETAIN_WITH_LIMIT && limit < capacity ? limit : capacity;
    return true;
}

static void tell(void *state, hy_told *out) {
    (void)state;
    out->numbers[HY_TOLD_LIVE_BLOCKS] = list.live;
}

static bool rest(void *state, size_t number, hy_mark *mark) {
    (void)state, (void)number, (void)mark;
    return list.bug != REFUSES_REST;
}

static const hy_row_operation operation = {"rest", HY_EFFECT_NONE, true, rest};

static bug planted;

static hy_row row = {
    .name = "planted",
    .group = HY_GROUP_STRATEGY,
    .summary = "a shared list of blocks with a planted bug",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_GROW_IN_PLACE,
    .greatest_align = {8},
    .make = make,
    .destroy = destroy,
    .stats = stats,
    .tells = tell,
    .operations = &operation,
    .operation_count = 1,
    .data = &planted,
};

static size_t run_with_resets(const uint8_t *bytes, size_t size) {
    hy_row resets = row;
    resets.traits |= HY_TRAIT_BULK_RESET;
    resets.reset = reset;
    resets.stats = stats_of_resets;
    capacity = sizeof blocks;
    return hy_schedule_run_input(&resets, bytes, size, false);
}

static size_t run_planted(const hy_row *same, const uint8_t *bytes, size_t size) {
    return hy_schedule_run_input(same, bytes, size, false);
}

static const hy_property property = {
    .name = "planted", .run = run_planted, .record_bytes = HY_SCHEDULE_RECORD_BYTES};

/* ---- hunts ---- */

#define INPUT_MAX 160
/* Children's time is not in their parent's. */
#define FORKING_INPUTS 600

/* Random inputs as a fuzzer makes them, in memory shared with whoever waits, so that the last one is kept. */
typedef struct hunt {
    uint64_t random;
    double seconds;
    bool forks, resets;
    uint8_t *kept; /* shared: size, then bytes */
} hunt;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run_hunt(const void *argument) {
    hunt self = *(const hunt *)argument;
    double start = now();
    size_t most = self.forks ? FORKING_INPUTS : SIZE_MAX;
    for (size_t count = 0; count < most && now() - start < self.seconds; count++) {
        size_t size = 4 * (4 + hy_random_next(&self.random) % (INPUT_MAX / 4 - 4));
        for (size_t i = 0; i < size; i++)
            self.kept[i + 1] = (uint8_t)hy_random_next(&self.random);
        self.kept[0] = (uint8_t)size;
        if (self.resets)
            run_with_resets(self.kept + 1, size);
        else
            hy_schedule_run_input(&row, self.kept + 1, size, self.forks);
    }
}

static uint8_t *kept_input(void) {
    static uint8_t *kept;
    if (kept) return kept;
    kept = mmap(NULL, INPUT_MAX + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kept == MAP_FAILED) abort();
    return kept;
}

/* Whether the row is run with resets. */
static bool is_with_resets;

static bool resets_of(bug what) {
    return what == KEEPS_LESS || is_with_resets;
}

static void hunt_for(bug what, const char *oracles, uint64_t seed, double seconds, hy_verdict *verdict) {
    char error[200];
    planted = what;
    assert_true(hy_oracles_choose(oracles, error, sizeof error));
    bool forks = (what == CHILD_FORGETS || what == LOCKED_LIST) && !is_with_resets;
    hunt self = {seed, seconds, forks, resets_of(what), kept_input()};
    hy_verdict_of(run_hunt, &self, 60, verdict);
}

#define MODEL "finding: overlap"
#define SECONDS (HY_ASAN ? 3.0 : 1.0) /* in which a bug must be found */
#define MISSED_SECONDS 1.0            /* in which it is found several times where its oracle is on */

/* On three seeds. Of the model either of its two findings; two threads with one block are also a race. */
static void is_found(bug what, const char *key) {
    hy_verdict verdict;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        hunt_for(what, strcmp(key, MODEL) == 0 ? "-race" : "", seed, SECONDS, &verdict);
        if (strcmp(key, MODEL) != 0 || strcmp(verdict.key, "finding: contents") != 0)
            assert_string_equal(verdict.key, key);
    }
}

static void is_missed(bug what, const char *oracles) {
    hy_verdict verdict;
    hunt_for(what, oracles, 1, MISSED_SECONDS, &verdict);
    assert_string_equal(verdict.line, "");
}

static void sound_lists_have_no_findings(void **state) {
    (void)state;
    is_missed(LOCKED_LIST, "");
    is_missed(TAGGED_LIST, "");
}

static void a_lost_lock_is_found_by_the_model(void **state) {
    (void)state;
    is_found(LOST_LOCK, MODEL);
    is_missed(LOST_LOCK, "-model,-race");
}

static void a_block_published_too_early_is_found_by_the_model(void **state) {
    (void)state;
    is_found(LATE_LINK, MODEL);
    is_missed(LATE_LINK, "-model,-race");
}

static void aba_is_found_by_the_model(void **state) {
    (void)state;
    is_found(ABA, MODEL);
    is_missed(ABA, "-model,-race");
}

static void a_count_that_loses_is_found_by_the_accounting(void **state) {
    (void)state;
    is_found(RACY_COUNT, "finding: account");
    is_missed(RACY_COUNT, "-accounting");
}

static void a_block_that_is_not_told_is_found_by_the_promise(void **state) {
    (void)state;
    is_found(RACY_TOLD, "finding: promise");
    is_missed(RACY_TOLD, "-promise");
}

static void an_operation_that_refuses_is_found_by_the_liveness(void **state) {
    (void)state;
    is_found(REFUSES_REST, "finding: liveness");
    is_missed(REFUSES_REST, "-liveness");
}

static void a_reset_that_keeps_less_is_found_by_the_footprint(void **state) {
    (void)state;
    is_with_resets = true;
    is_missed(LOCKED_LIST, "");
    is_with_resets = false;
    is_found(KEEPS_LESS, "finding: kept");
    is_missed(KEEPS_LESS, "-footprint");
}

static void accesses_that_nothing_orders_are_a_race(void **state) {
    (void)state;
    if (!hy_races_sees_malloc()) skip(); /* only with AddressSanitizer */
    is_found(PLAIN_COUNT, "finding: race");
    is_missed(PLAIN_COUNT, "-race");
    is_found(RELAXED_PUSH, "finding: race");
    is_missed(RELAXED_PUSH, "-race");
}

static void an_inverted_order_of_locks_is_a_deadlock(void **state) {
    (void)state;
    is_found(LOCK_ORDER, "finding: deadlock");
}

static void a_lost_wake_is_a_deadlock(void **state) {
    (void)state;
    is_found(LOST_WAKE, "finding: deadlock");
}

static void a_child_that_forgets_is_found(void **state) {
    (void)state;
    is_found(CHILD_FORGETS, MODEL);
    is_missed(CHILD_FORGETS, "-model,-race");
}

/* Nobody sees what orders the threads in a plugin: others come in between its calls only. */
static void a_row_from_elsewhere_is_called_as_one_step(void **state) {
    (void)state;
    row.name = "planted@elsewhere";
    is_missed(LOST_LOCK, "");
    is_missed(LOCK_ORDER, "");
    is_missed(RELAXED_PUSH, "");
    is_found(CHILD_FORGETS, MODEL);
    row.name = "planted";
}

/* The input that was found fails again, alike; a smaller one is told in words, and fails alike, too. */
static void a_finding_is_minimised_and_told(void **state) {
    (void)state;
    hy_verdict verdict, again;
    hunt_for(LOST_LOCK, "-race", 7, SECONDS, &verdict);
    uint8_t bytes[INPUT_MAX];
    size_t size = kept_input()[0];
    memcpy(bytes, kept_input() + 1, size);
    hy_target target = {&property, &row, &(hy_fuzz_counts){0}};
    hy_record_case failing = {&target, bytes, size};
    hy_record_case_try(&failing, false, &again);
    assert_string_equal(again.line, verdict.line);
    hy_record_case_minimise(&failing, &again, 2000);
    assert_true(failing.size <= (size_t)12 * HY_SCHEDULE_RECORD_BYTES);
    hy_record_case_try(&failing, true, &verdict);
    assert_string_equal(again.key, verdict.key);
    char *told = strndup(verdict.before, verdict.before_size);
    assert_non_null(strstr(told, "allocates block"));
    assert_non_null(strstr(told, "schedule_run_test.c:"));
    free(told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_lists_have_no_findings),
        cmocka_unit_test(a_lost_lock_is_found_by_the_model),
        cmocka_unit_test(a_block_published_too_early_is_found_by_the_model),
        cmocka_unit_test(aba_is_found_by_the_model),
        cmocka_unit_test(a_count_that_loses_is_found_by_the_accounting),
        cmocka_unit_test(a_block_that_is_not_told_is_found_by_the_promise),
        cmocka_unit_test(an_operation_that_refuses_is_found_by_the_liveness),
        cmocka_unit_test(a_reset_that_keeps_less_is_found_by_the_footprint),
        cmocka_unit_test(accesses_that_nothing_orders_are_a_race),
        cmocka_unit_test(an_inverted_order_of_locks_is_a_deadlock),
        cmocka_unit_test(a_lost_wake_is_a_deadlock),
        cmocka_unit_test(a_child_that_forgets_is_found),
        cmocka_unit_test(a_row_from_elsewhere_is_called_as_one_step),
        cmocka_unit_test(a_finding_is_minimised_and_told),
    };
    /* ThreadSanitizer follows no fibres of others. */
    return HY_TSAN ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
