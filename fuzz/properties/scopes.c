/* scopes.c: what is ambient within a block is again what it was behind it, and what a block registered runs
 * on every way out, the last one first.
 *
 *   byte 0 …      an operation (low nibble) and how it is done (high nibble), and its operands
 *
 * An exhausted input reads 0, which ends a block. Blocks are entered by recursion, so that the input is a
 * program of blocks within blocks. The model is the number of the allocator that should be ambient, a list of
 * what should have run, and who made each ambient block.
 */
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <heapyard/counting.h>
#include <heapyard/libc.h>
#include <heapyard/scope.h>
#include <heapyard/typed.h>
#include <setjmp.h>

#define ALLOCATORS 3
#define BLOCKS 8
#define DEPTH_MAX 12
#define RAN_MAX 4096

/* An ambient block. size: 0: there is none; owner: the number of the allocator that was ambient. */
typedef struct block {
    unsigned char *ptr;
    size_t size;
    size_t owner;
} block;

static struct {
    hy_counting counting[ALLOCATORS];
    block blocks[BLOCKS];
    size_t ambient; /* the number of the one that should be */
    uint8_t ran[RAN_MAX];
    size_t ran_count;
    size_t count, depth;
    const uint8_t *next, *end;
} state;

static void run_block(void);

static uint8_t take(void) {
    return state.next < state.end ? *state.next++ : 0;
}

static hy_allocator allocator_of(size_t number) {
    return hy_counting_allocator(&state.counting[number]);
}

static void expect_ambient(const char *where) {
    hy_allocator ambient = hy_ambient(), expected = allocator_of(state.ambient);
    if (ambient.self != expected.self || ambient.vtable->alloc != expected.vtable->alloc)
        hy_finding("scopes", "another allocator than %zu is ambient %s", state.ambient, where);
}

/* ---- ambient blocks ---- */

static void expect_bytes(const block *it, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (it->ptr[i] != (unsigned char)(it->owner + 1))
            hy_finding("scopes", "an ambient block of %zu bytes has other ones", it->size);
}

static void do_alloc(uint8_t how) {
    block *it = &state.blocks[how % BLOCKS];
    size_t size = (size_t)take() + 1;
    if (it->size && it->owner != state.ambient) return; /* that would be misuse */
    size_t before = state.counting[state.ambient].counts.live_bytes - (it->size ? it->size + 16 : 0);
    unsigned char *ptr = hy_ambient_realloc(it->size ? it->ptr : NULL, size);
    if (!ptr) hy_finding("scopes", "%zu ambient bytes were refused", size);
    *it = (block){ptr, size, state.ambient};
    memset(ptr, (int)(it->owner + 1), size);
    if (state.counting[state.ambient].counts.live_bytes != before + size + 16)
        hy_finding("scopes", "an ambient block is not of the ambient allocator");
}

static void do_free(uint8_t how) {
    block *it = &state.blocks[how % BLOCKS];
    if (!it->size || it->owner != state.ambient) return;
    expect_bytes(it, it->size);
    hy_ambient_free(it->ptr);
    it->size = 0;
}

/* ---- blocks of code ---- */

static jmp_buf *place;

static void enter_named(uint8_t how, size_t number) {
    HY_USING(allocator_of(number)) {
        run_block();
        if (how == 0) break;
        if (how == 1) goto out;
        if (how == 2) return;
        if (how == 3) longjmp(*place, 1);
    }
out:
    return;
}

static void enter_rest(uint8_t how, size_t number) {
    for (int turn = 0; turn < 2; turn++) {
        HY_USING_FROM_HERE(allocator_of(number));
        run_block();
        if (how & 1) continue;
        break;
    }
}

static void do_using(uint8_t how) {
    size_t outer = state.ambient, number = take() % ALLOCATORS, depth = state.depth;
    hy_ambient_mark mark = hy_ambient_save();
    jmp_buf here, *before = place;
    place = &here;
    if (setjmp(here) == 0) {
        state.ambient = number;
        how & 8 ? enter_rest(how, number) : enter_named(how & 3, number);
    } else {
        hy_ambient_restore(&mark);
    }
    place = before;
    state.depth = depth;
    state.ambient = outer;
    expect_ambient("behind a block");
}

/* ---- what runs on the way out ---- */

static uint8_t one = 1, two = 2, three = 3, four = 4;

static void note(void *number) {
    if (state.ran_count == RAN_MAX) return;
    state.ran[state.ran_count++] = *(uint8_t *)number;
}

