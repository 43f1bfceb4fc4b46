/* moments_test.c: what the suite reports where one call, at any position in a check, is faulty, and where a
 * row's statistics are.
 *
 * Unlike those of broken_test.c, these faults cannot crash the process, so all run in this one.
 */
#include "allocators/conformance/check.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#if HY_ASAN
#include <sanitizer/lsan_interface.h>
#endif

typedef enum fault {
    NONE,
    REFUSES,          /* call number `at` */
    CHANGES,          /* a byte of the previous block, in call number `at` */
    SERVES_SO_MANY,   /* `at` allocations, and refuses all later ones */
    LEAKS_ON_REFUSAL, /* a block that it has already taken from its child */
    NOT_MADE,
    CHECK_FAILS, /* from call number `at` on */
    STATS_REFUSED,
    USED_PASSES_CAPACITY,
    USED_PASSES_PEAK,
    USED_STAYS,
    OWNS_NOTHING,
} fault;

/* Forwards to its child, apart from its fault. */
typedef struct faulty {
    hy_allocator child;
    size_t greatest;
    _Atomic uint64_t calls;
    uint64_t served;
    char *before;
    size_t live_bytes;
} faulty;

/* The fault of the next instances. */
static struct {
    fault fault;
    uint64_t at;
} plan;

static bool is_now(faulty *f, fault kind) {
    return atomic_fetch_add(&f->calls, 1) == plan.at && plan.fault == kind;
}

static void *alloc(void *self, size_t size, hy_align align) {
    faulty *f = self;
    if (is_now(f, REFUSES) || size > f->greatest) return NULL;
    if (plan.fault == SERVES_SO_MANY && f->served == plan.at) return NULL;
    if (plan.fault == CHANGES && f->calls > plan.at && f->before) *f->before ^= 1, f->before = NULL;
    void *first = plan.fault == LEAKS_ON_REFUSAL ? hy_alloc(f->child, 8, HY_ALIGN_8) : NULL;
    char *ptr = hy_alloc(f->child, size, align);
    if (!ptr) return NULL;
    hy_free(f->child, first, 8, HY_ALIGN_8);
    if (plan.fault == CHANGES && f->calls <= plan.at) f->before = ptr;
    if (plan.fault != REFUSES) f->served++, f->live_bytes += size;
    return ptr;
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    faulty *f = self;
    if (!f->child.vtable->resize(f->child.self, ptr, old_size, new_size, align)) return false;
    if (plan.fault != REFUSES) f->live_bytes += new_size - old_size;
    return true;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    faulty *f = self;
    if (f->before == ptr) f->before = NULL;
    if (plan.fault != REFUSES) f->live_bytes -= size;
    f->child.vtable->free(f->child.self, ptr, size, align);
}

static const hy_vtable vtable = {alloc, resize, hy_refuse_remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    faulty *f = plan.fault == NOT_MADE ? NULL : hy_create(hy_libc(), faulty);
    if (!f) return NULL;
    *f = (faulty){0};
    f->child = config->child.vtable ? config->child : hy_libc();
    f->greatest = row->traits & HY_TRAIT_FIXED_BLOCK ? row->default_block_size : SIZE_MAX;
    *out = (hy_allocator){f, &vtable};
    return f;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (faulty *)instance);
}

/* Serves again without freeing live blocks: the checks that use this verify only counts afterwards. */
static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)mode, (void)limit;
    ((faulty *)instance)->served = 1;
    return true;
}

static bool check(void *instance) {
    return plan.fault != CHECK_FAILS || ((faulty *)instance)->calls < plan.at;
}

static bool stats(void *instance, hy_stats *out) {
    size_t used = ((faulty *)instance)->live_bytes + (plan.fault == USED_STAYS ? 8 : 0);
    size_t capacity = plan.fault == USED_PASSES_CAPACITY ? used - 1 : used;
    size_t peak = plan.fault == USED_PASSES_PEAK ? used - 1 : used;
    *out = (hy_stats){.capacity_bytes = capacity, .used_bytes = used, .high_water_bytes = peak};
    return plan.fault != STATS_REFUSED;
}

