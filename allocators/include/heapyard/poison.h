/* heapyard/poison.h: how allocators tell AddressSanitizer and Valgrind what is handed out.
 *
 * An allocator that carves blocks out of a region poisons what it has not handed out, so that a
 * use after reset or an overflow into its free space is reported by the tool at the faulting line.
 * All of it compiles to nothing where neither tool is in the build (see HY_ASAN and HY_VALGRIND in
 * config.h); with Valgrind's requests compiled in, a program that runs without Valgrind pays one
 * predictable branch.
 *
 * The ASan rules: unpoison exactly the bytes asked for, so the slack behind them stays poisoned
 * (to the granule of 8 bytes that ASan knows); unpoison all that goes back to a child. The Valgrind
 * rules: fresh blocks are undefined, freed ones not addressable. Its mempool requests are not used:
 * its leak search refuses blocks inside blocks, which is what an arena over an arena is.
 */
#ifndef HEAPYARD_POISON_H
#define HEAPYARD_POISON_H

#include <heapyard/config.h>

#if HY_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if HY_VALGRIND
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif

HY_BEGIN_DECLS

#if HY_VALGRIND
/* True while the program runs under Valgrind; set before main. */
extern HY_API bool hy_on_valgrind;
#endif

/* Whether poison reaches any tool at all in this translation unit. */
#define HY_POISONS (HY_ASAN || HY_VALGRIND)

/* Makes [ptr, ptr + size) not addressable. */
HY_INLINE void hy_poison(const void *ptr, size_t size) {
    (void)ptr, (void)size;
#if HY_ASAN
    ASAN_POISON_MEMORY_REGION(ptr, size);
#endif
#if HY_VALGRIND
    if (HY_UNLIKELY(hy_on_valgrind)) (void)VALGRIND_MAKE_MEM_NOACCESS(ptr, size);
#endif
}

/* Makes [ptr, ptr + size) addressable; under Valgrind its content counts as undefined. */
HY_INLINE void hy_unpoison(const void *ptr, size_t size) {
    (void)ptr, (void)size;
#if HY_ASAN
    ASAN_UNPOISON_MEMORY_REGION(ptr, size);
#endif
#if HY_VALGRIND
    if (HY_UNLIKELY(hy_on_valgrind)) (void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, size);
#endif
}

/* Makes [ptr, ptr + size) addressable and its content defined: for an allocator's own links and
 * headers, which lie inside memory that its user must not touch. */
HY_INLINE void hy_unpoison_defined(const void *ptr, size_t size) {
    (void)ptr, (void)size;
#if HY_ASAN
    ASAN_UNPOISON_MEMORY_REGION(ptr, size);
#endif
#if HY_VALGRIND
    if (HY_UNLIKELY(hy_on_valgrind)) (void)VALGRIND_MAKE_MEM_DEFINED(ptr, size);
#endif
}

/* After a fill: the bytes are ours to have written, the user must still write before reading. */
HY_INLINE void hy_mark_undefined(const void *ptr, size_t size) {
    (void)ptr, (void)size;
#if HY_VALGRIND
    if (HY_UNLIKELY(hy_on_valgrind)) (void)VALGRIND_MAKE_MEM_UNDEFINED(ptr, size);
#endif
}

HY_END_DECLS

#endif
