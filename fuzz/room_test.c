/* room_test.c: needless refusals, room that is lost and memory that is kept: each planted in a row of the
 * registry, found by the oracle whose affair it is, alone too, and by nothing else.
 */
#include "allocators/core/os.h"
#include "fuzz/attempt.h"

/* ---- faults: each one of the four functions, over the row's own ---- */

static hy_allocator real, child; /* the instance's own, and what it stands on */

static void *clean_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    return real.vtable->alloc(real.self, size, align);
}

static bool clean_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    return real.vtable->resize(real.self, ptr, old_size, new_size, align);
}

static void clean_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    real.vtable->free(real.self, ptr, size, align);
}

static bool keeps_a_byte_back(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (new_size > old_size && new_size > 450) return false;
    return clean_resize(self, ptr, old_size, new_size, align);
}

static bool asks_before_it_grows(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    void *wasted = new_size > old_size ? child.vtable->alloc(child.self, 8, HY_ALIGN_8) : NULL;
    if (wasted) child.vtable->free(child.self, wasted, 8, HY_ALIGN_8);
    return clean_resize(self, ptr, old_size, new_size, align);
}

static bool shrinks_nothing(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return new_size > old_size && clean_resize(self, ptr, old_size, new_size, align);
}

static bool refuses_the_same(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return new_size != old_size && clean_resize(self, ptr, old_size, new_size, align);
}

static bool keeps_the_tail(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return new_size < old_size || clean_resize(self, ptr, old_size, new_size, align);
}

static void *takes_a_unit_more(void *self, size_t size, hy_align align) {
    return clean_alloc(self, size + hy_align_bytes(align), align);
}

static void gives_a_unit_more(void *self, void *ptr, size_t size, hy_align align) {
    clean_free(self, ptr, size + hy_align_bytes(align), align);
}

/* What aligned the block stays, and the block comes back. */
static void keeps_the_padding(void *self, void *ptr, size_t size, hy_align align) {
    clean_free(self, ptr, size, align);
    if (align.log2 > 4) (void)!clean_alloc(self, 1, HY_ALIGN_1);
}

static void *lost; /* what must be no leak in the eyes of LeakSanitizer */

static void loses_it(void *self, void *ptr, size_t size, hy_align align) {
    if (size < 4096) clean_free(self, ptr, size, align);
    lost = ptr;
}

static void *maps_a_page_more(void *self, size_t size, hy_align align) {
    lost = hy_os_map(hy_page_size());
    return clean_alloc(self, size, align);
}

static const hy_vtable keeps_a_byte_back_vtable = {
    clean_alloc, keeps_a_byte_back, hy_refuse_remap, clean_free};
static const hy_vtable asks_vtable = {clean_alloc, asks_before_it_grows, hy_refuse_remap, clean_free};
static const hy_vtable shrinks_nothing_vtable = {clean_alloc, shrinks_nothing, hy_refuse_remap, clean_free};
static const hy_vtable refuses_the_same_vtable = {clean_alloc, refuses_the_same, hy_refuse_remap, clean_free};
static const hy_vtable keeps_the_tail_vtable = {clean_alloc, keeps_the_tail, hy_refuse_remap, clean_free};
static const hy_vtable unit_more_vtable = {
    takes_a_unit_more, hy_refuse_resize, hy_refuse_remap, gives_a_unit_more};
static const hy_vtable padding_vtable = {clean_alloc, clean_resize, hy_refuse_remap, keeps_the_padding};
static const hy_vtable loses_it_vtable = {clean_alloc, clean_resize, hy_refuse_remap, loses_it};
static const hy_vtable maps_more_vtable = {maps_a_page_more, clean_resize, hy_refuse_remap, clean_free};

static const hy_vtable clean_vtable = {clean_alloc, clean_resize, hy_refuse_remap, clean_free};

static const hy_row *clean_row;

static bool stats_of_fewer_heads(void *state, hy_stats *out) {
    bool good = clean_row->stats(state, out);
    if (out->overhead_bytes) out->overhead_bytes -= 8;
    return good;
}

typedef struct plant {
    const char *row;
    const hy_vtable *vtable;
    bool (*stats)(void *state, hy_stats *out); /* NULL: the row's */
    const char *oracle;                        /* that finds it */
    const char *finding;                       /* its kind; NULL: this build can't see it */
    const char *without;                       /* the list without which nothing is found */
    const char *seed;
} plant;

#define FULL "shape 3\nalloc 0 10 align 1\nalloc 1 7 align 1\n"

