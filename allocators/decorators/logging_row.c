/* logging_row.c: how the yards know logging. */
#include <heapyard/libc.h>
#include <heapyard/logging.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>

#define SCOPE "row"
#define LINE_BYTES 160

/* The last lines of a thread that asks to be told stay here, from when it first asks: benches do not. A
 * program brings its own sink. */
typedef struct kept {
    hy_logging logging;
    const char *asker; /* that thread's `here`; NULL: none */
    uint64_t line_count;
    uint64_t read_count; /* of these lines, as calls */
    char lines[HY_TOLD_LAST][LINE_BYTES];
    hy_call calls[HY_TOLD_LAST];
} kept;

static _Thread_local char here; /* its address tells threads apart */

/* One thread's lines, or those of fibres of one thread, which take turns elsewhere. */
HY_NO_SANITIZE_THREAD static void keep_line(void *context, const char *line, size_t size) {
    kept *instance = context;
    hy_opaque(line);
    if (instance->asker != &here) return;
    char *to = instance->lines[instance->line_count++ % HY_TOLD_LAST];
    size_t bytes = size < LINE_BYTES - 1 ? size : LINE_BYTES - 1;
    memcpy(to, line, bytes);
    to[bytes] = '\0';
}

/* ---- a line as the call that it tells of ---- */

static bool read_text(const char **at, const char *text) {
    size_t size = strlen(text);
    if (strncmp(*at, text, size) != 0) return false;
    *at += size;
    return true;
}

/* Digits of a base, with no sign and no zero before them. */
static bool read_number(const char **at, unsigned base, uintmax_t *out) {
    static const char digits[] = "0123456789abcdef";
    const char *start = *at;
    *out = 0;
    for (const char *digit; **at && (digit = memchr(digits, **at, base)) != NULL; ++*at)
        *out = *out * base + (uintmax_t)(digit - digits);
    return *at > start && (*start != '0' || *at == start + 1);
}

static bool read_size(const char **at, size_t *out) {
    uintmax_t number;
    bool good = read_number(at, 10, &number);
    *out = (size_t)number;
    return good;
}

static bool read_pointer(const char **at, void **out) {
    uintmax_t number = 0;
    bool good = read_text(at, "0x") && read_number(at, 16, &number);
    *out = (void *)(uintptr_t)number;
    return good;
}

static bool read_align(const char **at, hy_align *out) {
    uintmax_t bytes;
    if (!read_text(at, " align ") || !read_number(at, 10, &bytes)) return false;
    if (bytes == 0 || (bytes & (bytes - 1)) != 0) return false;
    out->log2 = (uint8_t)__builtin_ctzll(bytes);
    return true;
}

/* "-> refused" or "-> " and what came of it. */
static bool read_result(const char **at, hy_call *call) {
    if (!read_text(at, " -> ")) return false;
    call->refused = read_text(at, "refused");
    if (call->refused) return true;
    if (call->kind != HY_CALL_RESIZE) return read_pointer(at, &call->result);
    call->result = call->ptr;
    return read_text(at, "done");
}

static bool read_words(const char **at, hy_call *call) {
    if (!read_text(at, SCOPE ": ")) return false;
    if (read_text(at, "alloc ")) {
        call->kind = HY_CALL_ALLOC;
        return read_size(at, &call->new_size) && read_align(at, &call->align) && read_result(at, call);
    }
    call->kind = read_text(at, "free ")     ? HY_CALL_FREE
                 : read_text(at, "resize ") ? HY_CALL_RESIZE
                 : read_text(at, "remap ")  ? HY_CALL_REMAP
                                            : HY_TOLD_GARBLED;
    if (call->kind == HY_TOLD_GARBLED || !read_pointer(at, &call->ptr)) return false;
    if (!read_text(at, " ") || !read_size(at, &call->old_size)) return false;
    if (call->kind == HY_CALL_FREE) return read_align(at, &call->align);
    return read_text(at, " to ") && read_size(at, &call->new_size) && read_align(at, &call->align) &&
           read_result(at, call);
}

static hy_call call_of(const char *line) {
    hy_call call = {.thread = UINT32_MAX, .began = UINT64_MAX, .ended = UINT64_MAX};
    if (!read_words(&line, &call) || strcmp(line, "\n") != 0) call.kind = HY_TOLD_GARBLED;
    return call;
}

HY_NO_SANITIZE_THREAD static void tells(void *state, hy_told *out) {
    kept *instance = state;
    if (!instance->asker) instance->asker = &here;
    for (; instance->read_count < instance->line_count; instance->read_count++) {
        size_t index = instance->read_count % HY_TOLD_LAST;
        instance->calls[index] = call_of(instance->lines[index]);
    }
    out->numbers[HY_TOLD_CALLS] = instance->line_count;
    out->calls = instance->calls;
    out->refusals_only = instance->logging.refusals_only;
    out->passes_on = true;
}

/* Options of the row: bit 0: refusals only. */
static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    kept *instance = hy_create(hy_libc(), kept);
    if (!instance) return NULL;
    instance->asker = NULL;
    instance->line_count = instance->read_count = 0;
    hy_logging_init(&instance->logging, config->child, keep_line, instance, SCOPE);
    instance->logging.refusals_only = config->options & 1;
    *out = hy_logging_allocator(&instance->logging);
    return instance;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (kept *)instance);
}

const hy_row hy_logging_row = {
    .name = "logging",
    .group = HY_GROUP_DECORATOR,
    .summary = "tells a sink of every call with one line",
    .header = "heapyard/logging.h",
    .keeps = HY_TRAITS_OF_BLOCKS | HY_TRAIT_THREAD_SAFE,
    .align_from_child = true,
    .default_child = "libc",
    .promises = {.shrinks = true},
    .make = make,
    .destroy = destroy,
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
};
