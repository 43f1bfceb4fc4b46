/* string.c: managed strings.
 *
 * For: text that is built, kept in structs and handed about, by code that would rather not say at each exit
 *   who frees it. Not for: text that is only read (a pointer and a length), or edited in the middle (a rope).
 * Algorithm: three words, of which the capacity tells static from owned; the block of an owned one begins
 * with its allocator:
 *
 *       owned:  ptr ──────────────┐         static:  ptr ──► "bytes in the program\0"
 *               len, cap > 0      ▼                  len, cap = 0
 *       | self, vtable | bytes ... 0 | room |
 *
 * Cost: one block each, of 2 words and a byte beyond the capacity; appending grows it in place where its
 *   allocator can, else by half. Thread-safe: no. Source: managed strings whose capacity of 0 marks what is
 *   static; what belongs to a block in front of its bytes, as in antirez' sds.
 */
#include <heapyard/string.h>
#include <heapyard/typed.h>
#include <limits.h>
#include <stdio.h>

/* What an owned string's block begins with. */
typedef struct prefix {
    hy_allocator allocator;
} prefix;

/* Short results are formatted here first, and need no second pass. */
#define FORMAT_BYTES 256

/* The bytes of an owned string's block. cap is at most HY_STRING_LEN_MAX. */
static size_t block_bytes(size_t cap) {
    return sizeof(prefix) + cap + 1;
}

static prefix *prefix_of(const hy_string *string) {
    return (prefix *)((uintptr_t)string->ptr - sizeof(prefix));
}

/* An owned string's bytes, to be written. */
static char *bytes_of(const hy_string *string) {
    return (char *)(uintptr_t)string->ptr;
}

static void copy_bytes(char *to, hy_string from) {
    if (from.len != 0) memcpy(to, from.ptr, from.len);
}

/* An owned string with room for cap bytes, no bytes yet and no zero behind them. */
static hy_error make(hy_allocator allocator, hy_string *made, size_t cap) {
    if (cap > HY_STRING_LEN_MAX) return HY_OUT_OF_MEMORY;
    prefix *block = hy_alloc(allocator, block_bytes(cap), hy_align_of(prefix));
    if (!block) return HY_OUT_OF_MEMORY;
    block->allocator = allocator;
    *made = (hy_string){(const char *)(block + 1), 0, cap};
    return HY_OK;
}

/* Ends a string that is being built: so many bytes are written. */
static void finish(hy_string *string, size_t len) {
    HY_ASSERT(len <= string->cap, "more bytes than the string has room for");
    string->len = len;
    bytes_of(string)[len] = 0;
}

/* Puts the result where the caller wants it. */
static hy_error replace(hy_string *out, hy_string result) {
    hy_string old = *out;
    *out = result;
    hy_string_drop(&old);
    return HY_OK;
}

void hy_string_drop(hy_string *string) {
    if (string->cap != 0) {
        prefix *block = prefix_of(string);
        hy_free(block->allocator, block, block_bytes(string->cap), hy_align_of(prefix));
    }
    *string = (hy_string){NULL, 0, 0};
}

hy_error hy_string_from(hy_allocator allocator, hy_string *out, const void *bytes, size_t len) {
    hy_string made = {NULL, 0, 0};
    if (len == 0) return replace(out, made);
    hy_error error = make(allocator, &made, len);
    if (error != HY_OK) return error;
    memcpy(bytes_of(&made), bytes, len);
    finish(&made, len);
    return replace(out, made);
}

hy_error hy_string_copy(hy_allocator allocator, hy_string *out, hy_string string) {
    if (!hy_string_is_owned(string)) return replace(out, string);
    return hy_string_from(allocator, out, string.ptr, string.len);
}

hy_error hy_string_concat(hy_allocator allocator, hy_string *out, hy_string first, hy_string second) {
    const hy_string both[] = {first, second};
    return hy_string_join(allocator, out, both, 2, (hy_string){NULL, 0, 0});
}

