/* heapyard/string.h: managed strings: bytes with a length, that know who frees them.
 *
 *   HY_MANAGED_STRING greeting = HY_STRING("hello ");          static: nothing to free
 *   hy_error error = hy_string_append(hy_ambient(), &greeting, name);   owned from here on
 *   ...
 *   return HY_MOVE(greeting);                                  the caller's now; else dropped here
 *
 * A string is three words. With cap 0 its bytes are static: they outlive it, are never written nor freed, and
 * copies share them. With cap > 0 they are its own: a copy has bytes of its own, and dropping the string
 * frees them. The block of an owned string begins with the allocator that made it, so that a string is
 * dropped, and grows, without being told by whom it was made:
 *
 *     | allocator (two words) | bytes: len of them | 0 | room up to cap | one byte for a 0 |
 *                             ^ ptr
 *
 * A string of zeroes is the empty one, and dropping leaves it. Bytes are what they are: any encoding, zeroes
 * among them. Behind the last one stands a zero, for C.
 *
 * Assigning with = copies the three words, and not who frees: a string that owns is given on by HY_MOVE, or
 * copied by hy_string_copy. A parameter of type hy_string is only read, and stays its caller's.
 *
 * Results: each function that makes a string puts it into *out, which must be a string: what was there is
 * dropped once the new one stands, and may be among the operands. On an error, HY_OUT_OF_MEMORY where the
 * allocator refuses or a length passes what a block can have, *out and all operands are as they were.
 * Allocations: none where the result is static or empty or fits, else one, and said where it is more.
 *
 * As the C library's strings, none of this is thread-safe where two threads use one string; static bytes may
 * be shared. A struct with strings is managed by a drop and a copy of its own, which call these (an example:
 * allocators/examples/managed_struct.c).
 */
#ifndef HEAPYARD_STRING_H
#define HEAPYARD_STRING_H

#include <heapyard/scope.h>
#include <stdarg.h>

HY_BEGIN_DECLS

/* A managed string. Read the fields; write them by the functions below. */
typedef struct hy_string {
    const char *ptr; /* len bytes and a zero; NULL only where all is zero */
    size_t len;
    size_t cap; /* 0: static; else the greatest len without another block */
} hy_string;

/* The longest string. */
#define HY_STRING_LEN_MAX ((size_t)PTRDIFF_MAX - 2 * sizeof(hy_allocator))

/* A static string of a literal, zeroes within it included: as an initialiser of static storage, and as a
 * value. */
#define HY_STRING_INIT(literal)                                                                              \
    { "" literal, sizeof(literal) - 1, 0 }
#ifdef __cplusplus
#define HY_STRING(literal) (hy_string HY_STRING_INIT(literal))
#else
#define HY_STRING(literal) ((hy_string)HY_STRING_INIT(literal))
#endif

/* A static string of a C string that outlives it; NULL gives the empty one. O(length). */
HY_INLINE hy_string hy_string_static(const char *text) {
    hy_string string = {text, text ? strlen(text) : 0, 0};
    return string;
}

/* The bytes as a C string, never NULL; a zero byte among them ends it early. Valid until the string is
 * changed or dropped. O(1). */
HY_INLINE const char *hy_string_cstr(const hy_string *string) {
    return string->ptr ? string->ptr : "";
}

/* Whether dropping it frees something. O(1). */
HY_INLINE bool hy_string_is_owned(hy_string string) {
    return string.cap != 0;
}

/* Frees what the string owns, and makes it empty. O(1) plus the allocator's cost. */
HY_API void hy_string_drop(hy_string *string);

/* A string that is dropped where its block is left, the last declared first. It must be initialised. A macro
 * because it is an attribute with a type. */
#define HY_MANAGED_STRING HY_MANAGED(hy_string_drop) hy_string

/* An owned string of any bytes; of none, the empty one. O(len). */
HY_API HY_WARN_UNUSED hy_error hy_string_from(
    hy_allocator allocator, hy_string *out, const void *bytes, size_t len);