static bool owns(void *instance, const void *ptr) {
    (void)instance, (void)ptr;
    return false;
}

/* A row that keeps the contract, apart from the planned fault. */
static hy_row row_with(hy_traits traits, const char *child) {
    return (hy_row){
        .name = "faulty",
        .group = HY_GROUP_DECORATOR,
        .summary = "an allocator with a fault now and then",
        .traits = traits,
        .greatest_align = {12},
        .default_child = child,
        .default_capacity = (size_t)1 << 18,
        .default_block_size = 64,
        .make = make,
        .destroy = destroy,
        .reset = traits & HY_TRAIT_BULK_RESET ? reset : NULL,
    };
}

static const hy_conformance_check *check_named(const char *name) {
    size_t count;
    const hy_conformance_check *checks = hy_conformance_checks(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(checks[i].name, name) == 0) return &checks[i];
    }
    fail_msg("there is no check %s", name);
    return NULL;
}

/* Runs the check with a fault; returns its message, "" where it passes. */
static const char *message_of(const char *name, const hy_row *row, fault kind, uint64_t at) {
    static char why[HY_CONFORMANCE_WHY];
    plan.fault = kind;
    plan.at = at;
    why[0] = 0;
    bool holds = hy_conformance_run(check_named(name), row, why);
    assert_true(holds == (why[0] == 0));
    return why;
}

typedef struct call_range {
    const char *check;
    hy_traits traits;
    unsigned calls;   /* a refusal of any of this many first calls must be reported */
    unsigned changes; /* and a byte changed in any of this many, counted from the second */
} call_range;

#define THROUGH_FREES (HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE)

static const call_range call_ranges[] = {
    {"serves", 0, 20, 0},
    {"alignment", 0, 40, 40},
    {"overflow", 0, 1, 4},
    {"no_overlap", 0, 120, 100},
    {"realloc_keeps_contents", 0, 30, 2},
    {"remap_keeps_alignment", 0, 10, 0},
    {"grow_in_place", HY_TRAIT_GROW_IN_PLACE, 1, 0},
    {"last_free_gives_back", HY_TRAIT_FREE_LAST, 60, 10},
    {"freed_memory_serves", THROUGH_FREES, 30, 0},
    {"bulk_reset", HY_TRAIT_BULK_RESET, 120, 99},
    {"destroy_with_live_blocks", HY_TRAIT_BULK_RESET, 100, 99},
    {"fixed_block", HY_TRAIT_FIXED_BLOCK, 2, 1},
    {"threads", HY_TRAIT_THREAD_SAFE, 1, 0},
    {"accounts_agree", 0, 60, 1},
    {"typed_layer", 0, 4, 0},
};

#define CALL_RANGES (sizeof call_ranges / sizeof call_ranges[0])

/* The row over a child that has the row's traits in every build. */
static hy_row row_of(const call_range *m) {
    return row_with(m->traits, m->traits & HY_TRAIT_FREE_LAST ? "fixed_buffer" : "libc");
}

static void a_refusal_is_reported_at_every_call(void **state) {
    (void)state;
    for (size_t i = 0; i < CALL_RANGES; i++) {
        hy_row row = row_of(&call_ranges[i]);
        for (unsigned at = 0; at < call_ranges[i].calls; at++) {
            if (!message_of(call_ranges[i].check, &row, REFUSES, at)[0])
                fail_msg("%s does not report that call %u is refused", call_ranges[i].check, at);
        }
    }
}

static void a_changed_byte_is_reported_at_every_call(void **state) {
    (void)state;
    for (size_t i = 0; i < CALL_RANGES; i++) {
        hy_row row = row_of(&call_ranges[i]);
        for (unsigned at = 1; at <= call_ranges[i].changes; at++) {
            if (!strstr(message_of(call_ranges[i].check, &row, CHANGES, at), "a block lost its contents"))
                fail_msg("%s does not report the byte that call %u changes", call_ranges[i].check, at);
        }
    }
}