/* ---- growing ---- */

/* A static string becomes one of its own, with room for cap bytes. */
static hy_error own(hy_allocator allocator, hy_string *string, size_t cap) {
    hy_string made;
    hy_error error = make(allocator, &made, cap);
    if (error != HY_OK) return error;
    copy_bytes(bytes_of(&made), *string);
    finish(&made, string->len);
    *string = made;
    return HY_OK;
}

/* An owned string gets another capacity, in place or elsewhere. */
static hy_error grow(hy_string *string, size_t cap) {
    if (cap > HY_STRING_LEN_MAX) return HY_OUT_OF_MEMORY;
    prefix *block = prefix_of(string);
    block =
        hy_realloc(block->allocator, block, block_bytes(string->cap), block_bytes(cap), hy_align_of(prefix));
    if (!block) return HY_OUT_OF_MEMORY;
    string->ptr = (const char *)(block + 1);
    string->cap = cap;
    return HY_OK;
}

hy_error hy_string_reserve(hy_allocator allocator, hy_string *string, size_t len) {
    if (len < string->len) len = string->len;
    if (len <= string->cap || len == 0) return HY_OK;
    return hy_string_is_owned(*string) ? grow(string, len) : own(allocator, string, len);
}

/* Room for `len` bytes, and half as much again where there is memory for it. */
static hy_error make_room(hy_allocator allocator, hy_string *string, size_t len) {
    if (len <= string->cap) return HY_OK;
    size_t wanted = string->cap + string->cap / 2;
    if (wanted > len && hy_string_reserve(allocator, string, wanted) == HY_OK) return HY_OK;
    return hy_string_reserve(allocator, string, len);
}

hy_error hy_string_append(hy_allocator allocator, hy_string *string, hy_string tail) {
    size_t len;
    if (tail.len == 0) return HY_OK;
    if (HY_ADD_OVERFLOWS(string->len, tail.len, &len)) return HY_OUT_OF_MEMORY;
    /* The block may move, and with it the bytes of a tail that lies in the string. */
    size_t offset = (uintptr_t)tail.ptr - (uintptr_t)string->ptr;
    bool is_within = hy_string_is_owned(*string) && offset <= string->len;
    hy_error error = make_room(allocator, string, len);
    if (error != HY_OK) return error;
    if (is_within) tail.ptr = string->ptr + offset;
    copy_bytes(bytes_of(string) + string->len, tail);
    finish(string, len);
    return HY_OK;
}

/* ---- making ---- */

hy_error hy_string_format_list(
    hy_allocator allocator, hy_string *out, const char *format, va_list arguments) {
    char text[FORMAT_BYTES];
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(text, sizeof text, format, arguments);
    hy_error error = HY_OK;
    hy_string made = {NULL, 0, 0};
    if (len < 0) {
        error = HY_INVALID;
    } else if ((size_t)len < sizeof text) {
        error = hy_string_from(allocator, &made, text, (size_t)len);
    } else {
        error = make(allocator, &made, (size_t)len);
        if (error == HY_OK) vsnprintf(bytes_of(&made), (size_t)len + 1, format, again);
        if (error == HY_OK) finish(&made, (size_t)len);
    }
    va_end(again);
    return error == HY_OK ? replace(out, made) : error;
}

hy_error hy_string_format(hy_allocator allocator, hy_string *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hy_error error = hy_string_format_list(allocator, out, format, arguments);
    va_end(arguments);
    return error;
}

hy_error hy_string_slice(hy_allocator allocator, hy_string *out, hy_string string, size_t begin, size_t end) {
    if (begin > end || end > string.len) return HY_INVALID;
    if (end == string.len && !hy_string_is_owned(string)) {
        const char *ptr = string.ptr ? string.ptr + begin : NULL;
        return replace(out, (hy_string){ptr, end - begin, 0});
    }
    return hy_string_from(allocator, out, begin < end ? string.ptr + begin : "", end - begin);
}

