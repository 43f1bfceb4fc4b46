/* validating_test.c: each rule broken once, on either side, and told by its name; and nothing told where
 * nothing is wrong. */
#include "allocators/conformance/dies.h"
#include <heapyard/arena.h>
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/thread_safe.h>
#include <heapyard/validating.h>
#include <pthread.h>

/* A child that answers what it is told to, and damages what it is told to. */
typedef struct scripted {
    void *answer;     /* of the next alloc and remap */
    bool grants;      /* of resize */
    char *damaged;    /* a byte that the next size change overwrites; NULL: none */
    size_t calls;     /* that reached it */
    size_t last_size; /* of the last of them */
} scripted;

static void note(scripted *child, size_t size) {
    child->calls++;
    child->last_size = size;
}

static void *scripted_alloc(void *self, size_t size, hy_align align) {
    (void)align;
    note(self, size);
    return ((scripted *)self)->answer;
}

static bool scripted_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)ptr, (void)old_size, (void)align;
    scripted *child = self;
    note(child, new_size);
    if (child->damaged) *child->damaged ^= 1;
    return child->grants;
}

static void *scripted_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)ptr, (void)old_size, (void)align;
    scripted *child = self;
    note(child, new_size);
    if (child->damaged) *child->damaged ^= 1;
    return child->answer;
}

static void scripted_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)ptr, (void)align;
    note(self, size);
}

static const hy_vtable scripted_vtable = {scripted_alloc, scripted_resize, scripted_remap, scripted_free};

/* What was told. */
typedef struct told {
    size_t count;
    hy_validating_report last;
} told;

static void hear(void *context, const hy_validating_report *report) {
    told *t = context;
    t->count++;
    t->last = *report;
}

/* Both forms over one scripted child, through their vtables: as a caller who leaves the front door out. */
typedef struct bench {
    scripted child;
    told told;
    hy_validating plain;
    hy_validating_indexed indexed;
    hy_allocator forms[2];
} bench;

enum { PLAIN, INDEXED, FORMS };

static char memory[4096] __attribute__((aligned(4096)));

static void set_up(bench *b) {
    memset(b, 0, sizeof *b);
    memset(memory, 0, sizeof memory);
    hy_allocator child = {&b->child, &scripted_vtable};
    hy_validating_options options = {.report = hear, .context = &b->told};
    hy_validating_init(&b->plain, child, &options);
    hy_validating_indexed_init(&b->indexed, child, &options);
    b->forms[PLAIN] = hy_validating_allocator(&b->plain);
    b->forms[INDEXED] = hy_validating_indexed_allocator(&b->indexed);
}

static void tear_down(bench *b) {
    assert_true(hy_validating_check(&b->indexed));
    hy_validating_indexed_deinit(&b->indexed);
}

static void *call_alloc(hy_allocator a, size_t size, unsigned log2) {
    return a.vtable->alloc(a.self, size, (hy_align){(uint8_t)log2});
}

static bool call_resize(hy_allocator a, void *ptr, size_t old_size, size_t new_size, unsigned log2) {
    return a.vtable->resize(a.self, ptr, old_size, new_size, (hy_align){(uint8_t)log2});
}

static void *call_remap(hy_allocator a, void *ptr, size_t old_size, size_t new_size, unsigned log2) {
    return a.vtable->remap(a.self, ptr, old_size, new_size, (hy_align){(uint8_t)log2});
}

static void call_free(hy_allocator a, void *ptr, size_t size, unsigned log2) {
    a.vtable->free(a.self, ptr, size, (hy_align){(uint8_t)log2});
}

/* Exactly one fault since the last look, of that class, in that function, about that value. */
static void expect(bench *b, hy_validating_fault fault, const char *function, uintmax_t value) {
    assert_int_equal(b->told.count, 1);
    assert_string_equal(hy_validating_fault_name(b->told.last.fault), hy_validating_fault_name(fault));
    assert_string_equal(b->told.last.function, function);
    assert_true(b->told.last.value == value);
    assert_true(strlen(b->told.last.rule) > 0);
    b->told.count = 0;
}

static void expect_none(const bench *b) {
    if (b->told.count) {
        fail_msg("%s was told of %s", hy_validating_fault_name(b->told.last.fault), b->told.last.function);
    }
}

