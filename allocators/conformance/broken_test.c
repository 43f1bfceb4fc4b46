/* broken_test.c: proves that the suite detects faults: allocators with one fault each, and the check that
 * must find it.
 *
 * Each runs in a process of its own, because a broken allocator may crash it; at check level 2 the front door
 * aborts some of them before the suite reports anything, which counts as found.
 */
#include "allocators/conformance/check.h"
#include "allocators/conformance/dies.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <pthread.h>

typedef enum fault {
    FAULT_NONE,
    FAULT_MISALIGNED,
    FAULT_SERVES_ANY_ALIGNMENT,
    FAULT_OVERLAPPING,
    FAULT_WRAPS,
    FAULT_REFUSES_LARGE,
    FAULT_REMAP_LOSES_CONTENTS,
    FAULT_REMAP_LOSES_ALIGNMENT,
    FAULT_NEVER_RESIZES,
    FAULT_RESIZE_LIES,
    FAULT_RESIZE_SCRIBBLES,
    FAULT_LEAKS,
    FAULT_OTHER_THREADS_SHARE,
    FAULT_USED_IS_LOW,
    FAULT_OWNS_EVERYTHING,
    FAULT_CHECK_FAILS,
    FAULT_FORGETS_ON_REFUSAL,
} fault;

/* Forwards to its child, apart from its fault. */
typedef struct broken {
    hy_allocator child;
    fault fault;
    void *shared; /* the block that a fault hands out twice, or damages */
    pthread_t creator;
} broken;

static fault planted;          /* the fault of the next instance */
static hy_allocator last_made; /* the newest instance */

static void *alloc(void *self, size_t size, hy_align align) {
    broken *b = self;
    if (b->fault == FAULT_REFUSES_LARGE && size > 1000) return NULL;
    if (b->fault == FAULT_WRAPS) size = (size + 15) & ~(size_t)15;
    if (b->fault == FAULT_WRAPS && size == 0) size = 16;
    if (b->fault == FAULT_SERVES_ANY_ALIGNMENT && align.log2 > 12) align.log2 = 12;
    if (b->fault == FAULT_OTHER_THREADS_SHARE && !pthread_equal(b->creator, pthread_self())) return b->shared;
    if (b->fault == FAULT_OVERLAPPING && b->shared && size <= 8) return b->shared;
    size_t more = b->fault == FAULT_MISALIGNED ? 64 : 0;
    char *ptr = hy_alloc(b->child, size + more, align);
    if (b->fault == FAULT_FORGETS_ON_REFUSAL && !ptr && b->shared) memset(b->shared, 0, 1);
    if (b->fault == FAULT_OVERLAPPING && !b->shared) b->shared = ptr;
    if (b->fault == FAULT_FORGETS_ON_REFUSAL && ptr) b->shared = ptr;
    return ptr && b->fault == FAULT_MISALIGNED ? ptr + 1 : ptr;
}

static bool resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    broken *b = self;
    if (b->fault == FAULT_RESIZE_LIES) return true;
    if (b->fault == FAULT_RESIZE_SCRIBBLES) memset(ptr, 0, 1);
    if (b->fault == FAULT_MISALIGNED || b->fault == FAULT_NEVER_RESIZES) return false;
    return b->child.vtable->resize(b->child.self, ptr, old_size, new_size, align);
}

static void *remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    broken *b = self;
    if (b->fault != FAULT_REMAP_LOSES_CONTENTS && b->fault != FAULT_REMAP_LOSES_ALIGNMENT) return NULL;
    char *moved = hy_alloc(b->child, new_size + 16, align);
    if (!moved) return NULL;
    if (b->fault == FAULT_REMAP_LOSES_CONTENTS) return memset(moved, 0, new_size);
    return memcpy(moved + 16, ptr, old_size < new_size ? old_size : new_size);
}

static bool keeps_freed_blocks(fault f) {
    return f == FAULT_LEAKS || f == FAULT_OVERLAPPING || f == FAULT_MISALIGNED ||
           f == FAULT_REMAP_LOSES_ALIGNMENT;
}

