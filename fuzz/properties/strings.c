/* strings.c: managed strings behave as plain arrays of bytes do, and lose nothing.
 *
 *   byte 0        what is refused (255: nothing): bit 0: one allocation, else all that follow it, too; bit 1:
 * each resize and remap, so that growing allocates; the others: the index of the allocation then          an
 * operation (low nibble) on a string (high nibble), and its operands
 *
 * An exhausted input reads 0. Each string has a model: an array of its own. After each operation all strings
 * are compared with their models; where an allocation was refused, nothing may have changed. At the end all
 * are dropped, and nothing may live.
 */
#include "allocators/history/bytes.h"
#include "fuzz/finding.h"
#include "fuzz/properties.h"
#include <heapyard/counting.h>
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/string.h>
#include <heapyard/typed.h>

#define STRINGS 8
#define MODEL_BYTES 2048

/* What a string should be. */
typedef struct model {
    size_t len;
    bool is_static;
    char bytes[MODEL_BYTES];
} model;

static const hy_string literals[] = {HY_STRING_INIT(""), HY_STRING_INIT("a"), HY_STRING_INIT(","),
    HY_STRING_INIT("ab"), HY_STRING_INIT("a,b,,c"), HY_STRING_INIT("\0"), HY_STRING_INIT("\xC3\xA9"),
    HY_STRING_INIT("a literal, longer than what most of the others are"), HY_STRING_INIT("aa")};
#define LITERALS (sizeof literals / sizeof *literals)

static struct {
    hy_string strings[STRINGS];
    model models[STRINGS];
    model result;
    hy_counting counting;
    hy_failing resizing, failing;
    const uint8_t *next, *end;
    bool once; /* only one allocation is refused */
} state;

static uint8_t take(void) {
    return state.next < state.end ? *state.next++ : 0;
}

static size_t take_slot(void) {
    return take() % STRINGS;
}

static hy_allocator gpa(void) {
    return hy_failing_allocator(&state.failing);
}

/* ---- the models ---- */

static bool model_append(model *to, const char *bytes, size_t len) {
    if (len > MODEL_BYTES - to->len) return false;
    if (len) memcpy(to->bytes + to->len, bytes, len);
    to->len += len;
    return true;
}

static size_t model_find(const model *it, const model *part, size_t from) {
    for (size_t at = from; at <= it->len && part->len <= it->len - at; at++)
        if (memcmp(it->bytes + at, part->bytes, part->len) == 0) return at;
    return SIZE_MAX;
}

static void expect_like(size_t slot) {
    const hy_string *string = &state.strings[slot];
    const model *it = &state.models[slot];
    if (string->len != it->len)
        hy_finding("strings", "string %zu has %zu bytes, not %zu", slot, string->len, it->len);
    if (it->len && memcmp(string->ptr, it->bytes, it->len) != 0)
        hy_finding("strings", "string %zu has other bytes", slot);
    if (hy_string_cstr(string)[it->len] != 0) hy_finding("strings", "behind string %zu stands no zero", slot);
    if (it->is_static && string->cap != 0) hy_finding("strings", "string %zu is static and owned", slot);
    if (!it->is_static && it->len != 0 && string->cap < it->len)
        hy_finding("strings", "string %zu has %zu bytes and room for %zu", slot, it->len, string->cap);
}

static void expect_all(void) {
    for (size_t i = 0; i < STRINGS; i++)
        expect_like(i);
}

/* An operation that puts state.result into a string has answered. */
static void answered(hy_error error, size_t slot, uint64_t refusals) {
    bool was_refused = state.failing.induced_count != refusals;
    if (error == HY_OK) {
        state.models[slot] = state.result;
    } else if (error != HY_OUT_OF_MEMORY || !was_refused) {
        hy_finding("strings", "string %zu: %s, and nothing was refused", slot, hy_error_string(error));
    }
}

/* ---- the operations ---- */

static void do_literal(size_t out) {
    hy_string_drop(&state.strings[out]);
    state.strings[out] = literals[take() % LITERALS];
    state.models[out].len = 0;
    state.models[out].is_static = true;
    model_append(&state.models[out], state.strings[out].ptr, state.strings[out].len);
}