/* A live block at `at`, known to both forms. */
static char *live(bench *b, size_t at, size_t size, unsigned log2) {
    b->child.answer = memory + at;
    assert_ptr_equal(call_alloc(b->forms[PLAIN], size, log2), memory + at);
    assert_ptr_equal(call_alloc(b->forms[INDEXED], size, log2), memory + at);
    expect_none(b);
    b->child.calls = 0;
    return memory + at;
}

/* What is wrong in a call that names one block is told by free, resize and remap alike, and does not reach
 * the child. */
static void expect_by_all(bench *b, hy_allocator form, void *ptr, size_t size, unsigned log2,
    hy_validating_fault fault, uintmax_t value) {
    size_t calls = b->child.calls;
    b->child.grants = true;
    b->child.answer = memory;
    call_free(form, ptr, size, log2);
    expect(b, fault, "hy_free", value);
    assert_false(call_resize(form, ptr, size, 8, log2));
    expect(b, fault, "hy_resize", value);
    assert_null(call_remap(form, ptr, size, 8, log2));
    expect(b, fault, "hy_remap", value);
    assert_int_equal(b->child.calls, calls);
}

static void callers_arguments(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    char *ptr = live(&b, 64, 16, 3);
    for (int f = 0; f < FORMS; f++) {
        hy_allocator form = b.forms[f];
        assert_null(call_alloc(form, 0, 3));
        expect(&b, HY_VALIDATING_SIZE, "hy_alloc", 0);
        assert_null(call_alloc(form, 8, 64));
        expect(&b, HY_VALIDATING_ALIGN, "hy_alloc", 64);
        expect_by_all(&b, form, ptr, 0, 3, HY_VALIDATING_SIZE, 0);
        expect_by_all(&b, form, ptr, SIZE_MAX / 2 + 1, 3, HY_VALIDATING_SIZE, SIZE_MAX / 2 + 1);
        expect_by_all(&b, form, ptr, 16, 200, HY_VALIDATING_ALIGN, 200);
        expect_by_all(&b, form, ptr + 1, 16, 3, HY_VALIDATING_UNALIGNED, (uintptr_t)ptr + 1);
        expect_by_all(&b, form, NULL, 16, 3, HY_VALIDATING_POINTER, 0);
        expect_by_all(&b, form, (void *)(UINTPTR_MAX - 7), 16, 3, HY_VALIDATING_POINTER, UINTPTR_MAX - 7);
        assert_false(call_resize(form, ptr, 16, 0, 3));
        expect(&b, HY_VALIDATING_SIZE, "hy_resize", 0);
        assert_null(call_remap(form, ptr, 16, 0, 3));
        expect(&b, HY_VALIDATING_SIZE, "hy_remap", 0);
    }
    assert_int_equal(b.child.calls, 0);
    tear_down(&b);
}

static void callers_blocks(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    hy_allocator form = b.forms[INDEXED];
    char *ptr = live(&b, 64, 32, 4);
    expect_by_all(&b, form, memory + 128, 32, 4, HY_VALIDATING_UNKNOWN, (uintptr_t)memory + 128);
    assert_int_equal(b.told.last.block.address, 0);
    expect_by_all(&b, form, ptr + 16, 16, 4, HY_VALIDATING_UNKNOWN, (uintptr_t)ptr + 16);
    assert_int_equal(b.told.last.block.address, (uintptr_t)ptr);
    expect_by_all(&b, form, ptr, 31, 4, HY_VALIDATING_OTHER_SIZE, 31);
    assert_int_equal(b.told.last.block.size, 32);
    expect_by_all(&b, form, ptr, 32, 3, HY_VALIDATING_OTHER_ALIGN, 8);
    assert_int_equal(b.told.last.block.align.log2, 4);
    call_free(form, ptr, 32, 4);
    expect_none(&b);
    assert_int_equal(b.child.calls, 1);
    expect_by_all(&b, form, ptr, 32, 4, HY_VALIDATING_UNKNOWN, (uintptr_t)ptr);
    tear_down(&b);
}