/* A copy: of a static string the same bytes, of an owned one bytes of its own. O(1) or O(len). */
HY_API HY_WARN_UNUSED hy_error hy_string_copy(hy_allocator allocator, hy_string *out, hy_string string);

/* Two strings behind each other. O(both lengths). */
HY_API HY_WARN_UNUSED hy_error hy_string_concat(
    hy_allocator allocator, hy_string *out, hy_string first, hy_string second);

/* `tail` behind `string`, in place: an owned string grows with the allocator that made it, by at least half
 * of what it has, so that n bytes one by one cost O(n); a static one becomes owned by `allocator`. tail may
 * be the string itself, or a part of it. At most one allocation, where the extra half is refused one more. */
HY_API HY_WARN_UNUSED hy_error hy_string_append(hy_allocator allocator, hy_string *string, hy_string tail);

/* Room for len bytes in all, so that appending up to there takes no block; it makes a static string owned.
 * O(string's length). */
HY_API HY_WARN_UNUSED hy_error hy_string_reserve(hy_allocator allocator, hy_string *string, size_t len);

/* As printf. HY_INVALID: the format makes no sense, or the result is longer than INT_MAX. O(length), which is
 * formatted twice where it is above 255 bytes. */
HY_API HY_WARN_UNUSED HY_PRINTF(3, 4) hy_error
    hy_string_format(hy_allocator allocator, hy_string *out, const char *format, ...);
HY_API HY_WARN_UNUSED HY_PRINTF(3, 0) hy_error
    hy_string_format_list(hy_allocator allocator, hy_string *out, const char *format, va_list arguments);

/* The bytes from `begin` up to, not with, `end`: of a static string up to its end the same bytes, else bytes
 * of its own. HY_INVALID: not begin <= end <= len. O(end - begin). */
HY_API HY_WARN_UNUSED hy_error hy_string_slice(
    hy_allocator allocator, hy_string *out, hy_string string, size_t begin, size_t end);

/* Negative, 0 or positive as `first` comes before, is equal to or comes after `second`, by bytes without
 * sign; where one begins the other, the shorter comes first. O(the shorter length). */
HY_API int hy_string_compare(hy_string first, hy_string second);

/* Whether both have the same bytes. O(length), and 1 where the lengths differ. */
HY_INLINE bool hy_string_equal(hy_string first, hy_string second) {
    return first.len == second.len && (first.len == 0 || memcmp(first.ptr, second.ptr, first.len) == 0);
}

/* Where `part` first begins in `string`, at `from` or behind; SIZE_MAX: nowhere. The empty part begins
 * everywhere. O(length * part's length), O(length) for most. */
HY_API size_t hy_string_find(hy_string string, hy_string part, size_t from);

/* ---- lists of strings ---- */

/* Strings, each the list's own. One of zeroes is the empty list. */
typedef struct hy_string_list {
    hy_string *items;
    size_t count;
    hy_allocator allocator; /* of items */
} hy_string_list;

/* Drops all of them, the last first, and makes the list empty. O(count). */
HY_API void hy_string_list_drop(hy_string_list *list);

/* A list that is dropped where its block is left. */
#define HY_MANAGED_STRING_LIST HY_MANAGED(hy_string_list_drop) hy_string_list

/* What lies between the separators: one more than there are of them, empty ones included; of the empty
 * string, one that is empty. *out is a list, as a string's out. HY_INVALID: an empty separator. One
 * allocation, and one for each part that is not empty (but the last of a static string). O(length). */
HY_API HY_WARN_UNUSED hy_error hy_string_split(
    hy_allocator allocator, hy_string_list *out, hy_string string, hy_string separator);

/* `count` strings behind each other, the separator between each two. O(length of the result). */
HY_API HY_WARN_UNUSED hy_error hy_string_join(
    hy_allocator allocator, hy_string *out, const hy_string *strings, size_t count, hy_string separator);

HY_END_DECLS

#endif
