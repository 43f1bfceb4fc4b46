/* validating.c: holds both sides to the contract.
 *
 * For: trying out an allocator of one's own, as the layer below it (its own requests) and above it (what
 *   it hands out); a stack in a test, or in production where the few comparisons are worth a clear message.
 *   Not for: writes past a block's end or after its free, nor stacks of who allocated: `debug` sees those.
 * Algorithm: comparisons before and after the child's call. A size change is held to its word by both ends
 *   of the bytes that must survive it, which are copied before and compared after. The form with an index
 *   enters each block once the child has given it, and takes it out before the child gets it back:
 *
 *     alloc:  arguments? -> room in the index? -> child -> can it be a block? -> does it overlap?
 *     free:   arguments? -> known, same size and alignment? -> child
 *
 * Cost: two calls through the vtable and some twenty instructions a pair; with the index two walks down a
 *   tree. Overhead per block: none; with the index 18 to 72 bytes beside the blocks.
 * Thread-safe: hy_validating where child and callback are, hy_validating_indexed no.
 * Source: Zig's ValidationAllocator for the first form.
 */
#include <heapyard/libc.h>
#include <heapyard/validating.h>
#include <stdio.h>

/* Which call is being judged: as its caller knows it, and as the child's. */
typedef struct call_names {
    const char *caller;
    const char *child;
} call_names;

static const call_names of_alloc = {"hy_alloc", "the child's alloc"};
static const call_names of_resize = {"hy_resize", "the child's resize"};
static const call_names of_remap = {"hy_remap", "the child's remap"};
static const call_names of_free = {"hy_free", "the child's free"};

static const struct {
    const char *name;
    const char *rule;
} faults[HY_VALIDATING_FAULT_COUNT] = {
    [HY_VALIDATING_SIZE] = {"size", "a size that a block can have: above 0, at most PTRDIFF_MAX"},
    [HY_VALIDATING_ALIGN] = {"align",
        "the logarithm of an alignment: at most 63 (31 where size_t is 32-bit)"},
    [HY_VALIDATING_POINTER] = {"pointer", "an address where a block of that size can lie"},
    [HY_VALIDATING_UNALIGNED] = {"unaligned", "a pointer aligned as the block lives with"},
    [HY_VALIDATING_UNKNOWN] = {"unknown", "the start of a live block (is it freed already, or foreign?)"},
    [HY_VALIDATING_OTHER_SIZE] = {"other size", "the size that the block lives with"},
    [HY_VALIDATING_OTHER_ALIGN] = {"other align", "the alignment that the block lives with"},
    [HY_VALIDATING_CHILD_UNALIGNED] = {"child unaligned", "a block aligned as asked"},
    [HY_VALIDATING_CHILD_POINTER] = {"child pointer", "an address where a block of that size can lie"},
    [HY_VALIDATING_CHILD_CONTENTS] = {"child contents", "a block whose first and last bytes are kept"},
    [HY_VALIDATING_CHILD_OVERLAP] = {"child overlap", "a block that shares no byte with a live one"},
};

const char *hy_validating_fault_name(hy_validating_fault fault) {
    return (unsigned)fault < HY_VALIDATING_FAULT_COUNT ? faults[fault].name : "unknown fault";
}

static void set_up(hy_validating *v, hy_allocator child, const hy_validating_options *options) {
    *v = (hy_validating){.child = child};
    if (!options) return;
    v->report = options->report;
    v->context = options->context;
}

void hy_validating_init(hy_validating *validating, hy_allocator child, const hy_validating_options *options) {
    hy_require_child(child, "hy_validating_init");
    set_up(validating, child, options);
}

/* Reports a fault; `block` is the live one that it is about, or NULL. */
static HY_COLD void report_fault(const hy_validating *v, hy_validating_fault fault, const char *function,
    uintmax_t value, const hy_indexed_block *block) {
    hy_validating_report report = {.fault = fault, .function = function, .value = value};
    report.rule = faults[fault].rule;
    if (block) report.block = *block;
    if (v->report) {
        v->report(v->context, &report);
        return;
    }
    if (report.block.address) {
        fprintf(stderr, "heapyard: about the live block of %zu bytes at 0x%jx, aligned to %zu\n",
            report.block.size, (uintmax_t)report.block.address, hy_align_bytes(report.block.align));
    }
    hy_misuse(function, value, report.rule);
}