static void childs_blocks(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    for (int f = 0; f < FORMS; f++) {
        hy_allocator form = b.forms[f];
        b.child.answer = memory + 8;
        assert_null(call_alloc(form, 16, 4));
        expect(&b, HY_VALIDATING_CHILD_UNALIGNED, "the child's alloc", (uintptr_t)memory + 8);
        b.child.answer = (void *)16;
        assert_null(call_alloc(form, 16, 4));
        expect(&b, HY_VALIDATING_CHILD_POINTER, "the child's alloc", 16);
        b.child.answer = (void *)(UINTPTR_MAX - 15);
        assert_null(call_alloc(form, 17, 4));
        expect(&b, HY_VALIDATING_CHILD_POINTER, "the child's alloc", UINTPTR_MAX - 15);
        b.child.answer = memory;
        assert_null(call_alloc(form, SIZE_MAX, 0));
        expect(&b, HY_VALIDATING_CHILD_POINTER, "the child's alloc", (uintptr_t)memory);
        b.child.answer = NULL;
        assert_null(call_alloc(form, SIZE_MAX, 0));
        expect_none(&b);
    }
    assert_int_equal(b.indexed.index.block_count, 0);
    tear_down(&b);
}

static void childs_size_changes(void **state) {
    (void)state;
    for (int f = 0; f < FORMS; f++) {
        bench b;
        set_up(&b);
        hy_allocator form = b.forms[f];
        char *ptr = live(&b, 64, 32, 4);
        b.child.grants = true;
        assert_true(call_resize(form, ptr, 32, 48, 4));
        assert_true(call_resize(form, ptr, 48, 32, 4));
        expect_none(&b);
        b.child.answer = memory + 72;
        assert_ptr_equal(call_remap(form, ptr, 32, 16, 4), memory + 72);
        expect(&b, HY_VALIDATING_CHILD_UNALIGNED, "the child's remap", (uintptr_t)memory + 72);
        if (f == INDEXED) assert_int_equal(b.indexed.index.block_count, 0);
        ptr = live(&b, 512, 32, 4);
        b.child.answer = (void *)64;
        assert_ptr_equal(call_remap(form, ptr, 32, 16, 4), (void *)64);
        expect(&b, HY_VALIDATING_CHILD_POINTER, "the child's remap", 64);
        ptr = live(&b, 1024, 32, 4);
        assert_true(call_resize(form, ptr, 32, SIZE_MAX, 4));
        expect(&b, HY_VALIDATING_CHILD_POINTER, "the child's resize", (uintptr_t)ptr);
        if (f == INDEXED) assert_int_equal(b.indexed.index.block_count, 0);
        assert_true(f == PLAIN || hy_validating_check(&b.indexed));
        hy_validating_indexed_forget(&b.indexed);
        tear_down(&b);
    }
}

/* Each byte that a child may damage, and whether that is seen: shrinking from 32 to 16 keeps 16, a refusal
 * all 32. */
static void childs_damage(void **state) {
    (void)state;
    static const struct {
        size_t at;
        bool refused, told;
    } cases[] = {
        {0, false, true},
        {7, false, true},
        {15, false, true},
        {16, false, false},
        {0, true, true},
        {15, true, true},
        {24, true, true},
        {31, true, true},
    };
    for (int f = 0; f < FORMS; f++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            bench b;
            set_up(&b);
            char *ptr = live(&b, 64, 32, 4);
            b.child.damaged = ptr + cases[i].at;
            b.child.answer = cases[i].refused ? NULL : ptr;
            b.child.grants = !cases[i].refused;
            assert_int_equal(call_resize(b.forms[f], ptr, 32, 16, 4), b.child.grants);
            if (cases[i].told) expect(&b, HY_VALIDATING_CHILD_CONTENTS, "the child's resize", (uintptr_t)ptr);
            size_t size = cases[i].refused ? 32 : 16;
            if (cases[i].refused)
                assert_null(call_remap(b.forms[f], ptr, size, 16, 4));
            else
                assert_ptr_equal(call_remap(b.forms[f], ptr, size, size, 4), ptr);
            if (cases[i].told) expect(&b, HY_VALIDATING_CHILD_CONTENTS, "the child's remap", (uintptr_t)ptr);
            expect_none(&b);
            tear_down(&b);
        }
    }
}

