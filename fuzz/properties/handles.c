/* handles.c: a handle names its object while that lives, and nothing at any other time.
 *
 *   byte 0        what is refused (255: nothing): bit 0: one allocation, else all that follow it, too; bit 1:
 * each resize and remap, so that growing allocates; the others: the index of the allocation then          an
 * operation (low nibble) and how it is done (high nibble), and its operands
 *
 * An exhausted input reads 0. The model is a list of all handles that were ever given, each with its object
 * or none. After each operation all of them are asked for, and objects hold what was written into them. At
 * the end the table goes, and nothing may live.
 */
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/handle.h>
#include <heapyard/libc.h>

#define GIVEN_MAX 128

/* What objects are. */
typedef struct thing {
    uint64_t number;
    char text[24];
} thing;

/* A handle that was given; object: NULL where it has ended. */
typedef struct given {
    hy_handle handle;
    thing *object;
    uint64_t number;
} given;

static struct {
    hy_handles handles;
    given given[GIVEN_MAX];
    size_t count, live;
    uint64_t next_number;
    hy_counting counting;
    hy_failing resizing, failing;
    const uint8_t *next, *end;
} state;

static uint8_t take(void) {
    return state.next < state.end ? *state.next++ : 0;
}

/* One of those that were given; NULL: none was. */
static given *take_given(void) {
    size_t number = take();
    return state.count ? &state.given[number % state.count] : NULL;
}

static void write_thing(thing *object, uint64_t number) {
    object->number = number;
    memset(object->text, (int)(number & 0xFF), sizeof object->text);
}

static void expect_thing(const thing *object, uint64_t number, const char *how) {
    bool good = object->number == number;
    for (size_t i = 0; i < sizeof object->text; i++)
        good &= object->text[i] == (char)(number & 0xFF);
    if (!good) hy_finding("handles", "%s: object %ju has other contents", how, (uintmax_t)number);
}

static void expect_given(const given *it) {
    thing *found = hy_handles_get(&state.handles, it->handle);
    if (found && !it->object)
        hy_finding("handles", "the handle of object %ju, which has ended, names one", (uintmax_t)it->number);
    if (found != it->object)
        hy_finding("handles", "the handle of object %ju does not name it", (uintmax_t)it->number);
    if (found) expect_thing(found, it->number, "get");
}

static void expect_all(void) {
    for (size_t i = 0; i < state.count; i++)
        expect_given(&state.given[i]);
    if (hy_handles_count(&state.handles) != state.live)
        hy_finding(
            "handles", "%zu objects are counted, %zu live", hy_handles_count(&state.handles), state.live);
    if (!hy_handles_check(&state.handles)) hy_finding("handles", "the table does not hold together");
    if (hy_handles_get(&state.handles, hy_handle_none())) hy_finding("handles", "no handle names one");
}

/* ---- the operations ---- */

static void do_create(uint8_t how) {
    (void)how;
    if (state.count == GIVEN_MAX) return;
    uint64_t refusals = state.failing.induced_count;
    hy_handle handle = {123, 456};
    thing *object = hy_handles_create(&state.handles, &handle);
    if (!object) {
        if (state.failing.induced_count == refusals) hy_finding("handles", "refused, and no allocator did");
        if (handle.index != 123 || handle.generation != 456)
            hy_finding("handles", "a refused object has a handle");
        return;
    }
    for (size_t i = 0; i < state.count; i++)
        if (hy_handle_equal(state.given[i].handle, handle))
            hy_finding(
                "handles", "a new object has the handle of object %ju", (uintmax_t)state.given[i].number);
    write_thing(object, ++state.next_number);
    state.given[state.count++] = (given){handle, object, state.next_number};
    state.live++;
}

static void do_create_many(uint8_t how) {
    for (uint8_t i = 0; i <= how; i++)
        do_create(0);
}

static void do_destroy(uint8_t how) {
    (void)how;
    given *it = take_given();
    if (!it) return;
    bool was = hy_handles_destroy(&state.handles, it->handle);
    if (was != (it->object != NULL))
        hy_finding("handles", "object %ju %s", (uintmax_t)it->number, was ? "ended twice" : "did not end");
    if (was) state.live--;
    it->object = NULL;
}