static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    broken *b = self;
    if (keeps_freed_blocks(b->fault)) return;
    if (b->fault == FAULT_OTHER_THREADS_SHARE && b->shared == ptr) return;
    if (b->fault == FAULT_FORGETS_ON_REFUSAL && b->shared == ptr) b->shared = NULL;
    b->child.vtable->free(b->child.self, ptr, size, align);
}

static const hy_vtable vtable = {alloc, resize, remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    broken *b = hy_create(hy_libc(), broken);
    if (!b) return NULL;
    *b = (broken){.child = config->child, .fault = planted, .creator = pthread_self()};
    if (planted == FAULT_OTHER_THREADS_SHARE) b->shared = hy_alloc(hy_libc(), 8192, HY_ALIGN_64);
    *out = last_made = (hy_allocator){b, &vtable};
    return b;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (broken *)instance);
}

static bool reset(void *instance, hy_reset_mode mode, size_t limit) {
    (void)instance, (void)mode, (void)limit;
    return true;
}

static bool owns(void *instance, const void *ptr) {
    (void)ptr;
    return ((broken *)instance)->fault == FAULT_OWNS_EVERYTHING;
}

static bool check(void *instance) {
    return ((broken *)instance)->fault != FAULT_CHECK_FAILS;
}

static bool stats(void *instance, hy_stats *out) {
    size_t used = ((broken *)instance)->fault == FAULT_USED_IS_LOW ? 0 : SIZE_MAX;
    *out = (hy_stats){SIZE_MAX, used, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    return true;
}

typedef struct plant {
    const char *check; /* the one that must find the fault */
    fault fault;
    hy_traits traits; /* of the row */
    const char *child;
} plant;

#define THROUGH_FREES (HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE)

static const plant plants[] = {
    {"alignment", FAULT_MISALIGNED, 0, "libc"},
    {"alignment_above_greatest", FAULT_SERVES_ANY_ALIGNMENT, 0, "libc"},
    {"no_overlap", FAULT_OVERLAPPING, 0, "libc"},
    {"overflow", FAULT_WRAPS, 0, "libc"},
    {"serves", FAULT_REFUSES_LARGE, 0, "libc"},
    {"realloc_keeps_contents", FAULT_REMAP_LOSES_CONTENTS, 0, "libc"},
    {"remap_keeps_contents", FAULT_REMAP_LOSES_CONTENTS, 0, "libc"},
    {"remap_keeps_alignment", FAULT_REMAP_LOSES_ALIGNMENT, 0, "libc"},
    {"resize_keeps_contents", FAULT_RESIZE_LIES, 0, "fixed_buffer"},
    {"resize_keeps_contents", FAULT_RESIZE_SCRIBBLES, 0, "libc"},
    {"freed_memory_serves", FAULT_LEAKS, THROUGH_FREES, "libc"},
    {"typed_layer", FAULT_LEAKS, 0, "libc"},
    {"last_free_gives_back", FAULT_LEAKS, HY_TRAIT_FREE_LAST, "libc"},
    {"destroy_with_live_blocks", FAULT_NONE, HY_TRAIT_BULK_RESET, "libc"},
    {"bulk_reset", FAULT_USED_IS_LOW, HY_TRAIT_BULK_RESET, "libc"},
    {"grow_in_place", FAULT_NEVER_RESIZES, HY_TRAIT_GROW_IN_PLACE, "libc"},
    {"fixed_capacity", FAULT_NONE, HY_TRAIT_FIXED_CAPACITY, "fixed_buffer"},
    {"full_then_freed", FAULT_LEAKS, HY_TRAIT_FIXED_CAPACITY | HY_TRAIT_FREE_LAST, "fixed_buffer"},
    {"fixed_block", FAULT_NONE, HY_TRAIT_FIXED_BLOCK, "libc"},
    {"refuses_all", FAULT_NONE, HY_TRAIT_REFUSES_ALL, "libc"},
    {"threads", FAULT_OTHER_THREADS_SHARE, HY_TRAIT_THREAD_SAFE, "libc"},
    {"accounts_agree", FAULT_USED_IS_LOW, 0, "libc"},
    {"accounts_agree", FAULT_OWNS_EVERYTHING, 0, "libc"},
    {"accounts_agree", FAULT_CHECK_FAILS, 0, "libc"},
    {"child_refuses", FAULT_FORGETS_ON_REFUSAL, 0, "libc"},
    {"child_refuses", FAULT_LEAKS, 0, "libc"},
};

/* A row with only the functions that the fault needs, so that no other fault can be found. */
static hy_row row_of(const plant *p) {
    return (hy_row){
        .name = "broken",
        .group = HY_GROUP_DECORATOR,
        .summary = "an allocator with a fault",
        .traits = p->traits,
        .greatest_align = {12},
        .default_child = p->child,
        .default_block_size = p->traits & HY_TRAIT_FIXED_BLOCK ? 64 : 0,
        .default_capacity = p->traits & HY_TRAIT_FIXED_CAPACITY ? (size_t)1 << 18 : 0,
        .make = make,
        .destroy = destroy,
        .reset = p->traits & HY_TRAIT_BULK_RESET ? reset : NULL,
        .owns = p->fault == FAULT_OWNS_EVERYTHING ? owns : NULL,
        .check = p->fault == FAULT_CHECK_FAILS ? check : NULL,
        .stats = p->fault == FAULT_USED_IS_LOW ? stats : NULL,
    };
}

static const hy_conformance_check *check_named(const char *name) {
    size_t count;
    const hy_conformance_check *checks = hy_conformance_checks(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(checks[i].name, name) == 0) return &checks[i];
    }
    return NULL;
}