/* A remap that moves a block but not its bytes. */
static void childs_forgetful_move(void **state) {
    (void)state;
    for (int f = 0; f < FORMS; f++) {
        bench b;
        set_up(&b);
        char *ptr = live(&b, 64, 3, 0);
        memcpy(ptr, "abc", 3);
        b.child.answer = memory + 1024;
        memcpy(memory + 1024, "abc", 3);
        assert_ptr_equal(call_remap(b.forms[f], ptr, 3, 100, 0), memory + 1024);
        expect_none(&b);
        b.child.answer = memory + 2048;
        memcpy(memory + 2048, "abx", 3);
        assert_ptr_equal(call_remap(b.forms[f], memory + 1024, 100, 3, 0), memory + 2048);
        expect(&b, HY_VALIDATING_CHILD_CONTENTS, "the child's remap", (uintptr_t)memory + 2048);
        tear_down(&b);
    }
}

/* An arena above poisons what it has not handed out of its chunks. */
static void ends_that_the_user_has_poisoned_are_compared(void **state) {
    (void)state;
    for (int f = 0; f < FORMS; f++) {
        bench b;
        set_up(&b);
        char *ptr = live(&b, 64, 8, 0);
        memcpy(ptr, "abcdefgh", 8);
        b.child.answer = memory + 1024;
        memcpy(memory + 1024, "abcdefgh", 8);
        hy_poison(ptr, 8);
        hy_poison(memory + 1024, 8);
        assert_ptr_equal(call_remap(b.forms[f], ptr, 8, 100, 0), memory + 1024);
        expect_none(&b);
        hy_unpoison(ptr, 8);
        hy_unpoison(memory + 1024, 8);
        tear_down(&b);
    }
}

static void childs_overlap(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    hy_allocator form = b.forms[INDEXED];
    char *low = live(&b, 64, 32, 4), *high = live(&b, 128, 32, 4);
    b.child.answer = high + 16;
    assert_null(call_alloc(form, 32, 4));
    expect(&b, HY_VALIDATING_CHILD_OVERLAP, "the child's alloc", (uintptr_t)high + 16);
    assert_int_equal(b.told.last.block.address, (uintptr_t)high);
    b.child.answer = low;
    assert_null(call_alloc(form, 1, 0));
    expect(&b, HY_VALIDATING_CHILD_OVERLAP, "the child's alloc", (uintptr_t)low);
    b.child.grants = true;
    assert_true(call_resize(form, low, 32, 64, 4));
    assert_true(call_resize(form, low, 64, 65, 4));
    expect(&b, HY_VALIDATING_CHILD_OVERLAP, "the child's resize", (uintptr_t)low);
    call_free(form, low, 65, 4);
    expect(&b, HY_VALIDATING_UNKNOWN, "hy_free", (uintptr_t)low);
    low = live(&b, 64, 32, 4);
    b.child.answer = low;
    assert_ptr_equal(call_remap(form, low, 32, 80, 4), low);
    expect(&b, HY_VALIDATING_CHILD_OVERLAP, "the child's remap", (uintptr_t)low);
    low = live(&b, 64, 32, 4);
    b.child.answer = high + 16;
    assert_ptr_equal(call_remap(form, low, 32, 16, 4), high + 16);
    expect(&b, HY_VALIDATING_CHILD_OVERLAP, "the child's remap", (uintptr_t)high + 16);
    call_free(form, high, 32, 4);
    expect_none(&b);
    assert_int_equal(b.indexed.index.block_count, 0);
    tear_down(&b);
}

/* A walk sees what was damaged behind the index's back. */
static void the_walker_sees_damage(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    char *ptr = live(&b, 64, 32, 4);
    assert_true(hy_validating_check(&b.indexed));
    hy_indexed_block wrong = {64, 8, {3}}, clash;
    assert_true(hy_block_index_reserve(&b.indexed.index));
    assert_true(hy_block_index_add(&b.indexed.index, wrong, &clash));
    assert_false(hy_validating_check(&b.indexed));
    assert_int_equal(hy_block_index_remove(&b.indexed.index, wrong, &clash), HY_BLOCK_INDEX_SAME);
    b.indexed.index.live_bytes = 0;
    assert_false(hy_validating_check(&b.indexed));
    b.indexed.index.live_bytes = 32;
    call_free(b.forms[INDEXED], ptr, 32, 4);
    tear_down(&b);
}

