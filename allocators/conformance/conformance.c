/* conformance.c: sets up a check, runs it, and verifies that nothing leaked. */
#include "allocators/conformance/check.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdarg.h>
#include <stdio.h>

#define GREATEST_SIZE_ASKED ((size_t)64 << 10)
#define GREATEST_ALIGN_LOG2_ASKED 14

/* The state of failed checks. An instance may be broken, so it is not used or destroyed; its memory is kept,
 * because the instance may still refer to the child and counter in it. */
static struct { hy_conformance *newest; } abandoned;

bool hy_conformance_fail(hy_conformance *c, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->why, HY_CONFORMANCE_WHY, format, arguments);
    va_end(arguments);
    return false;
}

bool hy_conformance_holds(hy_conformance *c) {
    const char *wrong = hy_blocks_check(&c->blocks);
    if (wrong) return hy_conformance_fail(c, "%s", wrong);
    if (c->row->check && !hy_instance_check(&c->instance)) {
        return hy_conformance_fail(c, "the row's own check of its structure fails");
    }
    return true;
}

bool hy_conformance_applies(const hy_conformance_check *check, const hy_row *row) {
    if (row->missing) return false;
    if ((row->traits & check->needs) != check->needs) return false;
    if (check->needs_one && !(row->traits & check->needs_one)) return false;
    if (check->needs_child && !row->default_child) return false;
    return (row->traits & check->excludes) == 0;
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

static void set_limits(hy_conformance *c) {
    const hy_row *row = c->row;
    c->max_size = GREATEST_SIZE_ASKED;
    if (row->traits & HY_TRAIT_FIXED_BLOCK) c->max_size = least_of(c->max_size, row->default_block_size);
    if (row->traits & HY_TRAIT_FIXED_CAPACITY)
        c->max_size = least_of(c->max_size, row->default_capacity / 16);
    c->max_align_log2 = (uint8_t)least_of(row->greatest_align.log2, GREATEST_ALIGN_LOG2_ASKED);
}

static bool set_up(hy_conformance *c, const hy_row *row) {
    c->row = row;
    c->has_child = false;
    hy_config config = {0};
    if (row->default_child) {
        const hy_row *child_row = hy_registry_near(row, row->default_child);
        if (!child_row || !hy_instance_make(&c->child, child_row, NULL)) {
            return hy_conformance_fail(c, "its default child %s can't be made", row->default_child);
        }
        c->has_child = true;
        hy_counting_shared_init(&c->counter, c->child.allocator);
        config.child = hy_counting_shared_allocator(&c->counter);
    }
    if (!hy_instance_make(&c->instance, row, &config)) {
        if (c->has_child) hy_instance_destroy(&c->child);
        return hy_conformance_fail(c, "it can't be made");
    }
    hy_blocks_init(&c->blocks, c->instance.allocator);
    set_limits(c);
    return true;
}

static bool tear_down(hy_conformance *c) {
    hy_blocks_free_all(&c->blocks);
    hy_instance_destroy(&c->instance);
    if (!c->has_child) return true;
    hy_counts counts = hy_counting_shared_counts(&c->counter);
    hy_instance_destroy(&c->child);
    if (counts.live_bytes == 0 && counts.alloc_count == counts.free_count) return true;
    return hy_conformance_fail(c, "after destroy the child misses %zu bytes in %ju blocks", counts.live_bytes,
        (uintmax_t)(counts.alloc_count - counts.free_count));
}

bool hy_conformance_run(const hy_conformance_check *check, const hy_row *row, char *why) {
    hy_conformance *c = hy_create(hy_libc(), hy_conformance);
    if (!c) {
        snprintf(why, HY_CONFORMANCE_WHY, "no memory for the check itself");
        return false;
    }
    c->why = why;
    bool is_set_up = set_up(c, row);
    if (is_set_up && !check->run(c)) {
        c->older = abandoned.newest;
        abandoned.newest = c;
        return false;
    }
    bool holds = is_set_up && tear_down(c);
    hy_destroy(hy_libc(), c);
    return holds;
}

bool hy_conformance_run_row(const hy_row *row, hy_conformance_listener listener, void *context) {
    size_t count, ran = 0;
    const hy_conformance_check *checks = hy_conformance_checks(&count);
    for (size_t i = 0; i < count; i++) {
        char why[HY_CONFORMANCE_WHY] = "";
        if (!hy_conformance_applies(&checks[i], row)) continue;
        bool holds = hy_conformance_run(&checks[i], row, why);
        if (listener) listener(context, row, &checks[i], holds ? NULL : why);
        if (!holds) return false;
        ran++;
    }
    return ran > 0;
}
