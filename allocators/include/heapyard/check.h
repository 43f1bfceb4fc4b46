/* heapyard/check.h: misuse is a crash with a message, at a level that the build chooses.
 *
 * A check names the function, the value and the rule:
 *
 *   HY_REQUIRE(hy_is_power_of_two(bytes), "hy_align_from_bytes", bytes, "a power of two");
 *
 * prints `heapyard: hy_align_from_bytes: got 24, must be a power of two` with the caller's stack on
 * standard error and aborts. At level 0 the condition is not evaluated.
 */
#ifndef HEAPYARD_CHECK_H
#define HEAPYARD_CHECK_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* Prints the message and the stack of the front door's caller on standard error, then aborts.
 * function: the public function that was misused; value: what it was given; rule: what would have
 * been right, to be read after "must be". Thread-safe, never returns; the message costs no memory, but the
 * stack's files and lines some from malloc (stack_trace.h). */
HY_NORETURN HY_API HY_COLD void hy_misuse(const char *function, uintmax_t value, const char *rule);

/* Prints the message of hy_misuse, without the stack, and goes on: for options that make no sense, which are
 * then refused with HY_INVALID. Thread-safe, allocates nothing. */
HY_API HY_COLD void hy_tell_invalid(const char *function, uintmax_t value, const char *rule);

/* Prints `heapyard: <function>: <message>` and the stack, then aborts: a broken invariant of the
 * library itself, or damage done to its structures by its user. Never returns. */
HY_NORETURN HY_API HY_COLD void hy_corrupted(const char *function, const char *message);

/* Prints `fatal: <what>` on standard error and aborts: only for front ends that promise it. */
HY_NORETURN HY_API HY_COLD void hy_fatal(const char *what);

#if HY_CHECK >= 1
/* A rule for the caller, checked in constant time (levels 1 and 2). */
#define HY_REQUIRE(condition, function, value, rule)                                                         \
    (HY_LIKELY(condition) ? (void)0 : hy_misuse((function), (uintmax_t)(value), (rule)))
/* The same where the caller gets an answer: a message for whoever reads standard error. */
#define HY_TELL_INVALID(function, value, rule) hy_tell_invalid((function), (uintmax_t)(value), (rule))
#else
#define HY_REQUIRE(condition, function, value, rule) ((void)0)
#define HY_TELL_INVALID(function, value, rule) ((void)0)
#endif

#if HY_CHECK >= 2
/* A fact about our own structures, checked where it costs more (level 2). */
#define HY_ASSERT(condition, message) (HY_LIKELY(condition) ? (void)0 : hy_corrupted(__func__, (message)))
#else
#define HY_ASSERT(condition, message) ((void)0)
#endif

#if HY_CHECK >= 2 && defined(HY_WALK) && HY_WALK
/* Whether whole structures are walked after slow paths: at level 2 in builds that define HY_WALK, as those
 * for fuzzing and with AddressSanitizer do. */
#define HY_WALKS 1
/* The walk over a structure after a slow path that changed it. */
#define HY_ASSERT_WALK(holds) HY_ASSERT((holds), "the structure does not hold together after a slow path")
#else
#define HY_WALKS 0
#define HY_ASSERT_WALK(holds) ((void)0)
#endif

HY_END_DECLS

#endif