/* The caller's arguments can't be a block: why. */
static HY_COLD void report_arguments(
    const hy_validating *v, call_names names, const void *ptr, size_t size, hy_align align) {
    if (align.log2 > HY_ALIGN_LOG2_MAX)
        report_fault(v, HY_VALIDATING_ALIGN, names.caller, align.log2, NULL);
    else if (size == 0 || size > PTRDIFF_MAX)
        report_fault(v, HY_VALIDATING_SIZE, names.caller, size, NULL);
    else if (!hy_align_check_pointer(ptr, align))
        report_fault(v, HY_VALIDATING_UNALIGNED, names.caller, (uintptr_t)ptr, NULL);
    else
        report_fault(v, HY_VALIDATING_POINTER, names.caller, (uintptr_t)ptr, NULL);
}

/* What the child gave can't be a block: why. */
static HY_COLD void report_result(const hy_validating *v, call_names names, const void *ptr, hy_align align) {
    bool aligned = hy_align_check_pointer(ptr, align);
    report_fault(v, aligned ? HY_VALIDATING_CHILD_POINTER : HY_VALIDATING_CHILD_UNALIGNED, names.child,
        (uintptr_t)ptr, NULL);
}

void *hy_validating_wrong_request(hy_validating *validating, size_t size, hy_align align) {
    if (size == 0)
        report_fault(validating, HY_VALIDATING_SIZE, of_alloc.caller, 0, NULL);
    else
        report_fault(validating, HY_VALIDATING_ALIGN, of_alloc.caller, align.log2, NULL);
    return NULL;
}

void *hy_validating_wrong_block(hy_validating *validating, void *ptr, size_t size, hy_align align) {
    (void)size;
    if (ptr) report_result(validating, of_alloc, ptr, align);
    return NULL;
}

void hy_validating_wrong_free(hy_validating *validating, void *ptr, size_t size, hy_align align) {
    report_arguments(validating, of_free, ptr, size, align);
}

#define END_BYTES 8

/* Both ends of what a size change must keep, and the end of what a refusal must. */
typedef struct ends {
    size_t count;     /* bytes of each that count */
    size_t kept_size; /* survive a change */
    size_t old_size;  /* survive a refusal */
    char first[END_BYTES], last_kept[END_BYTES], last[END_BYTES];
} ends;

/* The copies are ours: what the user never wrote is as good as any other byte in them, and so is what an
 * allocator above has poisoned of its block because it has not handed it out. */
HY_NO_SANITIZE_ADDRESS static void copy_end(char *copy, const char *from, size_t count) {
#if HY_ASAN
    for (size_t i = 0; i < count; i++)
        copy[i] = ((const volatile char *)from)[i];
#else
    memcpy(copy, from, count);
#endif
    hy_unpoison_defined(copy, count);
}

static bool same_end(const char *copy, const char *from, size_t count) {
    char now[END_BYTES];
    copy_end(now, from, count);
    return memcmp(copy, now, count) == 0;
}

static ends look_at_ends(const char *ptr, size_t old_size, size_t new_size) {
    ends e = {.kept_size = old_size < new_size ? old_size : new_size, .old_size = old_size};
    e.count = e.kept_size < END_BYTES ? e.kept_size : END_BYTES;
    HY_ASSERT(e.count != 0, "a size change that keeps no byte was let through");
    copy_end(e.first, ptr, e.count);
    copy_end(e.last_kept, ptr + e.kept_size - e.count, e.count);
    copy_end(e.last, ptr + e.old_size - e.count, e.count);
    return e;
}

static bool ends_are_kept(const ends *e, const char *ptr, bool refused) {
    return same_end(e->first, ptr, e->count) &&
           same_end(e->last_kept, ptr + e->kept_size - e->count, e->count) &&
           (!refused || same_end(e->last, ptr + e->old_size - e->count, e->count));
}