/* Where the index finds no memory the child is not asked, and nothing is lost. */
static void an_index_without_memory_refuses(void **state) {
    (void)state;
    for (uint64_t at = 0; at < 12; at++) {
        hy_failing failing;
        hy_failing_options refusals = {at, HY_FAILING_NEVER, false, 0.0, 0};
        hy_failing_init(&failing, hy_libc(), &refusals);
        hy_counting child = HY_COUNTING_INIT(hy_libc());
        hy_validating_options options = {.index_memory = hy_failing_allocator(&failing)};
        hy_validating_indexed validating;
        hy_validating_indexed_init(&validating, hy_counting_allocator(&child), &options);
        hy_allocator gpa = hy_validating_indexed_allocator(&validating);
        void *blocks[400];
        size_t count = 0;
        while (count < 400 && (blocks[count] = hy_alloc(gpa, 24, HY_ALIGN_8)))
            count++;
        assert_in_range(count, 0, 399);
        assert_int_equal(child.counts.alloc_count, count);
        if (count) assert_true(hy_resize(gpa, blocks[0], 24, 8, HY_ALIGN_8));
        if (count) hy_free(gpa, blocks[0], 8, HY_ALIGN_8);
        for (size_t i = 1; i < count; i++)
            hy_free(gpa, blocks[i], 24, HY_ALIGN_8);
        assert_true(hy_validating_check(&validating));
        assert_int_equal(child.counts.live_bytes, 0);
        hy_validating_indexed_deinit(&validating);
        assert_int_equal(failing.allocated_bytes, failing.freed_bytes);
    }
}

static void a_remap_needs_room_in_the_index_too(void **state) {
    (void)state;
    bench b;
    set_up(&b);
    char *ptr = live(&b, 64, 32, 4);
    hy_failing failing;
    hy_failing_options refusals = {0, HY_FAILING_NEVER, false, 0.0, 0};
    hy_failing_init(&failing, hy_libc(), &refusals);
    while (b.indexed.index.spare_count >= 2) { /* as if a taller tree had used them up */
        hy_indexed_block filler = {(uintptr_t)b.indexed.index.block_count << 20, 1, {0}}, clash;
        assert_true(hy_block_index_add(&b.indexed.index, filler, &clash));
    }
    b.indexed.index.memory = hy_failing_allocator(&failing);
    b.child.answer = memory + 1024;
    assert_null(call_remap(b.forms[INDEXED], ptr, 32, 64, 4));
    assert_int_equal(b.child.calls, 0);
    b.indexed.index.memory = hy_libc();
    hy_validating_indexed_deinit(&b.indexed);
}

/* Nothing is told of a sound child and caller, and what they say comes through. */
static void sound_calls_are_not_told(void **state) {
    (void)state;
    told t = {0};
    hy_validating_options options = {.report = hear, .context = &t};
    hy_arena arena = HY_ARENA_INIT(hy_libc());
    hy_validating_indexed validating;
    hy_validating_indexed_init(&validating, hy_arena_allocator(&arena), &options);
    hy_allocator gpa = hy_validating_indexed_allocator(&validating);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 500; i++) {
            size_t size = i % 60 + 1;
            char *ptr = hy_alloc(gpa, size, hy_align_from_log2((unsigned)(i % 7)));
            assert_non_null(ptr);
            ptr = hy_realloc(gpa, ptr, size, size * 2, hy_align_from_log2((unsigned)(i % 7)));
            assert_non_null(ptr);
            if (i % 3 == 0) hy_free(gpa, ptr, size * 2, hy_align_from_log2((unsigned)(i % 7)));
        }
        assert_true(hy_validating_check(&validating));
        assert_true(validating.index.block_count > 300);
        assert_true(hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0));
        hy_validating_indexed_forget(&validating);
    }
    assert_int_equal(t.count, 0);
    hy_validating_indexed_deinit(&validating);
    hy_arena_deinit(&arena);
}

enum { THREADS = 4, ROUNDS = 3000 };

static void *churn(void *argument) {
    hy_allocator gpa = *(hy_allocator *)argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        char *ptr = hy_alloc(gpa, i % 100 + 1, HY_ALIGN_8);
        memset(ptr, 1, i % 100 + 1);
        ptr = hy_realloc(gpa, ptr, i % 100 + 1, 150, HY_ALIGN_8);
        hy_free(gpa, ptr, 150, HY_ALIGN_8);
    }
    return NULL;
}