static hy_error leave(uint8_t how, void **kept) {
    HY_ERROR_SCOPE();
    HY_DEFER(note, &one);
    void *ptr = hy_alloc(hy_libc(), 10, HY_ALIGN_8);
    if (!ptr) return HY_OUT_OF_MEMORY;
    HY_ERRDEFER_FREE(hy_libc(), ptr, 10, HY_ALIGN_8);
    HY_ERRDEFER(note, &two);
    void *scratch = hy_alloc(allocator_of(state.ambient), 20, HY_ALIGN_8);
    HY_DEFER_FREE(allocator_of(state.ambient), scratch, 20, HY_ALIGN_8);
    HY_DEFER(note, &three);
    if (how & 4) {
        HY_ERROR_SCOPE();
        HY_ERRDEFER(note, &four);
        if (how & 8) HY_SUCCEED();
    }
    if ((how & 3) == 0) return HY_INVALID;
    if ((how & 3) == 1) return HY_RESULT(HY_INVALID);
    *kept = ptr;
    if ((how & 3) == 2) return HY_RESULT(HY_OK);
    return HY_SUCCESS(HY_OK);
}

static void do_leave(uint8_t how) {
    void *kept = NULL;
    size_t live = state.counting[state.ambient].counts.live_bytes;
    state.ran_count = 0;
    hy_error error = leave(how, &kept);
    bool fails = (how & 3) < 2;
    uint8_t expected[4];
    size_t count = 0;
    if ((how & 12) == 4) expected[count++] = 4;
    expected[count++] = 3;
    if (fails) expected[count++] = 2;
    expected[count++] = 1;
    if (state.ran_count != count || memcmp(state.ran, expected, count) != 0)
        hy_finding("scopes", "%zu of what was registered ran, or in another order than the reverse",
            state.ran_count);
    if ((error != HY_OK) != fails) hy_finding("scopes", "another error was returned");
    if (state.counting[state.ambient].counts.live_bytes != live)
        hy_finding("scopes", "what was to be freed in any case was not");
    if (!fails) memset(kept, 0x5A, 10);
    if (!fails) hy_free(hy_libc(), kept, 10, HY_ALIGN_8);
}

/* ---- values that are moved ---- */

static void drop(uint8_t **it) {
    if (*it) note(*it);
}

static uint8_t *move_one(void) {
    HY_MANAGED(drop) uint8_t *kept = &one, *moved = &two;
    (void)kept;
    return HY_MOVE(moved);
}

static void do_move(uint8_t how) {
    (void)how;
    state.ran_count = 0;
    uint8_t *moved = move_one();
    if (moved != &two || state.ran_count != 1 || state.ran[0] != 1)
        hy_finding("scopes", "a value that was moved was dropped, or another one was not");
}

static void (*const operations[])(uint8_t) = {NULL, do_using, do_alloc, do_free, do_leave, do_move};
#define OPERATIONS (sizeof operations / sizeof *operations)

/* The operations up to the one that ends the block. */
static void run_block(void) {
    expect_ambient("in a block");
    if (state.depth == DEPTH_MAX) return;
    state.depth++;
    while (state.next < state.end && state.count < HY_BYTES_OPERATION_MAX) {
        uint8_t what = take();
        size_t operation = (what & 15) % OPERATIONS;
        hy_fuzz_place_now = (hy_fuzz_place){"-", "scopes", state.count++};
        if (operation == 0) break;
        operations[operation](what >> 4);
        expect_ambient("behind an operation");
    }
    state.depth--;
}

static void end_blocks(void) {
    for (size_t i = 0; i < BLOCKS; i++) {
        block *it = &state.blocks[i];
        if (!it->size) continue;
        expect_bytes(it, it->size);
        HY_USING(allocator_of(it->owner)) {
            hy_ambient_free(it->ptr);
        }
        it->size = 0;
    }
    for (size_t i = 0; i < ALLOCATORS; i++)
        if (state.counting[i].counts.live_bytes != 0)
            hy_finding("scopes", "%zu bytes live when all are freed", state.counting[i].counts.live_bytes);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    for (size_t i = 0; i < ALLOCATORS; i++)
        hy_counting_init(&state.counting[i], hy_libc());
    static hy_allocator outermost;
    outermost = allocator_of(0);
    hy_set_default(&outermost);
    state.ambient = state.count = state.depth = 0;
    state.next = bytes;
    state.end = bytes + size;
    while (state.next < state.end && state.count < HY_BYTES_OPERATION_MAX)
        run_block();
    end_blocks();
    hy_set_default(NULL);
    return state.count;
}

const hy_property hy_scopes_property = {
    .name = "scopes",
    .summary = "a block's allocator is ambient within it alone, and what it registered runs on every way out",
    .over_rows = false,
    .run = run,
};