/* Whether a size change may be asked for; reports why not. */
static bool may_change(
    const hy_validating *v, call_names names, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (HY_UNLIKELY(!hy_validating_can_be(ptr, old_size, align))) {
        report_arguments(v, names, ptr, old_size, align);
        return false;
    }
    if (HY_LIKELY(new_size != 0)) return true;
    report_fault(v, HY_VALIDATING_SIZE, names.caller, 0, NULL);
    return false;
}

/* Holds a changed block, or a refusal, to its word. `now` is where the block lies. */
static void judge_change(const hy_validating *v, call_names names, const ends *e, const char *now,
    bool refused, size_t size, hy_align align) {
    if (HY_UNLIKELY(!hy_validating_can_be(now, size, align)))
        report_result(v, names, now, align);
    else if (HY_UNLIKELY(!ends_are_kept(e, now, refused)))
        report_fault(v, HY_VALIDATING_CHILD_CONTENTS, names.child, (uintptr_t)now, NULL);
}

/* The child's resize, judged; the arguments are right. */
static bool child_resize(
    const hy_validating *v, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    ends e = look_at_ends(ptr, old_size, new_size);
    bool done = v->child.vtable->resize(v->child.self, ptr, old_size, new_size, align);
    judge_change(v, of_resize, &e, ptr, !done, done ? new_size : old_size, align);
    return done;
}

static void *child_remap(
    const hy_validating *v, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    ends e = look_at_ends(ptr, old_size, new_size);
    void *moved = v->child.vtable->remap(v->child.self, ptr, old_size, new_size, align);
    judge_change(v, of_remap, &e, moved ? moved : ptr, !moved, moved ? new_size : old_size, align);
    return moved;
}

bool hy_validating_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_validating *v = self;
    return may_change(v, of_resize, ptr, old_size, new_size, align) &&
           child_resize(v, ptr, old_size, new_size, align);
}

void *hy_validating_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_validating *v = self;
    if (!may_change(v, of_remap, ptr, old_size, new_size, align)) return NULL;
    return child_remap(v, ptr, old_size, new_size, align);
}

void hy_validating_indexed_init(
    hy_validating_indexed *validating, hy_allocator child, const hy_validating_options *options) {
    hy_require_child(child, "hy_validating_indexed_init");
    set_up(&validating->base, child, options);
    bool given = options && options->index_memory.vtable;
    validating->index = (hy_block_index)HY_BLOCK_INDEX_INIT(given ? options->index_memory : hy_libc());
}

void hy_validating_indexed_deinit(hy_validating_indexed *validating) {
    hy_block_index_deinit(&validating->index);
}

void hy_validating_indexed_forget(hy_validating_indexed *validating) {
    hy_block_index_deinit(&validating->index);
}

static void look_at_block(void *context, hy_indexed_block block) {
    bool *all_can_be = context;
    *all_can_be &= hy_validating_can_be((const void *)block.address, block.size, block.align);
}

bool hy_validating_check(const hy_validating_indexed *validating) {
    if (!hy_block_index_check(&validating->index)) return false;
    bool all_can_be = true;
    hy_block_index_each(&validating->index, look_at_block, &all_can_be);
    return all_can_be;
}

/* The caller says something else of a block than the index. */
static HY_COLD void report_mismatch(const hy_validating *v, call_names names, hy_block_index_result result,
    hy_indexed_block said, const hy_indexed_block *found) {
    if (result == HY_BLOCK_INDEX_UNKNOWN)
        report_fault(v, HY_VALIDATING_UNKNOWN, names.caller, said.address, found);
    else if (found->size != said.size)
        report_fault(v, HY_VALIDATING_OTHER_SIZE, names.caller, said.size, found);
    else
        report_fault(v, HY_VALIDATING_OTHER_ALIGN, names.caller, hy_align_bytes(said.align), found);
}

static HY_COLD void report_overlap(
    const hy_validating *v, call_names names, const void *ptr, const hy_indexed_block *clash) {
    report_fault(v, HY_VALIDATING_CHILD_OVERLAP, names.child, (uintptr_t)ptr, clash);
}