static void run_threads(hy_allocator gpa) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &gpa), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* The plain form by itself, the indexed one under a lock. */
static void threads_can_share_them(void **state) {
    (void)state;
    hy_validating plain = HY_VALIDATING_INIT(hy_libc());
    run_threads(hy_validating_allocator(&plain));
    hy_validating_indexed indexed;
    hy_validating_indexed_init(&indexed, hy_libc(), NULL);
    hy_thread_safe shared = HY_THREAD_SAFE_INIT(hy_validating_indexed_allocator(&indexed));
    run_threads(hy_thread_safe_allocator(&shared));
    assert_int_equal(indexed.index.block_count, 0);
    assert_true(hy_validating_check(&indexed));
    hy_thread_safe_deinit(&shared);
    hy_validating_indexed_deinit(&indexed);
}

static void free_twice(void) {
    hy_validating_indexed validating;
    hy_validating_indexed_init(&validating, hy_libc(), NULL);
    hy_allocator gpa = hy_validating_indexed_allocator(&validating);
    void *ptr = hy_alloc(gpa, 32, HY_ALIGN_8);
    call_free(gpa, ptr, 32, 3);
    call_free(gpa, ptr, 32, 3);
}

static void free_with_another_size(void) {
    hy_validating_indexed validating;
    hy_validating_indexed_init(&validating, hy_libc(), NULL);
    hy_allocator gpa = hy_validating_indexed_allocator(&validating);
    call_free(gpa, call_alloc(gpa, 32, 3), 24, 3);
}

static void ask_for_nothing(void) {
    hy_validating validating = HY_VALIDATING_INIT(hy_libc());
    (void)call_alloc(hy_validating_allocator(&validating), 0, 3);
}

static void ask_for_an_alignment_that_is_none(void) {
    hy_validating validating = HY_VALIDATING_INIT(hy_libc());
    (void)call_alloc(hy_validating_allocator(&validating), 8, 70);
}

static void take_from_a_child_that_misaligns(void) {
    scripted child = {.answer = memory + 4};
    hy_validating validating;
    hy_validating_init(&validating, (hy_allocator){&child, &scripted_vtable}, NULL);
    (void)call_alloc(hy_validating_allocator(&validating), 8, 3);
}

static void without_a_callback_the_program_ends(void **state) {
    (void)state;
    assert_dies_saying(free_twice, "must be the start of a live block");
    assert_dies_saying(free_with_another_size, "about the live block of 32 bytes at 0x");
    assert_dies_saying(
        free_with_another_size, "hy_free: got 24 (0x18), must be the size that the block lives with");
    assert_dies_saying(ask_for_nothing, "hy_alloc: got 0 (0x0), must be a size that a block can have");
    assert_dies_saying(ask_for_an_alignment_that_is_none,
        "hy_alloc: got 70 (0x46), must be the logarithm of an alignment: at most 63");
    assert_dies_saying(take_from_a_child_that_misaligns, "the child's alloc: got ");
}

static void every_fault_has_a_name(void **state) {
    (void)state;
    for (int fault = 0; fault < HY_VALIDATING_FAULT_COUNT; fault++) {
        const char *name = hy_validating_fault_name((hy_validating_fault)fault);
        for (int other = 0; other < fault; other++)
            assert_string_not_equal(name, hy_validating_fault_name((hy_validating_fault)other));
    }
    assert_string_equal(hy_validating_fault_name(HY_VALIDATING_FAULT_COUNT), "unknown fault");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_arguments),
        cmocka_unit_test(callers_blocks),
        cmocka_unit_test(childs_blocks),
        cmocka_unit_test(childs_size_changes),
        cmocka_unit_test(childs_damage),
        cmocka_unit_test(childs_forgetful_move),
        cmocka_unit_test(ends_that_the_user_has_poisoned_are_compared),
        cmocka_unit_test(childs_overlap),
        cmocka_unit_test(the_walker_sees_damage),
        cmocka_unit_test(an_index_without_memory_refuses),
        cmocka_unit_test(a_remap_needs_room_in_the_index_too),
        cmocka_unit_test(sound_calls_are_not_told),
        cmocka_unit_test(threads_can_share_them),
        cmocka_unit_test(without_a_callback_the_program_ends),
        cmocka_unit_test(every_fault_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