static void do_from(size_t out) {
    size_t len = take();
    if (len > (size_t)(state.end - state.next)) len = (size_t)(state.end - state.next);
    state.result = (model){.len = 0};
    model_append(&state.result, (const char *)state.next, len);
    uint64_t refusals = state.failing.induced_count;
    answered(hy_string_from(gpa(), &state.strings[out], state.next, len), out, refusals);
    state.next += len;
}

static void do_copy(size_t out) {
    size_t from = take_slot();
    state.result = state.models[from];
    uint64_t refusals = state.failing.induced_count;
    hy_string source = state.strings[from];
    hy_error error = hy_string_copy(gpa(), &state.strings[out], source);
    answered(error, out, refusals);
    bool shares = error == HY_OK && state.strings[out].ptr == source.ptr;
    if (error == HY_OK && source.cap == 0 && !shares) hy_finding("strings", "a static copy has other bytes");
    if (shares && source.cap != 0) hy_finding("strings", "an owned copy has the same bytes");
}

static void do_concat(size_t out) {
    size_t first = take_slot(), second = take_slot();
    state.result = state.models[first];
    state.result.is_static = false;
    if (!model_append(&state.result, state.models[second].bytes, state.models[second].len)) return;
    uint64_t refusals = state.failing.induced_count;
    answered(hy_string_concat(gpa(), &state.strings[out], state.strings[first], state.strings[second]), out,
        refusals);
}

static void do_append(size_t out) {
    size_t tail = take_slot();
    state.result = state.models[out];
    state.result.is_static &= state.models[tail].len == 0;
    if (!model_append(&state.result, state.models[tail].bytes, state.models[tail].len)) return;
    uint64_t refusals = state.failing.induced_count;
    size_t cap = state.strings[out].cap;
    hy_error error = hy_string_append(gpa(), &state.strings[out], state.strings[tail]);
    answered(error, out, refusals);
    if (error == HY_OUT_OF_MEMORY && state.once && cap + cap / 2 > state.result.len)
        hy_finding("strings", "string %zu is refused what it needs where more was refused once", out);
}

static void do_reserve(size_t out) {
    size_t len = (size_t)take() * 16;
    state.result = state.models[out];
    state.result.is_static &= len == 0 && state.result.len == 0;
    uint64_t refusals = state.failing.induced_count;
    hy_error error = hy_string_reserve(gpa(), &state.strings[out], len);
    answered(error, out, refusals);
    if (error == HY_OK && state.strings[out].cap < len)
        hy_finding("strings", "room for %zu bytes, %zu were asked for", state.strings[out].cap, len);
}

static void do_format(size_t out) {
    size_t from = take_slot();
    int width = take();
    char padding[256];
    memset(padding, ' ', sizeof padding);
    state.result = (model){.len = 0};
    const char *text = hy_string_cstr(&state.strings[from]); /* up to its first zero */
    model_append(&state.result, padding, width > 1 ? (size_t)width - 1 : 0);
    model_append(&state.result, "7:", 2);
    if (!model_append(&state.result, text, strlen(text))) return;
    uint64_t refusals = state.failing.induced_count;
    answered(hy_string_format(gpa(), &state.strings[out], "%*d:%s", width, 7, text), out, refusals);
}

static void do_slice(size_t out) {
    size_t from = take_slot(), begin = take(), end = take();
    const model *source = &state.models[from];
    bool is_right = begin <= end && end <= source->len;
    uint64_t refusals = state.failing.induced_count;
    state.result = (model){.is_static = source->is_static && end == source->len};
    if (is_right) model_append(&state.result, source->bytes + begin, end - begin);
    hy_error error = hy_string_slice(gpa(), &state.strings[out], state.strings[from], begin, end);
    if (is_right == (error == HY_INVALID)) hy_finding("strings", "a slice was taken for what it is not");
    if (error != HY_INVALID) answered(error, out, refusals);
}

static void do_drop(size_t out) {
    hy_string_drop(&state.strings[out]);
    state.models[out] = (model){.is_static = true};
}

static void do_move(size_t out) {
    size_t from = take_slot();
    if (from == out) return;
    hy_string_drop(&state.strings[out]);
    state.strings[out] = HY_MOVE(state.strings[from]);
    state.models[out] = state.models[from];
    state.models[from] = (model){.is_static = true};
}

