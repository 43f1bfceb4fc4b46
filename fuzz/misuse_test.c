/* misuse_test.c: a row that promises to report misuse and does not is found, for each way; one that does is
 * not.
 */
#include "fuzz/misuse.h"

#include "fuzz/interpreter.h"
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include <heapyard/check.h>
#include <heapyard/libc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

typedef enum fault {
    REPORTS,
    IS_SILENT,      /* nothing is reported */
    SAYS_OTHERS,    /* something is, but never what it is */
    SAYS_AND_STAYS, /* the words are said, and the process goes on */
    TAKES_ITS_TIME, /* a while goes by before it is reported */
    BREAKS_BEFORE   /* the process that waits for the other one breaks a rule itself */
} fault;

/* Hands blocks of a region out one behind another, and can be made to report any misuse: when the test says
 * that it happens, whatever is called. */
static struct {
    fault fault;
    hy_misuse_kind misuse; /* that the seed ends with */
    bool is_fatal;
    bool is_forked;
    pid_t process; /* in which nothing is misused then */
    hy_misuse_sink *sink;
    _Alignas(4096) char region[1 << 16];
    size_t used;
    bool is_armed; /* the seed's own blocks are made */
} planted;

static void report(void) {
    bool is_other = planted.fault == SAYS_OTHERS;
    if (!planted.is_armed || planted.fault == IS_SILENT) return;
    if (planted.is_forked && getpid() == planted.process) {
        if (planted.fault == BREAKS_BEFORE) hy_corrupted("planted", "is broken itself");
        return;
    }
    if (planted.fault == TAKES_ITS_TIME) usleep(50000);
    if (planted.is_fatal && planted.fault == SAYS_AND_STAYS) fprintf(stderr, "heapyard: exactly this\n");
    if (planted.is_fatal && planted.fault != SAYS_AND_STAYS)
        hy_corrupted("planted", is_other ? "something else" : "exactly this");
    if (planted.is_fatal || !planted.sink) return;
    planted.sink->count++;
    planted.sink->told |= is_other ? 0 : HY_MISUSE_BIT(planted.misuse);
}

static void *alloc(void *self, size_t size, hy_align align) {
    (void)self;
    uintptr_t base = (uintptr_t)planted.region, at = hy_align_forward(base + planted.used, align);
    if (at - base + size + 64 > sizeof planted.region) return NULL;
    planted.used = at - base + size + 64;
    return planted.region + (at - base);
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    report();
    return false;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    (void)self, (void)ptr, (void)size, (void)align;
    report();
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    planted.used = 0;
    *out = (hy_allocator){&planted, &vtable};
    return &planted;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
    planted.is_armed = false;
}

/* Arms it: what is called from now on is the misuse. */
static bool covers(void *instance, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align) {
    (void)instance, (void)misuse, (void)ptr, (void)size, (void)align;
    return planted.is_armed = true;
}

static void watch(void *instance, hy_misuse_sink *sink) {
    (void)instance;
    planted.sink = sink;
}

static void finish(void *instance) {
    (void)instance;
    report();
}

typedef struct attempt {
    fault fault;
    hy_misuse_kind misuse;
    bool is_fatal, is_forked;
    const char *oracles;
    uint64_t number;
} attempt;

static void run_attempt(const void *argument) {
    const attempt *tried = argument;
    char error[200];
    planted.fault = tried->fault;
    planted.misuse = tried->misuse;
    planted.is_fatal = tried->is_fatal;
    planted.is_forked = tried->is_forked;
    planted.process = getpid();
    hy_row_reports reports = {.covers = covers, .forks = tried->is_forked};
    if (tried->is_fatal)
        reports.says[tried->misuse] = "exactly this";
    else
        reports.counted = HY_MISUSE_BIT(tried->misuse), reports.watch = watch, reports.finish = finish;
    const hy_row row = {.name = "planted",
        .group = HY_GROUP_STRATEGY,
        .summary = "reports what it is told to",
        .greatest_align = {12},
        .make = make,
        .destroy = destroy,
        .reports = &reports};
    static const hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER,
                                               .resize_refusal = HY_BYTES_NEVER,
                                               .remap_refusal = HY_BYTES_NEVER}};
    hy_op ops[] = {{.kind = HY_OP_ALLOC, .size = 64, .align_log2 = 6},
        {.kind = HY_OP_SPECIAL, .slot = 0, .size = tried->number}};
    const hy_history history = {.ops = ops, .count = 2};
    if (!hy_oracles_choose(tried->oracles, error, sizeof error)) abort();
    hy_interpret(hy_misuse_row(&row), &header, &history);
}