/* All that live, each once, in the order of their slots; every how-th ends meanwhile. */
static void do_iterate(uint8_t how) {
    hy_handle at = hy_handle_none();
    size_t met = 0, live = state.live;
    uint32_t last = 0;
    thing *object;
    while ((object = hy_handles_next(&state.handles, &at)) != NULL) {
        given *it = NULL;
        for (size_t i = 0; i < state.count && !it; i++)
            if (state.given[i].object == object) it = &state.given[i];
        if (!it || !hy_handle_equal(it->handle, at)) hy_finding("handles", "iteration meets what is none");
        if (met > 0 && at.index <= last) hy_finding("handles", "iteration goes back");
        last = at.index;
        expect_thing(object, it->number, "next");
        if (++met > live) hy_finding("handles", "iteration meets more than live");
        if (how && met % how == 0) {
            if (!hy_handles_destroy(&state.handles, at)) hy_finding("handles", "what was met does not end");
            it->object = NULL;
            state.live--;
        }
    }
    if (met != live) hy_finding("handles", "iteration meets %zu of %zu objects", met, live);
    if (!hy_handle_equal(at, hy_handle_none())) hy_finding("handles", "iteration ends at a handle");
}

/* A handle that was made up, and names an object only where one was given just so. */
static void do_forge(uint8_t how) {
    hy_handle forged = {take(), (uint32_t)take() ^ (how & 1 ? UINT32_MAX : 0)};
    if (how & 2) forged.index ^= UINT32_MAX;
    if (how & 4) forged.generation *= 0x01010101u; /* as bytes that were filled, not written */
    void *expected = NULL;
    for (size_t i = 0; i < state.count; i++)
        if (hy_handle_equal(state.given[i].handle, forged)) expected = state.given[i].object;
    if (hy_handles_get(&state.handles, forged) != expected)
        hy_finding("handles", "a made-up handle names an object");
    if (!expected && hy_handles_destroy(&state.handles, forged))
        hy_finding("handles", "a made-up handle ends an object");
}

static void forget_objects(void) {
    for (size_t i = 0; i < state.count; i++)
        state.given[i].object = NULL;
    state.live = 0;
}

static void do_clear(uint8_t how) {
    (void)how;
    hy_handles_clear(&state.handles);
    forget_objects();
}

/* The next free slot becomes as one of which all objects but the last have lived and ended. */
static void do_age(uint8_t how) {
    (void)how;
    if (state.handles.first_free == HY_HANDLE_NO_SLOT) return;
    state.handles.slots[state.handles.first_free].generation = UINT32_MAX - 1;
}

/* The table goes, and comes again with generations that begin anew: its handles are forgotten. */
static void do_end(uint8_t how) {
    (void)how;
    hy_handles_deinit(&state.handles);
    if (state.counting.counts.live_bytes != 0)
        hy_finding("handles", "%zu bytes live when all has ended", state.counting.counts.live_bytes);
    state.count = state.live = 0;
}

static void (*const operations[])(uint8_t) = {
    do_create, do_destroy, do_create_many, do_iterate, do_forge, do_clear, do_age, do_end};
#define OPERATIONS (sizeof operations / sizeof *operations)

static void start(uint8_t refused) {
    hy_failing_options options = HY_FAILING_DEFAULTS, resizing = HY_FAILING_DEFAULTS;
    if (refused != 255) options.fail_alloc_at = refused / 4;
    if (refused != 255 && refused & 2) resizing.fail_resize_at = 0;
    options.once = refused & 1;
    hy_counting_init(&state.counting, hy_libc());
    hy_failing_init(&state.resizing, hy_counting_allocator(&state.counting), &resizing);
    hy_failing_init(&state.failing, hy_failing_allocator(&state.resizing), &options);
    hy_allocator gpa = hy_failing_allocator(&state.failing);
    hy_handles_init(&state.handles, gpa, gpa, sizeof(thing), hy_align_of(thing));
    state.count = state.live = 0;
    state.next_number = 0;
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    if (size == 0) return 0;
    start(bytes[0]);
    state.next = bytes + 1;
    state.end = bytes + size;
    size_t count = 0;
    for (; state.next < state.end && count < HY_BYTES_OPERATION_MAX; count++) {
        uint8_t what = take();
        hy_fuzz_place_now = (hy_fuzz_place){"-", "handles", count};
        operations[(what & 15) % OPERATIONS](what >> 4);
        expect_all();
    }
    do_end(0);
    return count;
}

const hy_property hy_handles_property = {
    .name = "handles",
    .summary = "a handle names its object while that lives, and never another; nothing is lost",
    .over_rows = false,
    .run = run,
};
