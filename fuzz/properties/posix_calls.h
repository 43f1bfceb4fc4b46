/* posix_calls.h: calls of the malloc family as data: decoded from bytes, and printed as the program that
 * makes them.
 *
 * Any bytes are calls; what reads well is the language of the seeds (corpus/seeds/posix). Blanks and what
 * stands between '#' and the end of its line are passed over. A call is a letter, the slot that its block is
 * in or goes to (0 … 9, a … f), and its arguments:
 *
 *   m malloc SIZE           a aligned_alloc ALIGN SIZE        f free
 *   c calloc COUNT SIZE     p posix_memalign ALIGN SIZE       F free_sized
 *   r realloc SIZE          g memalign ALIGN SIZE             A free_aligned_sized
 *   R reallocarray COUNT SIZE   v valloc SIZE   w pvalloc SIZE   u malloc_usable_size   t malloc_trim (no
 * slot)
 *
 *   COUNT, SIZE   a base and a distance from it: '.' none, '+' one more, '-' one less, a digit d: d × 16
 * more, any other byte as a signed number. Bases: 0 1 8: themselves       x 16   i 128   t 512   k 1024   p
 * 4096   q 8192   b 32 KiB l 64 KiB   n 256 KiB    m 1 MiB   r 2^32   y 2^46   h 2^47   D PTRDIFF_MAX   S
 * SIZE_MAX = what the slot's block was asked as   U what of it is usable any other byte: that number times 64
 *   ALIGN         0 3 6: themselves; a … z: 2^0 … 2^25; A … L: 2^52 … 2^63; S SIZE_MAX; any other byte as
 * itself
 */
#ifndef HEAPYARD_FUZZ_POSIX_CALLS_H
#define HEAPYARD_FUZZ_POSIX_CALLS_H

#include <heapyard/config.h>
#include <stdio.h>

#define HY_POSIX_SLOTS 16

typedef enum hy_posix_function {
    HY_POSIX_MALLOC,
    HY_POSIX_CALLOC,
    HY_POSIX_REALLOC,
    HY_POSIX_REALLOCARRAY,
    HY_POSIX_ALIGNED_ALLOC,
    HY_POSIX_MEMALIGN_OUT, /* posix_memalign */
    HY_POSIX_MEMALIGN,
    HY_POSIX_VALLOC,
    HY_POSIX_PVALLOC,
    HY_POSIX_FREE,
    HY_POSIX_FREE_SIZED,
    HY_POSIX_FREE_ALIGNED_SIZED,
    HY_POSIX_USABLE_SIZE,
    HY_POSIX_TRIM,
    HY_POSIX_FUNCTIONS
} hy_posix_function;

typedef struct hy_posix_call {
    hy_posix_function function;
    unsigned slot;
    size_t count; /* calloc, reallocarray; else 1 */
    size_t size;  /* also what free_sized says */
    size_t align; /* of those that take one */
} hy_posix_call;

/* Where decoding stands in the bytes. */
typedef struct hy_posix_reader {
    const uint8_t *at, *end;
} hy_posix_reader;

/* What sizes may be relative to: the blocks in the slots. */
typedef struct hy_posix_sizes {
    size_t asked[HY_POSIX_SLOTS];
    size_t usable[HY_POSIX_SLOTS];
} hy_posix_sizes;

/* The next call; false: there is none. A call that is cut off has zeroes for what is missing. */
bool hy_posix_read(hy_posix_reader *reader, const hy_posix_sizes *sizes, hy_posix_call *out);

/* The function's name in C. */
const char *hy_posix_name(hy_posix_function function);

/* Prints a C program that makes the calls; what went wrong with the last one is said in a comment. */
void hy_posix_print(FILE *out, const hy_posix_call *calls, size_t count, const char *finding);

#endif