/* ---- reading ---- */

int hy_string_compare(hy_string first, hy_string second) {
    size_t shorter = first.len < second.len ? first.len : second.len;
    int order = shorter ? memcmp(first.ptr, second.ptr, shorter) : 0;
    if (order != 0) return order;
    return (first.len > second.len) - (first.len < second.len);
}

size_t hy_string_find(hy_string string, hy_string part, size_t from) {
    if (from > string.len || part.len > string.len - from) return SIZE_MAX;
    if (part.len == 0) return from;
    const char *begin = string.ptr + from, *end = string.ptr + string.len;
    /* Room for all of the part behind a place where its first byte stands. */
    while ((size_t)(end - begin) >= part.len) {
        begin = memchr(begin, part.ptr[0], (size_t)(end - begin) - part.len + 1);
        if (!begin) return SIZE_MAX;
        if (memcmp(begin, part.ptr, part.len) == 0) return (size_t)(begin - string.ptr);
        begin++;
    }
    return SIZE_MAX;
}

/* ---- lists ---- */

void hy_string_list_drop(hy_string_list *list) {
    for (size_t i = list->count; i-- > 0;)
        hy_string_drop(&list->items[i]);
    if (list->items) hy_free_n(list->allocator, list->items, list->count);
    *list = (hy_string_list){NULL, 0, {NULL, NULL}};
}

static size_t count_parts(hy_string string, hy_string separator) {
    size_t count = 1;
    for (size_t at = 0; (at = hy_string_find(string, separator, at)) != SIZE_MAX; at += separator.len)
        count++;
    return count;
}

/* Fills the list's strings, all of them empty, with the parts. */
static hy_error fill_parts(
    hy_allocator allocator, hy_string_list *list, hy_string string, hy_string separator) {
    size_t begin = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t end = i + 1 < list->count ? hy_string_find(string, separator, begin) : string.len;
        hy_error error = hy_string_slice(allocator, &list->items[i], string, begin, end);
        if (error != HY_OK) return error;
        begin = end + separator.len;
    }
    return HY_OK;
}

hy_error hy_string_split(hy_allocator allocator, hy_string_list *out, hy_string string, hy_string separator) {
    if (separator.len == 0) return HY_INVALID;
    hy_string_list made = {NULL, count_parts(string, separator), allocator};
    made.items = hy_alloc_zeroed(allocator, hy_string, made.count);
    if (!made.items) return HY_OUT_OF_MEMORY;
    hy_error error = fill_parts(allocator, &made, string, separator);
    if (error != HY_OK) {
        hy_string_list_drop(&made);
        return error;
    }
    hy_string_list old = *out;
    *out = made;
    hy_string_list_drop(&old);
    return HY_OK;
}

/* The length of the result; false where it passes what a size can tell. */
static bool joined_len(const hy_string *strings, size_t count, hy_string separator, size_t *len) {
    *len = 0;
    for (size_t i = 0; i < count; i++) {
        if (HY_ADD_OVERFLOWS(*len, strings[i].len, len)) return false;
        if (i > 0 && HY_ADD_OVERFLOWS(*len, separator.len, len)) return false;
    }
    return true;
}

hy_error hy_string_join(
    hy_allocator allocator, hy_string *out, const hy_string *strings, size_t count, hy_string separator) {
    size_t len;
    if (!joined_len(strings, count, separator, &len)) return HY_OUT_OF_MEMORY;
    hy_string made = {NULL, 0, 0};
    if (len == 0) return replace(out, made);
    hy_error error = make(allocator, &made, len);
    if (error != HY_OK) return error;
    char *to = bytes_of(&made);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) copy_bytes(to, separator);
        if (i > 0) to += separator.len;
        copy_bytes(to, strings[i]);
        to += strings[i].len;
    }
    finish(&made, len);
    return replace(out, made);
}