static const plant *current;

/* Exits with 0 where the check finds nothing. */
static void run_current(void) {
    char why[HY_CONFORMANCE_WHY] = "";
    hy_row row = row_of(current);
    planted = current->fault;
    const hy_conformance_check *named = check_named(current->check);
    if (!named || !hy_conformance_applies(named, &row)) _exit(0);
    if (hy_conformance_run(named, &row, why)) _exit(0);
    fprintf(stderr, "%s finds: %s\n", current->check, why);
    _exit(1);
}

static void each_fault_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        current = &plants[i];
        if (status_of_child(run_current, STDERR_FILENO) == 0)
            fail_msg("%s does not find fault %d", current->check, (int)current->fault);
    }
}

/* The same allocator without a fault passes, so it is the fault that the checks above find. */
static void without_a_fault_nothing_is_found(void **state) {
    (void)state;
    const plant sound = {"", FAULT_NONE, HY_TRAIT_THREAD_SAFE | THROUGH_FREES, "libc"};
    hy_row row = row_of(&sound);
    planted = FAULT_NONE;
    size_t count;
    const hy_conformance_check *checks = hy_conformance_checks(&count);
    for (size_t i = 0; i < count; i++) {
        char why[HY_CONFORMANCE_WHY] = "";
        if (!hy_conformance_applies(&checks[i], &row)) continue;
        if (strcmp(checks[i].name, "alignment_above_greatest") == 0) continue;
        if (!hy_conformance_run(&checks[i], &row, why)) fail_msg("%s: %s", checks[i].name, why);
    }
}

/* The instance of a failed check must stay usable, because threads of its own or exit handlers may still use
 * it. */
static void a_failed_instance_stays_usable(void **state) {
    (void)state;
    const plant small = {"serves", FAULT_REFUSES_LARGE, 0, "libc"};
    hy_row row = row_of(&small);
    planted = small.fault;
    char why[HY_CONFORMANCE_WHY] = "";
    assert_false(hy_conformance_run(check_named(small.check), &row, why));
    assert_non_null(strstr(why, "refused"));
    void *ptr = hy_alloc(last_made, 24, HY_ALIGN_8);
    assert_non_null(ptr);
    hy_free(last_made, ptr, 24, HY_ALIGN_8);
}

static void every_check_has_a_fault(void **state) {
    (void)state;
    size_t count;
    const hy_conformance_check *checks = hy_conformance_checks(&count);
    for (size_t i = 0; i < count; i++) {
        bool found =
            strcmp(checks[i].name, "zero_size") == 0; /* handled by the front door, which no row can break */
        for (size_t p = 0; p < sizeof plants / sizeof plants[0]; p++)
            found |= strcmp(plants[p].check, checks[i].name) == 0;
        if (!found) fail_msg("no fault shows that %s can fail", checks[i].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found),
        cmocka_unit_test(without_a_fault_nothing_is_found),
        cmocka_unit_test(a_failed_instance_stays_usable),
        cmocka_unit_test(every_check_has_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
