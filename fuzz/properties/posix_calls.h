/* posix_calls.h: calls of the malloc family as data, decoded from bytes.
 *
 * Any bytes are calls; what reads well is the language of the seeds (corpus/seeds/posix). Blanks and what
 * stands between '#' and the end of its line are passed over. A call is a letter, the slot that its block is
 * in or goes to (0 … 9, a … f), and its arguments:
 *
 *   m malloc SIZE               a aligned_alloc ALIGN SIZE     f free
 *   c calloc COUNT SIZE         p posix_memalign ALIGN SIZE    F free_sized
 *   r realloc SIZE              g memalign ALIGN SIZE          A free_aligned_sized
 *   R reallocarray COUNT SIZE   v valloc SIZE   w pvalloc SIZE
 *   u malloc_usable_size        t malloc_trim (no slot)
 *
 * and, of the libraries that have them:
 *
 *   J mallocx SIZE ALIGN (j: zeroed)   K rallocx SIZE ALIGN              X sdallocx
 *   M mi_malloc_aligned SIZE ALIGN     N mi_realloc_aligned SIZE ALIGN   Y mi_free_size
 *   Z mi_zalloc_aligned SIZE ALIGN     T tc_free_sized                   y mi_free_size_aligned
 *   W operator new SIZE ALIGN          D operator delete
 *
 * '!' frees all blocks, wherever it stands: it ends a call that is cut off. So calls that ran one after the
 * other in a process become one input.
 *
 *   COUNT, SIZE   a base and a distance from it
 *     distance    '.' none, '+' one more, '-' one less, a digit d: d × 16 more, else a signed number
 *     base        0 1 8: themselves   x 16   i 128   t 512   k 1024   p 4096   q 8192   b 32 KiB
 *                 l 64 KiB   n 256 KiB   m 1 MiB   r 2^32   y 2^46   h 2^47   D PTRDIFF_MAX   S SIZE_MAX
 *                 = what the slot's block was asked as   U what of it is usable
 *                 A, and from 0xE0 on: the last alignment   any other byte: that number times 64
 *   ALIGN         0 3 6: themselves   a … z: 2^0 … 2^25   A … L: 2^52 … 2^63   S SIZE_MAX
 *                 any other byte as itself
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
    HY_POSIX_MALLOCX, /* from here on: of some libraries alone */
    HY_POSIX_MALLOCX_ZERO,
    HY_POSIX_RALLOCX,
    HY_POSIX_SDALLOCX,
    HY_POSIX_MI_MALLOC_ALIGNED,
    HY_POSIX_MI_ZALLOC_ALIGNED,
    HY_POSIX_MI_REALLOC_ALIGNED,
    HY_POSIX_MI_FREE_SIZE,
    HY_POSIX_MI_FREE_SIZE_ALIGNED,
    HY_POSIX_TC_FREE_SIZED,
    HY_POSIX_NEW_ALIGNED, /* C++'s operator new with an alignment, and nothrow */
    HY_POSIX_DELETE_ALIGNED,
    HY_POSIX_END, /* all blocks are freed, as at the end of the calls */
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
    size_t align; /* the last power of two that was an alignment; 0: none was */
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

/* Whether it ends the block that it is given; whether it gives another one for it. */
bool hy_posix_is_end(hy_posix_function function);
bool hy_posix_is_move(hy_posix_function function);

/* Its arguments behind the block's own, in C's order: a letter each, 's' a size, 'n' a count, 'a' an
 * alignment, 'f' jemalloc's flags, 'z' likewise with the bit for zeroed memory, 't' C++'s nothrow. */
const char *hy_posix_passed(hy_posix_function function);

/* Whether the C library's headers declare it. */
bool hy_posix_is_glibcs(hy_posix_function function);

/* An alignment, a power of two, as jemalloc's flags. */
int hy_posix_flags(size_t align);
#define HY_POSIX_FLAG_ZERO 0x40

#endif