/* The check verifies only the blocks that are still live at its end. */
static void a_changed_byte_of_a_kept_block_is_reported(void **state) {
    (void)state;
    hy_row row = row_with(THROUGH_FREES, "libc");
    assert_string_equal(message_of("freed_memory_serves", &row, CHANGES, 5995), "a block lost its contents");
}

static void a_failed_structure_check_is_reported(void **state) {
    (void)state;
    hy_row row = row_with(HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FREE_LAST, "fixed_buffer");
    row.default_capacity = (size_t)16 << 20; /* the child's own */
    row.check = check;
    assert_string_equal(
        message_of("fixed_capacity", &row, CHECK_FAILS, 2), "the row's own check fails when it is full");
    assert_non_null(
        strstr(message_of("full_then_freed", &row, CHECK_FAILS, 2), "own check of its structure"));
    row.traits = 0;
    row.default_child = "libc";
    assert_non_null(strstr(message_of("child_refuses", &row, CHECK_FAILS, 9), "own check of its structure"));
    assert_string_equal(message_of("child_refuses", &row, NONE, 0), "");
}

static void a_leak_on_refusal_is_reported_with_its_call(void **state) {
    (void)state;
    hy_row row = row_with(0, "libc");
    const char *message = message_of("child_refuses", &row, LEAKS_ON_REFUSAL, 0);
    if (!strstr(message, "when allocation 2 of ")) fail_msg("message: %s", message);
}

static void a_wrong_capacity_is_reported(void **state) {
    (void)state;
    hy_row row = row_with(HY_TRAIT_FIXED_CAPACITY, "libc");
    assert_string_equal(message_of("fixed_capacity", &row, SERVES_SO_MANY, 0), "nothing is served");
    const char *message = message_of("fixed_capacity", &row, SERVES_SO_MANY, 100);
    assert_string_equal(message, "409600 bytes are served of a capacity of 262144");
    assert_string_equal(message_of("fixed_capacity", &row, SERVES_SO_MANY, 20), "");
    row = row_with(HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_BULK_RESET, "fixed_buffer");
    message = message_of("fixed_capacity", &row, SERVES_SO_MANY, 20);
    assert_string_equal(message, "77824 bytes are served after a reset, 81920 were before");
    row = row_with(HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FREE_LAST, "libc");
    assert_string_equal(message_of("full_then_freed", &row, SERVES_SO_MANY, 20),
        "only 20 blocks of 4096 bytes fit in round 0");
    /* The check can't link blocks smaller than a pointer, so it leaks them, and the child reports that. */
    row = row_with(HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FIXED_BLOCK, "libc");
    row.default_block_size = 4;
    assert_non_null(strstr(
        message_of("fixed_capacity", &row, SERVES_SO_MANY, 5), "the child misses 20 bytes in 5 blocks"));
}

static void inconsistent_statistics_are_reported(void **state) {
    (void)state;
    static const struct {
        const char *check;
        fault fault;
        const char *message;
    } accounts[] = {
        {"accounts_agree", NONE, ""},
        {"accounts_agree", STATS_REFUSED, "stats are refused"},
        {"accounts_agree", USED_PASSES_CAPACITY, " pass capacity_bytes "},
        {"accounts_agree", USED_PASSES_PEAK, " pass high_water_bytes "},
        {"accounts_agree", USED_STAYS, "8 bytes are in use after everything was freed"},
        {"bulk_reset", NONE, " bytes are in use after a reset"},
        {"bulk_reset", STATS_REFUSED, "the child misses "},
    };
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        hy_row row = row_with(THROUGH_FREES | HY_TRAIT_BULK_RESET, "libc");
        row.stats = stats;
        const char *message = message_of(accounts[i].check, &row, accounts[i].fault, 0);
        if (!strstr(message, accounts[i].message) || (accounts[i].message[0] == 0) != (message[0] == 0))
            fail_msg("%s reports \"%s\", not \"%s\"", accounts[i].check, message, accounts[i].message);
    }
    hy_row row = row_with(THROUGH_FREES, "libc");
    row.owns = owns;
    assert_string_equal(message_of("accounts_agree", &row, OWNS_NOTHING, 0), "it does not own a live block");
}