static void expect(attempt tried, const char *wanted) {
    hy_verdict verdict;
    hy_verdict_of(run_attempt, &tried, 20, &verdict);
    if (strcmp(verdict.key, wanted) != 0)
        fail_msg("%s, fault %d: found \"%s\", wanted \"%s\"", hy_misuse_name(tried.misuse), (int)tried.fault,
            verdict.line, wanted);
}

#define UNREPORTED "finding: unreported"

static bool is_childs(hy_misuse_kind misuse) {
    return misuse >= HY_MISUSE_CHILD_UNALIGNED;
}

/* Those that take a child, a reset or two instances are tried on real rows, by the seeds. */
static bool is_tried(unsigned misuse) {
    return !is_childs((hy_misuse_kind)misuse) && misuse != HY_MISUSE_WRITE_RESET &&
           misuse != HY_MISUSE_WRONG_INSTANCE;
}

static void what_is_counted_must_be(void **unused) {
    (void)unused;
    for (unsigned i = 0; i < HY_MISUSE_COUNT; i++) {
        if (!is_tried(i)) continue;
        attempt tried = {.misuse = (hy_misuse_kind)i, .oracles = "", .number = 1};
        expect(tried, "");
        tried.fault = IS_SILENT;
        expect(tried, UNREPORTED);
        tried.oracles = "misuse";
        expect(tried, UNREPORTED);
        tried.oracles = "-misuse";
        expect(tried, "");
        tried.oracles = "";
        tried.fault = SAYS_OTHERS;
        expect(tried, UNREPORTED);
    }
}

/* Here and in a process of its own, until the first word (113) and until the end (121). */
static void what_ends_the_process_must(void **unused) {
    (void)unused;
    static const uint64_t numbers[] = {113, 121};
    for (size_t i = 0; i < 4; i++) {
        attempt tried = {.misuse = HY_MISUSE_DOUBLE_FREE,
            .is_fatal = true,
            .is_forked = i >= 2,
            .oracles = "",
            .number = numbers[i % 2]};
        expect(tried, "");
        tried.fault = IS_SILENT;
        expect(tried, UNREPORTED);
        tried.oracles = "-misuse";
        expect(tried, "");
        tried.oracles = "";
        tried.fault = SAYS_OTHERS;
        expect(tried, UNREPORTED);
        tried.fault = SAYS_AND_STAYS;
        expect(tried, i % 2 ? UNREPORTED : "");
    }
}

/* ---- a row that reports a wrong free, and hands it on ---- */

static hy_allocator honest, below;

static void gives_twice(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    honest.vtable->free(honest.self, ptr, size, align);
    if (planted.is_armed) below.vtable->free(below.self, ptr, size, align);
}

static void *make_over_child(const hy_row *row, const hy_config *config, hy_allocator *out) {
    static hy_vtable hands_on;
    void *made = hy_registry_find("validating")->make(row, config, &honest);
    below = config->child;
    hands_on = *honest.vtable;
    hands_on.free = gives_twice;
    *out = (hy_allocator){honest.self, &hands_on};
    return made;
}