/* What was split is joined again, into another string. */
static void do_split(size_t out) {
    size_t from = take_slot();
    hy_string separator = literals[take() % LITERALS], text = state.strings[from];
    HY_MANAGED_STRING_LIST list = {NULL, 0, {NULL, NULL}};
    uint64_t refusals = state.failing.induced_count;
    hy_error error = hy_string_split(gpa(), &list, text, separator);
    if ((error == HY_INVALID) != (separator.len == 0)) hy_finding("strings", "a separator of no bytes");
    if (error == HY_INVALID) return;
    for (size_t i = 0; error == HY_OK && i < list.count; i++)
        if (hy_string_find(list.items[i], separator, 0) != SIZE_MAX)
            hy_finding("strings", "part %zu of %zu has a separator", i, list.count);
    state.result = state.models[from];
    state.result.is_static = false;
    if (error == HY_OK) error = hy_string_join(gpa(), &state.strings[out], list.items, list.count, separator);
    answered(error, out, refusals);
}

static void do_compare(size_t one) {
    size_t other = take_slot(), from = take();
    const model *a = &state.models[one], *b = &state.models[other];
    size_t found = hy_string_find(state.strings[one], state.strings[other], from);
    if (found != model_find(a, b, from)) hy_finding("strings", "found at %zu", found);
    int order = hy_string_compare(state.strings[one], state.strings[other]);
    int expected = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
    if (expected == 0) expected = (a->len > b->len) - (a->len < b->len);
    if ((order > 0) != (expected > 0) || (order < 0) != (expected < 0))
        hy_finding("strings", "strings %zu and %zu compare as %d", one, other, order);
    if (hy_string_equal(state.strings[one], state.strings[other]) != (order == 0))
        hy_finding("strings", "strings %zu and %zu are and are not equal", one, other);
}

/* No such bytes exist; their length must be refused before they are read. */
static void do_huge(size_t out) {
    hy_string huge = {"x", SIZE_MAX - take(), 0};
    if (hy_string_append(gpa(), &state.strings[out], huge) != HY_OUT_OF_MEMORY ||
        hy_string_concat(gpa(), &state.strings[out], state.strings[out], huge) != HY_OUT_OF_MEMORY ||
        hy_string_concat(gpa(), &state.strings[out], huge, state.strings[out]) != HY_OUT_OF_MEMORY)
        hy_finding("strings", "a length of %zu was served", huge.len);
}

static void (*const operations[])(size_t) = {do_literal, do_from, do_copy, do_concat, do_append, do_reserve,
    do_format, do_slice, do_drop, do_move, do_split, do_compare, do_huge};
#define OPERATIONS (sizeof operations / sizeof *operations)

static void start(uint8_t refused) {
    hy_failing_options options = HY_FAILING_DEFAULTS, resizing = HY_FAILING_DEFAULTS;
    if (refused != 255) options.fail_alloc_at = refused / 4;
    if (refused != 255 && refused & 2) resizing.fail_resize_at = 0;
    options.once = state.once = refused & 1;
    hy_counting_init(&state.counting, hy_libc());
    hy_failing_init(&state.resizing, hy_counting_allocator(&state.counting), &resizing);
    hy_failing_init(&state.failing, hy_failing_allocator(&state.resizing), &options);
    for (size_t i = 0; i < STRINGS; i++) {
        state.strings[i] = (hy_string){NULL, 0, 0};
        state.models[i].len = 0;
        state.models[i].is_static = true;
    }
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
        hy_fuzz_place_now = (hy_fuzz_place){"-", "strings", count};
        operations[(what & 15) % OPERATIONS]((what >> 4) % STRINGS);
        expect_all();
    }
    for (size_t i = STRINGS; i-- > 0;)
        hy_string_drop(&state.strings[i]);
    if (state.counting.counts.live_bytes != 0)
        hy_finding("strings", "%zu bytes live when all are dropped", state.counting.counts.live_bytes);
    return count;
}

const hy_property hy_strings_property = {
    .name = "strings",
    .summary = "managed strings behave as plain arrays of bytes do, through refusals too, and lose nothing",
    .over_rows = false,
    .run = run,
};