/* Checks request only sizes and alignments that the row must serve. */
static void the_smallest_rows_pass(void **state) {
    (void)state;
    static const char *const names[] = {"serves", "alignment", "overflow", "realloc_keeps_contents",
        "remap_keeps_alignment", "typed_layer", "no_overlap", "accounts_agree", "child_refuses"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hy_row row = row_with(HY_TRAIT_FIXED_BLOCK, "libc");
        row.default_block_size = 3;
        assert_string_equal(message_of(names[i], &row, NONE, 0), "");
        row = row_with(0, "libc");
        row.greatest_align = (hy_align){2};
        assert_string_equal(message_of(names[i], &row, NONE, 0), "");
    }
}

static void an_instance_that_can_not_be_made_is_reported(void **state) {
    (void)state;
    hy_row row = row_with(0, "libc");
    assert_string_equal(message_of("serves", &row, NOT_MADE, 0), "it can't be made");
    row.default_child = NULL;
    assert_string_equal(message_of("serves", &row, NOT_MADE, 0), "it can't be made");
    row.default_child = "nobody";
    assert_string_equal(message_of("serves", &row, NONE, 0), "its default child nobody can't be made");
    /* A row without a child is used without the counter below it. */
    row.default_child = NULL;
    assert_string_equal(message_of("serves", &row, NONE, 0), "");
    row = row_with(THROUGH_FREES, NULL);
    assert_string_equal(message_of("freed_memory_serves", &row, NONE, 0), "");
}

typedef struct report_counts {
    unsigned good;
    unsigned bad;
    const char *last;
} report_counts;

static void count_report(
    void *context, const hy_row *row, const hy_conformance_check *checked, const char *why) {
    (void)row;
    report_counts *h = context;
    if (why)
        h->bad++;
    else
        h->good++;
    h->last = checked->name;
}

static void a_row_is_reported_up_to_its_first_failure(void **state) {
    (void)state;
    hy_row row = *hy_registry_find("libc");
    report_counts h = {0};
    assert_true(hy_conformance_run_row(&row, count_report, &h));
    assert_true(h.good > 5 && h.bad == 0);
    assert_true(hy_conformance_run_row(&row, NULL, NULL));
    row = row_with(0, "libc");
    h = (report_counts){0};
    plan.fault = REFUSES;
    plan.at = 20;
    assert_false(hy_conformance_run_row(&row, count_report, &h));
    assert_int_equal(h.bad, 1);
    assert_non_null(h.last);
    unsigned before = h.good;
    row.missing = "another system";
    assert_false(hy_conformance_run_row(&row, count_report, &h));
    assert_int_equal(h.good + h.bad, before + 1);
}

static void the_table_of_blocks_is_bounded(void **state) {
    (void)state;
    hy_blocks *blocks = malloc(sizeof *blocks);
    assert_non_null(blocks);
    hy_blocks_init(blocks, hy_libc());
    for (size_t i = 0; i < HY_BLOCKS_MAX; i++)
        assert_true(hy_blocks_alloc(blocks, 1, HY_ALIGN_1));
    assert_false(hy_blocks_alloc(blocks, 1, HY_ALIGN_1));
    assert_null(hy_blocks_check(blocks));
    hy_blocks_free_all(blocks);
    free(blocks);
}

int main(void) {
#if HY_ASAN
    __lsan_disable(); /* a failed check's instance may be broken, so it is never freed */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_reported_at_every_call),
        cmocka_unit_test(a_changed_byte_is_reported_at_every_call),
        cmocka_unit_test(a_changed_byte_of_a_kept_block_is_reported),
        cmocka_unit_test(a_failed_structure_check_is_reported),
        cmocka_unit_test(a_leak_on_refusal_is_reported_with_its_call),
        cmocka_unit_test(a_wrong_capacity_is_reported),
        cmocka_unit_test(inconsistent_statistics_are_reported),
        cmocka_unit_test(the_smallest_rows_pass),
        cmocka_unit_test(an_instance_that_can_not_be_made_is_reported),
        cmocka_unit_test(a_row_is_reported_up_to_its_first_failure),
        cmocka_unit_test(the_table_of_blocks_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