void *hy_validating_indexed_alloc(void *self, size_t size, hy_align align) {
    hy_validating_indexed *v = self;
    if (HY_UNLIKELY(!hy_validating_can_ask(size, align)))
        return hy_validating_wrong_request(&v->base, size, align);
    if (HY_UNLIKELY(!hy_block_index_reserve(&v->index))) return NULL;
    void *ptr = v->base.child.vtable->alloc(v->base.child.self, size, align);
    if (HY_UNLIKELY(!hy_validating_can_be(ptr, size, align)))
        return hy_validating_wrong_block(&v->base, ptr, size, align);
    hy_indexed_block clash;
    if (HY_LIKELY(hy_block_index_add(&v->index, (hy_indexed_block){(uintptr_t)ptr, size, align}, &clash)))
        return ptr;
    report_overlap(&v->base, of_alloc, ptr, &clash);
    return NULL;
}

void hy_validating_indexed_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_validating_indexed *v = self;
    if (HY_UNLIKELY(!hy_validating_can_be(ptr, size, align))) {
        hy_validating_wrong_free(&v->base, ptr, size, align);
        return;
    }
    hy_indexed_block said = {(uintptr_t)ptr, size, align}, found;
    hy_block_index_result result = hy_block_index_remove(&v->index, said, &found);
    if (HY_LIKELY(result == HY_BLOCK_INDEX_SAME))
        v->base.child.vtable->free(v->base.child.self, ptr, size, align);
    else
        report_mismatch(&v->base, of_free, result, said, &found);
}

/* Whether the caller may change a block, and knows it as the index does. */
static bool may_change_indexed(const hy_validating_indexed *v, call_names names, void *ptr, size_t old_size,
    size_t new_size, hy_align align) {
    if (!may_change(&v->base, names, ptr, old_size, new_size, align)) return false;
    hy_indexed_block said = {(uintptr_t)ptr, old_size, align}, found;
    hy_block_index_result result = hy_block_index_find(&v->index, said, &found);
    if (HY_UNLIKELY(result != HY_BLOCK_INDEX_SAME)) report_mismatch(&v->base, names, result, said, &found);
    return result == HY_BLOCK_INDEX_SAME;
}

/* The block has another size where it lies. One that no block can have was reported already. */
static void enter_resize(
    hy_validating_indexed *v, call_names names, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_indexed_block clash, found;
    bool can_be = hy_validating_can_be(ptr, new_size, align);
    if (HY_LIKELY(can_be && hy_block_index_resize(&v->index, (uintptr_t)ptr, new_size, &clash))) return;
    (void)hy_block_index_remove(&v->index, (hy_indexed_block){(uintptr_t)ptr, old_size, align}, &found);
    if (can_be) report_overlap(&v->base, names, ptr, &clash);
}

/* The block lies elsewhere. */
static void enter_move(hy_validating_indexed *v, hy_indexed_block old, hy_indexed_block moved) {
    hy_indexed_block other;
    (void)hy_block_index_remove(&v->index, old, &other);
    if (HY_UNLIKELY(!hy_validating_can_be((const void *)moved.address, moved.size, moved.align))) return;
    if (HY_LIKELY(hy_block_index_add(&v->index, moved, &other))) return;
    report_overlap(&v->base, of_remap, (const void *)moved.address, &other);
}

bool hy_validating_indexed_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_validating_indexed *v = self;
    if (!may_change_indexed(v, of_resize, ptr, old_size, new_size, align)) return false;
    if (!child_resize(&v->base, ptr, old_size, new_size, align)) return false;
    enter_resize(v, of_resize, ptr, old_size, new_size, align);
    return true;
}

void *hy_validating_indexed_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_validating_indexed *v = self;
    if (!may_change_indexed(v, of_remap, ptr, old_size, new_size, align)) return NULL;
    if (HY_UNLIKELY(!hy_block_index_reserve(&v->index))) return NULL;
    void *moved = child_remap(&v->base, ptr, old_size, new_size, align);
    if (!moved) return NULL;
    if (moved == ptr)
        enter_resize(v, of_remap, ptr, old_size, new_size, align);
    else
        enter_move(v, (hy_indexed_block){(uintptr_t)ptr, old_size, align},
            (hy_indexed_block){(uintptr_t)moved, new_size, align});
    return moved;
}