static void run_hand_on(const void *argument) {
    static const hy_bytes_header header = {.faults = {.alloc_refusal = HY_BYTES_NEVER,
                                               .resize_refusal = HY_BYTES_NEVER,
                                               .remap_refusal = HY_BYTES_NEVER}};
    char error[200];
    hy_row row = *hy_registry_find("validating");
    hy_row_reports reports = *row.reports;
    reports.covers = covers;
    row.reports = &reports;
    if (!strchr(argument, '!')) row.make = make_over_child;
    hy_op ops[] = {
        {.kind = HY_OP_ALLOC, .size = 64, .align_log2 = 6}, {.kind = HY_OP_SPECIAL, .slot = 0, .size = 1}};
    const hy_history history = {.ops = ops, .count = 2};
    planted.is_armed = false;
    if (!hy_oracles_choose((const char *)argument + strspn(argument, "!"), error, sizeof error)) abort();
    hy_interpret(hy_misuse_row(&row), &header, &history);
}

static void what_is_reported_must_stop_there(void **unused) {
    (void)unused;
    static const char *const tried[][2] = {
        {"!", ""}, {"", "finding: passed_on"}, {"misuse", "finding: passed_on"}};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        hy_verdict verdict;
        hy_verdict_of(run_hand_on, tried[i][0], 20, &verdict);
        if (strcmp(verdict.key, tried[i][1]) != 0)
            fail_msg("%s: found \"%s\", wanted \"%s\"", tried[i][0], verdict.line, tried[i][1]);
    }
}

static void do_nothing(int number) {
    (void)number;
}

/* As an engine that looks at the time does. */
static void run_interrupted(const void *argument) {
    const struct sigaction handler = {.sa_handler = do_nothing};
    const struct itimerval often = {{0, 10000}, {0, 10000}};
    if (sigaction(SIGALRM, &handler, NULL) != 0 || setitimer(ITIMER_REAL, &often, NULL) != 0) abort();
    run_attempt(argument);
}

static void a_wait_that_is_interrupted_goes_on(void **unused) {
    (void)unused;
    const attempt tried = {.fault = TAKES_ITS_TIME,
        .misuse = HY_MISUSE_DOUBLE_FREE,
        .is_fatal = true,
        .is_forked = true,
        .oracles = "",
        .number = 113};
    hy_verdict verdict;
    hy_verdict_of(run_interrupted, &tried, 20, &verdict);
    assert_string_equal(verdict.line, "");
}

/* What goes wrong in the process that waits is said where everybody hears it. */
static void whoever_waits_is_heard(void **unused) {
    (void)unused;
    const attempt tried = {.fault = BREAKS_BEFORE,
        .misuse = HY_MISUSE_DOUBLE_FREE,
        .is_fatal = true,
        .is_forked = true,
        .oracles = "",
        .number = 113};
    hy_verdict verdict;
    hy_verdict_of(run_attempt, &tried, 20, &verdict);
    if (!strstr(verdict.line, "is broken itself")) fail_msg("it said \"%s\"", verdict.line);
}

/* A seed's line is found by its name's code. */
static void names_are_told_apart(void **unused) {
    (void)unused;
    for (unsigned i = 0; i < HY_MISUSE_COUNT; i++) {
        const char *name = hy_misuse_name((hy_misuse_kind)i);
        for (unsigned j = 0; j < i; j++) {
            const char *other = hy_misuse_name((hy_misuse_kind)j);
            if (hy_bytes_name_code(name) == hy_bytes_name_code(other)) fail_msg("%s is like %s", name, other);
        }
        size_t count;
        const hy_row *const *rows = hy_registry_rows(&count);
        for (size_t r = 0; r < count; r++) {
            if (!hy_misuse_takes(rows[r])) continue;
            for (size_t o = 0; o < rows[r]->operation_count; o++) {
                const char *own = rows[r]->operations[o].name;
                if (hy_bytes_name_code(name) == hy_bytes_name_code(own)) fail_msg("%s is like %s", name, own);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_counted_must_be),
        cmocka_unit_test(what_ends_the_process_must),
        cmocka_unit_test(what_is_reported_must_stop_there),
        cmocka_unit_test(a_wait_that_is_interrupted_goes_on),
        cmocka_unit_test(whoever_waits_is_heard),
        cmocka_unit_test(names_are_told_apart),
    };
    return HY_TSAN ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