static const plant plants[] = {
    {"fixed_buffer", &keeps_a_byte_back_vtable, NULL, "liveness", "liveness", "-liveness",
        FULL "resize 1 room+7\n"},
    {"bump", &keeps_a_byte_back_vtable, NULL, "liveness", "liveness", "-liveness", FULL "resize 1 room+7\n"},
    {"arena", &keeps_a_byte_back_vtable, NULL, "liveness", "liveness", "-liveness",
        "alloc 0 64\nresize 0 room+64\n"},
    {"arena", &asks_vtable, NULL, "liveness", "asked", "-liveness,-accounting", "alloc 0 64\nresize 0 72\n"},
    {"arena", &asks_vtable, NULL, "accounting", "account", "-liveness,-accounting",
        "alloc 0 64\nresize 0 9000\n"},
    {"arena", &clean_vtable, stats_of_fewer_heads, "accounting", "account", "-accounting", "alloc 0 64\n"},
    {"libc", &shrinks_nothing_vtable, NULL, "liveness", "liveness", "-liveness", "alloc 0 64\nresize 0 8\n"},
    {"page", &shrinks_nothing_vtable, NULL, "liveness", "liveness", "-liveness", "alloc 0 64\nresize 0 8\n"},
    {"bump", &refuses_the_same_vtable, NULL, "liveness", "liveness", "-liveness",
        "alloc 0 64\nalloc 1 8\nresize 0 64\n"},
    {"raw_libc", &clean_vtable, NULL, "liveness", "liveness", "-liveness", "alloc 0 64\nremap 0 80\n"},
    {"fixed_buffer", &keeps_the_tail_vtable, NULL, "accounting", "account", "-accounting",
        "alloc 0 64\nresize 0 8\n"},
    {"arena", &keeps_the_tail_vtable, NULL, "accounting", "account", "-accounting",
        "alloc 0 64\nresize 0 8\n"},
    {"fixed_buffer", &unit_more_vtable, NULL, "accounting", "account", "-accounting",
        "alloc 0 16 align 16\nfree 0\n"},
    {"fixed_buffer", &padding_vtable, NULL, "accounting", "account", "-accounting",
        "alloc 0 1\nalloc 1 8 align 64\nfree 1\n"},
    {"libc", &loses_it_vtable, NULL, "drain", HY_ASAN ? "leak" : NULL, "-drain", "alloc 0 5000\nfree 0\n"},
    {"page", &maps_more_vtable, NULL, "drain", "leak", "-drain", "alloc 0 8\nfree 0\n"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const plant *now;

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    child = config->child;
    void *made = clean_row->make(clean_row, config, &real);
    *out = (hy_allocator){&real, now->vtable};
    return made;
}

static void each_fault_is_found_by_its_oracle(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(plants); i++) {
        char wanted[40] = "";
        now = &plants[i];
        clean_row = hy_registry_find(now->row);
        hy_row row = *clean_row;
        row.make = make;
        if (now->stats) row.stats = now->stats;
        if (now->finding) snprintf(wanted, sizeof wanted, "finding: %s", now->finding);
        expect((attempt){"conform", clean_row, "", now->seed}, "");
        expect((attempt){"conform", &row, now->oracle, now->seed}, wanted);
        expect((attempt){"conform", &row, "", now->seed}, wanted);
        expect((attempt){"conform", &row, now->without, now->seed}, "");
    }
}

/* A size that no object has is a lie to all that look at blocks: here is what it shows to `refusal`. */
static void run_huge(const void *argument) {
    static hy_child below;
    static char byte;
    char error[256];
    const hy_row row = {.name = "front door"};
    hy_run run = {.row = &row, .child = &below, .greatest = HY_ALIGN_16};
    hy_run_call call = {
        .kind = HY_OP_ALLOC, .size = (uint64_t)PTRDIFF_MAX + 1, .align = HY_ALIGN_1, .ptr = &byte};
    if (!hy_oracles_choose(argument, error, sizeof error)) abort();
    hy_oracles_see(HY_ON_SERVED, &run, &call);
}

static void a_size_that_no_object_has_is_found(void **state) {
    (void)state;
    hy_verdict verdict;
    hy_verdict_of(run_huge, "refusal", 20, &verdict);
    assert_string_equal(verdict.key, "finding: refusal");
    hy_verdict_of(run_huge, "misuse", 20, &verdict);
    assert_string_equal(verdict.key, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found_by_its_oracle),
        cmocka_unit_test(a_size_that_no_object_has_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
