/* heapyard/config.h: what the compiler and the build give us, behind plain names.
 *
 * Every attribute, builtin and build switch of the library stands here, so that the other headers
 * are C17 and nothing else. A program may set, before its first heapyard include or with -D:
 *
 *   HY_CHECK    0  no checks: for benchmarks and finished programs
 *               1  constant-time checks of the caller's arguments (the default)
 *               2  also fills and whole-structure checks: for tests and fuzzing
 *   HY_FILL     at level 2, whether the front door fills memory (default 1)
 *   HY_VALGRIND whether Valgrind is told what is handed out (default: at levels 1 and 2, where
 *               its headers are installed)
 *
 * The inline front door has its includer's level, the library the one it was built with;
 * hy_build_info() tells both.
 */
#ifndef HEAPYARD_CONFIG_H
#define HEAPYARD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The version of these headers; before 1.0 a minor version may change layouts. */
#define HY_VERSION_MAJOR 0
#define HY_VERSION_MINOR 1
#define HY_VERSION_PATCH 0
#define HY_VERSION "0.1.0"

#ifndef HY_CHECK
/* The level of checks: 0 none, 1 constant-time, 2 fills and indexes. */
#define HY_CHECK 1
#endif

#ifndef HY_FILL
/* 0: no fills at check level 2. */
#define HY_FILL 1
#endif

#if defined(__SANITIZE_ADDRESS__)
/* Whether the including file is compiled with AddressSanitizer. */
#define HY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HY_ASAN 1
#endif
#endif
#ifndef HY_ASAN
#define HY_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
/* Whether it is compiled with ThreadSanitizer. */
#define HY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HY_TSAN 1
#endif
#endif
#ifndef HY_TSAN
#define HY_TSAN 0
#endif

#ifndef HY_VALGRIND
#if HY_CHECK >= 1 && !HY_ASAN && !HY_TSAN && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
/* Whether it speaks to Valgrind. */
#define HY_VALGRIND 1
#endif
#endif
#endif
#ifndef HY_VALGRIND
#define HY_VALGRIND 0
#endif

#ifdef __cplusplus
/* The words that C and C++ spell differently. */
#define HY_BEGIN_DECLS extern "C" {
#define HY_END_DECLS }
#define HY_NORETURN [[noreturn]]
#define HY_THREAD_LOCAL __thread /* C++'s own word would make each use a call */
#define HY_ALIGNOF(T) alignof(T)
#define HY_TYPEOF(x) decltype(x)
#else
#define HY_BEGIN_DECLS
#define HY_END_DECLS
#define HY_NORETURN _Noreturn
#define HY_THREAD_LOCAL _Thread_local
#define HY_ALIGNOF(T) _Alignof(T)
#define HY_TYPEOF(x) __typeof__(x)
#endif

/* HY_API: a symbol that the shared library exports; everything else is hidden. Who builds the library into
 * another one, and shows none of it, may say so before. */
#ifndef HY_API
#define HY_API __attribute__((visibility("default")))
#endif
/* HY_INLINE: a fast path that belongs in its caller, whatever the compiler thinks of its size. */
#define HY_INLINE static inline __attribute__((always_inline))
/* HY_COLD: a slow path that must not be inlined into a fast one. */
#define HY_COLD __attribute__((cold, noinline))
#define HY_NOINLINE __attribute__((noinline))
/* HY_SLOT: a vtable's function of a few instructions. Starting on a cache line of its own keeps what a
 * call costs from depending on where the linker put it (a cycle or two of six, measured). */
#define HY_SLOT __attribute__((aligned(64)))
#define HY_UNUSED __attribute__((unused))
#define HY_WARN_UNUSED __attribute__((warn_unused_result))
#define HY_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define HY_NO_SANITIZE_ADDRESS __attribute__((no_sanitize("address")))
/* HY_NO_SANITIZE_THREAD: a race that is meant. */
#if defined(__clang__)
#define HY_NO_SANITIZE_THREAD __attribute__((no_sanitize("thread", "coverage"), noinline))
#else
#define HY_NO_SANITIZE_THREAD __attribute__((no_sanitize("thread"), noinline))
#endif

/* What the compiler should lay the code out for. */
#define HY_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define HY_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A fact that the compiler can't see and may use; a caller's test of it then costs nothing. */
#define HY_ASSUME(condition) ((condition) ? (void)0 : __builtin_unreachable())

/* Has the variable in a register here: a load keeps an instruction of its own, where the compiler would
 * make it an operand of the arithmetic that follows. A chain of allocations was some 5 % faster for it on a
 * Zen 4. */
#define HY_IN_REGISTER(variable) __asm__("" : "+r"(variable))

/* Whether a pointer-sized sum or product fits; the result is written only through `out`. */
#define HY_ADD_OVERFLOWS(a, b, out) __builtin_add_overflow((a), (b), (out))
#define HY_MUL_OVERFLOWS(a, b, out) __builtin_mul_overflow((a), (b), (out))

/* Bytes of a cache line, or more: what two threads write lies so far apart. */
#define HY_CACHE_LINE 64
/* On a type: its objects share no cache line with anything else. */
#define HY_CACHE_ALIGNED __attribute__((aligned(HY_CACHE_LINE)))

#endif
